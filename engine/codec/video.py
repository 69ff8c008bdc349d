"""A still out of a video: MPEG-2, H.264 or HEVC in one bit stream (PS3.5 8.2.5 to 8.2.9), by FFmpeg through PyAV.

PyAV is the optional extra ``video``: its wheels carry an FFmpeg with GPL parts, which not everyone wants to install.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from engine.codec.base import Array, DecodedFrame, check_size, stored_dtype
from engine.codec.video_frames import find_frame
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame, UnsupportedPixels
from engine.limits import Limits

# Nothing else is looked for: a stream that came over the network must not be taken for a playlist that names files.
_OPTIONS = {
    "format_whitelist": "mpegvideo,mpeg,mpegts,h264,hevc,mov,mp4,m4a,3gp,3g2,mj2",
    "codec_whitelist": "mpeg1video,mpeg2video,h264,hevc",
    "protocol_whitelist": "",
}
READ_BYTES = 256 * 1024
_BLOCK = 64  # the coded size is whole macro or coding tree blocks, the image a part of it
_RGB = {8: "rgb24", 10: "gbrp10le", 12: "gbrp12le", 16: "gbrp16le"}
_GREY = {8: "gray", 10: "gray10le", 12: "gray12le", 16: "gray16le"}


def decode_still(descriptor: FrameDescriptor, source: BinaryIO, frame_index: int, limits: Limits) -> DecodedFrame:
    """One frame of a video, in the order of display, as RGB (or grey values) over the full range of Bits Stored.

    Colours are those of FFmpeg's own stills: matrix and range as the bit stream says; without a word in it BT.601 and
    the limited range, which is what YBR_PARTIAL_420 means (PS3.3 C.7.6.3.1.2). Of multi-view streams the base view.

    Decoding begins at the key frame before (`video_frames`). Any thread; the GIL is released while FFmpeg works, and
    one thread is what it uses.

    Parameters
    ----------
    source : the whole bit stream, seekable; owned by the caller.

    Raises
    ------
    BadFrame, TooLarge
    UnsupportedPixels : PyAV is not installed.
    """
    check_size(descriptor, limits.frame_bytes_max)
    deadline = time.monotonic() + limits.video_still_s_max
    with refusals(descriptor):
        return _pixels(descriptor, find_frame(descriptor, lambda: opened(descriptor, source), frame_index, deadline))


def decode_all(descriptor: FrameDescriptor, source: BinaryIO) -> int:
    """Decode a video from its first frame to its last, looking at each and keeping none; returns how many there are.

    Takes as long as it takes. Otherwise as `decode_still`.
    """
    count = 0
    with refusals(descriptor), opened(descriptor, source) as (container, stream):
        for packet in container.demux(stream):
            for frame in packet.decode():
                count += 1
                if frame.is_corrupt:
                    raise BadFrame(descriptor.transfer_syntax_uid, f"frame {count} is damaged")
                _check_size(descriptor, frame.width, frame.height)
    return count


@contextmanager
def opened(d: FrameDescriptor, source: BinaryIO) -> Iterator[tuple[Any, Any]]:
    """The container and its video stream, which has the size that the header claims and can get no larger."""
    import av

    source.seek(0)
    options = _OPTIONS | {"max_pixels": str((d.rows + _BLOCK) * (d.columns + _BLOCK))}
    with av.open(source, options=options, buffer_size=READ_BYTES, metadata_errors="ignore") as container:
        if not container.streams.video:
            raise BadFrame(d.transfer_syntax_uid, "no video in the bit stream")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:  # the container names a codec that nobody knows
            raise BadFrame(d.transfer_syntax_uid, "the bit stream has no codec that FFmpeg knows")
        _check_size(d, context.width, context.height)
        context.options = {"max_pixels": options["max_pixels"]}
        context.thread_count = 1
        yield container, stream


def _pixels(d: FrameDescriptor, frame: Any) -> DecodedFrame:
    from av.filter import Graph

    _check_size(d, frame.width, frame.height)
    depth = next((bits for bits in _RGB if d.bits_stored <= bits), 16)
    if depth > 8 * stored_dtype(d).itemsize or d.samples_per_pixel not in (1, 3):
        raise UnsupportedPixels(f"a video of {d.samples_per_pixel} samples of {d.bits_stored} bits")
    wanted = (_GREY if d.samples_per_pixel == 1 else _RGB)[depth]
    # The scale filter knows where the chrominance samples sit; `VideoFrame.reformat` does not (45 levels of 255 at edges).
    graph = Graph()
    first = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    graph.link_nodes(first, graph.add("scale"), graph.add("format", f"pix_fmts={wanted}"), graph.add("buffersink"))
    graph.configure()
    graph.push(frame)
    made = graph.pull()
    if wanted.startswith("gbrp"):
        green, blue, red = (_plane(plane, d) for plane in made.planes)
        values: Array = np.stack((red, green, blue), axis=-1)
    elif wanted == "rgb24":
        values = _lines(made.planes[0], d.rows, np.dtype(np.uint8))[:, : 3 * d.columns].reshape(d.rows, d.columns, 3)
    else:
        values = _plane(made.planes[0], d)
    if depth > d.bits_stored:
        values = values >> (depth - d.bits_stored)
    return DecodedFrame(
        np.ascontiguousarray(values.astype(stored_dtype(d), copy=False)),
        "RGB" if d.samples_per_pixel == 3 else d.photometric_interpretation,
    )


def _plane(plane: Any, d: FrameDescriptor) -> Array:
    kind = np.dtype("<u2" if d.bits_stored > 8 else "u1")
    return _lines(plane, d.rows, kind)[:, : d.columns]


def _lines(plane: Any, rows: int, kind: np.dtype[Any]) -> Array:
    return np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)[:rows]


def _check_size(d: FrameDescriptor, width: int, height: int) -> None:
    if (height, width) != (d.rows, d.columns):
        raise BadFrame(d.transfer_syntax_uid, f"the video has {height}×{width} pixels, the header {d.rows}×{d.columns}")


@contextmanager
def refusals(d: FrameDescriptor) -> Iterator[None]:
    """What PyAV raises, as ours."""
    try:
        import av
    except ImportError:
        raise UnsupportedPixels('a still of a video needs PyAV: pip install "voxcast[video]"') from None
    try:
        yield
    except (av.error.FFmpegError, ValueError, MemoryError, OverflowError) as error:
        raise BadFrame(d.transfer_syntax_uid, f"FFmpeg cannot read the video ({error})") from error
