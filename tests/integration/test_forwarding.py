"""What arrives goes on: from server to server and to Orthanc, over C-STORE, byte for byte, and not round in circles."""

from __future__ import annotations

import time
from pathlib import Path

from tests.data import make_instance
from tests.receiving import Orthanc, Receiver, free_port, needs_orthanc, wait_until
from tests.serving import Serving

CT, MR = (
    {"modality": "CT", "study": "1.2.1", "series": "1.2.1.9"},
    {"modality": "MR", "study": "1.2.2", "series": "1.2.2.9"},
)


def server(folder: Path, name: str, port: int, more: str) -> Serving:
    folder.mkdir()
    config = folder / "voxcast.toml"
    config.write_text(f'aet = "{name}"\ndicom = "127.0.0.1:{port}"\n{more}\n[limits]\noutbox_backoff_s_max = 1\n')
    return Serving(folder / "archive", "--config", str(config), dicom=f"127.0.0.1:{port}")


def peer(name: str, port: int) -> str:
    return f'[peers.{name}]\naet = "{name}"\nhost = "127.0.0.1"\nport = {port}\n'


def rule(name: str, to: str, *conditions: str) -> str:
    return "\n".join(["[[forward]]", f'name = "{name}"', f'to = ["{to}"]', *conditions, ""])


def uids(there: Serving) -> list[str]:
    rows = there.get("/dicom-web/instances?limit=1000")
    return sorted(row["00080018"]["Value"][0] for row in rows.json()) if rows.status_code == 200 else []


def waiting(there: Serving) -> list[object]:
    entries: list[object] = there.get("/api/outbox").json()["entries"]
    return entries


def test_two_that_forward_to_each_other_come_to_an_end(tmp_path: Path) -> None:
    ports = {"ONE": free_port(), "TWO": free_port()}
    instances = [make_instance(f"1.2.1.{n}", number=n, rows=64, columns=64, **CT) for n in range(40)]
    one = server(tmp_path / "one", "ONE", ports["ONE"], peer("TWO", ports["TWO"]) + rule("all", "TWO"))
    two = server(tmp_path / "two", "TWO", ports["TWO"], peer("ONE", ports["ONE"]) + rule("all", "ONE"))
    with one, two:
        assert one.store(*instances).status_code == 200
        wait_until(lambda: len(uids(two)) == 40 and not waiting(one), "all are there")
        assert two.store(make_instance("1.2.1.99", **CT)).status_code == 200
        wait_until(lambda: len(uids(one)) == 41 and not waiting(two), "and the other way")
        time.sleep(0.5)
        assert waiting(one) == waiting(two) == []
        [there] = one.get("/api/outbox").json()["peers"]
        assert (there["sent"], there["failures"]) == (40, 0)
        [back] = two.get("/api/outbox").json()["peers"]
        assert back["sent"] == 1, "nothing went back to where it came from"
        path = "/dicom-web/studies/1.2.1/series/1.2.1.9/instances/1.2.1.7"
        a, b = (side.get(path, accept="application/dicom; transfer-syntax=*").content for side in (one, two))
        data_set = instances[7][-64 * 64 * 2 - 200 :]
        assert data_set in a
        assert data_set in b


def test_each_rule_takes_what_it_means(tmp_path: Path) -> None:
    with Receiver(aet="CTS") as cts, Receiver(aet="LATE") as late:
        text = (
            peer("CTS", cts.port)
            + peer("LATE", late.port)
            + rule("ct", "CTS", 'modalities = ["CT"]', 'doors = ["stow"]')
            + rule("whole", "LATE", "quiet_s = 2")
        )
        with server(tmp_path / "one", "ONE", free_port(), text) as one:
            assert one.store(make_instance("1.2.1.1", **CT), make_instance("1.2.2.1", **MR)).status_code == 200
            begun = time.monotonic()
            wait_until(lambda: cts.uids() == ["1.2.1.1"], "the CT goes at once")
            wait_until(lambda: sorted(late.uids()) == ["1.2.1.1", "1.2.2.1"], "the rest once it is quiet")
            assert time.monotonic() - begun > 2
            assert cts.uids() == ["1.2.1.1"]


@needs_orthanc
def test_orthanc_gets_what_was_stored(tmp_path: Path) -> None:
    with (
        Orthanc(tmp_path / "orthanc") as there,
        server(tmp_path / "one", "ONE", free_port(), peer("ORTHANC", there.port) + rule("all", "ORTHANC")) as one,
    ):
        assert one.store(*(make_instance(f"1.2.1.{n}", number=n, **CT) for n in range(10))).status_code == 200
        wait_until(lambda: len(there.uids()) == 10, "Orthanc has them")
        wait_until(lambda: not waiting(one), "and said so")


def test_a_server_whose_outbox_is_damaged_stores_and_shows_all_the_same(tmp_path: Path) -> None:
    text = peer("TWO", free_port()) + rule("all", "TWO")
    running = server(tmp_path / "one", "ONE", free_port(), text)
    outbox = tmp_path / "one" / "archive" / "outbox.lmdb"
    outbox.mkdir(parents=True)
    (outbox / "data.mdb").write_bytes(b"x" * 16384)
    with running as one:
        assert one.store(make_instance("1.2.1.1", **CT)).status_code == 200
        assert uids(one) == ["1.2.1.1"]
        answer = one.get("/api/outbox")
        assert answer.status_code == 500
        assert "outbox.lmdb" in answer.json()["detail"]
        assert one.get("/metrics").status_code == 200
