"""`forward.cpp` as a process: compiled once into build/, started between two namespaces, its account read."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.links.compiling import compiled
from benchmarks.links.namespaces import CannotLink, Namespace

_SOURCE = Path(__file__).with_name("forward.cpp")
ACCOUNT_S = 0.1  # from entry to entry


@dataclass(frozen=True, slots=True)
class Carried:
    """What one direction has carried since the begin: packets and bytes delivered (IP headers too), lost, without room."""

    packets: int
    bytes: int
    lost: int
    no_room: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The account at one moment of CLOCK_MONOTONIC: towards the reader, and from the reader."""

    at: float
    down: Carried
    up: Carried


class Forwarder:
    """Carries packets between two devices, which it makes, until closed, or the thread that started it has ended.

    Parameters
    ----------
    server, reader : namespace and name of the device in it.
    delay_s : one way.
    loss : share of the packets, in either direction.
    account : the file that it writes its account into.
    """

    def __init__(
        self, server: tuple[Namespace, str], reader: tuple[Namespace, str], delay_s: float, loss: float, account: Path,
        seed: int = 1,
    ) -> None:  # fmt: skip
        self._account = account
        ends = [word for namespace, device in (server, reader) for word in (namespace.name, device)]
        command = [str(compiled(_SOURCE)), *ends, str(round(delay_s * 1e6)), str(loss), str(seed), str(account)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            said = self.process.communicate(timeout=5)[1]
            raise CannotLink(f"the forwarder did not start: {said.strip()}")

    def account(self) -> list[Entry]:
        """Everything so far, a tenth of a second apart."""
        return entries(self._account.read_text().splitlines())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def entries(lines: Sequence[str]) -> list[Entry]:
    """Lines of the account; the last one may be cut."""
    found = []
    for line in lines:
        words = line.split()
        if len(words) == 9:
            counts = [int(word) for word in words[1:]]
            found.append(Entry(float(words[0]), Carried(*counts[:4]), Carried(*counts[4:])))
    return found
