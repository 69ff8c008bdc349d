"""The phantom: the same bytes everywhere, a valid CT, and plausible Hounsfield units."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from data import make_instance
from pydicom import Dataset, dcmread

from engine.cli.phantom import PhantomSeries, generate, instance, restamped
from engine.cli.phantom.canvas import Canvas, noise
from engine.dicom.scan import scan
from engine.dicom.uid import is_valid
from engine.limits import Limits

SMALL = PhantomSeries(slices=6, rows=96, columns=80)
# Of all bytes of SMALL. It changes only with the phantom, on purpose; another machine must give it too.
SMALL_SHA256 = "5f4615b5c9639f67c4aeb763f794a446be3795d17a1cf2f68df460e008868538"


def read(part10: bytes) -> Dataset:
    return dcmread(io.BytesIO(part10))


def hounsfield(part10: bytes) -> np.ndarray:
    ds = read(part10)
    return ds.pixel_array.astype(float) * float(ds.RescaleSlope) + float(ds.RescaleIntercept)


def test_equal_fields_give_equal_bytes_on_every_machine() -> None:
    digest = hashlib.sha256()
    for part10 in generate(SMALL):
        digest.update(part10)
    assert digest.hexdigest() == SMALL_SHA256


def test_a_slice_does_not_depend_on_what_was_generated_before() -> None:
    in_order = list(generate(SMALL))
    backwards = [instance(SMALL, i) for i in reversed(range(SMALL.slices))]
    assert in_order == backwards[::-1]
    assert len(set(in_order)) == SMALL.slices


@pytest.mark.parametrize("index", [-1, 6])
def test_no_slice_outside_of_the_series(index: int) -> None:
    with pytest.raises(IndexError):
        instance(SMALL, index)


@pytest.mark.parametrize("wrong", [{"slices": 0}, {"rows": 8}, {"columns": 5000}])
def test_impossible_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a phantom has"):
        PhantomSeries(**wrong)


def test_everything_that_differs_has_its_own_uids() -> None:
    base = PhantomSeries()
    other_series = [
        PhantomSeries(seed=2),
        PhantomSeries(slices=12),
        PhantomSeries(rows=128),
        PhantomSeries(series_number=2),
    ]
    assert len({s.series_instance_uid for s in (base, *other_series)}) == 5
    assert {s.study_instance_uid for s in (base, *other_series)} == {base.study_instance_uid}
    others = [PhantomSeries(study_number=2), PhantomSeries(patient_id="PHANTOM-2")]
    assert len({s.study_instance_uid for s in (base, *others)}) == 3


def test_it_says_that_it_is_a_phantom() -> None:
    ds = read(instance(SMALL, 0))
    assert ds.PatientName == "PHANTOM^CT"
    assert list(ds.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert "phantom" in ds.SeriesDescription and "no patient" in ds.DerivationDescription
    assert ds[0x0008001C].value == "YES"  # Synthetic Data
    assert (ds.QualityControlImage, ds.BurnedInAnnotation) == ("YES", "NO")


def test_the_slices_are_a_stack() -> None:
    series = PhantomSeries(slices=5, rows=48, columns=64)
    slices = [read(part10) for part10 in generate(series)]
    assert [ds.InstanceNumber for ds in slices] == [1, 2, 3, 4, 5]
    positions = np.array([ds.ImagePositionPatient for ds in slices], float)
    assert np.allclose(np.diff(positions, axis=0), [0, 0, -75])
    assert {float(ds.SpacingBetweenSlices) for ds in slices} == {75.0}
    ds = slices[0]
    pixel = float(ds.PixelSpacing[0])
    assert np.allclose(positions[0, :2], [-31.5 * pixel, -23.5 * pixel])  # the middle of the image is the origin
    for uid in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({ds[uid].value for ds in slices}) == 1
    assert len({ds.SOPInstanceUID for ds in slices}) == 5
    assert all(ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID for ds in slices)


def test_our_scanner_finds_nothing_wrong() -> None:
    part10 = instance(SMALL, 3)
    found = scan(part10, Limits())
    assert not found.defects
    assert found.sop_instance_uid == SMALL.sop_instance_uid(3)


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
def test_dciodvfy_accepts_the_ct_image_iod(tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm"
    path.write_bytes(instance(SMALL, 2))
    done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, timeout=30)
    lines = (done.stdout + done.stderr).splitlines()
    assert "CTImage" in lines
    # Releases before 2023 do not know Synthetic Data (0008,001C).
    assert [line for line in lines if "Error" in line and "(0008,001c)" not in line] == []


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="dcmdump (Debian: dcmtk) is not installed")
def test_dcmtk_reads_it_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm"
    path.write_bytes(instance(SMALL, 2))
    done = subprocess.run(["dcmdump", "+L", "-q", str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert f"[{SMALL.sop_instance_uid(2)}]" in done.stdout


@pytest.fixture(scope="module")
def chest() -> np.ndarray:
    """A slice through the heart in Hounsfield units, 1.48 mm a pixel."""
    series = PhantomSeries(slices=5, rows=256, columns=256)  # 0, -75, -150 mm: the third
    return hounsfield(instance(series, 2))


def at(image: np.ndarray, x_mm: float, y_mm: float, half: int = 2) -> np.ndarray:
    pixel = 380 / image.shape[1]
    i, j = (round(mm / pixel + (n - 1) / 2) for mm, n in ((y_mm, image.shape[0]), (x_mm, image.shape[1])))
    return image[i - half : i + half + 1, j - half : j + half + 1]


def test_tissues_have_their_hounsfield_units(chest: np.ndarray) -> None:
    assert -1010 < at(chest, 0, -180).mean() < -990  # air in front
    assert -930 < np.median(at(chest, -95, 0, 10)) < -800  # lung
    assert 280 < at(chest, 46, -18).mean() < 380  # blood with contrast in the left ventricle
    assert 100 < np.median(at(chest, 0, 58, 4)) < 400  # marrow of a vertebra
    assert chest.max() > 600  # cortical bone
    table = at(chest, 0, 129, 0)
    assert -800 < table.mean() < -300  # the table's shell below the body


def test_the_whole_range_of_tissues_is_there(chest: np.ndarray) -> None:
    share = {
        "air": (chest < -950).mean(),
        "lung": ((chest > -930) & (chest < -780)).mean(),
        "fat": ((chest > -150) & (chest < -60)).mean(),
        "soft": ((chest > 20) & (chest < 130)).mean(),
        "bone or contrast": (chest > 200).mean(),
    }
    assert all(0.02 < part < 0.7 for part in share.values()), share


def test_noise_is_stronger_in_the_middle_than_in_the_air_around(chest: np.ndarray) -> None:
    middle, edge = at(chest, 46, -18, 4).std(), at(chest, 0, -180, 4).std()
    assert 5 < middle < 25 and edge < middle


def test_noise_is_correlated_and_has_no_offset() -> None:
    grain = noise((1, 2), 256, 300)
    assert grain.shape == (256, 300)
    assert abs(grain.mean()) < 0.02 and abs(grain.std() - 1) < 0.03
    assert abs((grain > 2).mean() - 0.0228) < 0.006  # as a normal distribution has it

    def correlation(lag: int) -> float:
        return float(np.corrcoef(grain[:, lag:].ravel(), grain[:, :-lag].ravel())[0, 1])

    assert correlation(1) > 0.3  # neighbours are alike
    assert correlation(3) < -0.02  # band-passed: low frequencies are taken out
    assert abs(correlation(20)) < 0.02
    assert not np.array_equal(grain, noise((1, 3), 256, 300))


def test_edges_are_mixed_by_how_much_of_the_pixel_they_cover() -> None:
    axis = np.arange(-20, 21, dtype=np.float32)
    x, y = (a.astype(np.float32) for a in np.meshgrid(axis, axis))
    canvas = Canvas(x, y, np.zeros_like(x), axis, axis, 0.0, 1.0)
    canvas.blob(100.0, (0, 0, 0), (10, 10, 10))
    assert canvas.hu[20, 20] == 100 and canvas.hu[0, 0] == 0
    assert canvas.hu.sum() == pytest.approx(100 * np.pi * 10**2, rel=0.02)  # the disc's area, not whole pixels
    assert canvas.hu[20, 30] == pytest.approx(50)  # on the edge


def test_neighbouring_slices_are_alike_but_not_equal() -> None:
    series = PhantomSeries(rows=96, columns=96)
    one, next_one, far = (hounsfield(instance(series, i)) for i in (100, 101, 200))
    near = np.abs(one - next_one).mean()
    assert 0 < near < 0.25 * np.abs(one - far).mean()


def test_restamped_instances_are_distinct_and_keep_their_pixels() -> None:
    source = instance(SMALL, 1)
    made = list(restamped(source, 25, instances_per_series=10, series_per_study=2, spacing_mm=2.5))
    original = read(source)
    sets = [read(part10) for part10 in made]
    assert len({ds.SOPInstanceUID for ds in sets}) == 25
    assert len({ds.SeriesInstanceUID for ds in sets}) == 3
    assert len({ds.StudyInstanceUID for ds in sets}) == 2
    assert [ds.InstanceNumber for ds in sets] == [*range(1, 11), *range(1, 11), *range(1, 6)]
    heights = np.array([ds.ImagePositionPatient[2] for ds in sets], float)
    assert np.allclose(np.diff(heights[:10]), 2.5) and heights[0] == original.ImagePositionPatient[2]
    kept = [e for e in original if e.keyword not in CHANGED]
    for ds, part10 in zip(sets, made, strict=True):
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        assert all(is_valid(str(ds[k].value)) for k in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"))
        assert [e for e in ds if e.keyword not in CHANGED] == kept
        assert float(ds.SliceLocation) == float(ds.ImagePositionPatient[2])
        assert not scan(part10, Limits()).defects
    assert list(restamped(source, 25, instances_per_series=10, series_per_study=2, spacing_mm=2.5)) == made


CHANGED = {
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "InstanceNumber",
    "ImagePositionPatient",
    "SliceLocation",
}


def test_restamping_what_cannot_be_told_apart_is_refused() -> None:
    short = make_instance("1.2.3.4.15")  # one digit to count with
    assert (
        len(
            {
                read(p).SOPInstanceUID
                for p in restamped(make_instance("1.2.3.4.1523", study="1.2.300", series="1.2.400"), 9)
            }
        )
        == 9
    )
    with pytest.raises(ValueError, match="too few digits"):
        list(restamped(short, 11))
