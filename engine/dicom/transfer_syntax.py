"""The transfer syntaxes of PS3.5 annex A and how each is named on the web (PS3.18 8.7.3)."""

from __future__ import annotations

from dataclasses import dataclass

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One row of the table.

    Attributes
    ----------
    media_type : str
        Of one frame's bytes as stored; ``application/octet-stream`` for native pixels.
    """

    uid: str
    name: str
    is_encapsulated: bool = True
    is_lossless: bool = True
    media_type: str = "application/octet-stream"
    is_explicit: bool = True
    is_little_endian: bool = True
    is_deflated: bool = False


def _row(suffix: str, name: str, media_type: str, is_lossless: bool = True) -> TransferSyntax:
    return TransferSyntax("1.2.840.10008.1.2" + suffix, name, True, is_lossless, media_type)


TABLE: dict[str, TransferSyntax] = {
    ts.uid: ts
    for ts in (
        TransferSyntax(IMPLICIT_VR_LITTLE_ENDIAN, "Implicit VR Little Endian", False, is_explicit=False),
        TransferSyntax(EXPLICIT_VR_LITTLE_ENDIAN, "Explicit VR Little Endian", False),
        _row(".1.98", "Encapsulated Uncompressed Explicit VR Little Endian", "application/octet-stream"),
        TransferSyntax(
            DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "Deflated Explicit VR Little Endian", False, is_deflated=True
        ),
        TransferSyntax(EXPLICIT_VR_BIG_ENDIAN, "Explicit VR Big Endian", False, is_little_endian=False),
        _row(".4.50", "JPEG Baseline (Process 1)", "image/jpeg", False),
        _row(".4.51", "JPEG Extended (Process 2 and 4)", "image/jpeg", False),
        _row(".4.53", "JPEG Spectral Selection (Process 6 and 8, retired)", "image/jpeg", False),
        _row(".4.55", "JPEG Full Progression (Process 10 and 12, retired)", "image/jpeg", False),
        _row(".4.57", "JPEG Lossless (Process 14)", "image/jpeg"),
        _row(".4.70", "JPEG Lossless, First-Order Prediction (Process 14 SV1)", "image/jpeg"),
        _row(".4.80", "JPEG-LS Lossless", "image/jls"),
        _row(".4.81", "JPEG-LS Near-Lossless", "image/jls", False),
        _row(".4.90", "JPEG 2000 Lossless Only", "image/jp2"),
        _row(".4.91", "JPEG 2000", "image/jp2", False),
        _row(".4.92", "JPEG 2000 Part 2 Multi-component Lossless Only", "image/jpx"),
        _row(".4.93", "JPEG 2000 Part 2 Multi-component", "image/jpx", False),
        _row(".4.100", "MPEG2 Main Profile / Main Level", "video/mpeg2", False),
        _row(".4.101", "MPEG2 Main Profile / High Level", "video/mpeg2", False),
        _row(".4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1", "video/mp4", False),
        _row(".4.103", "MPEG-4 AVC/H.264 BD-compatible", "video/mp4", False),
        _row(".4.104", "MPEG-4 AVC/H.264 High Profile for 2D Video", "video/mp4", False),
        _row(".4.105", "MPEG-4 AVC/H.264 High Profile for 3D Video", "video/mp4", False),
        _row(".4.106", "MPEG-4 AVC/H.264 Stereo High Profile", "video/mp4", False),
        _row(".4.107", "HEVC/H.265 Main Profile", "video/mp4", False),
        _row(".4.108", "HEVC/H.265 Main 10 Profile", "video/mp4", False),
        _row(".4.110", "JPEG XL Lossless", "image/jxl"),
        _row(".4.111", "JPEG XL JPEG Recompression", "image/jxl", False),
        _row(".4.112", "JPEG XL", "image/jxl", False),
        _row(".4.201", "High-Throughput JPEG 2000 Lossless Only", "image/jphc"),
        _row(".4.202", "High-Throughput JPEG 2000 with RPCL Options Lossless Only", "image/jphc"),
        _row(".4.203", "High-Throughput JPEG 2000", "image/jphc", False),
        _row(".5", "RLE Lossless", "image/dicom-rle"),
    )
}


def lookup(uid: str) -> TransferSyntax:
    """The table's row; for a UID that is not in it (private ones) an encapsulated, lossy one of unknown media type."""
    return TABLE.get(uid) or TransferSyntax(uid, "unknown", True, False)
