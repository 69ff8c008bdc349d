"""C-STORE: several operations at once, what does not fit or is not understood, and the association that goes on (PS3.4 B.2.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from data import make_instance
from serving import Serving

from engine.dicom.part10 import file_meta
from engine.dimse.association import Association
from engine.dimse.command import C_ECHO, C_STORE, request
from engine.dimse.negotiation import Proposal
from engine.dimse.requestor import associate
from engine.limits import MIB, Limits

CT, VERIFICATION = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    limits = {"VOXCAST_LIMITS_INSTANCE_BYTES_MAX": str(24 * MIB)}
    with Serving(tmp_path_factory.mktemp("archive"), dicom="127.0.0.1:0", environ=limits) as running:
        yield running


def call(server: Serving, window: int = 1) -> Association:
    return associate(
        ("127.0.0.1", int(server.dicom.rpartition(":")[2])),
        Proposal(contexts=[(CT, [EXPLICIT]), (VERIFICATION, [EXPLICIT])], window=window),
        calling="SENDER",
        called="VOXCAST",
        limits=Limits(),
    )


def data_set(part10: bytes) -> bytes:
    return part10[132 + 12 + int.from_bytes(part10[140:144], "little") :]


def send(line: Association, uid: str, data: bytes) -> int:
    """Without waiting for the answer; the number of the message."""
    number = line.next_message_id()
    command = request(C_STORE, number, AffectedSOPClassUID=CT, AffectedSOPInstanceUID=uid, Priority=0)
    line.send(1, command, data)
    return number


def answer(line: Association) -> tuple[int, int]:
    message = line.receive()
    assert message is not None
    return message.command.number("MessageIDBeingRespondedTo"), message.command.status


@pytest.mark.parametrize("window", [1, 4, 0, 100])
def test_as_many_operations_at_once_as_were_agreed(server: Serving, window: int) -> None:
    line = call(server, window)
    assert line.window[1] == {1: 1, 4: 4}.get(window, Limits().operations_max)
    sent = {}
    for n in range(40):  # more than any window: whoever reads no answers meanwhile still gets each of them once
        uid = f"1.2.3.{window + 1}.{n + 1}"
        part10 = make_instance(uid, study=f"1.2.3.{window + 1}", number=n + 1)
        sent[send(line, uid, data_set(part10))] = (uid, part10)
        if window == 1:
            assert answer(line) == (list(sent)[-1], 0)
    if window != 1:
        answers = [answer(line) for _ in sent]
        assert sorted(answers) == [(number, 0) for number in sent]
    line.release()
    for uid, part10 in sent.values():
        found = server.get(f"/dicom-web/instances?SOPInstanceUID={uid}").json()
        assert len(found) == 1
        assert data_set(part10) in server.get(found[0]["00081190"]["Value"][0].removeprefix(server.url)).content


def test_answers_that_are_due_come_before_the_release(server: Serving) -> None:
    line = call(server, 8)
    numbers = [send(line, uid, data_set(make_instance(uid))) for uid in ("1.2.8.1", "1.2.8.2", "1.2.8.3")]
    line.transport.send_pdu(b"\5\0\0\0\0\4\0\0\0\0")
    assert sorted(answer(line) for _ in numbers) == [(number, 0) for number in numbers]
    line.transport.close()


@pytest.mark.parametrize("window", [1, 4])
def test_what_is_refused_says_so_and_the_association_goes_on(server: Serving, window: int) -> None:
    line = call(server, window)
    whole = data_set(make_instance(f"1.2.4.{window}.1"))
    cases = [
        (f"1.2.4.{window}.2", whole, 0xC000),  # another instance than the command says
        (f"1.2.4.{window}.1", whole[: len(whole) // 2], 0xC000),
        (f"1.2.4.{window}.3", bytes(25 * MIB), 0xA700),  # out of resources: it is longer than the limit
        (f"1.2.4.{window}.1", whole, 0),
    ]
    for uid, data, status in cases:
        number = send(line, uid, data)
        assert answer(line) == (number, status)
    number = line.next_message_id()
    line.send(3, request(C_ECHO, number, AffectedSOPClassUID=VERIFICATION))
    assert answer(line) == (number, 0)
    line.release()


def test_a_large_instance_goes_to_the_disk_as_it_comes(server: Serving) -> None:
    line = call(server)
    part10 = make_instance("1.2.5.1", rows=3072, columns=3072, pixels=bytes(range(256)) * (18 * MIB // 256))
    assert Limits().spool_bytes < len(part10)
    number = send(line, "1.2.5.1", data_set(part10))
    assert answer(line) == (number, 0)
    line.release()
    found = server.get("/dicom-web/instances?SOPInstanceUID=1.2.5.1").json()
    meta = file_meta(
        sop_class_uid=CT, sop_instance_uid="1.2.5.1", transfer_syntax_uid=EXPLICIT, source_ae_title="SENDER"
    )
    assert meta + data_set(part10) in server.get(found[0]["00081190"]["Value"][0].removeprefix(server.url)).content
