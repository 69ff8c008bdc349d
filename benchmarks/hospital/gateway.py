"""A process with some of the modalities, a thread for each, at the trace's times."""

from __future__ import annotations

import threading
import time
from typing import Any

from benchmarks.client import BadAnswer, Connection
from benchmarks.hospital.modality import Done, Modality, scheduled
from benchmarks.hospital.trace import Examination


def gateway(part: list[Examination], host: str, port: int, dicom_port: int, speed: float, told: Any) -> None:
    """A process with a thread for each of its modalities."""
    began = time.monotonic()
    done: list[Done] = []
    threads = []
    for station in sorted({one.station for one in part}):
        done.append(Done())
        own = [one for one in part if one.station == station]
        threads.append(
            threading.Thread(target=_station, args=(station, own, host, port, dicom_port, speed, began, done[-1]))
        )
        threads[-1].start()
    for thread in threads:
        thread.join()
    told.put(done)


def _station(
    station: str, own: list[Examination], host: str, port: int, dicom_port: int, speed: float, began: float, done: Done
) -> None:
    modality = Modality(station, dicom_port, done)
    for one in own:
        time.sleep(max(0.0, began + one.at / speed - time.monotonic()))
        if _plan(one, host, port):
            modality.examine(one)
        else:
            done.wrong.append(f"examination {one.number} could not be planned")


def _plan(one: Examination, host: str, port: int) -> bool:
    for _ in range(50):
        try:
            with Connection(host, port) as connection:
                answer = connection.post("/api/worklist", scheduled(one), {"Content-Type": "application/dicom+json"})
        except (OSError, BadAnswer):
            time.sleep(0.2)
            continue
        if answer.status in (201, 409):  # 409: a try before this one, whose answer was lost
            return True
        if answer.status not in (503, 507):
            return False
        time.sleep(0.2)
    return False
