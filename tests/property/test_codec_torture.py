"""10 000 mutations of every kind of code stream, each in a process with the image's memory and 256 MiB; usually a hundred.

See `codec_torture`, which is that process. A crash, a hang, an allocation beyond the bound or an error that is not ours is its
end, and the seed that was printed last tells which mutation it was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from code_streams import MADE

TESTS = Path(__file__).parents[1]
WORKER = Path(__file__).with_name("codec_torture.py")
SHORT, LONG = 100, 10_000


def torture(name: str, first: int, count: int, timeout_s: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(WORKER), name, str(first), str(count)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))},
    )
    lines = done.stdout.splitlines() or ["no seed"]
    assert done.returncode == 0, f"{name}: seed {lines[-1]}, exit code {done.returncode}\n{done.stderr[-2000:]}"
    assert len(lines) == count + 1
    result: dict[str, float] = json.loads(lines[-1])
    return result


@pytest.mark.parametrize("name", MADE)
def test_a_hundred_mutations_end_in_pixels_or_one_error(name: str) -> None:
    result = torture(name, 0, SHORT, 120)
    assert result["refused"] > 0
    assert result["refused"] + result["changed"] > SHORT // 10


@pytest.mark.torture
@pytest.mark.parametrize("name", MADE)
def test_ten_thousand_mutations_end_in_pixels_or_one_error(name: str) -> None:
    result = torture(name, SHORT, LONG, 1800)
    assert result["refused"] > 0
    assert result["refused"] + result["changed"] > LONG // 10
