"""A requestor on one open association: echoes and queries, each timed from its first byte to the last of the final response."""

from __future__ import annotations

from pydicom import Dataset
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from benchmarks.client import BadAnswer
from engine.dimse.command import C_ECHO, C_FIND, Command, request
from engine.dimse.negotiation import Proposal
from engine.dimse.requestor import associate
from engine.limits import Limits

_IMPLICIT = "1.2.840.10008.1.2"
_PENDING = (0xFF00, 0xFF01)


class Asker:
    """One association with a server on this machine; without Nagle's algorithm on both sides."""

    def __init__(self, port: int, called: str = "ANY-SCP") -> None:
        self._contexts = [(str(uid), [_IMPLICIT]) for uid in (Verification, StudyRootQueryRetrieveInformationModelFind)]
        self._association = associate(
            ("127.0.0.1", port), Proposal(contexts=self._contexts), calling="BENCHMARK", called=called, limits=Limits()
        )
        self.study_instance_uid = ""

    def echo(self, _: int) -> None:
        self._ask(C_ECHO, 0, None)

    def find(self, _: int) -> None:
        """The study that `study_instance_uid` names: one match."""
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        identifier.StudyInstanceUID = self.study_instance_uid
        identifier.PatientName = identifier.PatientID = identifier.StudyDate = identifier.AccessionNumber = ""
        matches = self._ask(C_FIND, 1, encode(identifier, True, True))
        if matches != 1:
            raise BadAnswer(f"{matches} studies have one UID")

    def any_study(self) -> str:
        """The UID of one that the server has."""
        identifier = Dataset()
        identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", ""
        self._ask(C_FIND, 1, encode(identifier, True, True))
        return self._last

    def close(self) -> None:
        self._association.release()

    def _ask(self, field: int, context: int, identifier: bytes | None) -> int:
        uid = self._contexts[context][0]
        number = self._association.next_message_id()
        values = {} if field == C_ECHO else {"Priority": 0}
        self._association.send(2 * context + 1, request(field, number, AffectedSOPClassUID=uid, **values), identifier)
        matches = 0
        while True:
            message = self._association.receive()
            if message is None:
                raise BadAnswer("the server ended the association")
            if message.command.status not in _PENDING:
                break
            matches += 1
            if message.data is not None:
                self._remember(bytes(message.data))
        if not _is_success(message.command):
            raise BadAnswer(f"status {message.command.status:04X}")
        return matches

    def _remember(self, identifier: bytes) -> None:
        at = identifier.find(b"\x20\x00\x0d\x00")
        length = int.from_bytes(identifier[at + 4 : at + 8], "little")
        self._last = identifier[at + 8 : at + 8 + length].rstrip(b"\0 ").decode()


def _is_success(command: Command) -> bool:
    return command.status == 0
