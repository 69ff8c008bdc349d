"""`voxcast demo` on a user's own folder: serves it, says where, leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import requests
from data import make_instance


def test_demo_serves_my_files_and_cleans_up(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(1, 6):
        (tmp_path / "in" / str(i)).write_bytes(make_instance(f"1.2.3.4.{i}", number=i))
    (tmp_path / "in" / "text").write_text("not an image")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")} | {"TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-P", "-m", "engine.cli", "demo", str(tmp_path / "in"), "--dicom", "off"]
    with subprocess.Popen(
        [*command, "--http", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean
    ) as running:
        assert running.stdout is not None
        ready = re.fullmatch(r"voxcast ready http=(\S+) dicom=off\n", running.stdout.readline())
        assert ready is not None
        assert list((tmp_path / "tmp").glob("voxcast-demo-*"))
        assert len(requests.get(ready[1] + "/dicom-web/instances", timeout=20).json()) == 5
        assert requests.get(ready[1] + "/", timeout=20).status_code == 200
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (0, "")
    assert "5 of your images" in err
    assert f"failed: {tmp_path / 'in' / 'text'}: " in err
    assert not list((tmp_path / "tmp").glob("voxcast-demo-*"))
