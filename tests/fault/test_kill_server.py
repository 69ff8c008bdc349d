"""kill -9 of everything at random moments of a running import and STOW load: whatever was acknowledged is there afterwards."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from data import make_instance
from serving import Serving

from engine.archive.archive import Archive
from engine.archive.reindex import reindex

SENDERS = 3
# Imports a folder as the command does, and says each yes as soon as it has it.
IMPORT = """
import sys
from pathlib import Path
from engine.archive.archive import Archive
from engine.ingest.accept import Acceptor
from engine.ingest.importer import import_paths
archive = Archive.open(Path(sys.argv[1]))
for event in import_paths([Path(sys.argv[2])], Acceptor(archive, archive.limits), archive.limits):
    if event.accepted:
        sys.stdout.write(event.accepted.sop_instance_uid + "\\n")
        sys.stdout.flush()
"""


class Load:
    """Instances on their way in by both doors; `acknowledged` has the hash of each that got its yes."""

    def __init__(self, folder: Path, turn: int) -> None:
        self.acknowledged: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._numbers = itertools.count()
        self._turn, self._folder = turn, folder
        self._is_over = False
        for number in range(400):
            uid, content = self._instance(f"2.{turn}.{number}")
            (folder / uid).write_bytes(content)

    def _instance(self, tail: str) -> tuple[str, bytes]:
        uid = f"1.2.{tail}"
        study = f"1.2.{tail.rpartition('.')[0]}"
        rows = 16 + len(self._sent) % 48
        content = make_instance(uid, study=study, series=f"{study}.1", number=len(self._sent), rows=rows, columns=64)
        self._sent[uid] = hashlib.sha256(content).hexdigest()
        return uid, content

    def run(self, server: Serving, seconds: float) -> None:
        """Load both doors and end everything by SIGKILL after `seconds`."""
        threads = [threading.Thread(target=self._send, args=(server.url, i)) for i in range(SENDERS)]
        importing = subprocess.Popen(
            [sys.executable, "-P", "-c", IMPORT, str(server.archive), str(self._folder)],
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        hearing = threading.Thread(target=self._hear, args=(importing,))
        for thread in (*threads, hearing):
            thread.start()
        time.sleep(seconds)
        os.killpg(importing.pid, signal.SIGKILL)
        server.kill()
        self._is_over = True
        for thread in (*threads, hearing):
            thread.join(30)
        importing.wait(30)

    def _send(self, url: str, sender: int) -> None:
        with requests.Session() as session:
            while not self._is_over:
                number = next(self._numbers)
                uid, content = self._instance(f"3.{self._turn}.{sender}.{number}")
                try:
                    answer = session.post(
                        url + "/dicom-web/studies",
                        data=content,
                        headers={"Content-Type": "application/dicom"},
                        timeout=30,
                    )
                except requests.RequestException:
                    return
                assert answer.status_code == 200, answer.text
                self.acknowledged[uid] = self._sent[uid]

    def _hear(self, importing: subprocess.Popen[str]) -> None:
        assert importing.stdout is not None
        for line in importing.stdout:
            if line.endswith("\n"):
                self.acknowledged[line.strip()] = self._sent[line.strip()]


def kill_often(tmp_path: Path, moments: int) -> None:
    chance = random.Random(20260131)
    archive_path = tmp_path / "archive"
    acknowledged: dict[str, str] = {}
    for turn in range(moments):
        folder = tmp_path / "in"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        load = Load(folder, turn)
        load.run(Serving(archive_path).start(), chance.uniform(0.0, 1.0))
        acknowledged |= load.acknowledged
        with opened(archive_path) as archive:
            for uid, digest in load.acknowledged.items():
                assert hashlib.sha256(archive.read(archive.instance(uid))).hexdigest() == digest, uid
    assert len(acknowledged) > 20 * moments, "the load must have been under way when it was ended"
    with opened(archive_path) as archive:
        assert [c for c in archive.upkeep().verify() if c.problem] == []
        before = archive.dump()
        for uid, digest in acknowledged.items():
            assert hashlib.sha256(archive.read(archive.instance(uid))).hexdigest() == digest, uid
    shutil.rmtree(archive_path / "index.lmdb")
    reindex(archive_path, Archive.in_memory().limits)
    with opened(archive_path) as archive:
        after = archive.dump()
        for table in before:
            assert after[table] == before[table], table


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    archive = Archive.open(path)
    try:
        yield archive
    finally:
        archive.close()


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    kill_often(tmp_path, 8)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_nothing_acknowledged_is_lost_in_200_moments(tmp_path: Path) -> None:
    kill_often(tmp_path, 200)
