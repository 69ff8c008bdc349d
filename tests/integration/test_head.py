"""HEAD on every address that has GET: same status and headers, no body, the connection usable again (RFC 9110 9.3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests
from data import make_instance
from serving import Serving

from engine.web.routes import ROUTES

VALUES = {
    "study": "1.2.3", "series": "1.2.3.4", "instance": "1.2.3.4.1", "frames": "1", "level": "studies", "code": "no-preamble",
    "path": "00100010", "name": "page.js",
}  # fmt: skip
QUERIES = {
    "/dicom-web/studies/{study}/series/{series}/instances/{instance}/jpip": "?target=1",
    "/wado": "?requestType=WADO&studyUID=1.2.3&seriesUID=1.2.3.4&objectUID=1.2.3.4.1",
}
PATHS = sorted({route.path for route in ROUTES if route.method == "GET"})
# No worklist, no outbox, no OHIF unless it is configured; the built page's files have names of their own; a WebSocket is not got.
ABSENT = {
    "/api/outbox/{entry}", "/api/performed/{instance}", "/api/worklist/{step}", "/ohif", "/ohif/{path:.*}", "/static/{name}",
    "/stream",
}  # fmt: skip
# Of this one answer; and how a body is framed that is not there (RFC 9112 6.1 lets HEAD leave it out).
OWN = {"Date", "X-Request-Id", "Server-Timing", "Transfer-Encoding"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("head") / "archive", "--workers", "1") as running:
        assert running.store(*(make_instance(f"1.2.3.4.{i}", number=i) for i in (1, 2))).status_code == 200
        yield running


def headers_of(answer: requests.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OWN}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.clause("PS3.18 8.4.3")
def test_head_is_get_without_the_body(server: Serving, path: str) -> None:
    address = re.sub(r"\{(\w+)[^}]*\}", lambda found: VALUES.get(found[1], "nothing"), path) + QUERIES.get(path, "")
    got = server.session.get(server.url + address, timeout=60, allow_redirects=False)
    asked = server.session.head(server.url + address, timeout=60)
    assert asked.status_code == got.status_code
    assert got.status_code < 500
    assert asked.content == b""
    expected, found = headers_of(got), headers_of(asked)
    if path in (
        "/metrics",
        "/api/explain/{level}",
        "/api/stats",
    ):  # counts, times and sizes differ from one to the next
        expected["Content-Length"] = found["Content-Length"]
    if expected.get("Content-Length") == "0":  # says as much to HEAD as nothing does
        del expected["Content-Length"]
    assert found == expected
    assert server.session.get(server.url + "/healthz", timeout=60).text == "ok\n", (
        "the connection is between two requests"
    )


def test_most_addresses_were_there(server: Serving) -> None:
    """The comparison above is of answers, not of errors: but for what this archive does not have."""
    errors = set()
    for path in PATHS:
        address = re.sub(r"\{(\w+)[^}]*\}", lambda found: VALUES.get(found[1], "nothing"), path) + QUERIES.get(path, "")
        if server.session.get(server.url + address, timeout=60).status_code >= 400:
            errors.add(path)
    assert errors <= ABSENT
