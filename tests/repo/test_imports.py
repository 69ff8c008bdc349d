"""Imports go one way (docs/architecture.md): who may use whom, and which room a library lives in. In functions too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = {
    "errors",
    "types",
    "limits",
    "setting_values",
    "setting_tables",
    "peers",
    "forwarding",
    "tls_settings",
    "tls",
    "users",
    "peer_metrics",
    "settings",
    "log",
    "metrics",
    "executors",
}

# room → rooms of the engine that it may import, beside itself and the base
MAY_IMPORT: dict[str, set[str]] = {
    "dicom": {"_native"},
    "codec": {"dicom", "_native"},
    "imaging": {"dicom", "imaging.kernels"},
    "imaging.kernels": set(),
    "archive": {"_native", "dicom"},
    "ingest": {"dicom", "archive"},
    "stream": {"_native", "dicom", "archive", "codec", "imaging"},
    "dimse": {"_native", "dicom", "archive", "ingest", "codec"},
    "web": {"_native", "dicom", "archive", "ingest", "stream"},
    "viewer": set(),
    "server": {"dicom", "archive", "ingest", "codec", "imaging", "stream", "dimse", "web"},
    "cli": {"dicom", "archive", "ingest", "codec", "imaging", "stream", "dimse", "web", "server"},
}
# inside the base, an order of its own
BASE_MAY_IMPORT: dict[str, set[str]] = {
    "setting_tables": {"errors", "setting_values"},
    "peers": {"errors", "peer_metrics", "setting_values"},
    "forwarding": {"errors", "peers", "setting_values", "types"},
    "settings": {
        "errors",
        "forwarding",
        "limits",
        "peers",
        "setting_tables",
        "setting_values",
        "tls_settings",
        "users",
    },
    "users": {"errors", "peers", "setting_values"},
    "tls_settings": {"errors", "setting_values"},
    "tls": {"errors", "peers", "tls_settings"},
    "log": {"settings"},
    "metrics": {"peer_metrics"},
}

# library → rooms that may import it; numpy is everyone's
LIVES_IN: dict[str, set[str]] = {
    "lmdb": {"archive"},
    "pydicom": {"dicom", "dimse", "cli"},
    "pynetdicom": {"dimse"},
    "numba": {"imaging.kernels"},
    "imagecodecs": {"codec"},
    "PIL": {"imaging", "codec"},
    "openjpeg": {"codec"},
    "av": {"codec"},
    "aiohttp": {"web", "server"},
    "multidict": {"web"},
    "yarl": {"web"},
    "uvloop": {"server"},
    "typer": {"cli"},
    "rich": {"cli"},
}

# One name out of a room that is otherwise closed: a value that crosses the border, and why.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("web", "engine.imaging.spec"): "RenderSpec is what a request for a picture is turned into",
}


def modules() -> list[Path]:
    return sorted((ROOT / "engine").rglob("*.py"))


def room_of(dotted: str) -> str:
    """``engine.imaging.kernels.gray`` → ``imaging.kernels``; the engine package itself → ``''``."""
    parts = dotted.split(".")[1:]
    if parts[:2] == ["imaging", "kernels"]:
        return "imaging.kernels"
    return parts[0] if parts else ""


def imports(source: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module imports; ``from a import b`` gives ``a.b`` only for the engine itself."""
    for node in ast.walk(ast.parse(source.read_text("utf_8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}:{node.lineno}: imports are absolute"
            assert node.module is not None
            if node.module == "engine":
                yield from ((node.lineno, f"engine.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module


def complaint(room: str, name: str) -> str:
    """Why `room` must not import `name`; empty when it may."""
    top = name.split(".")[0]
    if top != "engine":
        if top in sys.stdlib_module_names or (top == "numpy" and room not in BASE):
            return ""
        if top not in LIVES_IN:
            return f"{top} has no room yet: give it one in LIVES_IN"
        return "" if room in LIVES_IN[top] else f"{top} lives in {', '.join(sorted(LIVES_IN[top]))}"
    other = room_of(name)
    if other in ("", "__version__") or other == room or (room, name) in EXCEPTIONS:
        return ""
    if room in BASE:
        return "" if other in BASE_MAY_IMPORT.get(room, set()) else "the base imports nothing of the engine"
    if room == "imaging.kernels":
        return "kernels know numbers and arrays only"
    return "" if other in BASE or other in MAY_IMPORT[room] else f"{room} may import {sorted(MAY_IMPORT[room])}"


@pytest.mark.parametrize("source", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(source: Path) -> None:
    room = room_of(".".join(source.relative_to(ROOT).with_suffix("").parts))
    wrong = [
        f"{source.relative_to(ROOT)}:{line}: imports {name}: {reason}"
        for line, name in imports(source)
        if (reason := complaint(room, name))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_client_needs_nothing_of_the_server() -> None:
    """Other programs import `voxcast.client`: it and its three libraries, and nothing behind them, is what they load."""
    may = {"voxcast", "aiohttp", "numpy", "imagecodecs"} | sys.stdlib_module_names
    wrong = [
        f"{source.relative_to(ROOT)}:{line}: imports {name}"
        for source in sorted((ROOT / "voxcast").rglob("*.py"))
        for line, name in imports(source)
        if name.split(".")[0] not in may
    ]
    assert not wrong, "\n".join(wrong)


def test_the_server_needs_nothing_of_the_client() -> None:
    assert not [source for source in modules() for _, name in imports(source) if name.split(".")[0] == "voxcast"]


def test_every_room_has_its_line() -> None:
    folders = {p.parent.name for p in (ROOT / "engine").glob("*/__init__.py")}
    assert folders == {room for room in MAY_IMPORT if "." not in room}


def test_asyncio_lives_where_the_house_says() -> None:
    wrong = {
        f"{source.relative_to(ROOT)}:{line}"
        for source in modules()
        for line, name in imports(source)
        if name.split(".")[0] == "asyncio"
        and room_of(".".join(source.relative_to(ROOT).with_suffix("").parts))
        not in ("web", "stream", "dimse", "server")
    }
    assert not wrong


def test_the_test_would_notice() -> None:
    assert complaint("archive", "engine.codec.base")
    assert complaint("web", "engine.dimse.store")
    assert complaint("web", "engine.imaging.plan")
    assert complaint("stream", "engine.server.supervisor")
    assert complaint("web", "lmdb.tool")
    assert complaint("limits", "engine.errors")
    assert complaint("cli", "somelibrary")
