"""Resolution ends: prefixes that decode to the smaller image exactly, and code streams of which no prefix does."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import pairwise
from typing import Any

import imagecodecs
import numpy as np
import pytest
from code_streams import GREY16, RGB8, ROOT, slice_values

from engine.codec.resolutions import resolution_ends, why_whole
from engine.errors import BadFrame

D = replace(GREY16, transfer_syntax_uid=ROOT + ".4.202")
SOT = b"\xff\x90\x00\x0a"
TLM, PLT, SOD = 0xFF55, 0xFF58, b"\xff\x93"


def encoded(image: Any, resolutions: int = 4, **more: Any) -> bytes:
    options = {"reversible": True, "tlm": True, "tilepart": 1, "resolutions": resolutions, **more}
    return bytes(imagecodecs.htj2k_encode(image, **options))


def tile_parts(code: bytes) -> tuple[bytes, list[bytes]]:
    """The main header, and the data of every tile-part behind its SOD."""
    at = code.index(SOT)
    head, parts = code[:at], []
    while code[at : at + 2] == SOT[:2]:
        length = int.from_bytes(code[at + 6 : at + 10], "big")
        part = code[at : at + length]
        parts.append(part[part.index(SOD) + 2 :])
        at += length
    return head, parts


def without(head: bytes, unwanted: int) -> bytes:
    """A main header without the segments of a marker."""
    out, at = head[:2], 2
    while at < len(head):
        end = at + 2 + int.from_bytes(head[at + 2 : at + 4], "big")
        if int.from_bytes(head[at : at + 2], "big") != unwanted:
            out += head[at:end]
        at = end
    return out


def coded(length: int) -> bytes:
    """A packet length as PLT has it (T.800 A.7.3)."""
    out = bytes([length & 0x7F])
    while length := length >> 7:
        out = bytes([length & 0x7F | 0x80]) + out
    return out


def put_together(head: bytes, parts: list[tuple[bytes, list[int] | None]]) -> bytes:
    """A code stream of one tile: every part's data, and its packets' lengths where it has PLT."""
    out = head
    for index, (data, lengths) in enumerate(parts):
        plt = b""
        if lengths is not None:
            body = b"".join(map(coded, lengths))
            plt = struct.pack(">HHB", PLT, 3 + len(body), 0) + body
        out += SOT + struct.pack(">HIBB", 0, 14 + len(plt) + len(data), index, len(parts)) + plt + SOD + data
    return out + b"\xff\xd9"


@pytest.mark.parametrize("tlm", [False, True])
@pytest.mark.parametrize("shape", [(48, 64), (1, 1), (37, 91), (200, 3)])
@pytest.mark.parametrize("samples", [1, 3])
def test_every_prefix_is_the_smaller_image(shape: tuple[int, int], samples: int, tlm: bool) -> None:
    image: Any = slice_values(*shape)
    if samples == 3:
        image = np.dstack([(image >> n).astype(np.uint8) for n in (4, 5, 3)])
    code = encoded(image, tlm=tlm)
    ends = resolution_ends(D, code)
    assert len(ends) == 5  # of four decompositions
    assert ends[-1] <= len(code) and list(ends) == sorted(set(ends))
    for index, end in enumerate(ends):
        skipped = len(ends) - 1 - index
        got = imagecodecs.htj2k_decode(code[:end], skipres=skipped)
        np.testing.assert_array_equal(got, imagecodecs.htj2k_decode(code, skipres=skipped))
        assert got.shape[:2] == tuple(-(-n // (1 << skipped)) for n in shape)
    np.testing.assert_array_equal(imagecodecs.htj2k_decode(code[: ends[-1]]), image)
    assert why_whole(D, code) == ""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer(kind: Any) -> None:
    code = encoded(slice_values())
    assert resolution_ends(D, kind(code)) == resolution_ends(D, code) != ()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (encoded(slice_values(), tilepart=0), "1 tile-parts of"),
        (encoded(slice_values(), tile=(16, 16)), "several tiles"),
        (bytes(imagecodecs.jpeg2k_encode(slice_values(), level=0, codecformat="j2k")), "1 tile-parts of"),
        (bytes(imagecodecs.jpeg2k_encode(slice_values(), level=0, codecformat="jp2")), "boxes"),
    ],
    ids=["one tile-part", "tiles", "openjpeg", "jp2"],
)
def test_what_cannot_be_sliced_says_why(code: bytes, reason: str) -> None:
    assert resolution_ends(D, code) == ()
    assert reason in why_whole(D, code)


@pytest.mark.parametrize(
    ("progression", "layers", "is_sliced"),
    [(0, 1, True), (0, 2, False), (1, 1, True), (1, 9, True), (2, 3, True), (3, 1, False), (4, 1, False)],
)
def test_only_where_resolutions_are_outermost(progression: int, layers: int, is_sliced: bool) -> None:
    code = bytearray(encoded(slice_values()))
    cod = code.index(b"\xff\x52")
    code[cod + 5 : cod + 8] = struct.pack(">BH", progression, layers)
    assert bool(resolution_ends(D, bytes(code))) == is_sliced


@pytest.mark.parametrize("marker", [0xFF53, 0xFF5F, 0xFF60, 0xFF5E])
def test_components_of_their_own_or_packets_elsewhere_are_not_sliced(marker: int) -> None:
    head, parts = tile_parts(encoded(slice_values()))
    code = put_together(without(head, TLM) + struct.pack(">HHH", marker, 4, 0), [(data, None) for data in parts])
    assert resolution_ends(D, code) == () and "out of their order" in why_whole(D, code)


def test_packet_lengths_prove_what_a_tile_part_has() -> None:
    """One component of one precinct: a packet is a resolution."""
    whole = encoded(slice_values())
    head, data = tile_parts(whole)
    head = without(head, TLM)
    code = put_together(head, [(part, [len(part)]) for part in data])
    ends = resolution_ends(D, code)
    assert len(ends) == len(data)
    assert [b - a for a, b in pairwise(ends)] == [14 + 5 + len(coded(len(part))) + len(part) for part in data[1:]]
    # As many tile-parts as resolutions, but two of them in the first and half of one in two: only the lengths tell.
    first = (data[0] + data[1], [len(data[0]), len(data[1])])
    half = len(data[2]) // 2
    cut = [(data[2][:half], []), (data[2][half:], [len(data[2])])]
    odd = put_together(head, [first, *[(part, None) for part, _ in cut], *[(part, None) for part in data[3:]]])
    assert len(resolution_ends(D, odd)) == len(data)  # taken for one each, as nothing says otherwise
    several = put_together(head, [(first[0], first[1]), *[(part, [len(part)]) for part in data[2:]]])
    assert resolution_ends(D, several) == () and "do not end where" in why_whole(D, several)


def test_tile_parts_finer_than_resolutions_are_joined_by_their_packet_lengths() -> None:
    """Three components: three packets a resolution, here one in a tile-part of its own and two in the next."""
    image = np.dstack([(slice_values() >> n).astype(np.uint8) for n in (4, 5, 3)])
    head, data = tile_parts(encoded(image, resolutions=2))
    parts: list[tuple[bytes, list[int] | None]] = []
    for part in data:
        third = len(part) // 3
        parts += [(part[:third], [third]), (part[third:], [third, len(part) - 2 * third])]
    code = put_together(without(head, TLM), parts)
    ends = resolution_ends(replace(D, samples_per_pixel=3), code)
    assert len(ends) == len(data) and ends[-1] == len(code) - 2
    assert all(code[end : end + 4] == SOT for end in ends[:-1])


def test_precincts_make_more_packets() -> None:
    """48×64 in precincts of 16×16 at the whole size: 4 × 3, or what T.800 B-16 says of it."""
    head, data = tile_parts(encoded(slice_values(), resolutions=1))
    head = bytearray(without(head, TLM))
    cod = head.index(b"\xff\x52")
    assert head[cod + 9] == 1  # one decomposition
    head[cod + 4] |= 1
    end = cod + 2 + int.from_bytes(head[cod + 2 : cod + 4], "big")
    head[end:end] = bytes([0x33, 0x44])  # 8×8 of 24×32, 16×16 of 48×64
    head[cod + 2 : cod + 4] = struct.pack(">H", end - cod)
    for count, is_right in (((12, 12), True), ((12, 11), False), ((11, 13), False)):
        lengths = [[len(part) - n + 1, *[1] * (n - 1)] for part, n in zip(data, count, strict=True)]
        code = put_together(bytes(head), list(zip(data, lengths, strict=True)))
        assert bool(resolution_ends(D, code)) == is_right, why_whole(D, code)


def broken() -> dict[str, bytes]:
    code = encoded(slice_values())
    head, data = tile_parts(code)
    plain = without(head, TLM)
    first = code.index(SOT)
    tlm = code.index(struct.pack(">H", TLM))
    longer, elsewhere = bytearray(code), bytearray(code)
    longer[tlm + 11] ^= 1  # in the first length
    elsewhere[tlm + 7] ^= 1  # in the tile that it is of
    beyond = code[: first + 6] + struct.pack(">I", len(code)) + code[first + 10 :]
    renumbered = bytearray(code)
    renumbered[first + 10] = 3
    another = bytearray(code)
    another[first + 5] = 1
    plt: list[tuple[bytes, list[int] | None]] = [(part, [len(part)]) for part in data]
    cod = head.index(b"\xff\x52")
    return {
        "nothing": b"",
        "no JPEG 2000": b"\xff\xd8\xff\xe0" + bytes(60),
        "a main header alone": head,
        "cut in a tile-part": code[:-20],
        "a tile-part beyond the end": beyond,
        "tile-parts out of their order": bytes(renumbered),
        "a second tile that is not there": bytes(another),
        "TLM of other lengths": bytes(longer),
        "TLM of another tile": bytes(elsewhere),
        "PLT of other lengths": put_together(plain, [(data[0], [len(data[0]) + 1]), *plt[1:]]),
        "half an entry in PLT": put_together(plain, plt).replace(
            coded(len(data[3])), b"\x81" * len(coded(len(data[3]))), 1
        ),
        "a last tile-part of no length and no end": plain + SOT + struct.pack(">HIBB", 0, 0, 0, 0),
        "a last tile-part that is its own end": plain + SOT + struct.pack(">HIBB", 0, 0, 0, 0) + b"\xff\xd9",
        "a size of nothing": code[:8] + bytes(8) + code[16:],
        "no components": code[:40] + bytes(2) + code[42:],
        "40 decompositions": code[: cod + 9] + b"\x28" + code[cod + 10 :],
        "256 tile-parts": put_together(plain, [(b"", None)] * 255)[:-2]
        + SOT
        + struct.pack(">HIBB", 0, 14, 255, 0)
        + SOD,
    }


@pytest.mark.parametrize("what", broken())
def test_what_contradicts_itself_is_refused(what: str) -> None:
    with pytest.raises(BadFrame):
        resolution_ends(D, broken()[what])


def test_a_last_tile_part_without_length_ends_before_eoc() -> None:
    """Psot 0 (T.800 A.4.2)."""
    code = bytearray(encoded(slice_values(), tlm=False))
    ends = resolution_ends(D, bytes(code))
    last = code.rindex(SOT)
    code[last + 6 : last + 10] = bytes(4)
    assert resolution_ends(D, bytes(code)) == ends
    assert resolution_ends(D, bytes(code) + b"\0") == ends  # padded to an even length


def test_colour_too() -> None:
    d = replace(RGB8, transfer_syntax_uid=ROOT + ".4.202")
    assert len(resolution_ends(d, encoded(np.dstack([slice_values().astype(np.uint8)] * 3)))) > 1
