"""Hostile code streams: cut, flipped, overwritten. Only an `EngineError` may come of it, and the process must live.

The decoders are C and C++: what they do wrong is a signal, not an exception, so the work is done in a process of its own and
its death is the failure. Each case is a seed, which is printed before it is tried.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from code_streams import MADE
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codec.registry import decode_frame
from engine.errors import BadFrame
from engine.limits import Limits

TESTS = Path(__file__).parents[1]
CASES = 250
SECONDS_MAX = 60

WORKER = """
import random, resource, sys
sys.path[:0] = [{tests!r}, {root!r}]
import numpy as np
from code_streams import MADE
from engine.codec.base import frame_shape, stored_dtype
from engine.codec.registry import decode_frame
from engine.errors import EngineError
from engine.limits import Limits

made = MADE[sys.argv[1]]
whole = made.stream()
decode_frame(made.descriptor, whole, Limits())
# A lie in a header must not become memory: 1 GiB above what the process has with all decoders loaded.
have = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (have + (1 << 30), have + (1 << 30)))


def spoilt(seed):
    r = random.Random(seed)
    code = bytearray(whole)
    for _ in range(r.choice((1, 1, 2, 5, 20))):
        # Half of the damage where the structure is: in the first bytes, and near markers.
        near = [i for i, b in enumerate(code[:-1]) if b == 0xFF] or [0]
        marked = min(len(code) - 1, r.choice(near) + r.randrange(12))
        at = r.choice((r.randrange(len(code)), r.randrange(min(200, len(code))), marked))
        match r.randrange(6):
            case 0: code[at] ^= 1 << r.randrange(8)
            case 1: code[at] = r.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
            case 2: code[at : at + r.randrange(1, 9)] = bytes(r.randrange(256) for _ in range(r.randrange(0, 9)))
            case 3: code[at : at + 4] = r.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, "big")
            case 4: del code[at : at + r.randrange(1, 60)]
            case 5: code[at:at] = code[r.randrange(len(code)) :][: r.randrange(60)]
        if not code:
            code = bytearray(b"\\xff")
    return bytes(code[: r.randrange(len(code))] if r.randrange(8) == 0 else code)


refused = 0
for seed in range(int(sys.argv[2])):
    print(seed, flush=True)
    out = np.zeros(frame_shape(made.descriptor), stored_dtype(made.descriptor)) if seed % 2 else None
    try:
        got = decode_frame(made.descriptor, spoilt(seed), Limits(), out, reduce=seed % 3)
    except EngineError:
        refused += 1
    else:
        want = tuple(-(-n // (1 << got.reduce)) if axis < 2 else n for axis, n in enumerate(frame_shape(made.descriptor)))
        assert got.stored_values.shape == want, (got.stored_values.shape, want)
        assert got.stored_values.dtype == stored_dtype(made.descriptor)
print("refused", refused)
"""


@pytest.mark.parametrize("name", [n for n in MADE if not n.startswith("native")])
def test_a_spoilt_code_stream_never_ends_the_process(name: str) -> None:
    source = WORKER.format(tests=str(TESTS), root=str(TESTS.parent))
    done = subprocess.run(
        [sys.executable, "-c", source, name, str(CASES)],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    lines = done.stdout.splitlines() or ["nothing"]
    assert done.returncode == 0, f"{name}: seed {lines[-1]}, exit code {done.returncode}\n{done.stderr[-2000:]}"
    assert int(lines[-1].removeprefix("refused ")) > CASES // 20


@pytest.mark.parametrize("name", list(MADE))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_cut_frame_is_refused_or_whole(name: str, data: st.DataObject) -> None:
    """Wherever it is cut: the values of the whole frame, or none."""
    made = MADE[name]
    stream = made.stream()
    whole = decode_frame(made.descriptor, stream, Limits()).stored_values
    cut = data.draw(st.integers(0, len(stream) - 1))
    try:
        values = decode_frame(made.descriptor, stream[:cut], Limits()).stored_values
    except BadFrame:
        return
    assert (values == whole).all()
