"""Wishes for packs, from one process to another: at once, or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

from engine.archive.renditions.asking import Asked, Asking


def test_wishes_arrive_in_order_and_once(tmp_path: Path) -> None:
    asked, asking = Asked(tmp_path), Asking(tmp_path)
    assert asked.take() == []
    assert asking.ask("1.2", "1.2.3")
    assert asking.ask("1.2", "1.2.4")
    assert asking.ask("1.2", "1.2.3")  # said a moment ago
    assert asked.take() == [("1.2", "1.2.3"), ("1.2", "1.2.4")]
    assert asking.ask("1.2", "1.2.3")
    assert asked.take() == []
    assert asking.ask("1.2", "1.2.3", is_urgent=True)
    assert asked.take() == [("1.2", "1.2.3")]
    asked.close()


def test_uids_that_are_none_arrive_too(tmp_path: Path) -> None:
    asked, asking = Asked(tmp_path), Asking(tmp_path)
    odd = ('1\n2"', "ü\0\\")
    assert asking.ask(*odd)
    assert asked.take() == [odd]
    assert not asking.ask("1" * 5000, "2")
    asked.close()


def test_nobody_listens_or_nothing_is_there(tmp_path: Path) -> None:
    assert not Asking(None).ask("1", "2")
    assert not Asking(tmp_path).ask("1", "2")
    Asked(tmp_path).close()
    assert not Asking(tmp_path).ask("1", "2")
    pipe = tmp_path / "run" / "renditions.wanted"
    pipe.unlink()
    pipe.write_text("")
    assert not Asking(tmp_path).ask("1", "2")
    assert pipe.read_text() == ""
    asked = Asked(tmp_path)
    assert Asking(tmp_path).ask("1", "2")
    asked.close()


def test_a_full_pipe_holds_nobody_up(tmp_path: Path) -> None:
    asked, asking = Asked(tmp_path), Asking(tmp_path)
    began = time.monotonic()
    told = sum(asking.ask("1.2", f"1.2.{n}") for n in range(10_000))
    assert time.monotonic() - began < 20
    assert 0 < told < 10_000
    found = []
    while some := asked.take():
        found += some
    assert found == [("1.2", f"1.2.{n}") for n in range(told)]
    asked.close()


def test_what_is_no_wish_is_passed_over(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    fd = os.open(tmp_path / "run" / "renditions.wanted", os.O_WRONLY)
    os.write(fd, b'nonsense\n[1]\n["1.2", "1.3"]\n["1.2"')
    assert asked.take() == [("1.2", "1.3")]
    os.write(fd, b', "1.4"]\n')
    assert asked.take() == [("1.2", "1.4")]
    os.close(fd)
    asked.close()
