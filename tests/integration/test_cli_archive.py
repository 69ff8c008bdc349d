"""The commands that fill, read and check an archive, as their users run them: exit codes, stdout, stderr."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from data import make_instance, pydicom_files
from serving import Serving


def voxcast(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")} | environ
    command = [sys.executable, "-P", "-m", "engine.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean, check=False)


def records(run: subprocess.CompletedProcess[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What stands before the summary, and the summary."""
    *before, last = [json.loads(line) for line in run.stdout.splitlines()]
    return before, last["summary"]


def fill(folder: Path, count: int) -> dict[str, bytes]:
    folder.mkdir()
    contents = {
        f"1.2.3.4.{i}": make_instance(f"1.2.3.4.{i}", number=i, z=float(i), rows=32) for i in range(1, count + 1)
    }
    for i, content in enumerate(contents.values()):
        (folder / f"{i:05}").write_bytes(content)
    return contents


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive with ten instances."""
    fill(tmp_path / "in", 10)
    run = voxcast("import", tmp_path / "in", "--archive", tmp_path / "archive")
    assert (run.returncode, run.stderr) == (0, "")
    return tmp_path / "archive"


def test_import_names_each_failure_and_does_the_rest(tmp_path: Path) -> None:
    contents = fill(tmp_path / "in", 5)
    whole = (tmp_path / "in" / "00000").read_bytes()
    (tmp_path / "in" / "notes.txt").write_text("no DICOM\n" * 100)
    (tmp_path / "in" / "empty").touch()
    (tmp_path / "in" / "nowhere").symlink_to("gone")
    (tmp_path / "in" / "sub").mkdir()
    (tmp_path / "in" / "sub" / "loop").symlink_to(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "in" / "more.zip", "w") as packed:
        packed.writestr("a/other.dcm", make_instance("1.2.3.4.99", number=99))
        packed.writestr("bomb", b"\0" * 100_000_000, zipfile.ZIP_DEFLATED)
    with tarfile.open(tmp_path / "in" / "again.tar", "w") as packed_tar:
        packed_tar.add(tmp_path / "in" / "00000", "same.dcm")
    (tmp_path / "in" / "conflict").write_bytes(whole.replace(b"DOE^JANE", b"DOE^JOHN"))
    arguments = ("import", tmp_path / "in", tmp_path / "gone", "--archive", tmp_path / "archive")
    run = voxcast(*arguments, "--json")
    files, summary = records(run)
    assert run.returncode == 1
    outcomes = {Path(f["file"]).name: f for f in files}
    failed = {name for name, f in outcomes.items() if f["outcome"] == "failed"}
    assert failed == {"notes.txt", "empty", "nowhere", "loop", "more.zip!bomb", "gone"}
    assert all(outcomes[name]["reason"] for name in failed)
    assert outcomes["conflict"]["outcome"] == "conflict-kept"
    assert outcomes["again.tar!same.dcm"]["outcome"] == "duplicate"
    assert "taken for a bomb" in outcomes["more.zip!bomb"]["reason"]
    for name in failed:
        assert sum(f"/{name}: " in line for line in run.stderr.splitlines()) == 1, name
    counted = {k: v for k, v in summary.items() if k not in ("stored_bytes", "with_defects", "interrupted") and v}
    assert Counter(f["outcome"] for f in files) == counted
    assert summary["stored"] == len(contents) + 1
    again = voxcast(*arguments)
    assert again.returncode == 1
    assert again.stdout.startswith("0 instances stored")
    assert again.stdout.count("\n") == 1
    for name in failed:
        assert f"/{name}: " in again.stderr


def test_what_pydicom_ships_goes_in_and_comes_out(tmp_path: Path) -> None:
    files = pydicom_files()
    run = voxcast("import", *files, "--archive", tmp_path / "archive", "--json")
    entries, summary = records(run)
    assert summary["stored"] > 100
    assert "Traceback" not in run.stderr
    assert voxcast("verify", "--archive", tmp_path / "archive").returncode == 0
    stored = {
        e["sop_instance_uid"]: Path(e["file"]) for e in entries if e["outcome"] == "stored" and "!" not in e["file"]
    }
    uids = sorted(stored)[:40]
    out = voxcast("export", *uids, "--archive", tmp_path / "archive", "--to", tmp_path / "out", "--json")
    written, counts = records(out)
    assert (out.returncode, counts["written"]) == (0, len(uids))
    for record in written:
        assert Path(record["file"]).read_bytes() == stored[record["sop_instance_uid"]].read_bytes()


def test_an_interrupted_import_says_what_is_done_and_goes_on_later(tmp_path: Path) -> None:
    contents = fill(tmp_path / "in", 4000)
    command = [
        sys.executable,
        "-P",
        "-m",
        "engine.cli",
        "import",
        str(tmp_path / "in"),
        "--archive",
        str(tmp_path / "a"),
    ]
    with (
        (tmp_path / "err").open("w") as stderr,
        subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=stderr, text=True) as running,
    ):
        assert running.stdout is not None
        first = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        lines = [json.loads(line) for line in (first, *running.stdout)]
        running.wait(60)
    err = (tmp_path / "err").read_text()
    assert running.returncode == 1, err
    assert "stopping" in err
    summary = lines[-1]["summary"]
    assert summary["interrupted"]
    assert 0 < summary["stored"] == len(lines) - 1 < len(contents)
    assert "Traceback" not in err
    verified = voxcast("verify", "--archive", tmp_path / "a", "--json")
    assert verified.returncode == 0
    in_archive = records(verified)[1]["checked"]
    assert in_archive >= summary["stored"]
    rest = voxcast("import", tmp_path / "in", "--archive", tmp_path / "a", "--json")
    assert rest.returncode == 0
    _, counts = records(rest)
    assert (counts["duplicate"], counts["stored"]) == (in_archive, len(contents) - in_archive)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root may mount a small file system")
def test_a_full_disk_ends_an_import_with_a_clear_line(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"this machine does not let root mount: {mounted.stderr.strip()}")
    try:
        (tmp_path / "in").mkdir()
        for i in range(40):
            content = make_instance(f"1.2.3.4.{i}", number=i, rows=512, columns=512)
            (tmp_path / "in" / f"{i:02}").write_bytes(content)
        limits = {"VOXCAST_LIMITS_DISK_RESERVE_BYTES": "1"} if _has_limit("disk_reserve_bytes") else {}
        run = voxcast("import", tmp_path / "in", "--archive", disk / "archive", "--json", **limits)
        assert run.returncode == 1
        assert "no space left" in run.stderr
        assert "Traceback" not in run.stderr
        _, summary = records(run)
        assert summary["stored"] < 40
        verified = voxcast("verify", "--archive", disk / "archive", "--json")
        assert verified.returncode == 0
        # what was on its way to being counted may be there too, never less than what was counted
        assert summary["stored"] <= records(verified)[1]["checked"] < 40
    finally:
        subprocess.run(["umount", disk], check=True)


def _has_limit(name: str) -> bool:
    from engine.limits import Limits

    return name in {row[0] for row in Limits.table()}


def test_import_works_beside_a_running_server(tmp_path: Path) -> None:
    fill(tmp_path / "in", 3)
    with Serving(tmp_path / "archive") as server:
        assert voxcast("import", tmp_path / "in", "--archive", tmp_path / "archive").returncode == 0
        found = server.session.get(server.url + "/dicom-web/instances", timeout=10).json()
        assert len(found) == 3
        for command in ("verify", "stats"):
            assert voxcast(command, "--archive", tmp_path / "archive").returncode == 0
        refused = voxcast("reindex", "--archive", tmp_path / "archive")
        assert refused.returncode == 1
        assert "already served by voxcast serve (pid" in refused.stderr


def test_verify_names_the_instance_whose_byte_changed(archive: Path) -> None:
    clean = voxcast("verify", "--archive", archive)
    assert (clean.returncode, clean.stderr) == (0, "")
    assert clean.stdout.startswith("10 instances read and hashed")
    segment = archive / "segments" / "000001.tar"
    data = bytearray(segment.read_bytes())
    data[data.index(b"1.2.3.4.7\0") + 200] ^= 1
    segment.write_bytes(data)
    run = voxcast("verify", "--archive", archive, "--json")
    problems, summary = records(run)
    assert run.returncode == 1
    assert summary["problems"] == len(problems) == 1
    assert problems[0]["sop_instance_uid"] in run.stderr


def test_a_lost_index_is_built_again(archive: Path) -> None:
    before = voxcast("stats", "--archive", archive, "--json")
    shutil.rmtree(archive / "index.lmdb")
    lost = voxcast("stats", "--archive", archive)
    assert lost.returncode == 1
    assert "voxcast reindex" in lost.stderr
    run = voxcast("reindex", "--archive", archive)
    assert (run.returncode, run.stdout) == (0, "10 instances in 1 series of 1 study, from 10 members of the segments\n")
    after = voxcast("stats", "--archive", archive, "--json")
    ignored = {"index_bytes"}
    assert {k: v for k, v in json.loads(after.stdout).items() if k not in ignored} == {
        k: v for k, v in json.loads(before.stdout).items() if k not in ignored
    }


def test_stats_lists_conflicts_and_defects(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(make_instance("1.2.3.4.1", patient="DOE^OTHER"))
    (tmp_path / "odd").write_bytes(make_instance("1.2.3.04.1", number=77))
    assert voxcast("import", tmp_path / "other", tmp_path / "odd", "--archive", archive).returncode == 0
    text = voxcast("stats", "--archive", archive).stdout
    assert "Explicit VR Little Endian (1.2.840.10008.1.2.1)" in text
    assert "odd-uid: " in text
    assert voxcast("stats", "--archive", archive, "--defect", "odd-uid").stdout == "1.2.3.04.1\n"
    versions = [
        json.loads(x) for x in voxcast("stats", "--archive", archive, "--conflicts", "--json").stdout.splitlines()
    ]
    assert [(v["sop_instance_uid"], v["served"]) for v in versions] == [("1.2.3.4.1", True), ("1.2.3.4.1", False)]
    wrong = voxcast("stats", "--archive", archive, "--defect", "odd-uidd")
    assert (wrong.returncode, "odd-uid" in wrong.stderr) == (2, True)


def test_no_patient_data_is_said(archive: Path, tmp_path: Path) -> None:
    said = [
        voxcast(*command, "--archive", archive)
        for command in (
            ("stats",),
            ("stats", "--conflicts"),
            ("verify",),
            ("export", "1.2.3", "--to", tmp_path / "out"),
        )
    ]
    said.append(voxcast("import", tmp_path / "in", "--archive", archive, "--json"))
    assert all("DOE" not in run.stdout + run.stderr for run in said)


def test_export_to_zip_and_an_unknown_uid(archive: Path, tmp_path: Path) -> None:
    run = voxcast("export", "1.2.3", "9.9.9", "--archive", archive, "--to", tmp_path / "study.zip")
    assert run.returncode == 1
    assert "failed: 9.9.9: " in run.stderr
    assert run.stdout.startswith("10 instances written")
    with zipfile.ZipFile(tmp_path / "study.zip") as packed:
        assert packed.testzip() is None
        out = sorted(packed.read(name) for name in packed.namelist())
    assert out == sorted(p.read_bytes() for p in (tmp_path / "in").iterdir())
    refused = voxcast("export", "1.2.3", "--archive", archive, "--to", tmp_path / "study.zip")
    assert refused.returncode == 2
