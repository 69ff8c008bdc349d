"""A search as every door states it: QIDO-RS, C-FIND, the command line (PS3.4 C.2.2.2, PS3.18 section 8.3.4, 10.6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """Query/Retrieve level; the Patient level is a view on studies."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


@dataclass(frozen=True, slots=True)
class Match:
    """One matching key.

    Attributes
    ----------
    tag : int
        ``0x00100010``. Elements of sequences: `path` has the tags from the outermost sequence to the element.
    vr : str
        Decides what the characters of `value` mean: wildcards for text, ranges for DA, TM, DT, lists for UI.
    value : str
        As sent: ``"DOE*"``, ``"20200101-20200131"``, ``"1.2.3\\\\1.2.4"``. Empty is universal matching.
    """

    tag: int
    vr: str
    value: str
    path: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to find, in which scope, how much of it."""

    level: Level
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    matches: tuple[Match, ...] = ()
    fuzzy: bool = False
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One match: its UIDs and its attributes as one DICOM JSON object.

    Attributes of the levels above are included (a series row has its study's and patient's), and the computed
    ones (ModalitiesInStudy, NumberOfStudyRelatedInstances, …), but nothing that depends on an address (RetrieveURL).
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """A page of matches in a stable order, and whether there are more."""

    rows: tuple[Found, ...]
    has_more: bool
    keys_read: int  # work, for tests and Server-Timing
