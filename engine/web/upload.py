"""One instance on its way in over HTTP: the event loop hands its bytes over, the store threads spool, scan and commit it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

from engine.dicom.scanned import ScannedInstance
from engine.ingest.accept import Accepted, Acceptor
from engine.limits import MIB
from engine.types import Source

T = TypeVar("T")
_BLOCK_BYTES = MIB


class Upload:
    """Takes the pieces of one part. Exactly one of `finish` and `abort` ends it; a cancelled await aborts it by itself.

    A failure on the way (too large, a full disk) is kept and raised by `finish`; the rest of the part is passed over, so
    that the other parts of the request are not lost with it.
    """

    def __init__(
        self, acceptor: Acceptor, pool: Executor, source: Source, check: Callable[[ScannedInstance], None]
    ) -> None:
        self._acceptor, self._pool, self._source, self._check = acceptor, pool, source, check
        self._spool = acceptor.open_spool(source)
        self._block = bytearray()
        self._failure: Exception | None = None
        self.length = 0

    async def write(self, piece: bytes) -> None:
        self.length += len(piece)
        if self._failure is not None:
            return
        self._block += piece
        if len(self._block) >= _BLOCK_BYTES:
            block, self._block = self._block, bytearray()
            try:
                await self._run(lambda: self._spool.write(block))
            except Exception as error:  # noqa: BLE001 - raised by `finish`
                self._failure = error
                self.abort()

    async def finish(self) -> Accepted:
        """The yes, or what kept the instance from being stored."""
        if self._failure is not None:
            raise self._failure
        block, self._block = self._block, bytearray()

        def hand_in() -> Future[Accepted]:
            if not self._spool.length:  # all of it is here: no second copy
                return self._acceptor.submit(block, self._source, self._check)
            self._spool.write(block)
            return self._spool.finish(self._check)

        try:
            answer = await self._run(hand_in)
        except Exception:
            self.abort()
            raise
        return await asyncio.wrap_future(answer)

    def abort(self) -> None:
        """Nothing of it remains; on a store thread, for removing a large file takes time."""
        self._block = bytearray()
        self._pool.submit(self._spool.abort)

    async def _run(self, work: Callable[[], T]) -> T:
        future = self._pool.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            # The thread may be writing to the spool at this moment: it is removed when that has ended, not under it.
            if future.cancelled():
                self.abort()
            else:
                future.add_done_callback(lambda _: self._spool.abort())
            raise
