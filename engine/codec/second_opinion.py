"""The same frame by a decoder that shares no code with the first one: the registry of those, and why there is none."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.codec import ffmpeg, plain
from engine.codec.base import Array, DecodedFrame, check_size, frame_shape, refusals, stored_dtype
from engine.codec.codestream import probe_jpeg, scan_header
from engine.codec.jpeg import by_jpegsof3, colour_of
from engine.codec.jpeg2000 import photometric_of
from engine.codec.jpeg2000_header import read_header, whole
from engine.codec.openjpeg import OpenJpegDecoder
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame, UnsupportedTransferSyntax
from engine.limits import Limits
from engine.types import Buffer

WHY_NONE = {
    "jpeg-xl": "libjxl is the only whole decoder that Python packages carry",
    "video": "a video has one decoder here, FFmpeg",
    "no-pyav": 'needs FFmpeg\'s decoders: pip install "voxcast[video]"',
    "sample-interleaved": "FFmpeg decodes no JPEG-LS whose samples are interleaved, and every other decoder is CharLS",
    "64-bits": "integers of 64 bits have one decoder",
    "syntax": "no decoder knows this transfer syntax",
}
_LOSSLESS_SOF = 0xC3
# Inverse transforms round where they like (T.81 A.3.3, T.800 F.3): one level of what is coded. One level of Y and one of Cb is
# up to 1 + 1.772 of blue, and a rounding.
_LOSSY_GREY, _LOSSY_COLOUR = 1, 3
_ROOT = "1.2.840.10008.1.2"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a second decoder makes of a frame.

    Attributes
    ----------
    decoder : its name.
    frame : None when there is none; `why_none` is then a key of `WHY_NONE`.
    allowed : largest difference that is no fault of either.
    """

    decoder: str = ""
    frame: DecodedFrame | None = None
    allowed: int = 0
    why_none: str = ""


def second_opinion(descriptor: FrameDescriptor, data: Buffer, limits: Limits, first_bit: int = 0) -> Opinion:
    """Decode one frame by another decoder than `registry.decode_frame`. Any thread; slow.

    Raises
    ------
    UnsupportedTransferSyntax : by design not decoded, by anyone.
    BadFrame, TooLarge, UnsupportedPixels : the second decoder refuses.
    """
    uid = descriptor.transfer_syntax_uid
    syntax = lookup(uid)
    if syntax.why_not_decoded:
        raise UnsupportedTransferSyntax(uid, reason=syntax.why_not_decoded)
    if syntax.is_video:
        return Opinion(why_none="video")
    ask = _ASKED.get(uid)
    if ask is None:
        return Opinion(why_none="syntax")
    check_size(descriptor, limits.frame_bytes_max)
    return ask(descriptor, data, first_bit)


def _native(d: FrameDescriptor, data: Buffer, first_bit: int) -> Opinion:
    if d.bits_allocated > 32 and d.pixel_keyword.value == "PixelData":
        return Opinion(why_none="64-bits")
    if len(data) * 8 < first_bit + d.rows * d.columns * d.bits_allocated:
        raise BadFrame(d.transfer_syntax_uid, "shorter than the frame")
    with refusals(d):
        return Opinion(
            "plain", plain.native_frame(d, data, first_bit), 1 if "PARTIAL" in d.photometric_interpretation else 0
        )


def _deflated(d: FrameDescriptor, data: Buffer, first_bit: int) -> Opinion:
    try:
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, d.frame_bytes + 1)
    except zlib.error as error:
        raise BadFrame(d.transfer_syntax_uid, str(error)) from error
    opinion = _native(d, content, 0)
    return Opinion(f"zlib, {opinion.decoder}", opinion.frame, opinion.allowed, opinion.why_none)


def _rle(d: FrameDescriptor, data: Buffer, first_bit: int) -> Opinion:
    if d.bits_allocated > 32:
        return Opinion(why_none="64-bits")
    if d.bits_allocated % 8:
        raise BadFrame(d.transfer_syntax_uid, f"{d.bits_allocated} bits allocated cannot be byte planes")
    decoder, planes = "imagecodecs", _planes_by_imagecodecs(d, data)
    if planes is None:  # it takes no segment whose last run is too long
        decoder, planes = "byte by byte", plain.rle_planes(d, data)
    codes = np.moveaxis(planes, 0, -1).reshape(frame_shape(d))
    values = plain.coded_values(d, codes, d.bits_allocated, is_exact=True)
    return Opinion(decoder, DecodedFrame(values, d.photometric_interpretation))


def _planes_by_imagecodecs(d: FrameDescriptor, data: Buffer) -> Array | None:
    import imagecodecs

    planes = np.empty((d.samples_per_pixel, d.rows, d.columns), f"<u{stored_dtype(d).itemsize}")
    if planes.itemsize != d.bits_allocated // 8:
        return None
    try:
        count = len(imagecodecs.dicomrle_decode(bytes(data), planes.dtype, out=planes.reshape(-1).view(np.uint8)))
    except (ValueError, RuntimeError):
        return None
    return planes if count == planes.nbytes else None


def _jpeg(d: FrameDescriptor, data: Buffer, first_bit: int) -> Opinion:
    stream = probe_jpeg(d, memoryview(data))
    colour, photometric = colour_of(d, stream)
    is_exact = stream.sof == _LOSSLESS_SOF
    name, codes = "jpegsof3", None
    if is_exact:
        with refusals(d):
            codes = by_jpegsof3(data)
    else:
        if not ffmpeg.is_installed():
            return Opinion(why_none="no-pyav")
        name = "FFmpeg"
        codes = ffmpeg.decode_image(d, data, "mjpeg", stream.bits, is_rgb=colour == "RGB")
    bits = max(stream.bits, d.bits_stored) if is_exact else stream.bits
    allowed = 0 if is_exact else _LOSSY_GREY if stream.samples == 1 else _LOSSY_COLOUR
    return _opinion(d, name, codes, bits, photometric, allowed)


def _jpeg_ls(d: FrameDescriptor, data: Buffer, first_bit: int) -> Opinion:
    stream = probe_jpeg(d, memoryview(data))
    if not ffmpeg.is_installed():
        return Opinion(why_none="no-pyav")
    if stream.samples > 1 and scan_header(data)[-2:-1] == b"\x02":
        return Opinion(why_none="sample-interleaved")
    codes = ffmpeg.decode_image(d, data, "jpegls", stream.bits)
    is_exact = lookup(d.transfer_syntax_uid).is_lossless
    values = plain.coded_values(d, codes, stream.bits, is_exact=is_exact)
    return Opinion("FFmpeg", DecodedFrame(values, d.photometric_interpretation))


def _jpeg_2000(d: FrameDescriptor, data: Buffer, first_bit: int) -> Opinion:
    header = read_header(d, memoryview(data))
    exact = header.is_reversible
    allowed = 0 if exact else _LOSSY_GREY if header.samples == 1 else _LOSSY_COLOUR
    if not ffmpeg.is_installed():
        if not (header.is_high_throughput and exact):
            return Opinion(why_none="no-pyav")  # pylibjpeg has the library that decoded it first
        return Opinion("OpenJPEG", OpenJpegDecoder().decode(d, data, None, 0, 0), allowed)
    codes = ffmpeg.decode_image(d, whole(d, header, data), "jpeg2000", header.bits)
    if header.is_signed:  # FFmpeg gives them moved up by half their range
        codes = codes ^ codes.dtype.type(1 << (header.bits - 1))
    bits = min(d.bits_allocated, header.bits)
    values = plain.coded_values(d, codes, bits, is_exact=exact, follows=True)
    return Opinion("FFmpeg", DecodedFrame(values, photometric_of(d, header)), allowed)


def _opinion(d: FrameDescriptor, name: str, codes: Array, bits: int, photometric: str, allowed: int) -> Opinion:
    values = plain.coded_values(d, codes, bits, is_exact=allowed == 0)
    return Opinion(name, DecodedFrame(values, photometric), allowed)


def _jpeg_xl(d: FrameDescriptor, data: Buffer, first_bit: int) -> Opinion:
    return Opinion(why_none="jpeg-xl")


_ASKED: dict[str, Callable[[FrameDescriptor, Buffer, int], Opinion]] = {
    _ROOT + suffix: ask
    for ask, suffixes in (
        (_native, ("", ".1", ".1.98", ".1.99", ".2")),
        (_deflated, (".8.1",)),
        (_rle, (".5",)),
        (_jpeg, (".4.50", ".4.51", ".4.53", ".4.55", ".4.57", ".4.70")),
        (_jpeg_ls, (".4.80", ".4.81")),
        (_jpeg_2000, tuple(f".4.{n}" for n in (90, 91, 92, 93, 201, 202, 203))),
        (_jpeg_xl, (".4.110", ".4.111", ".4.112")),
    )
    for suffix in suffixes
}
