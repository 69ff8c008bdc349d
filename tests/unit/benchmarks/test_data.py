"""The benchmark's files: the same pixels in JPEG 2000, the same bytes under other UIDs, small studies, the page of results."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from benchmarks import data, run
from benchmarks.data import Series
from benchmarks.measure import Report
from engine.cli.phantom import PhantomSeries, generate


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Series:
    folder = tmp_path_factory.mktemp("raw")
    for number, part10 in enumerate(generate(PhantomSeries(slices=3, rows=32, columns=48))):
        (folder / f"{number}.dcm").write_bytes(part10)
    return data.series_of(folder.iterdir())


def test_a_series_is_read_in_order(raw: Series) -> None:
    assert len(raw) == 3
    numbers = [pydicom.dcmread(path).InstanceNumber for path in raw.files]
    assert numbers == sorted(numbers)
    assert len(set(raw.sop_instance_uids)) == 3
    with pytest.raises(ValueError, match="several"):
        data.series_of([])


def test_jpeg2000_has_the_same_pixels_in_another_study(raw: Series, tmp_path: Path) -> None:
    packed = data.jpeg2000(raw, tmp_path)
    assert packed.study_instance_uid != raw.study_instance_uid
    for before, after in zip(raw.files, packed.files, strict=True):
        a, b = pydicom.dcmread(before), pydicom.dcmread(after)
        assert b.file_meta.TransferSyntaxUID == pydicom.uid.JPEG2000Lossless
        assert b.file_meta.MediaStorageSOPInstanceUID == b.SOPInstanceUID != a.SOPInstanceUID
        assert np.array_equal(a.pixel_array, b.pixel_array)
        assert data.stored_frame(after).startswith(b"\xff\x4f\xff\x51")
        assert data.stored_frame(before) == a.PixelData


def test_headers_without_the_pixels(raw: Series, tmp_path: Path) -> None:
    small = data.headers_only(raw, tmp_path, "x")
    for before, after in zip(raw.files, small.files, strict=True):
        a, b = pydicom.dcmread(before), pydicom.dcmread(after)
        assert len(b.PixelData) == 16 * 16 * 2
        assert {e.tag for e in a} == {e.tag for e in b}


def test_other_uids_in_the_same_places(raw: Series) -> None:
    for path, part10 in zip(raw.files, data.renamed(raw, "x"), strict=True):
        a, b = pydicom.dcmread(path), pydicom.dcmread(io.BytesIO(part10))
        assert len(part10) == path.stat().st_size
        changed = {e.keyword for e in a if e.value != b[e.tag].value}
        assert changed == {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}
        assert b.file_meta.MediaStorageSOPInstanceUID == b.SOPInstanceUID
        assert all(b[k].value.is_valid for k in changed)
    assert list(data.renamed(raw, "x")) != list(data.renamed(raw, "y"))


@pytest.mark.parametrize("length", [20, 44, 63, 64])
def test_a_new_uid_is_valid_and_as_long(length: int) -> None:
    uid = ("1.2.826.0.1.3680043.8.498." + "1234567890" * 6)[:length]
    new = pydicom.uid.UID(data.new_uid(uid, "x"))
    assert new.is_valid
    assert len(new) == length
    assert data.new_uid(uid, "x") == new != data.new_uid(uid, "y")


def test_small_studies() -> None:
    read = [pydicom.dcmread(io.BytesIO(part10)) for part10 in data.small_studies(40)]
    assert len({ds.StudyInstanceUID for ds in read}) == len({ds.SOPInstanceUID for ds in read}) == 40
    assert len({ds.PatientID for ds in read}) == 20
    assert [ds.StudyDate for ds in read] == sorted({ds.StudyDate for ds in read})
    assert all(ds.pixel_array.shape == (16, 16) for ds in read)


def test_frames_for_a_static_server(raw: Series, tmp_path: Path) -> None:
    names = data.frame_files(raw, tmp_path / "raw")
    assert [(tmp_path / name[1:]).read_bytes() for name in names] == [data.stored_frame(p) for p in raw.files]


def test_results_are_put_into_the_page_and_replaced() -> None:
    report = Report("x")
    report.add("time", "ms", {"voxcast": [1.0], "orthanc": [4.0]}, note="why")
    page = f"before\n{run.BEGIN}\nold\n{run.END}\nafter\n"
    new = run.with_results(page, report.as_json())
    assert new.startswith(f"before\n{run.BEGIN}\n")
    assert new.endswith(f"\n{run.END}\nafter\n")
    assert "old" not in new
    assert "| time [ms] | voxcast | 1 | 1 |" in new
    assert "- time: why" in new
    assert run.with_results(new, report.as_json()) == new
    with pytest.raises(ValueError, match="no place"):
        run.with_results("nothing", report.as_json())


def test_the_page_has_its_place() -> None:
    assert run.BEGIN in run.PAGE.read_text()
    assert run.END in run.PAGE.read_text()
