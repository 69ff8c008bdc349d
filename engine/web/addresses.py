"""Where clients reach this server: what the operator says, or what the request names (PS3.18 8.2, RFC 9110 7.1)."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import web

from engine.web.services import services


def root_of(request: web.Request) -> str:
    """What every absolute address in an answer begins with, without a slash at its end: ``https://pacs.example/voxcast``."""
    return services(request).settings.public_url or f"{request.scheme}://{request.host}"


def file_name(uid: str, suffix: str) -> str:
    """What a client may call the file: no patient's name, and nothing of an odd UID that ends a header or is a path."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in uid)
    return f"{plain[:64].lstrip('.')}.{suffix}"


def is_public_name(request: web.Request, name: str) -> bool:
    """Whether a Host of this name is the one of the setting ``public_url``."""
    return bool(name) and name.lower() == _public(services(request).settings.public_url)[0]


def is_own_origin(request: web.Request, origin: str) -> bool:
    """Whether a page of this origin is one of this very server, reached directly or through the proxy in front."""
    return origin in (f"{request.scheme}://{request.host}", _public(services(request).settings.public_url)[1] or None)


@lru_cache(maxsize=8)
def _public(url: str) -> tuple[str, str]:
    """Host name and origin as browsers write it (RFC 6454 6.2): lower case, no port where it is the usual one."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    host = f"[{name}]" if ":" in name else name
    is_usual = parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme))
    port = "" if is_usual else f":{parts.port}"
    return name, f"{parts.scheme}://{host}{port}" if name else ""
