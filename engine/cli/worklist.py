"""`voxcast worklist`: worklist files into the archive, and what is planned; beside a running server too (docs/worklist.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from engine.archive.archive import Archive
from engine.archive.searchable import check_value
from engine.archive.worklist.records import ScheduledStep, StepQuery
from engine.archive.worklist.worklist import Worklist
from engine.cli.opening import existing
from engine.cli.terminal import DONE, FAILED, Terminal, plural
from engine.dicom.canonical import from_part10
from engine.dicom.dictionary import keyword_of
from engine.dicom.query import Match
from engine.dicom.scheduled_step import (
    DATE,
    MODALITY,
    PATIENT_ID,
    PROCEDURE_ID,
    STATION,
    STEP,
    STEP_ID,
    STUDY_UID,
    State,
    check,
    completed,
    split,
    step_of,
    text_of,
)
from engine.dicom.uid import derived_uid
from engine.errors import ArchiveFault, EngineError, InvalidParameter, TooLarge
from engine.limits import Limits
from engine.settings import Settings

_PAGE = 1000


def import_files(settings: Settings, paths: list[Path], terminal: Terminal) -> int:
    """Every file, and of folders those whose name ends in ``.wl``, as DCMTK's wlmscpfs keeps them."""
    assert settings.archive is not None
    archive = Archive.open(settings.archive, settings.limits, on_conflict=settings.on_conflict)
    outcomes: Counter[str] = Counter()
    try:
        for path in _files(paths):
            try:
                for step, outcome in _import(archive.worklist, path, settings.limits):
                    outcomes[outcome] += 1
                    study = text_of(step.attributes, STUDY_UID)
                    terminal.result(
                        {"file": str(path), "outcome": outcome, "id": step.step_id, "study_instance_uid": study}
                    )
            except ArchiveFault as error:
                terminal.say(f"voxcast: {error}")
                outcomes["failed"] += 1
                break
            except (EngineError, OSError) as error:
                outcomes["failed"] += 1
                terminal.say(f"failed: {path}: {error}")
                terminal.result({"file": str(path), "outcome": "failed", "reason": str(error)})
    finally:
        archive.close()
    names = ("stored", "changed", "unchanged", "failed")
    text = f"{plural(outcomes['stored'], 'step')} stored, " + ", ".join(f"{outcomes[n]} {n}" for n in names[1:])
    terminal.result({"summary": {name: outcomes[name] for name in names}}, text)
    return FAILED if outcomes["failed"] else DONE


def show(
    settings: Settings,
    day: str,
    station: str,
    modality: str,
    patient_id: str,
    states: list[str],
    terminal: Terminal,
) -> int:
    """A line for each step, in order of start."""
    keys = {
        (STEP, DATE): ("DA", date.today().strftime("%Y%m%d") if day == "today" else day),
        (STEP, STATION): ("AE", station),
        (STEP, MODALITY): ("CS", modality),
        (PATIENT_ID,): ("LO", patient_id),
    }
    for path, (vr, value) in keys.items():
        check_value(keyword_of(path[-1]), vr, value)
    matches = tuple(
        Match(path[-1], vr, value, path if len(path) > 1 else ()) for path, (vr, value) in keys.items() if value
    )
    query = StepQuery(matches=matches, states=_states(states), limit=_PAGE)
    archive = Archive.open(existing(settings), settings.limits, mode="read")
    try:
        for step in _all(archive.worklist, query):
            terminal.result(
                {
                    "id": step.step_id,
                    "state": step.state,
                    "start": step.stamp.strip(),
                    "attributes": step.attributes,
                },
                _line(step),
            )
    finally:
        archive.close()
    return DONE


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.suffix.lower() == ".wl" and one.is_file())
        else:
            yield path


def _import(worklist: Worklist, path: Path, limits: Limits) -> Iterator[tuple[ScheduledStep, str]]:
    size = path.stat().st_size
    if size > limits.metadata_bytes_max:
        raise TooLarge("the file", size, limits.metadata_bytes_max, "limits.metadata_bytes_max")
    whole = from_part10(path.read_bytes(), limits)
    items = []
    for number, one in enumerate(split(whole), 1):
        # The same file again must be the same step: what it lacks is derived from what it has.
        seed = repr(sorted(whole.items()))
        digits = derived_uid("worklist", seed, str(number)).rpartition(".")[2]
        made = {
            STUDY_UID: derived_uid("worklist study", seed),
            PROCEDURE_ID: f"R{digits[-15:]}",
            STEP_ID: f"S{digits[-15:]}",
        }
        item = completed(one, made)
        check(item, is_strict=False)
        items.append(item)
    for item in items:
        step, outcome = worklist.take(item, "import")
        yield step, str(outcome)


def _states(names: list[str]) -> frozenset[State]:
    try:
        return frozenset(State(name.upper()) for name in names) or frozenset(State)
    except ValueError:
        raise InvalidParameter("--state", " ".join(names), "of " + ", ".join(State)) from None


def _all(worklist: Worklist, query: StepQuery) -> Iterator[ScheduledStep]:
    while True:
        page = worklist.find(query)
        yield from page.steps
        if not page.has_more:
            return
        query = replace(query, after=page.cursor)


def _line(step: ScheduledStep) -> str:
    item, stamp = step_of(step.attributes), step.stamp
    when = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[8:10]}:{stamp[10:12]}"
    return "  ".join(
        (
            when,
            f"{step.state:<12}",
            f"{text_of(item, STATION):<16}",
            f"{text_of(item, MODALITY):<4}",
            f"{text_of(step.attributes, PATIENT_ID):<16}",
            step.step_id,
        )
    )
