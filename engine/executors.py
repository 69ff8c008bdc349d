"""The named thread pools on which blocking work runs, so that the event loop only moves bytes (invariant 6)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


class Executors:
    """One pool per kind of waiting: a slow disk must not hold up a decode, nor a decode a search.

    Attributes
    ----------
    read : disk reads of stored bytes (threads wait for the disk, so more than cores)
    decode : decoding, rendering, encoding (CPU without the GIL, so as many as cores)
    index : index scans and document building
    store : waiting for durable commits, hashing of what comes in
    words : long texts of clients; one at a time, for reading JSON holds the GIL: 100 ms for 2 MB
    """

    def __init__(self, cores: int) -> None:
        self.read = ThreadPoolExecutor(4 * cores, "read")
        self.decode = ThreadPoolExecutor(cores, "decode")
        self.index = ThreadPoolExecutor(2 * cores, "index")
        self.store = ThreadPoolExecutor(2 * cores, "store")
        self.words = ThreadPoolExecutor(1, "words")

    def close(self) -> None:
        """Refuse new work, drop what is queued, wait for what runs."""
        for pool in (self.read, self.decode, self.index, self.store, self.words):
            pool.shutdown(wait=True, cancel_futures=True)
