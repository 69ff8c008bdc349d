"""pynetdicom as requestor of several operations on one association, without its race."""

from __future__ import annotations

import time

from pynetdicom import Association

_DEADLINE_S = 10


def settled(association: Association) -> Association:
    """The association, when its thread has noticed that the operation before has ended.

    A new one that begins sooner takes the thread for paused, and the thread then takes an answer that comes quickly away from
    who waits for it (pynetdicom 3.0: `Association._is_paused` stays set for a moment).
    """
    deadline = time.monotonic() + _DEADLINE_S
    while association.is_established and association._is_paused:
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    return association
