"""What the markers of a JPEG 2000 or HTJ2K code stream say of it (ITU-T T.800 annex A, T.814 annex A)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.codec.codestream import check_claims
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame, UnsupportedPixels
from engine.types import Buffer

SOC, SIZ, COD, SOT, SOD, EOC = 0xFF4F, 0xFF51, 0xFF52, 0xFF90, 0xFF93, 0xFFD9
# T.801 annexes J and K: MCT, MCC, NLT, MCO, CBD. OpenJPEG passes over them, and would give the transformed components.
_COMPONENT_TRANSFORMS = frozenset((0xFF74, 0xFF75, 0xFF76, 0xFF77, 0xFF78))
PART_2 = "image/jpx"
_BOXES_MAX = 1 << 20  # how far in front of the code stream the boxes of a JP2 file may reach (a colour profile)
# OpenJPEG keeps about 6 KB per tile, used or not; the largest whole-slide frames have some hundreds.
_TILES_MAX = 16_384


@dataclass(frozen=True, slots=True)
class Jpeg2000Header:
    """The main header.

    Attributes
    ----------
    start, tiles_at : where SOC is, and the first SOT.
    segments : (marker, offset of the marker, bytes from there) of the main header, in order, SOC left out.
    origin : x and y of the image, x and y of the tiles, on the reference grid; all 0 but in files made to test that.
    tile : columns and rows of one tile.
    bits, is_signed : of the first component.
    progression : 0 to 4, LRCP RLCP RPCL PCRL CPRL.
    levels : decompositions: how often the size can be halved.
    """

    start: int
    tiles_at: int
    segments: tuple[tuple[int, int, int], ...]
    rows: int
    columns: int
    samples: int
    origin: tuple[int, int, int, int]
    tile: tuple[int, int]
    tile_count: int
    bits: int
    is_signed: bool
    progression: int
    layers: int
    levels: int
    has_colour_transform: bool
    has_precincts: bool
    is_reversible: bool
    is_high_throughput: bool


def read_header(descriptor: FrameDescriptor, data: memoryview) -> Jpeg2000Header:
    """Walk the main header, also behind the boxes of a JP2 file that should not be there but often is.

    Raises
    ------
    BadFrame : it is no JPEG 2000, or it contradicts the descriptor.
    UnsupportedPixels : Part 2 beyond what OpenJPEG undoes (2.5.4 refuses "mct" above 1): transformations that DICOM's
        multi-component syntaxes allow, and many frames as the components of one code stream (PS3.5 A.4.4).
    """
    uid = descriptor.transfer_syntax_uid
    header = read_claims(uid, data)
    if lookup(uid).media_type == PART_2 and header.samples != descriptor.samples_per_pixel:
        raise UnsupportedPixels(
            f"a JPEG 2000 Part 2 code stream of {header.samples} components, which are frames of a volume"
        )
    check_claims(descriptor, header.rows, header.columns, header.samples, header.bits)
    return header


def read_claims(uid: str, data: memoryview) -> Jpeg2000Header:
    """As `read_header`, of what may be anything; `uid` is for the text of an error."""
    start = bytes(data[:4]).find(b"\xff\x4f\xff\x51")
    if start < 0:
        start = bytes(data[:_BOXES_MAX]).find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise BadFrame(uid, "no JPEG 2000 SIZ marker segment")
    at, segments = start + 2, []
    while (marker := _u16(data, at)) != SOT:
        length = _u16(data, at + 2)
        if marker < 0xFF00 or length < 2 or at + 2 + length > len(data):
            raise BadFrame(uid, "the main header of the code stream ends before its first tile")
        segments.append((marker, at, 2 + length))
        at += 2 + length
    found = {marker: bytes(data[i + 4 : i + n]) for marker, i, n in segments}
    if found.keys() & _COMPONENT_TRANSFORMS or found.get(COD, b"").ljust(5, b"\0")[4] > 1:
        raise UnsupportedPixels("JPEG 2000 Part 2 with a transformation of its components that no decoder here undoes")
    siz, cod = found.get(SIZ, b""), found.get(COD, b"")
    if len(siz) < 39 or len(cod) < 10:
        raise BadFrame(uid, "no usable SIZ and COD marker segments")
    x1, y1, x0, y0, tile_x, tile_y, tiles_x0, tiles_y0 = (
        int.from_bytes(siz[i : i + 4], "big") for i in range(2, 34, 4)
    )
    samples = int.from_bytes(siz[34:36], "big")
    bits = (siz[36] & 0x7F) + 1
    if x1 <= x0 or y1 <= y0:
        raise BadFrame(uid, "an image of no size")
    if tile_x == 0 or tile_y == 0 or tiles_x0 > x0 or tiles_y0 > y0:
        raise BadFrame(uid, "tiles that do not cover the image")
    tile_count = -(-(x1 - tiles_x0) // tile_x) * -(-(y1 - tiles_y0) // tile_y)
    if tile_count > _TILES_MAX:
        raise BadFrame(uid, f"{tile_count} tiles")
    if len(siz) < 36 + 3 * samples or len({siz[36 + 3 * i : 39 + 3 * i] for i in range(samples)}) != 1:
        raise BadFrame(uid, "components of different depth or sampling")
    if siz[37:39] != b"\x01\x01":
        raise BadFrame(uid, "subsampled components")
    return Jpeg2000Header(
        start=start,
        tiles_at=at,
        segments=tuple(segments),
        rows=y1 - y0,
        columns=x1 - x0,
        samples=samples,
        origin=(x0, y0, tiles_x0, tiles_y0),
        tile=(tile_x, tile_y),
        tile_count=tile_count,
        bits=bits,
        is_signed=bool(siz[36] & 0x80),
        progression=cod[1],
        layers=int.from_bytes(cod[2:4], "big"),
        levels=cod[5],
        has_colour_transform=cod[4] != 0,
        has_precincts=bool(cod[0] & 1),
        is_reversible=cod[9] == 1,
        is_high_throughput=bool(cod[8] & 0x40),
    )


def whole(descriptor: FrameDescriptor, header: Jpeg2000Header, data: Buffer) -> Buffer:
    """`data` where every tile-part is there to its end; with an EOC marker put behind it when only that is missing.

    OpenJPH decodes what there is of a code stream, and says nothing; so does OpenJPEG when one ends between
    tile-parts. `BadFrame` then: a lossless image that is not one must not pass for it.
    """
    uid, view, at = descriptor.transfer_syntax_uid, memoryview(data), header.tiles_at
    parts: dict[int, int] = {}
    expected: dict[int, int] = {}
    while _u16(view, at) == SOT:
        tile, length = _u16(view, at + 4), int.from_bytes(view[at + 6 : at + 10], "big")
        parts[tile] = parts.get(tile, 0) + 1
        expected[tile] = max(expected.get(tile, 0), view[at + 11] if at + 11 < len(view) else 0)
        if length == 0:  # the last one: up to EOC, wherever that is
            if not bytes(view[-32:]).rstrip(b"\x00").endswith(b"\xff\xd9"):
                raise BadFrame(uid, "the last tile-part has no end")
            at = len(view)
            break
        if length < 14 or at + length > len(view):
            raise BadFrame(uid, f"a tile-part of {length} bytes where {len(view) - at} are left")
        at += length
    if len(parts) != header.tile_count or any(parts[tile] < expected[tile] for tile in parts):
        raise BadFrame(uid, f"{sum(parts.values())} tile-parts of {len(parts)} tiles are there, some are missing")
    if at == len(view) and at > 0 and _u16(view, at - 2) == EOC:
        return data
    if _u16(view, at) == EOC:
        return data
    if not all(expected.values()):
        raise BadFrame(uid, "no EOC marker, and no count of tile-parts that says it is all there")
    return bytes(view[header.start : at]) + b"\xff\xd9"


def _u16(data: memoryview, at: int) -> int:
    """Big endian; -1 where the data end before."""
    return int.from_bytes(data[at : at + 2], "big") if at + 2 <= len(data) else -1
