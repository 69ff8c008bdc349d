"""Real instances in other transfer syntaxes, read back by others: pydicom with gdcm and OpenJPEG, DCMTK, ffmpeg, dciodvfy.

Every distinct stored form once in the quick run; every file in the torture run. What comes back must be what was there, bit for
bit; a form that a transfer syntax has no place for is refused by name.
"""

from __future__ import annotations

import collections
import io
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from data import DATA, data_files, make_instance, needs_data
from pydicom.pixels import pixel_array
from transcoding import FOLDERS, MORE_FOLDERS, ROOT, Sample, converted, distinct, frame_values, samples

from engine.codec.encoding.base import Loss
from engine.codec.encoding.registry import ENCODERS
from engine.errors import BadFrame, TruncatedDataSet, UnsupportedPixels

LOSSLESS = [uid for uid in ENCODERS if not uid.endswith(".4.50")]
JPEG_XL = (ROOT + ".4.110", ROOT + ".4.112")
BASELINE, NEAR, J2K = ROOT + ".4.50", ROOT + ".4.81", ROOT + ".4.91"
# pydicom's way to the pixels is closed by something else in these headers; our own decoder reads them back (see below).
UNREADABLE = {"orthanc-tests__MultiframeWindowing.dcm", "fo-dicom__GH340.dcm", "pydicom-data__966.dcm", "badVR.dcm"}
# A code stream of it has another size than the header.
DAMAGED = {"fo-dicom__multiframe.dcm"}
# PS3.3 C.8.17.2.1.4 wants a third value of Image Type for derived eye photographs, and has no term for compressed ones.
OPHTHALMIC = "Value 3 is required for DERIVED images"
DCMTK = {ROOT + ".5": "dcmdrle", ROOT + ".4.57": "dcmdjpeg", ROOT + ".4.70": "dcmdjpeg", ROOT + ".4.80": "dcmdjpls"}


@pytest.fixture(scope="module")
def usual() -> list[Sample]:
    return list(samples())


@pytest.fixture(scope="module")
def everything() -> Iterator[tuple[list[Sample], dict[tuple[str, str], str]]]:
    """Every file, and what became of it, which is a table in the end."""
    outcomes: dict[tuple[str, str], str] = {}
    yield list(samples(*FOLDERS, *MORE_FOLDERS, bytes_max=64 << 20)), outcomes
    write_table("transcoding_all.md", outcomes)


@pytest.fixture(scope="module")
def decoders() -> str:
    """Those of ffmpeg, "" where there is none."""
    if shutil.which("ffmpeg") is None:
        return ""
    return subprocess.run(["ffmpeg", "-hide_banner", "-decoders"], capture_output=True, text=True, check=False).stdout


def by_pydicom(content: bytes, index: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pixel_array(pydicom.dcmread(io.BytesIO(content)), raw=True, index=index)


def by_dcmtk(content: bytes, tool: str, folder: Path) -> pydicom.Dataset:
    (folder / "in.dcm").write_bytes(content)
    options = ["+cn"] if tool == "dcmdjpeg" else []  # no colour conversion
    subprocess.run([tool, *options, folder / "in.dcm", folder / "out.dcm"], check=True, capture_output=True)
    return pydicom.dcmread(folder / "out.dcm")


def compare(sample: Sample, uid: str, folder: Path) -> str:
    """What became of one conversion, and who read it back; an assertion fails where it is not what was there."""
    try:
        content, done = converted(sample.content, uid)
    except UnsupportedPixels:
        return "refused"
    except (BadFrame, TruncatedDataSet):
        assert sample.path.name in DAMAGED
        return "damaged"
    assert done.sop_instance_uid == sample.scanned.sop_instance_uid
    d = sample.descriptor
    indexes = sorted({0, sample.frame_count // 2, sample.frame_count - 1})
    # gdcm ends the process over fewer than 8 stored bits in 8; DCMTK does not.
    is_for_dcmtk = d.bits_allocated == 8 and d.bits_stored < 8
    is_ours = sample.path.name in UNREADABLE or uid in JPEG_XL or (is_for_dcmtk and uid not in DCMTK)
    theirs = by_dcmtk(content, DCMTK[uid], folder) if is_for_dcmtk and not is_ours else None
    for index in indexes:
        expected = frame_values(sample.content, index)
        if is_ours:
            found = frame_values(content, index)
        elif theirs is not None:
            found = pixel_array(theirs, raw=True, index=index)
        else:
            found = by_pydicom(content, index)
        what = f"{sample.path.name} as {uid}, frame {index + 1}"
        assert found.shape == expected.shape, what
        assert np.array_equal(found, expected), what
    return "equal (ours)" if is_ours else "equal (DCMTK)" if theirs is not None else "equal"


def write_table(name: str, outcomes: dict[tuple[str, str], str]) -> None:
    """``build/reference/NAME``: a line for each file, a column for each transfer syntax."""
    uids = [uid for uid in LOSSLESS if any(uid == one for _, one in outcomes)]
    lines = [
        "Files in other transfer syntaxes, read back by pydicom (gdcm, OpenJPEG), DCMTK or (where no other reads it) ourselves.",
        "",
        f"| file | {' | '.join(uid.removeprefix(ROOT) for uid in uids)} |",
        "|---" * (len(uids) + 1) + "|",
    ]
    for file in dict.fromkeys(file for file, _ in outcomes):
        lines.append(f"| {file} | {' | '.join(outcomes.get((file, uid), '') for uid in uids)} |")
    out = Path(__file__).parents[2] / "build" / "reference"
    out.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("\n".join(lines) + "\n")


def shown(sample: Sample) -> str:
    path, d = sample.path, sample.descriptor
    where = path.relative_to(DATA) if path.is_relative_to(DATA) else Path("pydicom") / path.name
    sign = "signed" if d.pixel_representation else "unsigned"
    form = f"{d.bits_stored} of {d.bits_allocated} {sign}, {d.samples_per_pixel} × {d.photometric_interpretation}"
    return f"{where} ({form})"


def counted(outcomes: dict[tuple[str, str], str], uid: str) -> collections.Counter[str]:
    return collections.Counter(outcome.split()[0] for (_, one), outcome in outcomes.items() if one == uid)


@pytest.mark.timeout(280)
def test_every_stored_form_in_every_lossless_syntax(usual: list[Sample], tmp_path: Path) -> None:
    chosen = distinct(usual)
    outcomes = {(shown(sample), uid): compare(sample, uid, tmp_path) for sample in chosen for uid in LOSSLESS}
    write_table("transcoding.md", outcomes)
    if DATA.is_dir():
        assert len(chosen) > 70
    for uid in LOSSLESS:
        # JPEG XL has no sign, the others take all but floats, single bits and 32 bits.
        assert counted(outcomes, uid)["equal"] >= len(chosen) // 2, uid
    assert counted(outcomes, ROOT + ".1")["refused"] == 0


@needs_data
@pytest.mark.torture
@pytest.mark.timeout(900)
@pytest.mark.parametrize("uid", LOSSLESS)
def test_every_file_in_every_lossless_syntax(
    uid: str, everything: tuple[list[Sample], dict[tuple[str, str], str]], tmp_path: Path
) -> None:
    every, outcomes = everything
    outcomes |= {(shown(sample), uid): compare(sample, uid, tmp_path) for sample in every}
    assert counted(outcomes, uid)["equal"] >= (400 if uid in JPEG_XL else 450)
    assert counted(outcomes, uid)["damaged"] <= len(DAMAGED)


KINDS = {(8, 1): "gray", (16, 1): "gray16le", (8, 3): "rgb24"}
# Coders of ffmpeg's own, but for JPEG XL, which nobody but libjxl decodes. It knows no samples one by one in JPEG-LS, and no
# more than 8 bits or other than its own colours in JPEG Lossless.
BY_FFMPEG = [
    *((ROOT + ".4.80", "jls", "jpegls", form) for form in ((8, 1), (16, 1))),
    *((ROOT + ".4.90", "j2k", "jpeg2000", form) for form in KINDS),
    *((JPEG_XL[0], "jxl", "libjxl", form) for form in KINDS),
    (ROOT + ".4.70", "jpg", "mjpeg", (8, 1)),
]


@pytest.mark.peer
@pytest.mark.parametrize(("uid", "suffix", "decoder", "form"), BY_FFMPEG)
def test_code_streams_by_ffmpeg(
    uid: str, suffix: str, decoder: str, form: tuple[int, int], tmp_path: Path, decoders: str, usual: list[Sample]
) -> None:
    """Depths that ffmpeg does not stretch; it knows nothing of DICOM, so that the code stream must say all by itself."""
    if f" {decoder} " not in decoders:
        pytest.skip(f"no ffmpeg with {decoder}")
    bits, colours = form
    wanted = [
        s
        for s in usual
        if (s.descriptor.bits_allocated, s.descriptor.bits_stored) == (bits, bits)
        and (s.descriptor.samples_per_pixel, s.descriptor.pixel_representation) == (colours, 0)
        and s.descriptor.photometric_interpretation in ("MONOCHROME2", "RGB")
    ][:4]
    assert wanted
    for sample in wanted:
        content, _ = converted(sample.content, uid)
        ds = pydicom.dcmread(io.BytesIO(content))
        code = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=sample.frame_count))
        (tmp_path / f"frame.{suffix}").write_bytes(code)
        raw = subprocess.run(
            [
                *("ffmpeg", "-v", "error", "-c:v", decoder, "-i", tmp_path / f"frame.{suffix}"),
                *("-f", "rawvideo", "-pix_fmt", KINDS[form], "-"),
            ],
            capture_output=True,
            check=True,
        ).stdout
        expected = frame_values(sample.content, 0)
        assert np.array_equal(np.frombuffer(raw, expected.dtype).reshape(expected.shape), expected), sample.path.name


LOSSY = [(BASELINE, Loss(), "ISO_10918_1"), (NEAR, Loss(near=2), "ISO_14495_1"), (J2K, Loss(80), "ISO_15444_1")]


def classical() -> list[Path]:
    """A CT, an MR, a colour photograph and an ultrasound image, each with a whole header."""
    names = ("ct-series", "mr-series", "ct-tilt")
    return [data_files(name)[3] for name in names] + [
        p for p in data_files("syntaxes") if p.name in ("fo-dicom__GH538-jpeg14sv1.dcm", "dcmjs__sample-op.dcm")
    ]


@needs_data
@pytest.mark.parametrize(("uid", "loss", "method"), LOSSY)
def test_a_lossy_step_says_so(uid: str, loss: Loss, method: str) -> None:
    taken = 0
    for path in classical():
        before = path.read_bytes()
        try:
            content, done = converted(before, uid, loss)
        except UnsupportedPixels:
            assert uid == BASELINE, path.name  # more than 8 bits
            continue
        taken += 1
        again, _ = converted(before, uid, loss)
        assert again == content, "the same request gives the same instance"
        source, ds = pydicom.dcmread(io.BytesIO(before)), pydicom.dcmread(io.BytesIO(content))
        assert ds.SOPInstanceUID == done.sop_instance_uid == ds.file_meta.MediaStorageSOPInstanceUID
        assert ds.SOPInstanceUID != source.SOPInstanceUID
        assert ds.SOPInstanceUID.startswith("2.25.")
        assert ds.ImageType[0] == "DERIVED"
        assert list(ds.ImageType[1:]) == list(source.get("ImageType", ["", "PRIMARY"])[1:])
        ratio = source.Rows * source.Columns * source.SamplesPerPixel * source.BitsAllocated / 8 / len(ds.PixelData)
        assert ds.LossyImageCompression == "01"
        assert ds.LossyImageCompressionMethod == method
        assert abs(float(ds.LossyImageCompressionRatio) / ratio - 1) < 0.02
        assert "1" in ds.DerivationDescription
        assert ds.DerivationCodeSequence[-1].CodeValue == "113040"
        assert ds.SourceImageSequence[-1].ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert ds.SourceImageSequence[-1].ReferencedSOPClassUID == source.SOPClassUID
        assert ds.SourceImageSequence[-1].PurposeOfReferenceCodeSequence[0].CodeValue == "121320"
        kept = {e.tag for e in source} - {0x00080008, 0x00080018, 0x00280106, 0x00280107, 0x7FE00010, 0x00280004}
        assert all(ds[tag] == source[tag] for tag in kept if tag in ds and tag >> 16 not in (0x28, 0x8)), path.name
        expected, found = frame_values(before, 0), frame_values(content, 0)
        gap = np.abs(found.astype(int) - expected.astype(int))
        span = int(expected.max()) - int(expected.min())
        if loss.near:
            assert gap.max() <= loss.near
        else:
            # RGB through 4:2:2 moves edges of colour; the mean tells.
            assert gap.mean() <= span * (0.01 if uid == BASELINE else 0.001), path.name
    assert taken >= (2 if uid == BASELINE else 5)


def test_a_second_lossy_step_is_appended() -> None:
    first, done = converted(made(), NEAR, Loss(near=1))
    second, _ = converted(first, J2K, Loss(60))
    ds = pydicom.dcmread(io.BytesIO(second))
    assert list(ds.LossyImageCompressionMethod) == ["ISO_14495_1", "ISO_15444_1"]
    assert len(ds.LossyImageCompressionRatio) == 2
    assert [item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence][-1] == done.sop_instance_uid
    assert ds.SourceImageSequence[-1].PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert ds.DerivationDescription.count(";") == 1


def made() -> bytes:
    pixels = np.random.default_rng(5).integers(0, 4000, 64 * 64, dtype=np.uint16).tobytes()
    return make_instance(rows=64, columns=64, pixels=pixels)


def errors_of(content: bytes, folder: Path) -> set[str]:
    """What dciodvfy finds, without what it calls by place or value."""
    (folder / "x.dcm").write_bytes(content)
    said = subprocess.run(["dciodvfy", folder / "x.dcm"], capture_output=True, text=True, check=False, errors="replace")
    lines = (said.stdout + said.stderr).splitlines()
    return {re.sub(r"<[^>]*>|= *\S+$", "", line) for line in lines if line.startswith("Error")}


@needs_data
@pytest.mark.peer
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize(
    ("uid", "loss"),
    [
        *((uid, loss) for uid, loss, _ in LOSSY),
        (ROOT + ".4.80", Loss()),
        (ROOT + ".4.90", Loss()),
        (ROOT + ".5", Loss()),
    ],
)
def test_dciodvfy_finds_nothing_new(uid: str, loss: Loss, tmp_path: Path) -> None:
    taken = 0
    for path in classical():
        before = path.read_bytes()
        try:
            content, _ = converted(before, uid, loss)
        except UnsupportedPixels:
            continue
        taken += 1
        found = {e for e in errors_of(content, tmp_path) - errors_of(before, tmp_path) if OPHTHALMIC not in e}
        assert found == set(), path.name
    assert taken >= 2


@needs_data
@pytest.mark.peer
@pytest.mark.skipif(
    shutil.which("gdcminfo") is None or shutil.which("dcmdump") is None, reason="no gdcm tools or DCMTK"
)
@pytest.mark.parametrize("uid", sorted(ENCODERS))
def test_others_read_the_file(uid: str, tmp_path: Path) -> None:
    path = data_files("ct-series")[3] if uid != BASELINE else next(p for p in classical() if "sample-op" in p.name)
    content, _ = converted(path.read_bytes(), uid)
    (tmp_path / "x.dcm").write_bytes(content)
    dumped = subprocess.run(["dcmdump", "+P", "0028,0010", "+P", "0008,0018", tmp_path / "x.dcm"], capture_output=True)
    assert dumped.returncode == 0
    assert not dumped.stderr
    info = subprocess.run(["gdcminfo", tmp_path / "x.dcm"], capture_output=True, text=True)
    if uid in JPEG_XL or uid.split(".")[-1] in ("201", "202", "203"):
        return  # newer than this gdcm
    assert info.returncode == 0
    assert uid in info.stdout
