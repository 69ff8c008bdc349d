"""Writes the tables of README.md and docs/ that are made from the program; `make docs` runs it, a test demands equality."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from pathlib import Path

from engine.dicom.defects import DEFECTS
from engine.limits import GIB, KIB, MIB, Limits
from engine.settings import table

ROOT = Path(__file__).resolve().parents[1]


def limits() -> str:
    lines = ["| limit | default | why |", "|---|---|---|"]
    lines += [f"| `limits.{name}` | {amount(name, default)} | {reason} |" for name, default, reason in Limits.table()]
    return "\n".join(lines)


def settings() -> str:
    lines = ["| setting | environment | default | what it takes | what it means |", "|---|---|---|---|---|"]
    for s in table():
        default = "" if s.default is None else f"`{json.dumps(s.default)}`"
        lines.append(f"| `{s.key}` | `{s.variable}` | {default} | {s.expected} | {s.doc} |")
    return "\n".join(lines)


def defects() -> str:
    return "\n".join(["| code | meaning |", "|---|---|", *(f"| `{code}` | {text} |" for code, text in DEFECTS.items())])


def amount(name: str, value: int) -> str:
    """``1 GiB``, ``2 000 000``, ``60 s``."""
    if name.endswith(("_bytes", "_bytes_max")):
        for unit, size in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
            if value % size == 0:
                return f"{value // size} {unit}"
    number = f"{value:,}".replace(",", " ")
    return f"{number} s" if name.endswith("_s_max") else number


def clause_markers() -> dict[str, list[tuple[Path, str]]]:
    """Every clause of PS3.18 that some test has as its marker, and the tests."""
    found: dict[str, list[tuple[Path, str]]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf_8"))):
            if isinstance(node, ast.FunctionDef):
                for number in filter(None, map(_marked, node.decorator_list)):
                    found.setdefault(number, []).append((file.relative_to(ROOT), node.name))
    return found


def _marked(decorator: ast.expr) -> str:
    """The number of a marker like ``@pytest.mark.clause("PS3.18 10.4")``; empty for any other decorator."""
    if not (isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.clause"):
        return ""
    [argument] = decorator.args
    standard, _, number = ast.literal_eval(argument).partition(" ")
    return number if standard == "PS3.18" else ""


def clause_list() -> dict[str, tuple[str, str]]:
    """Number → title, and why it is not claimed (empty: it is)."""
    with (ROOT / "docs" / "clauses.toml").open("rb") as file:
        return {number: (title, why) for number, (title, why) in tomllib.load(file)["clauses"].items()}


def clauses() -> str:
    marked = clause_markers()
    lines = ["| clause | what | status |", "|---|---|---|"]
    for number, (title, why) in clause_list().items():
        kind, _, reason = why.partition(":")
        words = {"": "claimed", "design": "by design not", "later": "not yet"}[kind]
        tests = ", ".join(f"[{name}](../{path})" for path, name in marked.get(number, ()))
        status = words + (f":{reason}" if reason else "") + (f": {tests}" if tests else "")
        lines.append(f"| {number} | {title} | {status} |")
    return "\n".join(lines)


TABLES = {
    ("README.md", "limits"): limits,
    ("docs/settings.md", "settings"): settings,
    ("docs/archive.md", "defects"): defects,
    ("docs/clauses.md", "clauses"): clauses,
}


def filled(text: str, name: str, content: str) -> str:
    """`text` with the table called `name` replaced."""
    begin, end = f"<!-- {name}: made by make docs -->\n", f"\n<!-- end of {name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    if not pattern.search(text):
        raise ValueError(f"no place for the table {name}")
    return pattern.sub(lambda _: begin + content + end, text)


def main() -> int:
    for (path, name), make in TABLES.items():
        file = ROOT / path
        file.write_text(filled(file.read_text("utf_8"), name, make()), "utf_8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
