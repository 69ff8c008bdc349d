"""JSON Schemas of the answers and of what stands inside braces in addresses (PS3.18 annex F, RFC 9457)."""

from __future__ import annotations

from typing import Any

from engine.dicom.defects import DEFECTS
from engine.dicom.scheduled_step import State
from engine.forwarding import PRIORITIES
from engine.settings import RENDITIONS

_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}


def _object(optional: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_WHEN = {"type": "string", "format": "date-time"}
_STEP = _object(
    id={"type": "string", "pattern": "^[0-9a-f]{32}$"},
    state={"type": "string", "enum": list(State)},
    created=_WHEN,
    changed=_WHEN,
    origin=_TEXT,
    attributes=_ref("DataSet"),
)
_SERIES = _object(
    seriesInstanceUID=_TEXT,
    modality=_TEXT,
    instances=_COUNT,
    isOfStep={"type": "boolean"},
)
_WHEN_OR_NEVER = {"type": ["string", "null"], "format": "date-time"}
_OUTBOX_PEER = _object(
    peer=_TEXT,
    inSettings={"type": "boolean"},
    entries=_COUNT,
    instances=_COUNT,
    givenUp=_COUNT,
    failedInstances=_COUNT,
    oldest=_WHEN_OR_NEVER,
    failures=_COUNT,
    nextCall=_WHEN_OR_NEVER,
    lastError=_TEXT,
    lastSent=_WHEN_OR_NEVER,
    sent=_COUNT,
    sentBytes=_COUNT,
    failed=_COUNT,
)
_OUTBOX_ENTRY = _object(
    id=_COUNT,
    peer=_TEXT,
    studyInstanceUID=_TEXT,
    reason=_TEXT,
    priority={"type": "string", "enum": list(PRIORITIES)},
    state={"type": "string", "enum": ["waiting", "given-up"]},
    created=_WHEN_OR_NEVER,
    next=_WHEN_OR_NEVER,
    attempts=_COUNT,
    lastError=_TEXT,
    waiting=_COUNT,
    sent=_COUNT,
    failed=_COUNT,
)

SCHEMAS: dict[str, dict[str, Any]] = {
    "Problem": _object(
        ("type", "studyInstanceUID", "seriesInstanceUID", "sopInstanceUID", "transferSyntaxUID"),
        type=_TEXT,
        title=_TEXT,
        status={"type": "integer", "minimum": 400, "maximum": 599},
        detail=_TEXT,
        studyInstanceUID=_TEXT,
        seriesInstanceUID=_TEXT,
        sopInstanceUID=_TEXT,
        transferSyntaxUID=_TEXT,
    ),
    "Element": {
        "type": "object",
        "properties": {
            "vr": {"type": "string", "pattern": "^[A-Z]{2}$"},
            "Value": {"type": "array"},
            "BulkDataURI": _TEXT,
            "InlineBinary": _TEXT,
        },
        "required": ["vr"],
        "additionalProperties": False,
    },
    "DataSet": {
        "type": "object",
        "patternProperties": {"^[0-9A-F]{8}$": _ref("Element")},
        "additionalProperties": False,
    },
    "Instances": _array(_ref("DataSet")),
    "Rows": {**_array(_ref("DataSet")), "minItems": 1},
    "StoreResponse": _ref("DataSet"),
    "Deleted": _object(deleted=_COUNT),
    "Stats": {"type": "object", "required": ["studies", "series", "instances"]},
    "Renditions": _object(
        mode={"type": "string", "enum": list(RENDITIONS)},
        packs=_COUNT,
        bytes=_COUNT,
        bytesMax=_COUNT,
        making={
            "type": ["object", "null"],
            "properties": {"studyInstanceUID": _TEXT, "seriesInstanceUID": _TEXT},
        },
        waiting=_COUNT,
    ),
    "SeriesAccount": _object(
        studyInstanceUID=_TEXT,
        seriesInstanceUID=_TEXT,
        instances=_COUNT,
        isWhole={"type": "boolean"},
        bytes=_COUNT,
        hash={"type": "string", "enum": ["SHA-256"]},
        replacing=_COUNT,
        sopClasses=_array(_object(uid=_TEXT, instances=_COUNT)),
        transferSyntaxes=_array(_object(uid=_TEXT, name=_TEXT, isLossless={"type": "boolean"}, instances=_COUNT)),
        sources=_array(_object(door=_TEXT, peer=_TEXT, called=_TEXT, instances=_COUNT)),
        defects=_array(_object(code=_TEXT, meaning=_TEXT, instances=_COUNT)),
        firstReceived=_WHEN_OR_NEVER,
        lastReceived=_WHEN_OR_NEVER,
    ),
    "SeriesRenditions": _object(
        isComplete={"type": "boolean"},
        bytes=_COUNT,
        coarseBytes=_COUNT,
        framesMade=_COUNT,
        framesKept=_COUNT,
        framesStored=_array(_object(reason=_TEXT, frames={"type": "integer", "minimum": 1})),
    ),
    "Asked": _object(isAsked={"type": "boolean"}),
    "Conflicts": _array(
        _object(
            sopInstanceUID=_TEXT,
            dataSetSHA256={"type": "string", "pattern": "^[0-9a-f]{64}$"},
            receivedNs=_COUNT,
            door=_TEXT,
            peer=_TEXT,
            isServed={"type": "boolean"},
        )
    ),
    "Defects": _array(_object(code=_TEXT, meaning=_TEXT, instances={"type": "integer", "minimum": 1})),
    "UIDs": _array(_TEXT),
    "Plan": _object(
        ("total", "candidates"),
        path=_TEXT,
        candidates={"type": ["integer", "null"]},
        checked=_array(_TEXT),
        rejected={"type": "array"},
        rows=_COUNT,
        total={"type": ["integer", "null"]},
        keys_read=_COUNT,
        ignored=_array(_TEXT),
        ms={"type": "number", "minimum": 0},
    ),
    "Changes": _object(
        epoch=_COUNT,
        first=_COUNT,
        last=_COUNT,
        next=_COUNT,
        more={"type": "boolean"},
        changes=_array(
            _object(
                ("sopInstanceUID",),
                sequence={"type": "integer", "minimum": 1},
                change=_TEXT,
                time={"type": "string", "format": "date-time"},
                studyInstanceUID=_TEXT,
                seriesInstanceUID=_TEXT,
                sopInstanceUID=_TEXT,
            )
        ),
    ),
    # One worklist item, bare or in an array; what it must have is said in words (docs/worklist.md).
    "WorklistItem": {"anyOf": [{"type": "object"}, {**_array({"type": "object"}), "minItems": 1, "maxItems": 1}]},
    "WorklistItems": {"anyOf": [{"type": "object"}, {**_array({"type": "object"}), "minItems": 1}]},
    "Step": _STEP,
    "Steps": _object(("more",), steps=_array(_ref("Step")), more={"type": "boolean"}),
    "StepProgress": {
        **_STEP,
        "properties": {**_STEP["properties"], "performed": _array(_ref("PerformedStep")), "series": _array(_SERIES)},
        "required": [*_STEP["required"], "performed", "series"],
    },
    "PerformedStep": _object(
        ("attributes",),
        sopInstanceUID=_TEXT,
        state={"type": "string", "enum": list(State)},
        created=_WHEN,
        changed=_WHEN,
        peer=_TEXT,
        steps=_array(_TEXT),
        series=_array(
            _object(
                seriesInstanceUID=_TEXT,
                protocolName=_TEXT,
                instances=_COUNT,
                stored=_COUNT,
                missing=_array(_TEXT),
            )
        ),
        attributes=_ref("DataSet"),
    ),
    "PerformedSteps": _object(performed=_array(_ref("PerformedStep")), more={"type": "boolean"}),
    "Outbox": _object(peers=_array(_OUTBOX_PEER), entries=_array(_ref("OutboxEntry")), more={"type": "boolean"}),
    "OutboxEntry": _OUTBOX_ENTRY,
    "OutboxEntryDetail": {
        **_OUTBOX_ENTRY,
        "properties": {
            **_OUTBOX_ENTRY["properties"],
            "instances": _array(
                _object(seriesInstanceUID=_TEXT, sopInstanceUID=_TEXT, attempts=_COUNT, error=_TEXT),
            ),
        },
        "required": [*_OUTBOX_ENTRY["required"], "instances"],
    },
    "OutboxChanged": _object(entries=_COUNT),
    "OpenAPI": {"type": "object", "required": ["openapi", "info", "paths"]},
}

_UID = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[0-9]+(\.[0-9]+)*$"}
# What stands inside the braces of an address: meaning, schema, example. By the address where its word has two meanings.
IN_PATHS: dict[str, tuple[str, dict[str, Any], str]] = {
    "study": ("Study Instance UID", _UID, "1.2.3"),
    "series": ("Series Instance UID", _UID, "1.2.3.4"),
    "instance": ("SOP Instance UID", _UID, "1.2.3.4.1"),
    "step": (
        "A scheduled procedure step, by the id that the worklist gives it",
        {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "0123456789abcdef0123456789abcdef",
    ),
    "entry": ("An entry of the outbox, by its number", {"type": "string", "pattern": "^[0-9]{1,15}$"}, "1"),
    "peer": ("A peer, by its name in the settings", {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}, "MAIN"),
    "frames": (
        "Frame numbers from 1, separated by commas, in the order in which they are wanted",
        {"type": "string", "pattern": r"^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*$"},
        "1",
    ),
    "path": (
        "A tag, or tag/item/tag…, as metadata gives it in BulkDataURI",
        {"type": "string", "pattern": r"^[0-9A-Fa-f]{8}(/[0-9]{1,9}/[0-9A-Fa-f]{8})*$"},
        "7FE00010",
    ),
    "/ohif/{path}": ("One of OHIF's files or addresses", {"type": "string"}, "app-config.js"),
    "level": ("What is searched for", {"type": "string", "enum": ["studies", "series", "instances"]}, "studies"),
    "code": ("A defect's code", {"type": "string", "enum": list(DEFECTS)}, next(iter(DEFECTS))),
    "name": ("One of the page's files", {"type": "string", "pattern": r"^[a-z]+\.[a-z]+$"}, "page.js"),
}
