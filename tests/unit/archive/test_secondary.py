"""Secondary keys: an exact key reads exactly its studies, a name is found by any of its groups."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from archives import LIMITS, incoming
from data import make_instance

from engine.archive.access import accesses
from engine.archive.archive import Archive
from engine.archive.ports import Snapshot
from engine.archive.search import search
from engine.dicom.query import Level, Match, Order, Query


@pytest.fixture(scope="module")
def archive() -> Archive:
    archive = Archive.in_memory(LIMITS)
    for i in range(120):
        content = make_instance(f"1.9.{i}.1.1", study=f"1.9.{i}", series=f"1.9.{i}.1", patient_id=str(i))
        archive.store([incoming(content, i)])
    return archive


class Counting:
    """A view that counts the secondary keys that are taken from it."""

    def __init__(self, view: Snapshot) -> None:
        self._view, self.visited = view, 0
        self.get, self.count = view.get, view.count

    def scan(
        self, table: str, start: bytes = b"", stop: bytes | None = None, *, is_reversed: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        for entry in self._view.scan(table, start, stop, is_reversed=is_reversed):
            self.visited += table == "keys"
            yield entry

    def keys(self, table: str, start: bytes = b"", stop: bytes | None = None) -> Iterator[bytes]:
        for key in self._view.keys(table, start, stop):
            self.visited += table == "keys"
            yield key

    def key_lists(
        self, table: str, start: bytes = b"", stop: bytes | None = None, *, is_reversed: bool = False
    ) -> Iterator[list[bytes]]:
        for keys in self._view.key_lists(table, start, stop, is_reversed=is_reversed):
            self.visited += len(keys) * (table == "keys")
            yield keys


def find(archive: Archive, *keys: Match) -> tuple[list[str], int]:
    found = archive.search(Query(level=Level.STUDY, matches=keys, limit=1000))
    return sorted(row.study_instance_uid for row in found.rows), found.keys_read


def test_an_exact_id_does_not_read_the_longer_ones(archive: Archive) -> None:
    assert find(archive, Match(0x00100020, "LO", "1")) == (["1.9.1"], 1)
    assert find(archive, Match(0x00100020, "LO", "1*"))[1] == 1 + 10 + 20


def test_the_patient_id_is_used_before_the_name(archive: Archive) -> None:
    keys = Match(0x00100010, "PN", "DOE*"), Match(0x00100020, "LO", "7")
    assert find(archive, *keys) == (["1.9.7"], 1)
    assert find(archive, *reversed(keys)) == (["1.9.7"], 1)


@pytest.mark.parametrize(
    ("key", "expected", "path", "keys_visited"),
    [
        (Match(0x00100020, "LO", "7\\8\\300"), {7, 8}, "PatientID of 3 values", 2 * 2),
        (Match(0x00100020, "LO", "7\\7"), {7}, "PatientID =", 2 * 1),
        (Match(0x00100020, "LO", "11*\\115\\3"), {3, 11, *range(110, 120)}, "PatientID of 3 values", 2 * 13),
        (Match(0x00080020, "DA", "20200131\\19000101-19001231"), set(range(120)), "StudyDate of 2 values", 2 * 120),
        (Match(0x00080060, "CS", "MR\\US"), set(), "ModalitiesInStudy of 2 values", 0),
        (Match(0x00100020, "LO", "*17\\*18"), {17, 18, 117, 118}, "PatientID of 2 values", 2 * 120),
    ],
)
def test_several_values_visit_the_keys_of_each(
    archive: Archive, key: Match, expected: set[int], path: str, keys_visited: int
) -> None:
    """They are counted, to see whether going past all studies is less, and then read; a pattern passes over all values."""
    with archive._core.engine.read() as view:
        counting = Counting(view)
        found = search(counting, Query(level=Level.STUDY, matches=(key,), limit=1000), LIMITS)
    assert {row.study_instance_uid for row in found.rows} == {f"1.9.{n}" for n in expected}
    assert (found.plan.path, found.plan.candidates, found.plan.checked) == (path, len(expected), ())
    assert found.keys_read == found.total == len(expected)
    assert counting.visited == keys_visited


def test_several_values_are_one_way_among_others(archive: Archive) -> None:
    several, one = Match(0x00100020, "LO", "7\\8\\9"), Match(0x00080020, "DA", "20200131")
    found = archive.search(Query(level=Level.STUDY, matches=(several, one), limit=1000))
    assert found.plan.path == "PatientID of 3 values"
    assert found.plan.rejected == ("StudyDate within: 120",)
    assert found.plan.checked == ("StudyDate",)
    assert len(found.rows) == 3


def test_a_page_of_much_that_matches_goes_by_date(archive: Archive) -> None:
    """Two modalities of which nearly every study has one: the newest ten are there sooner than all of them."""
    found = archive.search(Query(level=Level.STUDY, matches=(Match(0x00080060, "CS", "CT\\MR"),), limit=5))
    assert found.plan.path == "all studies, newest first"
    assert len(found.rows) == 5


@pytest.mark.parametrize(
    "key",
    [
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "yamada^tarou",
        "山田^太郎",
        "やまだ*",
        "Yamada*",
        "*太郎",
        "YAMADA^TAROU=*",
    ],
)
def test_a_name_is_found_by_each_of_its_groups(key: str) -> None:
    from pydicom import config, dcmread
    from pydicom.filebase import DicomBytesIO

    ds = dcmread(DicomBytesIO(make_instance()))
    ds.SpecificCharacterSet = "ISO_IR 192"
    with config.disable_value_validation():
        ds.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    out = DicomBytesIO()
    ds.save_as(out)
    archive = Archive.in_memory(LIMITS)
    archive.store([incoming(out.getvalue())])
    archive.store([incoming(make_instance("1.9.1.1", study="1.9", series="1.9.1"), 2)])
    assert find(archive, Match(0x00100010, "PN", key))[0] == ["1.2.3"]


@pytest.mark.parametrize(
    "match",
    [
        Match(0x00100020, "LO", ""),
        Match(0x00100020, "LO", "A\\*"),
        Match(0x00100020, "LO", "A\\"),
        Match(0x00100020, "LO", "\\".join(f"*{n}*" for n in range(9))),  # each would pass over all IDs
        Match(0x00080020, "DA", "20200101\\2020"),
        Match(0x00100010, "PN", "=山田"),
        Match(0x00080060, "CS", "CT"),
        Match(0x00100020, "LO", "1", (0x00101002, 0x00100020)),
    ],
)
def test_where_no_key_helps_all_are_walked(match: Match) -> None:
    assert accesses(Query(level=Level.STUDY), [match]) == []


@pytest.mark.parametrize("fuzzy", [False, True])
def test_a_name_longer_than_its_key_is_found_by_its_end(fuzzy: bool) -> None:
    archive = Archive.in_memory(LIMITS)
    archive.store([incoming(make_instance(patient="山田" * 30 + "^ende"))])
    archive.store([incoming(make_instance("1.9.1.1", study="1.9", series="1.9.1", patient="x" * 130 + "anders"), 2)])
    match = Match(0x00100010, "PN", "*ende*")
    found = archive.search(Query(level=Level.STUDY, matches=(match,), fuzzy=fuzzy, limit=10))
    assert [row.study_instance_uid for row in found.rows] == ["1.2.3"]


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Studies of few days, several a day, and some of none; on a disk, where keys come some at a time."""
    archive = Archive.open(tmp_path_factory.mktemp("dated"), LIMITS)
    for i in range(150):
        day = "" if i % 11 == 0 else f"202001{1 + i % 7:02}"
        content = make_instance(f"1.8.{i}.1.1", study=f"1.8.{i}", series=f"1.8.{i}.1", patient_id=f"{i % 3}", date=day)
        archive.store([incoming(content, i)])
    yield archive
    archive.close()


@pytest.mark.parametrize("is_descending", [True, False])
@pytest.mark.parametrize(
    "matches", [(), (Match(0x00080020, "DA", "20200102-20200105"),), (Match(0x00100020, "LO", "1"),)]
)
def test_a_page_anywhere_is_that_part_of_the_whole(
    dated: Archive, matches: tuple[Match, ...], is_descending: bool
) -> None:
    order = (Order(0x00080020, "DA", is_descending),)
    whole = dated.search(Query(level=Level.STUDY, matches=matches, order=order, limit=1000))
    uids = [row.study_instance_uid for row in whole.rows]
    assert len(uids) > 40 and whole.total == len(uids)
    days = [json.loads(row.document).get("00080020", {}).get("Value", [""])[0] for row in whole.rows]
    said = [day for day in days if day]
    assert said == sorted(said, reverse=is_descending) and not any(days[len(said) :])
    for offset in (1, 7, 8, 9, 39, 40, 41, len(uids) - 3, len(uids), len(uids) + 50):
        page = dated.search(Query(level=Level.STUDY, matches=matches, order=order, limit=5, offset=offset))
        assert [row.study_instance_uid for row in page.rows] == uids[offset : offset + 5], offset
        assert (page.total, page.has_more) == (len(uids), offset + 5 < len(uids)), offset
        if not matches:
            assert page.keys_read <= 6, "what is passed over is not read"
