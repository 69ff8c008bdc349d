"""The C-STORE sub-operations of one C-MOVE or C-GET: what is left of them, what became of each, and what the requestor hears of it.

PS3.4 C.4.2.3.1, C.4.3.3.1, PS3.7 9.1.3, 9.1.4.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydicom import Dataset

from engine.dimse.association import Association, Message
from engine.dimse.data_set import encode
from engine.dimse.outgoing import Outgoing
from engine.dimse.sender import Fate, Outcome
from engine.dimse.status import (
    CANCELLED,
    PENDING,
    SUB_OPERATIONS_FAILED,
    SUB_OPERATIONS_WARNING,
    SUCCESS,
)
from engine.dimse.wanted import Wanted
from engine.errors import EngineError

PENDING_EVERY_S = 0.25  # often enough for a progress bar, and for those who take silence for a fault
_COUNT_MAX = 0xFFFF  # US
_UIDS_BYTES_MAX = 0xFFFE  # of a value with a length of 16 bits (PS3.5 7.1.2)


class SubOperations:
    """Counts, and says so; on the thread of the requestor's association.

    Parameters
    ----------
    association, message : of the request.

    Attributes
    ----------
    unsettled : SOP Instance UIDs of which nothing is known yet, with what they are.
    failed : UIDs of those that the receiver has not got.
    later : those of `failed` that another attempt may bring.
    """

    def __init__(self, association: Association, message: Message, wanted: Iterable[Wanted]) -> None:
        self._association, self._message = association, message
        self.unsettled = {one.sop_instance_uid: one for one in wanted}
        self.failed: list[str] = []
        self.later: list[Wanted] = []
        self.is_cancelled = False
        self._completed = self._warned = 0
        self._reason = ""
        self._said = 0.0

    def instances(self, outgoing: Callable[[Wanted], Outgoing]) -> Iterator[Outgoing]:
        """What is to be sent, one at a time, until it is all or the requestor cancels."""
        for one in list(self.unsettled.values()):
            self.look()
            if self.is_cancelled:
                return
            try:
                instance = outgoing(one)
            except (EngineError, OSError) as error:  # deleted meanwhile, or it cannot be made
                self.settle(one.sop_instance_uid, Outcome(Fate.REFUSED, reason=str(error)))
                continue
            yield instance

    def look(self) -> None:
        """See whether the requestor has cancelled. Raises AssociationEnded when it is gone."""
        if not self.is_cancelled:
            self.is_cancelled = self._association.is_cancelled(self._message.command.message_id)

    def wait(self) -> None:
        """While the receiver takes its time."""
        self.look()
        self.tell()

    def settle(self, sop_instance_uid: str, outcome: Outcome) -> None:
        """Count one, and tell the requestor now and then."""
        one = self.unsettled.pop(sop_instance_uid)
        if outcome.fate is Fate.TAKEN:
            self._completed += not outcome.reason
            self._warned += bool(outcome.reason)
        else:
            self.failed.append(sop_instance_uid)
            if outcome.fate is Fate.LATER:
                self.later.append(one)
        self._reason = self._reason or outcome.reason
        self.tell()

    def give_up(self, reason: str) -> None:
        """Nothing more can be sent: the rest has failed, for now."""
        for uid in list(self.unsettled):
            self.settle(uid, Outcome(Fate.LATER, reason=reason))

    def tell(self) -> None:
        """A pending response, unless the last is not long ago."""
        now = time.monotonic()
        if self.unsettled and now - self._said >= PENDING_EVERY_S:
            self._said = now
            self._association.respond(self._message, PENDING, **self._counts(has_remaining=True))

    def finish(self, comment: str = "") -> None:
        """The final response."""
        is_interrupted = self.is_cancelled and bool(self.unsettled)
        if is_interrupted:
            status = CANCELLED
        elif not self.failed and not self._warned:
            status = SUCCESS
        elif self._completed or self._warned:
            status = SUB_OPERATIONS_WARNING
        else:
            status = SUB_OPERATIONS_FAILED
        data = None
        if self.failed:
            ds = Dataset()
            ds.FailedSOPInstanceUIDList = list(_fitting(self.failed))
            data = encode(ds, self._message.context.transfer_syntax)
        self._association.respond(self._message, status, data, comment=comment or self._reason,
                                  **self._counts(has_remaining=is_interrupted))  # fmt: skip

    def _counts(self, *, has_remaining: bool) -> dict[str, Any]:
        counts = {"Completed": self._completed, "Failed": len(self.failed), "Warning": self._warned}
        if has_remaining:
            counts["Remaining"] = len(self.unsettled)
        return {f"NumberOf{name}Suboperations": min(count, _COUNT_MAX) for name, count in counts.items()}


def _fitting(uids: Iterable[str]) -> Iterator[str]:
    """As many as the attribute has room for."""
    room = _UIDS_BYTES_MAX
    for uid in uids:
        room -= len(uid) + 1
        if room < 0:
            return
        yield uid
