"""Presentation states, segmentations, planes and headers in words: parsed once, the last ones kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from engine.archive.archive import Archive
from engine.archive.documents import instance_document
from engine.archive.records import InstanceRecord
from engine.dicom.caption import Document
from engine.dicom.data_set import read_data_set
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.plane import PLANE_TAGS, Plane, planes_from_dataset
from engine.dicom.presentation import PresentationState, is_presentation_state
from engine.dicom.presentation_reading import read_presentation
from engine.dicom.segmentation import Segmentation, is_segmentation, read_segmentation
from engine.errors import TooLarge, UnsupportedPresentation
from engine.executors import Executors
from engine.limits import MIB, Limits
from engine.stream.flight import SingleFlight
from engine.stream.kept import Kept
from engine.stream.work import on_pool
from engine.types import Buffer, Timings

T = TypeVar("T")

_CACHE_BYTES = 64 * MIB  # of what they were read from
_ENTRIES_MAX = 8192  # mostly planes: those of some series that are blended


class Parsed:
    """Reads one archive for one event loop; who asks at the same time for the same waits for one reading of it."""

    def __init__(self, archive: Archive, executors: Executors, limits: Limits) -> None:
        self._archive, self._executors, self._limits = archive, executors, limits
        self._flight = SingleFlight()
        self._kept: Kept[Any] = Kept(_CACHE_BYTES, _ENTRIES_MAX)

    async def state(self, record: InstanceRecord, timings: Timings) -> PresentationState:
        """A presentation state; raises UnsupportedPresentation, MalformedDataSet, TooLarge, CorruptInstance."""

        def read() -> tuple[PresentationState, int]:
            data = self._header(record)
            ds = read_data_set(data, record.transfer_syntax_uid, self._limits.presentation_bytes_max)
            return read_presentation(ds, self._limits), len(data)

        if not is_presentation_state(record.sop_class_uid):
            raise UnsupportedPresentation(f"instance {record.sop_instance_uid} is no presentation state")
        return await self._once("state", record, timings, read)

    async def segmentation(self, record: InstanceRecord, timings: Timings) -> Segmentation:
        """A segmentation; raises UnsupportedPresentation, MalformedDataSet, TooLarge, CorruptInstance."""

        def read() -> tuple[Segmentation, int]:
            data = self._header(record)
            ds = read_data_set(data, record.transfer_syntax_uid, self._limits.presentation_bytes_max)
            return read_segmentation(ds, self._limits), len(data)

        if not is_segmentation(record.sop_class_uid):
            raise UnsupportedPresentation(f"instance {record.sop_instance_uid} is no segmentation")
        return await self._once("segmentation", record, timings, read)

    async def planes(self, record: InstanceRecord, timings: Timings) -> tuple[Plane | None, ...]:
        """Where each frame of an image is; raises MalformedDataSet, TooLarge, CorruptInstance."""
        return await self._once("planes", record, timings, lambda: self._read_planes(record))

    async def document(self, record: InstanceRecord, timings: Timings) -> Document:
        """The header as DICOM JSON; raises MalformedDataSet, TooLarge, CorruptInstance."""

        def read() -> tuple[Document, int]:
            self._check_size(record, record.header_length)
            data = instance_document(self._archive, record)
            return json.loads(data), len(data)

        return await self._once("document", record, timings, read)

    def planes_now(self, record: InstanceRecord) -> tuple[Plane | None, ...]:
        """`planes` on a thread that may wait for the disk."""
        found: tuple[Plane | None, ...] | None = self._kept.get(("planes", record.location))
        if found is None:
            found, size = self._read_planes(record)
            self._kept.put(("planes", record.location), found, size)
        return found

    async def _once(self, kind: str, record: InstanceRecord, timings: Timings, read: Callable[[], tuple[T, int]]) -> T:
        key = (kind, record.location)
        kept: T | None = self._kept.get(key)
        if kept is not None:
            return kept

        async def work() -> T:
            made, size = await on_pool(self._executors.read, "read", timings, read)
            self._kept.put(key, made, size)
            return made

        return await self._flight.run(key, work)

    def _read_planes(self, record: InstanceRecord) -> tuple[tuple[Plane | None, ...], int]:
        data = self._header(record)
        limit = self._limits.presentation_bytes_max
        ds = read_data_set(data, record.transfer_syntax_uid, limit, PLANE_TAGS)
        count = 1 if record.frame_table is None else len(record.frame_table)
        return planes_from_dataset(ds, count), 512 * count

    def _header(self, record: InstanceRecord) -> Buffer:
        """The data set up to its pixels; all of a deflated one."""
        start, end, table = record.data_set_offset, record.header_length, record.frame_table
        if table is not None and len(table) and table.kind is not FrameTableKind.DEFLATED:
            # Where something stands behind the pixels, the scan calls all of the stream its header.
            end = min(end, table[0].offset)
        self._check_size(record, end - start)
        return self._archive.read(record, start, end - start)

    def _check_size(self, record: InstanceRecord, length: int) -> None:
        limit = self._limits.presentation_bytes_max
        if length > limit:
            what = f"the header of instance {record.sop_instance_uid}"
            raise TooLarge(what, length, limit, "limits.presentation_bytes_max")
