"""`voxcast config`: every setting, its value and where it came from, in a form that is itself a TOML file."""

from __future__ import annotations

import json
from dataclasses import asdict

from engine.cli.terminal import DONE, Terminal
from engine.settings import Described, Loaded, table


def show(loaded: Loaded, terminal: Terminal) -> int:
    in_limits = False
    for described in table():
        value = _value(loaded, described.key)
        if described.key.startswith("limits.") and not in_limits:
            in_limits = True
            terminal.heading("\n[limits]")
        terminal.result(
            {
                "key": described.key,
                "value": value,
                "origin": loaded.origins[described.key],
                "default": described.default,
                "environment": described.variable,
                "doc": described.doc,
            },
            _line(described, value, loaded.origins[described.key]),
        )
    return DONE


def check(loaded: Loaded, terminal: Terminal) -> int:
    """Loading has checked everything; say so."""
    changed = sorted(key for key, origin in loaded.origins.items() if origin != "default")
    text = f"settings are fine: {len(changed)} set, {len(loaded.origins) - len(changed)} at their defaults"
    terminal.result({"ok": True, "set": changed}, text)
    return DONE


def _value(loaded: Loaded, key: str) -> object:
    values = asdict(loaded.settings)
    for part in key.split("."):
        values = values[part]
    return None if values is None else values if isinstance(values, int) else str(values)


def _line(described: Described, value: object, origin: str) -> str:
    name = described.key.removeprefix("limits.")
    if value is None:
        return f"# {name} is not set: {described.doc}"
    # A JSON string is a TOML basic string.
    return f"{f'{name} = {json.dumps(value)}':<40} # {origin}: {described.doc}"
