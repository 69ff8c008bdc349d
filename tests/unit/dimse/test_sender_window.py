"""The asynchronous operations window (PS3.7 D.3.3.3): as many requests under way as was agreed, answers in any order."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from engine.dimse.command import Command
from engine.dimse.sender import WINDOW, Fate, Sender
from engine.limits import Limits
from engine.types import Buffer


class Peer:
    """An association whose other side answers when it is asked for, the newest request first."""

    idle_s = 5.0

    def __init__(self, window: int) -> None:
        self.window = (1, window)
        self.under_way: list[Command] = []
        self.most = self._last = 0

    def context_for(self, sop_class: str, syntaxes: tuple[str, ...]) -> Any:
        return SimpleNamespace(id=1, transfer_syntax=syntaxes[0])

    def next_message_id(self) -> int:
        self._last += 1
        return self._last

    def send(self, context_id: int, command: Command, data: Any) -> None:
        self.under_way.append(command)
        self.most = max(self.most, len(self.under_way))

    def next_response(self, timeout_s: float) -> Any:
        return SimpleNamespace(command=self.under_way.pop().response(0))


class Instance:
    sop_class_uid, transfer_syntax_uid, length = "1.2", "1.2.840.10008.1.2.1", 4

    def __init__(self, uid: str) -> None:
        self.sop_instance_uid = uid

    def data_set(self) -> Iterator[Buffer]:
        yield b"data"

    def opened(self) -> Any:
        raise AssertionError("it goes as it is stored")


@pytest.mark.parametrize(("agreed", "most"), [(1, 1), (3, 3), (0, WINDOW), (1000, WINDOW)])
def test_as_many_are_under_way_as_was_agreed(agreed: int, most: int) -> None:
    peer, instances = Peer(agreed), [Instance(f"1.{n}") for n in range(40)]
    outcomes = list(Sender(peer, Limits()).send(instances))  # type: ignore[arg-type]
    assert peer.most == most
    assert {one.sop_instance_uid for one, _ in outcomes} == {one.sop_instance_uid for one in instances}
    assert {outcome.fate for _, outcome in outcomes} == {Fate.TAKEN}
