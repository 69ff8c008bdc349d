"""A command's words: where they go, and that a hostile file name cannot drive the terminal."""

from __future__ import annotations

import json

import pytest
import typer

from engine.cli.terminal import Terminal, bytes_text, exit_codes, plural
from engine.errors import ArchiveFull, InvalidParameter


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (2e9, "2.0 GB"), (3.25e15, "3250.0 TB")],
)
def test_bytes_text(count: float, text: str) -> None:
    assert bytes_text(count) == text


def test_plural() -> None:
    assert [plural(n, "study") for n in (0, 1, 2)] == ["0 studies", "1 study", "2 studies"]
    assert plural(12345, "instance") == "12 345 instances"
    assert plural(2, "series") == "2 series"


def test_people_read_stderr_and_programs_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(is_json=True)
    terminal.say("failed: evil\x1b[2J\nfailed: forged")
    terminal.result({"a": "é\n"}, "for people")
    terminal.heading("for people")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"a": "é\n"}
    assert out.count("\n") == 1
    assert err == "failed: evil\\x1b[2J\\nfailed: forged\n"
    Terminal().result({"a": 1}, "for people")
    Terminal().result({"a": 1})
    assert capsys.readouterr().out == "for people\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidParameter("aet", "", "a title"), 2),
        (ArchiveFull("x"), 1),
        (PermissionError(13, "Permission denied", "x"), 1),
    ],
)
def test_errors_for_the_user_become_a_line_and_a_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as caught, exit_codes(Terminal()):
        raise error
    assert caught.value.exit_code == code
    assert capsys.readouterr().err == f"voxcast: {error}\n"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_codes(Terminal()):
        raise ZeroDivisionError
