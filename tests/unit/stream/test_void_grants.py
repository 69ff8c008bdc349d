"""Credit that comes back with what was not sent: nobody answers for it, so the session must be asked again by itself."""

from __future__ import annotations

import pytest

from engine.stream.credit import INITIAL
from engine.stream.demand import Demand
from engine.stream.scheduler import Scheduler
from engine.stream.supply import Supply


@pytest.mark.parametrize("is_withdrawn", [False, True])
def test_a_session_whose_grant_is_void_gets_another(is_withdrawn: bool) -> None:
    scheduler = Scheduler()
    recipient = scheduler.join("session")
    drawn = Supply.of([(INITIAL,)] * 3, 512, 512, is_whole=True)  # one of them fills the line
    recipient.offer("old", drawn)
    recipient.look("viewport", Demand(series="old", reach=0), 0.0)
    grant = scheduler.next(0.0)
    assert grant is not None
    recipient.offer("new", drawn)
    recipient.look("viewport", Demand(series="new", reach=0), 0.0)
    if is_withdrawn:
        recipient.withdraw("old")
    assert scheduler.next(0.0) is None, "all that may be is under way"
    assert recipient.is_void(grant)
    recipient.take_back(grant)
    another = scheduler.next(0.0)
    assert another is not None
    assert (another.series, another.position) == ("new", 0)
