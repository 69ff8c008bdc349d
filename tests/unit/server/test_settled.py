"""After its start a web process has next to nothing that a full collection of garbage must look at: counted, not timed."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import gc
from engine.server.web_worker import settle
settle()
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_what_is_here_after_the_start_is_not_looked_at_again() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    frozen, left = map(int, done.stdout.split())
    assert frozen > 10_000 > 100 * left
