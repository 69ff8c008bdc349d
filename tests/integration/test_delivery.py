"""The outbox worked off: few associations, peers side by side, back-off, what is refused, cancelled, gone or comes meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.archive.archive import Archive
from engine.archive.outbox import Outbox
from engine.archive.outbox_records import Order, State
from engine.dimse import delivery as delivery_module
from engine.dimse.delivery import Delivery
from engine.limits import Limits
from engine.metrics import Metrics
from engine.peers import Peer
from engine.settings import Settings
from tests.archives import incoming
from tests.data import make_instance
from tests.receiving import Receiver, free_port, silent, wait_until

LIMITS = Limits(
    association_idle_s_max=3, disk_reserve_bytes=0, peer_connect_s_max=1, outbox_backoff_s_max=1, outbox_retry_s_max=3
)


class Sending:
    """A delivery over an archive and an outbox in memory, that looks every few milliseconds."""

    def __init__(self, *peers: Peer, limits: Limits = LIMITS) -> None:
        self.archive, self.outbox = Archive.in_memory(limits), Outbox.in_memory(limits)
        self.metrics = Metrics()
        self.delivery = Delivery(self.archive, self.outbox, Settings(peers=peers, limits=limits), self.metrics)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Sending:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.delivery.close(5)

    def _look(self) -> None:
        while not self._stop.wait(0.01):
            self.delivery.look()

    def store(self, count: int, study: str = "1.2.3", first: int = 0, **more: Any) -> tuple[tuple[str, str, str], ...]:
        uids = [f"{study}.{n}" for n in range(first, first + count)]
        self.archive.store([incoming(make_instance(uid, study=study, series=study + ".9", **more)) for uid in uids])
        return tuple((study, study + ".9", uid) for uid in uids)

    def order(self, peer: str, instances: tuple[tuple[str, str, str], ...], **more: Any) -> None:
        self.outbox.put(Order(peer=peer, instances=instances, reason="test", **more))

    def wait_empty(self) -> None:
        wait_until(lambda: not self.outbox.entries(), "the outbox is empty", 20)


@pytest.fixture
def there() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_everything_arrives_once_over_one_association(there: Receiver) -> None:
    with Sending(there.peer()) as sending:
        first, second = sending.store(450), sending.store(5, "1.2.4")
        sending.order("THERE", first)
        sending.order("THERE", second)
        sending.wait_empty()
        assert there.asked == [uid for _, _, uid in (*first, *second)]
        assert there.associations == 1
        assert sending.outbox.peer("THERE").sent == 455
        assert "voxcast_outbox_sent_total 455" in sending.metrics.text()


def test_what_comes_one_by_one_goes_over_the_same_association(there: Receiver) -> None:
    with Sending(there.peer()) as sending:
        for n in range(5):
            sending.order("THERE", sending.store(1, first=n))
            wait_until(lambda n=n: len(there.asked) == n + 1, "it is there")  # type: ignore[misc]
            time.sleep(0.1)
        assert there.associations == 1


def test_several_associations_where_the_peer_may_have_them(there: Receiver) -> None:
    def answer(event: Any) -> int:
        time.sleep(0.05)
        return 0

    there.answer = answer
    with Sending(there.peer(send_associations_max=3)) as sending:
        for n in range(3):
            sending.order("THERE", sending.store(10, f"1.2.{n + 3}"))
        sending.wait_empty()
    assert there.associations == 3
    assert len(set(there.asked)) == len(there.asked) == 30


def test_who_is_slow_or_gone_holds_up_nobody(there: Receiver) -> None:
    with silent() as port, Receiver(aet="SLOW") as slow:
        slow.answer = lambda event: time.sleep(0.5) or 0
        gone = Peer(name="GONE", aet="G", host="127.0.0.1", port=free_port())
        mute = Peer(name="MUTE", aet="M", host="127.0.0.1", port=port)
        with Sending(gone, mute, slow.peer("SLOW"), there.peer()) as sending:
            instances = sending.store(30)
            for name in ("GONE", "MUTE", "SLOW", "THERE"):
                sending.order(name, instances)
            begun = time.monotonic()
            wait_until(lambda: len(there.taken) == 30, "the quick one has all", 5)
            assert time.monotonic() - begun < 5
            assert len(slow.asked) < 15
            wait_until(lambda: sending.outbox.peer("GONE").failures > 0, "the one that is gone is noticed")
            assert "cannot be reached" in sending.outbox.peer("GONE").last_error
            sending.outbox.cancel()


def test_a_peer_that_comes_back_gets_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "_BACKOFF_S_MIN", 0.1)
    port = free_port()
    with Sending(Peer(name="THERE", aet="THERE", host="127.0.0.1", port=port)) as sending:
        sending.order("THERE", sending.store(5))
        wait_until(lambda: sending.outbox.peer("THERE").failures >= 2, "it is called again")
        assert sending.outbox.entry(1).attempts == 0, "the peer's failure, not the entry's"
        with Receiver(port=port) as there:
            sending.wait_empty()
            assert len(there.taken) == 5
        assert sending.outbox.peer("THERE").failures == 0


def test_what_a_peer_cannot_take_now_is_sent_again_and_then_given_up(
    there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "_BACKOFF_S_MIN", 0.1)
    there.answer = lambda event: 0xA700 if str(event.request.AffectedSOPInstanceUID).endswith(".1") else 0
    with Sending(there.peer()) as sending:
        sending.order("THERE", sending.store(4))
        wait_until(lambda: len(there.taken) == 3, "the others go")
        wait_until(lambda: sending.outbox.entry(1).state == State.GIVEN_UP, "it is given up", 20)
        entry = sending.outbox.entry(1)
        assert (entry.sent, entry.waiting, entry.failed) == (3, 1, 0)
        assert "A700" in entry.last_error
        assert there.asked.count("1.2.3.1") >= 3
        there.answer = lambda event: 0
        sending.outbox.retry(entry=1)
        sending.wait_empty()
    assert sorted(there.uids()) == [f"1.2.3.{n}" for n in range(4)]


def test_a_full_disk_there_ends_the_page_soon(there: Receiver) -> None:
    there.answer = lambda event: 0xA700
    with Sending(there.peer()) as sending:
        sending.order("THERE", sending.store(100))
        wait_until(lambda: sending.outbox.entry(1).attempts > 0, "it is put off")
        assert len(there.asked) <= 6
        assert sending.outbox.entry(1).waiting == 100


def test_what_is_refused_stays_to_be_seen(there: Receiver) -> None:
    there.answer = lambda event: 0xC000 if str(event.request.AffectedSOPInstanceUID).endswith(".1") else 0
    with Sending(there.peer()) as sending:
        sending.order("THERE", sending.store(4))
        wait_until(lambda: sending.outbox.entry(1).state == State.GIVEN_UP, "it is done")
        [item] = sending.outbox.failed_items(1, 9)
        assert (item.sop_instance_uid, item.attempts) == ("1.2.3.1", 1)
        assert "C000" in item.error
        assert sending.outbox.entry(1).sent == 3
        assert there.asked.count("1.2.3.1") == 1


def test_one_that_the_peer_dies_of_does_not_keep_the_others(there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "_BACKOFF_S_MIN", 0.05)

    def answer(event: Any) -> int:
        if str(event.request.AffectedSOPInstanceUID) == "1.2.3.1":
            event.assoc.abort()
            time.sleep(0.05)
        return 0

    there.answer = answer
    with Sending(there.peer()) as sending:
        sending.order("THERE", sending.store(6))
        wait_until(lambda: len(there.taken) == 5, "all but it")
        assert sorted(set(there.uids())) == ["1.2.3.0", "1.2.3.2", "1.2.3.3", "1.2.3.4", "1.2.3.5"]
        assert len(there.taken) == 5, "none twice"
        sending.outbox.cancel()


def test_what_is_cancelled_stops_and_what_is_urgent_goes_first(there: Receiver) -> None:
    there.answer = lambda event: time.sleep(0.01) or 0
    with Sending(there.peer()) as sending:
        many, urgent = sending.store(600), sending.store(3, "1.2.4")
        sending.order("THERE", many, priority="low")
        wait_until(lambda: len(there.asked) > 5, "it has begun")
        sending.order("THERE", urgent, priority="high")
        wait_until(lambda: "1.2.4.2" in there.asked, "the urgent ones are there")
        assert len(there.asked) < 450
        assert {1: "1.2.4", 2: "1.2.3"}.items() == {
            request.Priority: str(request.AffectedSOPInstanceUID).rpartition(".")[0] for request in there.requests
        }.items()
        sending.outbox.cancel(entry=1)
        time.sleep(1.2)
        count = len(there.asked)
        time.sleep(0.3)
        assert len(there.asked) == count < 603


def test_what_is_no_longer_in_the_archive_is_left_out(there: Receiver) -> None:
    with Sending(there.peer()) as sending:
        instances = sending.store(3)
        sending.archive.delete(sop_uid="1.2.3.1")
        sending.order("THERE", instances)
        sending.wait_empty()
    assert there.uids() == ["1.2.3.0", "1.2.3.2"]


def test_a_peer_that_hung_up_meanwhile_is_called_again_without_a_failure(there: Receiver) -> None:
    with Sending(there.peer()) as sending:
        sending.order("THERE", sending.store(1))
        wait_until(lambda: len(there.taken) == 1, "the first is there")
        for association in there._server.active_associations:
            association.abort()
        time.sleep(0.1)
        sending.order("THERE", sending.store(1, first=1))
        sending.wait_empty()
        assert len(there.taken) == 2
        assert "voxcast_outbox_postponed_total 0" in sending.metrics.text()


def test_when_it_is_to_end_what_is_under_way_comes_to_its_end(there: Receiver) -> None:
    there.answer = lambda event: time.sleep(0.02) or 0
    with Sending(there.peer()) as sending:
        sending.order("THERE", sending.store(300))
        wait_until(lambda: len(there.taken) > 5, "it has begun")
    waiting = {item.sop_instance_uid for item in sending.outbox.items(1, 999)}
    assert len(waiting) + len(there.taken) == 300
    assert not waiting & set(there.uids()), "what was acknowledged is known to be"


def test_a_listener_that_speaks_no_dicom_is_a_failure_of_the_peer(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n" * 10)
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        with Sending(Peer(name="WEB", aet="WEB", host="127.0.0.1", port=listener.getsockname()[1])) as sending:
            sending.order("WEB", sending.store(1))
            wait_until(lambda: sending.outbox.peer("WEB").failures > 0, "it is noticed")
            assert sending.outbox.entry(1).waiting == 1
