"""Text in the character sets that need more than a table: ISO 2022 escapes and multi-byte sets (PS3.3 C.12.1.1.2, PS3.5 6.1)."""

from __future__ import annotations

import re
from functools import cache

# Number in a defined term (of either spelling) → Python codec of bytes 80 to FF; "ascii" where there are none.
CODECS = {
    6: "ascii", 13: "shift_jis", 58: "gb2312", 87: "ascii", 100: "latin_1", 101: "iso8859_2", 109: "iso8859_3",
    110: "iso8859_4", 126: "iso8859_7", 127: "iso8859_6", 138: "iso8859_8", 144: "iso8859_5", 148: "iso8859_9",
    149: "euc_kr", 159: "ascii", 166: "tis_620", 192: "utf_8", 203: "iso8859_15",
}  # fmt: skip
# Escape sequences that designate to G1, the upper half, → codec; and to G0, the lower half, → codec and what it wants in front.
_G1 = {
    b"\x1b-A": "latin_1", b"\x1b-B": "iso8859_2", b"\x1b-C": "iso8859_3", b"\x1b-D": "iso8859_4", b"\x1b-L": "iso8859_5",
    b"\x1b-G": "iso8859_6", b"\x1b-F": "iso8859_7", b"\x1b-H": "iso8859_8", b"\x1b-M": "iso8859_9", b"\x1b-b": "iso8859_15",
    b"\x1b-T": "tis_620", b"\x1b)I": "shift_jis", b"\x1b$)C": "euc_kr", b"\x1b$)A": "gb2312",
}  # fmt: skip
_ASCII = ("ascii", b"")
_G0 = {
    b"\x1b(B": _ASCII, b"\x1b(J": _ASCII, b"\x1b$B": ("iso2022_jp", b"\x1b$B"), b"\x1b$@": ("iso2022_jp", b"\x1b$@"),
    b"\x1b$(D": ("iso2022_jp_2", b"\x1b$(D"),
}  # fmt: skip
_PIECES = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]|\x1b|[\x00-\x1a\x1c-\x20\x7f]+|[\x21-\x7e]+|[\x80-\xff]+")
# Behind these the first set is active again (PS3.5 6.1.2.5.3).
_RESET = re.compile(rb"[\\\r\n\f\t]")
_RESET_IN_NAME = re.compile(rb"[\\\r\n\f\t^=]")


@cache
def _codec(term: str) -> str | None:
    term = term.strip().upper()
    if term in ("GB18030", "GBK"):
        return term.lower()
    number = re.fullmatch(r"ISO[-_ ]*(?:2022[-_ ]*)?IR[-_ ]*(\d+)", term)
    return "ascii" if not term else CODECS.get(int(number[1])) if number else None


def decode_text(specific_character_set: bytes, raw: bytes, is_name: bool = True) -> tuple[str, bool]:
    """Decode one value (all its components) as its Specific Character Set says.

    Parameters
    ----------
    is_name : ``^`` and ``=`` delimit, as they do in PN only.

    Returns
    -------
    text, ok
        `ok` is False when a byte had to be replaced or the set is unknown (then UTF-8 or Latin 1 is assumed).
    """
    first = _codec(specific_character_set.decode("ascii", "replace").split("\\")[0])
    if first is None:
        return _unnamed(raw), raw.isascii()
    if b"\x1b" not in raw or first in ("gb18030", "gbk", "utf_8"):
        return _whole(raw, first)
    return _iso2022(raw, first, _RESET_IN_NAME if is_name else _RESET)


def _iso2022(raw: bytes, first: str, reset: re.Pattern[bytes]) -> tuple[str, bool]:
    """Two halves that are designated apart (PS3.5 6.1.2.5.1): bytes below 80 are of G0, the others of G1."""
    text, ok = [], True
    g0, g1, designated = _ASCII, first, first
    for piece in _PIECES.findall(raw):
        if piece[0] == 0x1B:
            if piece in _G0:
                g0 = _G0[piece]
            elif piece in _G1:
                g1 = designated = _G1[piece]
            else:
                ok = False
            continue
        if piece[0] >= 0x80:
            if g1 == "ascii" and designated != "ascii":
                # A writer that did not designate the set again behind a delimiter: the last one is what it meant.
                g1, ok = designated, False
            decoded, good = _whole(piece, g1)
        elif g0 is _ASCII or piece[0] <= 0x20 or piece[0] == 0x7F:
            decoded, good = piece.decode("ascii"), True
            if reset.search(piece):
                g0, g1 = _ASCII, first
        else:
            decoded, good = _two_byte(piece, *g0)
        text.append(decoded)
        ok = ok and good
    return "".join(text), ok


def _two_byte(piece: bytes, codec: str, prefix: bytes) -> tuple[str, bool]:
    # An odd byte at the end is a delimiter before which the writer did not switch back.
    tail = piece[len(piece) // 2 * 2 :]
    decoded, good = _whole(prefix + piece[: len(piece) - len(tail)], codec)
    return decoded + tail.decode("ascii"), good and not tail


def _unnamed(raw: bytes) -> str:
    try:
        return raw.decode("utf_8")
    except UnicodeDecodeError:
        return raw.decode("latin_1")


def _whole(raw: bytes, codec: str) -> tuple[str, bool]:
    if codec == "ascii":
        return _unnamed(raw), raw.isascii()
    try:
        return raw.decode(codec), True
    except UnicodeDecodeError:
        return raw.decode(codec, "replace"), False
