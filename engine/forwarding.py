"""Rules by which what arrives goes on to other archives: ``[[forward]]`` tables of the settings file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache

from engine import setting_values as kinds
from engine.errors import InvalidParameter
from engine.peers import Peer, peer_named
from engine.setting_values import needed, setting
from engine.types import DOORS

PRIORITIES = ("high", "medium", "low")  # in the order in which they are sent; those of PS3.7 9.3.1.1
_NAME = re.compile(r"[\w .-]{1,64}")
_SPANS = 'a list of spans such as "22:00-06:00"'
_PATTERNS = "a list of texts; * and ? are wildcards, one behind ! must not match; upper and lower case are the same"


def _hours(value: object) -> tuple[str, ...]:
    """``"22:00-06:30"``, one or a list of them."""
    result = kinds.texts(value)
    for one in result:
        _bounds(one)
    return result


def _bounds(span: str) -> tuple[time, time]:
    first, dash, last = span.partition("-")
    if not dash or not all(re.fullmatch(r"\d\d:\d\d", one.strip()) for one in (first, last)):
        raise ValueError
    start, end = time.fromisoformat(first.strip()), last.strip()
    return start, time.max if end == "24:00" else time.fromisoformat(end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One ``[[forward]]`` table. Field metadata: what it means (`doc`), what it takes (`expected`)."""

    name: str = needed("what people call it, and what its place in the change feed is kept by", "a text", kinds.text)
    to: tuple[str, ...] = needed("where it goes", "a list of names of peers that have a host", kinds.texts)
    sources: tuple[str, ...] = setting((), "AE titles, addresses or files that it came from", _PATTERNS, kinds.texts)
    doors: tuple[str, ...] = setting(
        (), "how it came", "a list of " + ", ".join(DOORS), kinds.some_of(*DOORS)
    )  # fmt: skip
    called: tuple[str, ...] = setting((), "AE titles of ours that it was sent to", _PATTERNS, kinds.texts)
    modalities: tuple[str, ...] = setting((), "Modality (0008,0060)", _PATTERNS, kinds.texts)
    stations: tuple[str, ...] = setting((), "Station Name (0008,1010)", _PATTERNS, kinds.texts)
    study_descriptions: tuple[str, ...] = setting((), "Study Description (0008,1030)", _PATTERNS, kinds.texts)
    series_descriptions: tuple[str, ...] = setting((), "Series Description (0008,103E)", _PATTERNS, kinds.texts)
    institutions: tuple[str, ...] = setting((), "Institution Name (0008,0080)", _PATTERNS, kinds.texts)
    sop_classes: tuple[str, ...] = setting((), "SOP Class UID (0008,0016)", _PATTERNS, kinds.texts)
    hours: tuple[str, ...] = setting((), "when it came, by this machine's clock", _SPANS, _hours)
    send_hours: tuple[str, ...] = setting(
        (), "when its sending begins, by this machine's clock; what comes at another time waits", _SPANS, _hours
    )
    priority: str = setting("medium", "what goes first", " or ".join(PRIORITIES), kinds.choice(*PRIORITIES))
    quiet_s: int = setting(
        0, "it goes once nothing of its study has come for so many seconds", "a number from 0 to 604800", kinds.number(0, 604_800)
    )  # fmt: skip

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidParameter("name", self.name, "1 to 64 letters, digits, blanks, _, - and .")

    def due(self, now: datetime) -> datetime:
        """When what arrives now may go, both in local time: at once, or when the next span of `send_hours` begins."""
        if not self.send_hours or any(_is_within(now.time(), one) for one in self.send_hours):
            return now
        begins = [
            datetime.combine(now.date() + timedelta(days=days), _bounds(one)[0])
            for one in self.send_hours
            for days in (0, 1)
        ]
        return min((one for one in begins if one > now), default=now)  # a span that is empty never comes

    def matches(self, found: Arrival) -> bool:
        """Whether what arrived is meant."""
        return (
            (not self.doors or found.door in self.doors)
            and fits(self.sources, found.source)
            and fits(self.called, found.called)
            and fits(self.modalities, found.modality)
            and fits(self.stations, found.station)
            and fits(self.study_descriptions, found.study_description)
            and fits(self.series_descriptions, found.series_description)
            and fits(self.institutions, found.institution)
            and fits(self.sop_classes, found.sop_class_uid)
            and (not self.hours or any(_is_within(found.at, one) for one in self.hours))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What rules look at; `at` is the local time of day."""

    door: str
    source: str
    called: str
    at: time
    sop_class_uid: str
    modality: str
    station: str
    study_description: str
    series_description: str
    institution: str


def fits(patterns: Sequence[str], value: str) -> bool:
    """Whether a value matches one of the patterns, and none of those behind ``!``; any value does where there are none."""
    wanted = [one for one in patterns if not one.startswith("!")]
    barred = [one[1:] for one in patterns if one.startswith("!")]
    value = value.strip()
    return (not wanted or any(_pattern(one).fullmatch(value) for one in wanted)) and not any(
        _pattern(one).fullmatch(value) for one in barred
    )


def check_rules(rules: Iterable[Rule], peers: Sequence[Peer]) -> None:
    """`InvalidParameter` for two rules of one name, or one that leads to a peer that is not there or cannot be called."""
    names: set[str] = set()
    for rule in rules:
        if rule.name in names:
            raise InvalidParameter("forward.name", rule.name, "a name that no other rule has")
        names.add(rule.name)
        for name in rule.to:
            peer = peer_named(peers, name)
            if peer is None or not peer.is_reachable:
                able = ", ".join(one.name for one in peers if one.is_reachable) or "there is none"
                raise InvalidParameter(f"forward.{rule.name}.to", name, f"a peer with a host: {able}")


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(one) or re.escape(one) for one in text.strip()), re.IGNORECASE | re.DOTALL)


def _is_within(at: time, span: str) -> bool:
    first, last = _bounds(span)
    return first <= at < last if first <= last else at >= first or at < last
