"""Rows of what a viewer asks for: rendered pictures, thumbnails, frames, metadata, searches.

Traps: a decoded frame that is still in memory is not what a first look costs, so every *first look* row visits each slice once and
records how many frames voxcast really decoded; the *again* rows say what the caches give. The page cache is warm for everyone. A
window is asked for, so that all servers do the same arithmetic; the two JPEG encoders differ in size by a few per cent.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable

from PIL import Image

from benchmarks import data, load
from benchmarks.client import BadAnswer, Response, first_part
from benchmarks.peers import DICOM_WEB, Voxcast
from benchmarks.stage import (
    AS_STORED,
    BURST,
    DICOM,
    JPEG,
    JSON,
    NATIVE,
    Ask,
    Server,
    Stage,
    instance_paths,
    multipart,
    must,
    series_path,
)

PICTURE = "/rendered?window=40,400,linear&quality=90"
SMALL = "/rendered?window=40,400,linear&quality=90&viewport=128,128"


def rendered(stage: Stage) -> None:
    """Time to a 512 by 512 JPEG on one connection."""
    sets = [("phantom, raw", stage.raw, 3.0), ("phantom, JPEG 2000", stage.j2k, 1.0)]
    if stage.real is not None and stage.real_j2k is not None:
        sets += [("real CT, raw", stage.real, 3.0), ("real CT, JPEG 2000", stage.real_j2k, 1.0)]
    for name, series, least in sets:
        absent = stage.no_jpeg2000 if "2000" in name else {}
        paths = instance_paths(series, PICTURE)
        rounds = min(len(series) - 4, 60 if stage.is_quick else 250)
        before = stage.voxcast.counter("frames_decoded")
        both = dict.fromkeys(("voxcast", "orthanc"), Ask(paths, JPEG, is_jpeg(512)))
        row = stage.latency(f"rendered, first look: {name}", both, rounds, absent=absent, targets={"orthanc": least})
        row.detail["decoded_per_request"] = (stage.voxcast.counter("frames_decoded") - before) / (
            rounds // BURST * BURST + 3
        )
        rounds = min(rounds, 100)
        again = [paths[0].replace("40,400", f"{40 + i % 50},400") for i in range(rounds)]
        both = dict.fromkeys(("voxcast", "orthanc"), Ask(again, JPEG, is_jpeg(512)))
        stage.latency(f"rendered, same slice in another window: {name}", both, rounds, absent=absent)


def thumbnail(stage: Stage) -> None:
    """128 by 128; Orthanc has no /thumbnail, so it is asked for /rendered with a viewport."""
    for name, series, absent in (("raw", stage.raw, {}), ("JPEG 2000", stage.j2k, stage.no_jpeg2000)):
        asks = {
            "voxcast": Ask(instance_paths(series, "/thumbnail"), JPEG, is_jpeg(128)),
            "orthanc": Ask(instance_paths(series, SMALL), JPEG, is_jpeg(128)),
        }
        stage.latency(f"thumbnail: {name}", asks, min(len(series) - 4, 40 if stage.is_quick else 150), absent=absent)


def frames(stage: Stage) -> None:
    """A frame as stored, one connection and several, beside nginx with the same bytes as files; and decoded to native."""
    floor = {"nginx": Ask(["/small"], {})}
    stage.latency("floor: client + loopback + nginx, 1 kB file", floor, 500)
    seconds, turns = (1.0, 3) if stage.is_quick else (3.0, 5)
    for name, series in (("raw", stage.raw), ("j2k", stage.j2k)):
        wanted = {data.stored_frame(path) for path in series.files[-3:]}
        ask = Ask(instance_paths(series, "/frames/1"), AS_STORED, holds(wanted))
        static = Ask(stage.static[name], {}, holds(wanted))
        asks = {"voxcast": ask, "orthanc": ask, "nginx": static, "aiohttp": static}
        rounds = 100 if stage.is_quick else 600
        stage.latency(f"stored frame: {name}", asks, rounds)
        for connections in (1, 16):
            rates(
                stage,
                f"stored frames, {connections} connection{'s'[: connections > 1]}: {name}",
                asks,
                connections,
                seconds,
                turns,
            )
    wanted = {data.stored_frame(path) for path in stage.raw.files[-3:]}
    ask = Ask(instance_paths(stage.j2k, "/frames/1"), NATIVE, holds(wanted))
    rounds = min(len(stage.j2k) - 4, 40 if stage.is_quick else 150)
    both = {"voxcast": ask, "orthanc": ask}
    stage.latency("native frame from JPEG 2000, first look", both, rounds, absent=stage.no_jpeg2000)


def rates(stage: Stage, name: str, asks: dict[str, Ask], connections: int, seconds: float, turns: int) -> None:
    """A row of requests per second: every server under the same load, in turn."""
    samples: dict[str, list[float]] = {}
    cpu_us: dict[str, list[float]] = {}
    per_core: dict[str, list[float]] = {}
    detail: dict[str, object] = {"connections": connections}
    for turn in range(turns):
        order = stage.servers()
        for server in order[turn % len(order) :] + order[: turn % len(order)]:
            ask = asks.get(server.name)
            if ask is not None:
                before = server.group.cpu_seconds()
                done = load.run(server.host, server.port, ask.paths, ask.headers, connections, seconds)
                used = server.group.cpu_seconds() - before
                samples.setdefault(server.name, []).append(done.requests_per_s)
                cpu_us.setdefault(server.name, []).append(used / (done.requests_per_s * done.seconds) * 1e6)
                per_core.setdefault(server.name, []).append(done.mb_per_s * done.seconds / used)
                detail |= {f"{server.name}_p99_ms": done.p99_ms, f"{server.name}_mb_per_s": done.mb_per_s}
                detail["generator"] = done.generator
    absent = {who: stage.absent[who] for who in asks if who in stage.absent}
    targets = {"nginx": 0.3} if "stored frame" in name else {}
    stage.report.add(name, "requests/s", samples, subject="voxcast", missing=absent, targets=targets, **detail)
    # Neighbours and the load generator take time on the clock, but none that is charged to the server.
    stage.report.add(f"{name}: server's CPU per request", "µs", cpu_us, subject="voxcast", missing=absent)
    # Every process of a server counts, user and system: what one core would carry if nothing else were on it.
    targets = {"nginx": 0.8, "aiohttp": 2.0} if "j2k" in name else {}
    stage.report.add(
        f"{name}: bytes per second of a core", "MB/s", per_core, subject="voxcast", missing=absent, targets=targets
    )


def metadata(stage: Stage) -> None:
    """Series metadata: first (nothing prepared), again, gzipped, and not modified."""
    count = len(stage.raw)
    samples: dict[str, list[float]] = {}
    for i in range(3 if stage.is_quick else 8):
        # Asked for as soon as it is stored, before anything could be prepared in the background.
        series = data.headers_only(stage.raw, stage.folder / f"headers-{i}", f"headers-{i}")
        files = [path.read_bytes() for path in series.files]
        asked = stage.archives()
        for server in asked if i % 2 else asked[::-1]:
            put(server, files)
            with server.connect() as connection:
                start = time.perf_counter()
                answer = connection.get(f"{series_path(series)}/metadata", JSON)
                samples.setdefault(server.name, []).append((time.perf_counter() - start) * 1e3)
            has_instances(count)(must(answer))
    name = f"series metadata, {count} instances, first time"
    stage.report.add(name, "ms", samples, subject="voxcast", missing=absent_orthanc(stage))
    ask = Ask([f"{series_path(stage.raw)}/metadata"], JSON, has_instances(count))
    rounds = 20 if stage.is_quick else 100
    both = {"voxcast": ask, "orthanc": ask}
    stage.latency(f"series metadata, {count} instances, again", both, rounds, targets={"orthanc": 50.0})
    zipped = Ask(ask.paths, {**JSON, "Accept-Encoding": "gzip"})
    both = {"voxcast": zipped, "orthanc": zipped}
    stage.latency(f"series metadata, {count} instances, again, gzip", both, rounds, targets={"orthanc": 50.0})
    with stage.voxcast.connect() as connection:
        etag = must(connection.get(ask.paths[0], JSON)).headers["etag"]
    known = Ask(ask.paths, {**JSON, "If-None-Match": etag}, status=304)
    stage.latency(
        f"series metadata, {count} instances, If-None-Match",
        {"voxcast": known, "orthanc": ask},
        rounds,
        note="Orthanc's plugin has no ETag: it answers in full",
    )


def qido(stage: Stage) -> None:
    """Searches in an index of a few studies, then of a thousand more."""
    with stage.voxcast.connect() as connection:
        few = len(json.loads(must(connection.get(f"{DICOM_WEB}/studies?limit=5000", JSON)).body))
    _searches(stage, f"{few} studies", stage.raw.patient_id, "19000101-20991231")
    many = 300 if stage.is_quick else 1000
    instances = list(data.small_studies(many))
    for server in stage.archives():
        put(server, instances)
    _searches(stage, f"{few + many} studies", "SYN00042", "20120101-20120630")


def _searches(stage: Stage, name: str, patient_id: str, dates: str) -> None:
    queries = {
        "by PatientID": f"PatientID={patient_id}",
        "by date range": f"StudyDate={dates}&limit=101",
        "name with wildcards": "PatientName=*0004*&limit=101",
        "first 101, as OHIF": "limit=101&offset=0&includefield=00081030,00080060",
        "all": "limit=5000",
    }
    for what, query in queries.items():
        path = f"{DICOM_WEB}/studies?{query}"
        counts = {}
        for server in stage.archives():
            with server.connect() as connection:
                response = connection.get(path, JSON)
            counts[server.name] = 0 if response.status == 204 else len(json.loads(must(response).body))
        if len(set(counts.values())) != 1:
            raise BadAnswer(f"{path}: the servers found different numbers of studies: {counts}")
        if not counts["voxcast"]:
            continue
        ask = Ask([path], JSON)
        rounds = (20, 60)[what != "all"] if stage.is_quick else (50, 300)[what != "all"]
        stage.latency(
            f"QIDO studies, {what}; {name}", {"voxcast": ask, "orthanc": ask}, rounds, found=counts["voxcast"]
        )


def put(server: Server, instances: list[bytes]) -> None:
    """Store in a server, not timed: by STOW-RS in voxcast, by POST in Orthanc."""
    with server.connect() as connection:
        if isinstance(server, Voxcast):
            for at in range(0, len(instances), 100):
                headers, body = multipart(instances[at : at + 100])
                must(connection.post(f"{DICOM_WEB}/studies", body, headers))
        else:
            for part10 in instances:
                must(connection.post("/instances", part10, DICOM))


def absent_orthanc(stage: Stage) -> dict[str, str]:
    return {who: why for who, why in stage.absent.items() if who == "orthanc"}


def is_jpeg(side: int) -> Callable[[Response], None]:
    """A grey or colour JPEG of this size."""

    def check(response: Response) -> None:
        with Image.open(io.BytesIO(first_part(response))) as image:
            if image.format != "JPEG" or image.size != (side, side):
                raise BadAnswer(f"a {image.format} of {image.size} instead of a JPEG of {side}")

    return check


def holds(wanted: set[bytes]) -> Callable[[Response], None]:
    """One part that is one of these, byte for byte (a JPEG 2000 frame may lack the byte that pads it to an even length)."""

    def check(response: Response) -> None:
        part = first_part(response)
        if part not in wanted and part + b"\0" not in wanted:
            raise BadAnswer("the frame's bytes are not those of the file")

    return check


def has_instances(count: int) -> Callable[[Response], None]:
    """A DICOM JSON array of so many instances."""

    def check(response: Response) -> None:
        if len(json.loads(response.body)) != count:
            raise BadAnswer("metadata of another number of instances")

    return check
