"""How a scheduled step and its keys enter and leave the tables; steps that nobody asks for any more go by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.archive.ports import Snapshot, Transaction
from engine.archive.worklist.keys import EXPIRY, step_keys
from engine.archive.worklist.records import ScheduledStep
from engine.errors import StepNotFound, TooLarge
from engine.limits import Limits

_ID_BYTES = 32
_PRUNED_FOR_EACH = 4


def get_step(view: Snapshot, step_id: str) -> ScheduledStep:
    """Raises `StepNotFound`."""
    data = view.get("steps", step_id.encode("ascii", "replace")) if len(step_id) == _ID_BYTES else None
    if data is None:
        raise StepNotFound(step_id[:_ID_BYTES])
    return ScheduledStep.unpack(data)


def put_step(txn: Transaction, step: ScheduledStep, before: ScheduledStep | None, limits: Limits) -> None:
    """Write a step; `before` is what stands in its place now. Raises `TooLarge`."""
    if before is None:
        _prune(txn, limits)
        count = txn.count("steps")
        if count >= limits.worklist_steps_max:
            raise TooLarge(
                "the number of scheduled procedure steps",
                count + 1,
                limits.worklist_steps_max,
                "limits.worklist_steps_max",
            )
    old, new = step_keys(before) if before else set(), step_keys(step)
    txn.put("steps", step.step_id.encode(), step.pack(limits.worklist_step_bytes_max))
    for key in old - new:
        txn.delete("step_keys", key)
    for key in new - old:
        txn.put("step_keys", key, b"")


def remove_step(txn: Transaction, step: ScheduledStep) -> None:
    """What was performed of it stays."""
    txn.delete("steps", step.step_id.encode())
    for key in step_keys(step):
        txn.delete("step_keys", key)


def _prune(txn: Transaction, limits: Limits) -> None:
    oldest = (datetime.now(UTC) - timedelta(days=limits.worklist_days_max)).strftime("%Y%m%d").encode()
    doomed: list[bytes] = []
    for key in txn.keys("step_keys", EXPIRY, EXPIRY + oldest):
        if len(doomed) == _PRUNED_FOR_EACH:
            break
        doomed.append(key[-_ID_BYTES:])
    for step_id in doomed:
        data = txn.get("steps", step_id)
        if data is not None:
            remove_step(txn, ScheduledStep.unpack(data))
