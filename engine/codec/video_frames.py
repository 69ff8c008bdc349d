"""The n-th frame of a video without decoding all before it: by its time, or by counting packets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from itertools import chain, islice
from typing import Any, TypeAlias

from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame, TooLarge

# Opens the container from its start, with its video stream (PyAV's, which have no types here).
Open: TypeAlias = Callable[[], AbstractContextManager[tuple[Any, Any]]]

# Containers that have a time for every frame. In program streams only some have one, and a seek takes others for them.
_TIMED = frozenset(("mpegts", "mov"))
# Seconds before the frame to look for a key frame from. Transport streams have no table of them, and a key frame may be
# shown behind frames that come after it.
_LOOK_BACK_S = (0, 2, 12)
_REORDERED_MAX = (
    33  # frames that are decoded behind a key frame and shown before it are among these: 16 reference frames
)
_COUNTED_MAX = 48  # decoding so few takes no longer than going over all packets


def find_frame(d: FrameDescriptor, opened: Open, frame_index: int, deadline: float) -> Any:
    """Decode the frame that stands at this place in the order of display.

    Parameters
    ----------
    deadline : of `time.monotonic`.

    Raises
    ------
    BadFrame : the stream ends before, or the frame is damaged.
    TooLarge : the deadline has passed.
    """
    frame = _by_time(opened, frame_index, deadline) if frame_index else None
    if frame is None and frame_index > _COUNTED_MAX:
        frame = _by_packets(d, opened, frame_index, deadline)
    if frame is None:
        frame = _by_counting(d, opened, frame_index, deadline)
    if frame.is_corrupt:
        raise BadFrame(d.transfer_syntax_uid, f"frame {frame_index + 1} is damaged")
    return frame


def _by_time(opened: Open, frame_index: int, deadline: float) -> Any:
    """The frame that is shown at the time of this one; None where that is not sure.

    All frames are shown equally long (PS3.5 8.2.5 to 8.2.9), so it must stand at its time to the tick.
    """
    with opened() as (container, stream):
        rate: Fraction | None = stream.base_rate or stream.average_rate
        if not rate or not stream.time_base or container.format.name.split(",")[0] not in _TIMED:
            return None
        length = 1 / rate / stream.time_base
        target, allowed = (stream.start_time or 0) + round(frame_index * length), min(2, length / 4)
        for seconds in _LOOK_BACK_S:
            container.seek(target - int(seconds / stream.time_base), stream=stream, backward=True)
            found, is_late = _at_time(container, stream, target, allowed, deadline)
            if not is_late:
                return found
    return None


def _at_time(container: Any, stream: Any, target: int, allowed: Fraction | int, deadline: float) -> tuple[Any, bool]:
    """The frame at this time, and whether there is none because the first key frame from here is behind it."""
    first: int | None = None
    for packet in container.demux(stream):
        _in_time(deadline)
        if first is None:
            if not packet.is_keyframe or packet.pts is None:
                continue  # what depends on frames that were not read
            first = packet.pts
            if first > target + allowed:
                return None, True
        for frame in packet.decode():
            if frame.pts is None or frame.pts > target + allowed:
                return None, False
            if frame.pts >= first and frame.pts >= target - allowed:
                return (None if frame.is_corrupt else frame), False
    return None, first is None


def _by_packets(d: FrameDescriptor, opened: Open, frame_index: int, deadline: float) -> Any:
    """The frame from a key frame whose place is known by the packets before it; None where that is not sure.

    A packet is a frame where there are as many as the header claims frames. What comes before a key frame is shown before
    it. What comes behind and is shown before it cannot be decoded from there: so many frames are fewer than packets.
    """
    keys, count = [], 0
    with opened() as (container, stream):
        for packet in _packets(container, stream, 0, deadline):
            if packet.is_keyframe and count <= frame_index:
                keys.append(count)
            count += 1
    if count != d.number_of_frames:
        return None
    for key in keys[:-3:-1]:  # the key frame before, or the one before that
        with opened() as (container, stream):
            some = list(islice(_packets(container, stream, key, deadline), _REORDERED_MAX))
            shown = sum(len(stream.codec_context.decode(packet)) for packet in (*some, None))
        place = key + len(some) - shown
        if place > frame_index:
            continue
        with opened() as (container, stream):
            for packet in chain(_packets(container, stream, key, deadline), (None,)):
                for frame in stream.codec_context.decode(packet):
                    if place == frame_index:
                        return None if frame.is_corrupt else frame
                    place += 1
    return None


def _packets(container: Any, stream: Any, first: int, deadline: float) -> Iterator[Any]:
    """The packets of the stream from number `first` on; those before are passed over undecoded."""
    number = 0
    for packet in container.demux(stream):
        _in_time(deadline)
        if packet.size:
            if number >= first:
                yield packet
            number += 1


def _by_counting(d: FrameDescriptor, opened: Open, frame_index: int, deadline: float) -> Any:
    count = 0
    with opened() as (container, stream):
        for packet in container.demux(stream):
            _in_time(deadline)
            for frame in packet.decode():
                if count == frame_index:
                    return frame
                count += 1
    raise BadFrame(d.transfer_syntax_uid, f"the bit stream has {count} frames, not {frame_index + 1}")


def _in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TooLarge("the time to reach one frame of the video", 1, 0, "limits.video_still_s_max")
