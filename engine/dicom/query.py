"""A search as every door states it: QIDO-RS, C-FIND, the command line (PS3.4 C.2.2.2, PS3.18 section 8.3.4, 10.6)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

# RetrieveURL as rows have it: a door puts its own address in its place.
RETRIEVE_URL = b'"00081190":{"vr":"UR","Value":["\\u0000"]}'


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


@dataclass(frozen=True, slots=True)
class Order:
    """Sort by one attribute; rows without it come last, whatever the direction."""

    tag: int
    vr: str
    is_descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to find, in which scope, how much of it, in which order.

    Attributes
    ----------
    text : str
        Words, each of which begins some word of the patient's or the study's (`secondary.TEXT_TAGS`); empty for all.
    order : tuple of Order
        Empty: the newest study first, series by their number, instances in slice order.
    include : tuple of paths
        Attributes that the rows shall have although the index has not: read from the stored headers.
    timezone : int or None
        Minutes east of UTC in which dates and times of the keys are meant and those of the rows are given.
    """

    level: Level
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    matches: tuple[Match, ...] = ()
    text: str = ""
    fuzzy: bool = False
    empty_values: bool = False
    order: tuple[Order, ...] = ()
    include: tuple[tuple[int, ...], ...] = ()
    includes_all: bool = False
    timezone: int | None = None
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One match: its UIDs and its attributes as one DICOM JSON object, keys in tag order.

    Attributes of the levels above are included (a series row has its study's and patient's), and the computed
    ones (ModalitiesInStudy, NumberOfStudyRelatedInstances, …); the address (RetrieveURL) is left open: `RETRIEVE_URL`.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    document: bytes

    @property
    def attributes(self) -> dict[str, Any]:
        """The document, read."""
        found: dict[str, Any] = json.loads(self.document)
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """How a search went about it.

    Attributes
    ----------
    path : str
        The way to the candidates: ``"PatientID ="``, ``"StudyDate within"``, ``"all studies, newest first"``; never a value.
    candidates : int or None
        Studies that it led to; None where they are walked one by one, as far as the page needs.
    checked : tuple of str
        Keys that had to be compared with each candidate, because the path does not answer them.
    rejected : tuple of str
        Other paths, and at least how many studies each would have led to.
    """

    path: str
    candidates: int | None = 0
    checked: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """A page of matches in a stable order, and whether there are more.

    Attributes
    ----------
    total : int or None
        All matches; None where counting them would mean reading many more rows than the page.
    keys_read : int
        Rows and records read: work, for tests and Server-Timing.
    """

    rows: tuple[Found, ...]
    has_more: bool
    keys_read: int
    plan: Plan
    total: int | None = None
