"""Scheduled and performed procedure steps as they are kept and handed out."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from engine.dicom.performed_step import performed_state, scheduled_identities
from engine.dicom.query import Match
from engine.dicom.scheduled_step import (
    DATE,
    STATUS,
    STATUS_OF,
    TIME,
    State,
    identity_of,
    state_of,
    step_of,
    text_of,
    with_status,
)
from engine.errors import TooLarge

Attributes = dict[str, Any]  # DICOM JSON (PS3.18 annex F)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledStep:
    """One worklist item.

    Attributes
    ----------
    step_id : `scheduled_step.identity`.
    attributes : with one item in Scheduled Procedure Step Sequence.
    origin : the door it came by: "api", "import".
    """

    step_id: str
    attributes: Attributes
    created_ns: int
    changed_ns: int
    origin: str

    @property
    def state(self) -> State:
        return state_of(self.attributes)

    @property
    def stamp(self) -> str:
        """Start date and time as 14 characters that sort."""
        step = step_of(self.attributes)
        clock = re.sub(r"\D", "", text_of(step, TIME).partition(".")[0])
        return f"{text_of(step, DATE):<8.8}{clock:<6.6}"

    @property
    def kept_from(self) -> str:
        """The day from which it is kept for so long: of its last change, or for which it is planned."""
        return max(_day(self.changed_ns), self.stamp[:8])

    def pack(self, bytes_max: int) -> bytes:
        """Raises `TooLarge`."""
        return _pack(
            [self.created_ns, self.changed_ns, self.origin, self.attributes],
            bytes_max,
            "a scheduled procedure step",
            "limits.worklist_step_bytes_max",
        )

    @classmethod
    def unpack(cls, data: bytes) -> ScheduledStep:
        created, changed, origin, attributes = json.loads(data)
        return cls(
            step_id=identity_of(attributes),
            attributes=attributes,
            created_ns=created,
            changed_ns=changed,
            origin=origin,
        )

    @classmethod
    def new(cls, attributes: Attributes, origin: str) -> ScheduledStep:
        """With a Scheduled Procedure Step Status, by which modalities may ask."""
        now = time.time_ns()
        if not text_of(step_of(attributes), STATUS):
            attributes = with_status(attributes, STATUS_OF[State.SCHEDULED])
        return cls(
            step_id=identity_of(attributes), attributes=attributes, created_ns=now, changed_ns=now, origin=origin
        )

    def changed(self, attributes: Attributes) -> ScheduledStep:
        return replace(self, attributes=attributes, changed_ns=time.time_ns())


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformedStep:
    """One Modality Performed Procedure Step; `peer` created it."""

    sop_instance_uid: str
    attributes: Attributes
    created_ns: int
    changed_ns: int
    peer: str

    @property
    def state(self) -> State:
        return performed_state(self.attributes)

    @property
    def scheduled(self) -> tuple[str, ...]:
        """Identities of the scheduled steps that it names, whether or not they are known here."""
        return scheduled_identities(self.attributes)

    @property
    def kept_from(self) -> str:
        return _day(self.changed_ns)

    def pack(self, bytes_max: int) -> bytes:
        """Raises `TooLarge`."""
        return _pack(
            [self.sop_instance_uid, self.created_ns, self.changed_ns, self.peer, self.attributes],
            bytes_max,
            "a performed procedure step",
            "limits.performed_step_bytes_max",
        )

    @classmethod
    def unpack(cls, data: bytes) -> PerformedStep:
        uid, created, changed, peer, attributes = json.loads(data)
        return cls(sop_instance_uid=uid, attributes=attributes, created_ns=created, changed_ns=changed, peer=peer)

    @classmethod
    def new(cls, sop_instance_uid: str, attributes: Attributes, peer: str) -> PerformedStep:
        now = time.time_ns()
        return cls(sop_instance_uid=sop_instance_uid, attributes=attributes, created_ns=now, changed_ns=now, peer=peer)

    def changed(self, attributes: Attributes) -> PerformedStep:
        return replace(self, attributes=attributes, changed_ns=time.time_ns())


@dataclass(frozen=True, slots=True, kw_only=True)
class StepQuery:
    """Which scheduled steps, how many, in order of their start.

    Attributes
    ----------
    matches : keys; dates and times of the start that are both ranges are one range together (PS3.4 table K.6-1).
    states : only steps in one of these.
    after : `StepPage.cursor` of the page before.
    """

    matches: tuple[Match, ...] = ()
    states: frozenset[State] = frozenset(State)
    fuzzy: bool = False
    limit: int = 100
    offset: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class StepPage:
    """Steps, whether there are more, and where the next page begins."""

    steps: tuple[ScheduledStep, ...]
    has_more: bool
    cursor: str


def _pack(record: list[Any], bytes_max: int, what: str, setting: str) -> bytes:
    data = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf_8", "surrogatepass")
    if len(data) > bytes_max:
        raise TooLarge(what, len(data), bytes_max, setting)
    return data


def _day(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y%m%d")
