"""Search by keys of the index against a plain matcher that looks at every study (PS3.4 C.2.2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from archives import LIMITS, incoming
from data import element, make_instance
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.archive.archive import Archive
from engine.dicom.matching import folded, matches
from engine.dicom.query import Level, Match, Order, Query

PATIENT_ID, PATIENT_NAME, STUDY_DATE, ACCESSION, STUDY_ID = 0x00100020, 0x00100010, 0x00080020, 0x00080050, 0x00200010
VRS = {PATIENT_ID: "LO", PATIENT_NAME: "PN", STUDY_DATE: "DA", ACCESSION: "SH", STUDY_ID: "SH"}


@dataclass(frozen=True)
class Study:
    patient_id: str
    name: str
    date: str
    accession: str
    study_id: str

    def value(self, tag: int) -> str:
        return {
            PATIENT_ID: self.patient_id,
            PATIENT_NAME: self.name,
            STUDY_DATE: self.date,
            ACCESSION: self.accession,
            STUDY_ID: self.study_id,
        }[tag]


# Few letters, so that values are equal, begin alike and contain each other often.
short = st.text("aAbB1 -", max_size=5).map(str.strip)
names = st.lists(st.text("aAbB' ", max_size=3).map(str.strip), min_size=1, max_size=4).map("^".join)
dates = st.sampled_from([f"2020{m:02}{d:02}" for m in (1, 2, 12) for d in (1, 15, 28)] + [""])
studies = st.lists(st.builds(Study, short, names, dates, short, short), min_size=1, max_size=12)
wild = st.text("aAbB1 -*?", min_size=1, max_size=5)
date_keys = st.one_of(dates, st.tuples(dates, dates).map("-".join))
keys = st.one_of(
    st.tuples(st.sampled_from([PATIENT_ID, ACCESSION, STUDY_ID]), st.one_of(short, wild)),
    st.tuples(st.just(PATIENT_NAME), st.one_of(names, st.text("aAbB^' *?", min_size=1, max_size=6))),
    st.tuples(st.just(STUDY_DATE), date_keys),
)


several = st.lists(keys, min_size=2, max_size=4).filter(lambda k: len({tag for tag, _ in k}) == 1)


def plain_match(value: str, tag: int, key: str) -> bool:
    """As the standard says it, character by character."""
    if key.strip() in ("", "*") or not key:
        return True
    if not value:
        return False  # an empty attribute matches only the universal key
    if tag == STUDY_DATE:
        first, dash, last = key.partition("-")
        if not dash:
            return value == key
        return (not first or first <= value) and (not last or value <= last)
    if tag == PATIENT_NAME:
        # Case, and which of ^ and blank stands between, make no difference; empty components at the end neither.
        value = " ".join(value.upper().replace("^", " ").split())
        if not any(c in key for c in "*?"):
            return value == " ".join(key.upper().replace("^", " ").split())
        key = key.upper().replace("^", " ")
    elif not any(c in key for c in "*?"):
        return value == key.strip()
    return _wild(value, key)


def _wild(text: str, key: str) -> bool:
    if not key:
        return not text
    if key[0] == "*":
        return any(_wild(text[i:], key[1:]) for i in range(len(text) + 1))
    return bool(text) and (key[0] in ("?", text[0])) and _wild(text[1:], key[1:])


def store(found: list[Study]) -> Archive:
    archive = Archive.in_memory(LIMITS)
    for i, s in enumerate(found):
        content = make_instance(
            f"1.{i}.1.1", study=f"1.{i}", series=f"1.{i}.1", patient=s.name, patient_id=s.patient_id, date=s.date
        )
        # Accession Number and Study ID in their places, in tag order.
        content = _put(content, 0x00080050, "SH", s.accession)
        content = _put(content, 0x00200010, "SH", s.study_id)
        archive.store([incoming(content, i)])
    return archive


def _put(content: bytes, tag: int, vr: str, value: str) -> bytes:
    if not value:
        return content
    behind = {0x00080050: b"\x08\x00\x60\x00CS", 0x00200010: b"\x20\x00\x13\x00IS"}[tag]
    at = content.index(behind)
    return content[:at] + element(tag, vr, value.encode()) + content[at:]


def is_comparable(tag: int, key: str) -> bool:
    """Blanks beside a wildcard of a name are the one thing where folding leaves room for two opinions."""
    return (
        tag != PATIENT_NAME or not any(c in key for c in "*?") or " " not in " ".join(key.replace("^", " ").split("*"))
    )


@settings(max_examples=300, deadline=None)
@given(studies, st.lists(keys, min_size=1, max_size=3))
def test_search_finds_what_the_plain_matcher_finds(found: list[Study], asked: list[tuple[int, str]]) -> None:
    asked = [(tag, key) for tag, key in asked if is_comparable(tag, key)]
    archive = store(found)
    query = Query(level=Level.STUDY, matches=tuple(Match(t, VRS[t], k) for t, k in asked), limit=1000)
    result = archive.search(query)
    expected = {f"1.{i}" for i, s in enumerate(found) if all(plain_match(s.value(t), t, k) for t, k in asked)}
    assert {row.study_instance_uid for row in result.rows} == expected
    assert result.keys_read <= len(found)


@settings(max_examples=300, deadline=None)
@example([Study("", "AA", "20200101", "", "")], (PATIENT_NAME, "?? "), False)
@example([Study("", "B", "20200101", "", "")], (PATIENT_NAME, "^B*"), False)
@given(studies, st.one_of(keys, several), st.booleans())
def test_the_keys_answer_as_a_look_at_every_row_does(
    found: list[Study], asked: tuple[int, str] | list[tuple[int, str]], fuzzy: bool
) -> None:
    """Also for names with blanks beside wildcards: what a range of keys leaves out would be a hidden study."""
    tag, key = asked if isinstance(asked, tuple) else (asked[0][0], "\\".join(value for _, value in asked))
    archive = store(found)
    match = Match(tag, VRS[tag], key)
    everything = archive.search(Query(level=Level.STUDY, limit=1000))
    assert len(everything.rows) == everything.total == len(found)
    expected = {row.study_instance_uid for row in everything.rows if matches(row.attributes, match, fuzzy)}
    found_by_key = archive.search(Query(level=Level.STUDY, matches=(match,), fuzzy=fuzzy, limit=1000))
    assert {row.study_instance_uid for row in found_by_key.rows} == expected, found_by_key.plan
    assert found_by_key.total == len(expected)


@settings(max_examples=200, deadline=None)
@given(studies, st.sampled_from(list(VRS)), st.booleans(), st.lists(keys, max_size=1))
def test_the_order_that_is_asked_for(found: list[Study], tag: int, down: bool, asked: list[tuple[int, str]]) -> None:
    archive = store(found)
    where = tuple(Match(t, VRS[t], k) for t, k in asked)
    order = (Order(tag, VRS[tag], down),)
    rows = archive.search(Query(level=Level.STUDY, matches=where, order=order, limit=1000)).rows
    plain = archive.search(Query(level=Level.STUDY, matches=where, limit=1000)).rows
    assert {r.study_instance_uid for r in rows} == {r.study_instance_uid for r in plain}
    values = [found[int(r.study_instance_uid[2:])].value(tag).strip() for r in rows]
    if tag == PATIENT_NAME:
        values = [folded(value) for value in values]
    there = [value for value in values if value.strip("^ ")]
    assert there == sorted(there, reverse=down)
    assert not any(value.strip("^ ") for value in values[len(there) :]), "those without a value come last"
    newest = [found[int(r.study_instance_uid[2:])].date for r in plain]
    assert newest == sorted(newest, reverse=True)


@settings(max_examples=100, deadline=None)
@given(studies, st.lists(keys, max_size=2), st.integers(0, 5), st.integers(1, 4))
def test_pages_put_together_are_the_whole(
    found: list[Study], asked: list[tuple[int, str]], skip: int, size: int
) -> None:
    archive = store(found)
    where = tuple(Match(t, VRS[t], k) for t, k in asked)
    whole = [r.study_instance_uid for r in archive.search(Query(level=Level.STUDY, matches=where, limit=1000)).rows]
    assert len(set(whole)) == len(whole)
    rows, offset = [], skip
    while True:
        page = archive.search(Query(level=Level.STUDY, matches=where, limit=size, offset=offset))
        rows += [r.study_instance_uid for r in page.rows]
        offset += size
        assert page.has_more == (offset < len(whole))
        if not page.has_more:
            break
    assert rows == whole[skip:]
