"""`voxcast renditions` and `/api/renditions`, as an operator uses them: what is there, make it now, let it go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from renditions import SERIES, STUDY, Made, ct
from serving import Serving

from engine.limits import Limits

DEADLINE_S = 30.0
OTHER = "1.2.3.9"


def voxcast(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")} | environ
    clean.setdefault("VOXCAST_LIMITS_RENDITION_RESERVE_BYTES", "1")
    command = [sys.executable, "-P", "-m", "engine.cli", "renditions", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean, check=False)


def records(run: subprocess.CompletedProcess[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    *before, last = [json.loads(line) for line in run.stdout.splitlines()]
    return before, last["summary"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two series of one study."""
    made = Made.of(tmp_path, ct(1), ct(2), ct(1, series=OTHER), limits=Limits(disk_reserve_bytes=0))
    made.archive.close()
    return tmp_path


def test_make_list_and_drop(archive: Path) -> None:
    at = ("--archive", archive, "--json")
    run = voxcast("make", SERIES, *at)
    assert (run.returncode, run.stderr) == (0, "")
    [one], summary = records(run)
    assert one["series_instance_uid"] == SERIES
    assert one["made"] == 2 and one["is_complete"]
    assert (summary["made"], summary["frames"], summary["bytes"]) == (1, 2, one["bytes"])

    listed, summary = records(voxcast("list", *at))
    assert [row["series_instance_uid"] for row in listed] == [SERIES]
    assert (summary["packs"], summary["bytes"]) == (1, one["bytes"])
    [row], _ = records(voxcast("list", OTHER, *at))
    assert not row["is_complete"]

    _, summary = records(voxcast("make", *at))
    assert (summary["made"], summary["frames"]) == (1, 1)
    _, summary = records(voxcast("make", STUDY, *at))
    assert summary["made"] == 0

    _, summary = records(voxcast("drop", OTHER, *at))
    assert summary == {"dropped": 1}
    _, summary = records(voxcast("drop", *at))
    assert summary == {"dropped": 1}
    assert records(voxcast("list", *at))[1]["packs"] == 0


def test_people_get_words(archive: Path) -> None:
    run = voxcast("make", "--archive", archive)
    assert run.returncode == 0
    assert run.stdout.startswith("2 packs made (3 frames encoded in ")
    run = voxcast("list", "--archive", archive)
    assert f"{SERIES} complete, 2 frames, " in run.stdout
    assert "2 packs, " in run.stdout.splitlines()[-1]


def test_what_is_not_there_or_has_no_room_is_named(archive: Path) -> None:
    run = voxcast("make", "9.9", SERIES, "--archive", archive)
    assert run.returncode == 1
    assert "failed: 9.9: no study or series has this UID" in run.stderr
    assert "1 pack made" in run.stdout
    run = voxcast("make", OTHER, "--archive", archive, "--json", VOXCAST_LIMITS_RENDITION_BYTES_MAX="100")
    assert run.returncode == 1
    assert "limits.rendition_bytes_max" in run.stderr
    assert records(run)[1]["failed"] == 1
    assert voxcast("list", "--archive", archive / "nowhere").returncode == 2


def test_the_api_tells_asks_and_drops(archive: Path) -> None:
    where = f"/api/renditions/studies/{STUDY}/series/{SERIES}"
    environ = {"VOXCAST_RENDITIONS": "asked", "VOXCAST_LIMITS_RENDITION_RESERVE_BYTES": "1"}
    with Serving(archive, environ=environ) as server:
        before = server.get("/api/renditions").json()
        assert (before["mode"], before["packs"], before["bytes"], before["making"]) == ("asked", 0, 0, None)
        assert server.get(where).json()["isComplete"] is False
        deadline = time.monotonic() + DEADLINE_S
        answer = server.session.post(server.url + where)
        while not answer.json()["isAsked"] and time.monotonic() < deadline:  # its process may still be starting
            time.sleep(0.1)
            answer = server.session.post(server.url + where)
        assert (answer.status_code, answer.json()) == (202, {"isAsked": True})
        while not server.get(where).json()["isComplete"] and time.monotonic() < deadline:
            time.sleep(0.05)
        state = server.get(where).json()
        assert (state["framesMade"], state["framesKept"], state["framesStored"]) == (2, 0, [])
        assert 0 < state["coarseBytes"] < state["bytes"]
        assert server.get("/api/renditions").json()["packs"] == 1
        assert server.session.delete(server.url + where).json() == {"deleted": 1}
        assert server.session.delete(server.url + where).json() == {"deleted": 0}
        assert server.get("/api/renditions").json()["packs"] == 0
        for method in ("GET", "POST", "DELETE"):
            assert server.session.request(method, server.url + where + "9").status_code == 404
        assert server.get("/api/stats").json()["rendition_bytes"] >= 0


def test_nobody_hears_where_none_are_made(archive: Path) -> None:
    with Serving(archive, environ={"VOXCAST_RENDITIONS": "off"}) as server:
        answer = server.session.post(f"{server.url}/api/renditions/studies/{STUDY}/series/{SERIES}")
        assert (answer.status_code, answer.json()) == (202, {"isAsked": False})
        assert server.get("/api/renditions").json()["mode"] == "off"
