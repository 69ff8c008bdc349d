"""What a key means (PS3.4 C.2.2.2), against the sentences of the standard and a plain twin for wildcards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dicom.matching import matches, value_range
from engine.dicom.query import Match

TAGS = {"PN": 0x00100010, "LO": 0x00100020, "DA": 0x00080020, "TM": 0x00080030, "UI": 0x0020000D, "IS": 0x00200013}


def found(vr: str, value: object, key: str, fuzzy: bool = False) -> bool:
    tag = TAGS[vr]
    held = {"Alphabetic": value} if vr == "PN" else value
    return matches({f"{tag:08X}": {"vr": vr, "Value": [held]}}, Match(tag, vr, key), fuzzy)


def glob(text: str, key: str) -> bool:
    """PS3.4 C.2.2.2.4 letter by letter, without regular expressions."""
    states = {0}
    for letter in text:
        states = {n for s in states for n in _steps(key, s, letter)}
    return any(set(key[s:]) <= {"*"} for s in states)


def _steps(key: str, at: int, letter: str) -> set[int]:
    if at == len(key):
        return set()
    if key[at] == "*":
        return {at} | _steps(key, at + 1, letter)
    return {at + 1} if key[at] in ("?", letter) else set()


@given(text=st.text("ab", min_size=1, max_size=12), key=st.text("ab*?", min_size=1, max_size=10))
def test_c_2_2_2_4_wildcards(text: str, key: str) -> None:
    if set(key) == {"*"} or key == "*":
        return
    assert found("LO", text, key) == glob(text, key)


@pytest.mark.timeout(20)
def test_wildcards_do_not_multiply() -> None:
    """Each star is settled once, however many there are: a query must not cost an executor its life."""
    assert not found("LO", "a" * 10_000, "*a" * 60 + "*b")
    assert found("LO", "a" * 10_000 + "b", "*a" * 60 + "*b")
    assert not found("PN", "a" * 64, "*a" * 30 + "b")


@pytest.mark.parametrize(
    ("vr", "value", "key", "expected"),
    [
        ("LO", "P1", "P1", True), ("LO", "P1", "p1", False), ("LO", "P1", "P", False), ("LO", "P1", "", True),
        ("LO", "P1", "*", True), ("PN", "Doe^Jane", "DOE^J*", True), ("PN", "Doe^Jane", "doe*jane", True),
        ("PN", "Doe^Jane^^", "DOE^JANE", True), ("PN", "Müller^A", "MULLER^A", True),
        ("PN", "Doe^Jane", "JANE*", False), ("DA", "20200131", "20200101-20200201", True),
        ("DA", "20200131", "-20200130", False), ("DA", "20200131", "20200131-", True), ("TM", "115959", "10-11", True),
        ("TM", "120000", "10-11", False), ("TM", "101500.25", "1015", True), ("UI", "1.2.3", "1.2.2\\1.2.3", True),
        ("UI", "1.2.3", "1.2.*", False), ("IS", 7, "7", True), ("IS", 7, "8", False), ("IS", 7, "x", False),
    ],
)  # fmt: skip
def test_c_2_2_2_keys(vr: str, value: object, key: str, expected: bool) -> None:
    assert found(vr, value, key) is expected


def test_fuzzy_names_match_words_in_any_order() -> None:
    assert found("PN", "Doe^Jane", "jan doe", fuzzy=True)
    assert not found("PN", "Doe^Jane", "ane", fuzzy=True)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("*gale*", True), ("*ingale^flo*", True), ("*rence*", True), ("*flo night*", True), ("night*rence", True),
        ("n?ght", True), ("?ight", True), ("gale", False), ("*gala*", False), ("*gale*x*", False), ("nightingale?florence", True),
    ],
)  # fmt: skip
def test_fuzzy_names_take_wildcards_too(key: str, expected: bool) -> None:
    """OHIF sends ``*gale*`` and ``fuzzymatching=true``; fuzzy matching never finds less than plain matching."""
    assert found("PN", "Nightingale^Florence", key, fuzzy=True) is expected


def test_an_absent_value_matches_the_universal_key_only() -> None:
    for key, expected in (("", True), ("*", True), ('""', True), ("P1", False)):
        assert matches({}, Match(0x00100020, "LO", key), empty_values=True) is expected
    assert not matches({}, Match(0x00100020, "LO", '""')), (
        "two quotation marks mean something only where that is asked for"
    )


def test_ranges() -> None:
    assert value_range("2020-01-31") == ("20200131", "20200131")
    assert value_range("20200101-") == ("20200101", "")
    assert value_range("20200131101500-0500") == ("20200131101500-0500", "20200131101500-0500")


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("^JOHN", "^JOHN*", True),
        ("^JOHN", "^J?HN", True),
        ("DOE^JOHN", "^JOHN*", False),
        ("DOE^JOHN", "*^JOHN*", True),
        ("JOHN", "^JOHN*", True),  # a name is folded to its words
    ],
)
def test_a_key_that_begins_with_an_empty_family_name(name: str, key: str, expected: bool) -> None:
    attributes = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]}}
    assert matches(attributes, Match(0x00100010, "PN", key)) is expected
