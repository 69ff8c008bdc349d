"""What the first bits of a JPEG XL frame say of it (ISO/IEC 18181-1 annex D, 18181-2 for the boxes)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.codec.codestream import check_claims
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame, UnsupportedPixels

_SIGNATURE = b"\xff\x0a"
_CONTAINER = b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a"
_HEAD_BYTES = 64  # size and metadata up to the colour space take 30 at most
_BOXES_MAX = 64
# Width to height, by the number that stands for it (D.2).
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


@dataclass(frozen=True, slots=True)
class JpegXlHeader:
    """The image header.

    Attributes
    ----------
    samples : 1 or 3.
    is_xyb : the colours were transformed to XYB, which is never lossless.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    is_xyb: bool


def read_header(descriptor: FrameDescriptor, data: memoryview) -> JpegXlHeader:
    """Read the claims of a bare or boxed code stream.

    Raises
    ------
    BadFrame : it is no JPEG XL, or it contradicts the descriptor.
    UnsupportedPixels : it holds what a DICOM frame has no place for: floating point, transparency, an animation.
    """
    header = read_claims(descriptor.transfer_syntax_uid, data)
    check_claims(descriptor, header.rows, header.columns, header.samples, header.bits)
    return header


def read_claims(uid: str, data: memoryview) -> JpegXlHeader:
    """As `read_header`, of what may be anything; `uid` is for the text of an error."""
    bits = _Bits(_code_stream(uid, data))
    try:
        return _image_header(bits)
    except EOFError:
        raise BadFrame(uid, "the JPEG XL image header is cut off") from None


def _code_stream(uid: str, data: memoryview) -> bytes:
    """The first bytes behind the signature of the code stream, out of its boxes where there are some."""
    if bytes(data[:2]) == _SIGNATURE:
        return bytes(data[2:_HEAD_BYTES])
    if bytes(data[:12]) != _CONTAINER:
        raise BadFrame(uid, "no JPEG XL signature at the start")
    at, found = 12, b""
    for _ in range(_BOXES_MAX):
        length, kind = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = len(data) if length == 0 else min(at + length, len(data))
        if kind in (b"jxlc", b"jxlp"):
            start = at + head + (4 if kind == b"jxlp" else 0)
            found += bytes(data[start : min(end, start + _HEAD_BYTES)])
            if kind == b"jxlc" or len(found) >= _HEAD_BYTES:
                break
        if end <= at + 7 or end >= len(data):
            break
        at = end
    if found[:2] != _SIGNATURE:
        raise BadFrame(uid, "no JPEG XL code stream in the boxes")
    return found[2:]


def _image_header(bits: _Bits) -> JpegXlHeader:
    rows, columns = _size(bits)
    if bits.flag():  # all_default
        return JpegXlHeader(rows, columns, 3, 8, True)
    if bits.flag():  # extra_fields
        bits.take(3)  # orientation, which the decoder is told to leave alone
        if bits.flag():
            _size(bits)  # intrinsic size
        if bits.flag() or bits.flag():
            raise UnsupportedPixels("a JPEG XL code stream with a preview or an animation")
    if bits.flag():
        raise UnsupportedPixels("JPEG XL samples in floating point")
    depth = bits.choice((8, 0), (10, 0), (12, 0), (1, 6))
    bits.flag()  # modular_16bit_buffers
    if bits.choice((0, 0), (1, 0), (2, 4), (1, 12)):
        raise UnsupportedPixels("a JPEG XL code stream with more channels than its colours")
    is_xyb = bits.flag()
    samples = 3
    if not bits.flag():  # the colour encoding is not the default one, sRGB
        bits.flag()  # want_icc
        samples = 1 if bits.choice((0, 0), (1, 0), (2, 4), (18, 6)) == 1 else 3
    return JpegXlHeader(rows, columns, samples, depth, is_xyb)


def _size(bits: _Bits) -> tuple[int, int]:
    """Rows and columns (SizeHeader, D.2)."""
    is_small = bits.flag()

    def side() -> int:
        return (bits.take(5) + 1) * 8 if is_small else bits.choice((1, 9), (1, 13), (1, 18), (1, 30))

    rows = side()
    ratio = bits.take(3)
    if ratio == 0:
        return rows, side()
    across, down = _RATIOS[ratio]
    return rows, rows * across // down


class _Bits:
    """Bits of a code stream, the lowest of a byte first (C.1); `EOFError` behind the last."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise EOFError
        got = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return got

    def flag(self) -> bool:
        return self.take(1) == 1

    def choice(self, *distributions: tuple[int, int]) -> int:
        """U32 (C.2.2): two bits choose an offset and how many bits are added to it."""
        offset, count = distributions[self.take(2)]
        return offset + self.take(count)
