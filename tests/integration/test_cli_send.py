"""`voxcast send` and `voxcast outbox`: what goes where, what is said of it, and exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.archive.archive import Archive
from engine.archive.outbox import Outbox
from engine.cli.app import app
from engine.limits import Limits
from tests.archives import incoming
from tests.data import make_instance
from tests.receiving import Receiver, free_port

UIDS = [f"1.2.3.4.{n}" for n in range(1, 4)]


@pytest.fixture
def there() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    made = Archive.open(path, Limits())
    made.store([incoming(make_instance(uid, number=n), limits=Limits()) for n, uid in enumerate(UIDS)])
    made.close()
    return path


def run(tmp_path: Path, port: int, *arguments: str) -> tuple[int, list[Any], str]:
    config = tmp_path / "voxcast.toml"
    config.write_text(
        f'archive = "archive"\n[peers.THERE]\naet = "THERE"\nhost = "127.0.0.1"\nport = {port}\n[peers.DEAF]\naet = "D"\n'
    )
    result = CliRunner().invoke(app, [*arguments, "--json", "--config", str(config)])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def test_a_study_is_sent_now(tmp_path: Path, archive: Path, there: Receiver) -> None:
    code, lines, _ = run(tmp_path, there.port, "send", "THERE", "1.2.3")
    assert code == 0
    assert sorted(one["instance"] for one in lines[:-1]) == UIDS == sorted(there.uids())
    assert {(one["outcome"], one["status"]) for one in lines[:-1]} == {("sent", "0000")}
    summary = lines[-1]["summary"]
    assert (summary["sent"], summary["failed"], summary["left"]) == (3, 0, 0)
    assert not (archive / "outbox.lmdb").exists()


def test_files_and_folders_are_sent_without_an_archive(tmp_path: Path, there: Receiver) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.dcm").write_bytes(make_instance("1.5"))
    (tmp_path / "folder" / "b.dcm").write_bytes(make_instance("1.6"))
    (tmp_path / "folder" / "c.txt").write_text("no DICOM")
    code, lines, said = run(tmp_path, there.port, "send", "THERE", str(tmp_path / "a.dcm"), str(tmp_path / "folder"))
    assert sorted(there.uids()) == ["1.5", "1.6"]
    assert code == 1
    assert "c.txt" in said
    assert {Path(one["instance"]).name: one["outcome"] for one in lines[:-1]} == {
        "a.dcm": "sent", "b.dcm": "sent", "c.txt": "failed",
    }  # fmt: skip


def test_what_is_refused_is_named_and_the_rest_goes(tmp_path: Path, archive: Path, there: Receiver) -> None:
    there.answer = lambda event: 0xC001 if str(event.request.AffectedSOPInstanceUID) == UIDS[1] else 0
    code, lines, said = run(tmp_path, there.port, "send", "THERE", *UIDS, "9.9")
    assert code == 1
    assert f"failed: {UIDS[1]}: status C001" in said
    assert "9.9" in said
    assert lines[-1]["summary"]["sent"] == 2
    assert lines[-1]["summary"]["failed"] == 2


def test_a_peer_that_is_not_there_fails_each(tmp_path: Path, archive: Path) -> None:
    code, lines, said = run(tmp_path, free_port(), "send", "THERE", "1.2.3")
    assert code == 1
    assert said.count("cannot be reached") == 3
    assert lines[-1]["summary"] == {"sent": 0, "bytes": 0, "failed": 3, "left": 0}


@pytest.mark.parametrize("peer", ["NOBODY", "DEAF"])
def test_a_peer_that_cannot_be_called_is_wrong_usage(tmp_path: Path, archive: Path, peer: str) -> None:
    code, _, said = run(tmp_path, 1, "send", peer, "1.2.3")
    assert code == 2
    assert "a peer of the settings that has a host: THERE" in said


def test_what_is_queued_waits_and_can_be_listed_retried_and_cancelled(tmp_path: Path, archive: Path) -> None:
    def call(*arguments: str) -> tuple[int, list[Any], str]:
        return run(tmp_path, 1, *arguments)

    assert call("outbox", "list")[:2] == (0, [])
    code, lines, _ = call("send", "THERE", "1.2.3", "--queue", "--priority", "high")
    assert (code, lines) == (0, [{"summary": {"queued": 3, "waiting_already": 0, "failed": 0}}])
    assert call("send", "THERE", UIDS[0], "--queue")[1][0]["summary"]["waiting_already"] == 1
    peer, entry = call("outbox", "list")[1]
    assert (peer["peer"], peer["instances"]) == ("THERE", 3)
    assert (entry["entry"], entry["priority"], entry["reason"], entry["waiting"]) == (1, "high", "command line", 3)
    assert len(call("outbox", "list", "OTHER")[1]) == 0
    outbox = Outbox.open(archive, Limits())
    outbox.give_up(1, "no answer for a week")
    outbox.close()
    assert call("outbox", "list")[1][1]["state"] == "given-up"
    assert call("outbox", "retry", "1")[1] == [{"summary": {"retried": 1}}]
    assert call("outbox", "list")[1][1]["state"] == "waiting"
    assert call("outbox", "cancel", "THERE")[1] == [{"summary": {"cancelled": 1}}]
    assert call("outbox", "cancel", "1")[0] == 1
    code, _, said = call("outbox", "cancel", "NOBODY")
    assert code == 2
    assert "a peer's name" in said


def test_files_cannot_be_queued(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(make_instance("1.5"))
    code, _, said = run(tmp_path, 1, "send", "THERE", str(tmp_path / "a.dcm"), "--queue")
    assert code == 2
    assert "import files first" in said
