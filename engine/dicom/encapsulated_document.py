"""Encapsulated documents: what a PDF, CDA, STL, OBJ or MTL instance holds (PS3.3 C.24.2)."""

from __future__ import annotations

ENCAPSULATED_DOCUMENT, MIME_TYPE, DOCUMENT_LENGTH = 0x00420011, 0x00420012, 0x00420015
UNKNOWN = "application/octet-stream"
_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.104.1": "application/pdf",
    "1.2.840.10008.5.1.4.1.1.104.2": "text/xml",
    "1.2.840.10008.5.1.4.1.1.104.3": "model/stl",
    "1.2.840.10008.5.1.4.1.1.104.4": "model/obj",
    "1.2.840.10008.5.1.4.1.1.104.5": "model/mtl",
}
# What a header may call its document. A stored header is anyone's: a browser must never be told that it is a page or a script.
_KNOWN = frozenset(_CLASSES.values()) | {
    "application/rtf", "application/sla", "application/xml", "image/jpeg", "image/png", "text/plain", "text/rtf",
}  # fmt: skip
# None of these ends in a zero byte: one that does was made even. Readers of XML stumble over it.
_NEVER_END_IN_ZERO = frozenset(
    {
        "application/pdf",
        "application/rtf",
        "application/xml",
        "model/mtl",
        "model/obj",
        "text/plain",
        "text/rtf",
        "text/xml",
    }
)


def is_document(sop_class_uid: str) -> bool:
    """Whether instances of this class hold a document in place of pixels."""
    return sop_class_uid in _CLASSES


def media_type_of(sop_class_uid: str, mime_type: bytes | None) -> str:
    """Media type of a document, by MIME Type of Encapsulated Document (0042,0012), else by its class; lower case."""
    said = (mime_type or b"").decode("ascii", "replace").split(";")[0].strip(" \0").lower()
    if said:
        return said if said in _KNOWN else UNKNOWN
    return _CLASSES.get(sop_class_uid, UNKNOWN)


def document_length(media_type: str, stored: int, declared: bytes | None, last: bytes) -> int:
    """Bytes of a document without the padding behind it.

    Parameters
    ----------
    stored : length of the value, which is even.
    declared : value of Encapsulated Document Length (0042,0015), or None.
    last : the value's last byte.
    """
    if declared is not None and len(declared) == 4:
        length = int.from_bytes(declared, "little")
        if 0 <= stored - length <= 1:  # anything else is not what that attribute is for
            return length
    return stored - 1 if media_type in _NEVER_END_IN_ZERO and last == b"\0" else stored
