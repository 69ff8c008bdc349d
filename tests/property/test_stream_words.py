"""The short way of words reads what the JSON parser reads, and leaves to it what is out of the ordinary."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine._native import plain_word
from engine.errors import InvalidParameter
from engine.stream import framing
from engine.stream.framing import Got, Look, Word, parse

NAMES = [
    "type",
    "bytes",
    "viewport",
    "series",
    "position",
    "width",
    "height",
    "direction",
    "velocity",
    "loop",
    "reach",
    "x",
]
NUMBERS = st.one_of(
    st.integers(-3, 2000),
    st.integers(-(1 << 66), 1 << 66),
    st.floats(-2e5, 2e5),
    st.floats(),
    st.sampled_from([0, 1, -1, 1 << 32]),
)
VALUES = st.one_of(
    NUMBERS, NUMBERS, st.booleans(), st.none(), st.sampled_from(["look", "got", "ping", "", 'a"b', "é"]), st.just([1])
)


@st.composite
def words(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["look", "look", "got", "ping", "close"]))
    said: dict[str, Any] = {"type": kind, "viewport": 1, "series": 2} if kind == "look" else {"type": kind, "bytes": 5}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=6)):
        said[name] = draw(VALUES)
    pairs = draw(st.permutations(list(said.items())))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:")]))
    return json.dumps(dict(pairs), separators=separators)


def slowly(text: str) -> Word | type[Exception]:
    with patch.object(framing, "plain_word", lambda _: None):
        return outcome(text)


def outcome(text: str) -> Word | type[Exception]:
    try:
        return parse(text)
    except InvalidParameter:
        return InvalidParameter


@given(words())
@example('{"type":"look","viewport":1,"series":1,"velocity":-0.0,"position":-0}')
@example('{"type":"look","viewport":1,"series":1,"position":01}')
@example('{"type":"look","viewport":1,"series":1,"position":1.0}')
@example('{"type":"look","viewport":1,"viewport":2,"series":1}')
@example('{"type":"got","bytes":1e3}')
@example('{"type":"got","bytes":5}x')
@example('{"type":"got","bytes":5,}')
@example('{"type":"look","viewport":1,"series":1,"velocity":1e-400}')
@example('{"type":"look","viewport":1,"series":1,"velocity":1e400}')
@example('{"type":"look","viewport":1,"series":1,"velocity":.5}')
@example('{"type":"look","viewport":1,"series":1,"loop":truest}')
def test_a_word_means_the_same_by_either_way(text: str) -> None:
    assert outcome(text) == slowly(text)


@given(
    words(),
    st.integers(0, 200),
    st.sampled_from(['"', "{", "}", ",", ":", "-", ".", "0", "e", "\\", " ", "\0", "é", "t"]),
)
def test_so_does_a_word_that_is_broken(text: str, at: int, put: str) -> None:
    for broken in (
        text[: at % len(text)],
        text[: at % len(text)] + put + text[at % len(text) :],
        text.replace(put, "", 1),
    ):
        assert outcome(broken) == slowly(broken)


def test_what_clients_say_all_the_time_goes_the_short_way() -> None:
    look = {"type": "look", "viewport": 0, "series": 3, "position": 512, "width": 512, "height": 400, "loop": False}
    assert plain_word(json.dumps(look | {"velocity": -60.25, "direction": -1})) == (
        0,
        3,
        512,
        512,
        400,
        -60.25,
        -1,
        False,
    )
    assert plain_word('{"type":"got","bytes":123456}') == 123456
    assert plain_word('{"type":"ping","value":1}') is None
    found = parse('{"type":"look","viewport":1,"series":2}')
    assert isinstance(found, Look) and found == slowly('{"type":"look","viewport":1,"series":2}')
    assert parse('{"type":"got","bytes":7}') == Got(7)


@pytest.mark.parametrize(
    "text", ["", "{", "{}", '{"type":"look"}', '{"type":"got"}', " " * 600 + '{"type":"got","bytes":1}']
)
def test_what_is_no_such_word_is_left_to_the_parser(text: str) -> None:
    assert plain_word(text) is None
