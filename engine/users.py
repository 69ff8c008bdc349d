"""People and programs that say who they are: ``[users.NAME]`` of the settings, and their passwords as scrypt hashes (RFC 7914)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import threading
from dataclasses import dataclass

from engine import setting_values as kinds
from engine.errors import InvalidParameter
from engine.peers import PERMISSIONS
from engine.setting_values import setting

_N, _R, _P, _SALT_BYTES, _HASH_BYTES = 2**15, 8, 1, 16, 32  # 32 MiB and some 0.1 s a try
_N_MAX = 2**18
_HASH = re.compile(r"scrypt:(\d{1,7}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9+/]{22,}={0,2}):([A-Za-z0-9+/]{22,}={0,2})")
_NAME = re.compile(r"[ -~]{1,64}")
_AT_ONCE = threading.BoundedSemaphore(2)  # whoever guesses takes neither all memory nor all cores


def _hash(value: object) -> str:
    result = kinds.text(value)
    if result:
        _parts(result)
    return result


def _parts(text: str) -> tuple[int, int, int, bytes, bytes]:
    found = _HASH.fullmatch(text)
    if found is None:
        raise ValueError
    n, r, p = (int(found[number]) for number in (1, 2, 3))
    if n < 2 or n & (n - 1) or n > _N_MAX or not 1 <= r <= 16 or not 1 <= p <= 16:
        raise ValueError
    return n, r, p, base64.b64decode(found[4]), base64.b64decode(found[5])


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One ``[users.NAME]`` table; `name` is that of the table."""

    name: str
    password: str = setting(
        "",
        "hash of the password, made by voxcast password; without one the name alone will do, which proves nothing",
        "a text that voxcast password has made",
        _hash,
    )
    permissions: tuple[str, ...] = setting(
        PERMISSIONS,
        "what may be asked in this name, where the caller may as well",
        "a list of " + ", ".join(PERMISSIONS),
        kinds.some_of(*PERMISSIONS),
    )

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidParameter("name", self.name, "1 to 64 printable ASCII characters")


def hash_password(password: str) -> str:
    """For `User.password`; another one each time."""
    salt = os.urandom(_SALT_BYTES)
    made = _derive(password.encode(), _N, _R, _P, salt, _HASH_BYTES)
    return f"scrypt:{_N}:{_R}:{_P}:{base64.b64encode(salt).decode()}:{base64.b64encode(made).decode()}"


def check_password(password: bytes, user: User | None) -> bool:
    """Whether it is the password of `user`; takes as long when there is no such user. Two at once, others wait."""
    n, r, p, salt, expected = _parts(user.password) if user is not None and user.password else _NOBODY
    with _AT_ONCE:
        made = _derive(password, n, r, p, salt, len(expected))
    return hmac.compare_digest(made, expected) and user is not None and bool(user.password)


def _derive(password: bytes, n: int, r: int, p: int, salt: bytes, length: int) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r * p + 2**20, dklen=length)


_NOBODY = (_N, _R, _P, bytes(_SALT_BYTES), bytes(_HASH_BYTES))
