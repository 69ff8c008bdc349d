"""Series with packs of renditions, for tests."""

from __future__ import annotations

import ctypes
import io
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import pydicom
from archives import incoming
from code_streams import slice_values
from data import make_instance
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from engine.archive.archive import Archive
from engine.archive.renditions.pack import Pack
from engine.archive.renditions.shelf import Shelf
from engine.archive.renditions.supply import SeriesPieces, pieces
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.making import SeriesMaker

STUDY, SERIES = "1.2.3", "1.2.3.4"
LIMITS = Limits(rendition_reserve_bytes=1, disk_reserve_bytes=0)
J2K, RPCL = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.202"


def ct(number: int, *, series: str = SERIES, rows: int = 96, columns: int = 128) -> bytes:
    """A native CT slice of 12 bits; every number has other pixels."""
    values = (slice_values(rows, columns) + 7 * number) & 0xFFF
    return make_instance(
        f"{series}.{number}", series=series, number=number, z=float(number), rows=rows, columns=columns,
        pixels=values.astype("<u2").tobytes(),
    )  # fmt: skip


def as_j2k(content: bytes, **options: object) -> bytes:
    """The same instance, its frame lossless JPEG 2000 as OpenJPEG writes it."""
    ds = pydicom.dcmread(io.BytesIO(content))
    code = imagecodecs.jpeg2k_encode(
        ds.pixel_array, level=0, reversible=True, codecformat="j2k", bitspersample=ds.BitsStored, **options
    )
    ds.PixelData = encapsulate([bytes(code)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID(J2K)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@dataclass
class Made:
    """An archive and what makes its packs."""

    archive: Archive
    limits: Limits = LIMITS
    packs: Path | None = None

    def __post_init__(self) -> None:
        self.metrics = Metrics()
        self.shelf = Shelf(self.packs or self.archive.path, self.limits)
        self.maker = SeriesMaker(self.archive, self.shelf, self.limits, self.metrics)

    @classmethod
    def of(cls, path: Path, *contents: bytes, limits: Limits = LIMITS) -> Made:
        made = cls(Archive.open(path, limits), limits)
        made.store(*contents)
        return made

    @classmethod
    def in_memory(cls, packs: Path, *contents: bytes) -> Made:
        """Instances without a disk, packs with one."""
        made = cls(Archive.in_memory(LIMITS), packs=packs)
        made.store(*contents)
        return made

    def store(self, *contents: bytes) -> None:
        if contents:
            self.archive.store([incoming(content, n, self.limits) for n, content in enumerate(contents, 1)])

    def make(self, series: str = SERIES, used_ns: int = 1) -> Pack:
        for _ in self.maker.make(STUDY, series, used_ns):
            pass
        pack = self.shelf.find(STUDY, series)
        assert pack is not None
        return pack

    def pieces(self, series: str = SERIES) -> SeriesPieces:
        return pieces(self.archive, self.shelf, STUDY, series)

    def count(self, name: str) -> int:
        line = next(one for one in self.metrics.text().splitlines() if one.startswith(f"voxcast_{name}_total "))
        return int(float(line.split()[1]))

    @property
    def files(self) -> list[str]:
        assert self.archive.path is not None
        return sorted(p.name for p in (self.archive.path / "renditions" / "packs").glob("*"))


def resident_pages(file: int) -> int:
    """How many pages of a file the page cache has; looking does not fetch any (mincore(2))."""
    size = os.fstat(file).st_size
    with mmap.mmap(file, size, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE) as view:
        states = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
        start = ctypes.c_char.from_buffer(view)
        failed = ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), states)
        del start
        assert not failed
        return sum(state & 1 for state in states)
