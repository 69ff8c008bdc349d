"""Series on a real server for tests of the stream, with or without their renditions."""

from __future__ import annotations

import io
import time

import imagecodecs
import numpy as np
import pydicom
from code_streams import slice_values
from pictures import image, part10
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit
from serving import Serving


def store_slices(server: Serving, study: str, count: int, side: int, *, is_signed: bool = False) -> list[np.ndarray]:  # type: ignore[type-arg]
    """Slices of 12 bits, each with other pixels, as series ``study.1``; their stored values."""
    made = []
    for number in range(count):
        values = np.roll(slice_values(side, side), 5 * number, axis=1)
        values = (values & 0xFFF).astype(np.int16) - np.int16(2048) if is_signed else values & np.uint16(0xFFF)
        ds = image(values, "CT", BitsStored=12)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.1"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{number + 1}"
        ds.InstanceNumber = number + 1
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
        answer = server.store(part10(ds))
        assert answer.status_code == 200, answer.text
        made.append(values)
    return made


def store_values(server: Serving, study: str, slices: list[np.ndarray]) -> None:  # type: ignore[type-arg]
    """Slices of 12 bits with these values, as series ``study.1``, all at once."""
    instances = []
    for number, pixels in enumerate(slices):
        ds = image(pixels, "CT", BitsStored=12)
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = study, f"{study}.1", number + 1
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{number + 1}"
        instances.append(part10(ds))
    assert server.store(*instances).status_code == 200


def make_renditions(server: Serving, study: str) -> None:
    """Ask for the pack of series ``study.1``, and wait for it."""
    path = f"/api/renditions/studies/{study}/series/{study}.1"
    assert server.session.post(server.url + path, timeout=10).status_code in (200, 202)
    found = None
    for _ in range(400):
        found = server.get(path)
        if found.status_code == 200 and found.json()["isComplete"]:
            return
        time.sleep(0.05)
    raise AssertionError(f"no rendition was made: {found.text if found is not None else ''}")


def store_lossy(server: Serving, study: str, count: int) -> list[bytes]:
    """JPEG images of 200 × 300, of which there is no rendition but a small picture."""
    made = []
    for number in range(count):
        ds = image((np.roll(slice_values(200, 300), 9 * number, 1) >> 5).astype(np.uint8))
        code = bytes(imagecodecs.jpeg8_encode(np.frombuffer(ds.PixelData, np.uint8).reshape(200, 300), level=90))
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = study, f"{study}.1", number + 1
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{number + 1}"
        ds.PixelData = encapsulate([code])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        out = io.BytesIO()
        pydicom.dcmwrite(out, ds)
        assert server.store(out.getvalue()).status_code == 200
        made.append(code + bytes(len(code) % 2))
    return made
