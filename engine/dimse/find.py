"""C-FIND in the Patient and Study Root information models: the searches of QIDO-RS behind another door (PS3.4 annex C.4.1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from engine.archive.archive import Archive
from engine.archive.including import complete
from engine.dicom.query import Level, Match, Query
from engine.dimse.association import Association, Message
from engine.dimse.data_set import decode, encode
from engine.dimse.identifier import Asked, Attributes, make_answer, read_identifier
from engine.dimse.status import CANCELLED, PENDING, PENDING_WITHOUT_SOME_KEYS, SUCCESS, status_of
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.dimse.services import Services

_LOG = logging.getLogger(__name__)
_PAGE_ROWS = 1000  # held in memory at a time; no index transaction is open while they are sent
LEVELS: dict[str, tuple[str, ...]] = {
    PatientRootQueryRetrieveInformationModelFind: ("PATIENT", "STUDY", "SERIES", "IMAGE"),
    StudyRootQueryRetrieveInformationModelFind: ("STUDY", "SERIES", "IMAGE"),
}
_PATIENT_ID, _ISSUER = "00100020", "00100021"
_RELATED = {"00201200": "studies", "00201202": "series", "00201204": "instances"}


def serve(association: Association, message: Message, services: Services) -> None:
    """Answer one C-FIND request: each match as pending, then the end; a cancel is seen between two matches."""
    archive, model = services.archive, message.context.abstract_syntax
    try:
        identifier = decode(message)
        asked = read_identifier(identifier, LEVELS[model], is_fuzzy=is_fuzzy(association, model))
        status = PENDING_WITHOUT_SOME_KEYS if asked.is_ignoring else PENDING
        for found in _patients(archive, asked) if asked.level == "PATIENT" else _rows(archive, asked):
            if association.is_cancelled(message.command.message_id):
                association.respond(message, CANCELLED)
                return
            answer = make_answer(found, asked, services.settings.aet)
            association.respond(message, status, encode(answer, message.context.transfer_syntax))
    except EngineError as error:
        _LOG.warning("a query from %s was refused: %s", association.peer, error)
        association.respond(message, status_of(error), comment=str(error))
        return
    association.respond(message, SUCCESS)


def is_fuzzy(association: Association, model: str) -> bool:
    """Whether the association has agreed on fuzzy matching of names (PS3.4 C.5.1.1)."""
    agreed = association.extended.get(model, b"")
    return len(agreed) > 2 and agreed[2] == 1


def agree(sop_class_uid: str, value: bytes) -> bytes | None:
    """What we take of the extended negotiation: relational queries and fuzzy names; not times joined with dates (PS3.4 C.5.1.1)."""
    if sop_class_uid not in LEVELS or not value:
        return None
    return bytes((value[0] & 1, 0, value[2] & 1 if len(value) > 2 else 0, 0, 0)[: max(len(value), 1)])


def _rows(archive: Archive, asked: Asked) -> Iterator[Attributes]:
    """Matches, page by page. One that moves to a later page, because a newer study came in between, is not given twice."""
    seen: set[tuple[str, str, str]] = set()
    offset = 0
    while True:
        query = replace(asked.query, limit=_PAGE_ROWS, offset=offset)
        page = archive.search(query)
        for found in complete(archive, page.rows, query):
            uids = (found.study_instance_uid, found.series_instance_uid, found.sop_instance_uid)
            if uids not in seen:
                seen.add(uids)
                yield found.attributes
        if not page.has_more or not page.rows:
            return
        offset += len(page.rows)


def _patients(archive: Archive, asked: Asked) -> Iterator[Attributes]:
    """Each patient once; who has no ID is the patient of its study alone."""
    wanted = [key for key in _RELATED if int(key, 16) in asked.returned]
    seen: set[tuple[str, ...]] = set()
    for study in _rows(archive, asked):
        known = tuple(str((study.get(key, {}).get("Value") or [""])[0]) for key in (_PATIENT_ID, _ISSUER))
        if known[0] and known in seen:
            continue
        seen.add(known)
        yield study | (_counted(archive, study, known, wanted) if wanted else {})


def _counted(archive: Archive, study: Attributes, known: tuple[str, ...], wanted: list[str]) -> Attributes:
    """Numbers of the patient's studies, series and instances (PS3.4 C.3.2)."""
    studies = [study]
    if known[0]:
        keys = tuple(
            Match(int(key, 16), "LO", value) for key, value in zip((_PATIENT_ID, _ISSUER), known, strict=True) if value
        )
        everything = Asked(Query(level=Level.STUDY, matches=keys), "STUDY", (), False, ())
        studies = list(_rows(archive, everything))
    count: dict[str, Callable[[], int]] = {
        "studies": lambda: len(studies),
        "series": lambda: sum(one["00201206"]["Value"][0] for one in studies),
        "instances": lambda: sum(one["00201208"]["Value"][0] for one in studies),
    }
    return {key: {"vr": "IS", "Value": [count[_RELATED[key]]()]} for key in wanted}
