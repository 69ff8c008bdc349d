"""`voxcast demo`: an archive filled with sample images, or with the user's own, served, with words on what to look at."""

from __future__ import annotations

import dataclasses
import signal
import socket
import sys
import tempfile
from collections import deque
from concurrent.futures import Future
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from engine.cli.importing import Tally, accepting, import_with_progress
from engine.cli.phantom import PhantomSeries, generate
from engine.cli.progress import bar
from engine.cli.terminal import FAILED, Terminal
from engine.ingest.accept import Accepted, Acceptor
from engine.server.supervisor import serve
from engine.setting_values import endpoint
from engine.settings import Loaded, Settings
from engine.types import Source

_AHEAD = 16  # slices of the phantom that wait for their commit


def run(loaded: Loaded, data: list[Path], keep: Path | None, terminal: Terminal) -> int:
    with ExitStack() as stack:
        # Until the server takes the signals over, SIGTERM must still remove the temporary archive.
        before = signal.signal(signal.SIGTERM, _end)
        stack.callback(signal.signal, signal.SIGTERM, before)
        if keep is None:
            keep = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voxcast-demo-")))
        settings = dataclasses.replace(loaded.settings, archive=keep)
        if loaded.origins["http"] == "default":
            settings = dataclasses.replace(settings, http=_free(settings.http))
        if loaded.origins["dicom"] == "default":
            settings = dataclasses.replace(settings, dicom=_free(settings.dicom))
        terminal.say(
            "Filling an archive" + (f" in {keep}." if loaded.settings.archive else ", kept until you press Ctrl-C.")
        )
        tally = Tally()
        with accepting(settings) as acceptor:
            if not data:
                _store_phantom(acceptor)
            import_with_progress(
                data or [_pydicom_files()], acceptor, settings, _Quiet() if not data else terminal, tally
            )
        if tally.is_interrupted:
            return FAILED
        if data and not tally.safe:
            terminal.say("Nothing to show: none of these files is an image that can be stored.")
            return FAILED
        for line in _what_to_look_at(settings, tally, is_own=bool(data)):
            terminal.say(line)
        return serve(settings)


def _store_phantom(acceptor: Acceptor) -> None:
    series = PhantomSeries()
    waiting: deque[Future[Accepted]] = deque()
    with bar("drawing a CT phantom", series.slices) as shown:
        for part10 in generate(series):
            waiting.append(acceptor.submit(part10, Source("import", "phantom")))
            if len(waiting) > _AHEAD:
                waiting.popleft().result()
            shown.advance()
        for answer in waiting:
            answer.result()


def _pydicom_files() -> Path:
    """The real images in pydicom's package, found without loading it."""
    spec = find_spec("pydicom")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "test_files"


def _free(text: str) -> str:
    """The same address, with a free port when another program has this one."""
    where = endpoint(text)
    if where is None:
        return text
    host, port = where
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in (port, 0):
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((host, candidate))
            except OSError:
                continue
            free = sock.getsockname()[1]
            return f"[{host}]:{free}" if ":" in host else f"{host}:{free}"
    return text  # the server says what is wrong with this address


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(FAILED)


class _Quiet(Terminal):
    """For the files of pydicom, a good part of which are damaged on purpose."""

    def say(self, text: str) -> None:
        """Nothing."""


_SAMPLES = """
  The first study, "CT phantom", is drawn, not a patient: 300 slices through chest and upper abdomen.
    Scroll it with the wheel: every slice is rendered on the way, from the stored bytes.
    Drag to change brightness and contrast: bones, lungs and vessels keep their Hounsfield units.
  The others are the {others} real images that pydicom's package carries: many modalities, encodings and oddities.
  {failed} of its files were refused by name, as they should be: no DICOM, or damaged on purpose."""

_OWN = """
  {stored} of your images are in it{failed}. Scroll a series with the wheel, drag to change brightness and contrast."""


def _what_to_look_at(settings: Settings, tally: Tally, is_own: bool) -> list[str]:
    stored, failed = tally.safe, tally.outcomes["failed"]
    if is_own:
        refused = f", {failed} files were refused (named above)" if failed else ""
        text = _OWN.format(stored=stored, failed=refused)
    else:
        text = _SAMPLES.format(others=tally.outcomes["stored"], failed=failed)
    lines = [
        "",
        f"  Open http://{settings.http}/ once it says ready." if settings.http != "off" else "",
        *text.splitlines(),
    ]
    if settings.http != "off":
        lines += ["  Or ask for it as a program would:", f"    curl 'http://{settings.http}/dicom-web/studies?limit=2'"]
    return [*lines, "  Ctrl-C ends the demo.", ""]
