"""`voxcast password` makes what a [users.NAME] table takes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.errors import InvalidParameter
from engine.settings import load
from engine.users import check_password

RUNNER = CliRunner()


def test_its_line_is_one_of_the_settings(tmp_path: Path) -> None:
    made = RUNNER.invoke(app, ["password"], input="a b c\n")
    assert made.exit_code == 0
    assert "a b c" not in made.stdout
    assert set(tomllib.loads(made.stdout)) == {"password"}
    (tmp_path / "v.toml").write_text(f"[users.ann]\n{made.stdout}")
    [user] = load(config=tmp_path / "v.toml", environ={}, command_line={}).settings.users
    assert check_password(b"a b c", user)
    assert not check_password(b"a b", user)


def test_an_empty_password_is_refused() -> None:
    assert RUNNER.invoke(app, ["password"], input="\n").exit_code == 2


_TAIL = "8:1:" + "A" * 24 + ":" + "A" * 44


@pytest.mark.parametrize("bad", ["secret", f"scrypt:3:{_TAIL}", f"scrypt:2097152:{_TAIL}"])
def test_what_is_no_hash_is_refused(tmp_path: Path, bad: str) -> None:
    (tmp_path / "v.toml").write_text(f'[users.ann]\npassword = "{bad}"')
    with pytest.raises(InvalidParameter, match="voxcast password") as caught:
        load(config=tmp_path / "v.toml", environ={}, command_line={})
    assert bad not in str(caught.value)


def test_whoever_demands_users_needs_some(tmp_path: Path) -> None:
    for text in ('user_identity = "required"', '[peers.X]\naet = "X"\nneeds_user = true'):
        (tmp_path / "v.toml").write_text(text)
        with pytest.raises(InvalidParameter, match="users"):
            load(config=tmp_path / "v.toml", environ={}, command_line={})
