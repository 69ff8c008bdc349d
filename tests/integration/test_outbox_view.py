"""/api/outbox: what waits, how it goes with each peer, retry and cancel, gauges in /metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from receiving import free_port, wait_until
from serving import Serving

from engine.archive.archive import Archive
from engine.archive.outbox import Outbox
from engine.archive.outbox_records import Order, Result, Settled
from engine.limits import Limits
from tests.in_process import InProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcess]:
    with InProcess(tmp_path) as running:
        yield running


def call(server: InProcess, path: str, method: str = "GET") -> Any:
    answer = requests.request(method, f"http://127.0.0.1:{server.port}{path}", timeout=20)
    return answer.status_code, answer.json() if "json" in answer.headers["Content-Type"] else answer.text


def fill(server: InProcess) -> None:
    """Entry 1 to A has one failed and two waiting instances, entry 2 to B has been given up."""
    outbox = server.archive.outbox.get()
    for peer, study, sops in (("A", "1.2", "abc"), ("B", "1.3", "d")):
        instances = tuple((study, study + ".1", sop) for sop in sops)
        outbox.put(Order(peer=peer, instances=instances, reason="rule all"))
    [first, *_] = outbox.items(1, 9)
    outbox.settle([Settled(item=first, result=Result.FAILED, error="status C000")])
    outbox.peer_failed("B", 10**18, "does not answer")
    outbox.give_up(2, "does not answer")


def test_without_an_outbox_nothing_waits_and_none_is_made(server: InProcess, tmp_path: Path) -> None:
    assert call(server, "/api/outbox") == (200, {"peers": [], "entries": [], "more": False})
    for path, method in (("/1", "GET"), ("/1/retry", "POST"), ("/1/cancel", "POST")):
        assert call(server, "/api/outbox" + path, method)[0] == 404
    assert call(server, "/api/outbox/peers/A/retry", "POST") == (200, {"entries": 0})
    assert "outbox_waiting" not in call(server, "/metrics")[1]
    assert not (tmp_path / "outbox.lmdb").exists()


def test_what_waits_is_seen_by_peer_and_by_entry(server: InProcess) -> None:
    fill(server)
    _, view = call(server, "/api/outbox")
    a, b = view["peers"]
    assert (a["peer"], a["entries"], a["instances"], a["failed"]) == ("A", 1, 2, 1)
    assert (b["givenUp"], b["failures"], b["lastError"], b["nextCall"][:4]) == (1, 1, "does not answer", "2001")
    assert b["oldest"] is None
    assert not a["inSettings"], "nobody has set it up here, and nothing is tried"
    one, two = view["entries"]
    assert (one["studyInstanceUID"], one["reason"], one["state"], one["waiting"]) == ("1.2", "rule all", "waiting", 2)
    assert two["state"] == "given-up"
    assert call(server, "/api/outbox?peer=B")[1]["entries"] == [two]
    assert call(server, "/api/outbox?limit=1")[1]["more"] is True
    assert call(server, "/api/outbox?limit=1&behind=1")[1]["entries"] == [two]
    _, detail = call(server, "/api/outbox/1")
    assert detail == one | {
        "instances": [{"seriesInstanceUID": "1.2.1", "sopInstanceUID": "a", "attempts": 1, "error": "status C000"}]
    }


def test_peers_that_are_gone_from_the_settings_are_told_at_the_start(tmp_path: Path) -> None:
    Archive.open(tmp_path / "archive").close()
    outbox = Outbox.open(tmp_path / "archive", Limits())
    for peer in ("gone", "there", "deaf"):
        outbox.put(Order(peer=peer, instances=(("1.2", "1.2.1", "1.2.1.1"),), reason="rule all"))
    outbox.close()
    (tmp_path / "v.toml").write_text(
        f'[peers.there]\naet = "THERE"\nhost = "127.0.0.1"\nport = {free_port()}\n[peers.deaf]\naet = "DEAF"\n'
    )
    with Serving(tmp_path / "archive", "--config", str(tmp_path / "v.toml")) as server:
        peers = server.get("/api/outbox").json()["peers"]
        assert {one["peer"]: one["inSettings"] for one in peers} == {"gone": False, "there": True, "deaf": False}
        told: list[str] = []

        def is_told() -> bool:
            told.extend(re.findall(r"wait to be sent to (\w+), which is no peer of the settings", server.said()))
            return len(told) >= 2

        wait_until(is_told, "the log names both")
    assert sorted(told) == ["deaf", "gone"]


def test_retry_and_cancel_leave_their_line_in_the_audit_trail(server: InProcess, tmp_path: Path) -> None:
    fill(server)
    assert call(server, "/api/outbox/1/retry", "POST") == (200, {"entries": 1})
    assert call(server, "/api/outbox/1")[1]["waiting"] == 3
    assert call(server, "/api/outbox/1/cancel", "POST") == (200, {"entries": 1})
    assert call(server, "/api/outbox/1")[0] == 404
    assert call(server, "/api/outbox/1/cancel", "POST")[0] == 404
    assert call(server, "/api/outbox/peers/B/retry", "POST") == (200, {"entries": 1})
    assert call(server, "/api/outbox/2")[1]["state"] == "waiting"
    assert call(server, "/api/outbox/peers/B/cancel", "POST") == (200, {"entries": 1})
    assert call(server, "/api/outbox")[1]["entries"] == []
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(one["action"], one.get("entry"), one.get("to")) for one in lines] == [
        ("outbox-retry", 1, None), ("outbox-cancel", 1, None), ("outbox-retry", None, "B"), ("outbox-cancel", None, "B"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("?limit=0", "GET"), ("?limit=x", "GET"), ("?behind=-1", "GET"), ("/x", "GET"), ("/x/retry", "POST"),
        ("/peers/a%20b/retry", "POST"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_400(server: InProcess, path: str, method: str) -> None:
    assert call(server, "/api/outbox" + path, method)[0] == 400


def test_gauges_for_each_peer(server: InProcess) -> None:
    fill(server)
    text = call(server, "/metrics")[1]
    assert 'voxcast_outbox_waiting{peer="A"} 2\n' in text
    assert 'voxcast_outbox_given_up{peer="B"} 1\n' in text
    assert 'voxcast_outbox_peer_failures{peer="B"} 1\n' in text
