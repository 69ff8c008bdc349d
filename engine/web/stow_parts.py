"""STOW-RS of Part 10 instances, one in each part: each is handed in as soon as it is complete (PS3.18 10.5.2)."""

from __future__ import annotations

import asyncio
from collections import deque

from engine.errors import EngineError, InvalidParameter, MalformedDataSet, TooLarge, TruncatedDataSet
from engine.ingest.accept import Check
from engine.limits import MIB
from engine.types import Source
from engine.web.multipart import MultipartParser, PartBegin, PartEnd
from engine.web.negotiate import DICOM
from engine.web.request_body import Body, events
from engine.web.services import Services
from engine.web.stow_answer import Outcome
from engine.web.upload import Upload

_UNDER_WAY_MAX = 64  # parts whose commit is awaited while the next ones come in: a group commit finds company
_UNDER_WAY_BYTES_MAX = 16 * MIB


class PartsReceiver:
    """Reads one request's body and keeps the outcome of each of its parts, in order."""

    def __init__(self, s: Services, body: Body, source: Source, check: Check) -> None:
        self._services, self._limits = s, s.settings.limits
        self._body, self._source, self._check = body, source, check
        self._outcomes: list[asyncio.Task[Outcome] | Outcome] = []
        self._under_way: deque[tuple[asyncio.Task[Outcome], int]] = deque()
        self._upload: Upload | None = None

    async def take_parts(self, parser: MultipartParser) -> None:
        try:
            async for event in events(self._body, parser):
                match event:
                    case PartBegin(headers):
                        self._begin(headers.get("content-type", DICOM))
                    case PartEnd():
                        await self._end()
                    case bytes() if self._upload is not None:
                        await self._upload.write(event)
        except (MalformedDataSet, TruncatedDataSet) as error:
            self._cut(error)

    async def take_one(self) -> None:
        self._begin(DICOM)
        assert self._upload is not None
        while chunk := await self._body.next():
            await self._upload.write(chunk)
        await self._end()

    async def outcomes(self) -> list[Outcome]:
        """Waits until every part is safe or refused."""
        return [await one if isinstance(one, asyncio.Task) else one for one in self._outcomes]

    def abandon(self) -> None:
        """The client is gone: what is complete may still be stored, what is not leaves nothing behind."""
        for task, _ in self._under_way:
            task.cancel()
        if self._upload is not None:
            self._upload.abort()
            self._upload = None

    def _begin(self, media_type: str) -> None:
        if len(self._outcomes) >= self._limits.stow_instances_max:
            limit = self._limits.stow_instances_max
            raise TooLarge("the number of parts", len(self._outcomes) + 1, limit, "limits.stow_instances_max")
        if media_type.partition(";")[0].strip().lower() != DICOM:
            self._outcomes.append(Outcome(error=InvalidParameter("part Content-Type", media_type[:80], DICOM)))
            return
        s = self._services
        self._upload = Upload(s.acceptor, s.executors.store, self._source, self._check)

    async def _end(self) -> None:
        upload, self._upload = self._upload, None
        if upload is None:
            return
        task = asyncio.create_task(_outcome(upload))
        self._outcomes.append(task)
        self._under_way.append((task, upload.length))
        while len(self._under_way) > _UNDER_WAY_MAX or sum(n for _, n in self._under_way) > _UNDER_WAY_BYTES_MAX:
            oldest, _ = self._under_way.popleft()
            await asyncio.wait([oldest])

    def _cut(self, error: EngineError) -> None:
        """The body ends, or stops making sense, inside a part: the parts before it count."""
        if self._upload is not None:
            self._upload.abort()
            self._upload = None
        self._outcomes.append(Outcome(error=error))


async def _outcome(upload: Upload) -> Outcome:
    try:
        return Outcome(accepted=await upload.finish())
    except (EngineError, OSError) as error:
        return Outcome(error=error)
