"""Whatever path a worklist search takes, it finds what comparing every step finds, in order of start, page by page."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from worklists import item

from engine.archive.worklist.records import ScheduledStep, StepQuery
from engine.archive.worklist.worklist import Worklist
from engine.dicom.dictionary import keyword_of, tag_of, vr_of
from engine.dicom.matching import matches
from engine.dicom.query import Match
from engine.dicom.scheduled_step import SEARCHED, State, with_status
from engine.limits import Limits

PATHS = {path[-1]: path if len(path) > 1 else () for path in SEARCHED}
STATUSES = ("SCHEDULED", "ARRIVED", "STARTED", "COMPLETED", "CANCELED")
NAMES = ("DOE^JANE", "doe^john", "Müller^Jörg", "De la Cruz^Ana", "D^", "DOE")
VALUES = {
    "ScheduledStationAETitle": ("A", "AB", "B C"),
    "ScheduledProcedureStepStartDate": ("20260101", "20260102", "20260301"),
    "ScheduledProcedureStepStartTime": ("08", "0830", "083015", "083015.5", "2359"),
    "Modality": ("CT", "MR"),
    "PatientName": NAMES,
    "PatientID": ("P", "P1", "P 1"),
    "AccessionNumber": ("", "A1", "A2"),
    "RequestedProcedureID": ("R1", "R2"),
}
KEYS = {
    "ScheduledStationAETitle": ("A", "A\\B C", "A*", "?", "*"),
    "ScheduledProcedureStepStartDate": ("20260101", "20260102-", "-20260101", "20260101-20260201"),
    "ScheduledProcedureStepStartTime": ("08", "0830-09", "-0830", "083015"),
    "Modality": ("CT", "MR\\CT", "M*"),
    "PatientName": ("DOE*", "doe^jane", "*J*", "muller^jorg", "D?E", "de la*", "DOE^*", "d", "jö", "X*", "DOE\\D"),
    "PatientID": ("P1", "P*", "P 1", ""),
    "AccessionNumber": ("A1", "A1\\A2", "A?"),
    "RequestedProcedureID": ("R1", "R*"),
}


def chosen(table: dict[str, tuple[str, ...]], is_whole: bool) -> st.SearchStrategy[dict[str, str]]:
    each = {keyword: st.sampled_from(values) for keyword, values in table.items()}
    return st.fixed_dictionaries(each) if is_whole else st.fixed_dictionaries({}, optional=each)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(chosen(VALUES, True), st.sampled_from(STATUSES)), max_size=15),
    keys=chosen(KEYS, False),
    states=st.sets(st.sampled_from(State), min_size=1),
    fuzzy=st.booleans(),
    limit=st.integers(1, 5),
)
def test_every_path_finds_what_comparing_all_finds(
    rows: list[tuple[dict[str, str], str]], keys: dict[str, str], states: set[State], fuzzy: bool, limit: int
) -> None:
    worklist = Worklist(None, Limits(), True)
    items = [with_status(item(f"S{n}", **values), status) for n, (values, status) in enumerate(rows)]
    steps = worklist.schedule(items, "test")
    wanted = [Match(tag, vr_of(tag), value, PATHS[tag]) for tag, value in ((tag_of(k), v) for k, v in keys.items())]
    joined = ("ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime")
    both = all("-" in keys.get(keyword, "") for keyword in joined)
    alone = [one for one in wanted if not (both and keyword_of(one.tag) in joined)]
    expected = [
        one
        for one in sorted(steps, key=lambda s: (s.stamp, s.step_id))
        if one.state in states
        and all(matches(one.attributes, match, fuzzy) for match in alone)
        and (not both or within(one, keys))
    ]
    query, found = StepQuery(matches=tuple(wanted), states=frozenset(states), fuzzy=fuzzy, limit=limit), []
    while True:
        page = worklist.find(query)
        assert len(page.steps) <= limit
        found += page.steps
        if not page.has_more:
            break
        query = replace(query, after=page.cursor)
    assert found == expected


def within(step: ScheduledStep, keys: dict[str, str]) -> bool:
    """Date and time as one point, in one range: the plain reading of PS3.4 table K.6-1."""
    first_day, _, last_day = keys["ScheduledProcedureStepStartDate"].partition("-")
    first, _, last = keys["ScheduledProcedureStepStartTime"].partition("-")
    begin = (first_day + first).ljust(14, "0") if first_day else "0"
    end = (last_day + (last or "235959")).ljust(14, "9") if last_day else "9"
    at = step.stamp.replace(" ", "0")
    return begin <= at <= end
