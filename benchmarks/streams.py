"""One 512² CT slice as the code streams of every decoder, by encoders that are not ours: what `decoders` and `threads` decode."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

import imagecodecs
import numpy as np

from benchmarks.data import DATA
from engine.cli.phantom import PhantomSeries, generate
from engine.codec.registry import decode_frame
from engine.codec.rle import rle_encode
from engine.dicom.frame import FrameDescriptor, Window
from engine.dicom.scan import scan
from engine.imaging.plan import plan
from engine.imaging.render import render
from engine.imaging.spec import RenderSpec
from engine.limits import Limits

Array = np.ndarray[Any, Any]
LIMITS = Limits()
WINDOW = Window(40.0, 400.0)
ROOT = "1.2.840.10008.1.2"


@dataclass(frozen=True, slots=True)
class Coded:
    """A frame in one transfer syntax. `planar` as GDCM and DCMTK want to be told."""

    name: str
    descriptor: FrameDescriptor
    data: bytes

    @property
    def uid(self) -> str:
        return self.descriptor.transfer_syntax_uid


def slice_of_ct() -> tuple[FrameDescriptor, bytes]:
    """The middle of the shared real CT series, or of the demo's phantom without it: descriptor and native pixels."""
    files = sorted((DATA / "ct-series").glob("*.dcm"))
    content = files[len(files) // 2].read_bytes() if files else list(generate(PhantomSeries(slices=3)))[1]
    scanned = scan(content, LIMITS)
    assert scanned.frame_descriptor is not None and scanned.frame_table is not None
    span = scanned.frame_table[0]
    return scanned.frame_descriptor, content[span.offset : span.offset + span.length]


def coded() -> list[Coded]:
    """16-bit grey unless the name says otherwise; 8-bit grey is the slice through a window, colour three such."""
    d, native = slice_of_ct()
    values = decode_frame(d, native, LIMITS).stored_values
    unsigned = values.view(f"u{values.itemsize}")
    grey = render(plan(d, 0, "MONOCHROME2", RenderSpec(window=WINDOW), LIMITS), values)
    rgb = np.ascontiguousarray(np.dstack([grey, grey[::-1], grey[:, ::-1]]))
    grey8 = replace(d, bits_allocated=8, bits_stored=8, high_bit=7, pixel_representation=0, rescales=())
    rgb8 = replace(grey8, samples_per_pixel=3, photometric_interpretation="RGB")

    def of(name: str, suffix: str, data: bytes | bytearray, of: FrameDescriptor = d) -> Coded:
        return Coded(name, replace(of, transfer_syntax_uid=ROOT + suffix), bytes(data))

    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    bits12 = replace(d, bits_stored=12, high_bit=11, pixel_representation=0)
    deep = np.clip(values, 0, 4095).astype(np.uint16)
    ycc = replace(rgb8, photometric_interpretation="YBR_FULL_422")
    mask = replace(grey8, bits_allocated=1, bits_stored=1, high_bit=0)
    j2k: dict[str, Any] = {"codecformat": "j2k"}
    return [
        of("native", ".1", native),
        of("native, big endian", ".2", values.byteswap().tobytes()),
        of("native, colour by plane", ".1", rgb.transpose(2, 0, 1).tobytes(), replace(rgb8, planar_configuration=1)),
        of("native, single bits", ".1", np.packbits(grey > 99, bitorder="little").tobytes(), mask),
        of("deflated frame", ".8.1", packer.compress(values.tobytes()) + packer.flush()),
        of("RLE", ".5", rle_encode(values)),
        of("RLE, colour", ".5", rle_encode(rgb), rgb8),
        of("JPEG, 8 bits", ".4.50", imagecodecs.jpeg8_encode(grey, level=90), grey8),
        of("JPEG, colour", ".4.50", imagecodecs.jpeg8_encode(rgb, level=90, subsampling="422"), ycc),
        of("JPEG, 12 bits", ".4.51", imagecodecs.jpeg8_encode(deep, level=90, bitspersample=12), bits12),
        of("JPEG lossless", ".4.70", imagecodecs.jpeg8_encode(unsigned, lossless=True, predictor=1, bitspersample=16)),
        of("JPEG-LS", ".4.80", imagecodecs.jpegls_encode(unsigned)),
        of("JPEG 2000", ".4.90", imagecodecs.jpeg2k_encode(values, level=0, reversible=True, **j2k)),
        of("JPEG 2000, lossy", ".4.91", imagecodecs.jpeg2k_encode(values, level=70, reversible=False, **j2k)),
        of("HTJ2K", ".4.201", imagecodecs.htj2k_encode(values, reversible=True, resolutions=5)),
        of("JPEG XL", ".4.110", imagecodecs.jpegxl_encode(unsigned, lossless=True, bitspersample=16)),
    ]
