"""What the handler behind each address takes and gives: parameters, bodies, media types, statuses. Beside `routes`, one line each.

`openapi` and `wadl` are made from it; a test demands a line for every handler, another that no answer is outside its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.dicom.query import Level
from engine.web import (
    bulkdata,
    capabilities,
    changes,
    deleting,
    frame_forms,
    frames,
    health,
    management,
    metadata,
    ohif,
    outbox,
    page,
    provenance,
    qido,
    rendered,
    renditions,
    stow,
    stream,
    thumbnails,
    wado,
    wado_uri,
    worklist,
)
from engine.web.handling import Handler
from engine.web.negotiate import DATA_SETS, DICOM, DICOM_JSON, DICOM_XML, OCTET_STREAM, ZIP
from engine.web.parameters import (
    CHANGES,
    FSIZ,
    INCLUDEFIELD,
    NEGOTIATION,
    OUTBOX,
    PERFORMED,
    PRIORITY,
    RENDERING,
    RENDERING_OURS,
    TARGET,
    TEXT_NEGOTIATION,
    WADO_URI,
    WORKLIST,
    ZIPPED,
    Parameter,
    search_parameters,
)

WADL = "application/vnd.sun.wadl+xml"
_JSON, _TEXT = "application/json", "text/plain"
_IMAGES = ("image/jpeg", "image/jls", "image/jp2", "image/jphc", "image/jxl", "image/dicom-rle")

_DRAWN = ("image/jpeg", "image/png", "image/webp", "image/gif")
_FILES = (
    *("application/pdf", "text/xml", "application/sla", "model/stl", "model/obj", "model/mtl"),
    *("video/mpeg", "video/mp4", "video/mp2t", "video/quicktime", "video/h264", "video/h265", OCTET_STREAM),
)


def _in_parts(*media_types: str) -> tuple[str, ...]:
    return tuple(f'multipart/related; type="{one}"' for one in media_types)


@dataclass(frozen=True, slots=True)
class Face:
    """One handler as clients see it.

    Attributes
    ----------
    gives : media types of a success; the first is what a client gets that asks for nothing particular.
    schema : name of the JSON Schema of a JSON answer in `schemas.SCHEMAS`.
    statuses : that it answers with, beside those that every address may (`openapi.EVERYWHERE`).
    takes : media types of the request's body.
    body : name of the JSON Schema of a JSON body in `schemas.SCHEMAS`; empty where bodies are described elsewhere.
    clause : of PS3.18; empty for what is ours.
    """

    gives: tuple[str, ...]
    statuses: tuple[int, ...] = (200,)
    schema: str = ""
    parameters: tuple[Parameter, ...] = ()
    takes: tuple[str, ...] = ()
    clause: str = ""
    body: str = ""


_INSTANCES = Face(
    (*_in_parts(DICOM), DICOM, ZIP),
    (200, 206, 304, 404, 406, 416, 422),
    parameters=(*NEGOTIATION, *ZIPPED),
    clause="10.4.1.1.1",
)
_AS_DATA_SETS = (DICOM_JSON, *_in_parts(DICOM_XML), DICOM_XML)
_METADATA = Face(
    _AS_DATA_SETS, (200, 304, 404, 406), "Instances", (*TEXT_NEGOTIATION, INCLUDEFIELD), clause="10.4.1.1.2"
)
_PICTURES = Face(
    (*_DRAWN, *_in_parts(*_DRAWN)),
    (200, 304, 404, 406, 413, 422),
    parameters=(*RENDERING, *RENDERING_OURS),
    clause="10.4.1.1.3",
)
# Documents and videos come as the files that they are, in ranges too; an encapsulated document may be of any type.
_RENDERED = replace(
    _PICTURES,
    gives=(*_DRAWN, *_in_parts(*_DRAWN), *_FILES, *_in_parts(*_FILES)),
    statuses=(200, 206, 304, 404, 406, 413, 416, 422, 507),
)
_THUMBNAIL = replace(_PICTURES, gives=_DRAWN, clause="10.4.1.1.4")
_PAGE = Face(("text/html",), (200, 304, 404))
_PAGE_FILES = ("text/html", "text/css", "text/javascript", "image/svg+xml")
_CHANGING = (409, 413, 415, 417, 507)  # of the worklist


def _search(level: Level) -> Face:
    return Face(_AS_DATA_SETS, (200, 204, 406), "Rows", search_parameters(level), clause="10.6")


def _json(schema: str, *statuses: int) -> Face:
    return Face((_JSON,), (200, *statuses), schema)


def _form(*parameters: Parameter) -> Face:
    gives = (*_in_parts(OCTET_STREAM, *_IMAGES), OCTET_STREAM, *_IMAGES)
    return Face(gives, (200, 206, 304, 404, 406, 413, 416, 422), parameters=(*NEGOTIATION, *parameters, PRIORITY))


FACES: Mapping[Handler, Face] = {
    frames.retrieve_frames: Face(
        (*_in_parts(OCTET_STREAM, *_IMAGES), OCTET_STREAM, *_IMAGES),
        (200, 206, 304, 404, 406, 413, 416, 422),
        parameters=(*NEGOTIATION, FSIZ, PRIORITY),
        clause="10.4.1.1.6",
    ),
    frame_forms.retrieve_htj2k: _form(FSIZ),
    frame_forms.retrieve_htj2k_thumbnail: _form(FSIZ),
    frame_forms.retrieve_jls: _form(),
    frame_forms.retrieve_jls_thumbnail: _form(FSIZ),
    frame_forms.retrieve_lossy: _form(),
    frame_forms.retrieve_jpip: _form(TARGET, FSIZ),
    rendered.retrieve_rendered_frames: _PICTURES,
    rendered.retrieve_rendered_instance: _RENDERED,
    rendered.retrieve_rendered_series: _RENDERED,
    rendered.retrieve_rendered_study: _RENDERED,
    thumbnails.retrieve_study_thumbnail: _THUMBNAIL,
    thumbnails.retrieve_series_thumbnail: _THUMBNAIL,
    thumbnails.retrieve_rendered_instance_thumbnail: _THUMBNAIL,
    thumbnails.retrieve_frame_thumbnail: _THUMBNAIL,
    stow.store_instances: Face(
        _AS_DATA_SETS,
        (200, 202, 406, 409, 413, 415, 417, 507),
        "StoreResponse",
        TEXT_NEGOTIATION,
        (*_in_parts(DICOM, *DATA_SETS), DICOM, *DATA_SETS),
        "10.5",
    ),
    qido.search_for_studies: _search(Level.STUDY),
    qido.search_for_series: _search(Level.SERIES),
    qido.search_for_instances: _search(Level.INSTANCE),
    qido.explain: Face((_JSON,), (200,), "Plan", search_parameters(Level.STUDY)),
    wado.retrieve_study: _INSTANCES,
    wado.retrieve_series: _INSTANCES,
    wado.retrieve_instance: _INSTANCES,
    wado_uri.retrieve: Face(
        (*_DRAWN, DICOM, *_FILES),
        (200, 206, 304, 404, 406, 413, 416, 422, 501, 507),
        parameters=WADO_URI,
        clause="9",
    ),
    metadata.retrieve_study_metadata: _METADATA,
    metadata.retrieve_series_metadata: _METADATA,
    metadata.retrieve_instance_metadata: _METADATA,
    bulkdata.retrieve_bulk_value: Face(
        (*_in_parts(OCTET_STREAM), OCTET_STREAM, *_FILES[:-1], *_in_parts(*_FILES[:-1])),
        (200, 206, 304, 404, 406, 416),
        parameters=NEGOTIATION,
        clause="10.4.1.1.5",
    ),
    changes.changes: Face((_JSON, "text/event-stream"), (200, 406, 410), "Changes", CHANGES),
    deleting.delete: _json("Deleted", 404),
    worklist.search_for_steps: Face((_JSON,), (200,), "Steps", WORKLIST),
    worklist.schedule: Face((_JSON,), (201, *_CHANGING), "Steps", takes=(DICOM_JSON, _JSON), body="WorklistItems"),
    worklist.retrieve_step: _json("StepProgress", 404),
    worklist.replace_step: Face(
        (_JSON,), (200, 404, *_CHANGING), "Step", takes=(DICOM_JSON, _JSON), body="WorklistItem"
    ),
    worklist.change_step: Face(
        (_JSON,), (200, 404, *_CHANGING), "Step", takes=(DICOM_JSON, _JSON), body="WorklistItem"
    ),
    worklist.remove_step: _json("Deleted", 404, 409, 507),
    worklist.list_performed: Face((_JSON,), (200,), "PerformedSteps", PERFORMED),
    worklist.retrieve_performed: _json("PerformedStep", 404),
    outbox.view: Face((_JSON,), (200,), "Outbox", OUTBOX),
    outbox.retrieve_entry: _json("OutboxEntryDetail", 404),
    outbox.retry_entry: _json("OutboxChanged", 404, 507),
    outbox.cancel_entry: _json("OutboxChanged", 404, 507),
    outbox.retry_peer: _json("OutboxChanged", 507),
    outbox.cancel_peer: _json("OutboxChanged", 507),
    management.stats: _json("Stats"),
    provenance.series: _json("SeriesAccount", 404),
    renditions.show: _json("Renditions"),
    renditions.show_series: _json("SeriesRenditions", 404),
    renditions.make: Face((_JSON,), (202, 404), "Asked"),
    renditions.drop: _json("Deleted", 404),
    management.conflicts: _json("Conflicts"),
    management.defects: _json("Defects"),
    management.with_defect: _json("UIDs"),
    capabilities.retrieve_capabilities: Face((_JSON, WADL), (200, 304, 406), parameters=TEXT_NEGOTIATION, clause="8.9"),
    capabilities.describe: _json("OpenAPI", 304),
    health.alive: Face((_TEXT,)),
    health.ready: Face((_TEXT,), (200, 503)),
    health.metrics: Face((_TEXT,)),
    stream.stream: Face((), (101, 403, 426)),
    ohif.redirect: Face((), (302,)),
    ohif.page: Face(
        (
            *("text/html", "text/css", "text/javascript", _JSON, "image/svg+xml", "application/wasm", "font/woff2"),
            *("image/png", "image/x-icon", "application/xml", OCTET_STREAM),
        ),
        (200, 206, 304, 404, 416),
    ),
    page.index: _PAGE,
    page.static: Face((*_PAGE_FILES, "application/wasm"), _PAGE.statuses),
    page.plain_index: _PAGE,
    page.plain_static: Face(_PAGE_FILES, _PAGE.statuses),
}
