"""Real instances in every form that they are stored in, and what they become in another transfer syntax."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data import data_files, pydicom_files

from engine.codec.encoding.base import LOSSLESS, Loss
from engine.codec.registry import DECODERS, decode_frame
from engine.codec.transcode import Transcoded, transcode
from engine.dicom.frame import FrameDescriptor
from engine.dicom.instance import StoredInstance
from engine.dicom.scan import scan
from engine.dicom.scanned import ScannedInstance
from engine.errors import EngineError
from engine.limits import Limits

LIMITS = Limits()
FOLDERS = ("syntaxes", "charsets", "multiframe", "derived", "malformed", "wsi", "veterinary")
MORE_FOLDERS = ("large", "ct-series", "ct-tilt", "mr-series", "mr-j2k", "mr-jpll", "mr-4d")
ROOT = "1.2.840.10008.1.2"
DIRECTORY = "1.2.840.10008.1.3.10"


def stored(content: bytes) -> StoredInstance:
    """An instance that is in memory."""
    return StoredInstance(scan(content, LIMITS), len(content), lambda at, size: content[at : at + size], LIMITS)


def converted(content: bytes, uid: str, loss: Loss = LOSSLESS) -> tuple[bytes, Transcoded]:
    out = bytearray()
    done = transcode(stored(content), uid, out.extend, LIMITS, loss)
    assert done.length == len(out)
    return bytes(out), done


def frame_values(content: bytes, index: int) -> Any:
    """Stored values of a frame by our decoder, which tests/reference/test_pixels.py holds to pydicom's."""
    source = stored(content)
    assert source.about.frame_descriptor is not None
    assert source.about.frame_table is not None
    first_bit = source.about.frame_table[index].first_bit
    return decode_frame(source.about.frame_descriptor, source.frame(index), LIMITS, first_bit=first_bit).stored_values


@dataclass(frozen=True)
class Sample:
    """A file and what the scan says of it."""

    path: Path
    content: bytes
    scanned: ScannedInstance

    @property
    def descriptor(self) -> FrameDescriptor:
        assert self.scanned.frame_descriptor is not None
        return self.scanned.frame_descriptor

    @property
    def frame_count(self) -> int:
        return len(self.scanned.frame_table) if self.scanned.frame_table is not None else 0


def samples(*folders: str, bytes_max: int = 8 << 20) -> Iterable[Sample]:
    """Every real file of moderate size whose first frame can be decoded; also those of pydicom's package."""
    for path in [*data_files(*(folders or FOLDERS)), *pydicom_files()]:
        if path.stat().st_size > bytes_max:
            continue
        content = path.read_bytes()
        try:
            scanned = scan(content, LIMITS)
            if scanned.sop_class_uid == DIRECTORY:  # with pixels in it, but no instance to others
                continue
            has_frames = scanned.frame_descriptor is not None and scanned.frame_table is not None
            if has_frames and scanned.transfer_syntax_uid in DECODERS and len(scanned.frame_table or ()):
                frame_values(content, 0)
                yield Sample(path, content, scanned)
        except EngineError:
            continue


def distinct(every: Iterable[Sample]) -> list[Sample]:
    """The smallest sample of each stored form: bits, sign, samples, colour, planes, one frame or several, header's encoding."""
    found: dict[object, Sample] = {}
    for sample in every:
        d, uid = sample.descriptor, sample.scanned.transfer_syntax_uid
        form = (
            *(d.samples_per_pixel, d.bits_allocated, d.bits_stored, d.high_bit, d.pixel_representation),
            *(d.photometric_interpretation, d.planar_configuration, d.pixel_keyword, d.number_of_frames > 1),
            uid if uid in (ROOT, ROOT + ".2", ROOT + ".1.99") else "",
        )
        if form not in found or len(sample.content) < len(found[form].content):
            found[form] = sample
    return list(found.values())
