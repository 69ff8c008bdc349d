"""`benchmarks` is not installed: it is found beside `tests`, last, so that it hides nothing."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = str(Path(__file__).parents[3])
if _ROOT not in sys.path:
    sys.path.append(_ROOT)
