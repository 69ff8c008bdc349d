"""Association requests that came before, byte for byte: the same modality asks the same each time, and reading costs 25 ms."""

from __future__ import annotations

import threading
from collections import OrderedDict

from engine.dimse.negotiation import Request
from engine.limits import KIB

_REQUESTS_MAX = 32  # a site's modalities that are busy at one time
_BYTES_MAX = 64 * KIB  # of each; longer ones than 128 contexts of ten transfer syntaxes are read each time


class RememberedRequests:
    """Reads requests; any thread.

    Those with a user identity are not kept: nobody's password lies about in memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Request] = OrderedDict()

    def parse(self, pdu: bytes) -> Request:
        """See `Request.parse`."""
        with self._lock:
            known = self._kept.get(pdu)
            if known is not None:
                self._kept.move_to_end(pdu)
                return known
        asked = Request.parse(pdu)
        if asked.user is None and len(pdu) <= _BYTES_MAX:
            with self._lock:
                self._kept[pdu] = asked
                while len(self._kept) > _REQUESTS_MAX:
                    self._kept.popitem(last=False)
        return asked
