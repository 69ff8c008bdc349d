"""How far a procedure step has come in this archive: which of the instances that a modality names are stored, which are not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from engine.archive.archive import Archive
from engine.archive.worklist.records import PerformedStep, ScheduledStep
from engine.dicom.dictionary import tag_of
from engine.dicom.performed_step import PerformedSeries, series_of
from engine.dicom.scheduled_step import STEP_ID, STUDY_UID, items_of, step_of, text_of
from engine.errors import StudyNotFound

_REQUEST = tag_of("RequestAttributesSequence")


@dataclass(frozen=True, slots=True)
class SeriesProgress:
    """One performed series: what the modality said that it made, and what of it has not come."""

    made: PerformedSeries
    missing: tuple[str, ...]

    @property
    def stored_count(self) -> int:
        return len(self.made.sop_instance_uids) - len(self.missing)


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """A series of the step's study that is in the archive.

    Attributes
    ----------
    is_of_step : the images themselves say that they were made for it (Request Attributes Sequence).
    """

    series_instance_uid: str
    modality: str
    instance_count: int
    is_of_step: bool


def progress(archive: Archive, performed: PerformedStep) -> list[SeriesProgress]:
    """Every series of a performed step."""
    return [
        SeriesProgress(made, tuple(archive.missing(made.sop_instance_uids))) for made in series_of(performed.attributes)
    ]


def stored_series(archive: Archive, step: ScheduledStep) -> Iterator[StoredSeries]:
    """What the archive holds of the study that a step is for."""
    try:
        found = archive.series_of(text_of(step.attributes, STUDY_UID))
    except StudyNotFound:
        return
    step_id = text_of(step_of(step.attributes), STEP_ID)
    for series in found:
        requests = items_of(json.loads(series.series_json), _REQUEST)
        yield StoredSeries(
            series.series_instance_uid,
            series.modality,
            series.instance_count,
            any(text_of(request, STEP_ID) == step_id for request in requests),
        )
