"""A progress bar on stderr with rate and time left; silent where stderr is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from engine.cli.terminal import bytes_text

_REDRAW_S = 0.1  # telling rich of every file would cost more than storing a small one


class Bar:
    """Counts what is done; `total` may be set, or become known or larger, on the way."""

    def __init__(self, progress: Progress | None, what: str, total: int | None, is_bytes: bool) -> None:
        self._progress, self.total, self.done = progress, total, 0
        self._drawn = 0.0
        if progress is not None:
            self._task = progress.add_task(what, total=total, is_bytes=is_bytes)

    @property
    def is_visible(self) -> bool:
        return self._progress is not None

    def advance(self, by: int = 1) -> None:
        self.set(self.done + by)

    def set(self, done: int) -> None:
        self.done = done
        if self._progress is not None and time.monotonic() - self._drawn > _REDRAW_S:
            self._drawn = time.monotonic()
            self.draw()

    def draw(self) -> None:
        if self._progress is not None:
            total = None if self.total is None else max(self.total, self.done)
            self._progress.update(self._task, completed=self.done, total=total)


@contextmanager
def bar(what: str, total: int | None = None, *, is_bytes: bool = False) -> Iterator[Bar]:
    """A bar for the length of a ``with`` block; its numbers are files, or bytes."""
    if not sys.stderr.isatty():
        yield Bar(None, what, total, is_bytes)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), _Amount(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        drawn = Bar(progress, what, total, is_bytes)
        try:
            yield drawn
        finally:
            drawn.draw()


def _amount(task: Task, count: float) -> str:
    return bytes_text(count) if task.fields["is_bytes"] else f"{count:,.0f}".replace(",", " ")


class _Amount(ProgressColumn):
    def render(self, task: Task) -> Text:
        total = "?" if task.total is None else _amount(task, task.total)
        return Text(f"{_amount(task, task.completed)} / {total}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{_amount(task, task.speed)}/s")
