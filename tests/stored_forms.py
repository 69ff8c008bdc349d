"""Every form that pixels are stored in × every transfer syntax that has a place for it: instances, made by encoders not ours."""

from __future__ import annotations

import io
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from code_streams import ROOT, deflated, rle, slice_values
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite

from engine.dicom.part10 import file_meta
from engine.dicom.transfer_syntax import TABLE

Array = np.ndarray[Any, Any]
ROWS, COLUMNS = 48, 64
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True)
class Form:
    """How pixels are described."""

    name: str
    bits_allocated: int
    bits_stored: int
    high_bit: int = -1
    is_signed: bool = False
    photometric: str = "MONOCHROME2"
    planar: int = 0
    keyword: str = "PixelData"

    @property
    def is_colour(self) -> bool:
        return self.photometric not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")

    def values(self) -> Array:
        """Stored values, (rows, columns[, 3]); for YBR_FULL_422 both pixels of a pair share their chrominance."""
        grey = slice_values(ROWS, COLUMNS).astype(np.int64)  # 12 bits
        if self.keyword != "PixelData":
            return (grey / 7 - 100).astype(np.float32 if self.bits_allocated == 32 else np.float64)
        grey = grey << (self.bits_stored - 12) if self.bits_stored > 12 else grey >> (12 - self.bits_stored)
        if self.bits_stored > 12:
            grey += slice_values(ROWS, COLUMNS)[::-1, ::-1]  # so that low bits are used, too
        if self.is_colour:
            grey = np.dstack([grey, grey[::-1], grey[:, ::-1]])
        if self.photometric == "YBR_FULL_422":
            grey[:, 1::2, 1:] = grey[:, ::2, 1:]
        top = 1 << self.bits_stored
        grey = np.clip(grey, 0, top - 1)
        size = 8 * max(1, -(-self.bits_allocated // 8))
        return (grey - top // 2 if self.is_signed else grey).astype(f"{'i' if self.is_signed else 'u'}{size // 8}")


FORMS = [
    Form("1 bit", 1, 1),
    Form("8 bits", 8, 8),
    Form("8 bits signed", 8, 8, is_signed=True),
    Form("8 bits, palette", 8, 8, photometric="PALETTE COLOR"),
    Form("12 in 16 bits", 16, 12),
    Form("12 in 16 bits signed", 16, 12, is_signed=True),
    Form("12 in 16 bits, at the top", 16, 12, high_bit=15),
    Form("16 bits", 16, 16),
    Form("16 bits signed", 16, 16, is_signed=True),
    Form("32 bits", 32, 32),
    Form("32 bits signed", 32, 32, is_signed=True),
    Form("float", 32, 32, keyword="FloatPixelData"),
    Form("double", 64, 64, keyword="DoubleFloatPixelData"),
    Form("RGB", 8, 8, photometric="RGB"),
    Form("RGB in planes", 8, 8, photometric="RGB", planar=1),
    Form("RGB of 16 bits", 16, 16, photometric="RGB"),
    Form("YBR_FULL", 8, 8, photometric="YBR_FULL"),
    Form("YBR_FULL_422", 8, 8, photometric="YBR_FULL_422"),
]
Encode = Callable[[Form, Array], bytes | None]


def cells(form: Form, values: Array, order: str = "<") -> bytes:
    """Native pixels (PS3.5 8.1.1)."""
    if form.bits_allocated == 1:
        return np.packbits(values.ravel(), bitorder="little").tobytes()
    if form.photometric == "YBR_FULL_422":
        y, b, r = (values[:, :, i] for i in range(3))
        values = np.stack([y[:, ::2], y[:, 1::2], b[:, ::2], r[:, ::2]], axis=-1)
    elif form.planar:
        values = values.transpose(2, 0, 1)
    if form.high_bit > form.bits_stored - 1:
        values = values << (form.high_bit + 1 - form.bits_stored)
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder(order)).tobytes()


def _unsigned(form: Form, values: Array) -> Array:
    """The same bits inside Bits Stored."""
    bits = values.view(f"u{values.itemsize}")
    return bits & bits.dtype.type((1 << form.bits_stored) - 1)


def _coded(form: Form, bits_max: int, colours: tuple[str, ...] = ("RGB",), bits_min: int = 8) -> bool:
    """Whether an image coder takes it: no planes, no moved bits, no floats."""
    return (
        form.keyword == "PixelData"
        and bits_min <= form.bits_stored <= bits_max
        and not form.planar
        and form.high_bit < 0
        and (not form.is_colour or form.photometric in colours)
    )


def _rle(form: Form, values: Array) -> bytes | None:
    if (
        form.bits_allocated < 8
        or form.keyword != "PixelData"
        or form.photometric == "YBR_FULL_422"
        or form.high_bit > 0
    ):
        return None
    return rle(values)


def _jpeg(bits_max: int) -> Encode:
    def encode(form: Form, values: Array) -> bytes | None:
        colours = ("YBR_FULL", "YBR_FULL_422")
        if form.is_signed or form.photometric == "PALETTE COLOR" or not _coded(form, bits_max, colours):
            return None
        if not form.is_colour:
            return bytes(imagecodecs.jpeg8_encode(values, level=95, bitspersample=form.bits_stored))
        how = "444" if form.photometric == "YBR_FULL" else "422"
        return bytes(imagecodecs.jpeg8_encode(values, level=95, subsampling=how))  # from RGB, to YCbCr

    return encode


def _progressive(option: str, uid: str) -> Encode:
    """By DCMTK: nothing in Python writes these retired ones."""

    def encode(form: Form, values: Array) -> bytes | None:
        from pydicom import dcmread
        from pydicom.encaps import generate_frames

        if form.is_signed or form.is_colour or form.photometric == "PALETTE COLOR" or not _coded(form, 12):
            return None
        with tempfile.TemporaryDirectory() as folder:
            native, coded = Path(folder) / "in", Path(folder) / "out"
            native.write_bytes(part10(form, ROOT + ".1", [cells(form, values)]))
            depth = ["+bt" if form.bits_stored == 12 else "+be"]
            subprocess.run(["dcmcjpeg", option, "+q", "95", *depth, native, coded], check=True, capture_output=True)
            ds = dcmread(coded)
            assert ds.file_meta.TransferSyntaxUID == uid
            return next(generate_frames(ds.PixelData, number_of_frames=1))

    return encode


def _jpeg_lossless(predictor: int) -> Encode:
    def encode(form: Form, values: Array) -> bytes | None:
        if not _coded(form, 16):
            return None
        how = {"lossless": True, "predictor": predictor, "bitspersample": form.bits_stored}
        if form.is_colour:
            if form.bits_stored > 8:
                return None
            how |= {"colorspace": "RGB", "outcolorspace": "RGB"}
        return bytes(imagecodecs.jpeg8_encode(_unsigned(form, values), **how))

    return encode


def _jpeg_ls(near: int) -> Encode:
    def encode(form: Form, values: Array) -> bytes | None:
        # A loss may carry a negative value over zero, and an index to another colour.
        if not _coded(form, 16) or (near and (form.is_signed or form.photometric == "PALETTE COLOR")):
            return None
        return bytes(imagecodecs.jpegls_encode(_unsigned(form, values), level=near))

    return encode


def _j2k(is_lossless: bool) -> Encode:
    def encode(form: Form, values: Array) -> bytes | None:
        if not _coded(form, 16) or (not is_lossless and form.photometric == "PALETTE COLOR"):
            return None
        how = {"level": 0 if is_lossless else 80, "reversible": is_lossless, "codecformat": "j2k"}
        return bytes(imagecodecs.jpeg2k_encode(values, bitspersample=form.bits_stored, **how))

    return encode


def _ht(is_lossless: bool, **more: Any) -> Encode:
    def encode(form: Form, values: Array) -> bytes | None:
        if not _coded(form, 16) or (not is_lossless and form.photometric == "PALETTE COLOR"):
            return None
        loss = {} if is_lossless else {"level": 0.001}
        return bytes(imagecodecs.htj2k_encode(values, reversible=is_lossless, resolutions=4, **loss, **more))

    return encode


def _jxl(is_lossless: bool) -> Encode:
    def encode(form: Form, values: Array) -> bytes | None:
        if not _coded(form, 16) or (not is_lossless and (form.is_signed or form.photometric == "PALETTE COLOR")):
            return None
        how = {"lossless": True} if is_lossless else {"lossless": False, "distance": 0.1}
        return bytes(imagecodecs.jpegxl_encode(_unsigned(form, values), bitspersample=form.bits_stored, **how))

    return encode


def _jxl_of_jpeg(form: Form, values: Array) -> bytes | None:
    stream = _jpeg(8)(form, values) if form.photometric != "YBR_FULL_422" else None
    return None if stream is None else bytes(imagecodecs.jpegxl_encode_jpeg(stream))


def _native(order: str = "<") -> Encode:
    return lambda form, values: cells(form, values, order)


def _deflated(form: Form, values: Array) -> bytes | None:
    return deflated(cells(form, values)) if form.keyword == "PixelData" else None


def _in_fragments(form: Form, values: Array) -> bytes | None:
    return cells(form, values) if form.keyword == "PixelData" else None


ENCODE: dict[str, Encode] = {
    ROOT + suffix: encode
    for suffix, encode in {
        "": _native(),
        ".1": _native(),
        ".1.98": _in_fragments,
        ".1.99": _native(),
        ".2": _native(">"),
        ".4.50": _jpeg(8),
        ".4.51": _jpeg(12),
        ".4.53": _progressive("+es", ROOT + ".4.53"),
        ".4.55": _progressive("+ep", ROOT + ".4.55"),
        ".4.57": _jpeg_lossless(4),
        ".4.70": _jpeg_lossless(1),
        ".4.80": _jpeg_ls(0),
        ".4.81": _jpeg_ls(2),
        ".4.90": _j2k(True),
        ".4.91": _j2k(False),
        ".4.92": _j2k(True),
        ".4.93": _j2k(False),
        ".4.110": _jxl(True),
        ".4.111": _jxl_of_jpeg,
        ".4.112": _jxl(False),
        ".4.201": _ht(True),
        ".4.202": _ht(True, tlm=True, tilepart=1),
        ".4.203": _ht(False),
        ".8.1": _deflated,
        ".5": _rle,
    }.items()
}


def part10(form: Form, uid: str, frames: list[bytes]) -> bytes:
    """An instance that holds these frames."""
    ds, syntax = Dataset(), TABLE[uid]
    ds.SOPClassUID, ds.SOPInstanceUID = SECONDARY_CAPTURE, "1.2.3.4.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", "1.2.3.4", "OT"
    ds.PatientID, ds.PatientName = "P1", "DOE^JANE"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3 if form.is_colour else 1, form.photometric
    ds.Rows, ds.Columns, ds.BitsAllocated = ROWS, COLUMNS, form.bits_allocated
    if form.keyword == "PixelData":
        ds.BitsStored = form.bits_stored
        ds.HighBit = form.high_bit if form.high_bit >= 0 else form.bits_stored - 1
        ds.PixelRepresentation = int(form.is_signed)
    if form.is_colour:
        ds.PlanarConfiguration = form.planar
    if form.photometric == "PALETTE COLOR":
        for colour in ("Red", "Green", "Blue"):
            setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 8])
            setattr(ds, f"{colour}PaletteColorLookupTableData", bytes(range(256)))
    if form.keyword != "PixelData":
        numbers = np.frombuffer(frames[0], f"{'<' if syntax.is_little_endian else '>'}f{form.bits_allocated // 8}")
        ds.add_new("FloatPixelData" if form.bits_allocated == 32 else "DoubleFloatPixelData", _VR[form.keyword], b"")
        ds[form.keyword].value = numbers.astype(f"<f{form.bits_allocated // 8}").tobytes()
        if not syntax.is_little_endian:
            ds[form.keyword].value = frames[0]
    else:
        ds.PixelData = encapsulate(frames) if syntax.is_encapsulated else b"".join(frames)
        ds["PixelData"].VR = "OW" if form.bits_allocated > 8 and not syntax.is_encapsulated else "OB"
        if not syntax.is_explicit:
            ds["PixelData"].VR = "OW"
        ds["PixelData"].is_undefined_length = syntax.is_encapsulated
    out = io.BytesIO()
    dcmwrite(out, ds, implicit_vr=not syntax.is_explicit, little_endian=syntax.is_little_endian)
    body = out.getvalue()
    if syntax.is_deflated:
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        body = packer.compress(body) + packer.flush()
        body += bytes(len(body) % 2)
    head = file_meta(sop_class_uid=SECONDARY_CAPTURE, sop_instance_uid="1.2.3.4.1", transfer_syntax_uid=uid)
    return head + body


_VR = {"FloatPixelData": "OF", "DoubleFloatPixelData": "OD"}


@dataclass(frozen=True)
class Case:
    """One cell of the table."""

    uid: str
    form: Form
    content: bytes


def cases() -> Iterator[Case]:
    """Every transfer syntax × form that somebody can encode."""
    for uid, encode in ENCODE.items():
        for form in FORMS:
            stream = encode(form, form.values())
            if stream is not None:
                yield Case(uid, form, part10(form, uid, [stream]))
