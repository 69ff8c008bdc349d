"""A series read in one sweep into the page cache, in the largest pages that it has.

Headers and frames that are read one after the other leave pages of 4 KiB scattered in memory. ``sendfile`` and TCP handle
each of them by itself: a stored frame of 165 KB then costs 36 to 40 µs of processor where one in large pages costs 30
(`docs/decisions/0004`). What is in small pages has to leave memory first: a large page holds none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import FileIO

from engine.archive.linux import is_cached, read_large
from engine.limits import MIB

SWEEP_BYTES_MAX = 256 * MIB  # more than that would push out what readers look at
_CACHED_PART = 0.9  # of a series; it has come in just now, and lies there in pieces as large as it was written in
_GAP_BYTES_MAX = 64 * 1024  # between two that are read as one


def sweep(places: Iterable[tuple[FileIO, int, int]]) -> int:
    """Read files from offsets on, so many bytes of each place; ends at once where the page cache has nearly all of them.

    Waits for the disk; promises nothing, whoever reads the bytes is told of errors. Returns how many ranges were read.
    """
    places = list(places)  # the files stay open as long as their objects are there
    found = sorted((file.fileno(), offset, length) for file, offset, length in places)
    if sum(is_cached(fd, offset + length - 1) for fd, offset, length in found) >= _CACHED_PART * len(found):
        return 0
    ranges: list[tuple[int, int, int]] = []
    for fd, start, length in found:
        end = start + length
        if ranges and ranges[-1][0] == fd and start - ranges[-1][2] <= _GAP_BYTES_MAX:
            ranges[-1] = (fd, ranges[-1][1], max(end, ranges[-1][2]))
        else:
            ranges.append((fd, start, end))
    for fd, start, end in ranges:
        read_large(fd, start, end - start)
    return len(ranges)
