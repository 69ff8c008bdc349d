"""`voxcast config`: every setting, its value and where it came from, in a form that is itself a TOML file."""

from __future__ import annotations

import json
from typing import Any

from engine.cli.terminal import DONE, Terminal
from engine.forwarding import Rule
from engine.peers import Peer
from engine.setting_tables import is_needed, keys_of
from engine.settings import Loaded, table
from engine.tls import server_context
from engine.users import User


def show(loaded: Loaded, terminal: Terminal) -> int:
    section = ""
    for described in table():
        value = _value(loaded, described.key)
        of, _, name = described.key.rpartition(".")
        if of != section:
            section = of
            terminal.heading(f"\n[{section}]")
        terminal.result(
            {
                "key": described.key,
                "value": value,
                "origin": loaded.origins[described.key],
                "default": described.default,
                "environment": described.variable,
                "doc": described.doc,
            },
            _line(name, value, loaded.origins[described.key], described.doc),
        )
    for peer in loaded.settings.peers:
        _show_entry(f"peers.{peer.name}", f"[peers.{peer.name}]", peer, loaded, terminal)
    for user in loaded.settings.users:
        _show_entry(f"users.{user.name}", f"[users.{json.dumps(user.name)}]", user, loaded, terminal)
    for rule in loaded.settings.forward:
        _show_entry(f"forward.{rule.name}", "[[forward]]", rule, loaded, terminal)
    return DONE


def _show_entry(where: str, heading: str, entry: Peer | Rule | User, loaded: Loaded, terminal: Terminal) -> None:
    """One table of several of its kind."""
    terminal.heading("\n" + heading)
    for one in keys_of(type(entry)):
        key, value, doc = f"{where}.{one.name}", _plain(getattr(entry, one.name)), one.metadata["doc"]
        default = None if is_needed(one) else one.default
        record = {"key": key, "value": value, "origin": loaded.origins[key], "default": default, "doc": doc}
        # Not every key takes the empty text that stands for none.
        terminal.result(record, _line(one.name, None if value == "" else value, loaded.origins[key], doc))


def check(loaded: Loaded, terminal: Terminal) -> int:
    """Loading has checked everything but what is in other files; say so."""
    if loaded.settings.dicom_tls.listen != "off":
        server_context(loaded.settings.dicom_tls)
    changed = sorted(key for key, origin in loaded.origins.items() if origin != "default")
    text = f"settings are fine: {len(changed)} set, {len(loaded.origins) - len(changed)} at their defaults"
    terminal.result({"ok": True, "set": changed}, text)
    return DONE


def _value(loaded: Loaded, key: str) -> object:
    value: Any = loaded.settings
    for part in key.split("."):
        value = getattr(value, part)
    return _plain(value)


def _plain(value: object) -> object:
    """As JSON and TOML have it."""
    if isinstance(value, tuple):
        return list(value)
    return None if value is None else value if isinstance(value, int) else str(value)


def _line(name: str, value: object, origin: str, doc: str) -> str:
    if value is None:
        return f"# {name} is not set: {doc}"
    # A JSON string is a TOML basic string, a list of them a TOML array.
    return f"{f'{name} = {json.dumps(value)}':<40} # {origin}: {doc}"
