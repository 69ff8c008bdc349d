"""STOW-RS of metadata and bulk data: parts are kept until all are there, then instances are made of them (PS3.18 10.5.2)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urljoin

from aiohttp import web

from engine.dicom.json_model import Attributes, read_json
from engine.dicom.native_model_reading import read_native_model
from engine.errors import BadBulkData, EngineError, InvalidParameter, MalformedDataSet, TooLarge, TruncatedDataSet
from engine.ingest.accept import Accepted, Check
from engine.ingest.assembly import Assembly, uid_in
from engine.ingest.bulk import BulkPart, BulkParts
from engine.limits import MIB
from engine.stream.received import ReceivedPixels
from engine.types import Source
from engine.web.multipart import MultipartParser, PartBegin, PartEnd
from engine.web.negotiate import DATA_SETS, DICOM_JSON, media_type_of
from engine.web.request_body import Body, events
from engine.web.services import services
from engine.web.stow_answer import Outcome

T = TypeVar("T")
_BLOCK_BYTES = MIB
_UNDER_WAY_MAX = 64  # instances whose commit is awaited while the next ones are made


@dataclass(frozen=True, slots=True)
class _Made:
    """An instance that was handed in, or why it was not."""

    sop_class_uid: str
    sop_instance_uid: str
    is_coerced: bool = False
    answer: Future[Accepted] | None = None
    error: Exception | None = None


class MetadataReceiver:
    """Reads one request's body of JSON or XML and bulk data, and keeps the outcome of each instance."""

    def __init__(self, request: web.Request, body: Body, source: Source, check: Check, media_type: str) -> None:
        s = self._services = services(request)
        self._body, self._source, self._check, self._media_type = body, source, check, media_type
        self._limits, self._pool = s.settings.limits, s.executors.store
        self._pixels = ReceivedPixels(self._limits)
        base = str(request.url)
        self._parts = BulkParts(s.archive, self._limits, lambda uri: _absolute(base, uri))
        self._documents: list[tuple[BulkPart, str]] = []
        self._outcomes: list[Outcome | asyncio.Task[Outcome]] = []
        self._under_way: deque[asyncio.Task[Outcome]] = deque()
        self._headers: dict[str, str] | None = None  # of the part that is open
        self._block = bytearray()
        self._begin_at = self._count = 0

    async def take_parts(self, parser: MultipartParser) -> None:
        try:
            async for event in events(self._body, parser):
                match event:
                    case PartBegin(headers):
                        self._begin(headers)
                    case PartEnd():
                        await self._end()
                    case bytes() if self._headers is not None:
                        await self._write(event)
        except (MalformedDataSet, TruncatedDataSet) as error:
            self._refuse(error)

    async def take_one(self) -> None:
        """Metadata alone: all values are inline."""
        self._begin({"content-type": self._media_type})
        while chunk := await self._body.next():
            await self._write(chunk)
        await self._end()

    async def outcomes(self) -> list[Outcome]:
        """Makes the instances and waits until each is safe or refused."""
        for document, media_type in self._documents:
            await self._store_all(document, media_type)
        found = [await one if isinstance(one, asyncio.Task) else one for one in self._outcomes]
        for part in self._parts.unused():
            found.append(Outcome(error=BadBulkData(part.location, "no metadata refers to this part")))
        self._pool.submit(self._parts.close)
        return found

    def abandon(self) -> None:
        """The client is gone: what is handed in may still be stored, nothing else remains."""
        for task in self._under_way:
            task.cancel()
        self._pool.submit(self._parts.close)

    def _begin(self, headers: dict[str, str]) -> None:
        self._count += 1
        limit = self._limits.stow_instances_max
        if self._count > limit:
            raise TooLarge("the number of parts", self._count, limit, "limits.stow_instances_max")
        self._headers, self._begin_at = headers, self._parts.length

    async def _write(self, piece: bytes) -> None:
        length = self._parts.length + len(self._block) + len(piece) - self._begin_at
        if length > self._limits.instance_bytes_max:
            raise TooLarge("a part", length, self._limits.instance_bytes_max, "limits.instance_bytes_max")
        self._block += piece
        if len(self._block) >= _BLOCK_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        block, self._block = self._block, bytearray()
        if block:
            await self._run(lambda: self._parts.write(block))

    async def _end(self) -> None:
        headers, self._headers = self._headers or {}, None
        await self._flush()
        media_type, parameters = media_type_of(headers.get("content-type", ""))
        location = headers.get("content-location", "")
        if not media_type and not self._documents and not location:
            media_type = self._media_type  # the root part, of the type that the request names (RFC 2387 3.1)
        if media_type in DATA_SETS and not location:
            part = self._parts.take_document(self._begin_at)
            if media_type == self._media_type:
                self._documents.append((part, media_type))
            else:
                self._refuse(InvalidParameter("part Content-Type", media_type, self._media_type))
        elif not location:
            self._refuse(
                InvalidParameter("part Content-Type", media_type[:80], f"{self._media_type}, or a Content-Location")
            )
        else:
            self._parts.add(self._begin_at, location, media_type, parameters.get("transfer-syntax", ""))

    def _refuse(self, error: EngineError) -> None:
        self._outcomes.append(Outcome(error=error))

    async def _store_all(self, document: BulkPart, media_type: str) -> None:
        read = await self._run(lambda: self._data_sets(document, media_type))
        if isinstance(read, EngineError):
            self._refuse(read)
            return
        while (made := await self._run(lambda: self._make_next(read))) is not None:
            self._count += 1
            limit = self._limits.stow_instances_max
            if self._count > limit:
                self._refuse(TooLarge("the number of instances", self._count, limit, "limits.stow_instances_max"))
                return
            task = asyncio.create_task(_outcome(made))
            self._outcomes.append(task)
            self._under_way.append(task)
            if len(self._under_way) > _UNDER_WAY_MAX:
                await asyncio.wait([self._under_way.popleft()])

    def _data_sets(self, document: BulkPart, media_type: str) -> Iterator[Attributes] | EngineError:
        try:
            content = self._parts.document(document)
            if media_type == DICOM_JSON:
                return read_json(content, self._limits)
            return iter((read_native_model(content, self._limits),))
        except EngineError as error:
            return error

    def _make_next(self, data_sets: Iterator[Attributes]) -> _Made | None:
        """On a store thread: the next instance is written and handed in; None behind the last."""
        try:
            attributes = next(data_sets, None)
        except EngineError as error:
            return _Made("", "", error=error)
        if attributes is None:
            return None
        # Said to the sender as it was sent, but not longer than a UID can be.
        sop_class_uid, sop_instance_uid = (uid_in(attributes, tag)[:64] for tag in ("00080016", "00080018"))
        assembly = Assembly(attributes, self._parts, self._limits, self._pixels)
        try:
            answer = assembly.store(self._services.acceptor, self._source, self._check)
        except (EngineError, OSError) as error:
            return _Made(sop_class_uid, sop_instance_uid, error=error)
        return _Made(sop_class_uid, sop_instance_uid, assembly.is_coerced, answer)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._pool.submit(work))


async def _outcome(made: _Made) -> Outcome:
    failed = Outcome(error=made.error, sop_class_uid=made.sop_class_uid, sop_instance_uid=made.sop_instance_uid)
    if made.answer is None:
        return failed
    try:
        accepted: Accepted = await asyncio.wrap_future(made.answer)
    except (EngineError, OSError) as error:
        return replace(failed, error=error)
    return Outcome(accepted=accepted, is_coerced=made.is_coerced)


def _absolute(base: str, uri: str) -> str:
    """References are compared as what they stand for (RFC 3986 5); nothing is ever fetched from them."""
    try:
        return urljoin(base, uri)
    except ValueError:
        return uri
