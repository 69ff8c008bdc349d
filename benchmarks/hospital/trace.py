"""The trace: which modality examines whom, when, and how many instances come of it. The same seed, the same days."""

from __future__ import annotations

import random
from dataclasses import dataclass

_DAY_S = 86_400
# Share of a day's examinations in each hour: nights are the emergency department's.
_HOURS = (1, 1, 1, 1, 1, 1, 2, 5, 9, 10, 10, 9, 7, 8, 9, 9, 7, 5, 4, 3, 2, 2, 1, 1)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of modality: how many there are, what each does in a day, and an examination's instances."""

    modality: str
    sop_class_uid: str
    count: int
    examinations: int
    instances: tuple[int, int]
    rows: int
    columns: int
    bytes_per_pixel: int


KINDS = (
    Kind("CT", "1.2.840.10008.5.1.4.1.1.2", 8, 25, (40, 200), 512, 512, 2),
    Kind("MR", "1.2.840.10008.5.1.4.1.1.4", 6, 15, (80, 240), 256, 256, 2),
    Kind("DX", "1.2.840.10008.5.1.4.1.1.1.1", 12, 40, (1, 3), 2048, 1536, 2),
    Kind("US", "1.2.840.10008.5.1.4.1.1.6.1", 10, 18, (10, 40), 600, 400, 1),
    Kind("XA", "1.2.840.10008.5.1.4.1.1.12.1", 4, 8, (5, 20), 512, 512, 1),
)  # 40 modalities


@dataclass(frozen=True, slots=True)
class Examination:
    """`at` is in seconds from the trace's begin."""

    at: float
    station: str
    kind: Kind
    number: int
    instances: int

    @property
    def study_instance_uid(self) -> str:
        return f"1.2.826.0.1.3680043.10.1.{self.number + 1}"

    def sop_instance_uid(self, instance: int) -> str:
        return f"{self.study_instance_uid}.1.{instance + 1}"


def trace(hours: float, share: float, seed: int = 1) -> list[Examination]:
    """All examinations in order of time.

    Parameters
    ----------
    share : of each examination's instances; at least one of each remains. 1 is some 40 GB in 48 hours.
    """
    chance = random.Random(seed)
    found = []
    for kind in KINDS:
        for unit in range(kind.count):
            for day in range(-(-int(hours) // 24)):
                for _ in range(kind.examinations):
                    hour = chance.choices(range(24), _HOURS)[0]
                    at = day * _DAY_S + hour * 3600 + chance.uniform(0, 3600)
                    count = max(1, round(chance.randint(*kind.instances) * share))
                    found.append((at, f"{kind.modality}{unit + 1}", kind, count))
    found = sorted((one for one in found if one[0] < hours * 3600), key=lambda one: (one[0], one[1]))
    return [Examination(at, station, kind, number, count) for number, (at, station, kind, count) in enumerate(found)]
