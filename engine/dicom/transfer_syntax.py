"""The transfer syntaxes of PS3.5 annex A and how each is named on the web (PS3.18 8.7.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"

_JPIP = "its pixels stay on the JPIP server that Pixel Data Provider URL names, and no other server is asked for them"
_ST_2110 = "a live stream (SMPTE ST 2110): the pixels go over the network beside it and are never part of an instance"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One row of the table.

    Attributes
    ----------
    media_type : str
        Of one frame's bytes as stored; ``application/octet-stream`` for native pixels.
    is_video : bool
        Pixel Data is one bit stream of all frames, in one fragment or several (PS3.5 A.4.5 to A.4.9).
    why_not_decoded : str
        By design not decoded, and why; such instances are stored and handed out as they came.
    """

    uid: str
    name: str
    is_encapsulated: bool = True
    is_lossless: bool = True
    media_type: str = "application/octet-stream"
    is_explicit: bool = True
    is_little_endian: bool = True
    is_deflated: bool = False
    is_video: bool = False
    why_not_decoded: str = ""


def _row(suffix: str, name: str, media_type: str, is_lossless: bool = True) -> TransferSyntax:
    return TransferSyntax("1.2.840.10008.1.2" + suffix, name, True, is_lossless, media_type)


def _videos(suffix: str, name: str, media_type: str) -> tuple[TransferSyntax, TransferSyntax]:
    """The syntax of one fragment, and that of several (PS3.5 A.4, "Fragmentable")."""
    uid = "1.2.840.10008.1.2" + suffix
    one = TransferSyntax(uid, name, True, False, media_type, is_video=True)
    return one, replace(one, uid=uid + ".1", name="Fragmentable " + name)


def _not_decoded(
    suffix: str, name: str, why: str, is_lossless: bool = False, is_deflated: bool = False
) -> TransferSyntax:
    return TransferSyntax(
        "1.2.840.10008.1.2" + suffix, name, False, is_lossless, is_deflated=is_deflated, why_not_decoded=why
    )


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
        *_videos(".4.100", "MPEG2 Main Profile / Main Level", "video/mpeg2"),
        *_videos(".4.101", "MPEG2 Main Profile / High Level", "video/mpeg2"),
        *_videos(".4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1", "video/mp4"),
        *_videos(".4.103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "video/mp4"),
        *_videos(".4.104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "video/mp4"),
        *_videos(".4.105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "video/mp4"),
        *_videos(".4.106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "video/mp4"),
        # HEVC may be fragmented without a syntax of its own.
        _videos(".4.107", "HEVC/H.265 Main Profile / Level 5.1", "video/mp4")[0],
        _videos(".4.108", "HEVC/H.265 Main 10 Profile / Level 5.1", "video/mp4")[0],
        _row(".4.110", "JPEG XL Lossless", "image/jxl"),
        _row(".4.111", "JPEG XL JPEG Recompression", "image/jxl", False),
        _row(".4.112", "JPEG XL", "image/jxl", False),
        _row(".4.201", "High-Throughput JPEG 2000 Lossless Only", "image/jphc"),
        _row(".4.202", "High-Throughput JPEG 2000 with RPCL Options Lossless Only", "image/jphc"),
        _row(".4.203", "High-Throughput JPEG 2000", "image/jphc", False),
        _not_decoded(".4.94", "JPIP Referenced", _JPIP),
        _not_decoded(".4.95", "JPIP Referenced Deflate", _JPIP, is_deflated=True),
        _not_decoded(".4.204", "JPIP HTJ2K Referenced", _JPIP),
        _not_decoded(".4.205", "JPIP HTJ2K Referenced Deflate", _JPIP, is_deflated=True),
        _not_decoded(".7.1", "SMPTE ST 2110-20 Uncompressed Progressive Active Video", _ST_2110, True),
        _not_decoded(".7.2", "SMPTE ST 2110-20 Uncompressed Interlaced Active Video", _ST_2110, True),
        _not_decoded(".7.3", "SMPTE ST 2110-30 PCM Digital Audio", _ST_2110, True),
        _row(".8.1", "Deflated Image Frame Compression", "application/octet-stream"),
        _row(".5", "RLE Lossless", "image/dicom-rle"),
    )
}


def lookup(uid: str) -> TransferSyntax:
    """The table's row; for a UID that is not in it (private ones) an encapsulated, lossy one of unknown media type."""
    return TABLE.get(uid) or TransferSyntax(uid, "unknown", True, False)
