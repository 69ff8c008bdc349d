"""What the benchmarks read of their servers: ready lines, counters, processes and their memory; and what they configure."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.process import Group, PeerFailed, cpu_ticks, free_port, kilobytes, state_of


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("voxcast ready http=http://127.0.0.1:8080 dicom=VOXCAST@127.0.0.1:11112\n", ("127.0.0.1", 8080)),
        ("voxcast ready http=http://127.0.0.1:41234\n", ("127.0.0.1", 41234)),
        ("voxcast ready http=http://[::1]:80/ dicom=off\n", ("::1", 80)),
    ],
)
def test_the_ready_line(line: str, address: tuple[str, int]) -> None:
    assert peers.parse_ready(line) == address


@pytest.mark.parametrize("line", ["", "voxcast: the archive is in use\n"])
def test_no_ready_line(line: str) -> None:
    with pytest.raises(ValueError, match="ready"):
        peers.parse_ready(line)


def test_a_counter() -> None:
    text = "# HELP a_total x\n# TYPE a_total counter\na_total 12\naa_total 3\na_total_more 4\n"
    assert peers.parse_counter(text, "a_total") == 12
    assert peers.parse_counter(text, "b_total") == 0


def test_the_session_of_a_process_with_an_odd_name() -> None:
    assert state_of("77 (a) b (c) S 1 42 43 0 -1 4194304") == ("S", 43)
    assert state_of(Path("/proc/self/stat").read_text())[1] == os.getsid(0)


def test_processor_time() -> None:
    assert cpu_ticks("77 (a b) S 1 77 43 0 -1 4194304 1 2 3 4 150 50 7 8 20 0 1") == 200
    own = cpu_ticks(Path("/proc/self/stat").read_text()) / os.sysconf("SC_CLK_TCK")
    assert own == pytest.approx(sum(os.times()[:2]), abs=0.1)


def test_memory_lines() -> None:
    assert kilobytes("55e-7ff ---p 0 00:00 0 [rollup]\nRss:    1200 kB\nPss:     300 kB\n") == {"Rss": 1200, "Pss": 300}


def test_a_group_is_watched_and_ended_with_its_children(tmp_path: Path) -> None:
    child = "import time; time.sleep(60)"
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    group = Group([sys.executable, "-c", parent], tmp_path / "log")
    try:
        group.wait_until(lambda: len(group.pids()) == 2, 20)
        memory = group.memory()
        assert memory.processes == 2
        assert 0 < memory.pss_mb <= memory.rss_mb
    finally:
        group.stop()
    end = time.monotonic() + 10
    while group.pids() and time.monotonic() < end:  # the kernel takes a moment to bury a child that nobody waits for
        time.sleep(0.01)
    assert not group.pids()


def test_a_server_that_ends_early_says_why(tmp_path: Path) -> None:
    group = Group([sys.executable, "-c", "import sys; sys.exit('no such setting')"], tmp_path / "log")
    try:
        with pytest.raises(PeerFailed, match="no such setting"):
            group.wait_until(lambda: False, 20)
    finally:
        group.stop()


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.shutil, "which", lambda program, path=None: None)
    assert peers.missing() == {"orthanc": "peer not installed", "nginx": "peer not installed"}
    monkeypatch.setattr(peers.shutil, "which", lambda program, path=None: "/usr/sbin/" + program)
    monkeypatch.setattr(peers, "plugin", lambda name: None)
    assert peers.missing() == {"orthanc": "peer not installed (orthanc-dicomweb)"}


def test_configurations(tmp_path: Path) -> None:
    port = free_port()
    config = json.loads(json.dumps(peers.orthanc_config(tmp_path, port)))
    assert config["HttpPort"] == port
    assert config["StorageDirectory"] == config["IndexDirectory"]
    text = peers.nginx_config(tmp_path, tmp_path / "www", port)
    assert f"listen 127.0.0.1:{port};" in text
    assert text.count("{") == text.count("}")
