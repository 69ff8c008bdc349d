"""WADO-RS in another transfer syntax than the stored one, from a real server (PS3.18 8.7.3, 10.4).

What comes back is read by pydicom, and by dicomweb-client; work is counted by the server's own ``voxcast_frames_decoded_total``.
"""

from __future__ import annotations

import io
import re
import socket
import time
from collections.abc import Iterator

import numpy as np
import pydicom
import pytest
import requests
from data import EXPLICIT, make_instance
from dicomweb_client import DICOMwebClient
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import pixel_array
from serving import Serving, parts_of
from transcoding import ROOT, converted

from engine.codec.encoding.registry import ENCODERS

RLE, JPEG_LOSSLESS, JLS, J2K, HT, RPCL = (ROOT + end for end in (".5", ".4.70", ".4.80", ".4.90", ".4.201", ".4.202"))
JPEG_XL = (ROOT + ".4.110", ROOT + ".4.112")
MPEG4 = ROOT + ".4.102"
LOSSLESS = [uid for uid in ENCODERS if not uid.endswith(".4.50")]
STUDY, SERIES, MIXED, MULTI = "1.2.3", "1.2.3.4", "1.2.3.5", "1.2.3.6"
MANY = 40  # frames of the long one


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 4096, shape, dtype=np.uint16)


def instance(uid: str, values: np.ndarray, **more: object) -> bytes:
    frames, rows, columns = values.shape
    return make_instance(uid, rows=rows, columns=columns, frames=frames, pixels=values.tobytes(), **more)  # type: ignore[arg-type]


def changed(content: bytes, **elements: object) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(content))
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def video() -> bytes:
    """An instance that nobody can convert: one bit stream of several frames."""
    ds = pydicom.dcmread(io.BytesIO(make_instance("1.2.7.1.1", study="1.2.7", series="1.2.7.1", frames=3)))
    ds.file_meta.TransferSyntaxUID = MPEG4
    ds.PixelData = encapsulate([b"\0\0\0\x20ftypisom" + bytes(64)])
    ds["PixelData"].VR = "OB"
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def broken() -> bytes:
    """The third of four frames ends in its middle."""
    whole = instance("1.2.8.1.1", noise(4, 32, 32), study="1.2.8", series="1.2.8.1")
    ds = pydicom.dcmread(io.BytesIO(converted(whole, JLS)[0]))
    frames = list(generate_frames(ds.PixelData, number_of_frames=4))
    frames[2] = frames[2][: len(frames[2]) // 4 * 2]
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR = "OB"
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


PLAIN = {f"{SERIES}.{i}": instance(f"{SERIES}.{i}", noise(1, 33, 47), number=i, z=float(i)) for i in range(1, 4)}
STORED_AS = {f"{MIXED}.{i}": uid for i, uid in enumerate((EXPLICIT, JLS, RPCL, RLE), 1)}
SOURCES = {
    uid: instance(uid, noise(1, 20, 30 + i), series=MIXED, number=i, z=float(i)) for i, uid in enumerate(STORED_AS, 1)
}
MIXED_STORED = {uid: converted(content, STORED_AS[uid])[0] for uid, content in SOURCES.items()}
FRAMES = noise(3, 17, 19)
REPORT = changed(make_instance("1.2.6.1.1", study="1.2.6", series="1.2.6.1", modality="SR"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    without = pydicom.dcmread(io.BytesIO(REPORT))
    del without.PixelData
    report = io.BytesIO()
    without.save_as(report)
    contents = [
        *PLAIN.values(),
        *MIXED_STORED.values(),
        converted(instance(f"{MULTI}.1", FRAMES, series=MULTI), J2K)[0],
        converted(instance("1.2.4.1.1", noise(MANY, 512, 512), study="1.2.4", series="1.2.4.1"), JLS)[0],
        changed(instance("1.2.5.1.1", FRAMES[:1] << 4, study="1.2.5", series="1.2.5.1"), HighBit=15),
        report.getvalue(),
        video(),
        broken(),
    ]
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*contents).status_code == 200
        yield running


def at(series: str, number: int = 1, study: str = STUDY) -> str:
    return f"/dicom-web/studies/{study}/series/{series}/instances/{series}.{number}"


def dicom(*syntaxes: str, q: str = "") -> str:
    return 'multipart/related; type="application/dicom"' + "".join(f"; transfer-syntax={u}" for u in syntaxes) + q


def decoded(server: Serving) -> int:
    found = re.search(r"^voxcast_frames_decoded_total (\d+)", server.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def dataset(content: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(content))


def values(ds: pydicom.Dataset) -> np.ndarray:
    return pixel_array(ds, raw=True)


@pytest.mark.parametrize("uid", LOSSLESS)
@pytest.mark.clause("PS3.18 8.7.3")
def test_an_instance_in_every_syntax(server: Serving, uid: str) -> None:
    source = f"{MIXED}.3"  # HTJ2K
    path = at(MIXED, 3)
    [(kind, content)] = parts_of(server.get(path, dicom(uid)))
    bare = server.get(path, f"application/dicom; transfer-syntax={uid}")
    assert (bare.status_code, bare.headers["Content-Length"]) == (200, str(len(content)))
    assert bare.content == content
    assert kind == bare.headers["Content-Type"] == f"application/dicom; transfer-syntax={uid}"
    ds, before = dataset(content), dataset(SOURCES[source])
    assert ds.file_meta.TransferSyntaxUID == uid
    assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID == source, "nothing was lost"
    assert "LossyImageCompression" not in ds
    if uid in JPEG_XL:  # pydicom cannot; back again it can
        ds = dataset(converted(content, EXPLICIT)[0])
    assert np.array_equal(values(ds), values(before))
    assert [e for e in ds if e.tag.group not in (2, 0x28, 0x7FE0)] == [
        e for e in before if e.tag.group not in (2, 0x28, 0x7FE0)
    ]


def test_what_the_client_takes_as_it_is_costs_no_decode(server: Serving) -> None:
    before = decoded(server)
    path, content = at(MIXED, 2), MIXED_STORED[f"{MIXED}.2"]
    for accept in (
        "",
        "*/*",
        dicom(),
        dicom("*"),
        dicom(JLS),
        dicom(RLE, JLS),
        dicom(J2K, q=";q=0.1") + ", " + dicom(),
    ):
        answer = server.get(path, accept)
        assert [body for _, body in parts_of(answer)] == [content], accept
        assert "transcode" not in answer.headers["Server-Timing"]
    for accept in ("application/dicom", f"application/dicom; transfer-syntax={JLS}"):
        assert server.get(path, accept).content == content
    series = parts_of(server.get(f"/dicom-web/studies/{STUDY}/series/{MIXED}", dicom(*STORED_AS.values())))
    assert [body for _, body in series] == list(MIXED_STORED.values())
    frame = next(generate_frames(dataset(content).PixelData, number_of_frames=1))
    for accept in ("*/*", "image/jls", f"image/jls; transfer-syntax={JLS}", "image/jls, image/jp2;q=0.5"):
        assert frame in server.get(f"{path}/frames/1", accept).content
    # Native pixels that were implicit or come alone are no decode either.
    assert decoded(server) == before


def test_a_native_instance_in_its_own_syntax_is_not_touched(server: Serving) -> None:
    before = decoded(server)
    [(kind, content)] = parts_of(server.get(at(SERIES, 2), dicom(EXPLICIT)))
    assert content == PLAIN[f"{SERIES}.2"]
    assert kind.endswith(EXPLICIT)
    assert decoded(server) == before


def test_each_converted_frame_is_decoded_once(server: Serving) -> None:
    before = decoded(server)
    server.get(at(MULTI), dicom(JLS))
    assert decoded(server) == before + len(FRAMES)
    server.get(f"{at(MULTI)}/frames/2", "image/jls")
    assert decoded(server) == before + len(FRAMES) + 1


@pytest.mark.clause("PS3.18 8.7.8.2")
def test_a_series_of_mixed_syntaxes(server: Serving) -> None:
    path = f"/dicom-web/studies/{STUDY}/series/{MIXED}"
    all_one = parts_of(server.get(path, dicom(J2K)))
    assert {kind for kind, _ in all_one} == {f"application/dicom; transfer-syntax={J2K}"}
    assert [dataset(body).SOPInstanceUID for _, body in all_one] == list(SOURCES)
    for (_, body), source in zip(all_one, SOURCES.values(), strict=True):
        assert np.array_equal(values(dataset(body)), values(dataset(source)))
    before = decoded(server)
    some = parts_of(server.get(path, dicom(JLS, EXPLICIT)))
    kinds = [kind.rpartition("=")[2] for kind, _ in some]
    assert kinds == [EXPLICIT, JLS, JLS, JLS], "two as they are, two as what is named first"
    assert [body for _, body in some[:2]] == list(MIXED_STORED.values())[:2]
    assert decoded(server) == before + 2
    study = parts_of(server.get(f"/dicom-web/studies/{STUDY}", dicom(HT)))
    assert [kind.rpartition("=")[2] for kind, _ in study] == [HT] * (len(PLAIN) + len(SOURCES) + 1)


@pytest.mark.clause("PS3.18 8.7.5")
@pytest.mark.clause("PS3.18 8.7.8.1")
def test_quality_decides(server: Serving) -> None:
    for accept, uid in (
        (dicom(JLS, q=";q=0.3") + ", " + dicom(J2K, q=";q=0.8"), J2K),
        (dicom(JLS, q=";q=0.8") + ", " + dicom(J2K, q=";q=0.3"), JLS),
        (dicom(ROOT + ".4.50") + ", " + dicom(RLE, q=";q=0.1"), RLE),
        (dicom(JLS, q=";q=0") + ", " + dicom(RLE, q=";q=0.1"), RLE),
    ):
        [(kind, _)] = parts_of(server.get(at(SERIES), accept))
        assert kind.endswith(uid), accept
    assert parts_of(server.get(f"{at(SERIES)}?accept={dicom(J2K)}", dicom(JLS)))[0][0].endswith(J2K)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (at(SERIES), dicom(ROOT + ".4.50")),  # would lose
        (at(SERIES), dicom(ROOT)),  # not on the web (PS3.18 8.7.3)
        (at(SERIES), "application/dicom+xml"),
        ("/dicom-web/studies/1.2.7", dicom(EXPLICIT)),  # a video
        (f"{at(SERIES)}/frames/1", f"image/jpeg; transfer-syntax={ROOT}.4.50"),
        (f"{at(SERIES)}/frames/1", "video/mp4"),
        (f"{at(MULTI)}/frames/1,2", "image/jls"),  # two need parts
        (f"{at('1.2.5.1', study='1.2.5')}/frames/1", "image/jls"),  # values at the top of their cells
    ],
)
def test_what_cannot_be_given_is_406_and_every_offer_holds(server: Serving, path: str, accept: str) -> None:
    answer = server.get(path, accept)
    assert answer.status_code == 406
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    offers = re.findall(
        r'multipart/related; type="[^"]+"; transfer-syntax=[\d.*]+', answer.json()["detail"].partition("can as ")[2]
    )
    assert offers
    for offer in offers:
        given = server.get(path, offer)
        assert given.status_code == 200, offer
        assert offer.endswith("*") or all(kind.endswith(offer.rpartition("=")[2]) for kind, _ in parts_of(given))


def test_no_pixels_come_explicit_whatever_is_asked_for(server: Serving) -> None:
    [(kind, content)] = parts_of(server.get(at("1.2.6.1", study="1.2.6"), dicom(J2K)))
    assert kind.endswith(EXPLICIT)
    assert dataset(content).file_meta.TransferSyntaxUID == EXPLICIT


def test_values_at_the_top_of_their_cells_come_down_with_their_header(server: Serving) -> None:
    [(_, content)] = parts_of(server.get(at("1.2.5.1", study="1.2.5"), dicom(JLS)))
    ds = dataset(content)
    assert (ds.BitsStored, ds.HighBit) == (12, 11)
    assert np.array_equal(values(ds), FRAMES[0])


@pytest.mark.parametrize(
    ("media_type", "uid"),
    [
        ("image/jls", JLS),
        ("image/jp2", J2K),
        ("image/jphc", HT),
        ("image/dicom-rle", RLE),
        ("image/jpeg", JPEG_LOSSLESS),
        ("image/jxl", JPEG_XL[0]),
        (f"image/jphc; transfer-syntax={RPCL}", RPCL),
    ],
)
@pytest.mark.clause("PS3.18 8.7.3.3.2")
@pytest.mark.clause("PS3.18 8.7.9")
def test_frames_in_every_media_type(server: Serving, media_type: str, uid: str) -> None:
    path, plain_type = f"{at(MULTI)}/frames", media_type.partition(";")[0]
    bare = server.get(f"{path}/2", media_type)
    assert (bare.status_code, bare.headers["Content-Type"]) == (200, f"{plain_type}; transfer-syntax={uid}")
    parts = parts_of(server.get(f"{path}/3,1", f'multipart/related; type="{plain_type}"; transfer-syntax={uid}'))
    assert [kind for kind, _ in parts] == [f"{plain_type}; transfer-syntax={uid}"] * 2
    frames = [parts[1][1], bare.content, parts[0][1]]
    # The frames of an instance's pixel data are these, so pydicom reads them.
    content, _ = converted(instance(f"{MULTI}.1", FRAMES), uid)
    ds = dataset(content)
    if uid in JPEG_XL:  # which this pydicom can neither decode nor write
        fragments = generate_frames(ds.PixelData, number_of_frames=len(FRAMES))
        assert [one.ljust(len(one) + len(one) % 2, b"\0") for one in frames] == list(fragments)
        ds = dataset(converted(content, EXPLICIT)[0])
    else:
        ds.PixelData = encapsulate(frames)
    assert np.array_equal(values(ds), FRAMES)
    etag = bare.headers["ETag"]
    assert server.get(f"{path}/2", media_type, If_None_Match=etag).status_code == 304
    assert server.get(f"{path}/2", "image/jp2" if uid != J2K else "image/jls").headers["ETag"] != etag


def test_head_tells_what_get_would_send(server: Serving) -> None:
    for path, accept in (
        (at(MIXED, 2), f"application/dicom; transfer-syntax={J2K}"),
        (at(MIXED, 2), dicom("*")),
        (at(MIXED, 2), dicom(J2K)),
        (f"/dicom-web/studies/{STUDY}/series/{MIXED}", dicom(J2K)),
        (f"{at(MULTI)}/frames/1", "image/jls"),
        (f"{at(MULTI)}/frames/1,3", 'multipart/related; type="image/jls"'),
    ):
        head = server.session.head(server.url + path, headers={"Accept": accept}, timeout=60)
        got = server.get(path, accept)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("Content-Type", "Content-Length", "ETag"):
            assert head.headers.get(name) == got.headers.get(name), (path, name)
    refused = server.session.head(server.url + at(SERIES), headers={"Accept": dicom(ROOT + ".4.50")}, timeout=60)
    assert refused.status_code == 406


def test_a_client_that_leaves_ends_the_work(server: Serving) -> None:
    before = decoded(server)
    host, _, port = server.url.removeprefix("http://").partition(":")
    path = at("1.2.4.1", study="1.2.4")
    accept = f"application/dicom; transfer-syntax={J2K}"
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: {accept}\r\n\r\n".encode())
        deadline = time.monotonic() + 20
        while decoded(server) < before + 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    after = -1
    while (now := decoded(server)) != after:  # what had begun comes to its end
        after = now
        time.sleep(0.5)
    assert before + 2 <= after < before + MANY
    assert server.get("/healthz").status_code == 200


def test_a_broken_frame_is_an_error_with_its_number(server: Serving) -> None:
    path = at("1.2.8.1", study="1.2.8")
    refused = server.get(path, dicom(J2K))
    assert refused.status_code >= 400
    assert "frame 3" in refused.json()["detail"]
    assert server.get(f"{path}/frames/3", "image/jp2").status_code == refused.status_code
    assert server.get(f"{path}/frames/4", "image/jp2").status_code == 200
    # Native pixels are written as they are decoded: the answer is cut, and so is not taken for whole.
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        server.get(path, f"application/dicom; transfer-syntax={EXPLICIT}")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        server.get(f"{path}/frames/1,3", 'multipart/related; type="image/jp2"')


@pytest.mark.peer
@pytest.mark.parametrize(("uid", "media_type"), [(JLS, "image/jls"), (J2K, "image/jp2"), (RLE, "image/dicom-rle")])
def test_dicomweb_client_asks_for_a_syntax(server: Serving, uid: str, media_type: str) -> None:
    client = DICOMwebClient(server.url + "/dicom-web")
    source = f"{MIXED}.3"
    ds = client.retrieve_instance(STUDY, MIXED, source, media_types=(("application/dicom", uid),))
    assert ds.file_meta.TransferSyntaxUID == uid
    assert np.array_equal(values(ds), values(dataset(SOURCES[source])))
    series = client.retrieve_series(STUDY, MIXED, media_types=(("application/dicom", uid),))
    assert [one.file_meta.TransferSyntaxUID for one in series] == [uid] * len(SOURCES)
    [frame] = client.retrieve_instance_frames(STUDY, MIXED, source, [1], media_types=((media_type, uid),))
    assert frame == next(generate_frames(ds.PixelData, number_of_frames=1))
