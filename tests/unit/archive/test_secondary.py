"""Secondary keys: an exact key reads exactly its studies, a name is found by any of its groups."""

from __future__ import annotations

import pytest
from archives import LIMITS, incoming
from data import make_instance

from engine.archive.access import accesses
from engine.archive.archive import Archive
from engine.dicom.query import Level, Match, Query


@pytest.fixture(scope="module")
def archive() -> Archive:
    archive = Archive.in_memory(LIMITS)
    for i in range(120):
        content = make_instance(f"1.9.{i}.1.1", study=f"1.9.{i}", series=f"1.9.{i}.1", patient_id=str(i))
        archive.store([incoming(content, i)])
    return archive


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
        Match(0x00100020, "LO", "A\\B"),
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
