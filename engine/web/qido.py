"""QIDO-RS: searching for studies, series and instances (PS3.18 10.6, 8.3.4)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from aiohttp import web
from multidict import MultiMapping

from engine.archive.search import dump
from engine.dicom.dictionary import keyword_of, tag_of, vr_of
from engine.dicom.levels import INDEX_TAGS
from engine.dicom.query import Findings, Found, Level, Match, Query
from engine.errors import InvalidParameter
from engine.limits import Limits
from engine.web.errors import warning
from engine.web.negotiate import DICOM_JSON, choose
from engine.web.services import on, services

# Computed for each row, so searchable although no instance has them: availability, modalities, numbers of related objects.
_COMPUTED = {
    0x00080056: Level.STUDY,
    0x00080061: Level.STUDY,
    0x00201206: Level.STUDY,
    0x00201208: Level.STUDY,
    0x00201209: Level.SERIES,
}
_LEVEL_OF: Mapping[int, Level] = {tag: Level(max(level, 1)) for tag, level in INDEX_TAGS} | _COMPUTED
_MODALITY = 0x00080060  # at the study level it means: any series of the study has it
_RESERVED = frozenset({"limit", "offset", "fuzzymatching", "includefield", "accept"})


async def search_for_studies(request: web.Request) -> web.Response:
    """Studies whose attributes match every key."""
    return await _search(request, Level.STUDY)


async def search_for_series(request: web.Request) -> web.Response:
    """Series, of one study or of all."""
    return await _search(request, Level.SERIES)


async def search_for_instances(request: web.Request) -> web.Response:
    """Instances, of one series, of one study or of all."""
    return await _search(request, Level.INSTANCE)


def parse_query(parameters: MultiMapping[str], level: Level, study: str, series: str, limits: Limits) -> Query:
    """What the query string asks for.

    Raises
    ------
    InvalidParameter
        A name that is no attribute, or one that this level cannot be searched by. Never silently ignored: the answer
        would hold other patients than were asked for.
    """
    matches: list[Match] = []
    for name in dict.fromkeys(parameters):
        if name in _RESERVED:
            continue
        path = _path(name)
        _check_level(name, path, level)
        vr = vr_of(path[-1])
        value = "\\".join(parameters.getall(name))
        if vr == "CS":  # a code string has no comma; clients send one where they mean several values
            value = value.replace(",", "\\")
        matches.append(Match(path[-1], vr, value, tuple(path) if len(path) > 1 else ()))
    for field in ",".join(parameters.getall("includefield", [])).split(","):
        if field and field != "all":
            _path(field)  # all that the index has is always given; a name that is none is still an error
    return Query(
        level=level,
        study_instance_uid=study,
        series_instance_uid=series,
        matches=tuple(matches),
        fuzzy=_flag(parameters, "fuzzymatching"),
        limit=min(_number(parameters, "limit", limits.query_results_max), limits.query_results_max),
        offset=_number(parameters, "offset", 0),
    )


async def _search(request: web.Request, level: Level) -> web.Response:
    choose(request, (DICOM_JSON,))
    s, match = services(request), request.match_info
    s.frames.warm()  # who searches will want to see: kernels load meanwhile
    query = parse_query(request.query, level, match.get("study", ""), match.get("series", ""), s.settings.limits)
    root = f"{request.scheme}://{request.host}/dicom-web"

    def run() -> tuple[Findings, bytes]:
        found = s.archive.search(query)
        return found, b"[" + b",".join(_row(one, root) for one in found.rows) + b"]"

    found, body = await on(request, s.executors.index, "read", run)
    headers = {"Content-Type": DICOM_JSON, "Cache-Control": "private, no-store"}
    if found.has_more:
        headers["Warning"] = warning(
            f"there are more results than these {len(found.rows)}; ask for them with offset={query.offset + len(found.rows)}"
        )
    if not found.rows:
        return web.Response(status=204, headers={"Cache-Control": "private, no-store"})
    return web.Response(body=body, headers=headers)


def _row(found: Found, root: str) -> bytes:
    url = f"{root}/studies/{found.study_instance_uid}"
    if found.series_instance_uid:
        url += f"/series/{found.series_instance_uid}"
    if found.sop_instance_uid:
        url += f"/instances/{found.sop_instance_uid}"
    return dump(found.attributes | {"00081190": {"vr": "UR", "Value": [url]}})


def _path(name: str) -> list[int]:
    """Tags of ``PatientName``, ``00100010`` or ``RequestAttributesSequence.ScheduledProcedureStepID``."""
    try:
        return [tag_of(part) for part in name.split(".")]
    except KeyError:
        known = {**{f"{tag:08X}": 1 for tag in _LEVEL_OF}, **dict.fromkeys(_RESERVED, 1)}
        near = difflib.get_close_matches(name, [*_keywords(), *known], 1)
        hint = f", such as {near[0]}" if near else ""
        raise InvalidParameter("query parameter", name[:80], f"the keyword or tag of an attribute{hint}") from None


def _keywords() -> list[str]:
    return [keyword_of(tag) for tag in _LEVEL_OF]


def _check_level(name: str, path: list[int], level: Level) -> None:
    found = _LEVEL_OF.get(path[0])
    if found is None or (found > level and path[0] != _MODALITY):
        fitting = ", ".join(sorted(k for tag, k in zip(_LEVEL_OF, _keywords(), strict=True) if _LEVEL_OF[tag] <= level))
        raise InvalidParameter(
            "query parameter", name[:80], f"an attribute that {level.name.lower()} searches know: {fitting}"
        )


def _flag(parameters: MultiMapping[str], name: str) -> bool:
    value = parameters.get(name, "false").lower()
    if value not in ("true", "false"):
        raise InvalidParameter(name, value[:80], "true or false")
    return value == "true"


def _number(parameters: MultiMapping[str], name: str, default: int) -> int:
    value = parameters.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise InvalidParameter(name, value[:80], "a whole number from 0")
    return int(value)
