"""Which series is next: asked for, come in, there before; each once, and never more than there is room for."""

from __future__ import annotations

from engine.server.rendition_queue import RenditionQueue, Wanted


def wanted(name: str, used_ns: int = 0, *, is_asked: bool = False) -> Wanted:
    return Wanted("1.2", name, used_ns, is_asked)


def order(queue: RenditionQueue) -> list[str]:
    found = []
    while (one := queue.next()) is not None:
        found.append(one.series_instance_uid)
    return found


def test_asked_before_come_before_there() -> None:
    queue = RenditionQueue()
    queue.backlog([wanted("old", 1), wanted("older", 0), wanted("new", 2)])
    queue.came(wanted("came first", 10))
    queue.came(wanted("came last", 11))
    queue.ask(wanted("asked first", 20, is_asked=True))
    queue.ask(wanted("asked last", 21, is_asked=True))
    assert len(queue) == 7
    assert order(queue) == ["asked last", "asked first", "came last", "came first", "new", "old", "older"]
    assert len(queue) == 0


def test_each_is_in_it_once() -> None:
    queue = RenditionQueue()
    queue.came(wanted("a", 1))
    queue.ask(wanted("a", 2, is_asked=True))
    queue.ask(wanted("b", 3, is_asked=True))
    queue.ask(wanted("a", 4, is_asked=True))
    queue.came(wanted("a", 1))
    queue.came(wanted("c", 1))
    queue.came(wanted("c", 2))
    queue.backlog([wanted("a", 1), wanted("c", 1), wanted("d", 0)])
    assert order(queue) == ["a", "b", "c", "d"]


def test_asked_ones_alone() -> None:
    queue = RenditionQueue()
    queue.came(wanted("came", 5))
    assert queue.next_asked() is None
    queue.ask(wanted("asked", 6, is_asked=True))
    assert queue.next_asked() == wanted("asked", 6, is_asked=True)
    assert order(queue) == ["came"]


def test_it_is_bounded_and_lets_the_oldest_go() -> None:
    queue = RenditionQueue()
    for n in range(5000):
        queue.came(wanted(f"came {n}", n))
        queue.ask(wanted(f"asked {n}", n, is_asked=True))
    found = order(queue)
    assert len(found) == 4096 + 256
    assert found[0] == "asked 4999"
    assert found[256] == "came 4999"
    assert "came 0" not in found


def test_without_room_nothing_old_is_tried() -> None:
    queue = RenditionQueue()
    queue.backlog([wanted("old", 1)])
    queue.came(wanted("came", 2))
    queue.no_room()
    assert order(queue) == ["came"]
