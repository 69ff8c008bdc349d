"""Query parameters as tables: the handlers' parsers take their names from here, and what describes the server is made from it.

A parameter is described once; `openapi` and `wadl` say the same of it that the parser lets through, which a test of generated
requests holds (tests/integration/test_openapi_requests.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.archive.searchable import LEVEL_OF, pattern_of
from engine.dicom.caption import CaptionKind
from engine.dicom.dictionary import keyword_of, vr_of
from engine.dicom.query import Level
from engine.dicom.scheduled_step import SEARCHED, State
from engine.imaging.spec import IccProfile, Values

JsonSchema = Mapping[str, Any]
UID: JsonSchema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)*$", "maxLength": 64}
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?"
_NAME = r"([A-Za-z][A-Za-z0-9]*|[0-9A-Fa-f]{8})"
_TIMEZONE = 0x00080201  # Timezone Offset From UTC; says in which zone dates and times of keys are meant
_OFFSET = r"^([+-](0[0-9]|1[0-4])[0-5][0-9])?$"
_SWITCH: JsonSchema = {"type": "string", "enum": ["true", "false"]}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter.

    Attributes
    ----------
    schema : JSON Schema of its value; an array where several values stand in it, separated by commas.
    clause : of PS3.18; empty for what is ours.
    """

    name: str
    doc: str
    schema: JsonSchema
    clause: str = ""
    example: str = ""
    is_required: bool = False


def names(parameters: Iterable[Parameter]) -> frozenset[str]:
    return frozenset(one.name for one in parameters)


def _list(item: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": item, "minItems": 1}


def _choice(values: Iterable[str]) -> JsonSchema:
    return {"type": "string", "enum": list(values)}


ACCEPT = Parameter("accept", "Media types; stands above the header Accept.", {"type": "string"}, "8.3.3.1")
NEGOTIATION = (
    ACCEPT,
    Parameter("charset", "Taken, and without effect: here is no text.", {"type": "string"}, "8.3.3.2"),
)
FSIZ = Parameter(
    "fsiz",
    "Columns and rows: the resolution of a code stream that is no larger (`round-up`: no smaller; `closest`), as in JPIP.",
    {"type": "string", "pattern": "^[0-9]{1,6},[0-9]{1,6}(,(round-up|round-down|closest))?$"},
    example="128,128",
)
PRIORITY = Parameter(
    "priority",
    "As the header Priority (RFC 9218), for who cannot set it: `u=0` (first) to `u=7`, `i` for what is shown in parts.",
    {"type": "string"},  # what is not understood is passed over (RFC 9218 4)
    example="u=1,i",
)
TARGET = Parameter(
    "target",
    "A frame number. What cornerstone3D hangs on behind it, as in `1?fsiz=128,128`, is read as parameters.",
    {"type": "string", "pattern": r"^(/?frames/)?[1-9][0-9]{0,8}(\?.*)?$"},
    example="1",
    is_required=True,
)
_CHARSET_NAME = r"[A-Za-z0-9*][A-Za-z0-9.:_+-]{0,40}"
_WEIGHTED = rf"{_CHARSET_NAME}(;q=(1|0\.[1-9]))?"
# Of data sets as JSON and XML.
TEXT_NEGOTIATION = (
    ACCEPT,
    Parameter(
        "charset",
        "Names of character sets; UTF-8, which every answer is in, must be among them.",
        {
            "type": "string",
            "pattern": rf"^({_WEIGHTED},){{0,5}}[uU][tT][fF]-8(;q=(1|0\.[1-9]))?(,{_WEIGHTED}){{0,5}}$",
        },
        "8.3.3.2",
        "utf-8",
    ),
)

INCLUDEFIELD = Parameter(
    "includefield",
    "More attributes, by keyword, tag or path; `all` for a whole header.",
    _list({"type": "string", "pattern": rf"^{_NAME}(\.{_NAME})*$"}),
    "8.3.4.3",
    "StudyDescription",
)

# What of a search is not the name of an attribute.
SEARCH = (
    Parameter(
        "limit", "At most so many results.", {"type": "integer", "minimum": 0, "maximum": 999_999_999}, "8.3.4.4", "25"
    ),
    Parameter(
        "offset", "So many are left out.", {"type": "integer", "minimum": 0, "maximum": 999_999_999}, "8.3.4.4", "0"
    ),
    Parameter(
        "fuzzymatching",
        "Each word of a name begins some word of the stored one, in any order.",
        _SWITCH,
        "8.3.4.2",
        "true",
    ),
    Parameter("emptyvaluematching", 'The value "" finds what is empty or missing.', _SWITCH, "8.3.4.5"),
    Parameter("multiplevaluematching", "Taken, and always so.", _SWITCH, "8.3.4.6"),
    INCLUDEFIELD,
)
SEARCH_OURS = (
    Parameter(
        "q",
        "Each word begins some word of the patient's, the study's or the series' texts.",
        {"type": "string", "maxLength": 200},
        example="knee",
    ),
)

_CHARSET = Parameter(
    "charset",
    "Names of character sets, which pictures have none of.",
    {
        "type": "string",
        "pattern": rf"^{_CHARSET_NAME}(,{_CHARSET_NAME}){{0,20}}$",
    },
    "8.3.3.2",
)

# How a picture is drawn.
RENDERING = (
    ACCEPT,
    _CHARSET,
    Parameter(
        "window",
        "center,width[,function]",
        {
            "type": "string",
            "pattern": rf"^{_NUMBER},\+?([1-9][0-9]{{0,8}}(\.[0-9]*)?)(,(linear|linear-exact|sigmoid))?$",
        },
        "8.3.5.1.4",
        "40,400,linear",
    ),
    Parameter(
        "viewport",
        "width,height[,x,y,columns,rows]: the size on the screen, and the part of the image.",
        {
            "type": "string",
            "pattern": r"^[1-9][0-9]{0,3},[1-9][0-9]{0,3}(,[0-9]{1,4},[0-9]{1,4},[1-9][0-9]{0,3},[1-9][0-9]{0,3})?$",
        },
        "8.3.5.1.3",
        "256,256",
    ),
    Parameter("quality", "Of a JPEG.", {"type": "integer", "minimum": 1, "maximum": 100}, "8.3.5.1.2", "90"),
    Parameter("iccprofile", "Which colours, and whether the picture names them.", _choice(IccProfile), "8.3.5.1.5"),
    Parameter(
        "annotation",
        "Burns who the patient is, or how the image was made, into the corners.",
        _list(_choice(CaptionKind)),
        "8.3.5.1.1",
    ),
    Parameter("presentationUID", "A presentation state that the image is shown through.", UID, "9.5.1.2.7"),
    Parameter("presentationSeriesUID", "Its series.", UID, "9.5.1.2.7"),
)
RENDERING_OURS = (
    Parameter("voi", "The explanation of one of the header's windows or VOI LUTs.", {"type": "string"}),
    Parameter("values", "Which values a window is in.", _choice(Values)),
    Parameter("overlays", "Whether overlays are drawn.", _SWITCH),
    Parameter("segmentation", "Segmentations to show over the image.", _list(UID)),
    Parameter("opacity", "Of their segments.", {"type": "string", "pattern": r"^(0?\.[0-9]{1,6}|[01](\.0{0,6})?)$"}),
)


# A zip file of instances.
ZIPPED = (Parameter("dicomdir", "Of a zip file: false leaves the DICOMDIR out.", _SWITCH),)

# The feed of changes (docs/changes.md).
CHANGES_WAIT_S_MAX = 60
CHANGES_NUMBER_MAX = 2**63 - 1
CHANGES = (
    Parameter(
        "since",
        "A number that an earlier answer gave; without it: where the feed is now.",
        {"type": "integer", "minimum": 0, "maximum": CHANGES_NUMBER_MAX},
    ),
    Parameter("limit", "At most so many; limits.changes_per_answer_max above.", {"type": "integer", "minimum": 1}),
    Parameter(
        "wait",
        "Seconds to wait for a change where there is none.",
        {"type": "integer", "minimum": 0, "maximum": CHANGES_WAIT_S_MAX},
    ),
    Parameter("accept", "Media types; stands above the header Accept.", {"type": "string"}),
)

# The worklist and what was performed of it (docs/worklist.md).
_PAGE_OF_STEPS = (
    Parameter("limit", "At most so many.", {"type": "integer", "minimum": 1, "maximum": 1000}, example="25"),
    Parameter(
        "offset", "So many are left out.", {"type": "integer", "minimum": 0, "maximum": 999_999_999}, example="0"
    ),
)
WORKLIST_KEYS: Mapping[str, tuple[int, ...]] = {keyword_of(path[-1]): path for path in SEARCHED}
WORKLIST = (
    *_PAGE_OF_STEPS,
    Parameter("state", "Only steps in one of these states.", _list(_choice(State)), example=State.SCHEDULED),
    Parameter(
        "fuzzymatching",
        "Each word of a name begins some word of the stored one, in any order.",
        _SWITCH,
        example="true",
    ),
    *(
        Parameter(
            name,
            f"Matching key ({vr_of(path[-1])}).",
            {"type": "string", "pattern": form} if form else {"type": "string"},
        )
        for name, path in WORKLIST_KEYS.items()
        for form in (pattern_of(vr_of(path[-1])),)
    ),
)
PERFORMED = _PAGE_OF_STEPS

# What waits to be sent (docs/forwarding.md).
OUTBOX = (
    Parameter("peer", "Only what goes to this peer.", {"type": "string"}, example="MAIN"),
    Parameter(
        "limit", "At most so many entries.", {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}, example="25"
    ),
    Parameter(
        "behind",
        "Only entries of a higher number: the last one of the page before.",
        {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
        example="0",
    ),
)

# WADO-URI, which has names of its own for everything.
_SIDE: JsonSchema = {"type": "integer", "minimum": 1, "maximum": 1000}
_DECIMAL: JsonSchema = {"type": "string", "pattern": rf"^{_NUMBER}$", "maxLength": 40}
WADO_URI = (
    Parameter("requestType", "WADO", _choice(("WADO",)), "9.1.2.1.1", "WADO", is_required=True),
    Parameter("studyUID", "Study Instance UID.", UID, "9.1.2.1.2", "1.2.3", is_required=True),
    Parameter("seriesUID", "Series Instance UID.", UID, "9.1.2.1.3", "1.2.3.4", is_required=True),
    Parameter("objectUID", "SOP Instance UID.", UID, "9.1.2.1.4", "1.2.3.4.1", is_required=True),
    Parameter("contentType", "Media types; stands above the header Accept.", {"type": "string"}, "9.1.2.2.1"),
    replace(_CHARSET, clause="9.1.2.2.2"),
    Parameter("accept", "As contentType.", {"type": "string"}),
    Parameter("anonymize", "501: nothing is de-identified here.", _choice(("yes",)), "9.4.1.2.1"),
    Parameter("transferSyntax", "Of an instance that is given as DICOM.", UID, "9.4.1.2.3"),
    Parameter(
        "frameNumber",
        "From 1; without it the first, and all of them in one image/gif.",
        {"type": "integer", "minimum": 1},
        "9.5.1.2.1",
        "1",
    ),
    Parameter("imageAnnotation", "As annotation.", _list(_choice(CaptionKind)), "9.5.1.2.2"),
    Parameter("annotation", "What is burnt into the corners.", _list(_choice(CaptionKind))),
    Parameter(
        "imageQuality", "Of a JPEG or WebP.", {"type": "integer", "minimum": 1, "maximum": 100}, "9.5.1.2.3", "90"
    ),
    Parameter("rows", "Height that the picture fits into.", _SIDE, "9.5.1.2.4"),
    Parameter("columns", "Width that the picture fits into.", _SIDE, "9.5.1.2.4"),
    Parameter(
        "region",
        "left,top,right,bottom as parts of width and height.",
        {
            "type": "string",
            "pattern": r"^(0?\.[0-4][0-9]{0,3}|0),(0?\.[0-4][0-9]{0,3}|0),(0?\.[5-9][0-9]{0,3}|1),(0?\.[5-9][0-9]{0,3}|1)$",
        },
        "9.5.1.2.5",
        "0.2,0.2,0.8,0.8",
    ),
    Parameter("windowCenter", "With windowWidth.", _DECIMAL, "9.5.1.2.6"),
    Parameter("windowWidth", "With windowCenter.", _DECIMAL, "9.5.1.2.6"),
    Parameter("presentationUID", "With presentationSeriesUID: a presentation state.", UID, "9.5.1.2.7"),
    Parameter("presentationSeriesUID", "With presentationUID.", UID, "9.5.1.2.7"),
)


def search_parameters(level: Level) -> tuple[Parameter, ...]:
    """What a search at this level takes: options, order, and every attribute of its index."""
    tags = [tag for tag, of in sorted(LEVEL_OF.items()) if of <= level and vr_of(tag) != "SQ"]
    known = [keyword_of(tag) for tag in tags]
    order = Parameter(
        "orderby",
        "Sorted by these, a minus for descending.",
        _list(_choice([*known, *(f"-{name}" for name in known)])),
        example="-StudyDate",
    )
    keys = (Parameter(keyword_of(tag), f"Matching key ({vr_of(tag)}).", _key_schema(tag), "8.3.4.1") for tag in tags)
    return (*SEARCH, *SEARCH_OURS, order, *TEXT_NEGOTIATION, *keys)


def _key_schema(tag: int) -> JsonSchema:
    pattern = _OFFSET if tag == _TIMEZONE else pattern_of(vr_of(tag))
    return {"type": "string", "pattern": pattern} if pattern else {"type": "string"}


SEARCH_NAMES = names((*NEGOTIATION, *SEARCH, *SEARCH_OURS)) | {"orderby"}
NEGOTIATION_NAMES = names(NEGOTIATION)
RENDERING_NAMES = names((*RENDERING, *RENDERING_OURS))
WADO_URI_NAMES = names(WADO_URI)
CHANGES_NAMES = names(CHANGES)
