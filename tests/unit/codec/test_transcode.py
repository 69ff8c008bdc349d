"""Whole instances in another transfer syntax: what must change in the header, what must not, and what is refused how."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pydicom
import pytest
from data import CT, element, make_instance
from pydicom.encaps import encapsulate, generate_frames
from transcoding import LIMITS, ROOT, converted, frame_values, stored

from engine.codec import recode
from engine.codec.encoding.base import Loss
from engine.codec.encoding.registry import ENCODERS
from engine.codec.transcode import Transcoding
from engine.dicom.elements import EXPLICIT_LITTLE, Elements
from engine.dicom.encapsulation import pixel_data_head
from engine.dicom.instance import StoredInstance
from engine.dicom.part10 import file_meta
from engine.dicom.scan import scan
from engine.errors import BadFrame, InvalidParameter, TooLarge, UnsupportedPixels, UnsupportedTransferSyntax
from engine.limits import MIB, Limits

JLS, RLE, J2K, EXPLICIT, IMPLICIT = ROOT + ".4.80", ROOT + ".5", ROOT + ".4.90", ROOT + ".1", ROOT
BIG_ENDIAN, DEFLATED = ROOT + ".2", ROOT + ".1.99"


def dataset(content: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(content))


def saved(ds: pydicom.Dataset, uid: str) -> bytes:
    out = io.BytesIO()
    ds.file_meta.TransferSyntaxUID = uid
    is_big = uid == BIG_ENDIAN
    # `save_as` would not turn one byte order to the other; here the pixels already are in it, and pydicom does the rest.
    pydicom.dcmwrite(
        out,
        ds,
        implicit_vr=uid == IMPLICIT,
        little_endian=not is_big,
        enforce_file_format=not is_big,
        force_encoding=is_big,
    )
    return out.getvalue()


def overlaid(frames: int = 1) -> tuple[bytes, np.ndarray]:
    """12 bits stored, an overlay in bit 14 of each pixel."""
    rng = np.random.default_rng(3)
    plane = rng.integers(0, 2, (frames, 5, 7)).astype(np.uint16)
    cells = rng.integers(0, 4096, (frames, 5, 7)).astype(np.uint16) | plane << 14
    ds = dataset(make_instance(rows=5, columns=7, frames=frames, pixels=cells.tobytes() + bytes(frames % 1)))
    ds.add_new(0x60000010, "US", 5)
    ds.add_new(0x60000011, "US", 7)
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 14)
    return saved(ds, EXPLICIT), plane


def test_every_other_element_is_the_same_bytes() -> None:
    maker = element(0x00210010, "LO", b"MAKER") + element(0x00211001, "UN", b"\x00\x01\x02\xff")
    extra = maker + element(0x00280000, "UL", b"\x10\0\0\0")
    before = make_instance(rows=16, columns=16, extra=extra)
    content, done = converted(before, JLS)
    at = before.index(element(0x00080016, "UI", CT.encode()))
    start = before[at : before.index(element(0x00280000, "UL", b"\x10\0\0\0"))]
    assert start in content
    assert done.transfer_syntax_uid == JLS
    after, was = dataset(content), dataset(before)
    assert [e for e in after if e.tag != 0x7FE00010] == [e for e in was if e.tag not in (0x7FE00010,)]
    assert after.file_meta.TransferSyntaxUID == JLS


def test_the_retired_group_length_goes_where_its_group_changes() -> None:
    wrong = element(0x00280000, "UL", struct.pack("<I", 100))
    ds = dataset(make_instance(extra=wrong))
    ds.HighBit, ds.BitsStored = 13, 12
    content, _ = converted(saved(ds, EXPLICIT), RLE)
    assert 0x00280000 not in dataset(content)


@pytest.mark.parametrize("uid", [EXPLICIT, IMPLICIT])
def test_elements_out_of_order_are_put_in_order(uid: str) -> None:
    """Seen of one maker of test files: what is new goes in by its tag, so the old ones must be where theirs say."""
    late = element(0x00080070, "LO", b"MAKER")
    before = make_instance(rows=16, columns=16, extra=late)
    if uid == IMPLICIT:
        before = before.replace(late, b"")
        before = saved(dataset(before), IMPLICIT)
        at = before.index(struct.pack("<HHI", 0x28, 2, 2))
        before = before[:at] + struct.pack("<HHI", 8, 0x70, 6) + b"MAKER " + before[at:]
    for target in (JLS, ROOT + ".4.81"):
        content, _ = converted(before, target, Loss(near=1) if target != JLS else Loss())
        elements = Elements(content, EXPLICIT_LITTLE, LIMITS)
        start = scan(content, LIMITS).data_set_offset
        tags = [e.tag for e in elements.between(start, len(content), until_pixels=True)]
        assert tags == sorted(tags)
        assert dataset(content).Manufacturer == "MAKER"


@pytest.mark.parametrize("uid", [IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_other_encodings_become_explicit_little_endian(uid: str) -> None:
    ds = dataset(make_instance(rows=9, columns=7, frames=2))
    ds.add_new(0x00280106, "US", 7)
    ds.add_new(0x00280120, "US", 3)
    item = pydicom.Dataset()
    item.CodeValue = "1"
    ds.ProcedureCodeSequence = [item]
    if uid == DEFLATED:
        plain = saved(ds, EXPLICIT)
        at = plain.index(element(0x00080016, "UI", CT.encode()))
        squeezer = zlib.compressobj(wbits=-15)
        body = squeezer.compress(plain[at:]) + squeezer.flush()
        before = file_meta(sop_class_uid=CT, sop_instance_uid="1.2.3.4.1", transfer_syntax_uid=uid) + body
    else:
        if uid == BIG_ENDIAN:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        before = saved(ds, uid)
    assert dataset(before).file_meta.TransferSyntaxUID == uid
    expected = dataset(make_instance(rows=9, columns=7, frames=2)).pixel_array
    for target in (EXPLICIT, JLS):
        content, _ = converted(before, target)
        after = dataset(content)
        assert after.file_meta.TransferSyntaxUID == target
        assert (after.SmallestImagePixelValue, after.PixelPaddingValue) == (7, 3)
        assert after.ProcedureCodeSequence[0].CodeValue == "1"
        assert np.array_equal([frame_values(content, 0), frame_values(content, 1)], expected)


@pytest.mark.parametrize("frames", [1, 3])
def test_an_overlay_in_the_pixels_moves_to_overlay_data(frames: int) -> None:
    before, plane = overlaid(frames)
    content, _ = converted(before, JLS)
    ds = dataset(content)
    assert (ds[0x60000100].value, ds[0x60000102].value) == (1, 0)
    assert ds.get(0x60000015, None) is None if frames == 1 else ds[0x60000015].value == frames
    assert np.array_equal(ds.overlay_array(0x6000).reshape(plane.shape), plane)
    expected = np.frombuffer(dataset(before).PixelData, "<u2")[: plane.size].reshape(plane.shape) & 0xFFF
    assert np.array_equal([frame_values(content, i) for i in range(frames)], expected)
    same, _ = converted(saved(dataset(before), IMPLICIT), EXPLICIT)
    assert dataset(same)[0x60000102].value == 14, "native pixels keep it where it is"


def test_values_at_the_top_of_their_cells_come_down() -> None:
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 60
    ds = dataset(make_instance(rows=8, columns=8, pixels=(values << 4).tobytes()))
    ds.HighBit = 15
    content, _ = converted(saved(ds, EXPLICIT), J2K)
    after = dataset(content)
    assert (after.HighBit, after.BitsStored) == (11, 12)
    assert np.array_equal(after.pixel_array, values)


def test_single_bits_stay_packed_across_frames() -> None:
    bits = np.random.default_rng(2).integers(0, 2, (3, 5, 5), dtype=np.uint8)
    ds = dataset(make_instance(rows=5, columns=5, frames=3))
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    frames = [np.packbits(one.ravel(), bitorder="little").tobytes() for one in bits]
    ds.PixelData = encapsulate([f + bytes(len(f) % 2) for f in frames])
    ds["PixelData"].VR = "OB"
    content, _ = converted(saved(ds, ROOT + ".1.98"), EXPLICIT)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    assert dataset(content).PixelData == packed + bytes(len(packed) % 2)


def test_an_odd_length_is_padded_and_what_stands_behind_the_pixels_stays() -> None:
    ds = dataset(make_instance(rows=3, columns=3))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PixelData = bytes(range(9)) + b"\0"
    ds["PixelData"].VR = "OB"
    ds.DataSetTrailingPadding = b"\0" * 6
    for middle in (RLE, JLS):
        coded, _ = converted(saved(ds, EXPLICIT), middle)
        assert dataset(coded).DataSetTrailingPadding == b"\0" * 6
        back, _ = converted(coded, EXPLICIT)
        assert dataset(back).PixelData == bytes(range(9)) + b"\0"
        assert dataset(back).DataSetTrailingPadding == b"\0" * 6


def test_an_instance_without_pixels_is_only_made_explicit() -> None:
    ds = dataset(make_instance())
    del ds.PixelData
    content, done = converted(saved(ds, IMPLICIT), J2K)
    assert done.transfer_syntax_uid == EXPLICIT
    assert dataset(content).PatientName == "DOE^JANE"


def test_floats_go_native_and_nowhere_else() -> None:
    values = np.linspace(-1, 1, 16, dtype=np.float32)
    ds = dataset(make_instance())
    del ds.PixelData
    ds.BitsAllocated = 32
    del ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.FloatPixelData = values.tobytes()
    content, _ = converted(saved(ds, IMPLICIT), EXPLICIT)
    assert dataset(content).FloatPixelData == values.tobytes()
    for uid in set(ENCODERS) - {EXPLICIT}:
        with pytest.raises(UnsupportedPixels, match="floating point"):
            converted(saved(ds, EXPLICIT), uid)


def test_colour_is_called_what_the_coder_makes_of_it() -> None:
    ds = dataset(make_instance(rows=8, columns=8))
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    planes = np.random.default_rng(1).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    ds.PixelData = planes.tobytes()
    ds["PixelData"].VR = "OB"
    names = {}
    for uid in set(ENCODERS):
        content, _ = converted(saved(ds, EXPLICIT), uid)
        after = dataset(content)
        names[uid.removeprefix(ROOT)] = after.PhotometricInterpretation
        if uid != EXPLICIT:
            assert after.PlanarConfiguration == 0
        if not uid.endswith(".50"):
            assert np.array_equal(frame_values(content, 0), planes.transpose(1, 2, 0))
    ycc = {name: "YBR_RCT" for name in (".4.90", ".4.91", ".4.201", ".4.202", ".4.203")}
    rest = dict.fromkeys((".1", ".5", ".4.57", ".4.70", ".4.80", ".4.81", ".4.110", ".4.112"), "RGB")
    assert names == ycc | rest | {".4.50": "YBR_FULL_422"}
    content, _ = converted(saved(ds, EXPLICIT), ROOT + ".4.91", Loss(quality=90))
    assert dataset(content).PhotometricInterpretation == "YBR_ICT"


def test_frames_in_an_offset_table_that_others_follow() -> None:
    before = make_instance(rows=16, columns=16, frames=5)
    content, _ = converted(before, J2K)
    ds = dataset(content)
    assert len(list(generate_frames(ds.PixelData, number_of_frames=5))) == 5
    offsets = pydicom.encaps.parse_basic_offsets(ds.PixelData)
    assert len(offsets) == 5
    assert offsets[0] == 0
    assert all(len(frame) % 2 == 0 for frame in generate_frames(ds.PixelData, number_of_frames=5))


def test_beyond_32_bits_the_extended_offset_table_stands_in() -> None:
    lengths = [3_000_000_001, 2_000_000_000, 5]
    head = pixel_data_head(lengths)
    meta = file_meta(sop_class_uid=CT, sop_instance_uid="1.2.3", transfer_syntax_uid=J2K)
    ds = pydicom.dcmread(io.BytesIO(meta + head[:-20]))
    assert list(struct.unpack("<3Q", ds.ExtendedOffsetTable)) == [0, 3_000_000_010, 5_000_000_018]
    assert list(struct.unpack("<3Q", ds.ExtendedOffsetTableLengths)) == lengths
    assert head.endswith(struct.pack("<HHI", 0xFFFE, 0xE000, 0)), "no basic one"
    assert b"ExtendedOffsetTable" not in pixel_data_head([10, 20])
    assert pixel_data_head([11, 20]).endswith(struct.pack("<HHIII", 0xFFFE, 0xE000, 8, 0, 20))


def test_offset_tables_of_the_source_are_not_taken_over() -> None:
    values = np.arange(64, dtype=np.uint16)
    ds = dataset(converted(make_instance(rows=8, columns=8, pixels=values.tobytes()), RLE)[0])
    frames = list(generate_frames(ds.PixelData, number_of_frames=1))
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = pydicom.encaps.encapsulate_extended(frames)
    ds["PixelData"].VR = "OB"
    content, _ = converted(saved(ds, RLE), EXPLICIT)
    assert "ExtendedOffsetTable" not in dataset(content)
    assert dataset(content).PixelData == values.tobytes()


def broken_third_frame() -> bytes:
    ds = dataset(converted(make_instance(rows=16, columns=16, frames=4), JLS)[0])
    frames = list(generate_frames(ds.PixelData, number_of_frames=4))
    frames[2] = frames[2][: len(frames[2]) // 2]
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR = "OB"
    return saved(ds, JLS)


def test_a_broken_frame_is_named_before_anything_is_written() -> None:
    before, got = broken_third_frame(), bytearray()
    with Transcoding(stored(before), J2K, LIMITS) as work, pytest.raises(BadFrame, match="frame 3"):
        for _ in work.steps():
            pass
        got += b"".join(map(bytes, work.pieces()))
    assert not got
    with Transcoding(stored(before), EXPLICIT, LIMITS) as work, pytest.raises(BadFrame, match="frame 3"):
        for _ in work.steps():
            pass
        for piece in work.pieces():
            got += piece
    assert len(got) < work.length, "native pixels are written as they are decoded; who writes them learns of it"


def test_a_coder_that_is_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        def __init__(self) -> None:
            self.right = ENCODERS[JLS]

        def __getattr__(self, name: str) -> object:
            return getattr(self.right, name)

        def encode(self, stored_values: np.ndarray, *rest: object) -> bytes:
            changed = stored_values.copy()
            changed.flat[-1] ^= 1
            return self.right.encode(changed, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(recode, "encoder_of", lambda uid: Wrong())
    with pytest.raises(UnsupportedPixels, match="frame 1: its code stream does not give the values back"):
        converted(make_instance(rows=16, columns=16), JLS)


def test_what_cannot_be_is_refused_by_name() -> None:
    plain = make_instance(rows=16, columns=16)
    with pytest.raises(UnsupportedTransferSyntax, match="not encoded"):
        converted(plain, ROOT + ".4.102")
    with pytest.raises(UnsupportedPixels, match="12 bits"):
        converted(plain, ROOT + ".4.50")
    for loss, uid in ((Loss(quality=80), J2K), (Loss(near=1), J2K), (Loss(near=1), JLS), (Loss(quality=9), RLE)):
        with pytest.raises(InvalidParameter):
            converted(plain, uid, loss)
    for wrong in ({"quality": 101}, {"near": 256}, {"quality": -1}):
        with pytest.raises(InvalidParameter):
            Loss(**wrong)
    ds = dataset(plain)
    ds.PixelRepresentation = 1
    with pytest.raises(UnsupportedPixels, match="signed"):
        converted(saved(ds, EXPLICIT), ROOT + ".4.110")


def test_near_lossless_never_crosses_the_end_of_the_range() -> None:
    values = np.full((16, 16), 4095, np.uint16)
    values[::2] = 17
    with pytest.raises(UnsupportedPixels, match="from 17 to 4095"):
        converted(make_instance(rows=16, columns=16, pixels=values.tobytes()), ROOT + ".4.81", Loss(near=3))
    values[values == 4095] = 4092
    content, _ = converted(make_instance(rows=16, columns=16, pixels=values.tobytes()), ROOT + ".4.81", Loss(near=3))
    assert np.abs(frame_values(content, 0).astype(int) - values).max() <= 3


def test_what_is_lossy_already_and_does_not_say_so_is_marked() -> None:
    ds = dataset(make_instance(rows=16, columns=16))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PixelData = bytes(range(256))
    ds["PixelData"].VR = "OB"
    jpeg = dataset(converted(saved(ds, EXPLICIT), ROOT + ".4.50")[0])
    del jpeg.LossyImageCompression, jpeg.LossyImageCompressionRatio, jpeg.LossyImageCompressionMethod
    before = saved(jpeg, ROOT + ".4.50")
    content, done = converted(before, EXPLICIT)
    assert done.sop_instance_uid == jpeg.SOPInstanceUID, "nothing more is lost"
    after = dataset(content)
    assert (after.LossyImageCompression, after.LossyImageCompressionMethod) == ("01", "ISO_10918_1")


def test_native_pixels_that_would_need_more_than_32_bits_of_length() -> None:
    frame = converted(make_instance(rows=2048, columns=2048, pixels=bytes(8 * MIB)), RLE)[0]
    ds = dataset(frame)
    code = next(generate_frames(ds.PixelData, number_of_frames=1))
    ds.NumberOfFrames = 513
    ds.PixelData = encapsulate([code] * 513)
    ds["PixelData"].VR = "OB"
    with pytest.raises(TooLarge, match=r"PS3\.5"):
        converted(saved(ds, RLE), EXPLICIT)


def test_many_frames_are_never_in_memory_together() -> None:
    """64 MiB of noise, which no coder makes smaller, in 128 frames: a frame, 1 MiB of output, and no more."""
    pixels = np.random.default_rng(4).integers(0, 4096, 32 * MIB, dtype=np.uint16).tobytes()
    before = make_instance(rows=512, columns=512, frames=128, pixels=pixels)
    source = StoredInstance(scan(before, LIMITS), len(before), lambda a, n: memoryview(before)[a : a + n], Limits())
    size = 0
    tracemalloc.start()
    with Transcoding(source, RLE, LIMITS) as work:
        for _ in work.steps():
            pass
        for piece in work.pieces():
            assert len(piece) <= MIB
            size += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == work.length > 64 * MIB
    assert peak < 12 * MIB
