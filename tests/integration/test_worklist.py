"""The worklist through a real server: planned over HTTP and from DCMTK's worklist files, accounted for, whole after kill -9."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import requests
from serving import Serving
from worklists import attributes, item

DAY, STATION = "ScheduledProcedureStepStartDate", "ScheduledStationAETitle"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        yield running


def send(
    server: Serving, method: str, path: str, body: object, media_type: str = "application/dicom+json"
) -> requests.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.session.request(
        method, server.url + path, data=content, headers={"Content-Type": media_type}, timeout=60
    )


def listed(server: Serving, query: str = "") -> list[dict[str, Any]]:
    answer = server.get(f"/api/worklist{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["steps"]
    return found


def test_a_step_is_planned_found_changed_and_withdrawn(server: Serving) -> None:
    whole = item(
        "H1", study="1.5.1", **{STATION: "US1", "PatientName": "Müller^Jörg"}, PatientSpeciesDescription="CANINE"
    )
    answer = send(server, "POST", "/api/worklist", whole)
    assert answer.status_code == 201, answer.text
    [step] = answer.json()["steps"]
    assert (step["state"], step["origin"], step["attributes"]) == ("SCHEDULED", "api", whole)
    path = f"/api/worklist/{step['id']}"
    assert answer.headers["Location"] == path
    assert send(server, "POST", "/api/worklist", whole).status_code == 409
    assert listed(server, f"?{STATION}=US1&PatientName=mull*&{DAY}=20260101-20260131&state=SCHEDULED") == [step]
    assert listed(server, f"?{STATION}=US1&state=COMPLETED,DISCONTINUED") == []

    patch = attributes(
        PatientComments="knee", ScheduledProcedureStepSequence=[{"ScheduledProcedureStepStatus": "ARRIVED"}]
    )
    patch["00102201"] = None
    answer = send(server, "PATCH", path, patch)
    assert answer.status_code == 200, answer.text
    changed = answer.json()["attributes"]
    assert "00102201" not in changed
    assert changed["00104000"]["Value"] == ["knee"]
    [inner] = changed["00400100"]["Value"]
    assert inner["00400020"]["Value"] == ["ARRIVED"]
    assert {**inner, "00400020": {"vr": "CS", "Value": ["SCHEDULED"]}} == whole["00400100"]["Value"][0]

    without = item("H1", study="1.5.1", **{STATION: "US1"}, ScheduledProcedureStepStatus=...)
    assert send(server, "PUT", path, without).json()["attributes"]["00400100"]["Value"] == [inner], "the status stays"
    assert send(server, "PUT", path, item("H2", study="1.5.1")).status_code == 400
    one = server.get(path).json()
    assert (one["performed"], one["series"]) == ([], [])
    assert server.session.delete(server.url + path).json() == {"deleted": 1}
    for call in (server.get(path), server.session.delete(server.url + path), send(server, "PUT", path, whole)):
        assert call.status_code == 404
    lines = [json.loads(line) for line in (server.archive / "audit.jsonl").read_text().splitlines()]
    mine = [line["action"] for line in lines if step["id"] in line["steps"]]
    assert mine == ["worklist-create"] * 2 + ["worklist-change"] * 3 + ["worklist-delete"]
    assert "Müller" not in (server.archive / "audit.jsonl").read_text()


def test_what_names_a_step_is_made_where_it_is_missing(server: Serving) -> None:
    order = item(..., **{STATION: "MADE"}, RequestedProcedureID=..., StudyInstanceUID=...)
    [first] = order["00400100"]["Value"]
    order["00400100"]["Value"] = [first, {**first, "00400002": {"vr": "DA", "Value": ["20260301"]}}]
    answer = send(server, "POST", "/api/worklist", [order], "application/json")
    assert answer.status_code == 201, answer.text
    steps = [one["attributes"] for one in answer.json()["steps"]]
    assert len({one["0020000D"]["Value"][0] for one in steps}) == 1, "one order, one study"
    assert len({one["00401001"]["Value"][0] for one in steps}) == 1
    assert len({one["00400100"]["Value"][0]["00400009"]["Value"][0] for one in steps}) == 2
    assert [one["attributes"] for one in listed(server, f"?{STATION}=MADE&limit=1&offset=1")] == steps[1:]
    assert server.get(f"/api/worklist?{STATION}=MADE&limit=1").json()["more"] is True


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "JSON"),
        (b"[]", 400, "no worklist item"),
        ({}, 400, "ScheduledProcedureStepSequence is missing"),
        (b'{"00100010": {"vr": "PN", "Value": 5}}', 400, "00100010"),
        ([item("B1"), item("B2", PatientID="")], 400, "item 2, PatientID has no value"),
        (item("B3", Modality="ct"), 400, "Modality"),
        ({**item("B4"), "00104000": {"vr": "LT", "BulkDataURI": "x"}}, 400, "in the document itself"),
        ([item(f"B{i}") for i in range(1001)], 413, "worklist_request_steps_max"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_says_why(server: Serving, body: object, status: int, said: str) -> None:
    before = listed(server)
    answer = send(server, "POST", "/api/worklist", body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert listed(server) == before


def test_requests_that_make_no_sense(server: Serving) -> None:
    for path in ("?Modalty=CT", f"?{DAY}=soon", "?state=DONE", "?limit=0", "?limit=5000", "?fuzzymatching=perhaps"):
        assert server.get(f"/api/worklist{path}").status_code == 400
    assert "Modality" in server.get("/api/worklist?Modalty=CT").json()["detail"]
    assert server.get("/api/worklist/nothing").status_code == 404
    assert server.get("/api/performed/1.2.3").status_code == 404
    assert server.get("/api/performed?limit=5").json() == {"performed": [], "more": False}
    assert send(server, "POST", "/api/worklist", item("X"), "text/plain").status_code == 415
    assert send(server, "PATCH", f"/api/worklist/{'0' * 32}", attributes(PatientID="X")).status_code == 404
    foreign = {"Origin": "http://evil.example", "Content-Type": "application/json"}
    answer = server.session.post(server.url + "/api/worklist", data=json.dumps(item("X")), headers=foreign)
    assert answer.status_code == 403


DUMP = """
(0008,0005) CS {charset}
(0008,0050) SH A{n}
(0010,0010) PN {name}
(0010,0020) LO P{n}
(0020,000d) UI 1.6.{n}
(0032,1060) LO CT THORAX
(0040,1001) SH R{n}
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS CT
(0040,0001) AE WLM
(0040,0002) DA 2026010{n}
(0040,0003) TM 1000
(0040,0009) SH S{n}
(fffe,e00d) -
(fffe,e0dd) -
"""


def worklist(*words: str) -> tuple[int, list[dict[str, Any]], str]:
    command = [sys.executable, "-P", "-m", "engine.cli", "worklist", *words, "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return run.returncode, [json.loads(line) for line in run.stdout.splitlines()], run.stderr


@pytest.mark.skipif(which("dump2dcm") is None, reason="DCMTK's dump2dcm makes the files: apt install dcmtk")
def test_files_as_wlmscpfs_has_them(server: Serving, tmp_path: Path) -> None:
    folder = tmp_path / "VOXCAST"
    folder.mkdir()
    names = {
        1: ("ISO_IR 100", "Müller^Jörg".encode("latin_1")),
        2: ("ISO_IR 192", "Διονυσιος".encode()),
        3: ("ISO_IR 100", b"DOE^JANE"),
    }
    for n, (charset, name) in names.items():
        text = DUMP.format(n=n, charset=charset, name="@@").encode().replace(b"@@", name)
        (tmp_path / "dump").write_bytes(text)
        form = {1: [], 2: ["-F", "+ti"], 3: ["-F", "+te"]}[n]
        subprocess.run(["dump2dcm", *form, tmp_path / "dump", folder / f"{n}.wl"], check=True, capture_output=True)
    (folder / "lockfile").write_bytes(b"")
    (folder / "bad.wl").write_bytes(b"no DICOM" * 100)
    archive = ["--archive", str(server.archive)]
    code, lines, said = worklist("import", str(folder), *archive)
    assert code == 1, said
    assert lines[-1] == {"summary": {"stored": 3, "changed": 0, "unchanged": 0, "failed": 1}}
    assert "bad.wl" in said
    (folder / "bad.wl").unlink()
    (folder / "3.wl").unlink()
    code, lines, said = worklist("import", str(folder), *archive)
    assert (code, lines[-1]) == (0, {"summary": {"stored": 0, "changed": 0, "unchanged": 2, "failed": 0}})
    found = listed(server, f"?{STATION}=WLM")
    assert [one["attributes"]["00100010"]["Value"][0]["Alphabetic"] for one in found] == [
        "Müller^Jörg",
        "Διονυσιος",
        "DOE^JANE",
    ]
    assert found[0]["origin"] == "import"
    code, lines, said = worklist("list", "--station", "WLM", "--date", "20260102-", *archive)
    assert code == 0, said
    assert [one["id"] for one in lines] == [one["id"] for one in found[1:]]
    assert lines[0]["start"] == "202601021000"
    assert worklist("list", "--state", "DONE", *archive)[0] == 2
    assert worklist("list", "--date", "soon", *archive)[0] == 2


def test_kill_and_the_loss_of_the_index_lose_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    server = Serving(archive).start()
    taken = []
    try:
        for number in range(20):
            answer = send(server, "POST", "/api/worklist", item(f"S{number}"))
            assert answer.status_code == 201
            taken.append(answer.json()["steps"][0])
    finally:
        server.kill()
    command = [sys.executable, "-P", "-m", "engine.cli", "reindex", "--archive", str(archive)]
    assert subprocess.run(command, capture_output=True).returncode == 0
    with Serving(archive) as server:
        assert {one["id"]: one for one in listed(server)} == {one["id"]: one for one in taken}
