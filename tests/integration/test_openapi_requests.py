"""Requests made from the server's own description: none ends in a server error, and no answer is another one than described."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from data import make_instance
from serving import Serving
from worklists import item

from engine.dicom.scheduled_step import identity

TESTS = Path(__file__).resolve().parents[1]
SECONDS_MAX = 200  # 20 s on an idle machine
# What is there, so that requests get past 404; and what OpenAPI cannot say: which parameters of a picture cannot stand beside
# each other, which changes are still kept, that Accept may name what an instance cannot be given in, that 501 is no failure
# (nothing is de-identified), that OPTIONS has its answer for what no address can be, too.
_OPTIONS = """
[[operations]]
include-method = "OPTIONS"
checks.negative_data_rejection.enabled = false
"""
STEP = identity("1.2.3", "S1")
CONFIG = f"""
[parameters]
study = "1.2.3"
series = "1.2.3.4"
instance = "1.2.3.4.1"
studyUID = "1.2.3"
seriesUID = "1.2.3.4"
objectUID = "1.2.3.4.1"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "404", "406", "409"]

[[operations]]
include-tag = "rendered"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = "/wado"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]

[[operations]]
include-path-regex = "^/api/worklist"
parameters = {{ step = "{STEP}" }}
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409"]

[[operations]]
include-path = "/api/changes"
parameters = {{ wait = "0", accept = "application/json" }}
checks.positive_data_acceptance.enabled = false

# As many parameters as GET has, which is asked.
[[operations]]
include-method = "HEAD"
include-tag = "search"
enabled = false
{_OPTIONS}"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path / "archive") as running:
        images = [make_instance(f"1.2.3.4.{i}", number=i, z=float(i), frames=3) for i in (1, 2)]
        assert running.store(*images).status_code == 200
        assert running.session.post(running.url + "/api/worklist", json=item("S1")).status_code == 201
        yield running


def run(server: Serving, folder: Path, config: str, *options: str) -> None:
    (folder / "schemathesis.toml").write_text(config)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"]
    # Not stateful: what one answer names is not asked for by the next.
    phases = ("--phases", "examples,coverage,fuzzing", "--seed", "20261126", "--max-examples", "2", "--no-color")
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "openapi_hooks", "PYTHONPATH": str(TESTS)}
    result = subprocess.run(
        [*command, server.url + "/api/openapi.json", *phases, *options],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-2000:]
    assert " generated, " in result.stdout


def test_requests_for_what_is_there(server: Serving, tmp_path: Path) -> None:
    # Searches have 80 parameters, and each handler of theirs has other addresses, which are asked.
    # The stream is spoken by a WebSocket only (`test_stream`): every request that a description can make is 426 there.
    alike = "^(/stream|/api/explain/.*|/dicom-web/series|/dicom-web/instances|/dicom-web/studies/{study}/instances)$"
    run(server, tmp_path, CONFIG, "--exclude-method", "DELETE", "--exclude-path-regex", alike)
    assert server.get("/readyz").status_code == 200


def test_requests_for_anything(server: Serving, tmp_path: Path) -> None:
    """Addresses are generated, too; what is deleted is mostly not there."""
    study = r"/dicom-web/studies/{study}(/series/{series}(/instances/{instance}(/frames/.*)?)?)?$"
    paths = rf"^(/api(?!/changes)|/ohif|/static|/healthz|/readyz|/metrics|{study})"
    run(server, tmp_path, _OPTIONS, "--include-path-regex", paths, "--exclude-checks", "positive_data_acceptance")
    assert server.get("/readyz").status_code == 200
