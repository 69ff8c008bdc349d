"""Options, usage errors and `config`, in this process; what commands do is in tests/integration/test_cli_*."""

from __future__ import annotations

import json
import socket
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine import __version__
from engine.cli.app import app
from engine.cli.demo import _free
from engine.settings import endpoint, table

CLEAN = {"VOXCAST_" + name: None for name in ("ARCHIVE", "CONFIG", "HTTP", "DICOM", "AET", "WORKERS")}
RUNNER = CliRunner(env=CLEAN)


def test_help_names_every_command() -> None:
    result = RUNNER.invoke(app, ["--help"])
    assert result.exit_code == 0
    for command in ("demo", "serve", "import", "export", "verify", "reindex", "stats", "warmup", "config"):
        assert command in result.output
        assert RUNNER.invoke(app, [command, "--help"]).exit_code == 0
    assert RUNNER.invoke(app, ["--version"]).output == f"voxcast {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"], ["serve", "--nonsense"], ["import"], ["import", "x"], ["export", "1.2.3", "--archive", "a"],
        ["verify"], ["stats"], ["stats", "--archive", "not-there"], ["reindex", "--archive", "not-there"],
        ["serve", "--archive", "a", "--workers", "x"], ["serve", "--archive", "a", "--http", "0.0.0.0:80"],
        ["serve", "--archive", "a", "--http", "off", "--dicom", "off"],
        ["export", "1", "--archive", "a", "--to", "b", "--form", "paper"], ["config", "check", "--config", "not-there"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr
    assert not list(tmp_path.iterdir()), "a mistyped command must not make an archive"


def test_config_show_is_a_settings_file(tmp_path: Path) -> None:
    # What is not set has no value that TOML could write.
    lines = [
        'archive = "x"',
        'ohif = "y"',
        'aet = "A \\"Q\\""',
        'unknown_callers = ["echo"]',
        "[dicom_tls]",
        'certificate = "c"',
        'key = "k"',
        'ca = "a"',
        "[limits]",
        "frames_max = 9",
    ]
    (tmp_path / "a.toml").write_text("\n".join(lines))
    shown = RUNNER.invoke(app, ["config", "show", "--config", str(tmp_path / "a.toml")])
    assert shown.exit_code == 0
    values = tomllib.loads(shown.stdout)
    limits, tls = values.pop("limits"), values.pop("dicom_tls")
    assert values["aet"] == 'A "Q"'
    assert limits["frames_max"] == 9
    assert tls["certificate"] == str(tmp_path / "c")
    assert len(values) + len(limits) + len(tls) == len(table())
    (tmp_path / "b.toml").write_text(shown.stdout)
    again = RUNNER.invoke(app, ["config", "show", "--json", "--config", str(tmp_path / "b.toml")])
    records = [json.loads(line) for line in again.stdout.splitlines()]
    nested = {f"limits.{k}": v for k, v in limits.items()} | {f"dicom_tls.{k}": v for k, v in tls.items()}
    assert {one["key"]: one["value"] for one in records} == values | nested
    assert {one["origin"] for one in records} == {f"file {tmp_path / 'b.toml'}"}


def test_config_check(tmp_path: Path) -> None:
    assert RUNNER.invoke(app, ["config", "check"]).exit_code == 0
    ok = RUNNER.invoke(app, ["config", "check", "--json"], env={"VOXCAST_AET": "X"})
    assert json.loads(ok.stdout) == {"ok": True, "set": ["aet"]}
    bad = RUNNER.invoke(app, ["config", "check"], env={"VOXCAST_AETT": "X"})
    assert bad.exit_code == 2
    assert "VOXCAST_AET" in bad.stderr


def test_the_demo_takes_a_free_port_when_its_own_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = f"127.0.0.1:{taken.getsockname()[1]}"
        free = _free(text)
        assert free != text
        where = endpoint(free)
        assert where is not None
        with socket.socket() as mine:
            mine.bind(where)
    assert _free(text) == text
    assert _free("off") == "off"
