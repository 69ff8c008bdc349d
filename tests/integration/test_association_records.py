"""What is left of an association: counters in /metrics by peer, and one line in the log."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from data import make_instance
from serving import Serving
from wire import ASSOCIATE_AC, ASSOCIATE_RJ, RELEASE, RELEASE_RP, Wire, echo, p_data, status_of, store

_SETTINGS = """
log_format = "json"
unknown_callers = ["echo"]

[peers.CT]
aet = "CT7"

[peers.MR]
aet = "MR1"
addresses = ["127.0.0.9"]
"""
_INSTANCE = make_instance("1.2.3.4.77")
_DATA_SET = _INSTANCE[144 + int.from_bytes(_INSTANCE[140:144], "little") :]


def counted(server: Serving) -> dict[str, float]:
    text = server.get("/metrics").text
    return {name: float(value) for name, value in re.findall(r"^(voxcast_\S+) (\S+)$", text, re.M)}


def test_counters_and_the_line_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "v.toml").write_text(_SETTINGS)
    with Serving(tmp_path / "a", "--config", str(tmp_path / "v.toml"), "--workers", "2", dicom="127.0.0.1:0") as server:
        host, _, port = server.dicom.rpartition("@")[2].rpartition(":")
        address = (host, int(port))
        with Wire.to(address) as wire:
            assert wire.associate(calling="CT7")[0] == ASSOCIATE_AC
            wire.send(p_data(1, 3, echo()))
            assert status_of(wire.receive()) == 0
            for uid in ("1.2.3.4.77", "9.9"):  # the second is not what its command says
                wire.send(p_data(3, 3, store(uid)), p_data(3, 2, _DATA_SET))
                assert (status_of(wire.receive()) == 0) == (uid != "9.9")
            wire.send(RELEASE)
            assert wire.receive() == (RELEASE_RP, bytes(4))
        with Wire.to(address) as wire:
            assert wire.associate(calling="MR1")[0] == ASSOCIATE_RJ
        for name in ("ANY1", "ANY2"):
            with Wire.to(address) as wire:
                wire.associate(calling=name)
                wire.send(b"\0" * 10)
                wire.ends()
        stored = counted(server)
        assert [stored[f"voxcast_instances_{what}_total"] for what in ("stored", "failed")] == [1, 1]
        assert stored["voxcast_received_bytes_total"] > len(_DATA_SET)
        deadline = time.monotonic() + 15
        found: dict[str, float] = {}
        while time.monotonic() < deadline:
            found = counted(server)
            if found.get('voxcast_associations_ended_total{peer="other",how="aborted"}') == 2:
                break
            time.sleep(0.1)
        log = ""
        while time.monotonic() < deadline and log.count('"ended"') < 3:
            log += server.said()
            time.sleep(0.1)
    for name, expected in {
        'associations_total{peer="CT",outcome="accepted"}': 1,
        'associations_total{peer="MR",outcome="accepted"}': 0,
        'associations_total{peer="MR",outcome="rejected"}': 1,
        'associations_total{peer="other",outcome="accepted"}': 2,
        'associations_ended_total{peer="CT",how="released"}': 1,
        'associations_ended_total{peer="other",how="aborted"}': 2,
        'dimse_responses_total{peer="CT",command="C-ECHO",outcome="success"}': 1,
        'dimse_responses_total{peer="CT",command="C-STORE",outcome="success"}': 1,
        'dimse_responses_total{peer="CT",command="C-STORE",outcome="failure"}': 1,
    }.items():
        assert found[f"voxcast_{name}"] == expected, name
    assert found['voxcast_association_received_bytes_total{peer="CT"}'] >= 2 * len(_DATA_SET)
    assert found['voxcast_association_sent_bytes_total{peer="CT"}'] > 200
    assert not [name for name in found if "ANY" in name], "what callers say of themselves is no label"
    lines = [json.loads(line) for line in log.splitlines() if '"ended"' in line]
    assert {line["calling"] for line in lines} == {"CT7", "ANY1", "ANY2"}
    [of_ct] = [line for line in lines if line["calling"] == "CT7"]
    assert of_ct["messages"] == {"C-ECHO": 1, "C-STORE": 2}
    assert of_ct["answers"] == {"success": 2, "failure": 1}
    assert (of_ct["peer"], of_ct["called"], of_ct["address"], of_ct["ended"]) == (
        "CT",
        "VOXCAST",
        "127.0.0.1",
        "released",
    )
    assert of_ct["contexts"] == 2
    assert of_ct["bytes_in"] == 2 * len(_DATA_SET)
    assert of_ct["tls"] == of_ct["user"] == ""
    assert 0 < of_ct["seconds"] < 60
