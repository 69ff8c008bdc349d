"""`voxcast verify --decode`: two decoders over every frame, what is said where they differ or refuse, and the exit code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from code_streams import MADE, ROOT
from data import make_instance
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite

from engine.archive.archive import Archive
from engine.cli import decoding, verify
from engine.cli.decoding import compare_all, difference
from engine.cli.terminal import Terminal
from engine.codec.base import DecodedFrame
from engine.codec.second_opinion import WHY_NONE, Opinion, second_opinion
from engine.limits import Limits
from engine.settings import load

av = pytest.importorskip("av", reason="PyAV (the extra `video`) is the second decoder of lossy JPEG and of JPEG-LS")


def voxcast(*arguments: object) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")}
    command = [sys.executable, "-P", "-m", "engine.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean, check=False)


def records(stdout: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    *before, last = [json.loads(line) for line in stdout.splitlines()]
    return before, last["summary"]


def instance(uid: str, name: str, frames: list[bytes] | None = None) -> bytes:
    """An instance whose frames are code streams of `MADE`."""
    d = MADE[name].descriptor
    streams = [MADE[name].stream()] * 2 if frames is None else frames
    ds = dcmread(io.BytesIO(make_instance(uid)))
    # pydicom 3.0 knows no JPEG XL
    known = ROOT + ".4.201" if ".4.11" in d.transfer_syntax_uid else d.transfer_syntax_uid
    ds.file_meta.TransferSyntaxUID = known
    ds.Rows, ds.Columns, ds.NumberOfFrames = d.rows, d.columns, len(streams)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = d.samples_per_pixel, d.photometric_interpretation
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = d.bits_allocated, d.bits_stored, d.high_bit
    ds.PixelRepresentation = d.pixel_representation
    if d.samples_per_pixel > 1:
        ds.PlanarConfiguration = d.planar_configuration
    ds.PixelData = encapsulate(streams)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    out = io.BytesIO()
    dcmwrite(out, ds)
    return out.getvalue().replace(known.encode() + b"\0", d.transfer_syntax_uid.encode() + b"\0", 1)


KINDS = {
    "1.2.3.4.11": "rle",
    "1.2.3.4.12": "jpeg",
    "1.2.3.4.13": "jpeg colour",
    "1.2.3.4.14": "jpeg-ls colour",
    "1.2.3.4.15": "jpeg 2000",
    "1.2.3.4.16": "jpeg xl",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "native").write_bytes(make_instance("1.2.3.4.1", rows=16, columns=16, frames=3))
    for uid, name in KINDS.items():
        (folder / uid).write_bytes(instance(uid, name))
    done = voxcast("import", folder, "--archive", tmp_path / "archive")
    assert (done.returncode, done.stderr) == (0, "")
    return tmp_path / "archive"


def test_every_frame_is_decoded_twice_and_what_is_not_has_its_reason(archive: Path) -> None:
    run = voxcast("verify", "--decode", "--archive", archive, "--json")
    said, summary = records(run.stdout)
    assert (run.returncode, run.stderr, said) == (0, "", [])
    assert summary["compared"] == 3 + 2 * 4
    assert summary["not_compared"] == {WHY_NONE["jpeg-xl"]: 2, WHY_NONE["sample-interleaved"]: 2}
    assert (summary["differences"], summary["undecodable"]) == (0, 0)
    pairs = {row["transfer_syntax_uid"]: row for row in summary["decoders"]}
    assert {uid: row["frames"] for uid, row in pairs.items()} == {
        ROOT + ".1": 3, ROOT + ".5": 2, ROOT + ".4.50": 4, ROOT + ".4.90": 2,
    }  # fmt: skip
    assert all(row["largest_difference"] == 0 for uid, row in pairs.items() if uid != ROOT + ".4.50")
    assert (pairs[ROOT + ".4.50"]["first"], pairs[ROOT + ".4.50"]["second"]) == ("libjpeg-turbo", "FFmpeg")
    text = voxcast("verify", "--decode", "--archive", archive)
    assert "11 frames decoded twice: 0 differences, 0 frames that cannot be decoded" in text.stdout
    assert f"not compared: 2 frames: {WHY_NONE['jpeg-xl']}" in text.stdout
    assert "decoded twice" not in voxcast("verify", "--archive", archive).stdout


def test_a_frame_that_cannot_be_decoded_is_a_problem_with_its_number(archive: Path, tmp_path: Path) -> None:
    whole = MADE["jpeg 2000"].stream()
    (tmp_path / "cut").write_bytes(instance("1.2.3.4.21", "jpeg 2000", [whole, whole[: len(whole) // 2], whole]))
    assert voxcast("import", tmp_path / "cut", "--archive", archive).returncode == 0
    assert voxcast("verify", "--archive", archive).returncode == 0  # its bytes are those that were acknowledged
    run = voxcast("verify", "--decode", "--archive", archive, "--json")
    (problem,), summary = records(run.stdout)
    assert run.returncode == 1
    assert (problem["sop_instance_uid"], problem["frame"]) == ("1.2.3.4.21", 2)
    assert "cannot be decoded" in problem["problem"]
    assert (summary["undecodable"], summary["compared"]) == (1, 13)
    assert "instance 1.2.3.4.21" in run.stderr
    assert ", frame 2: " in run.stderr


@pytest.mark.parametrize(
    ("name", "gap", "is_found"), [("rle", 1, True), ("jpeg 2000", 1, True), ("jpeg", 1, False), ("jpeg", 2, True)]
)
def test_a_second_decoder_that_differs_is_listed(
    name: str,
    gap: int,
    is_found: bool,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sample of the second frame that is looked at in this syntax is moved away from what the first decoder says."""
    wanted, seen = MADE[name].descriptor, []

    def spoilt(d: Any, data: Any, limits: Limits, first_bit: int = 0) -> Opinion:
        opinion = second_opinion(d, data, limits, first_bit)
        if (d.transfer_syntax_uid, d.samples_per_pixel) != (wanted.transfer_syntax_uid, wanted.samples_per_pixel):
            return opinion
        seen.append(d)
        values = decoding.decode_frame(d, data, limits, first_bit=first_bit).stored_values.copy()
        if len(seen) == 2:
            values[5, 7] += gap if values[5, 7] < 128 else -gap
        assert opinion.frame is not None
        return replace(opinion, frame=replace(opinion.frame, stored_values=values))

    monkeypatch.setattr(decoding, "second_opinion", spoilt)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    settings = load(config=None, environ={}, command_line={"archive": archive}).settings
    code = verify.run(settings, Terminal(True), decode=True)
    out = capsys.readouterr()
    said, summary = records(out.out)
    assert len(seen) == 2
    assert (code, summary["differences"], len(said)) == ((1, 1, 1) if is_found else (0, 0, 0))
    if is_found:
        uid = next(uid for uid, kind in KINDS.items() if kind == name)
        assert (said[0]["sop_instance_uid"], said[0]["frame"], said[0]["largest_difference"]) == (uid, 2, gap)
        assert said[0]["first"] and said[0]["second"]
        assert f"differ by {gap}, {said[0]['allowed']} is allowed" in out.err


def test_a_second_decoder_that_refuses_is_a_problem(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.errors import BadFrame

    def refusing(d: Any, data: Any, limits: Limits, first_bit: int = 0) -> Opinion:
        if d.transfer_syntax_uid == ROOT + ".5":
            raise BadFrame(d.transfer_syntax_uid, "no")
        return second_opinion(d, data, limits, first_bit)

    monkeypatch.setattr(decoding, "second_opinion", refusing)
    settings = load(config=None, environ={}, command_line={"archive": archive}).settings
    assert verify.run(settings, Terminal(True), decode=True) == 1
    said, _ = records(capsys.readouterr().out)
    assert [(one["sop_instance_uid"], one["frame"]) for one in said] == [("1.2.3.4.11", 1), ("1.2.3.4.11", 2)]
    assert all("the second decoder refuses" in one["problem"] for one in said)


def test_frames_under_way_stay_below_their_bound(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for less than one frame they are decoded one after the other, and all of them."""
    under_way, most = [], []

    def counted(*arguments: Any) -> Any:
        under_way.append(1)
        most.append(len(under_way))
        try:
            return whole(*arguments)
        finally:
            under_way.pop()

    whole = decoding._compare
    monkeypatch.setattr(decoding, "_compare", counted)
    monkeypatch.setattr(decoding, "_UNDER_WAY_BYTES", 1)
    opened = Archive.open(archive, Limits(), mode="read")
    try:
        done = [c for some, _ in compare_all(opened, Limits(), 4) for c in some]
    finally:
        opened.close()
    assert (len(done), max(most)) == (15, 1)


def test_differences_of_all_kinds() -> None:
    def frame(values: Any, photometric: str = "MONOCHROME2") -> DecodedFrame:
        return DecodedFrame(np.array(values), photometric)

    assert difference(frame([[1, 2]]), frame([[1, 2]])) == 0
    assert difference(frame(np.full((600, 2), 7, np.uint16)), frame(np.full((600, 2), 7, np.int16))) == 0
    low = np.full((600, 2), -32768, np.int16)
    assert difference(frame(low), frame(np.full((600, 2), 65535, np.uint16))) == 98303
    assert difference(frame([[1, 2]]), frame([[1], [2]])) == float("inf")
    assert difference(frame([[1]]), frame([[1]], "MONOCHROME1")) == float("inf")
    assert difference(frame([[np.nan, np.inf, 1.5]]), frame([[np.nan, np.inf, 1.25]])) == 0.25
    assert difference(frame([[np.nan]]), frame([[0.0]])) == float("inf")
