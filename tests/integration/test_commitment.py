"""Storage Commitment Push Model with pynetdicom as the SCU: all, some, over either association, tried again (PS3.4 J)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from committing import Asking, committed, failed
from data import make_instance
from pydicom.uid import MRImageStorage
from receiving import free_port
from retrieving import address
from serving import Serving

STORED = {uid: make_instance(uid, series="1.2.3.4") for uid in ("1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3")}


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("committing")
    with Serving(folder / "archive", "--config", str(configure(folder, port)), dicom="127.0.0.1:0") as running:
        assert running.store(*STORED.values()).status_code == 200
        yield running


def configure(folder: Path, port: int) -> Path:
    config = folder / "voxcast.toml"
    config.write_text(f'[peers.modality]\naet = "MODALITY"\nhost = "127.0.0.1"\nport = {port}\n')
    return config


def test_all_over_the_same_association(server: Serving, port: int) -> None:
    modality = Asking(port)  # and does not listen
    assoc = modality.associate(address(server))
    assert modality.ask(assoc, "2.25.1", list(STORED)) == 0
    [(event, ds, is_new)] = modality.wait()
    assert (event, is_new, ds.TransactionUID) == (1, False, "2.25.1")
    assert committed(ds) == list(STORED)
    assert failed(ds) == {}
    assert modality.ask(assoc, "2.25.2", list(STORED)[:1]) == 0, "and the association goes on"
    assert [committed(ds) for _, ds, _ in modality.wait(2)] == [list(STORED), list(STORED)[:1]]
    assoc.release()


def test_all_over_a_new_association(server: Serving, port: int) -> None:
    with Asking(port) as modality:
        assoc = modality.associate(address(server))
        modality.statuses = [
            0x0110
        ]  # what it says to the first report, so that this is not all over before the release
        assert modality.ask(assoc, "2.25.3", list(STORED)) == 0
        assoc.release()
        [(event, ds, is_new)] = modality.wait()
        assert (event, is_new) == (1, True)
        assert committed(ds) == list(STORED)


def test_what_is_not_there_and_what_is_of_another_class(server: Serving, port: int) -> None:
    modality = Asking(port)
    assoc = modality.associate(address(server))
    asked = ["1.2.3.4.1", "1.2.3.4.9", (MRImageStorage, "1.2.3.4.2")]
    assert modality.ask(assoc, "2.25.4", asked) == 0
    [(event, ds, _)] = modality.wait()
    assoc.release()
    assert event == 2
    assert committed(ds) == ["1.2.3.4.1"]
    assert failed(ds) == {"1.2.3.4.9": 0x0112, "1.2.3.4.2": 0x0119}


def test_what_is_refused(server: Serving, port: int) -> None:
    modality = Asking(port)
    assoc = modality.associate(address(server))
    assert modality.ask(assoc, "2.25.5", ["1.2.3.4.1"], action=2) == 0x0123
    assert modality.ask(assoc, "2.25.5", ["1.2.3.4.1"], instance="1.2.3") == 0x0112
    assert modality.ask(assoc, "", ["1.2.3.4.1"]) == 0x0120
    assert modality.ask(assoc, "2.25.5", []) == 0x0115
    assoc.release()
    assert modality.reports == []


def test_bytes_that_have_changed_are_not_committed_to(tmp_path: Path) -> None:
    port = free_port()
    archive = tmp_path / "archive"
    with Serving(archive, "--config", str(configure(tmp_path, port)), dicom="127.0.0.1:0") as server:
        assert server.store(*STORED.values()).status_code == 200
        [segment] = [p for p in (archive / "segments").iterdir() if STORED["1.2.3.4.2"] in p.read_bytes()]
        at = segment.read_bytes().index(STORED["1.2.3.4.2"]) + len(STORED["1.2.3.4.2"]) - 1
        with segment.open("r+b") as file:
            file.seek(at)
            [last] = file.read(1)
            file.seek(at)
            file.write(bytes([last ^ 1]))
        modality = Asking(port)
        assoc = modality.associate(address(server))
        assert modality.ask(assoc, "2.25.6", list(STORED)) == 0
        [(event, ds, _)] = modality.wait()
        assoc.release()
    assert event == 2
    assert committed(ds) == ["1.2.3.4.1", "1.2.3.4.3"]
    assert failed(ds) == {"1.2.3.4.2": 0x0110}


def test_killed_before_the_report(tmp_path: Path) -> None:
    """Who was told that its request is taken hears of it, although the server was killed, and it was deaf in between."""
    port = free_port()
    options = ("--config", str(configure(tmp_path, port)))
    modality = Asking(port)
    server = Serving(tmp_path / "archive", *options, dicom="127.0.0.1:0").start()
    assert server.store(*STORED.values()).status_code == 200
    assoc = modality.associate(address(server))
    modality.statuses = [0x0110] * 5
    assert modality.ask(assoc, "2.25.7", list(STORED)) == 0
    server.kill()
    assoc.abort()
    modality.statuses = []
    modality.reports.clear()
    modality.listen()
    try:
        with Serving(tmp_path / "archive", *options, dicom="127.0.0.1:0"):
            [(event, ds, is_new)] = modality.wait(seconds=60)
            time.sleep(1)
            assert len(modality.reports) == 1, "once"
    finally:
        modality.deafen()
    assert (event, is_new, ds.TransactionUID) == (1, True, "2.25.7")
    assert committed(ds) == list(STORED)
