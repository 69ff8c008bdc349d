"""The README's shell blocks, run as they stand against the real command; only the ports are others."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from shutil import which

import pytest

from engine.cli.phantom import PhantomSeries, generate

ROOT = Path(__file__).resolve().parents[2]
SLICES = 12


def blocks() -> list[str]:
    return re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text("utf_8"), re.S)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.skipif(which("curl") is None, reason="the README's tour uses curl (apt install curl)")
def test_the_five_minutes_work(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number, part10 in enumerate(generate(PhantomSeries(slices=SLICES, rows=64, columns=64)), 1):
        (images / f"{number:04}.dcm").write_bytes(part10)
    (tmp_path / "bin").mkdir()
    voxcast = tmp_path / "bin" / "voxcast"
    voxcast.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m engine.cli "$@"\n')
    voxcast.chmod(0o755)
    port = free_port()
    script = "\n".join(blocks()).replace("8080", str(port))
    # Whatever fails in between, the server must not outlive the test.
    script = f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n{script}\n"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")}
    environ |= {
        "PATH": f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{environ['PATH']}",
        "VOXCAST_HTTP": f"127.0.0.1:{port}",
        "VOXCAST_DICOM": "127.0.0.1:0",
        "no_proxy": "127.0.0.1",
    }
    run = subprocess.run(
        ["timeout", "-k", "5", "90", "bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(json.loads((tmp_path / "metadata.json").read_text())) == SLICES
    assert (tmp_path / "slice.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert (tmp_path / "lung.png").read_bytes()[:4] == b"\x89PNG"
    assert 64 * 64 * 2 < (tmp_path / "frame.bin").stat().st_size < 64 * 64 * 2 + 1000
    stored = json.loads((tmp_path / "stored.json").read_text())
    assert len(stored["00081199"]["Value"]) == 1
    with zipfile.ZipFile(tmp_path / "study.zip") as exported:
        out = {exported.read(name) for name in exported.namelist()}
    assert out == {path.read_bytes() for path in images.iterdir()}
    assert f"{SLICES} instances read and hashed" in run.stdout
    assert "all as acknowledged" in run.stdout
