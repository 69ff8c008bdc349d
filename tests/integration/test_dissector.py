"""Store, find, get and move under tshark's DICOM dissector: nothing that is said over the line is malformed to it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from data import CT, make_instance
from pydicom import dcmread
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind as FIND,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelGet as GET,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelMove as MOVE,
)
from pynetdicom.sop_class import Verification
from receiving import Receiver, free_port
from retrieving import address, keys
from serving import Serving

pytestmark = [
    pytest.mark.peer,
    # Not among those that `make test` installs: 110 MB.
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed (tshark)"),
]
_BEGIN_S = 20
_NAME = re.compile(r"[ACN]-[A-Z]+(?:-R[SQP]+)?(?!-)")
_ERROR = 8388608  # PI_ERROR of Wireshark


@contextmanager
def captured(file: Path, ports: list[int]) -> Iterator[None]:
    """What goes over loopback to and from `ports`, written to `file`; skips where nobody may capture."""
    condition = " or ".join(f"tcp port {port}" for port in ports)
    capturing = subprocess.Popen(
        ["tshark", "-q", "-i", "lo", "-f", condition, "-w", str(file)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _BEGIN_S
        while not file.exists() or not file.stat().st_size:
            if capturing.poll() is not None:
                assert capturing.stderr is not None
                pytest.skip(f"capturing is not permitted here: {capturing.stderr.read().decode().strip()[-200:]}")
            assert time.monotonic() < deadline, "tshark does not begin"
            time.sleep(0.05)
        yield
        time.sleep(1.5)  # the kernel hands over what is left once a second
    finally:
        capturing.terminate()
        capturing.wait(20)


def dissected(file: Path, ports: list[int], show: str, *fields: str) -> list[list[str]]:
    decode = [part for port in ports for part in ("-d", f"tcp.port=={port},dicom")]
    names = [part for field in fields for part in ("-e", field)]
    out = subprocess.run(
        ["tshark", "-r", str(file), *decode, "-Y", show, "-T", "fields", "-E", "occurrence=a", *names],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    return [line.split("\t") for line in out.splitlines()]


SMALL, LARGE = make_instance("1.2.3.4.1"), make_instance("1.2.3.4.2", rows=300, columns=300, number=2)


def talk(server: Serving, destination: int) -> None:
    """Everything but TLS, with PDUs cut in several ways."""
    ae = AE("TALKER")
    ae.maximum_pdu_size = 20_000
    for one in (Verification, CT, FIND, GET, MOVE):
        ae.add_requested_context(one)
    taken: list[str] = []

    def take(event: Any) -> int:
        taken.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    assoc = ae.associate(
        *address(server), ae_title="VOXCAST", ext_neg=[build_role(CT, scu_role=True, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, take)],
    )  # fmt: skip
    assert assoc.is_established
    assert assoc.send_c_echo().Status == 0
    for content in (SMALL, LARGE):
        assert assoc.send_c_store(dcmread(BytesIO(content))).Status == 0
    found = list(assoc.send_c_find(keys("IMAGE", StudyInstanceUID="1.2.3", SOPInstanceUID="", PatientName=""), FIND))
    assert [status.Status for status, _ in found] == [0xFF00, 0xFF00, 0]
    *_, (status, _) = assoc.send_c_get(keys("STUDY", StudyInstanceUID="1.2.3"), GET)
    assert (status.Status, sorted(taken)) == (0, ["1.2.3.4.1", "1.2.3.4.2"])
    with Receiver(port=destination) as receiver:
        *_, (status, _) = assoc.send_c_move(keys("STUDY", StudyInstanceUID="1.2.3"), "DEST", MOVE)
        assert (status.Status, len(receiver.taken)) == (0, 2)
    *_, (status, _) = assoc.send_c_find(keys("PATIENT", PatientID="1"), FIND)
    assert status.Status == 0xA900
    assoc.release()


def test_nothing_is_malformed(tmp_path: Path) -> None:
    file, destination = tmp_path / "said.pcapng", free_port()
    (tmp_path / "v.toml").write_text(f'[peers.dest]\naet = "DEST"\nhost = "127.0.0.1"\nport = {destination}\n')
    with Serving(tmp_path / "archive", "--config", str(tmp_path / "v.toml"), dicom="127.0.0.1:0") as server:
        ports = [address(server)[1], destination]
        with captured(file, ports):
            talk(server, destination)
    assert dissected(file, ports, "_ws.malformed", "frame.number") == []
    assert dissected(file, ports, f"dicom and _ws.expert.severity == {_ERROR}", "_ws.expert.message") == []
    lines = dissected(file, ports, "dicom", "_ws.col.Info")
    said = Counter(word for [line] in lines for word in _NAME.findall(line))
    expected = {
        "A-ASSOCIATE": 4, "A-RELEASE": 4, "C-ECHO-RQ": 1, "C-ECHO-RSP": 1, "C-STORE-RQ": 6, "C-STORE-RSP": 6,
        "C-FIND-RQ": 2, "C-FIND-RSP": 4, "C-GET-RQ": 1, "C-MOVE-RQ": 1,
    }  # fmt: skip
    assert {name: said[name] for name in expected} == expected, "the dissector has seen all of it"
    kinds = {kind for [all_kinds] in dissected(file, ports, "dicom", "dicom.pdu.type") for kind in all_kinds.split(",")}
    assert kinds == {"0x01", "0x02", "0x04", "0x05", "0x06"}
