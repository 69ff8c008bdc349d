"""`docs/transfer-syntaxes.md`, measured: each transfer syntax × stored form against pydicom, GDCM, DCMTK and FFmpeg.

Instances come from encoders that are not ours (`stored_forms`), are read by us and by each of the others, then written anew by
our encoder and read by them again. The table is written to ``build/reference/transfer-syntaxes.md``; the one in ``docs`` must
equal it. ``make docs`` renews that, by `VOXCAST_RENEW_DOCS=1` in the environment.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from code_streams import RGB8, ROOT
from oracles import Array, by_dcmtk, by_ffmpeg, by_gdcm, by_pydicom, missing
from stored_forms import COLUMNS, ENCODE, ROWS, Case, cases, part10
from transcoding import converted, stored

from engine.codec.encoding.registry import ENCODERS
from engine.codec.registry import DECODERS, decode_frame
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import TABLE
from engine.errors import UnsupportedPixels, UnsupportedTransferSyntax
from engine.limits import Limits

TREE = Path(__file__).parents[2]
PAGE = TREE / "docs" / "transfer-syntaxes.md"
RENEW = "VOXCAST_RENEW_DOCS"
LIMITS = Limits()
SOURCE = "what was encoded"
LOSSY_MAX = 1

# (end of the UID, form, oracle) → why it gives something else and is not counted. Each was looked at.
NOT_COUNTED = {
    (".2", "32 bits", "GDCM"): "swaps words of 16 bits, we and pydicom cells of 32",
    (".2", "32 bits", "DCMTK"): "swaps words of 16 bits, we and pydicom cells of 32",
    (".2", "32 bits signed", "GDCM"): "swaps words of 16 bits, we and pydicom cells of 32",
    (".2", "32 bits signed", "DCMTK"): "swaps words of 16 bits, we and pydicom cells of 32",
    (".4.80", "12 in 16 bits signed", "pydicom"): "does not extend the sign (its plugin is GDCM)",
    (".4.80", "12 in 16 bits signed", "GDCM"): "does not extend the sign",
    (".5", "RGB of 16 bits", "GDCM"): "takes byte planes for samples",
}
# Lossy colour that is more than one level away, and why.
EXPLAINED = {
    "FFmpeg": "FFmpeg's Y, Cb and Cr are each within one level of ours; one of Cb is 1.772 of blue",
}
# Read by nobody else here, and why.
ALONE = {
    ".1.98": "none of the others reads it",
    ".8.1": "none of the others reads it",
    ".4.110": "libjxl is the only decoder",
    ".4.111": "libjxl is the only decoder, so not compared",
    ".4.112": "libjxl is the only decoder, so not compared",
}
HEAD = """# Transfer syntaxes

Made by `tests/reference/test_transfer_syntaxes.py` from comparisons of that run; it fails where this page says something else.
To renew it: `make docs`, which wants DCMTK, GDCM, FFmpeg and PyAV.

An instance of each stored form is made by an encoder that is not ours, read by us and by the others (*read*), then written by
our encoder and read by all again (*written*). The largest difference is that of any sample of any of these. FFmpeg is its own
decoder of the image format. "What was encoded" are the values that went into a lossless encoder. A form that is missing has no
place in the transfer syntax, or nothing that we know writes it.

Where High Bit is above Bits Stored, which the others overlook, they are told that all bits are stored, and their cells are moved
down before they are compared.

"""


@dataclass
class Row:
    """A line of the table."""

    uid: str
    form: str
    read: str
    written: str
    gaps: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def largest(self) -> float:
        return max(self.gaps.values(), default=0)

    def line(self) -> str:
        syntax = TABLE[self.uid]
        largest = f"{self.largest:g}" if self.gaps else ""
        cells = (syntax.name, f"`{self.uid}`", self.form, self.read, self.written)
        return "| " + " | ".join((*cells, ", ".join(self.gaps), largest, "; ".join(dict.fromkeys(self.notes)))) + " |"


@dataclass
class Look:
    """An instance and what we read from it."""

    row: Row
    case: Case
    uid: str
    descriptor: FrameDescriptor
    frame: bytes
    values: Array
    is_ybr: bool
    for_others: bytes


def look(row: Row, case: Case, content: bytes, uid: str) -> Look:
    source = stored(content)
    d = source.about.frame_descriptor
    assert d is not None
    frame = bytes(source.frame(0))
    decoded = decode_frame(d, frame, LIMITS)
    is_ybr = decoded.photometric_interpretation.startswith("YBR")
    if d.high_bit >= d.bits_stored:
        content = part10(replace(case.form, bits_stored=d.bits_allocated, high_bit=-1), uid, [frame])
    return Look(row, case, uid, d, frame, decoded.stored_values, is_ybr, content)


def images(folder: Path) -> list[Row]:
    """Rows of all syntaxes that have images."""
    rows, looks = [], []
    for case in cases():
        row = Row(case.uid, case.form.name, "yes", "no: kept as it came")
        rows.append(row)
        first = look(row, case, case.content, case.uid)
        looks.append(first)
        if TABLE[case.uid].is_lossless:
            row.gaps[SOURCE] = difference(first.values, case.form.values())
        if case.uid not in ENCODERS:
            continue
        try:
            # From native pixels, so that it is our encoder that writes.
            native = case.content if case.uid == ROOT + ".1" else converted(case.content, ROOT + ".1")[0]
            written = converted(native, case.uid)[0]
        except UnsupportedPixels as error:
            row.written = f"no: {error.what}"
            continue
        row.written = "yes"
        again = look(row, case, written, case.uid)
        looks.append(again)
        if TABLE[case.uid].is_lossless:
            row.gaps[SOURCE] = max(row.gaps[SOURCE], difference(again.values, first.values))
    by_all_gdcm = by_gdcm([(one.for_others, one.descriptor, one.is_ybr) for one in looks], folder)
    for one, gdcm in zip(looks, by_all_gdcm, strict=True):
        answers = {
            "pydicom": by_pydicom(one.for_others, one.is_ybr),
            "GDCM": gdcm,
            "DCMTK": by_dcmtk(one.for_others, one.uid, folder, one.is_ybr),
            "FFmpeg": by_ffmpeg(one.descriptor, one.frame),
        }
        for name, answer in answers.items():
            if answer is not None:
                count(one, name, answer)
    for row in rows:
        if set(row.gaps) <= {SOURCE}:
            row.notes.append(ALONE[row.uid.removeprefix(ROOT)])
    return rows


def count(one: Look, name: str, answer: Array) -> None:
    d, row = one.descriptor, one.row
    if d.high_bit >= d.bits_stored:
        answer = answer >> (d.high_bit + 1 - d.bits_stored)
    gap = difference(one.values, answer)
    why = NOT_COUNTED.get((one.uid.removeprefix(ROOT), one.case.form.name, name), "")
    if why and gap:
        row.notes.append(f"{name} {why}")
        return
    row.gaps[name] = max(row.gaps.get(name, 0), gap)
    if gap > LOSSY_MAX and name in EXPLAINED and one.case.form.is_colour and not TABLE[one.uid].is_lossless:
        row.notes.append(EXPLAINED[name])


def difference(a: Array, b: Array) -> float:
    if a.shape != b.shape:
        return float("inf")
    if "f" in a.dtype.kind + b.dtype.kind:
        return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())
    return float(np.abs(a.astype(np.int64) - b.astype(np.int64)).max())


VIDEOS = {  # codec, container, pixel format of the stored video
    **{f".4.{n}{more}": ("mpeg2video", "mpegts", "yuv420p") for n in (100, 101) for more in ("", ".1")},
    **{f".4.{n}{more}": ("libx264", "mp4", "yuv420p") for n in (102, 103, 104, 105, 106) for more in ("", ".1")},
    ".4.107": ("libx265", "mp4", "yuv420p"),
    ".4.108": ("libx265", "mp4", "yuv420p10le"),
}


def videos(folder: Path) -> list[Row]:
    """A still of each kind of video beside that of the ffmpeg program."""
    rows, done = [], {}
    for uid, syntax in TABLE.items():
        if not syntax.is_video:
            continue
        kind = VIDEOS[uid.removeprefix(ROOT)]
        if kind not in done:
            done[kind] = still_gap(*kind, folder)
        bits = 10 if kind[2].endswith("10le") else 8
        row = Row(uid, f"YBR_PARTIAL_420, {bits} bits", "stills", "no: kept as it came", {"FFmpeg": done[kind]})
        row.notes.append("one bit stream: handed out as it came; a still against that of the ffmpeg program")
        rows.append(row)
    return rows


def still_gap(codec: str, container: str, pixels: str, folder: Path) -> float:
    import av

    from engine.codec.video import decode_still

    rows, columns, frame_index = 96, 128, 7
    path = folder / f"{codec}-{pixels}.{container}"
    y, x = np.mgrid[:rows, :columns]
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = columns, rows, pixels
        for i in range(12):
            picture = np.stack([(x * 2 + 5 * i) % 256, (y * 2 + 3 * i) % 256, (x + y + i) % 256], -1).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    deep = pixels.endswith("10le")
    d = replace(RGB8, rows=rows, columns=columns, number_of_frames=12, transfer_syntax_uid=ROOT + ".4.102")
    if deep:
        d = replace(d, bits_allocated=16, bits_stored=10, high_bit=9)
    ours = decode_still(d, io.BytesIO(path.read_bytes()), frame_index, LIMITS).stored_values
    kind = "gbrp10le" if deep else "rgb24"
    command = ["ffmpeg", "-v", "error", "-i", path, "-vf", f"select=eq(n\\,{frame_index})", "-frames:v", "1"]
    raw = subprocess.run([*command, "-pix_fmt", kind, "-f", "rawvideo", "-"], capture_output=True, check=True).stdout
    if not deep:
        return difference(ours, np.frombuffer(raw, np.uint8).reshape(rows, columns, 3))
    green, blue, red = np.frombuffer(raw, "<u2").reshape(3, rows, columns)
    return difference(ours, np.stack([red, green, blue], axis=-1))


def by_design() -> list[Row]:
    rows = []
    for uid, syntax in TABLE.items():
        if syntax.why_not_decoded:
            row = Row(uid, "any", "by design not", "by design not")
            row.notes.append(f"kept and passed on; {syntax.why_not_decoded}")
            rows.append(row)
    return rows


def page(rows: list[Row]) -> str:
    order = {uid: i for i, uid in enumerate(TABLE)}
    lines = [
        "| transfer syntax | UID | stored form | read | written | compared with | largest difference | note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return HEAD + "\n".join(lines + [row.line() for row in sorted(rows, key=lambda row: order[row.uid])]) + "\n"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    gone = missing()
    if gone:
        pytest.skip(f"to compare with, these are not installed: {gone}")
    folder = tmp_path_factory.mktemp("oracles")
    return [*images(folder), *videos(folder), *by_design()]


@pytest.mark.peer
def test_lossless_is_equal_and_lossy_within_a_level_or_explained(rows: list[Row]) -> None:
    lossless = [row for row in rows if TABLE[row.uid].is_lossless]
    assert [row.line() for row in lossless if row.largest > 0] == []
    assert [row.line() for row in rows if row.largest > LOSSY_MAX and not row.notes] == []
    assert max(row.largest for row in rows) <= 3


@pytest.mark.peer
def test_every_syntax_is_in_the_table_and_compared_with_somebody(rows: list[Row]) -> None:
    assert {row.uid for row in rows} == set(TABLE)
    assert set(ENCODE) == set(DECODERS)
    alone = {row.uid.removeprefix(ROOT) for row in rows if set(row.gaps) <= {SOURCE} and row.read == "yes"}
    assert alone == set(ALONE)
    assert {row.uid for row in rows if row.written == "yes"} == set(ENCODERS)


@pytest.mark.peer
def test_the_page_says_what_was_measured(rows: list[Row]) -> None:
    made = page(rows)
    out = TREE / "build" / "reference"
    out.mkdir(parents=True, exist_ok=True)
    (out / PAGE.name).write_text(made, "utf_8")
    if os.environ.get(RENEW):
        shutil.copyfile(out / PAGE.name, PAGE)
    assert PAGE.is_file() and PAGE.read_text("utf_8") == made, (
        f"{PAGE.relative_to(TREE)} is not what this run measured (build/reference/{PAGE.name}): look at the difference, "
        "then renew it with make docs"
    )


@pytest.mark.parametrize("uid", [uid for uid, syntax in TABLE.items() if syntax.why_not_decoded])
def test_what_is_by_design_not_decoded_says_so(uid: str) -> None:
    with pytest.raises(UnsupportedTransferSyntax, match="by design"):
        decode_frame(replace(RGB8, transfer_syntax_uid=uid, rows=ROWS, columns=COLUMNS), b"", LIMITS)
