"""Writes the tables of README.md and docs/ that are made from the program; `make docs` runs it, a test demands equality."""

from __future__ import annotations

import json
import re
import sys
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


TABLES = {
    ("README.md", "limits"): limits,
    ("docs/settings.md", "settings"): settings,
    ("docs/archive.md", "defects"): defects,
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
