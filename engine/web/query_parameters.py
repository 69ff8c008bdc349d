"""The query string of a search, read (PS3.18 8.3.4): keys, and how much of what in which order."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from multidict import MultiMapping

from engine.archive.searchable import LEVEL_OF, TIMEZONE, check_value, unfit
from engine.dicom.dictionary import keyword_of, tag_of, vr_of
from engine.dicom.query import Level, Match, Order, Query
from engine.dicom.timezone import minutes_of
from engine.errors import InvalidParameter
from engine.limits import Limits
from engine.web.parameters import SEARCH_NAMES

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*|[0-9A-Fa-f]{8}")
_TEXT_MAX = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, and the names in it that had to be ignored, with the reason."""

    query: Query
    ignored: tuple[str, ...] = ()


def parse_query(parameters: MultiMapping[str], level: Level, study: str, series: str, limits: Limits) -> Asked:
    """What the query string asks for.

    Raises
    ------
    InvalidParameter
        A name that can be none of an attribute, a value that its attribute cannot have, a wrong number.
    """
    matches: list[Match] = []
    ignored: list[str] = []
    timezone: int | None = None
    for name in dict.fromkeys(parameters):
        if name in SEARCH_NAMES:
            continue
        path = path_of(name)
        if path is None or (reason := unfit(path, level)):
            ignored.append(f"{name[:80]} ({'no known attribute' + like(name) if path is None else reason})")
            continue
        value = "\\".join(parameters.getall(name))
        if path == [TIMEZONE]:
            if not value:
                continue  # universal matching: in whichever zone
            timezone = minutes_of(value.replace(" ", "+"))  # where a client left the plus as it is
            if timezone is None:
                raise InvalidParameter(name, value[:80], "an offset like +0100")
            continue
        vr = vr_of(path[-1])
        if vr == "CS":  # a code string has no comma; clients send one where they mean several values
            value = value.replace(",", "\\")
        check_value(name, vr, value)
        matches.append(Match(path[-1], vr, value, tuple(path) if len(path) > 1 else ()))
    include, includes_all = _included(parameters, level, ignored)
    text = parameters.get("q", "")
    if len(text) > _TEXT_MAX:
        raise InvalidParameter("q", text[:80], f"at most {_TEXT_MAX} characters")
    _flag(parameters, "multiplevaluematching")  # several values are always understood: no value has a backslash in it
    query = Query(
        level=level,
        study_instance_uid=study,
        series_instance_uid=series,
        matches=tuple(matches),
        text=text,
        fuzzy=_flag(parameters, "fuzzymatching"),
        empty_values=_flag(parameters, "emptyvaluematching"),
        order=_order(parameters, level),
        include=include,
        includes_all=includes_all,
        timezone=timezone,
        limit=min(_number(parameters, "limit", limits.query_results_max), limits.query_results_max),
        offset=_number(parameters, "offset", 0),
    )
    return Asked(query, tuple(ignored))


def path_of(name: str) -> list[int] | None:
    """Tags of ``PatientName``, ``00100010`` or ``RequestAttributesSequence.ScheduledProcedureStepID``; None: not known."""
    parts = name.split(".")
    if not all(_NAME.fullmatch(part) for part in parts):
        raise InvalidParameter("query parameter", name[:80], f"the keyword or tag of an attribute{like(name)}")
    try:
        return [tag_of(part) for part in parts]
    except KeyError:
        return None


def like(name: str) -> str:
    known = [*(keyword_of(tag) for tag in LEVEL_OF), *SEARCH_NAMES]
    near = difflib.get_close_matches(name, known, 1)
    return f", such as {near[0]}" if near else ""


def _included(
    parameters: MultiMapping[str], level: Level, ignored: list[str]
) -> tuple[tuple[tuple[int, ...], ...], bool]:
    """Attributes that are wanted and that the rows of this level do not have by themselves; and whether all are."""
    fields = [field for field in ",".join(parameters.getall("includefield", [])).split(",") if field]
    paths: list[tuple[int, ...]] = []
    for field in fields:
        if field.lower() == "all":
            continue
        path = path_of(field)
        if path is None:
            ignored.append(f"includefield {field[:80]} (no known attribute{like(field)})")
        elif len(path) > 1 or LEVEL_OF.get(path[0], Level.INSTANCE + 1) > level:
            paths.append(tuple(path))
    return tuple(dict.fromkeys(paths)), any(field.lower() == "all" for field in fields)


def _order(parameters: MultiMapping[str], level: Level) -> tuple[Order, ...]:
    """``PatientName,-StudyDate``: a minus is for descending."""
    orders = []
    for part in ",".join(parameters.getall("orderby", [])).split(","):
        name = part.strip().lstrip("+-")
        if not name:
            continue
        path = path_of(name)
        if path is None or len(path) > 1 or path[0] not in LEVEL_OF or LEVEL_OF[path[0]] > level:
            raise InvalidParameter(
                "orderby", part[:80], f"attributes of the rows, with a minus for descending{like(name)}"
            )
        orders.append(Order(path[0], vr_of(path[0]), part.strip().startswith("-")))
    return tuple(orders[:4])


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
