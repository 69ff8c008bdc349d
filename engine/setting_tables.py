"""Tables of the TOML file that hold several things of one kind: each becomes one frozen object, with the origin of every value.

The class says in its fields (`setting_values.setting`, `needed`) what its keys mean and take, as `Settings` does for its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, TypeVar

from engine import setting_values
from engine.errors import InvalidParameter

Entry = TypeVar("Entry")


def keys_of(kind: type[Any]) -> list[Field[Any]]:
    """The fields that have a key in the table."""
    return [one for one in fields(kind) if "parse" in one.metadata]


def is_needed(one: Field[Any]) -> bool:
    return one.default is MISSING


def read_entry(
    kind: type[Entry], where: str, table: object, origin: str, base: Path, **given: object
) -> tuple[Entry, dict[str, str]]:
    """One object from one table, and ``where.key`` → where the value came from.

    Parameters
    ----------
    where : such as ``peers.PACS``, for messages.
    base : folder that relative paths are relative to.
    given : values of fields that are no key of the table.

    Raises
    ------
    InvalidParameter
        An unknown key (the nearest is named), a value out of its range, a needed key that is not there.
    """
    if not isinstance(table, Mapping):
        raise InvalidParameter(where, str(table), f"a table ({origin})")
    known = {one.name: one for one in keys_of(kind)}
    values, origins = dict(given), {f"{where}.{name}": "default" for name in known}
    for name, value in table.items():
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise InvalidParameter(
                f"{where}.{name}", str(value), f"a setting that exists; the nearest is {where}.{nearest} ({origin})"
            )
        parse = known[name].metadata["parse"]
        try:
            values[name] = parse(value)
        except (ValueError, TypeError):
            shown = "…" if name == "password" else str(value)  # it may be one, where its hash should be
            raise InvalidParameter(f"{where}.{name}", shown, f"{known[name].metadata['expected']} ({origin})") from None
        if parse is setting_values.path:
            values[name] = base / values[name]  # type: ignore[operator]
        origins[f"{where}.{name}"] = origin
    for name, one in known.items():
        if is_needed(one) and name not in values:
            raise InvalidParameter(f"{where}.{name}", "", f"{one.metadata['expected']}: it is needed ({origin})")
    try:
        return kind(**values), origins
    except InvalidParameter as error:  # keys that contradict each other
        raise InvalidParameter(f"{where}.{error.name}", error.value, f"{error.expected} ({origin})") from None


def restored(kind: type[Entry], values: Mapping[str, Any]) -> Entry:
    """The object of `dataclasses.asdict` that went through JSON."""
    back: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for one in keys_of(kind):
        if one.metadata["parse"] is setting_values.path and back[one.name] is not None:
            back[one.name] = Path(back[one.name])
    return kind(**back)
