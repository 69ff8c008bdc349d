"""A pack with any byte changed, cut anywhere or followed by anything is refused, or says the same as before but of its codes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from renditions import STUDY, Made, ct

from engine.archive.renditions.pack import BadPack, Pack
from engine.archive.renditions.shelf import Shelf
from engine.limits import Limits
from engine.stream.making import SeriesMaker


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    made = Made.in_memory(tmp_path_factory.mktemp("packs"), *(ct(n, rows=32, columns=32) for n in (1, 2, 3)))
    yield made.make()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_pack_is_refused_or_the_same(pack: Pack, tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(pack.path.read_bytes())
    kind = data.draw(st.sampled_from(["byte", "cut", "longer", "start"]))
    place = data.draw(st.integers(0, len(whole) - 1))
    if kind == "byte":
        whole[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del whole[place:]
    elif kind == "longer":
        whole += data.draw(st.binary(min_size=1, max_size=200))
    else:
        whole[:128] = data.draw(st.binary(min_size=128, max_size=128))
    path = tmp_path / "changed.pack"
    path.write_bytes(whole)
    try:
        changed = Pack(path)
    except BadPack:
        return
    assert kind == "byte"
    assert [changed[n] for n in range(len(changed))] == [pack[n] for n in range(len(pack))]
    assert changed.instances == pack.instances
    is_head = place < 128
    is_coarse = place >= sum(pack[n].length for n in range(3)) + 128
    assert is_head or is_coarse or not all(changed.is_sound(changed[n]) for n in range(3))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 30)), min_size=1, max_size=25), st.integers(1, 5))
def test_the_budget_is_never_passed(tmp_path: Path, made: list[tuple[int, int]], fits: int) -> None:
    """Whatever is made when, the folder stays within its budget, and only what is older leaves."""
    from engine.errors import TooLarge

    one = Made.in_memory(tmp_path, *(ct(1, series=f"1.2.3.{n}", rows=16, columns=16) for n in range(1, 7)))
    one.shelf.clear()
    size = one.make("1.2.3.1", used_ns=0).size_bytes
    limits = Limits(rendition_bytes_max=size * fits + 20, rendition_reserve_bytes=1)
    shelf = Shelf(tmp_path, limits)
    maker = SeriesMaker(one.archive, shelf, limits, one.metrics)
    for series, used_ns in made:
        before = {shelved.path: shelved.used_ns for shelved in shelf.listing()}
        try:
            list(maker.make(STUDY, f"1.2.3.{series}", used_ns))
        except TooLarge:
            assert {shelved.path for shelved in shelf.listing()} == before.keys()
            continue
        after = {shelved.path: shelved.used_ns for shelved in shelf.listing()}
        assert sum(shelved.size_bytes for shelved in shelf.listing()) <= limits.rendition_bytes_max
        assert all(before[path] < used_ns for path in before.keys() - after.keys())
