"""A series as ordered pieces, frame × resolution: what a scheduler has to give, and the bytes of it.

Blocking (index, disk), so on an executor; but `SeriesPieces.read` of a pack's pieces copies nothing and waits for the disk
only where the page cache has not got them (`SeriesPieces.will_need` asks for them ahead).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.archive.renditions.pack import CoarseKind, FrameKind, Pack, PackFrame
from engine.archive.renditions.shelf import Shelf
from engine.dicom.frame import FrameDescriptor, PixelKeyword
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from engine.errors import InstanceNotFound

HTJ2K_RPCL = "1.2.840.10008.1.2.4.202"
_ITEM_HEAD = 8


@dataclass(frozen=True, slots=True)
class FramePieces:
    """One frame of a series and the pieces that it comes in; piece r is bytes ``ends[r - 1]`` to ``ends[r]``.

    Attributes
    ----------
    place : in the series, from 0, in slice order.
    rows, columns : of the whole frame; piece r completes an image of 1/2^(n-1-r) of them, rounded up.
    transfer_syntax_uid : of the bytes, once all pieces are there: lossless HTJ2K, or as they are stored.
    ends : cumulative byte ends, the last is the whole frame; a single one where no beginning is a smaller image.
    coarse : offset and length of its small picture, or of its approximate beginning, in `SeriesPieces.coarse`; None without.
    coarse_pieces : how many of the frame's first pieces the small picture is (0: it is a code stream of its own).
    approximate : byte ends of the resolutions of an approximate beginning, of the same sizes as the first of `ends`; empty
        where `coarse` is a small picture.
    coarse_crc32 : of the bytes of `coarse`.
    bits : Bits Stored as the code stream says it; 0 for bytes as they are stored.
    reason : why the frame comes as it is stored, where that is not going to change.
    cells : Samples per Pixel, Bits Allocated, Bits Stored, High Bit, Pixel Representation and Planar Configuration of the header.
    is_float : the values are those of Float or Double Float Pixel Data (PS3.3 C.7.6.24, C.7.6.25); never in a pack.
    data_set_sha256 : of the instance; another one may come under its UID.
    """

    place: int
    sop_instance_uid: str
    frame_index: int
    rows: int
    columns: int
    transfer_syntax_uid: str
    photometric_interpretation: str
    bits: int
    ends: tuple[int, ...]
    coarse: tuple[int, int] | None = None
    coarse_pieces: int = 0
    reason: str = ""
    cells: tuple[int, int, int, int, int, int] = (1, 16, 16, 15, 0, 0)
    data_set_sha256: bytes = b""
    approximate: tuple[int, ...] = ()
    coarse_crc32: int = 0
    is_float: bool = False

    @property
    def byte_count(self) -> int:
        return self.ends[-1]

    def size_at(self, piece: int) -> tuple[int, int]:
        """Rows and columns that the pieces up to this one show."""
        down = len(self.ends) - 1 - piece
        return -(-self.rows >> down), -(-self.columns >> down)


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where a frame's stored bytes are; `is_joined`: in one run, so that a part of them is one read."""

    data_set_sha256: bytes
    offset: int
    length: int
    is_joined: bool


class SeriesPieces:
    """A series as it was when it was asked for; any thread. Deleting or replacing its pack does not disturb it.

    Attributes
    ----------
    frames : in slice order.
    version : of the series (`SeriesSummary.version`); another one means other members, so ask again.
    is_complete : everything that can be made of it is made. Otherwise a later `pieces` has more.
    """

    def __init__(
        self,
        archive: Archive,
        pack: Pack | None,
        frames: tuple[FramePieces, ...],
        held: Sequence[PackFrame | _Stored],
        version: int,
        is_complete: bool,
    ) -> None:
        self._archive, self._pack, self._held = archive, pack, held
        self.frames, self.version, self.is_complete = frames, version, is_complete

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, place: int, piece: int = -1, first: int = 0) -> memoryview:
        """Bytes of pieces `first` to `piece` (-1: the last) of a frame.

        Raises
        ------
        InstanceNotFound, CorruptInstance : it was deleted meanwhile, or cannot be read.
        """
        ends = self.frames[place].ends
        return self.read_bytes(place, ends[first - 1] if first else 0, ends[piece])

    def read_bytes(self, place: int, start: int, end: int) -> memoryview:
        """Bytes `start` to `end` of a frame, whatever its pieces."""
        held = self._held[place]
        if isinstance(held, PackFrame):
            assert self._pack is not None
            return self._pack.code_stream(held, start, end)
        record = self._record(self.frames[place].sop_instance_uid, held.data_set_sha256)
        if held.is_joined:
            return memoryview(self._archive.read(record, held.offset + start, end - start))
        whole = self._archive.frame_bytes(record, self.frames[place].frame_index)
        assert whole is not None
        return memoryview(whole)[start:end]

    @property
    def pack(self) -> Pack | None:
        """What they are of, beside the stored frames."""
        return self._pack

    def offsets(self) -> Sequence[int]:
        """Of each frame, where in the pack's file its bytes begin; -1 for one that is not in there."""
        if isinstance(self._held, _InPack):
            return self._held.offsets()
        return [held.offset if isinstance(held, PackFrame) else -1 for held in self._held]

    @property
    def coarse(self) -> memoryview:
        """The beginnings of all frames in one blob of some 4 KB a frame; empty where there are none yet."""
        return memoryview(b"") if self._pack is None else self._pack.coarse

    def _record(self, sop_instance_uid: str, data_set_sha256: bytes) -> InstanceRecord:
        """The very instance that the pieces are of, though another may be served under its UID by now."""
        record = self._archive.instance(sop_instance_uid)
        if record.data_set_sha256 != data_set_sha256:
            for version in self._archive.versions(sop_instance_uid):
                if version.data_set_sha256 == data_set_sha256:
                    return version
            raise InstanceNotFound(sop_instance_uid)
        return record

    def will_need(self, place: int, piece: int = -1) -> bool:
        """Have the kernel read a frame's pieces up to this one into the page cache; whether some were not there.

        Frames that are not in the pack are left alone.
        """
        held = self._held[place]
        if not isinstance(held, PackFrame):
            return False
        assert self._pack is not None
        return self._pack.will_need(held.offset, held.offset + self.frames[place].ends[piece])


def pieces(archive: Archive, shelf: Shelf, study_uid: str, series_uid: str) -> SeriesPieces:
    """The pieces of a series: from its pack, and of what that has not got, the stored frames, each as one piece.

    Raises
    ------
    SeriesNotFound
    """
    series = archive.series(study_uid, series_uid)
    pack = shelf.find(study_uid, series_uid)
    if pack is not None:
        shelf.touch(pack)
    frames: list[FramePieces] = []
    held: list[PackFrame | _Stored] = []
    is_complete = pack is not None and (pack.version, pack.instance_count) == (series.version, series.instance_count)
    if pack is not None and is_complete and pack.is_all_made:
        made = tuple(_made_frames(pack))
        return SeriesPieces(archive, pack, made, _InPack(pack), series.version, True)
    for record in archive.walk(study_uid, series_uid):
        for frame, where in _frames_of(record, pack, len(frames)):
            frames.append(frame)
            held.append(where)
    return SeriesPieces(archive, pack, tuple(frames), tuple(held), series.version, is_complete)


class _InPack(Sequence[PackFrame | _Stored]):
    """The frames of a pack that has all of them, each read when it is asked for."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack

    def __len__(self) -> int:
        return len(self._pack)

    def offsets(self) -> Sequence[int]:
        return self._pack.offsets()

    @overload
    def __getitem__(self, place: int) -> PackFrame: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[PackFrame]: ...
    def __getitem__(self, place: int | slice) -> PackFrame | Sequence[PackFrame]:
        if isinstance(place, slice):
            return [self._pack[one] for one in range(len(self._pack))[place]]
        return self._pack[place]


def _made_frames(pack: Pack) -> Iterator[FramePieces]:
    """What `_frames_of` says of every frame, without the index: 1 000 records of it take 60 ms."""
    for instance in pack.instances:
        for index in range(instance.frame_count):
            place = instance.first + index
            found = pack[place]
            has_coarse = found.coarse_kind is not CoarseKind.NONE
            yield FramePieces(
                place, instance.sop_instance_uid, index, instance.rows, instance.columns, HTJ2K_RPCL,
                found.photometric_interpretation, found.bits, found.ends,
                (found.coarse_at, found.coarse_length) if has_coarse else None,
                found.ends.index(found.coarse_length) + 1 if found.coarse_kind is CoarseKind.PREFIX else 0,
                found.reason, instance.cells, instance.data_set_sha256, found.coarse_ends, found.coarse_crc32,
            )  # fmt: skip


def _frames_of(
    record: InstanceRecord, pack: Pack | None, place: int
) -> Iterator[tuple[FramePieces, PackFrame | _Stored]]:
    table, descriptor = record.frame_table, record.frame_descriptor
    if table is None or descriptor is None or table.kind is FrameTableKind.STREAM:
        return
    for index in range(len(table)):
        found = None if pack is None else pack.find(record.sop_instance_uid, record.data_set_sha256, index)
        span = table[index]
        stored = _Stored(
            record.data_set_sha256,
            span.offset,
            span.length - (_ITEM_HEAD * span.fragment_count if span.fragment_count > 1 else 0),
            span.fragment_count <= 1 and table.kind is not FrameTableKind.DEFLATED,
        )
        uid, photometric, bits = _stored_syntax(record), descriptor.photometric_interpretation, 0
        ends: tuple[int, ...] = (stored.length,)
        where: PackFrame | _Stored = stored
        coarse, coarse_pieces, coarse_crc32, reason = None, 0, 0, ""
        approximate: tuple[int, ...] = ()
        if found is not None:
            reason = found.reason
            if found.coarse_kind is not CoarseKind.NONE:
                coarse, coarse_crc32 = (found.coarse_at, found.coarse_length), found.coarse_crc32
                approximate = found.coarse_ends
            if found.coarse_kind is CoarseKind.PREFIX:
                coarse_pieces = found.ends.index(found.coarse_length) + 1
            if found.kind is not FrameKind.STORED:
                ends = found.ends
            if found.kind is FrameKind.MADE:
                where, uid = found, HTJ2K_RPCL
                photometric, bits = found.photometric_interpretation, found.bits
        yield (
            FramePieces(
                place=place + index,
                sop_instance_uid=record.sop_instance_uid,
                frame_index=index,
                rows=descriptor.rows,
                columns=descriptor.columns,
                transfer_syntax_uid=uid,
                photometric_interpretation=photometric,
                bits=bits,
                ends=ends,
                coarse=coarse,
                coarse_pieces=coarse_pieces,
                reason=reason,
                cells=cells_of(descriptor),
                data_set_sha256=record.data_set_sha256,
                approximate=approximate,
                coarse_crc32=coarse_crc32,
                is_float=descriptor.pixel_keyword is not PixelKeyword.PIXEL_DATA,
            ),
            where,
        )


def cells_of(d: FrameDescriptor) -> tuple[int, int, int, int, int, int]:
    """How native pixels lie in the bytes (`FramePieces.cells`)."""
    return (
        d.samples_per_pixel, d.bits_allocated, d.bits_stored, d.high_bit, d.pixel_representation, d.planar_configuration,
    )  # fmt: skip


def _stored_syntax(record: InstanceRecord) -> str:
    """Of a stored frame by itself: native pixels of any little endian syntax are the same bytes."""
    uid = record.transfer_syntax_uid
    is_deflated = record.frame_table is not None and record.frame_table.kind is FrameTableKind.DEFLATED
    return EXPLICIT_VR_LITTLE_ENDIAN if uid == IMPLICIT_VR_LITTLE_ENDIAN or is_deflated else uid
