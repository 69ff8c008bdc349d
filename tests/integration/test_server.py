"""The server as an operator sees it: its one line, its end, what it does when a process dies, and a second one beside it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from data import CT, make_instance
from serving import Serving

STATE_DEADLINE_S = 20.0


def workers(server: Serving) -> dict[str, int]:
    """Module → process id of the supervisor's children."""
    deadline = time.monotonic() + STATE_DEADLINE_S
    while True:
        pids = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in pids]
        # One that is between fork and exec has none yet.
        if all(len(command) > 1 for command in commands):
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return {command[-2].decode().rpartition(".")[2]: int(pid) for pid, command in zip(pids, commands, strict=True)}


def test_sigterm_ends_it_with_zero_and_nothing_stays_behind(tmp_path: Path) -> None:
    server = Serving(tmp_path, dicom="127.0.0.1:0").start()
    assert server.url.startswith("http://127.0.0.1:")
    assert server.dicom.startswith("VOXCAST@127.0.0.1:")
    pids = workers(server)
    assert set(pids) == {"web_worker", "dicom_acceptor", "background", "rendition_worker"}
    # Readers come before peers, these before what is derived, which the ready line does not wait for.
    deadline, order = (
        time.monotonic() + STATE_DEADLINE_S,
        ("web_worker", "dicom_acceptor", "background", "rendition_worker"),
    )
    while len({os.getpriority(os.PRIO_PROCESS, pids[name]) for name in order}) < len(order):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert sorted(order, key=lambda name: os.getpriority(os.PRIO_PROCESS, pids[name])) == list(order)
    assert server.store(make_instance()).status_code == 200
    assert server.stop() == 0
    for pid in pids.values():
        assert not Path(f"/proc/{pid}").exists()
    with Serving(tmp_path) as again:
        assert len(again.get("/dicom-web/studies").json()) == 1


def test_a_worker_that_dies_is_started_again(tmp_path: Path) -> None:
    with Serving(tmp_path) as server:
        server.store(make_instance())
        first = workers(server)["web_worker"]
        os.kill(first, signal.SIGKILL)
        # The socket is the supervisor's: this waits in its queue until the new worker takes it.
        server.session.close()
        assert len(server.get("/dicom-web/studies").json()) == 1
        assert workers(server)["web_worker"] != first


_BROKEN = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "engine.web.app":
            raise ImportError("this library is not what it was")
sys.meta_path.insert(0, Broken())
"""


def test_a_worker_that_cannot_import_ends_the_start_and_the_log_says_why(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_BROKEN)
    server = Serving(tmp_path / "archive", environ={"PYTHONPATH": str(tmp_path)})
    with pytest.raises(AssertionError, match="this library is not what it was"):
        server.start()
    assert server.process.returncode == 1


def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    server = Serving(tmp_path).start()
    pids = list(workers(server).values())
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    deadline = time.monotonic() + STATE_DEADLINE_S
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_second_server_on_the_archive_says_so(tmp_path: Path) -> None:
    with Serving(tmp_path):
        second = Serving(tmp_path)
        with pytest.raises(AssertionError, match="already served"):
            second.start()
        assert second.process.returncode == 1


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = Serving(tmp_path)
        other._command[other._command.index("127.0.0.1:0")] = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AssertionError, match="another program listens there"):
            other.start()
        assert other.process.returncode == 1


def test_readyz_tells_of_an_archive_that_takes_no_writes(tmp_path: Path) -> None:
    with Serving(tmp_path) as server:
        assert server.get("/readyz").status_code == 200
        state = tmp_path / "run" / "state.json"
        state.write_text('{"http": "open", "dicom": "closed"}')
        answer = server.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "the dicom port is not open\n")


def test_the_background_builds_metadata_before_anyone_asks(tmp_path: Path) -> None:
    with Serving(tmp_path) as server:
        server.store(*(make_instance(f"1.2.3.4.{i}", number=i) for i in range(1, 4)))
        folder = tmp_path / "renditions" / "metadata"
        deadline = time.monotonic() + STATE_DEADLINE_S
        while not list(folder.rglob("*.json.gz")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(list(folder.rglob("*.json.gz"))) == 1


@pytest.mark.peer
def test_storescu_stores_what_dicomweb_gives_back(tmp_path: Path) -> None:
    from shutil import which

    if which("storescu") is None or which("echoscu") is None:
        pytest.skip("DCMTK is not installed (apt install dcmtk)")
    files = []
    for i in range(1, 4):
        files.append(tmp_path / f"{i}.dcm")
        files[-1].write_bytes(make_instance(f"1.2.3.4.{i}", number=i))
    with Serving(tmp_path / "archive", dicom="127.0.0.1:0") as server:
        host, _, port = server.dicom.partition("@")[2].rpartition(":")
        environment = {**os.environ, "TCP_NODELAY": "1"}
        for command in (
            ["echoscu", "-aec", "VOXCAST", host, port],
            ["storescu", "-aec", "VOXCAST", host, port, *files],
        ):
            run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
            assert run.returncode == 0, run.stderr
        for i, file in enumerate(files, 1):
            at = f"/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.{i}"
            back = server.get(at, "application/dicom").content
            sent = file.read_bytes()
            data_set = sent[sent.index(b"\x08\x00\x16\x00UI") :]
            assert back.endswith(data_set)  # the data set's bytes as they came; File Meta Information is ours
            assert CT.encode() in back[:400]
