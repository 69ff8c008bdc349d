"""A process of its own for one kind of video: spoils it again and again; only a still or one `EngineError` may come of it.

``python video_torture.py NAME FIRST COUNT``, as `codec_torture`: each seed is printed before it is tried, and a JSON object in the
end. Memory is bounded at 256 MiB above what the process has after a good still, a still's time at two seconds.
"""

from __future__ import annotations

import faulthandler
import io
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
from codec_torture import ROOM, SECONDS_MAX, spoilt
from videos import KINDS, encoded, instance

from engine.codec.base import frame_shape, stored_dtype
from engine.codec.video import decode_still
from engine.dicom.scan import scan
from engine.errors import EngineError
from engine.limits import Limits

FRAMES = 20
PLACES = (0, 7, FRAMES - 1)


def main(name: str, first: int, count: int) -> None:
    kind, limits = KINDS[name], Limits()
    whole = encoded(kind, FRAMES)
    d = scan(instance(kind, whole, FRAMES), limits).frame_descriptor
    assert d is not None
    expected = {index: decode_still(d, io.BytesIO(whole), index, limits).stored_values for index in PLACES}
    have = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (have + ROOM, have + ROOM))
    for index, values in expected.items():
        assert np.array_equal(decode_still(d, io.BytesIO(whole), index, limits).stored_values, values)
    refused = changed = 0
    slowest = (0.0, first)
    for seed in range(first, first + count):
        print(seed, flush=True)
        stream, index = io.BytesIO(spoilt(whole, seed)), PLACES[seed % len(PLACES)]
        faulthandler.dump_traceback_later(10 * SECONDS_MAX, exit=True)
        start = time.process_time()
        try:
            got = decode_still(d, stream, index, limits).stored_values
        except EngineError:
            refused += 1
        else:
            assert (got.shape, got.dtype) == (frame_shape(d), stored_dtype(d))
            changed += not np.array_equal(got, expected[index])
        took = time.process_time() - start
        faulthandler.cancel_dump_traceback_later()
        slowest = max(slowest, (took, seed))
        assert took <= SECONDS_MAX, f"{took:.1f} s"
    print(json.dumps({"refused": refused, "changed": changed, "slowest_s": slowest[0], "slowest_seed": slowest[1]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
