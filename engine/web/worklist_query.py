"""The query string of a search in the worklist: keys by keyword, states, and how many of which place."""

from __future__ import annotations

import difflib
import re

from multidict import MultiMapping

from engine.archive.searchable import check_value, pattern_of
from engine.archive.worklist.records import StepQuery
from engine.dicom.dictionary import vr_of
from engine.dicom.query import Match
from engine.dicom.scheduled_step import State
from engine.errors import InvalidParameter
from engine.web.parameters import PERFORMED, WORKLIST, WORKLIST_KEYS, names

_LIMIT, _LIMIT_MAX = 100, 1000
_NAMES, _PERFORMED_NAMES = names(WORKLIST), names(PERFORMED)


def parse_query(parameters: MultiMapping[str]) -> StepQuery:
    """Raises `InvalidParameter`; a name that is none is an error, for who asks manages."""
    _check_names(parameters, _NAMES)
    matches = []
    for name, path in WORKLIST_KEYS.items():
        value = "\\".join(parameters.getall(name, []))
        if value:
            vr = vr_of(path[-1])
            check_value(name, vr, value)
            form = pattern_of(vr)
            if form and not re.search(form, value):
                raise InvalidParameter(name, value[:80], f"values of {vr} without anything around them")
            matches.append(Match(path[-1], vr, value, path if len(path) > 1 else ()))
    states = frozenset(State)
    if "state" in parameters:
        asked = [one.strip() for one in ",".join(parameters.getall("state")).split(",")]
        try:
            states = frozenset(map(State, asked))
        except ValueError:
            raise InvalidParameter("state", ",".join(asked)[:80], "of " + ", ".join(State)) from None
    fuzzy = parameters.get("fuzzymatching", "false")
    if fuzzy not in ("true", "false"):
        raise InvalidParameter("fuzzymatching", fuzzy[:80], "true or false")
    limit, offset = _place(parameters)
    return StepQuery(matches=tuple(matches), states=states, fuzzy=fuzzy == "true", limit=limit, offset=offset)


def page_of(parameters: MultiMapping[str]) -> tuple[int, int]:
    """Limit and offset, where nothing else may be said."""
    _check_names(parameters, _PERFORMED_NAMES)
    return _place(parameters)


def _place(parameters: MultiMapping[str]) -> tuple[int, int]:
    return _whole(parameters, "limit", _LIMIT, 1, _LIMIT_MAX), _whole(parameters, "offset", 0, 0, 999_999_999)


def _check_names(parameters: MultiMapping[str], known: frozenset[str]) -> None:
    for name in parameters:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise InvalidParameter("query parameter", name[:80], f"one that exists; the nearest is {nearest}")


def _whole(parameters: MultiMapping[str], name: str, default: int, low: int, high: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9) or not low <= int(text) <= high:
        raise InvalidParameter(name, text[:80], f"a whole number from {low} to {high}")
    return int(text)
