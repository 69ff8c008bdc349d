"""What the header of an image says after a lossy step (PS3.3 C.7.6.1.1.5, C.12.4.1.1; PS3.16 CID 7202, 7203)."""

from __future__ import annotations

import re

from engine.dicom.elements import element_bytes, sequence_bytes
from engine.dicom.rewrite import Header

SOP_INSTANCE_UID = 0x00080018
_IMAGE_TYPE, _DESCRIPTION = 0x00080008, 0x00082111
_SOURCE_IMAGE, _DERIVATION_CODE, _PURPOSE = 0x00082112, 0x00089215, 0x0040A170
_LOSSY, _RATIO, _METHOD = 0x00282110, 0x00282112, 0x00282114
_SMALLEST, _LARGEST = 0x00280106, 0x00280107
_MAC_PARAMETERS, _SIGNATURES = 0x4FFE0001, 0xFFFAFFFA
_FUNCTIONAL_GROUPS = (0x52009229, 0x52009230)
_DESCRIPTION_MAX = 1024  # of ST (PS3.5 table 6.2-1)
_ORIGINAL, _DERIVED = b"ORIGINAL\\", b"DERIVED\\"
# Frame Type (0008,9007) in explicit VR, of at most 255 bytes.
_ORIGINAL_FRAME_TYPE = re.compile(rb"\x08\x00\x07\x90CS(.)\x00" + re.escape(_ORIGINAL), re.DOTALL)

# Defined terms of Lossy Image Compression Method (C.7.6.1.1.5.1), by the end of the transfer syntax's UID.
METHODS = {
    **dict.fromkeys((".4.50", ".4.51", ".4.53", ".4.55", ".4.111"), "ISO_10918_1"),
    ".4.81": "ISO_14495_1",
    ".4.91": "ISO_15444_1",
    ".4.203": "ISO_15444_15",
    ".4.112": "ISO_18181_1",
    **dict.fromkeys((".4.100", ".4.100.1", ".4.101", ".4.101.1"), "ISO_13818_2"),
    **{f".4.{n}{end}": "ISO_14496_10" for n in range(102, 107) for end in ("", ".1")},
    **dict.fromkeys((".4.107", ".4.108"), "ISO_23008_2"),
}
_ROOT = "1.2.840.10008.1.2"


def method_of(transfer_syntax_uid: str) -> str:
    """The defined term for a lossy step into a transfer syntax; "" for one that cannot lose."""
    return METHODS.get(transfer_syntax_uid.removeprefix(_ROOT), "")


def derived_by_loss(
    header: Header, *, sop_class_uid: str, sop_instance_uid: str, new_uid: str, method: str, ratio: float, how: str
) -> dict[int, bytes | None]:
    """Changes to the header of an image that was compressed with a loss: it is another image, derived from this one.

    Parameters
    ----------
    sop_instance_uid, new_uid : of the image that was compressed, and of what came of it.
    ratio : bytes before by bytes after.
    how : words for Derivation Description.
    """
    was_lossy = header.text(_LOSSY) == "01"
    purpose = ("121322", "Source image for image processing operation") if was_lossy else (
        "121320", "Uncompressed predecessor"
    )  # fmt: skip
    source = b"".join(
        (
            element_bytes(0x00081150, "UI", sop_class_uid.encode()),
            element_bytes(0x00081155, "UI", sop_instance_uid.encode()),
            sequence_bytes(_PURPOSE, _code(*purpose)),
        )
    )
    described = "; ".join(part for part in (header.text(_DESCRIPTION), how) if part)[-_DESCRIPTION_MAX:]
    changes: dict[int, bytes | None] = {
        SOP_INSTANCE_UID: element_bytes(SOP_INSTANCE_UID, "UI", new_uid.encode()),
        _IMAGE_TYPE: element_bytes(_IMAGE_TYPE, "CS", _derived(header.text(_IMAGE_TYPE)).encode("latin_1")),
        _DESCRIPTION: element_bytes(_DESCRIPTION, "ST", described.encode("latin_1")),
        _SOURCE_IMAGE: sequence_bytes(_SOURCE_IMAGE, *header.items(_SOURCE_IMAGE), source),
        _DERIVATION_CODE: sequence_bytes(
            _DERIVATION_CODE, *header.items(_DERIVATION_CODE), _code("113040", "Lossy Compression")
        ),
        **marked_lossy(header, method, ratio),
        # What was true of the values, or signed, before.
        **{tag: None for tag in (_SMALLEST, _LARGEST, _MAC_PARAMETERS, _SIGNATURES) if tag in header},
    }
    for tag in _FUNCTIONAL_GROUPS:
        groups = header.element(tag)
        if groups is not None:
            changes[tag] = _frames_derived(groups)
    return changes


def marked_lossy(header: Header, method: str, ratio: float) -> dict[int, bytes | None]:
    """Lossy Image Compression, and one more ratio and method behind those of earlier steps."""
    ratios = [value for value in header.text(_RATIO).split("\\") if value.strip()]
    methods = [value for value in header.text(_METHOD).split("\\") if value.strip()]
    return {
        _LOSSY: element_bytes(_LOSSY, "CS", b"01"),
        _RATIO: element_bytes(_RATIO, "DS", "\\".join((*ratios, f"{ratio:.6g}")).encode("latin_1")),
        _METHOD: element_bytes(_METHOD, "CS", "\\".join((*methods, method)).encode("latin_1")),
    }


def is_marked_lossy(header: Header) -> bool:
    return header.text(_LOSSY) == "01"


def _derived(image_type: str) -> str:
    """Value 1 becomes DERIVED (C.7.6.1.1.2): these pixel values are no longer those that came from the detector."""
    _, _, rest = image_type.partition("\\")
    return f"DERIVED\\{rest or 'PRIMARY'}"


def _frames_derived(groups: bytes) -> bytes:
    """The same for the Frame Type of every frame; lengths stay, so that nothing around them has to change."""
    out = bytearray(groups)
    for found in _ORIGINAL_FRAME_TYPE.finditer(groups):
        at = found.end() - len(_ORIGINAL)
        end = at + found[1][0]
        out[at:end] = (_DERIVED + groups[at + len(_ORIGINAL) : end]).ljust(end - at)
    return bytes(out)


def _code(value: str, meaning: str) -> bytes:
    return b"".join(
        (
            element_bytes(0x00080100, "SH", value.encode()),
            element_bytes(0x00080102, "SH", b"DCM"),
            element_bytes(0x00080104, "LO", meaning.encode()),
        )
    )
