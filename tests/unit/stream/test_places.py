"""The set of positions against Python's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.stream.places import NONE, STRIDE, Places

counts = st.sampled_from([1, 2, 63, 1023, 1024, 1025, 5000, 40_000])


@given(counts, st.booleans(), st.data())
def test_it_is_a_set_that_knows_its_neighbours(count: int, is_full: bool, data: st.DataObject) -> None:
    places, model = Places(count, is_full=is_full), set(range(count)) if is_full else set()
    near = st.integers(0, count - 1) | st.integers(max(0, count - 3), count - 1)
    for is_add, position in data.draw(st.lists(st.tuples(st.booleans(), near), max_size=40)):
        (places.add if is_add else places.discard)(position)
        (model.add if is_add else model.discard)(position)
        assert (position in places) == is_add
    assert len(places) == len(model)
    assert bool(places) == bool(model)
    for position in [*data.draw(st.lists(near, max_size=10)), 0, count - 1, count, -1]:
        if position >= 0:
            assert places.at_or_after(position) == min((p for p in model if p >= position), default=NONE)
        assert places.at_or_before(position) == max((p for p in model if p <= position), default=NONE)
    for residue in range(STRIDE):
        assert places.first_of(residue) == min((p for p in model if p % STRIDE == residue), default=NONE)


def test_an_empty_stretch_is_passed_over() -> None:
    places = Places(100_000, is_full=True)
    for position in range(100, 90_000):
        places.discard(position)
    assert places.at_or_after(100) == 90_000
    assert places.at_or_before(89_999) == 99
