"""Keywords, tags and value representations of PS3.6, without importing pydicom (0.7 s and 100 MB)."""

from __future__ import annotations

from functools import cache

from engine.dicom.dictionary_data import KEYWORDS


def tag_of(name: str) -> int:
    """Tag of a keyword (``"PatientID"``) or of eight hexadecimal digits (``"00100020"``).

    Raises
    ------
    KeyError
        The name is neither.
    """
    entry = KEYWORDS.get(name)
    if entry is not None:
        return entry[0]
    if len(name) == 8:
        try:
            return int(name, 16)
        except ValueError:
            pass
    raise KeyError(name)


@cache
def _by_tag() -> dict[int, tuple[str, str]]:
    return {tag: (keyword, vr) for keyword, (tag, vr) in KEYWORDS.items()}


def vr_of(tag: int) -> str:
    """VR that PS3.6 gives a tag, "UN" where it gives none; of several possible ones the usual."""
    return _by_tag().get(tag, ("", "UN"))[1]


def keyword_of(tag: int) -> str:
    """Keyword of a tag, "" where it has none."""
    return _by_tag().get(tag, ("", ""))[0]


def hex_of(tag: int) -> str:
    """``"00100020"``: how DICOM JSON names a tag."""
    return f"{tag:08X}"
