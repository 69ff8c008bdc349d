"""Which series is next to get its pack: what somebody asked for, then what has just come in, then what was there before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

_ASKED_MAX = 256
_CAME_MAX = 4096


@dataclass(frozen=True, slots=True)
class Wanted:
    """One series.

    Attributes
    ----------
    used_ns : Unix time of the asking, or of the series' arrival: which packs may leave for it (`Shelf.make_room`).
    """

    study_instance_uid: str
    series_instance_uid: str
    used_ns: int
    is_asked: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.study_instance_uid, self.series_instance_uid


class RenditionQueue:
    """Bounded; what it lets go is found again by a look through the archive. One thread.

    Each series is in it once. Of what was asked for, the latest is next: its reader is the one who waits now.
    """

    def __init__(self) -> None:
        self._asked: OrderedDict[tuple[str, str], Wanted] = OrderedDict()
        self._came: dict[tuple[str, str], Wanted] = {}
        self._backlog: list[Wanted] = []  # the newest last

    def __len__(self) -> int:
        return len(self._asked) + len(self._came) + len(self._backlog)

    def ask(self, wanted: Wanted) -> None:
        """Somebody waits for this series."""
        self._came.pop(wanted.key, None)
        self._asked[wanted.key] = wanted
        self._asked.move_to_end(wanted.key)
        if len(self._asked) > _ASKED_MAX:
            self._asked.popitem(last=False)

    def came(self, wanted: Wanted) -> None:
        """This series is new, or has changed, and is quiet now."""
        if wanted.key not in self._asked:
            self._came[wanted.key] = wanted
            if len(self._came) > _CAME_MAX:
                del self._came[min(self._came, key=lambda key: self._came[key].used_ns)]

    def backlog(self, found: Iterable[Wanted]) -> None:
        """What was in the archive before, in place of what was known of that."""
        known = self._asked.keys() | self._came.keys()
        self._backlog = sorted((one for one in found if one.key not in known), key=lambda one: one.used_ns)

    def no_room(self) -> None:
        """There is none for the newest of the backlog, so there is none for older ones."""
        self._backlog.clear()

    def next_asked(self) -> Wanted | None:
        """Take out what somebody waits for."""
        return self._asked.popitem()[1] if self._asked else None

    def next(self) -> Wanted | None:
        """Take out what is next."""
        asked = self.next_asked()
        if asked is not None:
            return asked
        if self._came:
            return self._came.pop(max(self._came, key=lambda key: self._came[key].used_ns))
        return self._backlog.pop() if self._backlog else None
