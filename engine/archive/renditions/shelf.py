"""The folder of packs: where the pack of a series is, how much all may take, and which leaves first."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.archive.index import series_key
from engine.archive.records import InstanceRecord, SeriesSummary
from engine.archive.renditions.pack import BadPack, Pack, PackFrame, is_made_of
from engine.archive.renditions.writing import PART, PackWriter, is_abandoned
from engine.limits import Limits

SUFFIX = ".pack"
_OPEN_MAX = 64  # mapped at once: address space, and what of them the page cache has
_TOUCH_EVERY_S = 60.0
_LIST_EVERY_S = 60.0
_KEEP_PERCENT = 95  # what is left of the budget when packs have to go, so that not every new one sends an old one away


@dataclass(frozen=True, slots=True)
class Shelved:
    """A pack as the folder shows it.

    Attributes
    ----------
    used_ns : Unix time of its last use, or of the arrival of its series where nobody has used it yet: the oldest leaves
        first, so a series that comes in now sends away what was not looked at for longest, and never the other way round.
    """

    path: Path
    size_bytes: int
    used_ns: int


class Shelf:
    """Packs under one archive's folder; any thread, any number of processes. Without a folder it is always empty.

    The folder is all there is: no list beside it could be out of step with it after a crash or an ``rm``.
    """

    def __init__(self, archive_path: Path | None, limits: Limits) -> None:
        self._folder = None if archive_path is None else archive_path / "renditions" / "packs"
        self._limits = limits
        self._lock = threading.Lock()
        self._open: OrderedDict[Path, Pack] = OrderedDict()
        self._touched: dict[Path, float] = {}
        self._used_bytes, self._listed = 0, -_LIST_EVERY_S

    # -- reading

    def find(self, study_uid: str, series_uid: str, *, is_open_only: bool = False) -> Pack | None:
        """The pack of a series as it is now; some 5 µs when it is open already.

        `is_open_only`: None also for one that would have to be opened, so that nobody waits for a disk.
        """
        path = self._path(series_key(study_uid, series_uid))
        if path is None:
            return None
        try:
            status = path.stat()
        except FileNotFoundError:
            with self._lock:
                self._open.pop(path, None)
            return None
        with self._lock:
            pack = self._open.get(path)
            if pack is not None and pack.identity == (status.st_dev, status.st_ino):
                self._open.move_to_end(path)
                return pack
        if is_open_only:
            return None
        try:
            pack = Pack(path)
        except FileNotFoundError:
            return None
        except BadPack:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        with self._lock:
            self._open[path] = pack
            self._open.move_to_end(path)
            while len(self._open) > _OPEN_MAX:
                gone, _ = self._open.popitem(last=False)
                self._touched.pop(gone, None)
        return pack

    def is_current(self, series: SeriesSummary, encoder: str) -> bool:
        """Whether the pack of a series has all of it as it is now, and as this encoder makes it; reads no more than its head."""
        path = self._path(series_key(series.study_instance_uid, series.series_instance_uid))
        return path is not None and is_made_of(path, series.version, series.instance_count, encoder)

    def frame_of(
        self, record: InstanceRecord, frame_index: int, *, is_open_only: bool = False
    ) -> tuple[Pack, PackFrame] | None:
        """A frame of an instance and the pack that it is in; its use is noted. `is_open_only` as for `find`."""
        pack = self.find(record.study_instance_uid, record.series_instance_uid, is_open_only=is_open_only)
        if pack is None:
            return None
        frame = pack.find(record.sop_instance_uid, record.data_set_sha256, frame_index)
        if frame is None:
            return None
        self.touch(pack)
        return pack, frame

    def touch(self, pack: Pack) -> None:
        """It is in use: it leaves later than those that are not. Written down once a minute."""
        now = time.monotonic()
        with self._lock:
            if now - self._touched.get(pack.path, -_TOUCH_EVERY_S) < _TOUCH_EVERY_S:
                return
            self._touched[pack.path] = now
        with suppress(OSError):  # gone, or not ours to touch
            os.utime(pack.path)

    def used_ns(self, pack: Pack) -> int:
        """When a pack was last in use (`Shelved.used_ns`); 0 when it has gone."""
        try:
            return pack.path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    # -- writing

    def begin(self, study_uid: str, series_uid: str, encoder: str) -> PackWriter | None:
        """A new pack of a series; None without a folder. Raises OSError."""
        path = self._path(series_key(study_uid, series_uid))
        return None if path is None else PackWriter(path, study_uid, series_uid, encoder)

    def make_room(self, bytes_wanted: int, used_ns: int, *, is_trial: bool = False) -> bool:
        """Let the packs go that were not used since `used_ns`, oldest first, as far as it takes; whether there is room then.

        `is_trial`: say it, and let none go. Within ``limits.rendition_bytes_max``, and with
        ``limits.rendition_reserve_bytes`` left on the disk for what is not derived.
        """
        if self._folder is None:
            return False
        budget = self._limits.rendition_bytes_max
        if time.monotonic() - self._listed > _LIST_EVERY_S:
            self.listing()
        missing = max(self._used_bytes + bytes_wanted - budget, self._disk_missing(bytes_wanted))
        if missing <= 0:
            return True
        if bytes_wanted > budget:
            return False
        old = [one for one in self.listing() if one.used_ns < used_ns]
        missing = max(self._used_bytes + bytes_wanted - budget, self._disk_missing(bytes_wanted))
        if missing > sum(one.size_bytes for one in old):
            return False
        if is_trial:
            return True
        missing += budget * (100 - _KEEP_PERCENT) // 100
        for one in sorted(old, key=lambda shelved: shelved.used_ns):
            if missing <= 0:
                break
            self._unlink(one.path, one.size_bytes)
            missing -= one.size_bytes
        return True

    def published(self, size_bytes: int) -> None:
        """A pack of this size came to the folder."""
        self._used_bytes += size_bytes

    def remove(self, key: bytes) -> bool:
        """Delete the pack of a series (`index.series_key`); whether there was one. Who reads it goes on reading."""
        path = self._path(key)
        if path is None:
            return False
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return False
        self._unlink(path, size)
        return True

    def clear(self) -> int:
        """Delete every pack; returns how many."""
        shelved = self.listing()
        for one in shelved:
            self._unlink(one.path, one.size_bytes)
        return len(shelved)

    def sweep(self, keys: Iterable[bytes]) -> None:
        """Remove what makers that died have left, and packs of series (`index.series_key`) that are not among these."""
        if self._folder is not None:
            shelved = {one.path.name: one for one in self.listing()}  # before the keys: what comes meanwhile stays
            for part in self._folder.glob(f"*{PART}"):
                if is_abandoned(part):
                    part.unlink(missing_ok=True)
            for key in keys:
                shelved.pop(self.name_of(key), None)
            for one in shelved.values():
                self._unlink(one.path, one.size_bytes)

    # -- the folder

    def listing(self) -> list[Shelved]:
        """Every pack; a directory scan."""
        found: list[Shelved] = []
        if self._folder is not None and self._folder.is_dir():
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX):
                        with suppress(FileNotFoundError):
                            status = entry.stat()
                            found.append(Shelved(Path(entry.path), status.st_size, status.st_mtime_ns))
        self._used_bytes, self._listed = sum(one.size_bytes for one in found), time.monotonic()
        return found

    @staticmethod
    def name_of(key: bytes) -> str:
        """File name of a series' pack: nothing from the wire becomes a path."""
        return hashlib.sha256(key).hexdigest()[:40] + SUFFIX

    def _path(self, key: bytes) -> Path | None:
        return None if self._folder is None else self._folder / self.name_of(key)

    def _disk_missing(self, bytes_wanted: int) -> int:
        assert self._folder is not None
        folder = self._folder
        while not folder.is_dir():
            folder = folder.parent
        disk = os.statvfs(folder)
        return bytes_wanted + self._limits.rendition_reserve_bytes - disk.f_bavail * disk.f_frsize

    def _unlink(self, path: Path, size_bytes: int) -> None:
        with suppress(FileNotFoundError):
            path.unlink()
            self._used_bytes -= size_bytes
        with self._lock:
            self._open.pop(path, None)
            self._touched.pop(path, None)
