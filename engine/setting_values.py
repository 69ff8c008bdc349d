"""What a setting's value may be: one parser for each kind, and the field of a dataclass that carries its parser and its meaning.

A parser raises ValueError or TypeError for what it does not take; `engine/settings.py` makes the message from the field.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import MISSING, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def setting(default: Any, doc: str, expected: str, parse: Callable[[object], Any]) -> Any:
    """A field of `Settings`, or of an entry of one of its tables: what it means (`doc`), what it takes (`expected`)."""
    return field(default=default, metadata={"doc": doc, "expected": expected, "parse": parse})


def needed(doc: str, expected: str, parse: Callable[[object], Any]) -> Any:
    """The same without a default: an entry without it is refused."""
    return field(default=MISSING, metadata={"doc": doc, "expected": expected, "parse": parse})


def path(value: object) -> Path | None:
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise ValueError
    return Path(value).expanduser()


def text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def endpoint(where: str) -> tuple[str, int] | None:
    """``"127.0.0.1:8080"`` or ``"[::1]:8080"`` → host and port (0 picks a free one); ``"off"`` → None.

    Raises
    ------
    ValueError
    """
    if where == "off":
        return None
    host, colon, port = where.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        raise ValueError("an IPv6 address needs brackets")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("not host:port")
    return host, int(port)


def endpoint_text(value: object) -> str:
    result = text(value)
    endpoint(result)
    return result


def origins(value: object) -> str:
    result = text(value).strip()
    for origin in result.split(","):
        if origin.strip() not in ("", "*") and not re.fullmatch(r"https?://[^/\s,@]+", origin.strip()):
            raise ValueError
    return result


def public_url(value: object) -> str:
    result = text(value).strip().rstrip("/")
    # Nothing that could end the JSON string it is put into, no user, no query.
    pattern = r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[A-Za-z0-9._~-]+)*"
    if result and not re.fullmatch(pattern, result):
        raise ValueError
    _ = urlsplit(result).port  # ValueError for one above 65535
    return result


def networks(value: object) -> str:
    result = text(value).strip()
    for part in result.split(",") if result else ():
        ipaddress.ip_network(part.strip(), strict=False)
    return result


def network_list(value: object) -> tuple[str, ...]:
    """A list of addresses or networks, in their canonical form."""
    return tuple(str(ipaddress.ip_network(text(one).strip(), strict=False)) for one in _list(value))


def ae_title(value: object) -> str:
    result = text(value).strip(" ")
    if not 1 <= len(result) <= 16 or not (result.isascii() and result.isprintable()) or "\\" in result:
        raise ValueError
    return result


def ae_titles(value: object) -> tuple[str, ...]:
    """A list of AE titles; a text with commas does as well."""
    return tuple(ae_title(one) for one in (value.split(",") if isinstance(value, str) else _list(value)))


def host(value: object) -> str:
    """A host name or an address, without a port; IPv6 with or without brackets."""
    result = text(value).strip()
    if result.startswith("[") and result.endswith("]"):
        return str(ipaddress.IPv6Address(result[1:-1]))
    if ":" in result:
        return str(ipaddress.IPv6Address(result))
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?", result):
        raise ValueError
    return result


def choice(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError
        return text(value)

    return parse


def kernel_name(value: object) -> str:
    """A name that Linux gives an algorithm (TCP_CA_NAME_MAX), or nothing."""
    if not re.fullmatch(r"[a-z0-9_]{0,15}", text(value)):
        raise ValueError
    return text(value)


def some_of(*choices: str) -> Callable[[object], tuple[str, ...]]:
    """A list of some of these words, given back in the order of `choices`; a text with commas does as well."""

    def parse(value: object) -> tuple[str, ...]:
        words = [text(one).strip() for one in (value.split(",") if isinstance(value, str) else _list(value))]
        words = [word for word in words if word]
        if not set(words) <= set(choices):
            raise ValueError
        return tuple(one for one in choices if one in words)

    return parse


def words_or_uids(*choices: str) -> Callable[[object], tuple[str, ...]]:
    """A list of some of these words and of UIDs (PS3.5 9.1); a text with commas does as well."""

    def parse(value: object) -> tuple[str, ...]:
        words = [text(one).strip() for one in (value.split(",") if isinstance(value, str) else _list(value))]
        words = [word for word in words if word]
        if not all(word in choices or re.fullmatch(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)+", word) for word in words):
            raise ValueError
        return tuple(words)

    return parse


def texts(value: object) -> tuple[str, ...]:
    """A list of texts, or one text alone; none of them empty."""
    result = (value,) if isinstance(value, str) else tuple(text(one) for one in _list(value))
    if not all(one.strip() for one in result):
        raise ValueError
    return result


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def number(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        # A TOML boolean is no number, and int() would take "1_0", " 1" and "٣".
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return parse


def _list(value: object) -> list[object] | tuple[object, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError
    return value
