"""STOW-RS: instances come in part by part and are answered when they are safe (PS3.18 10.5)."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from aiohttp import web

from engine.archive.records import StoreStatus
from engine.dicom.scanned import ScannedInstance
from engine.errors import EngineError, InvalidParameter, MalformedDataSet, OtherStudy, TooLarge, TruncatedDataSet
from engine.ingest.accept import Accepted
from engine.limits import MIB
from engine.types import Source
from engine.web.client import client_of
from engine.web.multipart import MultipartParser, PartBegin, PartEnd
from engine.web.negotiate import DICOM, DICOM_JSON, MULTIPART, choose, media_type_of
from engine.web.services import Services, services
from engine.web.stow_answer import Outcome, answer
from engine.web.upload import Upload

_READ_DEADLINE_S = 60.0  # between two pieces of a body
_UNDER_WAY_MAX = 64  # parts whose commit is awaited while the next ones come in: a group commit finds company
_UNDER_WAY_BYTES_MAX = 16 * MIB


async def store_instances(request: web.Request) -> web.Response:
    """``multipart/related; type="application/dicom"``, or one bare ``application/dicom`` instance."""
    choose(request, (DICOM_JSON,))
    media_type, parameters = media_type_of(request.headers.get("Content-Type", ""))
    if media_type == DICOM:
        boundary = ""
    elif media_type == MULTIPART and parameters.get("type", DICOM).lower() == DICOM:
        boundary = parameters.get("boundary", "")
        if not boundary:
            raise InvalidParameter("Content-Type", media_type, "a boundary parameter")
    else:
        raise web.HTTPUnsupportedMediaType(text=f'send multipart/related; type="{DICOM}", not {media_type[:80]}')
    receiver = _Receiver(request, services(request))
    try:
        await (receiver.take_parts(MultipartParser(boundary)) if boundary else receiver.take_one())
        outcomes = await receiver.outcomes()
    except BaseException:
        receiver.abandon()
        raise
    return answer(request, outcomes)


@dataclass(frozen=True, slots=True)
class _StudyCheck:
    """The address of a study takes instances of that study only (PS3.18 10.5.1)."""

    study_instance_uid: str

    def __call__(self, scanned: ScannedInstance) -> None:
        if self.study_instance_uid and scanned.study_instance_uid != self.study_instance_uid:
            raise OtherStudy(scanned.sop_class_uid, scanned.sop_instance_uid, scanned.study_instance_uid)


class _Receiver:
    """Reads one request's body and keeps the outcome of each of its parts, in order."""

    def __init__(self, request: web.Request, s: Services) -> None:
        self._request, self._services, self._limits = request, s, s.settings.limits
        self._source = Source("stow", client_of(request))
        self._check = _StudyCheck(request.match_info.get("study", ""))
        self._outcomes: list[asyncio.Task[Outcome] | Outcome] = []
        self._under_way: deque[tuple[asyncio.Task[Outcome], int]] = deque()
        self._upload: Upload | None = None
        self._received = 0

    async def take_parts(self, parser: MultipartParser) -> None:
        try:
            while chunk := await self._next():
                for event in parser.feed(chunk):
                    match event:
                        case PartBegin(headers):
                            self._begin(headers.get("content-type", DICOM))
                        case PartEnd():
                            await self._end()
                        case bytes() if self._upload is not None:
                            await self._upload.write(event)
        except MalformedDataSet as error:
            self._cut(error)
            return
        if not parser.is_complete:
            self._cut(TruncatedDataSet(self._received + 1, self._received, "the closing boundary"))

    async def take_one(self) -> None:
        self._begin(DICOM)
        assert self._upload is not None
        while chunk := await self._next():
            await self._upload.write(chunk)
        await self._end()

    async def outcomes(self) -> list[Outcome]:
        """Waits until every part is safe or refused."""
        found = [await one if isinstance(one, asyncio.Task) else one for one in self._outcomes]
        self._count(found)
        return found

    def abandon(self) -> None:
        """The client is gone: what is complete may still be stored, what is not leaves nothing behind."""
        for task, _ in self._under_way:
            task.cancel()
        if self._upload is not None:
            self._upload.abort()
            self._upload = None

    async def _next(self) -> bytes:
        async with asyncio.timeout(_READ_DEADLINE_S):
            chunk = await self._request.content.readany()
        self._received += len(chunk)
        if self._received > self._limits.stow_bytes_max:
            raise TooLarge("the body", self._received, self._limits.stow_bytes_max, "limits.stow_bytes_max")
        return chunk

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

    def _count(self, outcomes: list[Outcome]) -> None:
        add = self._services.metrics.add
        for outcome in outcomes:
            match outcome.accepted:
                case None:
                    add("instances_failed")
                    continue
                case Accepted(status=StoreStatus.STORED):
                    add("instances_stored")
                case Accepted(status=StoreStatus.DUPLICATE):
                    add("instances_duplicate")
                case _:
                    add("instances_conflict")
            add("received_bytes", outcome.accepted.length)


async def _outcome(upload: Upload) -> Outcome:
    try:
        return Outcome(accepted=await upload.finish())
    except (EngineError, OSError) as error:
        return Outcome(error=error)
