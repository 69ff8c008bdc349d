"""Multipart in, in any slices."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import MalformedDataSet
from engine.web.multipart import MultipartParser, PartBegin, PartEnd, join


def parts(parser: MultipartParser, slices: list[bytes]) -> list[tuple[dict[str, str], bytes, bool]]:
    """Headers, body and whether it ended, of each part."""
    found: list[tuple[dict[str, str], bytes, bool]] = []
    for piece in slices:
        for event in parser.feed(piece):
            match event:
                case PartBegin(headers):
                    found.append((headers, b"", False))
                case PartEnd():
                    found[-1] = (found[-1][0], found[-1][1], True)
                case bytes():
                    found[-1] = (found[-1][0], found[-1][1] + event, found[-1][2])
    return found


@given(
    bodies=st.lists(st.binary(max_size=300).filter(lambda b: b"--edge" not in b), max_size=4),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
    preamble=st.sampled_from([b"", b"\r\n", b"to be passed over\r\n"]),
)
def test_what_is_joined_is_parsed_in_any_slices(bodies: list[bytes], cuts: list[int], preamble: bytes) -> None:
    body = preamble + join("edge", "application/dicom", bodies) + b"epilogue"
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    parser = MultipartParser("edge")
    found = parts(parser, [body[a:b] for a, b in itertools.pairwise(places)])
    assert parser.is_complete
    assert found == [({"content-type": "application/dicom"}, one, True) for one in bodies]


def test_bytes_that_look_like_a_boundary_stay_data() -> None:
    content = b"\r\n--edg\r\n-\r\n--\r\n\r\n--e"
    assert parts(MultipartParser("edge"), [join("edge", "a/b", [content])])[0][1] == content


def test_an_unfinished_body_is_not_complete() -> None:
    parser = MultipartParser("edge")
    [(_, _, ended)] = parts(parser, [join("edge", "a/b", [b"x" * 100])[:-12]])
    assert not ended
    assert not parser.is_complete


def test_headers_that_do_not_end_are_refused() -> None:
    parser = MultipartParser("edge")
    with pytest.raises(MalformedDataSet):
        parts(parser, [b"--edge\r\nX: " + b"y" * 40_000])
