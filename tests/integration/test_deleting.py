"""Deleting through a real server: gone at once and after a restart and a reindex, with lines in the audit trail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from data import make_instance
from serving import Serving


def test_what_is_deleted_is_gone_for_good_and_accounted_for(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    at = "/studies/1.2.3/series/1.2.3.4"
    with Serving(archive) as server:
        contents = [make_instance(f"1.2.3.4.{i}", number=i) for i in (1, 2, 3)]
        contents += [
            make_instance("1.2.3.5.1", series="1.2.3.5"),
            make_instance("1.9.1.1", study="1.9", series="1.9.1"),
        ]
        assert server.store(*contents).status_code == 200
        assert server.get(f"/dicom-web{at}/instances/1.2.3.4.2/frames/1").status_code == 200

        def delete(path: str) -> tuple[int, object]:
            answer = server.session.delete(server.url + "/api" + path)
            return answer.status_code, answer.json().get("deleted")

        assert delete(f"{at}/instances/1.2.3.4.2") == (200, 1)
        assert server.get(f"/dicom-web{at}/instances/1.2.3.4.2/frames/1").status_code == 404
        assert len(server.get(f"/dicom-web{at}/metadata").json()) == 2
        assert delete(f"{at}/instances/1.2.3.4.2") == (404, None)
        assert delete("/studies/1.2.3/series/1.9.1/instances/1.9.1.1") == (404, None), "filed elsewhere"
        assert delete("/studies/1.2.3/series/1.2.3.5") == (200, 1)
        assert delete("/studies/1.9") == (200, 1)
        found = server.get("/dicom-web/studies").json()
        assert [row["00201208"]["Value"] for row in found] == [[2]]
        foreign = server.session.delete(server.url + "/api/studies/1.2.3", headers={"Origin": "http://evil.example"})
        assert foreign.status_code == 403
    lines = [json.loads(line) for line in (archive / "audit.jsonl").read_text().splitlines()]
    assert [(line["action"], line.get("instances")) for line in lines] == [("delete", None), ("deleted", 1)] * 3
    assert lines[0]["instance_uid"] == "1.2.3.4.2"
    assert "DOE" not in (archive / "audit.jsonl").read_text()
    command = [sys.executable, "-P", "-m", "engine.cli", "reindex", "--archive", str(archive)]
    assert subprocess.run(command, capture_output=True).returncode == 0
    with Serving(archive) as server:
        assert [row["00201208"]["Value"] for row in server.get("/dicom-web/studies").json()] == [[2]]
