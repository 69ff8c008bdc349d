"""Where cornerstone3D's ``framesPath`` and ``urlArguments`` lead to: what comes, in which size, from a pack or without."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import openjpeg
import pytest
import requests
from archives import incoming
from code_streams import slice_values
from in_process import InProcess
from renditions import STUDY, Made, as_j2k, ct
from serving import parts_of
from stored_forms import Case, cases

Array = np.ndarray[Any, Any]
ROWS, COLUMNS = 384, 512
STORED = {"1.2.3.4": "native", "1.2.3.5": "JPEG 2000", "1.2.3.6": "HTJ2K"}
RPCL, JLS, NEAR = (f"1.2.840.10008.1.2.4.{n}" for n in (202, 80, 81))
LOADER = (
    "multipart/related; type=application/octet-stream; transfer-syntax=*"  # what cornerstone3D asks every address for
)


class World:
    """A server in this process with a series of each kind, without packs until `make`."""

    def __init__(self, server: InProcess) -> None:
        self.server, self.session = server, requests.Session()
        native, j2k = (
            ct(1, series="1.2.3.4", rows=ROWS, columns=COLUMNS),
            ct(1, series="1.2.3.5", rows=ROWS, columns=COLUMNS),
        )
        self.made = Made(server.archive)
        self.store(native, as_j2k(j2k), _as_htj2k("1.2.3.6.1"))
        self.values = (slice_values(ROWS, COLUMNS) + 7) & 0xFFF

    def store(self, *contents: bytes) -> None:
        self.server.archive.store([incoming(content, n) for n, content in enumerate(contents, 1)])

    def make(self) -> None:
        for series in ("1.2.3.4", "1.2.3.5", "1.2.3.6"):
            self.made.make(series)

    def get(self, series: str, path: str, accept: str = LOADER, **headers: str) -> requests.Response:
        url = (
            f"http://127.0.0.1:{self.server.port}/dicom-web/studies/{STUDY}/series/{series}/instances/{series}.1/{path}"
        )
        return self.session.get(url, headers={"Accept": accept, **headers}, timeout=60)

    def count(self, name: str) -> int:
        text = self.server.services.metrics.text()
        return int(float(next(x for x in text.splitlines() if x.startswith(f"voxcast_{name}_total ")).split()[1]))


def _as_htj2k(uid: str) -> bytes:
    import pydicom
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    ds = pydicom.dcmread(io.BytesIO(ct(1, series=uid.rpartition(".")[0], rows=ROWS, columns=COLUMNS)))
    code = imagecodecs.htj2k_encode(ds.pixel_array, reversible=True, tlm=True, tilepart=1, resolutions=5)
    ds.PixelData = encapsulate([bytes(code)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID(RPCL)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.fixture(scope="module", params=["without packs", "with packs"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with InProcess(tmp_path_factory.mktemp("forms") / "archive") as server:
        made = World(server)
        if request.param == "with packs":
            made.make()
        yield made


def body_of(answer: requests.Response) -> tuple[bytes, str]:
    assert answer.status_code == 200, answer.text
    [(kind, body)] = parts_of(answer)
    return body, kind.partition("; transfer-syntax=")[2]


def decoded(code: bytes, halvings: int = 0) -> Array:
    """The whole by another decoder than wrote it (OpenJPEG); at a resolution by OpenJPH, which takes beginnings as they are."""
    if not halvings:
        return np.asarray(openjpeg.decode(code)).astype(np.int64)
    return imagecodecs.htj2k_decode(code, skipres=halvings, resilient=True, planar=False).astype(np.int64)


@pytest.mark.parametrize("series", STORED, ids=STORED.values())
def test_whole_as_htj2k(world: World, series: str) -> None:
    code, syntax = body_of(world.get(series, "htj2k/1"))
    assert syntax == RPCL
    assert np.array_equal(decoded(code), world.values)
    bare = world.get(series, "htj2k/1?accept=image/jhc")
    assert (bare.headers["Content-Type"], bare.content) == (f"image/jphc; transfer-syntax={RPCL}", code)


@pytest.mark.parametrize("series", STORED, ids=STORED.values())
@pytest.mark.parametrize(
    ("path", "halvings"),
    [
        ("htj2kThumbnail/1", 2),
        ("htj2kThumbnail/1?fsiz=64,64", 3),
        ("frames/1?fsiz=256,256", 1),
        ("frames/1?fsiz=256,192,round-up", 1),
        ("htj2k/1?fsiz=10000,10000", 0),
        ("jpip?target=1&fsiz=128,128", 2),
        ("jpip?target=1?fsiz=128,128", 2),
        ("jpip?target=frames/1", None),
    ],
)
def test_smaller_as_htj2k(world: World, series: str, path: str, halvings: int | None) -> None:
    """The beginning of the whole code stream, which another decoder takes for the frame at that resolution."""
    whole, _ = body_of(world.get(series, "htj2k/1"))
    answer = world.get(series, path)
    code, syntax = body_of(answer)
    assert syntax == RPCL
    assert answer.headers.get("X-Decode-Level") == (None if halvings is None else str(halvings))
    assert whole.startswith(code)
    assert (len(code) < len(whole) / 2) == bool(halvings)
    small = decoded(code, halvings or 0)
    assert small.shape == (ROWS >> (halvings or 0), COLUMNS >> (halvings or 0))
    assert np.array_equal(small, decoded(whole, halvings or 0))


@pytest.mark.parametrize("series", STORED, ids=STORED.values())
def test_as_jpeg_ls(world: World, series: str) -> None:
    code, syntax = body_of(world.get(series, "jls/1"))
    assert syntax == JLS
    assert np.array_equal(imagecodecs.jpegls_decode(code), world.values)
    answer = world.get(series, "jlsThumbnail/1")
    small, syntax = body_of(answer)
    assert (syntax, answer.headers["X-Decode-Level"]) == (JLS, "2")
    beginning, _ = body_of(world.get(series, "htj2kThumbnail/1"))
    # A lossless transform's means may lie a little outside of the values; OpenJPH lets them wrap around.
    means = np.clip(decoded(beginning, 2).astype(np.int16), 0, 4095)
    assert np.array_equal(imagecodecs.jpegls_decode(small), means)


@pytest.mark.parametrize("series", STORED, ids=STORED.values())
def test_a_loss_is_bounded_and_said(world: World, series: str) -> None:
    answer = world.get(series, "lossy/1")
    code, syntax = body_of(answer)
    worst = int(np.abs(imagecodecs.jpegls_decode(code).astype(int) - world.values).max())
    if syntax == NEAR:
        near = int(answer.headers["Warning"].split(" by ")[1].split(" ")[0])
        assert 0 < worst <= near <= 4
        assert len(code) < len(body_of(world.get(series, "jls/1"))[0])
    else:  # values at the end of their range must not be carried over it
        assert syntax == JLS
        assert worst == 0
        assert "Warning" not in answer.headers
        assert int(world.values.max()) > 4095 - 4 or int(world.values.min()) < 4


@pytest.fixture(scope="module")
def any_form(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with InProcess(tmp_path_factory.mktemp("any") / "archive") as server:
        yield World(server)


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: f"{case.uid[17:]} {case.form.name}")
def test_every_stored_form(any_form: World, case: Case) -> None:
    """The pixels of each, or its stored bytes where it has no such form; never a server's error."""
    any_form.server.archive.delete(sop_uid="1.2.3.4.1")
    any_form.server.archive.store([incoming(case.content)])
    series = "1.2.3.4"
    stored, stored_syntax = body_of(any_form.get(series, "frames/1"))
    for path in ("jls/1", "jlsThumbnail/1?fsiz=32,32", "lossy/1", "htj2k/1", "htj2kThumbnail/1?fsiz=32,32"):
        answer = any_form.get(series, path)
        body, syntax = body_of(answer)
        level = int(answer.headers.get("X-Decode-Level", "0"))
        if syntax == stored_syntax and not level:
            assert body == stored
            continue
        assert syntax in (RPCL, stored_syntax) if "htj2k" in path else syntax in (JLS, NEAR)
        pixels = any_form.get(series, "frames/1?accept=application/octet-stream")
        expected = np.frombuffer(pixels.content, f"<{_type(case)}").astype(np.int64)
        if "htj2k" in path:
            found = decoded(bytes(body), level)
        else:
            found = imagecodecs.jpegls_decode(body).view(_type(case)).astype(np.int64)
        assert found.shape[:2] == (-(-48 >> level), -(-64 >> level))
        near = int(answer.headers["Warning"].split(" by ")[1].split(" ")[0]) if syntax == NEAR != stored_syntax else 0
        if not level and not case.form.planar and "422" not in case.form.photometric:
            assert np.abs(found.ravel() - expected).max() <= near
        if near:
            assert "lossy" in path


def _type(case: Case) -> str:
    return f"{'i' if case.form.is_signed else 'u'}{max(1, case.form.bits_allocated // 8)}"


@pytest.mark.parametrize("path", ["htj2kThumbnail/1", "htj2k/1", "jls/1", "lossy/1", "frames/1?fsiz=64,64"])
def test_ranges_over_the_same_bytes_every_time(world: World, path: str) -> None:
    whole = world.get("1.2.3.5", path)
    total = len(whole.content)
    got = b""
    for first in range(0, total, 20_000):
        last = min(total, first + 20_000) - 1
        part = world.get("1.2.3.5", path, Range=f"bytes={first}-{last}")
        assert part.status_code == 206
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{total}"
        got += part.content
    assert got == whole.content
    assert world.get("1.2.3.5", path, **{"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert world.get("1.2.3.5", path, Range=f"bytes={total}-").status_code == 416


def test_what_is_asked_wrongly(world: World) -> None:
    for path in ("htj2k/1,1", "htj2k/0", "htj2k/x", "frames/1?fsiz=12", "frames/1?fsiz=1,2,3", "jpip", "jpip?target=x"):
        assert world.get("1.2.3.4", path).status_code == 400, path
    assert world.get("1.2.3.4", "htj2k/2").status_code == 404
    assert world.get("1.2.3.4", "htj2k/1", "image/jpeg").status_code == 406
    assert world.get("1.2.3.4", "thumbnail/1", "image/jpeg").headers["Content-Type"] == "image/jpeg"


def test_frames_of_a_pack_are_neither_decoded_nor_given_for_what_is_stored(tmp_path: Path) -> None:
    with InProcess(tmp_path / "archive") as server:
        world = World(server)
        stored = world.get("1.2.3.5", "frames/1").content
        world.make()
        before = world.count("frames_decoded"), world.count("rendition_hits")
        for path in ("htj2k/1", "htj2kThumbnail/1", "frames/1?fsiz=64,64"):
            assert world.get("1.2.3.5", path).status_code == 200
        for uid in (RPCL, "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203"):
            answer = world.get("1.2.3.5", "frames/1", f'multipart/related; type="image/jphc"; transfer-syntax={uid}')
            assert body_of(answer)[1] == uid
        assert world.get("1.2.3.5", "frames/1?accept=image/jphc").headers["Content-Type"].startswith("image/jphc")
        assert (world.count("frames_decoded"), world.count("rendition_hits")) == (before[0], before[1] + 7)
        for accept in (
            LOADER,
            "*/*",
            'multipart/related; type="image/jphc", multipart/related; type="image/jp2"; q=0.5',
        ):
            answer = world.get("1.2.3.5", "frames/1", accept)
            assert (answer.content == stored) == ("jphc" not in accept)


HTJ2K = f'multipart/related; type="image/jphc"; transfer-syntax={RPCL}'


def quick_count(server: InProcess) -> int:
    return sum(door.quick_count for door in server.doors())


@pytest.mark.parametrize(("path", "accept"), [("frames/1", HTJ2K), ("htj2k/1", LOADER), ("htj2kThumbnail/1", LOADER)])
def test_out_of_a_pack_by_the_short_way(tmp_path: Path, path: str, accept: str) -> None:
    """The same answer as by the handler, out of the pack into the socket: nothing is read from the segments, nothing decoded."""
    with InProcess(tmp_path / "archive") as server:
        world = World(server)
        world.make()
        first = world.get("1.2.3.5", path, accept)  # opens the pack, and gives the connection a passport
        before = [world.count(name) for name in ("frames_decoded", "rendition_hits")]
        reads, quick = server.archive.reads, quick_count(server)
        again = world.get("1.2.3.5", path, accept)
        assert quick_count(server) == quick + 1
        assert server.archive.reads == reads
        assert [world.count(name) for name in ("frames_decoded", "rendition_hits")] == [before[0], before[1] + 1]
        assert (again.status_code, again.content) == (first.status_code, first.content)
        own = {"X-Request-Id", "Server-Timing", "Date"}
        assert {k: v for k, v in again.headers.items() if k not in own} == {
            k: v for k, v in first.headers.items() if k not in own
        }
        assert "rendition" in again.headers["Server-Timing"]
        assert (
            world.get("1.2.3.5", "frames/1").content != again.content
        )  # the same passport does not give it for what is stored
        made = world.made.shelf
        for name in world.made.files:
            (tmp_path / "archive" / "renditions" / "packs" / name).unlink()
        assert made.find(STUDY, "1.2.3.5") is None
        assert world.get("1.2.3.5", path, accept).content == first.content  # coded now
