"""No index transaction lives longer than one call: none is open over an await, a yield or a write to a socket (invariant 6).

A reader's snapshot keeps LMDB from using freed pages again; one that waits for a slow client lets the index grow without end.
"""

from __future__ import annotations

import ast
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "engine"
_OPENING = {"read", "write"}  # of `IndexEngine` (archive/ports.py), as ``with …engine.read() as view``
_WAITING = (ast.Await, ast.Yield, ast.YieldFrom, ast.AsyncFor, ast.AsyncWith)


def _is_transaction(node: ast.AST) -> bool:
    if not isinstance(node, ast.With):
        return False
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    return any(
        isinstance(c.func, ast.Attribute) and c.func.attr in _OPENING and "engine" in ast.unparse(c.func.value)
        for c in calls
    )


def test_no_transaction_is_open_over_a_wait() -> None:
    seen, wrong = 0, []
    for path in sorted(ENGINE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not _is_transaction(node):
                continue
            seen += 1
            waits = [one for one in ast.walk(node) if isinstance(one, _WAITING)]
            if waits:
                wrong.append(f"{path.relative_to(ENGINE.parent)}:{waits[0].lineno}")
    assert not wrong
    assert seen > 20, "the pattern no longer finds the transactions"


def test_only_the_archive_opens_transactions() -> None:
    outside = [
        f"{path.relative_to(ENGINE.parent)}:{node.lineno}"
        for path in sorted(ENGINE.rglob("*.py"))
        if path.relative_to(ENGINE).parts[0] != "archive"
        for node in ast.walk(ast.parse(path.read_text()))
        if _is_transaction(node)
    ]
    assert not outside
