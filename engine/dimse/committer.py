"""Who keeps the promises of storage commitment: reads and hashes what was named, and reports it until that is heard (PS3.4 J.3)."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence

from engine.archive.archive import Archive
from engine.archive.commitments import Commitment, Commitments, Failure, Reference
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from engine.dimse.association import Association, AssociationEnded
from engine.dimse.calling import call
from engine.dimse.commitment import PUSH_MODEL, report
from engine.dimse.negotiation import Proposal
from engine.errors import EngineError, InstanceNotFound
from engine.peers import peer_titled
from engine.settings import Settings

_LOG = logging.getLogger(__name__)
_PROCESSING_FAILURE, _NO_SUCH_INSTANCE, _CLASS_CONFLICT = 0x0110, 0x0112, 0x0119
_BACKOFF_S_MIN = 5.0
_SAME_ASSOCIATION_S = 45.0  # longer than a report may take on it
_LOOK_EVERY_S = 60.0
_CLOSE_S = 5.0


class _Closing(Exception):
    """The server ends."""


class Committer:
    """A thread that works off `commitments`; `take` and `begin` from any."""

    def __init__(self, commitments: Commitments, archive: Archive, settings: Settings) -> None:
        self._commitments, self._archive, self._settings = commitments, archive, settings
        self._asked_over: dict[int, Association] = {}
        self._not_before: dict[str, int] = {}  # by AE title: one that does not answer must not keep the others waiting
        self._lock = threading.Lock()
        self._woken, self._is_closing = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="storage commitment", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_closing = True
        self._woken.set()
        self._thread.join(_CLOSE_S)

    def take(self, association: Association, transaction_uid: str, instances: Sequence[Reference]) -> bool:
        """Keep a request, durably; False where another one of this Transaction UID is under way. Raises EngineError."""
        number = self._commitments.add(association.peer, association.called, transaction_uid, instances)
        if number is None:
            return False
        with self._lock:
            self._asked_over = {key: one for key, one in self._asked_over.items() if one.is_open}
            self._asked_over[number] = association
        return True

    def begin(self) -> None:
        """The requestor has its answer."""
        self._woken.set()

    def _run(self) -> None:
        while not self._is_closing:
            self._woken.clear()
            try:
                while not self._is_closing and (one := self._commitments.due(time.time_ns())) is not None:
                    self._work(one)
                next_ns = self._commitments.next_ns()
            except _Closing:
                return
            except Exception:  # noqa: BLE001 - the thread has to live on: others count on it
                _LOG.exception("storage commitment: what waits cannot be worked off now")
                next_ns = time.time_ns() + int(_LOOK_EVERY_S * 1e9)
            wait = _LOOK_EVERY_S if next_ns is None else (next_ns - time.time_ns()) / 1e9
            self._woken.wait(min(max(wait, 0.0), _LOOK_EVERY_S))

    def _work(self, one: Commitment) -> None:
        if one.failures is None:
            self._commitments.looked_at(one.number, self._failures(one.instances))
            looked = self._commitments.get(one.number)
            if looked is None:
                return
            one = looked
        now = time.time_ns()
        with self._lock:
            association = self._asked_over.pop(one.number, None)
        if association is None and self._not_before.get(one.ae_title, 0) > now:
            self._commitments.postpone(
                one.number, self._not_before[one.ae_title], one.last_error or "its turn comes later"
            )
            return
        error = self._report(one, association)
        if not error:
            self._not_before.pop(one.ae_title, None)
            self._commitments.done(one.number)
            failed = len(one.failures or ())
            _LOG.info("committed to %d instances for %s, not to %d", len(one.instances) - failed, one.ae_title, failed)
            return
        limits = self._settings.limits
        if now - one.created_ns > limits.commitment_retry_s_max * 10**9:
            _LOG.error("%s was never told of its storage commitment %s: %s", one.ae_title, one.transaction_uid, error)
            self._commitments.done(one.number)
            return
        wait_s = min(_BACKOFF_S_MIN * 2.0 ** min(one.attempts, 30), limits.outbox_backoff_s_max)
        next_ns = now + int(wait_s * random.uniform(0.75, 1.0) * 1e9)
        _LOG.warning("%s cannot be told of its storage commitment: %s; again in %.0f s", one.ae_title, error, wait_s)
        self._not_before = {title: at for title, at in self._not_before.items() if at > now} | {one.ae_title: next_ns}
        self._commitments.postpone(one.number, next_ns, error)

    def _failures(self, instances: Sequence[Reference]) -> list[Failure]:
        """What of these we do not have as it was acknowledged; each is read from its start to its end."""
        upkeep, failures = self._archive.upkeep(), []
        for class_uid, uid in instances:
            if self._is_closing:
                raise _Closing
            reason = 0
            try:
                record = self._archive.instance(uid)
                if record.sop_class_uid != class_uid:
                    reason = _CLASS_CONFLICT
                elif problem := upkeep.problem_of(record):
                    _LOG.error("storage commitment: instance %s: %s", uid, problem)
                    reason = _PROCESSING_FAILURE
            except InstanceNotFound:
                reason = _NO_SUCH_INSTANCE
            except EngineError as error:
                _LOG.error("storage commitment: instance %s: %s", uid, error)
                reason = _PROCESSING_FAILURE
            if reason:
                failures.append((class_uid, uid, reason))
        return failures

    def _report(self, one: Commitment, association: Association | None) -> str:
        """Over the association of the request while that is there, else over one of our own; why it has not been heard."""
        if association is not None and association.is_open:
            errand = _Errand(association, one, self._settings.aet)
            association.post(errand)
            if errand.wait(_SAME_ASSOCIATION_S):
                return ""
        peer = peer_titled(self._settings.peers, one.ae_title)
        if peer is None or not peer.is_reachable:
            return "it is no peer that we can call"
        proposal = Proposal(
            contexts=[(PUSH_MODEL, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))],
            roles={PUSH_MODEL: (False, True)},  # we call, and are the SCP (PS3.4 J.3.3)
        )
        try:
            ours = call(peer, proposal, self._settings)
        except EngineError as error:
            return str(error)
        try:
            error_ = report(ours, one, self._settings.aet)
            ours.release()
            return error_
        except AssociationEnded as error:
            return error.reason
        finally:
            ours.abort()  # unless released


class _Errand:
    """A report over the association of the request; called on that one's thread, once."""

    def __init__(self, association: Association, commitment: Commitment, ae_title: str) -> None:
        self._association, self._commitment, self._ae_title = association, commitment, ae_title
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._state = "waiting"
        self._is_heard = False

    def __call__(self) -> None:
        with self._lock:
            if self._state != "waiting":
                return
            self._state = "running"
        try:
            self._is_heard = not report(self._association, self._commitment, self._ae_title)
        finally:
            self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Whether the requestor has heard it; ends soon when the association does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._ended.wait(0.1):
            if not self._association.is_open and self._state == "waiting":
                break
        with self._lock:
            if self._state == "waiting":
                self._state = "given up"
                return False
        self._ended.wait(seconds)
        return self._is_heard
