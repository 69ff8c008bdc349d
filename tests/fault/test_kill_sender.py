"""kill -9 in the middle of forwarding, of the sender and of the whole server: nothing is lost, next to nothing sent twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from pathlib import Path

from engine.archive.outbox import Outbox
from engine.archive.reindex import reindex
from engine.errors import ArchiveLocked
from engine.limits import Limits
from tests.data import make_instance
from tests.receiving import Receiver, wait_until
from tests.serving import Serving

KILLS = 3
# One that was on its way, and what was acknowledged within the last commit: a few milliseconds.
TWICE_MAX = 4


def config(folder: Path, there: Receiver, more: str = "") -> Path:
    path = folder / "voxcast.toml"
    path.write_text(
        f"""
        [peers.THERE]
        aet = "{there.aet}"
        host = "127.0.0.1"
        port = {there.port}
        [[forward]]
        name = "all"
        to = ["THERE"]
        {more}
        [limits]
        outbox_backoff_s_max = 1
        """
    )
    return path


def instances(study: str, count: int) -> list[bytes]:
    return [make_instance(f"{study}.{n}", study=study, series=f"{study}.0", number=n) for n in range(1, count + 1)]


def sender_of(server: Serving) -> int:
    """Process id of the one that sends; 0 while there is none."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if b"engine.server.sender" in command and parent == server.process.pid:
                return int(process.name)
    return 0


def is_built_again(archive: Path) -> bool:
    try:
        reindex(archive, Limits())
    except ArchiveLocked:  # by a child that is still being killed
        return False
    return True


def test_the_sender_is_killed_again_and_again(tmp_path: Path) -> None:
    uids = {f"1.2.{study}.{n}" for study in range(1, 5) for n in range(1, 101)}
    with Receiver() as there:
        there.answer = lambda event: time.sleep(0.002) or 0
        with Serving(tmp_path / "archive", "--config", str(config(tmp_path, there))) as server:
            stored = threading.Thread(
                target=lambda: [server.store(*instances(f"1.2.{study}", 100)) for study in range(1, 5)]
            )
            stored.start()
            for kill in range(KILLS):
                wait_until(lambda kill=kill: len(there.taken) > 40 * kill, "it goes on")  # type: ignore[misc]
                time.sleep(random.uniform(0, 0.1))
                pid = sender_of(server)
                assert pid
                os.kill(pid, signal.SIGKILL)
            stored.join()
            wait_until(lambda: set(there.uids()) == uids, "all have arrived", 60)
            time.sleep(0.3)
        twice = [uid for uid, count in Counter(there.uids()).items() if count > 1]
        assert len(twice) <= KILLS * TWICE_MAX, twice
    outbox = Outbox.open(tmp_path / "archive", Limits())
    assert outbox.entries() == []
    assert outbox.peer("THERE").sent == 400
    outbox.close()


def test_the_whole_server_is_killed_and_the_index_rebuilt_before_it_went(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    with Receiver() as there:
        pass  # nobody listens there any more
    settings = str(config(tmp_path, there))
    server = Serving(archive, "--config", settings).start()
    assert server.store(*instances("1.2.1", 20)).status_code == 200
    server.kill()  # at once: whatever the rules had not seen yet, they see later
    shutil.rmtree(archive / "index.lmdb")
    wait_until(lambda: is_built_again(archive), "all processes have ended")
    with (
        Receiver(port=there.port) as back,
        Serving(archive, "--config", settings, environ={"VOXCAST_LOG_LEVEL": "debug"}) as server,
    ):
        assert server.store(*instances("1.2.2", 5)).status_code == 200
        expected = {f"1.2.1.{n}" for n in range(1, 21)} | {f"1.2.2.{n}" for n in range(1, 6)}
        wait_until(lambda: set(back.uids()) == expected, "all have arrived", 30)
        time.sleep(0.3)
        assert len(back.uids()) == len(expected)
