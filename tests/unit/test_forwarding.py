"""Forwarding rules: what a [[forward]] table becomes, what it matches, what is refused."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.errors import InvalidParameter
from engine.forwarding import Arrival, Rule, fits
from engine.settings import Loaded, Settings, load

_PEERS = '[peers.A]\naet = "A"\nhost = "a"\n[peers.B]\naet = "B"\nhost = "b"\n[peers.DEAF]\naet = "C"\n'
_RULES = """
[[forward]]
name = "neuro at night"
to = ["A", "B"]
modalities = ["MR", "CT"]
study_descriptions = ["*neuro*", "!*phantom*"]
hours = ["22:00-06:00"]
priority = "high"
quiet_s = 30

[[forward]]
name = "all"
to = "B"
"""
ARRIVAL = Arrival(
    door="c-store",
    source="CT7",
    called="VOXCAST",
    at=time(23, 30),
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    modality="CT",
    station="ROOM7",
    study_description="NEURO head",
    series_description="Axial 1mm",
    institution="General",
)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def from_text(text: str) -> Loaded:
        path = tmp_path / "voxcast.toml"
        path.write_text(text)
        return load(config=path, environ={}, command_line={})

    return from_text


def rule(**conditions: Any) -> Rule:
    return Rule(name="r", to=("A",), **conditions)


def test_each_table_is_one_rule_in_order_and_every_value_has_its_origin(read: Any, tmp_path: Path) -> None:
    result = read(_RULES + _PEERS)
    neuro, everything = result.settings.forward
    assert (neuro.name, neuro.to, neuro.priority, neuro.quiet_s) == ("neuro at night", ("A", "B"), "high", 30)
    assert everything == Rule(name="all", to=("B",))
    assert result.origins["forward.all.to"] == f"file {tmp_path / 'voxcast.toml'}"
    assert result.origins["forward.all.hours"] == "default"
    assert Settings.from_json(result.settings.to_json()) == result.settings
    shown = CliRunner().invoke(app, ["config", "show", "--config", str(tmp_path / "voxcast.toml")])
    assert len(tomllib.loads(shown.stdout)["forward"]) == 2
    assert read(shown.stdout).settings == result.settings


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("forward = 3", "forward", r"tables such as \[\[forward\]\]"),
        ('[[forward]]\nto = "A"', "forward.1.name", "needed"),
        ('[[forward]]\nname = "x"', "forward.x.to", "needed"),
        ('[[forward]]\nname = "x/y"\nto = "A"', "forward.x/y.name", "letters"),
        ('[[forward]]\nname = "x"\nto = "D"', "forward.x.to", "a peer with a host: A, B"),
        ('[[forward]]\nname = "x"\nto = "DEAF"', "forward.x.to", "a peer with a host: A, B"),
        ('[[forward]]\nname = "x"\nto = "A"\n[[forward]]\nname = "x"\nto = "B"', "forward.name", "no other rule has"),
        (
            '[[forward]]\nname = "x"\nto = "A"\nmodality = "CT"',
            "forward.x.modality",
            r"nearest is forward\.x\.modalities",
        ),
        ('[[forward]]\nname = "x"\nto = "A"\nhours = "22-6"', "forward.x.hours", "spans"),
        ('[[forward]]\nname = "x"\nto = "A"\nhours = "22:00-25:00"', "forward.x.hours", "spans"),
        ('[[forward]]\nname = "x"\nto = "A"\nsend_hours = ["noon"]', "forward.x.send_hours", "spans"),
        ('[[forward]]\nname = "x"\nto = "A"\npriority = "urgent"', "forward.x.priority", "high or medium or low"),
        ('[[forward]]\nname = "x"\nto = "A"\ndoors = ["window"]', "forward.x.doors", "c-store"),
    ],
)
def test_a_bad_rule_is_refused_with_its_key(read: Any, text: str, name: str, expected: str) -> None:
    with pytest.raises(InvalidParameter, match=expected) as caught:
        read(text + "\n" + _PEERS)
    assert caught.value.name == name


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"doors": ("c-store",)}, {"sources": ("ct?",)}, {"called": ("voxcast",)}, {"modalities": ("MR", "ct")},
        {"stations": ("room*",)}, {"study_descriptions": ("*HEAD",)}, {"series_descriptions": ("axial*", "coronal*")},
        {"institutions": ("!other*",)}, {"sop_classes": ("1.2.840.10008.5.1.4.1.1.2",)}, {"hours": ("23:00-23:45",)},
        {"hours": ("01:00-02:00", "22:00-06:00")}, {"hours": ("12:00-24:00",)},
    ],
)  # fmt: skip
def test_what_is_meant_is_matched(conditions: dict[str, Any]) -> None:
    assert rule(**conditions).matches(ARRIVAL)


@pytest.mark.parametrize(
    "conditions",
    [
        {"doors": ("stow",)}, {"sources": ("ct",)}, {"called": ("OTHER",)}, {"modalities": ("MR",)}, {"stations": ("7",)},
        {"study_descriptions": ("*head*", "!neuro*")}, {"series_descriptions": ("coronal*",)}, {"institutions": ("!*",)},
        {"sop_classes": ("1.2.840.10008.5.1.4.1.1.20",)}, {"hours": ("00:00-23:30",)}, {"hours": ("23:31-06:00",)},
        {"modalities": ("CT",), "stations": ("ROOM8",)},
    ],
)  # fmt: skip
def test_what_is_not_meant_is_not(conditions: dict[str, Any]) -> None:
    assert not rule(**conditions).matches(ARRIVAL)


def test_early_morning_is_within_a_night_that_began_the_day_before() -> None:
    night = rule(hours=("22:00-06:00",))
    assert night.matches(replace(ARRIVAL, at=time(5, 59)))
    assert not night.matches(replace(ARRIVAL, at=time(6, 0)))


@pytest.mark.parametrize(
    ("spans", "now", "due"),
    [
        ((), "2026-01-31T12:00", "2026-01-31T12:00"),
        (("22:00-06:00",), "2026-01-31T12:00", "2026-01-31T22:00"),
        (("22:00-06:00",), "2026-01-31T23:00", "2026-01-31T23:00"),
        (("22:00-06:00",), "2026-02-01T05:59", "2026-02-01T05:59"),
        (("01:00-02:00", "12:30-13:00"), "2026-01-31T12:00", "2026-01-31T12:30"),
        (("01:00-02:00", "12:30-13:00"), "2026-01-31T13:00", "2026-02-01T01:00"),
        (("18:00-24:00",), "2026-12-31T00:00", "2026-12-31T18:00"),
    ],
)
def test_what_comes_outside_the_hours_of_sending_waits_for_them(spans: tuple[str, ...], now: str, due: str) -> None:
    assert rule(send_hours=spans).due(datetime.fromisoformat(now)) == datetime.fromisoformat(due)


def test_only_stars_and_question_marks_are_special() -> None:
    assert fits(["a.c[1]*"], " A.C[1] and more ")
    assert not fits(["a.c"], "abc")
    assert fits(["?"], "x")
    assert not fits(["?"], "")
    assert fits(["*"], "")
