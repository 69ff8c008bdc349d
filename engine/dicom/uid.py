"""Unique identifiers (PS3.5 section 9)."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

_VALID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*", re.ASCII)


def is_valid(uid: str) -> bool:
    """Whether PS3.5 9.1 allows this UID: digits and dots, no leading zeros, at most 64 characters."""
    return 0 < len(uid) <= 64 and _is_dotted(uid)


@lru_cache(maxsize=1024)  # study and series are mostly those of the instance before
def _is_dotted(uid: str) -> bool:
    return _VALID.fullmatch(uid) is not None


def derived_uid(*parts: str) -> str:
    """A UID under 2.25 (PS3.5 B.2) that is the same for the same parts, for what came without one."""
    digest = hashlib.sha256("\0".join(parts).encode("utf_8", "surrogatepass")).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big') | 1 << 120}"
