"""What a received code stream says of its pixels, for headers that leave it to the code stream (PS3.18 10.5.2)."""

from __future__ import annotations

from typing import BinaryIO

from engine.codec import jpeg2000_header, jpegxl_header
from engine.codec.codestream import read_jpeg
from engine.codec.video_header import read_video
from engine.dicom.coded_pixels import PixelClaims
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame, UnsupportedPixels

_HEAD_BYTES = 1024 * 1024  # an ICC profile, or a preview in an EXIF segment, may stand before what tells
_LOSSLESS_SOF, _JPEG_LS_SOF = 0xC3, 0xF7
_BITS_MAX = 32
_JPEG_RECOMPRESSION = "1.2.840.10008.1.2.4.111"  # the coefficients of a JPEG, in its colour space


def claims_of(transfer_syntax_uid: str, source: BinaryIO) -> PixelClaims:
    """Read the head of a frame, or of a video.

    Parameters
    ----------
    source : of its bytes, at the start; seekable.

    Raises
    ------
    BadFrame : it is none.
    UnsupportedPixels : it does not say, or says what an image of DICOM cannot have.
    """
    syntax = lookup(transfer_syntax_uid)
    if syntax.is_video:
        claims = read_video(transfer_syntax_uid, source)
    else:
        head = memoryview(source.read(_HEAD_BYTES))
        match syntax.media_type:
            case "image/jpeg" | "image/jls":
                claims = _jpeg(transfer_syntax_uid, head)
            case "image/jp2" | "image/jpx" | "image/jphc":
                claims = _jpeg2000(transfer_syntax_uid, head)
            case "image/jxl":
                claims = _jpeg_xl(transfer_syntax_uid, head)
            case other:
                raise UnsupportedPixels(f"{other} does not say what its pixels are; the metadata must", "described")
    if not 0 < claims.rows <= 0xFFFF or not 0 < claims.columns <= 0xFFFF:
        raise BadFrame(transfer_syntax_uid, f"{claims.rows}×{claims.columns} pixels, which no header can have")
    if claims.samples_per_pixel not in (1, 3) or not 0 < claims.bits_stored <= _BITS_MAX:
        raise UnsupportedPixels(f"{claims.samples_per_pixel} samples of {claims.bits_stored} bits", "described")
    return claims


def _jpeg(uid: str, head: memoryview) -> PixelClaims:
    """YCbCr of a lossy stream is YBR_FULL_422, whatever its subsampling (PS3.3 C.7.6.3.1.2, PS3.5 8.2.1); by what
    `jpeg.colour_of` goes by, where no data set says more. Lossless and JPEG-LS streams are coded as they are."""
    stream = read_jpeg(uid, head)
    photometric = "MONOCHROME2"
    if stream.samples == 3:
        is_lossy = stream.sof not in (_LOSSLESS_SOF, _JPEG_LS_SOF)
        is_ybr = stream.adobe_transform == 1 if stream.adobe_transform >= 0 else stream.component_ids != b"RGB"
        photometric = "YBR_FULL_422" if is_lossy and (is_ybr or stream.is_subsampled) else "RGB"
    return PixelClaims(stream.rows, stream.columns, stream.samples, stream.bits, photometric)


def _jpeg2000(uid: str, head: memoryview) -> PixelClaims:
    header = jpeg2000_header.read_claims(uid, head)
    photometric = "MONOCHROME2"
    if header.samples == 3:
        photometric = "RGB"
        if header.has_colour_transform:
            photometric = "YBR_RCT" if header.is_reversible else "YBR_ICT"
    return PixelClaims(header.rows, header.columns, header.samples, header.bits, photometric, int(header.is_signed))


def _jpeg_xl(uid: str, head: memoryview) -> PixelClaims:
    header = jpegxl_header.read_claims(uid, head)
    photometric = "XYB" if header.is_xyb else "YBR_FULL_422" if uid == _JPEG_RECOMPRESSION else "RGB"
    if header.samples == 1:
        photometric = "MONOCHROME2"
    return PixelClaims(header.rows, header.columns, header.samples, header.bits, photometric)
