"""The worklist of an archive: scheduled procedure steps, and the performed ones that modalities report (PS3.4 annexes F and K)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from engine.archive.ports import Snapshot, Transaction
from engine.archive.worklist import performing
from engine.archive.worklist.environment import Environment
from engine.archive.worklist.records import Attributes, PerformedStep, ScheduledStep, StepPage, StepQuery
from engine.archive.worklist.scheduling import get_step, put_step, remove_step
from engine.archive.worklist.search import find
from engine.dicom.scheduled_step import (
    STATUS,
    STUDY_UID,
    State,
    identity_of,
    state_of,
    step_of,
    text_of,
    with_status,
)
from engine.errors import (
    EngineError,
    InvalidAttributeValue,
    PerformedStepNotFound,
    StepExists,
    StepNotFound,
    StepUnderWay,
)
from engine.limits import Limits


class Taken(StrEnum):
    """What became of an imported item."""

    STORED = "stored"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Worklist:
    """All of it is on stable storage when a call that changes something returns. Thread-safe, in many processes at once.

    Items and modifications must be of one form (`dicom.canonical`) and, items, checked (`dicom.scheduled_step.check`).
    """

    def __init__(self, path: Path | None, limits: Limits, is_writable: bool) -> None:
        self._environment, self._limits = Environment(path, is_writable), limits

    def close(self) -> None:
        self._environment.close()

    # -- scheduled

    def find(self, query: StepQuery) -> StepPage:
        """Steps that match every key, in order of start."""
        return self._environment.read(lambda view: find(view, query), lambda: StepPage((), False, query.after))

    def get(self, step_id: str) -> ScheduledStep:
        """Raises `StepNotFound`."""
        return self._environment.read(lambda view: get_step(view, step_id), lambda: _raise(StepNotFound(step_id[:32])))

    def schedule(self, items: Sequence[Attributes], origin: str) -> list[ScheduledStep]:
        """Take these items up: all of them, or none.

        Raises
        ------
        StepExists : one with the same Study Instance UID and Scheduled Procedure Step ID is there.
        TooLarge, ArchiveFull, ArchiveReadOnly
        """

        def work(txn: Transaction) -> list[ScheduledStep]:
            found = []
            for item in items:
                step = ScheduledStep.new(item, origin)
                if txn.get("steps", step.step_id.encode()) is not None:
                    raise StepExists(step.step_id)
                put_step(txn, step, None, self._limits)
                # A modality may have begun before the order was here.
                performing.follow(txn, step.step_id, self._limits)
                found.append(get_step(txn, step.step_id))
            return found

        return self._environment.write(work)

    def take(self, item: Attributes, origin: str) -> tuple[ScheduledStep, Taken]:
        """Take an item up, or bring the one that is there to the same contents; safe to repeat."""

        def work(txn: Transaction) -> tuple[ScheduledStep, Taken]:
            data = txn.get("steps", identity_of(item).encode())
            if data is None:
                step = ScheduledStep.new(item, origin)
                put_step(txn, step, None, self._limits)
                performing.follow(txn, step.step_id, self._limits)
                return get_step(txn, step.step_id), Taken.STORED
            before = ScheduledStep.unpack(data)
            # Files say SCHEDULED for ever: what modalities have reported since then is newer.
            is_older = state_of(item) is State.SCHEDULED and before.state is not State.SCHEDULED
            wanted = _with_state_of(before, with_status(item, "") if is_older else item)
            if wanted == before.attributes:
                return before, Taken.UNCHANGED
            step = before.changed(wanted)
            put_step(txn, step, before, self._limits)
            return step, Taken.CHANGED

        return self._environment.write(work)

    def change(self, step_id: str, make: Callable[[Attributes], Attributes]) -> ScheduledStep:
        """Put what `make` makes of a step in its place. Its state stays unless that names a Scheduled Procedure Step Status.

        Raises
        ------
        StepNotFound
        InvalidAttributeValue : the item is that of another step.
        """

        def work(txn: Transaction) -> ScheduledStep:
            before = get_step(txn, step_id)
            item = make(before.attributes)
            if identity_of(item) != step_id:
                is_same_study = text_of(item, STUDY_UID) == text_of(before.attributes, STUDY_UID)
                raise InvalidAttributeValue(
                    "ScheduledProcedureStepID" if is_same_study else "StudyInstanceUID",
                    "what the step has: images refer to it by this; remove the step and make another",
                )
            step = before.changed(_with_state_of(before, item))
            put_step(txn, step, before, self._limits)
            return step

        return self._environment.write(work)

    def remove(self, step_id: str) -> ScheduledStep:
        """Forget a step; what was performed of it stays.

        Raises
        ------
        StepNotFound
        StepUnderWay
        """

        def work(txn: Transaction) -> ScheduledStep:
            step = get_step(txn, step_id)
            if step.state is State.IN_PROGRESS:
                raise StepUnderWay(step_id)
            remove_step(txn, step)
            return step

        return self._environment.write(work)

    # -- performed

    def perform(self, step: PerformedStep) -> PerformedStep:
        """N-CREATE; the scheduled steps that it names are in progress then.

        Raises
        ------
        PerformedStepExists, MissingAttribute, MissingAttributeValue, InvalidAttributeValue
        TooLarge, ArchiveFull, ArchiveReadOnly
        """
        return self._environment.write(lambda txn: performing.create(txn, step, self._limits))

    def set_performed(self, sop_instance_uid: str, modifications: Attributes) -> PerformedStep:
        """N-SET; the scheduled steps follow.

        Raises
        ------
        PerformedStepNotFound, PerformedStepEnded, UnexpectedAttribute, MissingAttribute, MissingAttributeValue,
        InvalidAttributeValue, TooLarge, ArchiveFull, ArchiveReadOnly
        """
        return self._environment.write(
            lambda txn: performing.change(txn, sop_instance_uid, modifications, self._limits)
        )

    def performed(self, sop_instance_uid: str) -> PerformedStep:
        """Raises `PerformedStepNotFound`."""
        return self._environment.read(
            lambda view: performing.get_performed(view, sop_instance_uid),
            lambda: _raise(PerformedStepNotFound(sop_instance_uid)),
        )

    def performed_of(self, step_id: str) -> list[PerformedStep]:
        """What was performed of a scheduled step, the first first."""
        return self._environment.read(lambda view: performing.performed_of(view, step_id), list)

    def newest_performed(self, limit: int, offset: int = 0) -> list[PerformedStep]:
        """Performed steps, scheduled or not, the newest first."""
        return self._environment.read(lambda view: performing.newest(view, limit, offset), list)

    def dump(self) -> dict[str, list[tuple[bytes, bytes]]]:
        """Every entry of every table."""

        def work(view: Snapshot) -> dict[str, list[tuple[bytes, bytes]]]:
            return {table: list(view.scan(table)) for table in ("steps", "step_keys", "performed", "links")}

        return self._environment.read(work, dict)


def _with_state_of(before: ScheduledStep, item: Attributes) -> Attributes:
    """`item`, in the state of `before` where it names none itself."""
    has_status = text_of(step_of(item), STATUS)
    return item if has_status else with_status(item, text_of(step_of(before.attributes), STATUS))


def _raise(error: EngineError) -> NoReturn:
    raise error
