"""The files that all servers are given: generated CT slices as raw and as JPEG 2000, small studies, and the same with new UIDs."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless

from engine.cli.phantom import PhantomSeries, generate

DATA = Path(os.environ.get("VOXCAST_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
_EXAMPLE_ROOT = "2.999."  # the arc that ITU-T X.660 gives to examples


@dataclass(frozen=True, slots=True)
class Series:
    """Files of one series, in order."""

    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    sop_instance_uids: tuple[str, ...]
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)


def series_of(files: Iterable[Path]) -> Series:
    """What the headers say; all files must be of one series, and are ordered by Instance Number."""
    read = [(pydicom.dcmread(path, stop_before_pixels=True), path) for path in files]
    read.sort(key=lambda pair: int(pair[0].InstanceNumber))
    if len({ds.SeriesInstanceUID for ds, _ in read}) != 1:
        raise ValueError("files of several series, or none")
    first = read[0][0]
    return Series(
        str(first.StudyInstanceUID),
        str(first.SeriesInstanceUID),
        str(first.PatientID),
        tuple(str(ds.SOPInstanceUID) for ds, _ in read),
        tuple(path for _, path in read),
    )


def phantom(folder: Path, slices: int) -> Series:
    """The demo's CT phantom, explicit VR little endian, uncompressed."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part10 in enumerate(generate(PhantomSeries(slices=slices)), 1):
        (folder / f"{number:04}.dcm").write_bytes(part10)
    return series_of(folder.iterdir())


def real_ct() -> Series | None:
    """The real CT of the shared data (uncompressed), when it is there."""
    folder = DATA / "ct-series"
    return series_of(folder.iterdir()) if folder.is_dir() else None


def jpeg2000(series: Series, folder: Path) -> Series:
    """The same pixels as JPEG 2000 lossless, one fragment a frame, as a study of its own."""
    folder.mkdir(parents=True, exist_ok=True)

    def one(path: Path) -> None:
        ds = pydicom.dcmread(path)
        if ds.file_meta.TransferSyntaxUID.is_compressed:
            raise ValueError(f"{path.name} is compressed already")
        stream = imagecodecs.jpeg2k_encode(
            ds.pixel_array, level=0, reversible=True, codecformat="j2k", bitspersample=ds.BitsStored
        )
        ds.PixelData = encapsulate([stream])
        ds["PixelData"].VR = "OB"
        ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
        reidentify(ds, "jpeg2000")
        ds.save_as(folder / path.name, enforce_file_format=True)

    _each(one, series.files)
    return series_of(folder.iterdir())


def headers_only(series: Series, folder: Path, name: str) -> Series:
    """The same headers over 16 by 16 pixels: what a metadata request reads, at a thousandth of the disk."""
    folder.mkdir(parents=True, exist_ok=True)

    def one(path: Path) -> None:
        ds = pydicom.dcmread(path)
        ds.Rows = ds.Columns = 16
        ds.PixelData = bytes(16 * 16 * ds.BitsAllocated // 8)
        reidentify(ds, name)
        ds.save_as(folder / path.name, enforce_file_format=True)

    _each(one, series.files)
    return series_of(folder.iterdir())


def reidentify(ds: Dataset, name: str) -> None:
    """New study, series and instance UIDs of the same lengths, the same for the same name."""
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(ds, keyword, new_uid(str(ds[keyword].value), name))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID


def new_uid(uid: str, name: str) -> str:
    """Another valid UID of the same length, the same for the same uid and name."""
    digits = str(int(hashlib.sha256(f"{name}\0{uid}".encode()).hexdigest() + 16 * "5", 16))
    return (_EXAMPLE_ROOT + digits)[: len(uid)]


def renamed(series: Series, name: str) -> Iterator[bytes]:
    """The files' bytes with new UIDs in the places of the old: nothing is parsed, so it is fast enough for every round."""
    for path, sop in zip(series.files, series.sop_instance_uids, strict=True):
        part10 = path.read_bytes()
        # The longest first: a series UID is often the beginning of its instances' UIDs.
        for uid in sorted((sop, series.series_instance_uid, series.study_instance_uid), key=len, reverse=True):
            part10 = part10.replace(uid.encode(), new_uid(uid, name).encode())
        yield part10


def small_studies(count: int) -> Iterator[bytes]:
    """Studies of one tiny CT instance each, spread over ten years and half as many patients."""
    for i in range(count):
        uid = f"{_EXAMPLE_ROOT}7.{i + 1}"
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, uid + ".1.1"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        sink = io.BytesIO()
        ds = FileDataset(sink, {}, file_meta=meta, preamble=bytes(128))
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, uid + ".1.1"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = uid, uid + ".1"
        day = np.datetime64("2010-01-01") + i * 3653 // max(count, 1)
        ds.StudyDate, ds.StudyTime = str(day).replace("-", ""), f"{8 + i % 10:02}{i % 60:02}00"
        ds.AccessionNumber, ds.StudyID, ds.Modality = f"A{i:06}", str(i), "CT"
        ds.PatientName, ds.PatientID = f"SYNTHETIC^{i // 2:05}", f"SYN{i // 2:05}"
        ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
        ds.ReferringPhysicianName, ds.StudyDescription = "", "Generated"
        ds.SeriesNumber, ds.InstanceNumber = 1, 1
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.Rows = ds.Columns = 16
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.PixelData = bytes(512)
        ds.save_as(sink, enforce_file_format=True)
        yield sink.getvalue()


def frame_files(series: Series, folder: Path) -> list[str]:
    """Every file's first frame as stored, in a file of its own for a static server; their names below `folder`'s parent."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for path in series.files:
        (folder / path.stem).write_bytes(stored_frame(path))
        names.append(f"/{folder.name}/{path.stem}")
    return names


def stored_frame(path: Path) -> bytes:
    """The first frame's bytes as the file holds them, read by pydicom."""
    ds = pydicom.dcmread(path)
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        return next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    return bytes(ds.PixelData)


def _each(work: object, files: Iterable[Path]) -> None:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(work, files):  # type: ignore[arg-type]
            pass
