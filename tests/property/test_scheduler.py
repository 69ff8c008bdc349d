"""The scheduler's promises: nothing twice, nobody starves, always exact in the end, never idle, never too much under way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scheduling import Client, ct

from engine.stream.demand import Demand, Order, Quality, Spread
from engine.stream.grant import Grant
from engine.stream.holding import Holding
from engine.stream.precedence import Outlook, next_of
from engine.stream.scheduler import Scheduler
from engine.stream.supply import Supply

CHUNK_MAX = 64 * 1024


@st.composite
def supplies(draw: st.DrawFn, positions_max: int = 40) -> Supply:
    """Any ladder that `Supply` takes, with levels that have nothing of their own among them."""
    levels, positions = draw(st.integers(1, 6)), draw(st.integers(1, positions_max))
    steps = st.lists(st.integers(0, 30_000), min_size=levels - 1, max_size=levels - 1)
    ends = []
    for _ in range(positions):
        ladder = [draw(st.integers(1, 5000))]
        for step in draw(steps):
            ladder.append(ladder[-1] + step)
        ends.append(ladder)
    return Supply.of(ends, draw(st.integers(1, 4000)), draw(st.integers(1, 4000)))


@st.composite
def demands(draw: st.DrawFn, series: str, positions: int) -> Demand:
    return Demand(
        series=series,
        position=draw(st.integers(-2, positions + 1)),
        width=draw(st.sampled_from([1, 64, 128, 300, 512, 1 << 30])),
        height=draw(st.sampled_from([1, 64, 128, 300, 512, 1 << 30])),
        velocity=draw(st.sampled_from([0.0, 0.0, 0.5, -3.0, 20.0, -60.0, 500.0])),
        direction=draw(st.sampled_from([-1, 1])),
        quality=draw(st.sampled_from(list(Quality))),
        spread=draw(st.sampled_from(list(Spread))),
        reach=draw(st.none() | st.integers(0, 50)),
        is_loop=draw(st.booleans()),
        weight=draw(st.sampled_from([0.5, 1.0, 4.0])),
    )


def drain(scheduler: Scheduler, clients: dict[str, Client], now: float, decisions: int = 100_000) -> float:
    """Everything that is wanted is granted and arrives at once; the time at the end."""
    for _ in range(decisions):
        grant = scheduler.next(now)
        if grant is None:
            now += 0.001
            for client in clients.values():
                client.arrive(now)
            grant = scheduler.next(now)
        if grant is None:
            at = scheduler.wakes_at()
            if at is None:
                return now
            assert at > now
            now = at
            continue
        clients[str(grant.session)].take(grant)
    raise AssertionError("it never ends")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_whatever_was_said_a_viewport_at_rest_gets_all_of_its_series_once(data: st.DataObject) -> None:
    scheduler, now = Scheduler(), 0.0
    clients: dict[str, Client] = {}
    for name in data.draw(st.sampled_from([["a"], ["a", "b"]])):
        clients[name] = Client(scheduler.join(name, weight=data.draw(st.sampled_from([0.5, 1.0, 3.0]))))
        for series in ("x", "y"):
            supply = data.draw(supplies())
            held = {
                position: data.draw(st.integers(0, supply.size(position)))
                for position in data.draw(st.sets(st.integers(0, supply.positions - 1), max_size=5))
            }
            clients[name].offer(series, supply, held)
    for _ in range(data.draw(st.integers(0, 12))):
        client = clients[data.draw(st.sampled_from(sorted(clients)))]
        series, viewport = data.draw(st.sampled_from("xy")), data.draw(st.sampled_from("12"))
        what = data.draw(st.sampled_from(["look", "look", "look", "close", "forget", "wait"]))
        if what == "look":
            client.recipient.look(viewport, data.draw(demands(series, client.supplies[series].positions)), now)
        elif what == "close":
            client.recipient.close(viewport)
        elif what == "forget" and client.held:
            at = data.draw(st.sampled_from(sorted(client.held)))
            keep = data.draw(st.integers(0, client.held[at]))
            client.held[at] = keep
            client.recipient.forget(*at, keep)
        now += data.draw(st.sampled_from([0.0, 0.001, 0.02, 0.5]))
        for _ in range(data.draw(st.integers(0, 10))):
            grant = scheduler.next(now)
            if grant is not None:
                clients[str(grant.session)].take(grant)
        for one in clients.values():
            one.arrive(now, data.draw(st.none() | st.integers(0, 3)))
    for client in clients.values():
        for viewport, series in (("1", "x"), ("2", "y")):
            client.recipient.look(viewport, Demand(series=series, position=data.draw(st.integers(0, 40))), now)
    drain(scheduler, clients, now)
    for client in clients.values():
        assert client.has_all("x")
        assert client.has_all("y")
        assert scheduler.wakes_at() is None


@settings(deadline=None)
@given(supplies(), st.data())
def test_no_more_than_the_viewport_needs_until_it_rests_and_a_word_less_viewport_rests(
    supply: Supply, data: st.DataObject
) -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("a"))
    client.offer("x", supply)
    demand = replace(
        data.draw(demands("x", supply.positions)),
        velocity=60.0, quality=Quality.EXACT, spread=Spread.AROUND, reach=None,
    )  # fmt: skip
    client.recipient.look("1", demand, 0.0)
    need = max(supply.level_for(demand.width, demand.height), supply.coarse)
    now = 0.0
    while now < 0.039:
        grant = scheduler.next(now)
        if grant is None:
            now += 0.001
            client.arrive(now)
        else:
            client.take(grant)
            assert grant.level <= need
    drain(scheduler, {"a": client}, now)
    assert client.has_all("x")


@settings(deadline=None)
@given(st.data())
def test_while_anything_is_wanted_and_there_is_credit_something_is_granted(data: st.DataObject) -> None:
    """Work conserving, with a slow line: None is said only with the credit used up, or with nothing left."""
    scheduler, now = Scheduler(), 0.0
    client = Client(scheduler.join("a", in_flight_bytes_max=256 * 1024))
    supply = data.draw(supplies())
    client.offer("x", supply)
    client.recipient.look("1", Demand(series="x", position=data.draw(st.integers(0, 40))), now)
    round_trip = data.draw(st.sampled_from([0.0, 0.002, 0.05]))
    while True:
        grant = scheduler.next(now)
        if grant is not None:
            client.take(grant)
            credit = client.recipient.credit
            assert credit.in_flight == sum(client.under_way) <= 256 * 1024
            assert grant.size <= CHUNK_MAX
            continue
        if not client.under_way:
            break
        assert client.recipient.credit.in_flight >= client.recipient.credit.window or client.has_all("x")
        now += round_trip
        client.arrive(now, data.draw(st.integers(1, 4)))
    assert client.has_all("x")


@settings(deadline=None)
@given(st.lists(st.floats(0.25, 8), min_size=2, max_size=5), st.integers(5, 200))
def test_sessions_get_bytes_by_their_weights(weights: list[float], turns: int) -> None:
    scheduler = Scheduler()
    clients = {}
    for index, weight in enumerate(weights):
        client = clients[str(index)] = Client(scheduler.join(str(index), weight=weight))
        client.offer("x", ct(200))
        client.recipient.look("1", Demand(series="x", position=100), 0.0)
    now, got = 0.0, dict.fromkeys(clients, 0)
    for _ in range(turns):
        grant = scheduler.next(now)
        assert grant is not None
        name = str(grant.session)
        clients[name].take(grant)
        clients[name].arrive(now)
        got[name] += grant.size
        now += 0.0005
    for i, weight_i in enumerate(weights):
        for j, weight_j in enumerate(weights):
            apart = abs(got[str(i)] / weight_i - got[str(j)] / weight_j)
            assert apart <= CHUNK_MAX / weight_i + CHUNK_MAX / weight_j


def test_one_that_never_reads_holds_nobody_up() -> None:
    scheduler = Scheduler()
    deaf, other = Client(scheduler.join("deaf")), Client(scheduler.join("other"))
    for client in (deaf, other):
        client.offer("x", ct(50))
        client.recipient.look("1", Demand(series="x", position=0), 0.0)
    now = 0.0
    while not other.has_all("x"):
        grant = scheduler.next(now)
        if grant is None:
            now += 0.001
            other.arrive(now)
        else:
            {"deaf": deaf, "other": other}[str(grant.session)].take(grant)
    assert sum(grant.size for grant in deaf.grants) <= 32 * 1024 + CHUNK_MAX


def test_the_same_calls_give_the_same_grants() -> None:
    def run() -> list[Grant]:
        scheduler = Scheduler()
        clients = {name: Client(scheduler.join(name)) for name in "abc"}
        now, grants = 0.0, []
        for client in clients.values():
            client.offer("x", ct(300))
        for step in range(200):
            now += 0.0167
            for offset, client in enumerate(clients.values()):
                client.recipient.look("1", Demand(series="x", position=step + offset, velocity=60.0), now)
            for _ in range(8):
                if (grant := scheduler.next(now)) is not None:
                    grants.append(grant)
                    clients[str(grant.session)].take(grant)
            for client in clients.values():
                client.arrive(now, 3)
        return grants

    assert run() == run()


@settings(deadline=None)
@given(st.integers(0, 299), st.integers(0, 299), st.integers(0, 60))
def test_a_jump_counts_from_the_next_decision(before: int, after: int, decisions: int) -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("a"))
    client.offer("x", ct(300))
    client.recipient.look("1", Demand(series="x", position=before), 0.0)
    for index in range(decisions):
        grant = scheduler.next(index * 0.001)
        assert grant is not None
        client.take(grant)
        client.arrive(index * 0.001)
    generation = client.recipient.look("1", Demand(series="x", position=after), 1.0)
    grant = scheduler.next(1.0)
    assert grant is not None
    assert grant.generation == generation
    if not client.has_all("x", [after]):
        assert (grant.position, grant.is_seen) == (after, True)


def test_at_rest_the_order_is_current_then_the_pack_then_what_is_worth_most_a_byte() -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("a"))
    supply = ct(100)
    client.offer("x", supply)
    client.recipient.look("1", Demand(series="x", position=40, width=128, height=128, direction=1), 0.0)
    drain(scheduler, {"a": client}, 0.0)
    order = [(grant.position, grant.level) for grant in client.grants]
    need = supply.level_for(128, 128)
    assert need == 3
    seen = [entry for entry in order if entry[0] == 40 and entry[1] <= need]
    assert order[: len(seen)] == seen
    assert [level for _, level in seen] == sorted(level for _, level in seen)
    pack = client.grants[len(seen) :]
    while pack and pack[0].level == 0:
        pack = pack[1:]
    packed = client.grants[len(seen) : -len(pack)]
    assert {p for g in packed for p in range(g.position, g.position + g.count)} == set(range(100)) - {40}
    assert len(packed) < 25, "a run of the pack is one grant"
    assert pack[0].position == 40, "then the current one to the last bit"
    for level in (1, 2, 3):
        reached = [position for position, at in order if at == level and position != 40]
        assert [abs(p - 40) for p in reached if p > 40] == sorted(abs(p - 40) for p in reached if p > 40)
        assert reached.index(41) < reached.index(39), "ahead before behind"
    firsts = {level: order.index((44, level)) for level in (1, 2, 3)}
    assert firsts[1] < firsts[2] < firsts[3], "coarse before fine"


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(("line", "reached"), [(187_500.0, 40), (10_000_000.0, 0)])
def test_over_a_slow_line_a_throw_finds_pictures_before_the_first_slice_is_whole(
    line: float, reached: int, direction: int
) -> None:
    """1.5 Mbit/s: a slice takes a second, in which a hand would be a hundred slices further; over 80 Mbit/s it is there at once."""
    supply = ct(1000)
    holding = Holding("x", supply)
    demand = Demand(series="x", position=500, direction=direction)
    order: list[tuple[int, int]] = []
    while supply.levels - 1 not in [level for position, level in order if position == 500]:
        outlook = Outlook(0.0, 500, 0.0, 0.02, line, 1000)
        choice = next_of(holding, demand, outlook)
        assert choice is not None
        order.append((choice.position, choice.level))
        assert choice.is_seen == (choice.position == 500)
        holding.take(choice.position, supply.end(choice.position, holding.level(choice.position)))
    coarse = [position for position, level in order if position != 500]
    assert all(level == 0 for position, level in order if position != 500), "coarse ones only"
    assert order[0] == (500, 0), "what is shown first of all"
    ahead = [position for position in coarse if (position - 500) * direction > 0]
    assert len(ahead) >= reached and (reached or not coarse)
    assert [abs(position - 500) for position in ahead] == list(range(1, len(ahead) + 1)), "the nearest first"
    assert len(ahead) > len(coarse) - len(ahead) or not coarse, "more of them ahead than behind"


def test_in_motion_what_is_sent_is_seen_when_it_arrives() -> None:
    """8 Mbit/s, 80 ms, 60 positions a second: a slice of a quarter size takes 10 ms, so what leaves now is seen 5 slices on."""
    scheduler = Scheduler()
    client = Client(scheduler.join("a"))
    client.offer("x", ct(1000))
    line, now = 1_000_000.0, 0.0
    client.recipient.look("1", Demand(series="x", position=0), now)
    arrivals: list[tuple[float, Grant]] = []
    free = 0.0
    told = 0.0
    late = counted = 0
    for step in range(6000):
        now = step * 0.001
        position = int(now * 60)
        if now >= told:
            client.recipient.look("1", Demand(series="x", position=position, velocity=60.0), now)
            told += 1 / 60
        while (grant := scheduler.next(now)) is not None:
            client.take(grant)
            free = max(free, now) + grant.size / line
            arrivals.append((free + 0.08, grant))
        while arrivals and arrivals[0][0] <= now:
            _, grant = arrivals.pop(0)
            client.arrive(now, 1)
            if now > 1 and grant.count == 1:
                counted += grant.size
                late += grant.size if grant.position < (now - 0.04) * 60 - 1 else 0
    assert counted > 3_000_000
    assert late / counted < 0.05


@settings(deadline=None)
@given(st.integers(200_000, 3_000_000), st.lists(st.integers(0, 99), min_size=1, max_size=6))
def test_the_clients_memory_is_never_exceeded_and_holds_what_is_near(room: int, visits: list[int]) -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("a", held_bytes_max=room))
    client.offer("x", ct(100, 40_000, 256))
    now = 0.0
    for visit in visits:
        client.recipient.look("1", Demand(series="x", position=visit), now)
        for _ in range(5000):
            grant = scheduler.next(now)
            if grant is None and not client.under_way:
                break
            if grant is None:
                now += 0.001
                client.arrive(now)
            else:
                client.take(grant)
                assert client.bytes_held <= room
        else:
            raise AssertionError("it goes round and round")
        assert client.has_all("x", [visit])
    assert all(client.level("x", position) >= 0 for position in range(100)), "the coarse pack is never dropped"
    held = [client.held["x", position] for position in range(100)]
    if sum(held) - min(held) > room - 10_000 and len(visits) == 1:  # what lies near is finer than what lies far
        near = held[max(0, visits[-1] - 2) : visits[-1] + 3]
        assert sum(near) / len(near) > sum(held) / len(held)


def test_what_the_client_says_it_has_is_not_sent_again() -> None:
    scheduler = Scheduler()
    supply = ct(50)
    first = Client(scheduler.join("first"))
    first.offer("x", supply)
    first.recipient.look("1", Demand(series="x", position=20), 0.0)
    for index in range(40):
        grant = scheduler.next(index * 0.001)
        assert grant is not None
        first.take(grant)
        first.arrive(index * 0.001)
    scheduler.leave("first")
    again = Client(scheduler.join("again"))
    again.offer("x", supply, {position: end for (_, position), end in first.held.items()})
    again.recipient.look("1", Demand(series="x", position=20), 1.0)
    drain(scheduler, {"again": again}, 1.0)
    assert again.has_all("x")
    sent = sum(grant.size for client in (first, again) for grant in client.grants)
    assert sent == sum(supply.size(position) for position in range(50))


def test_every_fourth_slice_of_a_volume_is_usable_first() -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("a"))
    client.offer("x", ct(174))
    client.recipient.look("1", Demand(series="x", spread=Spread.VOLUME), 0.0)
    drain(scheduler, {"a": client}, 0.0)
    at = {(g.position, g.level): index for index, g in enumerate(client.grants) if g.is_complete}
    fourth = max(at[position, 3] for position in range(0, 174, 4))
    every = max(at[position, 3] for position in range(174))
    assert fourth < min(at[position, 3] for position in range(2, 174, 4))
    assert every < min(index for (_, level), index in at.items() if level == 4)
    assert client.has_all("x")


def test_drawn_pictures_are_whole_and_their_size_is_corrected() -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("a"))
    drawn = Supply.of([(30_000,)] * 10, 512, 512, is_whole=True)
    client.offer(("x", "window 1"), drawn)
    client.recipient.look("1", Demand(series=("x", "window 1"), position=3, quality=Quality.FITTING), 0.0)
    one, two = scheduler.next(0.0), scheduler.next(0.0)
    assert one is not None
    assert two is not None
    assert (one.position, one.first, one.end, one.is_complete) == (3, 0, 30_000, True)
    assert not client.recipient.is_void(one)
    client.recipient.settle(one, 21_000)
    client.offer(("x", "window 2"), drawn)
    client.recipient.look("1", Demand(series=("x", "window 2"), position=3, quality=Quality.FITTING), 0.01)
    assert client.recipient.is_void(two)
    client.recipient.take_back(two)
    assert client.recipient.credit.in_flight == 21_000
    client.recipient.acknowledge(21_000, 0.02)
    again = scheduler.next(0.02)
    assert again is not None
    assert (again.series, again.position) == (("x", "window 2"), 3)


def test_what_was_taken_back_is_granted_again_if_it_is_wanted() -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("a"))
    client.offer("x", ct(3))
    client.recipient.look("1", Demand(series="x", position=1), 0.0)
    grants = [scheduler.next(0.0) for _ in range(3)]
    for grant in reversed(grants):
        assert grant is not None
        client.recipient.take_back(grant)
    assert client.recipient.credit.in_flight == 0
    assert [(g.position, g.first, g.end) for g in (scheduler.next(0.0) for _ in range(3)) if g] == [
        (g.position, g.first, g.end) for g in grants if g
    ]


def test_what_is_seen_goes_before_neighbours_of_another_viewport_which_still_get_their_share() -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("a"))
    client.offer("x", ct(400))
    client.offer("y", ct(400))
    client.recipient.look("cine", Demand(series="x", position=0, velocity=30.0), 0.0)
    client.recipient.look("still", Demand(series="y", position=200), 0.0)
    got = {"cine": 0, "still": 0}
    now, line = 0.0, 1_000_000.0
    for step in range(400):
        client.recipient.look("cine", Demand(series="x", position=step % 400, velocity=30.0), now)
        end = now + 1 / 30
        while now < end:
            grant = scheduler.next(now)
            if grant is None:
                now += 0.001
                client.arrive(now, 1)
                continue
            client.take(grant)
            got[str(grant.viewport)] += grant.size
            now += grant.size / line
            client.arrive(now, 1)
    assert client.has_all("y", [200])
    assert 0 < got["still"] < got["cine"]


@pytest.mark.parametrize(("velocity", "direction", "is_resting"), [(7.9, -1, True), (-7.9, 1, True), (8.1, 1, False)])
def test_a_slow_hand_rests_at_each_position(velocity: float, direction: int, is_resting: bool) -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("a"))
    client.offer("x", ct(100))
    client.recipient.look("1", Demand(series="x", position=50, velocity=velocity, direction=direction), 0.0)
    demand = client.recipient.demand("1")
    assert demand is not None
    assert (demand.velocity == 0) == is_resting
    assert demand.direction == (1 if velocity > 0 else -1), "the way it goes, whatever `direction` says"
    assert scheduler.next(0.0) is not None
    assert client.recipient.rests_at(0.0) == (None if is_resting else pytest.approx(2 / 8.1))


def test_a_picture_waits_until_no_more_than_the_path_holds_is_under_way() -> None:
    """8 Mbit/s, 80 ms: the path holds 80 kB and a picture has 32, so the fourth waits for the first one's answer."""
    client = Client(Scheduler().join("a"))
    credit = client.recipient.credit
    sends = [(step * 0.004, 1, 4000) for step in range(120)]
    answers = [(step * 0.004 + 0.084, 0, 4000 * (step + 1)) for step in range(120)]
    for at, is_send, size in sorted(sends + answers):
        credit.send(size, at) if is_send else credit.acknowledge(size, at)
    assert credit.bandwidth == pytest.approx(1e6, rel=0.02)
    client.offer("x", Supply.of([(32_000,)] * 200, 512, 512, is_whole=True))
    client.recipient.look("1", Demand(series="x", position=5), 1.0)
    while (grant := client.recipient.next(1.0)) is not None:
        client.take(grant)
    assert [grant.size for grant in client.grants] == [32_000] * 3
    total, now = 480_000, 1.0
    for step in range(60):  # three in 0.125 s: the line is not full, which does not show how fast it is
        now, total = 1.125 + step * 0.125 / 3, total + 32_000
        credit.acknowledge(total, now)
        grant = client.recipient.next(now)
        assert grant is not None
        client.take(grant)
        assert client.recipient.next(now) is None
    assert credit.bandwidth == pytest.approx(1e6, rel=0.02)
    for _ in range(30):  # now it is a slow one: what was sent waits, and that shows
        now, total = now + 0.32, total + 32_000
        credit.acknowledge(total, now)
        while (grant := client.recipient.next(now)) is not None:
            client.take(grant)
    assert credit.bandwidth == pytest.approx(1e5, rel=0.02)
    assert credit.in_flight <= 32_000, "one at a time"


def test_orders_go_by_urgency_and_incremental_ones_by_turns() -> None:
    scheduler = Scheduler()
    client = Client(scheduler.join("http"))
    say = client.recipient.order
    say(Order(key="late", end=9_000, urgency=5))
    say(Order(key="one", end=9_000, urgency=2, is_incremental=True))
    say(Order(key="two", end=9_000, urgency=2, is_incremental=True))
    say(Order(key="plain", end=9_000))
    say(Order(key="gone", end=9_000, urgency=0))
    client.recipient.cancel("gone")
    say(Order(key="range", first=4_000, end=9_000, urgency=1))
    drain(scheduler, {"http": client}, 0.0)
    order = [grant.series for grant in client.grants]
    turns = [key for index, key in enumerate(order) if index == 0 or order[index - 1] != key]
    assert turns[0] == "range"
    assert turns[-2:] == ["plain", "late"], "one after the other"
    assert len(turns) > 5, "by turns"
    assert set(turns[1:-2:2]) == {"one"}
    assert set(turns[2:-2:2]) == {"two"}
    assert client.bodies == dict.fromkeys(("range", "one", "two", "plain", "late"), 9_000)


@pytest.mark.parametrize("ends", [[], [()], [(0, 5)], [(5, 4)], [(1, 2), (1,)]])
def test_a_ladder_that_is_none_is_refused(ends: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"level|position"):
        Supply.of(ends, 1, 1)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 5000))
def test_a_level_is_never_enlarged_and_never_finer_than_needed(
    rows: int, columns: int, width: int, height: int
) -> None:
    supply = Supply.of([tuple(range(1, 8))], rows, columns)
    level = supply.level_for(width, height)
    scale = min(width / columns, height / rows)

    def side(full: int, at: int) -> int:
        for _ in range(6 - at):
            full = (full + 1) // 2
        return full

    if level < 6:
        assert scale * columns <= side(columns, level) * (1 + 1e-9)
        assert scale * rows <= side(rows, level) * (1 + 1e-9)
    if level:
        assert scale * columns > side(columns, level - 1) * (1 - 1e-9) or scale * rows > side(rows, level - 1) * (
            1 - 1e-9
        )
