"""One modality at work: it asks for its worklist, reports, sends, wants to be sure, looks; and tries again when the line breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import TypeVar

from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom.dsutils import decode, encode

from benchmarks.hospital.instances import make
from benchmarks.hospital.trace import Examination
from engine.dimse.association import Association, AssociationEnded
from engine.dimse.command import C_FIND, C_STORE, N_ACTION, N_CREATE, N_EVENT_REPORT, N_SET, request
from engine.dimse.negotiation import Proposal
from engine.dimse.requestor import associate
from engine.errors import PeerUnavailable
from engine.limits import Limits

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
WORKLIST, MPPS = "1.2.840.10008.5.1.4.31", "1.2.840.10008.3.1.2.3.3"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
_TRIES, _PAUSE_S = 50, 0.2
_REPORT_S = 30.0
_PENDING = (0xFF00, 0xFF01)
T = TypeVar("T")


@dataclass
class Done:
    """What one modality has to tell; times in seconds by kind of operation."""

    times: dict[str, list[float]] = field(default_factory=dict)
    stored: list[tuple[str, str]] = field(
        default_factory=list
    )  # acknowledged: SOP Instance UID, SHA-256 of the data set
    committed: int = 0
    broken: int = 0
    wrong: list[str] = field(default_factory=list)


class Modality:
    """Calls the archive on this machine as `station`; for one thread."""

    def __init__(self, station: str, port: int, done: Done) -> None:
        self._station, self._port, self._done = station, port, done

    def examine(self, one: Examination) -> None:
        """The whole examination; every step until it has been acknowledged."""
        instances = [make(one, n) for n in range(one.instances)]
        performed = generate_uid(entropy_srcs=[str(one.number), "performed"])
        acknowledged: set[str] = set()

        def store(line: Association) -> None:
            context = line.context_for(one.kind.sop_class_uid)
            assert context is not None
            for made in instances:
                if made.sop_instance_uid in acknowledged:
                    continue
                command = request(
                    C_STORE, line.next_message_id(), AffectedSOPClassUID=one.kind.sop_class_uid,
                    AffectedSOPInstanceUID=made.sop_instance_uid, Priority=0,
                )  # fmt: skip
                status = self._timed("store", lambda c=command, m=made: self._ask(line, context.id, c, m.pieces)[0])
                if status == 0:
                    acknowledged.add(made.sop_instance_uid)
                    self._done.stored.append((made.sop_instance_uid, made.sha256.hex()))
                else:
                    raise AssociationEnded(f"C-STORE {status:04X}")

        steps: list[Callable[[Association], None]] = [
            lambda line: self._look_up(line, one),
            lambda line: self._report(line, N_CREATE, performed, _begun(one), (0, 0x0111)),
            store,
            lambda line: self._report(line, N_SET, performed, _ended(one), (0, 0x0110)),
            lambda line: self._commit(line, one, [made.sop_instance_uid for made in instances]),
            lambda line: self._count(line, one),
        ]
        at = 0
        for _ in range(_TRIES):
            try:
                line = self._associate(one)
                while at < len(steps):
                    steps[at](line)
                    at += 1
                line.release()
                return
            except (AssociationEnded, PeerUnavailable):
                self._done.broken += 1
                time.sleep(_PAUSE_S)
        self._done.wrong.append(f"examination {one.number} did not come to its end: step {at}")

    def _associate(self, one: Examination) -> Association:
        contexts = [
            (uid, [EXPLICIT, IMPLICIT]) for uid in (WORKLIST, MPPS, STUDY_ROOT, COMMITMENT, one.kind.sop_class_uid)
        ]
        return associate(
            ("127.0.0.1", self._port),
            Proposal(contexts=contexts),
            calling=self._station,
            called="VOXCAST",
            limits=Limits(),
        )

    def _look_up(self, line: Association, one: Examination) -> None:
        wanted = Dataset()
        wanted.PatientName = wanted.PatientID = wanted.StudyInstanceUID = ""
        wanted.AccessionNumber = f"A{one.number:06}"
        step = Dataset()
        step.ScheduledStationAETitle, step.Modality, step.ScheduledProcedureStepID = self._station, "", ""
        wanted.ScheduledProcedureStepSequence = [step]
        found = self._timed("worklist", lambda: self._find(line, WORKLIST, wanted))
        if [str(ds.StudyInstanceUID) for ds in found] != [one.study_instance_uid]:
            self._done.wrong.append(f"worklist of examination {one.number}: {len(found)} steps")

    def _count(self, line: Association, one: Examination) -> None:
        wanted = Dataset()
        wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", one.study_instance_uid
        wanted.NumberOfStudyRelatedInstances = None
        found = self._timed("query", lambda: self._find(line, STUDY_ROOT, wanted))
        if [int(ds.NumberOfStudyRelatedInstances) for ds in found] != [one.instances]:
            self._done.wrong.append(f"study of examination {one.number}: {found}")

    def _find(self, line: Association, model: str, wanted: Dataset) -> list[Dataset]:
        context = line.context_for(model)
        assert context is not None
        is_implicit = context.transfer_syntax == IMPLICIT
        number = line.next_message_id()
        line.send(
            context.id,
            request(C_FIND, number, AffectedSOPClassUID=model, Priority=0),
            encode(wanted, is_implicit, True),
        )
        found = []
        while True:
            message = line.receive()
            if message is None or message.command.status not in _PENDING:
                if message is None or message.command.status:
                    raise AssociationEnded("C-FIND failed")
                return found
            assert message.data is not None
            found.append(decode(BytesIO(message.data), is_implicit, True))

    def _report(self, line: Association, field: int, uid: str, ds: Dataset, statuses: tuple[int, ...]) -> None:
        context = line.context_for(MPPS)
        assert context is not None
        data = encode(ds, context.transfer_syntax == IMPLICIT, True)
        names = ("Affected" if field == N_CREATE else "Requested") + "SOPClassUID"
        command = request(field, line.next_message_id(), **{names: MPPS, names.replace("Class", "Instance"): uid})
        status = self._timed("mpps", lambda: self._ask(line, context.id, command, (data or b"",))[0])
        if status not in statuses:  # of the second try: it was there already
            self._done.wrong.append(f"MPPS {field:04X}: {status:04X}")

    def _commit(self, line: Association, one: Examination, uids: list[str]) -> None:
        context = line.context_for(COMMITMENT)
        if context is None:
            return
        ds = Dataset()
        ds.TransactionUID = generate_uid()
        ds.ReferencedSOPSequence = [_reference(one, uid) for uid in uids]
        is_implicit = context.transfer_syntax == IMPLICIT
        command = request(
            N_ACTION, line.next_message_id(), RequestedSOPClassUID=COMMITMENT, RequestedSOPInstanceUID=COMMITMENT_INSTANCE,
            ActionTypeID=1,
        )  # fmt: skip

        def whole() -> None:
            status, _ = self._ask(line, context.id, command, (encode(ds, is_implicit, True) or b"",))
            if status:
                raise AssociationEnded(f"N-ACTION {status:04X}")
            event = line.receive(_REPORT_S)
            if event is None or event.command.field != N_EVENT_REPORT or event.data is None:
                raise AssociationEnded("no report of the commitment")
            said = decode(BytesIO(event.data), is_implicit, True)
            line.respond(event, 0, EventTypeID=event.command.number("EventTypeID"))
            self._done.committed += len(said.get("ReferencedSOPSequence") or ())
            if said.get("FailedSOPSequence"):
                self._done.wrong.append(f"commitment of examination {one.number} failed")

        self._timed("commit", whole)

    def _ask(self, line: Association, context: int, command: object, data: tuple[bytes, ...]) -> tuple[int, object]:
        line.send(context, command, data)  # type: ignore[arg-type]
        message = line.receive()
        if message is None:
            raise AssociationEnded("released by the archive")
        return message.command.status, message

    def _timed(self, kind: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = work()
        self._done.times.setdefault(kind, []).append(time.perf_counter() - start)
        return result


def scheduled(one: Examination) -> bytes:
    """The step, as the department's system plans it: the body of a POST to /api/worklist."""
    step = {
        "00400001": {"vr": "AE", "Value": [one.station]},
        "00080060": {"vr": "CS", "Value": [one.kind.modality]},
        "00400002": {"vr": "DA", "Value": ["20260101"]},
        "00400003": {"vr": "TM", "Value": ["120000"]},
        "00400009": {"vr": "SH", "Value": [f"S{one.number}"]},
    }
    item = {
        "00080050": {"vr": "SH", "Value": [f"A{one.number:06}"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"TRACE^{one.number:06}"}]},
        "00100020": {"vr": "LO", "Value": [f"T{one.number:06}"]},
        "0020000D": {"vr": "UI", "Value": [one.study_instance_uid]},
        "00400100": {"vr": "SQ", "Value": [step]},
    }
    return json.dumps(item).encode()


def _begun(one: Examination) -> Dataset:
    ds = Dataset()
    for keyword in ("PatientBirthDate", "PatientSex", "ReferencedPatientSequence", "PerformedStationName", "PerformedLocation",
                    "PerformedProcedureStepDescription", "PerformedProcedureTypeDescription", "ProcedureCodeSequence",
                    "PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime", "StudyID",
                    "PerformedProtocolCodeSequence", "PerformedSeriesSequence"):  # fmt: skip
        setattr(ds, keyword, [] if keyword.endswith("Sequence") else "")
    step = Dataset()
    step.StudyInstanceUID, step.ReferencedStudySequence = one.study_instance_uid, []
    step.AccessionNumber, step.ScheduledProcedureStepID = f"A{one.number:06}", f"S{one.number}"
    step.RequestedProcedureID = step.RequestedProcedureDescription = step.ScheduledProcedureStepDescription = ""
    step.ScheduledProtocolCodeSequence = []
    ds.ScheduledStepAttributesSequence = [step]
    ds.PatientName, ds.PatientID = f"TRACE^{one.number:06}", f"T{one.number:06}"
    ds.PerformedProcedureStepID, ds.PerformedStationAETitle = f"P{one.number}", one.station
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = "20260101", "120000"
    ds.PerformedProcedureStepStatus, ds.Modality = "IN PROGRESS", one.kind.modality
    return ds


def _ended(one: Examination) -> Dataset:
    series = Dataset()
    series.PerformingPhysicianName = series.OperatorsName = series.SeriesDescription = series.RetrieveAETitle = ""
    series.ProtocolName, series.SeriesInstanceUID = "TRACE", one.study_instance_uid + ".1"
    series.ReferencedImageSequence = [_reference(one, one.sop_instance_uid(n)) for n in range(one.instances)]
    series.ReferencedNonImageCompositeSOPInstanceSequence = []
    ds = Dataset()
    ds.PerformedProcedureStepStatus = "COMPLETED"
    ds.PerformedProcedureStepEndDate, ds.PerformedProcedureStepEndTime = "20260101", "121500"
    ds.PerformedSeriesSequence = [series]
    return ds


def _reference(one: Examination, uid: str) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID, ds.ReferencedSOPInstanceUID = one.kind.sop_class_uid, uid
    return ds
