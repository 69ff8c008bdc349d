"""The number of the last commit, as native code reads it, is LMDB's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from engine._native import CommitMark
from engine.archive.lmdb_engine import LmdbEngine

_COMMIT = """
import sys, lmdb
with lmdb.open(sys.argv[1], max_dbs=8) as env, env.begin(write=True) as txn:
    txn.put(b"from", b"elsewhere", db=env.open_db(b"t", txn=txn))
"""


def test_it_is_another_one_after_each_commit_of_any_process(tmp_path: Path) -> None:
    engine = LmdbEngine(tmp_path / "index", ("t",), is_writable=True)
    mark = engine.commit_mark()
    assert mark is not None
    for n in range(5):
        before = mark.read()
        with engine.write() as txn:
            txn.put("t", b"%d" % n, b"value")
        assert mark.read() == before + 1 == engine._env.info()["last_txnid"]
    before = mark.read()
    with engine.read() as view:
        assert view.get("t", b"1") == b"value"
    assert mark.read() == before, "who reads changes nothing"
    subprocess.run([sys.executable, "-c", _COMMIT, tmp_path / "index"], check=True)
    assert mark.read() == before + 1
    engine.close()
    assert mark.read() >= before + 1, "it has a map of its own"


def test_a_map_that_moves_leaves_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = LmdbEngine(tmp_path / "index", ("t",), is_writable=True)
    mark = engine.commit_mark()
    assert mark is not None
    engine._resize(2 * engine._env.info()["map_size"])
    with engine.write() as txn:
        txn.put("t", b"a", b"b")
    assert mark.read() == engine._env.info()["last_txnid"]
    engine.close()


@pytest.mark.parametrize("content", [b"", b"\0" * 8192, b"x" * 100_000])
def test_what_is_no_such_file_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(RuntimeError):
        CommitMark(str(tmp_path / "data.mdb"), 4096)
    with pytest.raises(RuntimeError, match="absent"):
        CommitMark(str(tmp_path / "absent"), 4096)


def test_the_format_of_lmdb_is_the_one_that_it_knows(tmp_path: Path) -> None:
    """A later LMDB may lay its pages out in another way: then connections are not lent, and this says so."""
    with lmdb.open(str(tmp_path), lib_version=0) as env:
        assert CommitMark(str(tmp_path / "data.mdb"), env.stat()["psize"]).read() == env.info()["last_txnid"]
