"""Who may do what. For the present one answer: programs on this machine may do everything, nobody else anything."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import web

from engine.settings import is_loopback
from engine.web.addresses import is_own_origin, is_public_name
from engine.web.cors import is_welcome


class Permission(StrEnum):
    """What a route needs; every route names one (`routes.ROUTES`)."""

    HEALTH = "health"  # whether the server lives; nothing about patients
    SEARCH = "search"
    READ = "read"
    STORE = "store"
    MANAGE = "manage"


@lru_cache(maxsize=1024)
def _is_here(name: str) -> bool:
    return is_loopback(name)


@lru_cache(maxsize=1024)
def _host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    return urlsplit(f"//{host}").hostname or ""


def refusal(request: web.Request, permission: Permission) -> str:
    """Why this request may not do that; empty when it may.

    The peer must be on this machine. So must be the name that it calls us by: a web page elsewhere whose own name was
    pointed at the loopback address (DNS rebinding) would otherwise read patients' images through the reader's browser.
    The name in the setting ``public_url`` is the operator's own: a proxy in front may pass it on.
    """
    peer = request.remote
    if peer is None or not _is_here(peer):
        return "only programs on this machine may use this server; access control is not configured"
    host = _host_name(request.host)
    if not _is_here(host) and not is_public_name(request, host):
        return (
            f"this server is called localhost or 127.0.0.1, not {host[:100]!r}; a proxy in front must send such a Host,"
            " or the setting public_url name it"
        )
    origin = request.headers.get("Origin")
    is_own = origin is None or is_own_origin(request, origin)
    if permission in (Permission.STORE, Permission.MANAGE) and not is_own and not is_welcome(request):
        return (
            "a page of another origin may not store or change anything; the setting cors_origins names those that may"
        )
    return ""
