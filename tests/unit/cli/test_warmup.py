"""`voxcast warmup` says what it compiled and where that is kept."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from engine.cli import warmup
from engine.cli.app import app
from engine.imaging.warmup import WarmKernel

DONE = [WarmKernel("gray.linear", "u2", True, 0.25), WarmKernel("gray.linear", "i2", False, 0.006)]


@pytest.fixture(autouse=True)
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def warm(tell: object) -> list[WarmKernel]:
        assert callable(tell)
        for kernel in DONE:
            tell(kernel)
        return DONE

    monkeypatch.setattr(warmup, "warm_kernels", warm)


def test_people_get_a_line_for_each_kernel() -> None:
    done = CliRunner().invoke(app, ["warmup"])
    assert done.exit_code == 0
    one, other, summary = done.stdout.splitlines()
    assert one.split() == ["gray.linear(u2)", "compiled", "250", "ms"]
    assert other.split() == ["gray.linear(i2)", "from", "the", "cache", "6", "ms"]
    assert summary.startswith("1 kernel compiled, 1 from the cache, in ")


def test_programs_get_an_object_for_each() -> None:
    done = CliRunner().invoke(app, ["warmup", "--json"])
    one, _, last = map(json.loads, done.stdout.splitlines())
    assert one == {"kernel": "gray.linear", "type": "u2", "compiled": True, "s": 0.25}
    assert (last["summary"]["compiled"], last["summary"]["cached"]) == (1, 1)
    assert last["summary"]["folder"]


def test_work_in_vain_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup, "cache_folder", lambda: None)
    done = CliRunner().invoke(app, ["warmup"])
    assert done.exit_code == 1
    assert "NUMBA_CACHE_DIR" in done.stderr
