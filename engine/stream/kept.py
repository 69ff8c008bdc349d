"""What was made last, for as long as there is room for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by key, bounded by their size and number; the least recently used leave first. Any thread."""

    def __init__(self, bytes_max: int, entries_max: int) -> None:
        self._bytes_max, self._entries_max = bytes_max, entries_max
        self._values: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: T, size: int) -> None:
        """Keep a value; one of more than a quarter of all the room is not kept, so that it does not push out all others."""
        if size > self._bytes_max // 4:
            return
        with self._lock:
            old = self._values.pop(key, None)
            self._bytes += size - (old[1] if old is not None else 0)
            self._values[key] = value, size
            while self._bytes > self._bytes_max or len(self._values) > self._entries_max:
                _, (_, gone) = self._values.popitem(last=False)
                self._bytes -= gone
