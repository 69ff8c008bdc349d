"""The docs say what the program does: made tables are up to date, every setting and command has its line, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from engine.cli.app import app
from engine.limits import Limits
from engine.settings import load, table

ROOT = Path(__file__).resolve().parents[2]


def _tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = _tables()


@pytest.mark.parametrize(("path", "name"), TABLES.TABLES)
def test_a_generated_table_is_up_to_date(path: str, name: str) -> None:
    text = (ROOT / path).read_text("utf_8")
    assert TABLES.filled(text, name, TABLES.TABLES[path, name]()) == text, f"{path}: run `make docs`"


def test_a_clause_is_claimed_exactly_where_a_test_has_its_marker() -> None:
    listed = TABLES.clause_list()
    marked = {number for number in TABLES.clause_markers() if re.match(r"(8|9|10)\b", number)}
    assert marked == {number for number, (_, why) in listed.items() if not why}
    for number, (title, why) in listed.items():
        assert title
        assert re.fullmatch(r"|later(: .+)?|design: .+", why), number


def test_every_limit_has_a_reason_and_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf_8")
    for name, default, reason in Limits.table():
        assert len(reason.split()) >= 2, name
        assert f"| `limits.{name}` | {TABLES.amount(name, default)} | {reason} |" in readme


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf_8")
    for setting in table():
        assert len(setting.doc.split()) >= 2, setting.key
        assert f"| `{setting.key}` | `{setting.variable}` |" in text


def test_every_command_is_documented_and_none_that_is_not_there() -> None:
    text = (ROOT / "docs" / "cli.md").read_text("utf_8")
    there = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"^\| `voxcast (\w+)", text, re.M)) == there


def test_the_example_of_a_settings_file_is_one(tmp_path: Path) -> None:
    texts = [(ROOT / "docs" / page).read_text("utf_8") for page in ("settings.md", "forwarding.md", "dicom.md")]
    examples = [example for text in texts for example in re.findall(r"```toml\n(.*?)```", text, re.S)]
    assert len(examples) >= len(texts)
    for example in examples:
        (tmp_path / "v.toml").write_text(example)
        loaded = load(config=tmp_path / "v.toml", environ={}, command_line={})
        assert loaded.settings.archive == tmp_path / "archive"


def _pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", _pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_named_files_are_there(page: Path) -> None:
    text = page.read_text("utf_8")
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    gone = [link for link in links if not (page.parent / link).exists()]
    # a path in backticks that begins with one of our folders and is no pattern
    named = re.findall(r"`((?:engine|native|tests|docs|benchmarks)/[\w./-]+)`", text)
    gone += [name for name in named if not (ROOT / name).exists() and not list(ROOT.glob(name + "*"))]
    assert not gone


def test_the_house_in_the_docs_is_the_house_in_the_tree() -> None:
    """Every room that the change table of architecture.md sends people to exists, and every room is mentioned."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf_8")
    rooms = {p.parent.name for p in (ROOT / "engine").glob("*/__init__.py")}
    assert not {room for room in rooms if not re.search(rf"\b{room}\b", text)}
