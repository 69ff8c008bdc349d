"""A process of its own for one kind of code stream: spoils it again and again; only pixels or one `EngineError` may come of it.

``python codec_torture.py NAME FIRST COUNT``, with the tests on its path: prints each seed before it is tried, and a JSON object in
the end. What the process has with all decoders loaded, the image, and 256 MiB are all the memory there is; a decode that takes
longer than two seconds ends it.
"""

from __future__ import annotations

import faulthandler
import json
import random
import resource
import sys
import time
from pathlib import Path

import numpy as np
from code_streams import MADE

from engine.codec.base import frame_shape, stored_dtype
from engine.codec.registry import decode_frame
from engine.errors import EngineError
from engine.limits import MIB, Limits

SECONDS_MAX = 2.0
ROOM = 256 * MIB


def spoilt(whole: bytes, seed: int) -> bytes:
    """Half of the damage is where the structure is: in the first bytes, and near markers."""
    r = random.Random(seed)
    code = bytearray(whole)
    for _ in range(r.choice((1, 1, 2, 5, 20))):
        marker = code.find(b"\xff", r.randrange(len(code)))
        marked = min(len(code) - 1, max(0, marker) + r.randrange(12))
        at = r.choice((r.randrange(len(code)), r.randrange(min(200, len(code))), marked))
        match r.randrange(6):
            case 0:
                code[at] ^= 1 << r.randrange(8)
            case 1:
                code[at] = r.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
            case 2:
                code[at : at + r.randrange(1, 9)] = bytes(r.randrange(256) for _ in range(r.randrange(0, 9)))
            case 3:
                code[at : at + 4] = r.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, "big")
            case 4:
                del code[at : at + r.randrange(1, 60)]
            case 5:
                code[at:at] = code[r.randrange(len(code)) :][: r.randrange(60)]
        if not code:
            code = bytearray(b"\xff")
    return bytes(code[: r.randrange(len(code))] if r.randrange(8) == 0 else code)


def main(name: str, first: int, count: int) -> None:
    made, limits = MADE[name], Limits()
    d, whole = made.descriptor, made.stream()
    expected = decode_frame(d, whole, limits).stored_values
    decode_frame(d, whole, limits, reduce=1)
    have = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    bound = have + expected.nbytes + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    # With so little a good stream is decoded as before: what is refused below is refused for what it holds.
    assert np.array_equal(decode_frame(d, whole, limits).stored_values, expected)
    refused = changed = 0
    slowest = (0.0, first)
    for seed in range(first, first + count):
        print(seed, flush=True)
        code = spoilt(whole, seed)
        out = np.zeros(frame_shape(d), stored_dtype(d)) if seed % 2 else None
        # Real time for what hangs without Python; processor time is what is held to the bound, others may be at work.
        faulthandler.dump_traceback_later(10 * SECONDS_MAX, exit=True)
        start = time.process_time()
        try:
            got = decode_frame(d, code, limits, out, reduce=seed % 3)
        except EngineError:
            refused += 1
        else:
            by = 1 << got.reduce
            want = tuple(-(-n // by) if axis < 2 else n for axis, n in enumerate(frame_shape(d)))
            assert got.stored_values.shape == want, (got.stored_values.shape, want)
            assert got.stored_values.dtype == stored_dtype(d)
            changed += got.reduce > 0 or not np.array_equal(got.stored_values, expected)
        took = time.process_time() - start
        faulthandler.cancel_dump_traceback_later()
        slowest = max(slowest, (took, seed))
        assert took <= SECONDS_MAX, f"{took:.1f} s"
    print(json.dumps({"refused": refused, "changed": changed, "slowest_s": slowest[0], "slowest_seed": slowest[1]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
