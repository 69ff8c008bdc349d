"""Every Python process takes `engine._native` from the folder VOXCAST_NATIVE, not from where it is installed (`make sanitize`).

Python imports this at its start when the folder of this file is in PYTHONPATH, so processes that a test starts do it too.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

_NAME = "engine._native"


class _Finder:
    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != _NAME:
            return None
        (built,) = Path(os.environ["VOXCAST_NATIVE"]).glob("_native*.so")
        return spec_from_file_location(name, built)


if "VOXCAST_NATIVE" in os.environ:
    sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type]
