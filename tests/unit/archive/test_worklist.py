"""The worklist's store: searching by every path, states, what is kept over a restart and a reindex, and its bounds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from archives import LIMITS, incoming
from data import element, make_instance
from worklists import attributes, created, ended, item

from engine.archive.archive import Archive
from engine.archive.reindex import reindex
from engine.archive.worklist.progress import progress, stored_series
from engine.archive.worklist.records import PerformedStep, StepQuery
from engine.archive.worklist.worklist import Taken, Worklist
from engine.dicom.canonical import from_json
from engine.dicom.dictionary import tag_of, vr_of
from engine.dicom.elements import sequence_bytes
from engine.dicom.matching import matches
from engine.dicom.query import Match
from engine.dicom.scheduled_step import SEARCHED, State, check, identity, split, with_status
from engine.errors import (
    ArchiveReadOnly,
    InvalidAttributeValue,
    MissingAttribute,
    MissingAttributeValue,
    PerformedStepEnded,
    PerformedStepExists,
    PerformedStepNotFound,
    StepExists,
    StepNotFound,
    StepUnderWay,
    TooLarge,
    UnexpectedAttribute,
    WorklistMismatch,
)
from engine.limits import Limits

PATHS = {path[-1]: path if len(path) > 1 else () for path in SEARCHED}


@pytest.fixture(params=["disk", "memory"])
def worklist(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worklist]:
    made = Worklist(tmp_path if request.param == "disk" else None, LIMITS, True)
    yield made
    made.close()


def key(keyword: str, value: str) -> Match:
    tag = tag_of(keyword)
    return Match(tag, vr_of(tag), value, PATHS[tag])


def found(worklist: Worklist, *keys: Match, fuzzy: bool = False) -> list[str]:
    """Step IDs by page of two, which must be the same as in one page."""
    whole = worklist.find(StepQuery(matches=keys, fuzzy=fuzzy, limit=1000))
    query, paged = StepQuery(matches=keys, fuzzy=fuzzy, limit=2), []
    while True:
        page = worklist.find(query)
        paged += page.steps
        if not page.has_more:
            break
        query = replace(query, after=page.cursor)
    assert paged == list(whole.steps)
    skipping = [
        one
        for offset in range(0, len(paged), 2)
        for one in worklist.find(StepQuery(matches=keys, fuzzy=fuzzy, limit=2, offset=offset)).steps
    ]
    assert skipping == paged
    return [one.attributes["00400100"]["Value"][0]["00400009"]["Value"][0] for one in paged]


DAY, CLOCK = "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"
ITEMS = [
    item("S1"),
    item("S2", ScheduledProcedureStepStartTime="0930", PatientName="DOE^JOHN", PatientID="P2", AccessionNumber="A2"),
    item("S3", ScheduledProcedureStepStartDate="20260201", ScheduledStationAETitle=["CT1", "CT2"], PatientName="Müller^Jörg"),
    item("S4", Modality="MR", ScheduledStationAETitle="MR1", ScheduledProcedureStepStartTime="235959", AccessionNumber=""),
    item("S5", ScheduledProcedureStepStartDate="20260131", ScheduledProcedureStepStartTime="100000.5", PatientID="P1 X"),
    item("S6", study="1.2.4", ScheduledProcedureStepStartDate="20251231", RequestedProcedureID="R9"),
]  # fmt: skip
IN_ORDER = ["S6", "S2", "S1", "S5", "S4", "S3"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ((), IN_ORDER),
        ((key("ScheduledStationAETitle", "CT1"),), ["S6", "S2", "S1", "S5", "S3"]),
        ((key("ScheduledStationAETitle", "CT2\\MR1"),), ["S4", "S3"]),
        ((key("ScheduledStationAETitle", "CT1"), key(DAY, "20260131")), ["S2", "S1", "S5"]),
        ((key("ScheduledStationAETitle", "CT?"), key(DAY, "20260201-")), ["S3"]),
        ((key("Modality", "MR"), key(DAY, "-20260131")), ["S4"]),
        ((key(DAY, "20260131"), key(CLOCK, "10")), ["S1", "S5"]),
        ((key(DAY, "20260131"), key(CLOCK, "0900-0959")), ["S2"]),
        ((key(DAY, "20260131"), key(CLOCK, "1000-")), ["S1", "S5", "S4"]),
        ((key(CLOCK, "1000-"),), ["S6", "S1", "S5", "S4", "S3"]),
        ((key("PatientID", "P1"),), ["S6", "S1", "S4", "S3"]),
        ((key("PatientID", "P1*"),), ["S6", "S1", "S5", "S4", "S3"]),
        ((key("PatientName", "doe^john"),), ["S2"]),
        ((key("PatientName", "DOE*"),), ["S6", "S2", "S1", "S5", "S4"]),
        ((key("PatientName", "*J*h?"),), ["S2"]),
        ((key("PatientName", "muller*"),), ["S3"]),
        ((key("PatientName", "DOE^*"),), ["S6", "S2", "S1", "S5", "S4"]),
        ((key("PatientName", "ROE*"),), []),
        ((key("AccessionNumber", "A2"),), ["S2"]),
        ((key("RequestedProcedureID", "R9"),), ["S6"]),
        ((key("StudyInstanceUID", "1.2.4\\1.2.5"),), ["S6"]),
        ((key("StudyInstanceUID", "1.2.4"), key("PatientID", "P2")), []),
        ((key("ScheduledPerformingPhysicianName", "house*"), key("Modality", "MR")), ["S4"]),
        ((key("PatientID", ""), key("PatientName", "*")), IN_ORDER),
    ],
)
def test_steps_are_found_by_their_keys_in_order_of_start(
    worklist: Worklist, keys: tuple[Match, ...], expected: list[str]
) -> None:
    worklist.schedule(ITEMS, "test")
    assert found(worklist, *keys) == expected


def test_a_range_of_dates_and_one_of_times_are_one(worklist: Worklist) -> None:
    """PS3.4 table K.6-1: from 30 January, 12 o'clock, to 31 January, 9:30."""
    clock = {"a": ("20260130", "1159"), "b": ("20260130", "1200"), "c": ("20260131", "0800"), "d": ("20260131", "093059"),
             "e": ("20260131", "0931")}  # fmt: skip
    worklist.schedule(
        [item(name, **{DAY: day, CLOCK: time}) for name, (day, time) in clock.items()],
        "test",
    )
    assert found(worklist, key(DAY, "20260130-20260131"), key(CLOCK, "1200-0930")) == ["b", "c", "d"]
    assert found(worklist, key(DAY, "20260130-"), key(CLOCK, "1200-")) == ["b", "c", "d", "e"]
    assert found(worklist, key(DAY, "-20260131"), key(CLOCK, "-0930")) == ["a", "b", "c", "d"]
    assert found(worklist, key(DAY, "20260130-20260131"), key(CLOCK, "0800")) == ["c"]


def test_fuzzy_names_and_every_path_agree_with_a_walk_over_all(worklist: Worklist) -> None:
    worklist.schedule(ITEMS, "test")
    everything = worklist.find(StepQuery(limit=1000)).steps
    for name in ("jane", "DOE^JANE", "jö mü", "do", "*ohn", "Müller=*", "x", "DOE^", "doe jane"):
        for fuzzy in (False, True):
            match = key("PatientName", name)
            walked = [
                one.attributes["00400100"]["Value"][0]["00400009"]["Value"][0]
                for one in everything
                if matches(one.attributes, match, fuzzy)
            ]
            assert found(worklist, match, fuzzy=fuzzy) == walked, (name, fuzzy)


def test_states_bound_what_is_found(worklist: Worklist) -> None:
    worklist.schedule([item("S1"), with_status(item("S2"), "COMPLETED"), with_status(item("S3"), "ARRIVED")], "test")
    page = worklist.find(StepQuery(states=frozenset({State.SCHEDULED})))
    assert [one.state for one in page.steps] == [State.SCHEDULED] * 2
    page = worklist.find(StepQuery(states=frozenset({State.COMPLETED, State.IN_PROGRESS})))
    assert [one.step_id for one in page.steps] == [identity("1.2.3", "S2")]


def test_a_changed_step_leaves_no_key_behind(worklist: Worklist) -> None:
    [step] = worklist.schedule([item("S1")], "test")
    changed = item("S1", PatientName="ROE^JIM", PatientID="P9", ScheduledStationAETitle="CT9", AccessionNumber="A9")
    worklist.change(step.step_id, lambda before: changed)
    for old in (key("PatientName", "DOE^JANE"), key("PatientID", "P1"), key("ScheduledStationAETitle", "CT1")):
        assert found(worklist, old) == []
    assert found(worklist, key("AccessionNumber", "A9"), key("PatientName", "ROE*")) == ["S1"]
    with pytest.raises(InvalidAttributeValue, match="ScheduledProcedureStepID"):
        worklist.change(step.step_id, lambda before: item("S2"))
    with pytest.raises(InvalidAttributeValue, match="StudyInstanceUID"):
        worklist.change(step.step_id, lambda before: item("S1", study="1.9"))
    worklist.remove(step.step_id)
    assert not any(worklist.dump().values())
    with pytest.raises(StepNotFound):
        worklist.get(step.step_id)


def test_all_items_are_taken_or_none(worklist: Worklist) -> None:
    worklist.schedule([item("S2")], "test")
    with pytest.raises(StepExists):
        worklist.schedule([item("S1"), item("S2")], "test")
    assert found(worklist) == ["S2"]


def test_an_import_repeated_changes_nothing_and_keeps_the_state(worklist: Worklist) -> None:
    assert worklist.take(item("S1"), "import")[1] is Taken.STORED
    worklist.perform(PerformedStep.new("1.9", created(), "CT1"))
    step, outcome = worklist.take(item("S1"), "import")
    assert (outcome, step.state) == (Taken.UNCHANGED, State.IN_PROGRESS)
    step, outcome = worklist.take(item("S1", PatientID="P7"), "import")
    assert (outcome, step.state) == (Taken.CHANGED, State.IN_PROGRESS)
    assert found(worklist, key("PatientID", "P7")) == ["S1"]


# -- performed


def test_a_step_follows_what_is_performed_of_it(worklist: Worklist) -> None:
    [step] = worklist.schedule([item("S1")], "test")
    worklist.perform(PerformedStep.new("1.9.1", created(), "CT1"))
    assert worklist.get(step.step_id).state is State.IN_PROGRESS
    with pytest.raises(StepUnderWay):
        worklist.remove(step.step_id)
    worklist.perform(PerformedStep.new("1.9.2", created(), "CT1"))
    worklist.set_performed("1.9.1", ended("1.2.3.4.1"))
    assert worklist.get(step.step_id).state is State.IN_PROGRESS, "the other one is not done"
    worklist.set_performed("1.9.2", ended(status="DISCONTINUED", PerformedSeriesSequence=""))
    assert worklist.get(step.step_id).state is State.COMPLETED
    assert [one.sop_instance_uid for one in worklist.performed_of(step.step_id)] == ["1.9.1", "1.9.2"]
    assert [one.sop_instance_uid for one in worklist.newest_performed(10)] == ["1.9.2", "1.9.1"]
    assert worklist.newest_performed(1, 1)[0].sop_instance_uid == "1.9.1"


def test_a_step_that_was_chosen_by_mistake_is_scheduled_again(worklist: Worklist) -> None:
    [step] = worklist.schedule([item("S1")], "test")
    worklist.perform(PerformedStep.new("1.9", created(), "CT1"))
    code = {"CodeValue": "110514", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Incorrect worklist entry selected"}
    reason = {"PerformedProcedureStepDiscontinuationReasonCodeSequence": [code]}
    worklist.set_performed("1.9", ended(status="DISCONTINUED", PerformedSeriesSequence="", **reason))
    assert worklist.get(step.step_id).state is State.SCHEDULED
    worklist.perform(PerformedStep.new("1.10", created(), "CT1"))
    worklist.set_performed("1.10", ended(status="DISCONTINUED"))
    assert worklist.get(step.step_id).state is State.DISCONTINUED


def test_an_order_that_comes_after_the_modality_has_begun(worklist: Worklist) -> None:
    worklist.perform(PerformedStep.new("1.9", created(), "CT1"))
    [step] = worklist.schedule([item("S1")], "test")
    assert step.state is State.IN_PROGRESS


def test_a_modality_that_made_a_study_of_its_own(worklist: Worklist) -> None:
    [step] = worklist.schedule([item("S1")], "test")
    worklist.perform(PerformedStep.new("1.9", created(study="1.77", PatientID="P2"), "CT1"))
    assert worklist.get(step.step_id).state is State.SCHEDULED, "another patient"
    worklist.perform(PerformedStep.new("1.10", created(study="1.77"), "CT1"))
    assert worklist.get(step.step_id).state is State.IN_PROGRESS
    worklist.set_performed("1.10", ended("1.2.3.4.1"))
    assert worklist.get(step.step_id).state is State.COMPLETED
    worklist.perform(PerformedStep.new("1.11", created(step_id=""), "CT1"))
    assert worklist.performed("1.11").scheduled == ()


def test_what_an_n_create_must_have(worklist: Worklist) -> None:
    full = created()
    for missing in full:
        with pytest.raises(MissingAttribute):
            worklist.perform(PerformedStep.new("1.9", {k: v for k, v in full.items() if k != missing}, "CT1"))
    for keyword in (
        "PerformedProcedureStepID",
        "PerformedStationAETitle",
        "Modality",
        "ScheduledStepAttributesSequence",
    ):
        with pytest.raises(MissingAttributeValue, match=keyword):
            worklist.perform(PerformedStep.new("1.9", created(**{keyword: ""}), "CT1"))
    for keyword, value in (
        ("PerformedProcedureStepStatus", "COMPLETED"),
        ("PerformedProcedureStepStatus", "STARTED"),
        ("PerformedProcedureStepStartDate", "20261301"),
    ):
        with pytest.raises(InvalidAttributeValue, match=keyword):
            worklist.perform(PerformedStep.new("1.9", created(**{keyword: value}), "CT1"))
    with pytest.raises(MissingAttribute, match=r"ScheduledStepAttributesSequence\.AccessionNumber"):
        worklist.perform(PerformedStep.new("1.9", _without_accession(), "CT1"))
    assert worklist.newest_performed(1) == []
    worklist.perform(PerformedStep.new("1.9", full, "CT1"))
    with pytest.raises(PerformedStepExists):
        worklist.perform(PerformedStep.new("1.9", full, "CT1"))


def _without_accession() -> dict[str, object]:
    whole = created()
    [scheduled] = whole["00400270"]["Value"]
    return {**whole, "00400270": {"vr": "SQ", "Value": [{k: v for k, v in scheduled.items() if k != "00080050"}]}}


def test_what_an_n_set_may_change(worklist: Worklist) -> None:
    with pytest.raises(PerformedStepNotFound):
        worklist.set_performed("1.9", ended("1"))
    worklist.perform(PerformedStep.new("1.9", created(), "CT1"))
    worklist.set_performed("1.9", attributes(PerformedProcedureStepDescription="THORAX", PatientID="P1"))
    for keyword, value in (("PatientID", "P2"), ("Modality", "MR"), ("PerformedProcedureStepStartTime", "11")):
        with pytest.raises(UnexpectedAttribute, match=keyword):
            worklist.set_performed("1.9", attributes(**{keyword: value}))
    with pytest.raises(InvalidAttributeValue):
        worklist.set_performed("1.9", attributes(PerformedProcedureStepStatus="DONE"))
    for missing in ("PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime", "PerformedSeriesSequence"):
        with pytest.raises(MissingAttributeValue, match=missing):
            worklist.set_performed("1.9", ended("1.2.3.4.1", **{missing: ...}))
    with pytest.raises(MissingAttributeValue, match=r"PerformedSeriesSequence\.ProtocolName"):
        series = {"SeriesInstanceUID": "1.2.3.4", "ProtocolName": ""}
        worklist.set_performed("1.9", ended(PerformedSeriesSequence=[series]))
    assert worklist.performed("1.9").state is State.IN_PROGRESS
    worklist.set_performed("1.9", ended("1.2.3.4.1"))
    for modifications in (attributes(PerformedProcedureStepStatus="IN PROGRESS"), attributes(), ended("1.2.3.4.1")):
        with pytest.raises(PerformedStepEnded):
            worklist.set_performed("1.9", modifications)
    assert worklist.performed("1.9").attributes["00400254"]["Value"] == ["THORAX"]


# -- on the disk


def test_progress_says_which_instances_are_missing() -> None:
    archive = Archive.in_memory(LIMITS)
    [step] = archive.worklist.schedule([item("S1")], "test")
    archive.worklist.perform(PerformedStep.new("1.9", created(), "CT1"))
    archive.worklist.set_performed("1.9", ended("1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"))
    archive.store([incoming(make_instance("1.2.3.4.2")), incoming(make_instance("1.2.3.5.1", series="1.2.3.5"))])
    [one] = progress(archive, archive.worklist.performed("1.9"))
    assert (one.made.series_instance_uid, one.stored_count, one.missing) == ("1.2.3.4", 1, ("1.2.3.4.1", "1.2.3.4.3"))
    assert [(s.series_instance_uid, s.instance_count) for s in stored_series(archive, step)] == [
        ("1.2.3.4", 1),
        ("1.2.3.5", 1),
    ]


def test_images_that_name_the_step_are_seen_without_any_report() -> None:
    archive = Archive.in_memory(LIMITS)
    [step] = archive.worklist.schedule([item("S1")], "test")
    request = sequence_bytes(0x00400275, element(0x00400009, "SH", b"S1"))
    before, pixels, behind = make_instance("1.2.3.4.1").partition(b"\xe0\x7f\x10\x00OW")
    other = make_instance("1.2.3.5.1", series="1.2.3.5")
    archive.store([incoming(before + request + pixels + behind), incoming(other)])
    assert {s.series_instance_uid: s.is_of_step for s in stored_series(archive, step)} == {
        "1.2.3.4": True,
        "1.2.3.5": False,
    }


def test_a_worklist_outlives_a_restart_and_the_loss_of_the_index(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    archive.store([incoming(make_instance())])
    assert not (tmp_path / "worklist.lmdb").exists()
    assert archive.worklist.find(StepQuery()).steps == ()
    archive.worklist.schedule([item("S1")], "test")
    archive.worklist.perform(PerformedStep.new("1.9", created(), "CT1"))
    before = archive.worklist.dump()
    archive.close()
    shutil.rmtree(tmp_path / "index.lmdb")
    reindex(tmp_path, LIMITS)
    archive = Archive.open(tmp_path, LIMITS, mode="read")
    assert archive.worklist.dump() == before
    assert archive.worklist.find(StepQuery()).steps[0].state is State.IN_PROGRESS
    with pytest.raises(ArchiveReadOnly):
        archive.worklist.schedule([item("S2")], "test")
    archive.close()


def test_a_reader_sees_the_worklist_that_another_process_begins(tmp_path: Path) -> None:
    Archive.open(tmp_path, LIMITS).close()
    reader = Archive.open(tmp_path, LIMITS, mode="read")
    assert reader.worklist.find(StepQuery()).steps == ()
    writer = Worklist(tmp_path, LIMITS, True)
    writer.schedule([item("S1")], "test")
    writer.close()
    assert len(reader.worklist.find(StepQuery()).steps) == 1
    reader.close()


def test_a_worklist_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "worklist.lmdb").mkdir()
    (tmp_path / "worklist.lmdb" / "data.mdb").write_bytes(b"nothing of the kind" * 1000)
    worklist = Worklist(tmp_path, LIMITS, True)
    with pytest.raises(WorklistMismatch, match="backup"):
        worklist.find(StepQuery())


def test_bounds(tmp_path: Path) -> None:
    limits = Limits(
        worklist_steps_max=2, worklist_step_bytes_max=4096, performed_steps_max=1, performed_step_bytes_max=4096
    )
    worklist = Worklist(None, limits, True)
    with pytest.raises(TooLarge, match="worklist_step_bytes_max"):
        worklist.schedule([item("S1", PatientComments="x" * 5000)], "test")
    worklist.schedule([item("S1"), item("S2")], "test")
    with pytest.raises(TooLarge, match="worklist_steps_max"):
        worklist.schedule([item("S3")], "test")
    worklist.perform(PerformedStep.new("1.1", created(), "CT1"))
    with pytest.raises(TooLarge, match="performed_step_bytes_max"):
        worklist.set_performed("1.1", ended(*(f"1.2.3.4.{i}" for i in range(100))))
    with pytest.raises(TooLarge, match="performed_steps_max"):
        worklist.perform(PerformedStep.new("1.2", created(), "CT1"))


def test_old_steps_go_by_themselves(worklist: Worklist) -> None:
    worklist.schedule([item("S1", **{DAY: "20200131"}), item("S2", **{DAY: "29991230"})], "test")
    long_ago = PerformedStep.new("1.1", created(), "CT1")
    worklist.perform(replace(long_ago, created_ns=1, changed_ns=1))
    # As if both had been made long ago: S2 is still to come.
    for step_id in ("S1", "S2"):
        step = worklist.get(identity("1.2.3", step_id))
        _age(worklist, step.step_id)
    worklist.schedule([item("S3", ScheduledProcedureStepStartDate="29991231")], "test")
    assert found(worklist) == ["S2", "S3"]
    worklist.perform(PerformedStep.new("1.2", created(), "CT1"))
    assert [one.sop_instance_uid for one in worklist.newest_performed(10)] == ["1.2"]
    assert [k for k, _ in worklist.dump()["links"]] == [identity("1.2.3", "S1").encode() + b"1.2"]


def _age(worklist: Worklist, step_id: str) -> None:
    from engine.archive.worklist.scheduling import get_step, put_step

    def work(txn):  # type: ignore[no-untyped-def]
        before = get_step(txn, step_id)
        put_step(txn, replace(before, changed_ns=1), before, LIMITS)

    worklist._environment.write(work)


# -- items


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        ({"PatientName": ...}, MissingAttribute, "PatientName"),
        ({"PatientID": ""}, MissingAttributeValue, "PatientID"),
        ({"ScheduledStationAETitle": ...}, MissingAttribute, "ScheduledProcedureStepSequence.ScheduledStationAETitle"),
        ({"ScheduledProcedureStepStartTime": ""}, MissingAttributeValue, "ScheduledProcedureStepStartTime"),
        ({"ScheduledProcedureStepStartDate": "20260230"}, InvalidAttributeValue, "ScheduledProcedureStepStartDate"),
        ({"ScheduledProcedureStepStartTime": "2460"}, InvalidAttributeValue, "ScheduledProcedureStepStartTime"),
        ({"ScheduledStationAETitle": "A" * 17}, InvalidAttributeValue, "ScheduledStationAETitle"),
        ({"Modality": "ct"}, InvalidAttributeValue, "Modality"),
        ({"PatientName": "X" * 65}, InvalidAttributeValue, "PatientName"),
        ({"ScheduledProcedureStepStatus": "SOON"}, InvalidAttributeValue, "ScheduledProcedureStepStatus"),
        ({"ReferencedPatientSequence": [{"ReferencedSOPInstanceUID": "1.02"}]}, InvalidAttributeValue, "UID"),
        ({"PatientWeight": "heavy"}, InvalidAttributeValue, "PatientWeight"),
        ({"PatientBirthDate": "1970"}, InvalidAttributeValue, "PatientBirthDate"),
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_says_what_is_wrong_and_nothing_of_the_patient(
    change: dict[str, object], error: type[Exception], named: str
) -> None:
    check(item())
    with pytest.raises(error, match=named) as raised:
        check(item(**change))
    assert not any(str(value) in str(raised.value) for value in change.values() if len(str(value)) > 15)


def test_items_of_an_order_with_two_steps_and_animals_attributes() -> None:
    animal = {
        "PatientSpeciesDescription": "CANINE",
        "PatientSpeciesCodeSequence": [
            {"CodeValue": "448771007", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Canis lupus subspecies familiaris"}
        ],
        "PatientBreedDescription": "Bull terrier",
        "PatientBreedCodeSequence": "",
        "BreedRegistrationSequence": "",
        "ResponsiblePerson": "DOE^JOHN",
        "ResponsiblePersonRole": "OWNER",
        "ResponsibleOrganization": "Kennel",
        "PatientSexNeutered": "ALTERED",
    }  # fmt: skip
    order = item("S1", **animal)
    order["00400100"]["Value"].append({**order["00400100"]["Value"][0], "00400009": {"vr": "SH", "Value": ["S2"]}})
    read = from_json(order, Limits())
    assert read == order
    both = list(split(read))
    assert [one["00400100"]["Value"][0]["00400009"]["Value"] for one in both] == [["S1"], ["S2"]]
    for one in both:
        check(one)
        assert {k: v for k, v in one.items() if k != "00400100"} == {k: v for k, v in order.items() if k != "00400100"}
