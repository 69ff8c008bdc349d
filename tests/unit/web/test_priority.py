"""The field of RFC 9218 section 4, by its own examples and by what a hostile client may write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.web.priority import Priority, parse_priority


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("u=5, i", Priority(5, True)),
        ("u=0", Priority(0, False)),
        ("i", Priority(3, True)),
        ("i=?0, u=7", Priority(7, False)),
        ("i=?1", Priority(3, True)),
        ("u=2;x=1, i;y", Priority(2, True)),
        ("u=2, u=4", Priority(4, False)),
        ("", Priority()),
        ("u=8", Priority()),
        ("u=-1", Priority()),
        ("u=3.0", Priority()),
        ("u, i=yes", Priority()),
        ("unknown=1, u=1", Priority(1, False)),
    ],
)
def test_by_example(text: str, expected: Priority) -> None:
    assert parse_priority(text) == expected


@given(st.text(max_size=200))
def test_anything_is_some_priority(text: str) -> None:
    assert 0 <= parse_priority(text).urgency <= 7
