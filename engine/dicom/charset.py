"""Text in the character sets that need more than a table: ISO 2022 escapes and multi-byte sets (PS3.3 C.12.1.1.2, PS3.5 6.1)."""

from __future__ import annotations

import re
from functools import cache

_DELIMITERS = re.compile(rb"([\\^=\r\n\f\t])")  # the initial set is active again behind these (PS3.5 6.1.2.5.3)
_ESCAPE = re.compile(rb"(\x1b[\x20-\x2f]+[\x30-\x7e])")

# Defined term (of either spelling) → Python codec.
CODECS = {
    6: "ascii", 13: "shift_jis", 58: "iso2022_jp_2", 87: "iso2022_jp", 100: "latin_1", 101: "iso8859_2", 109: "iso8859_3",
    110: "iso8859_4", 126: "iso8859_7", 127: "iso8859_6", 138: "iso8859_8", 144: "iso8859_5", 148: "iso8859_9",
    149: "euc_kr", 159: "iso2022_jp_2", 166: "tis_620", 192: "utf_8", 203: "iso8859_15",
}  # fmt: skip
# Escape sequence → (codec, bytes that the codec wants in front). PS3.3 tables C.12-3 and C.12-4.
_ESCAPES = {
    b"\x1b(B": ("ascii", b""), b"\x1b-A": ("latin_1", b""), b"\x1b-B": ("iso8859_2", b""), b"\x1b-C": ("iso8859_3", b""),
    b"\x1b-D": ("iso8859_4", b""), b"\x1b-L": ("iso8859_5", b""), b"\x1b-G": ("iso8859_6", b""),
    b"\x1b-F": ("iso8859_7", b""), b"\x1b-H": ("iso8859_8", b""), b"\x1b-M": ("iso8859_9", b""),
    b"\x1b-b": ("iso8859_15", b""), b"\x1b-T": ("tis_620", b""), b"\x1b(J": ("shift_jis", b""), b"\x1b)I": ("shift_jis", b""),
    b"\x1b$B": ("iso2022_jp", b"\x1b$B"), b"\x1b$@": ("iso2022_jp", b"\x1b$@"), b"\x1b$(D": ("iso2022_jp_2", b"\x1b$(D"),
    b"\x1b$)C": ("euc_kr", b""), b"\x1b$)A": ("gb2312", b""),
}  # fmt: skip


@cache
def _codec(term: str) -> str | None:
    term = term.strip()
    if term in ("", "ISO_IR 6", "ISO 2022 IR 6"):
        return "ascii"
    if term in ("GB18030", "GBK"):
        return term.lower()
    number = re.fullmatch(r"ISO[_ ](?:2022[_ ])?IR[_ ](\d+)", term)
    return CODECS.get(int(number[1])) if number else None


def decode_text(specific_character_set: bytes, raw: bytes) -> tuple[str, bool]:
    """Decode one value (all its components) as its Specific Character Set says.

    Returns
    -------
    text, ok
        `ok` is False when a byte had to be replaced or the set is unknown (then UTF-8 or Latin 1 is assumed).
    """
    terms = specific_character_set.decode("ascii", "replace").split("\\")
    first = _codec(terms[0])
    if first is None:
        try:
            return raw.decode("utf_8"), False
        except UnicodeDecodeError:
            return raw.decode("latin_1"), False
    if b"\x1b" not in raw or first in ("gb18030", "gbk", "utf_8"):
        return _whole(raw, first)
    text, ok = [], True
    for part in _DELIMITERS.split(raw):
        codec, prefix = first, b""
        for piece in _ESCAPE.split(part):
            if piece.startswith(b"\x1b"):
                known = _ESCAPES.get(piece)
                ok = ok and known is not None
                codec, prefix = known or (first, b"")
            elif piece:
                decoded, good = _whole(prefix + piece, codec)
                text.append(decoded)
                ok = ok and good
    return "".join(text), ok


def _whole(raw: bytes, codec: str) -> tuple[str, bool]:
    try:
        return raw.decode(codec), True
    except UnicodeDecodeError:
        if codec == "ascii":
            return raw.decode("latin_1"), False
        return raw.decode(codec, "replace"), False
