"""Packed bodies, whatever the slices that they come in (RFC 9110 8.4.1)."""

from __future__ import annotations

import gzip
import zlib

import pytest

from engine.errors import MalformedDataSet, TooLarge, TruncatedDataSet
from engine.limits import MIB
from engine.web.request_body import Unpacker


def unpacked(data: bytes, slice_bytes: int, expansion_max: int = 200) -> bytes:
    unpacker, out = Unpacker(expansion_max), bytearray()
    for at in range(0, len(data), slice_bytes):
        for piece in unpacker.feed(data[at : at + slice_bytes]):
            assert 0 < len(piece) <= MIB
            out += piece
    unpacker.end()
    return bytes(out)


@pytest.mark.parametrize("slice_bytes", [1, 7, 100_000])
def test_every_slice_leads_to_the_same_bytes(slice_bytes: int) -> None:
    plain = b"".join(i.to_bytes(4, "big") for i in range(3000))
    assert unpacked(gzip.compress(plain), slice_bytes) == plain
    assert unpacked(zlib.compress(plain), slice_bytes) == plain
    assert unpacked(gzip.compress(plain) + gzip.compress(b"more"), slice_bytes) == plain + b"more"
    assert unpacked(b"", slice_bytes) == b""


def test_what_is_cut_broken_or_grows_too_much_is_refused() -> None:
    packed = gzip.compress(bytes(100))
    with pytest.raises(TruncatedDataSet):
        unpacked(packed[:-1], 1000)
    with pytest.raises(MalformedDataSet):
        unpacked(b"no gzip at all", 1000)
    with pytest.raises(MalformedDataSet):
        unpacked(packed[:-8] + bytes(8), 1000)  # another checksum
    with pytest.raises(TooLarge, match="archive_expansion_max"):
        unpacked(gzip.compress(bytes(70 * MIB)), 1000, expansion_max=2)
