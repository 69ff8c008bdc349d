"""kill -9 of a running import at random moments: every instance that got its yes is there afterwards, byte for byte."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from archives import LIMITS, assert_reindex_is_equal, problems
from data import make_instance

from engine.archive.archive import Archive
from engine.archive.changes import ChangeKind
from engine.ingest.accept import Acceptor
from engine.ingest.importer import import_paths
from engine.limits import MIB

KILL = replace(LIMITS, segment_bytes=2 * MIB, spool_bytes=96 * 1024)
SEED = 20200131


def make_input(folder: Path, turn: int) -> None:
    """Some hundred instances of all sizes, large ones that are spooled, a tar file, and other bytes for known UIDs."""
    folder.mkdir()
    packed = []
    for i in range(240):
        uid = f"1.2.{turn}.{i}"
        rows = 600 if i % 40 == 20 else 20 + i % 60
        content = make_instance(uid, study=f"1.2.{turn}", series=f"1.2.{turn}.0", number=i, rows=rows, columns=100)
        if i % 3:
            (folder / f"{i:04}").write_bytes(content)
        else:
            packed.append((f"{i}", content))
    if turn:
        again = make_instance(f"1.2.{turn - 1}.1", study=f"1.2.{turn - 1}", series=f"1.2.{turn - 1}.0", patient="OTHER")
        (folder / "0000-conflict").write_bytes(again)
    with tarfile.open(folder / "0100.tar", "w") as tar:
        for name, content in packed:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def import_until_killed(archive: Path, folder: Path, delay_s: float) -> list[tuple[str, str]]:
    """UID and hash of the data set of what was acknowledged."""
    command = [sys.executable, __file__, str(archive), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(delay_s)
        os.kill(child.pid, signal.SIGKILL)
        said = child.stdout.read().decode()
    lines = said.split("\n")[:-1]  # the last may be half a line
    return [(uid, sha) for uid, _, sha in (line.partition(" ") for line in lines)]


def kill_often(tmp_path: Path, times: int) -> None:
    path, chance = tmp_path / "archive", random.Random(SEED)
    acknowledged: dict[tuple[str, str], int] = {}
    interrupted = 0
    for turn in range(times):
        folder = tmp_path / f"in{turn}"
        make_input(folder, turn)
        said = import_until_killed(path, folder, chance.uniform(0, 0.35))
        acknowledged.update(dict.fromkeys(said, turn))
        interrupted += 0 < len(said) < 240
        archive = Archive.open(path, KILL)
        for uid, sha in acknowledged:
            versions = [r for r in archive.versions(uid) if r.data_set_sha256.hex() == sha]
            assert len(versions) == 1, (turn, uid)
            if acknowledged[uid, sha] == turn:
                stored = bytes(archive.read(versions[0]))
                assert hashlib.sha256(stored[versions[0].data_set_offset :]).hexdigest() == sha, (turn, uid)
        assert problems(archive) == [], turn
        told = archive.changes(archive.feed().epoch, 1_000_000)[1]
        new = [c.sop_instance_uid for c in told if c.kind is ChangeKind.STORED]
        assert len(new) == len(set(new)) == archive.stats().instances, "none is missing in the feed, none told twice"
        archive.close()
    assert interrupted > times // 4  # the moments were in the middle, not before or behind everything
    assert_reindex_is_equal(path, KILL)
    archive = Archive.open(path, KILL)
    archive.upkeep().compact(grace_s=0)
    assert problems(archive) == []
    contents = {p.read_bytes() for p in tmp_path.glob("in*/*") if p.suffix != ".tar"}
    stored_now = {bytes(archive.read(r)) for uid, _ in acknowledged for r in archive.versions(uid)}
    assert len(stored_now & contents) > len(acknowledged) // 2
    archive.close()


def test_ten_moments(tmp_path: Path) -> None:
    kill_often(tmp_path, 10)


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_two_hundred_moments(tmp_path: Path) -> None:
    kill_often(tmp_path, 200)


def _import(path: Path, folder: Path) -> None:
    archive = Archive.open(path, KILL)
    print("ready", flush=True)
    for event in import_paths([folder], Acceptor(archive, KILL), KILL):
        if event.accepted is not None:
            uid = event.accepted.sop_instance_uid
            # The hash of what was sent, not of what was stored.
            name, _, member = event.name.partition("!")
            if member:
                with tarfile.open(name) as tar:
                    content = tar.extractfile(member).read()  # type: ignore[union-attr]
            else:
                content = Path(name).read_bytes()
            at = content.index(b"\x08\x00\x16\x00UI")  # the first element of the data set
            print(uid, hashlib.sha256(content[at:]).hexdigest(), flush=True)


if __name__ == "__main__":
    _import(Path(sys.argv[1]), Path(sys.argv[2]))
