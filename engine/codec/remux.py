"""A video's packets in an MP4 file, none of them coded anew: what players over HTTP need (ISO/IEC 14496-14). By PyAV's FFmpeg."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

from engine.codec.video import opened, refusals
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame, TooLarge
from engine.limits import Limits

# Nothing of the clock and the machine: the same bytes every time. The index in front, so that players begin at once.
_CONTAINER = {"fflags": "+bitexact", "movflags": "+faststart"}
_BARE = frozenset(("h264", "hevc", "mpegvideo"))
_TICKS = 90_000  # a second, as in transport streams


def remux(descriptor: FrameDescriptor, source: BinaryIO, target: int, frame_ms: float, limits: Limits) -> int:
    """Write the first video of a bit stream as MP4; returns its length. One packet in memory.

    A bare stream has no times: its pictures are decoded once, and thrown away, to learn in which order they are shown.

    Parameters
    ----------
    source : seekable; owned by the caller.
    target : descriptor of an empty file, which FFmpeg opens again: the index is put in front when all else is there.
    frame_ms : how long each picture of a bare stream is shown.

    Raises
    ------
    BadFrame, TooLarge
    UnsupportedPixels : PyAV is not installed.
    """
    deadline = time.monotonic() + limits.video_remux_s_max
    with refusals(descriptor):
        order = None
        with opened(descriptor, source) as (container, stream):
            if container.format.name in _BARE:
                order = _order_of(descriptor.transfer_syntax_uid, container, stream, deadline)
        with opened(descriptor, source) as (container, stream):
            copy = (
                _packets(container, stream, deadline)
                if order is None
                else _timed(_packets(container, stream, deadline), order, round(frame_ms * _TICKS / 1000))
            )
            _write(descriptor.transfer_syntax_uid, stream, copy, target, limits)
    return os.fstat(target).st_size


def _write(uid: str, stream: Any, packets: Iterator[Any], target: int, limits: Limits) -> None:
    import av

    is_begun, length = False, 0
    with av.open(f"/proc/self/fd/{target}", "w", format="mp4", options=_CONTAINER) as made:
        copy = made.add_stream_from_template(stream)
        for packet in packets:
            if packet.pts is None or packet.dts is None:
                if is_begun:
                    raise BadFrame(uid, "a packet of the video has no time")
                continue  # what stands before the first time has no place
            is_begun = True
            packet.stream = copy
            made.mux(packet)
            length += packet.size
            if length > limits.video_files_bytes_max:
                raise TooLarge("the video", length, limits.video_files_bytes_max, "limits.video_files_bytes_max")


def _timed(packets: Iterator[Any], order: list[int], step: int) -> Iterator[Any]:
    """With times: decoded one after the other, and each shown in its turn, as late as it takes for none to be shown before."""
    late = max(number - place for number, place in enumerate(order))
    for number, packet in enumerate(packets):
        packet.time_base = Fraction(1, _TICKS)
        packet.pts, packet.dts, packet.duration = (order[number] + late) * step, number * step, step
        yield packet


def _order_of(uid: str, container: Any, stream: Any, deadline: float) -> list[int]:
    """For each packet, how many pictures are shown before its own."""
    shown: list[int] = []
    count = 0
    for packet in _packets(container, stream, deadline):
        packet.pts = packet.dts = count
        shown += (frame.pts for frame in packet.decode())
        count += 1
    shown += (frame.pts for frame in stream.codec_context.decode(None))
    if not count or sorted(shown) != list(range(count)):
        raise BadFrame(uid, f"{count} packets of the stream hold {len(shown)} pictures")
    order = [0] * count
    for place, number in enumerate(shown):
        order[number] = place
    return order


def _packets(container: Any, stream: Any, deadline: float) -> Iterator[Any]:
    for packet in container.demux(stream):
        if time.monotonic() > deadline:
            raise TooLarge("the time to make an MP4 file of the video", 1, 0, "limits.video_remux_s_max")
        if packet.size:
            yield packet
