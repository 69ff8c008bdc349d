"""How much is under way in this process, in all and for each client; too much is refused at the door (invariant 7)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from engine.errors import TooBusy
from engine.limits import Limits


class Load:
    """One event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_client: dict[str, int] = {}
        self._total = 0
        self._ids = itertools.count(1)
        self._process = f"{os.getpid():x}"

    def next_id(self) -> str:
        """An id that no other request on this machine has while this process lives."""
        return f"{self._process}-{next(self._ids):x}"

    @contextmanager
    def admitted(self, client: str) -> Iterator[None]:
        """Counts one request while the block runs; `TooBusy` beyond the limits."""
        mine = self._by_client.get(client, 0)
        if self._total >= self._limits.requests_max:
            raise TooBusy("request")
        if mine >= self._limits.client_requests_max:
            raise TooBusy("request (limits.client_requests_max for one client)")
        self._total, self._by_client[client] = self._total + 1, mine + 1
        try:
            yield
        finally:
            self._total -= 1
            left = self._by_client[client] - 1
            if left:
                self._by_client[client] = left
            else:
                del self._by_client[client]


LOAD: web.AppKey[Load] = web.AppKey("load", Load)
