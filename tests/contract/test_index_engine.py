"""One suite over every `IndexEngine`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.archive.lmdb_engine import LmdbEngine
from engine.archive.memory import MemoryEngine
from engine.archive.ports import IndexEngine


@pytest.fixture(params=["lmdb", "memory"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IndexEngine]:
    made: IndexEngine = MemoryEngine(("a", "b"))
    if request.param == "lmdb":
        made = LmdbEngine(tmp_path / "index", ("a", "b"), is_writable=True)
    yield made
    made.close()


def test_what_was_put_is_there_after_the_transaction(engine: IndexEngine) -> None:
    with engine.write() as txn:
        txn.put("a", b"k", b"v")
        assert txn.get("a", b"k") == b"v"
    with engine.read() as view:
        assert view.get("a", b"k") == b"v"
        assert view.get("b", b"k") is None
        assert (view.count("a"), view.count("b")) == (1, 0)
    assert engine.size_bytes() > 0


def test_an_error_takes_everything_back(engine: IndexEngine) -> None:
    with engine.write() as txn:
        txn.put("a", b"old", b"1")
    with pytest.raises(RuntimeError), engine.write() as txn:
        txn.put("a", b"new", b"2")
        txn.delete("a", b"old")
        raise RuntimeError
    with engine.read() as view:
        assert list(view.scan("a")) == [(b"old", b"1")]


def test_scan_is_ordered_and_half_open(engine: IndexEngine) -> None:
    keys = [b"a", b"a\x00", b"ab", b"b", b"\xff"]
    with engine.write() as txn:
        for key in reversed(keys):
            txn.put("a", key, key * 2)
    with engine.read() as view:
        assert [k for k, _ in view.scan("a")] == keys
        assert [k for k, _ in view.scan("a", b"a\x00", b"b")] == [b"a\x00", b"ab"]
        assert [k for k, _ in view.scan("a", b"aa")] == [b"ab", b"b", b"\xff"]
        assert list(view.scan("b")) == []


def test_lists_of_keys_are_the_keys(engine: IndexEngine) -> None:
    with engine.write() as txn:
        for number in range(3000):
            txn.put("a", b"%04d" % number, b"v")
    with engine.read() as view:
        for start, stop in (
            (b"", None),
            (b"0007", b"0007"),
            (b"0007", b"0008"),
            (b"0000", b"0043"),
            (b"1", b"2900\0"),
            (b"9", None),
        ):
            lists = list(view.key_lists("a", start, stop))
            assert [key for keys in lists for key in keys] == list(view.keys("a", start, stop)), (start, stop)
            assert all(lists)
            lists = list(view.key_lists("a", start, stop, is_reversed=True))
            assert [key for keys in lists for key in keys] == list(view.keys("a", start, stop))[::-1], (start, stop)
            assert all(lists)
        assert list(view.key_lists("b")) == []


def test_a_snapshot_does_not_see_later_writes(engine: IndexEngine) -> None:
    with engine.write() as txn:
        txn.put("a", b"k", b"1")
    with engine.read() as view:
        _write_elsewhere(engine)
        assert view.get("a", b"k") == b"1"
    with engine.read() as view:
        assert view.get("a", b"k") == b"2"


def _write_elsewhere(engine: IndexEngine) -> None:
    import threading

    def write() -> None:
        with engine.write() as txn:
            txn.put("a", b"k", b"2")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()


def test_delete_says_whether_it_was_there(engine: IndexEngine) -> None:
    with engine.write() as txn:
        txn.put("a", b"k", b"v")
        assert txn.delete("a", b"k") is True
        assert txn.delete("a", b"k") is False
