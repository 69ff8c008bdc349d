"""10 000 mutations of every kind of code stream and video, each in a process with 256 MiB to spare; usually a hundred.

See `codec_torture` and `video_torture`, which are that process. A crash, a hang, an allocation beyond the bound or an error that
is not ours is its end, and the seed that was printed last tells which mutation it was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from code_streams import MADE
from videos import KINDS

TESTS = Path(__file__).parents[1]
IMAGES, VIDEOS = (Path(__file__).with_name(f"{noun}_torture.py") for noun in ("codec", "video"))
SHORT, LONG = 100, 10_000


def torture(worker: Path, name: str, first: int, count: int, timeout_s: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(worker), name, str(first), str(count)],
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
    result = torture(IMAGES, name, 0, SHORT, 120)
    assert result["refused"] > 0
    assert result["refused"] + result["changed"] > SHORT // 10


@pytest.mark.torture
@pytest.mark.parametrize("name", MADE)
def test_ten_thousand_mutations_end_in_pixels_or_one_error(name: str) -> None:
    result = torture(IMAGES, name, SHORT, LONG, 1800)
    assert result["refused"] > 0
    assert result["refused"] + result["changed"] > LONG // 10


# The rest in the torture run only: two seconds each.
@pytest.mark.parametrize("name", ["MPEG-2, program stream", "H.264, MP4", "HEVC, transport stream"])
def test_a_hundred_mutations_of_a_video_end_in_a_still_or_one_error(name: str) -> None:
    result = torture(VIDEOS, name, 0, SHORT, 240)
    assert result["refused"] > 0
    assert result["refused"] + result["changed"] > SHORT // 10


@pytest.mark.torture
@pytest.mark.parametrize("name", KINDS)
def test_ten_thousand_mutations_of_a_video_end_in_a_still_or_one_error(name: str) -> None:
    result = torture(VIDEOS, name, SHORT, LONG, 3600)
    assert result["refused"] > 0
    assert result["refused"] + result["changed"] > LONG // 10
