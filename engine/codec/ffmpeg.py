"""Single images by FFmpeg's own decoders of JPEG, JPEG-LS and JPEG 2000, through PyAV: an opinion independent of all others.

Only for comparison: nothing here is fast. PyAV is the optional extra ``video``.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from engine.codec.base import Array, refusals
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer

_DEEP = frozenset(("gray16le", "rgb48le"))  # pixel formats of two bytes a sample
# BT.601 over the full range, as JFIF has it.
_YBR_TO_RGB = np.array([[1, 1, 1], [0, -0.114 * 1.772 / 0.587, 1.772], [1.402, -0.299 * 1.402 / 0.587, 0]])


def is_installed() -> bool:
    """Whether PyAV is there."""
    return importlib.util.find_spec("av") is not None


def decode_image(descriptor: FrameDescriptor, data: Buffer, codec: str, bits: int, *, is_rgb: bool = False) -> Array:
    """Non-negative codes of `bits` bits, (rows, columns[, samples]).

    Parameters
    ----------
    data : its header was checked against the descriptor.
    codec : ``mjpeg``, ``jpegls`` or ``jpeg2000``.
    bits : of a sample, as the code stream says; FFmpeg gives them at the top of 8 or 16.
    is_rgb : what FFmpeg takes for YCbCr is RGB without a word about it.

    Raises
    ------
    BadFrame
    """
    import av

    context = av.codec.CodecContext.create(codec, "r")
    context.options = {"max_pixels": str((descriptor.rows + 64) * (descriptor.columns + 64))}
    context.thread_count = 1
    with refusals(descriptor):
        try:
            frames: list[Any] = [*context.decode(av.Packet(bytes(data))), *context.decode(None)]
        except av.error.FFmpegError as error:
            raise BadFrame(descriptor.transfer_syntax_uid, f"FFmpeg: {error}") from error
        if not frames or (frames[0].height, frames[0].width) != (descriptor.rows, descriptor.columns):
            raise BadFrame(descriptor.transfer_syntax_uid, "FFmpeg: no frame of this size")
        codes = _array(frames[0], is_rgb)
        spare = 8 * codes.dtype.itemsize - bits
        return codes >> spare if spare > 0 else codes


def _array(frame: Any, is_rgb: bool) -> Array:
    name = frame.format.name
    kind = np.dtype("<u2" if name in _DEEP else "u1")
    planes = [_plane(plane, kind)[:, : plane.width] for plane in frame.planes]
    if name.startswith("gray"):
        return planes[0][:, : frame.width]
    if name in ("rgb24", "bgr24", "rgb48le"):
        packed = _plane(frame.planes[0], kind)[:, : 3 * frame.width].reshape(frame.height, frame.width, 3)
        return packed[:, :, ::-1] if name == "bgr24" else packed
    if name.startswith("gbrp"):
        green, blue, red = planes
        return np.stack((red, green, blue), axis=-1)
    if name.startswith(("yuvj4", "yuv4")):
        if is_rgb and len({plane.shape for plane in planes}) == 1:
            return np.stack(planes, axis=-1)
        luma, *chroma = planes
        return _rgb(luma, [plane.astype(np.float32) for plane in chroma], frame.height, frame.width)
    raise ValueError(f"FFmpeg's pixel format {name}")


def _plane(plane: Any, kind: np.dtype[Any]) -> Array:
    return np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)[: plane.height]


def _rgb(luma: Array, chroma: list[Array], rows: int, columns: int) -> Array:
    """YCbCr as JFIF has it; chrominance between samples by the triangle filter, which libjpeg calls fancy."""
    for axis, size in ((1, columns), (0, rows)):
        chroma = [_doubled(plane, axis, size) for plane in chroma]
    rgb = np.empty((rows, columns, 3), np.uint8)
    for row in range(rows):  # the whole of it in floating point would be a hundred bytes a pixel
        ybr = np.stack((luma[row], chroma[0][row] - 128.0, chroma[1][row] - 128.0), axis=-1)
        rgb[row] = np.clip(np.rint(ybr @ _YBR_TO_RGB), 0, 255)
    return rgb


def _doubled(plane: Array, axis: int, size: int) -> Array:
    if plane.shape[axis] == size:
        return plane
    plane = np.moveaxis(plane, axis, 0)
    near = np.concatenate((plane[:1], plane, plane[-1:]))
    out = np.empty((2 * len(plane), plane.shape[1]), plane.dtype)
    out[0::2] = (3 * plane + near[:-2]) / 4
    out[1::2] = (3 * plane + near[2:]) / 4
    return np.moveaxis(out[:size], 0, axis)
