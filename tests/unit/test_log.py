"""Log lines: one each, whatever is in them, and nothing of a patient from the libraries."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys

import pytest

from engine.log import Unhurried

SCRIPT = """
import logging, sys
from engine.log import configure
from engine.settings import Settings
configure(Settings(log_level="warning", log_format=sys.argv[1]), "web-1")
log = logging.getLogger("engine.test")
log.info("not serious enough")
log.warning("forged\\n2026-01-01T00:00:00.000Z ERROR web-1 x: line \\x1b[2J %s", "1.2.3")
try:
    raise ValueError("bad")
except ValueError:
    log.exception("failed")
"""


def lines(form: str, script: str = SCRIPT) -> list[str]:
    run = subprocess.run([sys.executable, "-c", script, form], capture_output=True, text=True, check=True)
    assert run.stdout == ""
    return run.stderr.splitlines()


def test_text() -> None:
    warning, error = lines("text")
    assert warning.endswith(r"forged\n2026-01-01T00:00:00.000Z ERROR web-1 x: line \x1b[2J 1.2.3")
    assert " WARNING web-1 engine.test: " in warning
    assert error.endswith("ValueError: bad")
    assert "\\nTraceback" in error


def test_json() -> None:
    warning, error = map(json.loads, lines("json"))
    assert (warning["level"], warning["process"], warning["logger"]) == ("warning", "web-1", "engine.test")
    assert error["message"].splitlines()[-1] == "ValueError: bad"


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_pydicom_says_of_a_value_is_not_logged(form: str) -> None:
    script = """
import sys
from engine.log import configure
from engine.settings import Settings
configure(Settings(log_level="debug", log_format=sys.argv[1]))
import logging
from pydicom.dataset import Dataset
ds = Dataset()
ds.PatientBirthDate = "SECRET-NAME"
ds.StudyInstanceUID = "SECRET-NAME"
str(ds.PatientBirthDate)
logging.getLogger("pydicom").error("SECRET-NAME")
"""
    assert lines(form, script) == []


def test_a_reader_that_has_stopped_stops_nobody() -> None:
    """The pipe takes 64 KiB; what finds no room is counted, the rest comes when somebody reads."""
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as stream, os.fdopen(read_end, "rb") as reader:
        handler = Unhurried(stream, lines_max=100)
        log = logging.Logger("test")
        log.addHandler(handler)
        for number in range(2000):
            log.warning("%04d %s", number, "x" * 1000)
        text = b""
        while b"at last" not in text:
            if b"0000" not in text:
                text += reader.read(60_000)
                while handler._lines.full():
                    text += reader.read(1000)
                log.warning("at last")
            text += reader.read1(60_000)
    numbers = [int(line[:4]) for line in text.decode().splitlines() if line[:4].isdigit()]
    lost = [int(count) for count in re.findall(r"\((\d+) lines were lost here\)", text.decode())]
    assert numbers == sorted(set(numbers))
    assert lost
    assert len(numbers) + sum(lost) == 2000


def test_a_closed_stderr_stops_nobody() -> None:
    stream = io.StringIO()
    stream.close()
    handler = Unhurried(stream)
    log = logging.Logger("test")
    log.addHandler(handler)
    log.warning("to nobody")
    handler.flush()
    assert not handler._lines.unfinished_tasks
