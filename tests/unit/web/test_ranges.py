"""Byte ranges, by the examples of RFC 9110 14.1.2 and against slices."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UnsatisfiableRange
from engine.web.ranges import ByteRange, cut, parse_range, wanted_range

ETAG = '"a"'


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("bytes=0-499", 0, 500),
        ("bytes=500-999", 500, 500),
        ("bytes=-500", 9500, 500),
        ("bytes=9500-", 9500, 500),
        ("bytes=0-0", 0, 1),
        ("bytes=-1", 9999, 1),
        ("bytes=9999-20000", 9999, 1),
        ("bytes=-20000", 0, 10000),
        ("Bytes = 5-9", 5, 5),
        ("bytes=,5-9 ,", 5, 5),
    ],
)
def test_one_range(text: str, start: int, length: int) -> None:
    assert parse_range(text, 10000) == ByteRange(start, length, 10000)


@pytest.mark.parametrize(
    "text",
    ["", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=0x1-2", "lines=0-1", "bytes=0-1,4-5",
     "bytes=+1-2", "bytes=1--2", "bytes=٣-٤", "bytes=" + "9" * 5000 + "-"],
)  # fmt: skip
def test_what_is_no_single_range_is_the_whole(text: str) -> None:
    assert parse_range(text, 10000) is None


@pytest.mark.parametrize(
    ("text", "total"), [("bytes=10000-", 10000), ("bytes=10000-10001", 10000), ("bytes=-0", 10000), ("bytes=0-", 0)]
)
def test_what_begins_behind_the_end(text: str, total: int) -> None:
    with pytest.raises(UnsatisfiableRange) as caught:
        parse_range(text, total)
    assert caught.value.total == total


def test_the_last_bytes_of_nothing_are_the_whole() -> None:
    assert parse_range("bytes=-5", 0) is None


@pytest.mark.parametrize(
    ("method", "headers", "is_part"),
    [
        ("GET", {"Range": "bytes=0-1"}, True),
        ("GET", {}, False),
        ("HEAD", {"Range": "bytes=0-1"}, False),
        ("GET", {"Range": "bytes=0-1", "If-Range": ETAG}, True),
        ("GET", {"Range": "bytes=0-1", "If-Range": f"W/{ETAG}"}, False),
        ("GET", {"Range": "bytes=0-1", "If-Range": '"b"'}, False),
        ("GET", {"Range": "bytes=0-1", "If-Range": "Wed, 21 Oct 2015 07:28:00 GMT"}, False),
        # A condition that fails makes a range that cannot be satisfied one that is not looked at.
        ("GET", {"Range": "bytes=99-", "If-Range": '"b"'}, False),
    ],
)
def test_conditions(method: str, headers: dict[str, str], is_part: bool) -> None:
    found = wanted_range(make_mocked_request(method, "/", headers=headers), 10, ETAG)
    assert (found is not None) == is_part


def test_a_weak_tag_never_makes_a_range_conditional() -> None:
    request = make_mocked_request("GET", "/", headers={"Range": "bytes=0-1", "If-Range": 'W/"a"'})
    assert wanted_range(request, 10, 'W/"a"') is None


@given(st.lists(st.binary(max_size=5), max_size=8), st.data())
def test_pieces_are_cut_as_the_whole_is(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole) - start))
    taken = list(cut([len(piece) for piece in pieces], ByteRange(start, length, len(whole))))
    assert b"".join(pieces[i][at : at + n] for i, at, n in taken) == whole[start : start + length]
    assert all(n for _, _, n in taken)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20))
def test_a_range_is_a_slice(first: int, last: int, total: int) -> None:
    body, text = bytes(range(total)), f"bytes={first}-{last}"
    if last < first:
        assert parse_range(text, total) is None
    elif first >= total:
        with pytest.raises(UnsatisfiableRange):
            parse_range(text, total)
    else:
        found = parse_range(text, total)
        assert found is not None
        assert body[found.start : found.start + found.length] == body[first : last + 1]
        assert found.headers == {
            "Content-Range": f"bytes {first}-{min(last, total - 1)}/{total}",
            "Content-Length": str(len(body[first : last + 1])),
        }
