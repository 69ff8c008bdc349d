"""Storage SCU against DCMTK, pynetdicom and Orthanc: bytes as stored, conversion where it must be, statuses, broken ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from engine.archive.archive import Archive
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from engine.dimse.association import AssociationEnded
from engine.dimse.calling import call
from engine.dimse.negotiation import Proposal
from engine.dimse.outgoing import FromArchive, FromFile, Outgoing
from engine.dimse.sender import WINDOW, Fate, Outcome, Sender, contexts_for, fate_of, kind_of
from engine.errors import PeerUnavailable
from engine.limits import Limits
from engine.peers import Peer
from engine.settings import Settings
from tests.archives import incoming
from tests.data import data_files, make_instance, needs_data, pydicom_files
from tests.receiving import Orthanc, Receiver, Storescp, needs_orthanc, needs_storescp, silent, wait_until

SETTINGS = Settings(limits=Limits(association_idle_s_max=5, disk_reserve_bytes=0, peer_connect_s_max=2))
JPEG = "1.2.840.10008.1.2.4."


@pytest.fixture
def archive() -> Iterator[Archive]:
    made = Archive.in_memory(SETTINGS.limits)
    yield made
    made.close()


def stored(archive: Archive, *contents: bytes) -> list[Outgoing]:
    batch = [incoming(one, limits=SETTINGS.limits) for one in contents]
    archive.store(batch)
    records = [archive.instance(one.scanned.sop_instance_uid) for one in batch]
    return [FromArchive(archive, record, SETTINGS.limits) for record in records]


def send(peer: Peer, instances: list[Outgoing], *, transcode: bool = True, **more: Any) -> list[Outcome]:
    """Outcomes, in the order of the instances."""
    proposal = Proposal(contexts=contexts_for(map(kind_of, instances), transcode=transcode), window=WINDOW)
    association = call(peer, proposal, SETTINGS)
    sender = Sender(association, SETTINGS.limits, transcode=transcode)
    try:
        found = {id(one): outcome for one, outcome in sender.send(instances, **more)}
    finally:
        association.release()
    return [found[id(one)] for one in instances]


def some(count: int) -> list[bytes]:
    return [make_instance(f"1.2.3.4.{n}", number=n, rows=64, columns=64) for n in range(count)]


def real(*names: str) -> list[bytes]:
    files = {path.name: path for path in pydicom_files()}
    return [files[name].read_bytes() for name in names]


def test_the_bytes_come_as_they_are_stored(archive: Archive) -> None:
    contents = some(20)
    with Receiver() as there:
        assert send(there.peer(), stored(archive, *contents)) == [Outcome(Fate.TAKEN, 0)] * 20
        at = [archive.instance(f"1.2.3.4.{n}").data_set_offset for n in range(20)]
        assert there.taken == [(f"1.2.3.4.{n}", contents[n][at[n] :]) for n in range(20)]
        assert there.associations == 1


@needs_storescp
def test_dcmtk_takes_every_syntax_as_it_is(archive: Archive, tmp_path: Path) -> None:
    contents = [
        path.read_bytes()
        for path in [*data_files("syntaxes"), *pydicom_files()]
        if path.stat().st_size < 300_000 and path.read_bytes()[128:132] == b"DICM"
    ]
    instances: dict[str, Outgoing] = {}
    for content in contents:
        try:
            [one] = stored(archive, content)
        except Exception:  # noqa: BLE001 - not one that an archive takes
            continue
        if (
            one.transfer_syntax_uid in (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)
            or JPEG in one.transfer_syntax_uid
        ):
            instances.setdefault(one.transfer_syntax_uid, one)
    with Storescp(tmp_path, "+xa", "+B") as there:
        outcomes = send(there.peer(), list(instances.values()))
    taken = {
        uid: one for (uid, one), outcome in zip(instances.items(), outcomes, strict=True) if outcome.fate is Fate.TAKEN
    }
    assert len(taken) >= 6
    received = {ds.SOPInstanceUID: ds for ds in map(pydicom.dcmread, there.files())}
    for uid, one in taken.items():
        assert str(received[one.sop_instance_uid].file_meta.TransferSyntaxUID) in (uid, EXPLICIT_VR_LITTLE_ENDIAN)


@needs_storescp
def test_dcmtk_gets_implicit_where_it_wants_that(archive: Archive, tmp_path: Path) -> None:
    names = ("CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_gdcm.dcm")
    instances = stored(archive, *real(*names))
    with Storescp(tmp_path, "+xi") as there:
        assert [one.fate for one in send(there.peer(), instances)] == [Fate.TAKEN] * len(names)
    received = {ds.SOPInstanceUID: ds for ds in map(pydicom.dcmread, there.files())}
    for content in real(*names):
        before = pydicom.dcmread(BytesIO(content))
        after = received[before.SOPInstanceUID]
        assert after.file_meta.TransferSyntaxUID == IMPLICIT_VR_LITTLE_ENDIAN
        assert after.PatientName == before.PatientName
        assert np.array_equal(after.pixel_array, pydicom.dcmread(BytesIO(content)).pixel_array)


def test_what_is_not_to_be_converted_is_refused_instead(archive: Archive) -> None:
    instances = stored(archive, *real("MR_small_RLE.dcm", "CT_small.dcm"))
    with Receiver([EXPLICIT_VR_LITTLE_ENDIAN]) as there:
        rle, plain = send(there.peer(), instances, transcode=False)
        assert rle.fate is Fate.REFUSED
        assert "does not take" in rle.reason
        assert plain == Outcome(Fate.TAKEN, 0)
        assert len(there.asked) == 1


def test_what_cannot_be_converted_is_refused_and_the_others_go(archive: Archive) -> None:
    [rle] = stored(archive, *real("MR_small_RLE.dcm"))
    [plain] = stored(archive, *some(1))
    with Receiver([EXPLICIT_VR_LITTLE_ENDIAN]) as there:
        outcomes = send(there.peer(), [_Damaged(rle), plain])
        assert outcomes[0].fate is Fate.REFUSED
        assert "no longer has the bytes" in outcomes[0].reason
        assert outcomes[1].fate is Fate.TAKEN


class _Damaged:
    """One whose stored bytes have changed since they were acknowledged."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole
        archive, record = whole._archive, whole.record

        class Changed:
            def read(self, record: Any, at: int, length: int) -> bytes:
                return bytes(archive.read(record, at, length)[:-1]) + b"\x7f"

        self._changed = FromArchive(Changed(), record, SETTINGS.limits)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._changed, name)


def test_damaged_bytes_are_never_sent_to_their_end(archive: Archive) -> None:
    [small, other] = stored(archive, *some(2))
    with Receiver() as there:
        damaged, fine = send(there.peer(), [_Damaged(small), other])
        assert damaged.fate is Fate.REFUSED
        assert fine.fate is Fate.TAKEN
        assert there.uids() == ["1.2.3.4.1"]


def test_a_large_one_that_turns_out_damaged_ends_the_association_before_the_peer_has_it(archive: Archive) -> None:
    [large] = stored(archive, make_instance("1.2.9", rows=4096, columns=2200))
    damaged = _Damaged(large)
    with Receiver() as there:
        association = call(there.peer(), Proposal(contexts=contexts_for([kind_of(large)])), SETTINGS)
        outcomes = []
        with pytest.raises(AssociationEnded):
            outcomes += list(_noting(Sender(association, SETTINGS.limits).send([damaged]), outcomes))
        assert [one.fate for one in outcomes] == [Fate.REFUSED]
        assert there.asked == []
        assert send(there.peer(), [large]) == [Outcome(Fate.TAKEN, 0)]
        assert len(there.taken[0][1]) == large.length


def _noting(outcomes: Iterator[tuple[Outgoing, Outcome]], into: list[Outcome]) -> Iterator[Outcome]:
    for _, outcome in outcomes:
        into.append(outcome)
        yield outcome


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (0x0000, Fate.TAKEN), (0xB000, Fate.TAKEN), (0xB006, Fate.TAKEN), (0xB007, Fate.TAKEN), (0x0111, Fate.TAKEN),
        (0x0107, Fate.TAKEN), (0x0116, Fate.TAKEN), (0xA700, Fate.LATER), (0xA702, Fate.LATER), (0x0110, Fate.LATER),
        (0x0213, Fate.LATER), (0xA900, Fate.REFUSED), (0xC000, Fate.REFUSED), (0xC123, Fate.REFUSED),
        (0x0122, Fate.REFUSED), (0x0124, Fate.REFUSED), (0x0117, Fate.REFUSED), (0x0211, Fate.REFUSED),
    ],
)  # fmt: skip
def test_what_a_status_means(status: int, fate: Fate) -> None:
    assert fate_of(status) is fate


def test_each_instance_has_the_outcome_of_its_own_status(archive: Archive) -> None:
    statuses = [0x0000, 0xA700, 0xC000, 0xB000, 0x0000]
    with Receiver() as there:
        there.answer = lambda event: statuses[int(str(event.request.AffectedSOPInstanceUID).rpartition(".")[2])]
        outcomes = send(there.peer(), stored(archive, *some(5)))
    assert [one.status for one in outcomes] == statuses
    assert [one.fate for one in outcomes] == [Fate.TAKEN, Fate.LATER, Fate.REFUSED, Fate.TAKEN, Fate.TAKEN]
    assert outcomes[0].reason == ""
    assert "A700" in outcomes[1].reason


def test_priority_and_originator_are_said(archive: Archive) -> None:
    with Receiver() as there:
        send(there.peer(), stored(archive, *some(1)), priority="high", originator=("ASKER", 77))
        [request] = there.requests
    assert request.Priority == 1
    assert request.MoveOriginatorApplicationEntityTitle == "ASKER"
    assert request.MoveOriginatorMessageID == 77


def test_a_peer_that_aborts_leaves_it_known_what_it_has(archive: Archive) -> None:
    def answer(event: Any) -> int:
        if len(there.asked) == 3:
            event.assoc.abort()
            time.sleep(0.2)
        return 0

    instances = stored(archive, *some(6))
    with Receiver() as there:
        there.answer = answer
        association = call(there.peer(), Proposal(contexts=contexts_for(map(kind_of, instances))), SETTINGS)
        sender, seen = Sender(association, SETTINGS.limits), []
        with pytest.raises(AssociationEnded):
            for instance, outcome in sender.send(instances):
                seen.append((instance.sop_instance_uid, outcome.fate))
        assert seen == [("1.2.3.4.0", Fate.TAKEN), ("1.2.3.4.1", Fate.TAKEN)]
        assert [one.sop_instance_uid for _, one in sender.unanswered] == ["1.2.3.4.2"]


def test_a_peer_that_falls_silent_costs_its_deadline(archive: Archive) -> None:
    instances = stored(archive, *some(1))
    hold = []
    with Receiver() as there:
        there.answer = lambda event: hold.append(time.sleep(3)) or 0
        association = call(there.peer(idle_s_max=1), Proposal(contexts=contexts_for(map(kind_of, instances))), SETTINGS)
        begun = time.monotonic()
        with pytest.raises(AssociationEnded, match="nothing came for 1 s"):
            list(Sender(association, SETTINGS.limits).send(instances))
        assert time.monotonic() - begun < 2.5
        wait_until(lambda: bool(hold), "it woke up")


def test_who_cannot_be_called_is_said_to_be() -> None:
    for peer, why in (
        (Peer(name="X", aet="X"), "no host"),
        (Peer(name="X", aet="X", host="127.0.0.1", port=1), "cannot be reached"),
        (Peer(name="X", aet="X", host="127.0.0.1", port=1, tls="on", tls_ca=Path("none.pem")), "TLS"),
    ):
        with pytest.raises(PeerUnavailable, match=why):
            call(peer, Proposal(contexts=[("1.2.840.10008.1.1", [IMPLICIT_VR_LITTLE_ENDIAN])]), SETTINGS)


def test_a_port_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.dimse import requestor

    monkeypatch.setattr(requestor, "_ANSWER_S", 0.5)
    with silent() as port, pytest.raises(PeerUnavailable, match="does not answer"):
        peer = Peer(name="X", aet="X", host="127.0.0.1", port=port)
        call(peer, Proposal(contexts=[("1.2.840.10008.1.1", [IMPLICIT_VR_LITTLE_ENDIAN])]), SETTINGS)


def test_files_are_sent_as_they_are(tmp_path: Path) -> None:
    [content] = real("CT_small.dcm")
    (tmp_path / "a.dcm").write_bytes(content)
    with Receiver() as there:
        one = FromFile(tmp_path / "a.dcm", SETTINGS.limits)
        assert send(there.peer(), [one]) == [Outcome(Fate.TAKEN, 0)]
        assert there.taken == [(one.sop_instance_uid, content[len(content) - one.length :])]


@needs_data
@needs_orthanc
def test_orthanc_takes_a_series(archive: Archive, tmp_path: Path) -> None:
    instances = stored(archive, *(path.read_bytes() for path in data_files("ct-series")[:10]))
    with Orthanc(tmp_path) as there:
        assert [one.fate for one in send(there.peer(), instances)] == [Fate.TAKEN] * 10
        assert there.uids() == sorted(one.sop_instance_uid for one in instances)


def test_contexts_are_one_for_each_class_and_stored_syntax_and_the_plain_ones_beside() -> None:
    rle, ct = "1.2.840.10008.1.2.5", "1.2.840.10008.5.1.4.1.1.2"
    assert contexts_for([(ct, rle), (ct, EXPLICIT_VR_LITTLE_ENDIAN)]) == [
        (ct, (rle,)),
        (ct, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)),
        (ct, (EXPLICIT_VR_LITTLE_ENDIAN,)),
        (ct, (IMPLICIT_VR_LITTLE_ENDIAN,)),
    ]
    assert contexts_for([(ct, rle)], transcode=False) == [(ct, (rle,))]
