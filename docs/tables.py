"""Writes the tables of README.md and docs/ that are made from the program; `make docs` runs it, a test demands equality."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from pathlib import Path

from engine.archive.searchable import LEVEL_OF
from engine.archive.worklist.keys import LETTERS
from engine.dicom.defects import DEFECTS
from engine.dicom.dictionary import keyword_of, vr_of
from engine.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from engine.dicom.scheduled_step import DATE, SEARCHED
from engine.dicom.transfer_syntax import TABLE
from engine.dimse.contexts import CONTEXTS
from engine.dimse.status import STATUS as DIMSE_STATUS
from engine.forwarding import Rule
from engine.limits import GIB, KIB, MIB, Limits
from engine.peers import Peer
from engine.setting_tables import is_needed, keys_of
from engine.settings import Settings, table
from engine.users import User
from engine.web.faces import FACES
from engine.web.openapi import EVERYWHERE
from engine.web.parameters import NEGOTIATION, RENDERING, SEARCH, TEXT_NEGOTIATION, WADO_URI
from engine.web.routes import ROUTES, template

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


def peer_keys() -> str:
    return _entry_keys(Peer)


def user_keys() -> str:
    return _entry_keys(User)


def rule_keys() -> str:
    return _entry_keys(Rule)


def _entry_keys(kind: type) -> str:
    lines = ["| key | default | what it takes | what it means |", "|---|---|---|---|"]
    for one in keys_of(kind):
        default = "needed" if is_needed(one) else "" if one.default in (None, "") else f"`{json.dumps(one.default)}`"
        lines.append(f"| `{one.name}` | {default} | {one.metadata['expected']} | {one.metadata['doc']} |")
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


def sop_classes() -> str:
    lines = ["| service | SOP class | UID | role | transfer syntaxes |", "|---|---|---|---|---|"]
    for one in CONTEXTS:
        syntaxes = (
            "all of the table below"
            if set(one.transfer_syntaxes) == set(TABLE)
            else ", ".join(f"`{uid}`" for uid in one.transfer_syntaxes)
        )
        role = "SCP, SCU" if one.is_scu and one.is_scp else "SCU" if one.is_scu else "SCP"
        lines.append(f"| {one.service} | {one.name} | `{one.abstract_syntax}` | {role} | {syntaxes} |")
    return "\n".join(lines)


def transfer_syntaxes_taken() -> str:
    lines = ["| transfer syntax | UID | frames on the web as |", "|---|---|---|"]
    for one in TABLE.values():
        what = f"never decoded: {one.why_not_decoded}" if one.why_not_decoded else f"`{one.media_type}`"
        lines.append(f"| {one.name} | `{one.uid}` | {what} |")
    return "\n".join(lines)


def association() -> str:
    limits = Settings().limits
    rows = {
        "Application Entity Title": f"`{Settings().aet}`, by the setting `aet`",
        "Implementation Class UID": f"`{IMPLEMENTATION_CLASS_UID}`",
        "Implementation Version Name": f"`{IMPLEMENTATION_VERSION_NAME}`",
        "Application context": "`1.2.840.10008.3.1.1.1`",
        "Associations at once, as acceptor": f"{limits.associations_max} (`limits.associations_max`)",
        "Associations at once, as requestor": f"{limits.outbox_associations_max} (`limits.outbox_associations_max`), to peers only,"
        " and one for each C-MOVE",
        "Maximum PDU": f"{amount('pdu_bytes_max', limits.pdu_bytes_max)} (`limits.pdu_bytes_max`)",
        "An association request has to come within": f"{limits.association_request_s_max} s (`limits.association_request_s_max`)",
        "Idle associations are aborted after": f"{limits.association_idle_s_max} s (`limits.association_idle_s_max`)",
        "Any association is aborted after": f"{limits.association_total_s_max} s (`limits.association_total_s_max`)",
        "Associations at once of one caller": f"{limits.caller_associations_max} (`limits.caller_associations_max`,"
        " `associations_max` of a peer)",
        "Operations of one association at once": "1, or what it negotiates up to "
        + f"{limits.operations_max} (`limits.operations_max`)",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def store_statuses() -> str:
    by_status: dict[int, list[str]] = {}
    for error, status in DIMSE_STATUS.items():
        by_status.setdefault(status, []).append(error.__name__)
    lines = [
        "| status | errors of `engine/errors.py` |",
        "|---|---|",
        "| `0x0000` | none: bytes and index are on stable storage |",
    ]
    return "\n".join([*lines, *(f"| `0x{s:04X}` | {', '.join(names)} |" for s, names in sorted(by_status.items()))])


def web_resources() -> str:
    lines = ["| transaction | resource | PS3.18 | media types | statuses |", "|---|---|---|---|---|"]
    for route in ROUTES:
        face = FACES[route.handler]
        if not face.clause:
            continue
        kinds = ", ".join(f"`{kind}`" for kind in face.gives)
        taken = "; takes " + ", ".join(f"`{kind}`" for kind in face.takes) if face.takes else ""
        statuses = ", ".join(map(str, sorted({*face.statuses, *EVERYWHERE})))
        lines.append(f"| {route.method} | `{template(route.path)}` | {face.clause} | {kinds}{taken} | {statuses} |")
    return "\n".join(lines)


def web_parameters() -> str:
    lines = ["| parameter | of | PS3.18 | what |", "|---|---|---|---|"]
    groups = {
        "instances, frames, bulk data": NEGOTIATION,
        "metadata, searches, storing": TEXT_NEGOTIATION,
        "searches": SEARCH,
        "rendered": RENDERING,
        "`/wado`": WADO_URI,
    }
    for group, parameters in groups.items():
        for one in parameters:
            doc = one.doc.replace("|", "\\|")
            lines.append(f"| `{one.name}` | {group} | {one.clause or 'ours'} | {doc} |")
    return "\n".join(lines)


def matching_keys() -> str:
    lines = ["| attribute | tag | VR | level |", "|---|---|---|---|"]
    for tag, level in sorted(LEVEL_OF.items(), key=lambda item: (item[1], item[0])):
        name = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        lines.append(f"| {keyword_of(tag)} | {name} | {vr_of(tag)} | {level.name.lower()} |")
    return "\n".join(lines)


def worklist_keys() -> str:
    lines = ["| attribute | tag | VR | in Scheduled Procedure Step Sequence | found by |", "|---|---|---|---|---|"]
    for path in SEARCHED:
        tag = path[-1]
        name, inside = f"({tag >> 16:04X},{tag & 0xFFFF:04X})", "yes" if len(path) > 1 else ""
        how = "a key of its own" if tag in LETTERS else "the order of start" if tag == DATE else "comparison"
        lines.append(f"| {keyword_of(tag)} | {name} | {vr_of(tag)} | {inside} | {how} |")
    return "\n".join(lines)


TABLES = {
    ("README.md", "limits"): limits,
    ("docs/settings.md", "settings"): settings,
    ("docs/settings.md", "peers"): peer_keys,
    ("docs/settings.md", "users"): user_keys,
    ("docs/forwarding.md", "rules"): rule_keys,
    ("docs/archive.md", "defects"): defects,
    ("docs/clauses.md", "clauses"): clauses,
    ("docs/conformance.md", "association"): association,
    ("docs/conformance.md", "sop classes"): sop_classes,
    ("docs/conformance.md", "syntaxes taken"): transfer_syntaxes_taken,
    ("docs/conformance.md", "store statuses"): store_statuses,
    ("docs/conformance.md", "worklist keys"): worklist_keys,
    ("docs/conformance.md", "web resources"): web_resources,
    ("docs/conformance.md", "web parameters"): web_parameters,
    ("docs/conformance.md", "matching keys"): matching_keys,
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
