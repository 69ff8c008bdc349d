"""The change feed through a real server: long poll and server-sent events, across processes, bounded, and ended by a stop."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from data import make_instance
from serving import Serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("changes") / "archive", "--workers", "2") as running:
        yield running


def feed(server: Serving, query: str = "") -> dict[str, Any]:
    answer = server.get("/api/changes" + query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def without_quiet(changes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(c["change"], c["sopInstanceUID"]) for c in changes if c["change"] != "series-quiet"]


def test_a_client_follows_stores_and_deletions(server: Serving) -> None:
    begun = feed(server)
    assert begun["changes"] == []
    assert begun["next"] == begun["last"]
    study = "/studies/1.2.3"
    server.store(*(make_instance(f"1.2.3.4.{i}", number=i) for i in (1, 2, 3)))
    server.store(make_instance("1.2.3.4.2", number=2, patient="OTHER"))
    assert server.session.delete(server.url + "/api" + study).status_code == 200
    seen: list[dict[str, Any]] = []
    since = begun["next"]
    while True:
        page = feed(server, f"?since={since}&limit=2")
        assert len(page["changes"]) <= 2
        seen, since = seen + page["changes"], page["next"]
        if not page["more"]:
            break
    told = without_quiet(seen)  # instances that are sent together may be stored in any order
    assert [*sorted(told[:3]), told[3], *sorted(told[4:])] == [
        *[("stored", f"1.2.3.4.{i}") for i in (1, 2, 3)], ("kept", "1.2.3.4.2"),
        *[("deleted", f"1.2.3.4.{i}") for i in (1, 2, 3)],
    ]  # fmt: skip
    assert [c["sequence"] for c in seen] == list(range(begun["next"] + 1, since + 1))
    assert set(seen[0]) == {"sequence", "change", "time", "studyInstanceUID", "seriesInstanceUID", "sopInstanceUID"}
    assert seen[0]["time"].endswith("Z")
    assert "DOE" not in json.dumps(seen)


def test_a_wait_ends_with_what_another_process_has_stored(server: Serving, tmp_path: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(make_instance("1.5.1.1", study="1.5", series="1.5.1"))
    since = feed(server)["next"]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: (feed(server, f"?since={since}&wait=30"), time.monotonic()))
        time.sleep(0.5)
        assert not waiting.done()
        command = [sys.executable, "-P", "-m", "engine.cli", "import", str(tmp_path), "--archive", str(server.archive)]
        assert subprocess.run(command, capture_output=True).returncode == 0
        over = time.monotonic()
        answer, came = waiting.result(20)
    assert without_quiet(answer["changes"]) == [("stored", "1.5.1.1")]
    assert came - over < 2


def test_a_wait_without_a_change_ends_in_time_and_empty(server: Serving) -> None:
    while True:  # until what earlier tests stored has gone quiet
        since, began = feed(server)["next"], time.monotonic()
        answer = feed(server, f"?since={since}&wait=1")
        if not answer["changes"]:
            break
    assert 0.9 < time.monotonic() - began < 3
    assert answer["next"] == since
    assert answer["more"] is False


def test_a_series_that_has_gone_quiet_is_told(server: Serving) -> None:
    since = feed(server)["next"]
    server.store(make_instance("1.6.1.1", study="1.6", series="1.6.1"))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        page = feed(server, f"?since={since}&wait=5")
        since = page["next"]
        quiet = [c for c in page["changes"] if c["change"] == "series-quiet" and c["studyInstanceUID"] == "1.6"]
        if quiet:
            assert quiet[0]["seriesInstanceUID"] == "1.6.1"
            assert "sopInstanceUID" not in quiet[0]
            return
    raise AssertionError("never told")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?since=0", 410), ("?since=-1", 400), ("?since=x", 400), ("?since=1&since=2", 400), ("?since=²", 400),
        ("?limit=0", 400), ("?limit=10001", 400), ("?wait=61", 400), ("?sinse=1", 400), ("?since=9999999999999999", 410),
        ("?since=99999999999999999999999", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_says_why(server: Serving, query: str, status: int) -> None:
    answer = server.get("/api/changes" + query)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    if status == 410:
        assert f"follow from {feed(server)['last']}" in answer.json()["detail"]
    assert server.get("/api/changes" + query, accept="text/event-stream").status_code == status


def test_only_json_and_events(server: Serving) -> None:
    assert server.get("/api/changes", accept="text/html").status_code == 406
    for accept in ("application/json", "*/*", "text/html, */*;q=0.1"):
        assert server.get("/api/changes", accept=accept).headers["Content-Type"] == "application/json"
    head = server.session.head(server.url + "/api/changes", headers={"Accept": "text/event-stream"}, timeout=10)
    assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream")


class Events:
    """A client of server-sent events as the standard describes one (fields, blank line dispatches)."""

    def __init__(self, server: Serving, query: str = "", **headers: str) -> None:
        sent = {"Accept": "text/event-stream", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.response = requests.get(server.url + "/api/changes" + query, headers=sent, stream=True, timeout=20)
        assert self.response.status_code == 200, self.response.text
        self.last_id = ""
        self._events = self._read()

    def _read(self) -> Iterator[tuple[str, Any]]:
        name, data = "message", ""
        for raw in self.response.iter_lines(chunk_size=1):
            line = raw.decode()
            if not line:
                if data:
                    yield name, json.loads(data)
                name, data = "message", ""
                continue
            field, _, value = line.partition(": ")
            if field == "id":
                self.last_id = value
            elif field == "event":
                name = value
            elif field == "data":
                data += value

    def next(self) -> tuple[str, Any]:
        return next(self._events)

    def next_instance(self) -> tuple[str, str]:
        while True:
            name, told = self.next()
            assert name == "change"
            if told["change"] != "series-quiet":
                return told["change"], told["sopInstanceUID"]


def test_events_come_as_they_happen_and_go_on_where_a_client_was(server: Serving) -> None:
    events = Events(server)
    name, begun = events.next()
    assert name == "begin"
    assert events.last_id == str(begun["last"])
    server.store(make_instance("1.7.1.1", study="1.7", series="1.7.1"))
    assert events.next_instance() == ("stored", "1.7.1.1")
    was = events.last_id
    events.response.close()
    server.store(make_instance("1.7.1.2", study="1.7", series="1.7.1"))
    again = Events(server, "?since=0", Last_Event_ID=was)  # the header stands above what the address said at first
    assert again.next()[0] == "begin"
    assert again.next_instance() == ("stored", "1.7.1.2")
    again.response.close()


def test_who_waits_takes_no_place_from_others(tmp_path: Path) -> None:
    config = tmp_path / "small.toml"
    config.write_text("[limits]\nwaiting_clients_max = 3\nrequests_max = 2\nclient_requests_max = 2\n")
    with Serving(tmp_path / "archive", "--workers", "1", "--config", str(config)) as server:
        since = feed(server)["next"]
        polls = [
            ThreadPoolExecutor(1).submit(requests.get, f"{server.url}/api/changes?since={since}&wait=20")
            for _ in (1, 2)
        ]
        time.sleep(1)  # both wait by now: neither counts any more
        stream = Events(server)
        stream.next()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            refused = server.get(f"/api/changes?since={since}&wait=1")
            if refused.status_code == 503 and "waiting_clients_max" in refused.text:
                break
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert server.get("/dicom-web/studies").status_code == 204
        server.store(make_instance())
        assert [poll.result(10).status_code for poll in polls] == [200, 200]
        assert stream.next_instance() == ("stored", "1.2.3.4.1")
        stream.response.close()


def test_a_stop_ends_every_wait_at_once(tmp_path: Path) -> None:
    server = Serving(tmp_path / "archive", "--workers", "1").start()
    since = feed(server)["next"]
    stream = Events(server)
    stream.next()
    ended: list[tuple[int, Any]] = []

    def wait() -> None:
        answer = requests.get(f"{server.url}/api/changes?since={since}&wait=60", timeout=60)
        ended.append((answer.status_code, answer.json()["changes"]))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 5
    waiting.join(5)
    assert ended == [(200, [])]
    with pytest.raises(StopIteration):  # whole, not cut
        stream.next()
