"""N-CREATE and N-SET of performed procedure steps, in one transaction with the scheduled steps that follow them (PS3.4 F.7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from engine.archive.index import uid_key
from engine.archive.ports import Snapshot, Transaction
from engine.archive.worklist.keys import SUFFIX_BYTES, prefix_of
from engine.archive.worklist.records import Attributes, PerformedStep, ScheduledStep
from engine.archive.worklist.scheduling import put_step
from engine.dicom.performed_step import SCHEDULED_STEPS, check_created, followed, with_set
from engine.dicom.scheduled_step import (
    ACCESSION,
    ENDED,
    PATIENT_ID,
    STATUS,
    STATUS_OF,
    STEP_ID,
    State,
    identity_of,
    items_of,
    step_of,
    text_of,
    with_status,
)
from engine.errors import PerformedStepEnded, PerformedStepExists, PerformedStepNotFound, TooLarge
from engine.limits import Limits

_ID_BYTES = 32
_CREATED, _EXPIRY = b"C", b"X"
_PRUNED_AT_ONCE = 4


def get_performed(view: Snapshot, sop_instance_uid: str) -> PerformedStep:
    """Raises `PerformedStepNotFound`."""
    data = view.get("performed", uid_key(sop_instance_uid))
    if data is None:
        raise PerformedStepNotFound(sop_instance_uid)
    return PerformedStep.unpack(data)


def performed_of(view: Snapshot, step_id: str) -> list[PerformedStep]:
    """What was performed of a scheduled step, the first first."""
    found = [view.get("performed", key[_ID_BYTES:]) for key in view.keys("links", *_range(step_id.encode()))]
    return sorted((PerformedStep.unpack(data) for data in found if data), key=lambda one: one.created_ns)


def newest(view: Snapshot, limit: int, offset: int) -> list[PerformedStep]:
    """Performed steps, the newest first."""
    keys: list[bytes] = []
    for place, (_, key) in enumerate(view.scan("performed_keys", *_range(_CREATED), is_reversed=True)):
        if place >= offset + limit:
            break
        if place >= offset:
            keys.append(key)
    found = [view.get("performed", key) for key in keys]
    return [PerformedStep.unpack(data) for data in found if data]


def create(txn: Transaction, step: PerformedStep, limits: Limits) -> PerformedStep:
    """Raises `PerformedStepExists`, what `check_created` raises, and `TooLarge`."""
    key = uid_key(step.sop_instance_uid)
    if txn.get("performed", key) is not None:
        raise PerformedStepExists(step.sop_instance_uid)
    check_created(step.attributes)
    _prune(txn, limits)
    count = txn.count("performed")
    if count >= limits.performed_steps_max:
        raise TooLarge(
            "the number of performed procedure steps",
            count + 1,
            limits.performed_steps_max,
            "limits.performed_steps_max",
        )
    txn.put("performed", key, step.pack(limits.performed_step_bytes_max))
    txn.put("performed_keys", _CREATED + step.created_ns.to_bytes(8, "big") + key, key)
    txn.put("performed_keys", _EXPIRY + step.kept_from.encode() + key, key)
    for step_id in {*step.scheduled, *_meant(txn, step.attributes)}:
        txn.put("links", step_id.encode() + key, b"")
        follow(txn, step_id, limits)
    return step


def change(txn: Transaction, sop_instance_uid: str, modifications: Attributes, limits: Limits) -> PerformedStep:
    """Raises `PerformedStepNotFound`, `PerformedStepEnded`, what `with_set` raises, and `TooLarge`."""
    before = get_performed(txn, sop_instance_uid)
    if before.state in ENDED:
        raise PerformedStepEnded(sop_instance_uid, before.state)
    step = before.changed(with_set(before.attributes, modifications))
    key = uid_key(sop_instance_uid)
    txn.put("performed", key, step.pack(limits.performed_step_bytes_max))
    txn.delete("performed_keys", _EXPIRY + before.kept_from.encode() + key)
    txn.put("performed_keys", _EXPIRY + step.kept_from.encode() + key, key)
    for step_id in {*step.scheduled, *_meant(txn, step.attributes)}:
        follow(txn, step_id, limits)
    return step


def follow(txn: Transaction, step_id: str, limits: Limits) -> None:
    """The scheduled step takes the state that what was performed of it says; nothing happens where it is not known."""
    data = txn.get("steps", step_id.encode())
    if data is None:
        return
    before = ScheduledStep.unpack(data)
    performed = performed_of(txn, step_id)
    status = followed(one.attributes for one in performed) or STATUS_OF[State.SCHEDULED]
    if performed and status != text_of(step_of(before.attributes), STATUS):
        put_step(txn, before.changed(with_status(before.attributes, status)), before, limits)


def _meant(view: Snapshot, attributes: Attributes) -> Iterator[str]:
    """Steps that are named by another Study Instance UID than ours: of the same order, step ID and patient.

    Some modalities make a study of their own although they took the step from the worklist.
    """
    patient = text_of(attributes, PATIENT_ID)
    for item in items_of(attributes, SCHEDULED_STEPS):
        accession, step_id = text_of(item, ACCESSION), text_of(item, STEP_ID)
        if not (accession and step_id and patient):
            continue
        for key in view.keys("step_keys", *_range(prefix_of(ACCESSION, accession))):
            data = view.get("steps", key[-_ID_BYTES:])
            if data is None or len(key) != len(prefix_of(ACCESSION, accession)) + SUFFIX_BYTES:
                continue
            found = ScheduledStep.unpack(data).attributes
            if (text_of(step_of(found), STEP_ID), text_of(found, PATIENT_ID)) == (step_id, patient):
                yield identity_of(found)


def _prune(txn: Transaction, limits: Limits) -> None:
    """Let go of a few that are too old; each creation pays for so many, so the number stays bounded."""
    oldest = (datetime.now(UTC) - timedelta(days=limits.worklist_days_max)).strftime("%Y%m%d").encode()
    doomed: list[tuple[bytes, bytes]] = []
    for expiry, key in txn.scan("performed_keys", _EXPIRY, _EXPIRY + oldest):
        if len(doomed) == _PRUNED_AT_ONCE:
            break
        doomed.append((expiry, key))
    for expiry, key in doomed:
        data = txn.get("performed", key)
        txn.delete("performed_keys", expiry)
        if data is None:
            continue
        step = PerformedStep.unpack(data)
        txn.delete("performed", key)
        txn.delete("performed_keys", _CREATED + step.created_ns.to_bytes(8, "big") + key)
        for step_id in {*step.scheduled, *_meant(txn, step.attributes)}:
            txn.delete("links", step_id.encode() + key)


def _range(prefix: bytes) -> tuple[bytes, bytes]:
    return prefix, prefix[:-1] + bytes((prefix[-1] + 1,))
