"""A storage commitment SCU by pynetdicom for tests: asks, and hears the reports, over the same association or over new ones."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from pydicom import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, Association, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel as PUSH_MODEL
from pynetdicom.sop_class import StorageCommitmentPushModelInstance as INSTANCE

CT = "1.2.840.10008.5.1.4.1.1.2"


class Asking:
    """``with Asking(port) as modality:``; called ``MODALITY``, listens on `port`.

    Attributes
    ----------
    reports : event type and data set of each, and whether it came over an association of the other side.
    statuses : that reports are answered with, one after the other; then with success.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.reports: list[tuple[int, Dataset, bool]] = []
        self.statuses: list[int] = []
        self._come = threading.Condition()
        self._ae = AE("MODALITY")
        self._ae.add_requested_context(PUSH_MODEL, ExplicitVRLittleEndian)
        self._ae.add_supported_context(PUSH_MODEL, ExplicitVRLittleEndian, scu_role=False, scp_role=True)

    def __enter__(self) -> Asking:
        self.listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.deafen()

    def listen(self) -> None:
        self._server = self._ae.start_server(
            ("127.0.0.1", self._port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._hear)]
        )

    def deafen(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _hear(self, event: Any) -> tuple[int, None]:
        with self._come:
            status = self.statuses.pop(0) if self.statuses else 0
            if status == 0:
                self.reports.append((event.event_type, event.event_information, event.assoc.is_acceptor))
            self._come.notify_all()
        return status, None

    def associate(self, address: tuple[str, int]) -> Association:
        assoc = self._ae.associate(
            *address, ae_title="VOXCAST", evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._hear)],
            ext_neg=[build_role(PUSH_MODEL, scu_role=True)],
        )  # fmt: skip
        assert assoc.is_established
        return assoc

    def ask(
        self,
        assoc: Association,
        transaction_uid: str,
        instances: Sequence[str | tuple[str, str]],
        *,
        action: int = 1,
        instance: str = INSTANCE,
    ) -> int:
        """The status of the N-ACTION response."""
        ds = Dataset()
        if transaction_uid:
            ds.TransactionUID = transaction_uid
        ds.ReferencedSOPSequence = Items([])
        for one in instances:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = (CT, one) if isinstance(one, str) else one
            ds.ReferencedSOPSequence.append(item)
        status, _ = assoc.send_n_action(ds, action, PUSH_MODEL, instance)
        return int(status.Status)

    def wait(self, count: int = 1, seconds: float = 30) -> list[tuple[int, Dataset, bool]]:
        """The reports, once there are so many."""
        with self._come:
            assert self._come.wait_for(lambda: len(self.reports) >= count, seconds), f"no report within {seconds} s"
            return list(self.reports)


def committed(ds: Dataset) -> list[str]:
    return [str(one.ReferencedSOPInstanceUID) for one in ds.get("ReferencedSOPSequence") or ()]


def failed(ds: Dataset) -> dict[str, int]:
    """Failure Reason by SOP Instance UID."""
    return {str(one.ReferencedSOPInstanceUID): one.FailureReason for one in ds.get("FailedSOPSequence") or ()}
