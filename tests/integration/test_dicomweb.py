"""The server as a client sees it: what is stored comes back byte for byte, and every wrong request is told what is wrong."""

from __future__ import annotations

import gzip
import io
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from data import EXPLICIT, data_files, make_instance, needs_data
from dicomweb_client import DICOMwebClient
from PIL import Image
from serving import Serving, multipart, parts_of

STUDY, SERIES = "1.2.3", "1.2.3.4"
AT = f"/dicom-web/studies/{STUDY}/series/{SERIES}"
NATIVE = f'multipart/related; type="application/octet-stream"; transfer-syntax={EXPLICIT}'
AS_STORED = "multipart/related; type=application/octet-stream; transfer-syntax=*"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        contents = [make_instance(f"1.2.3.4.{i}", number=i, z=float(i), rows=32, columns=48) for i in range(1, 6)]
        contents.append(make_instance("1.2.3.9.1", series="1.2.3.9", frames=3, modality="MR"))
        contents.append(
            make_instance("1.2.9.1.1", study="1.2.9", series="1.2.9.1", patient="ROE^RICHARD", patient_id="P2")
        )
        assert running.store(*contents).status_code == 200
        yield running


@pytest.mark.clause("PS3.18 10.4.1.1.1")
@pytest.mark.clause("PS3.18 8.6.1.1")
@pytest.mark.clause("PS3.18 8.6.1.2")
@pytest.mark.clause("PS3.18 8.7.3.1")
def test_an_instance_comes_back_byte_for_byte(server: Serving) -> None:
    content = make_instance("1.2.3.4.2", number=2, z=2.0, rows=32, columns=48)
    answer = server.get(f"{AT}/instances/1.2.3.4.2")
    assert answer.status_code == 200
    assert parts_of(answer) == [(f"application/dicom; transfer-syntax={EXPLICIT}", content)]
    bare = server.get(f"{AT}/instances/1.2.3.4.2", "application/dicom")
    assert (bare.content, bare.headers["Content-Length"]) == (content, str(len(content)))
    assert bare.headers["Content-Type"].startswith("application/dicom")


def test_a_series_and_a_study_come_in_slice_order(server: Serving) -> None:
    series = parts_of(server.get(AT))
    assert [pydicom.dcmread(io.BytesIO(body)).SOPInstanceUID for _, body in series] == [
        f"1.2.3.4.{i}" for i in range(1, 6)
    ]
    assert len(parts_of(server.get(f"/dicom-web/studies/{STUDY}", 'multipart/related; type="application/dicom"'))) == 6


@pytest.mark.clause("PS3.18 10.4.1.1.6")
@pytest.mark.clause("PS3.18 8.7.3.5.2")
def test_frames_as_stored_and_native(server: Serving) -> None:
    content = make_instance("1.2.3.9.1", series="1.2.3.9", frames=3, modality="MR")
    pixels = content[-96:]
    at = "/dicom-web/studies/1.2.3/series/1.2.3.9/instances/1.2.3.9.1/frames"
    for accept in (AS_STORED, NATIVE, "*/*", 'multipart/related; type="application/octet-stream"'):
        [(kind, body)] = parts_of(server.get(f"{at}/2", accept))
        assert (kind, body) == (f"application/octet-stream; transfer-syntax={EXPLICIT}", pixels[32:64])
    assert [body for _, body in parts_of(server.get(f"{at}/3,1", AS_STORED))] == [pixels[64:], pixels[:32]]
    assert server.get(f"{at}/1", "application/octet-stream").content == pixels[:32]
    first, again = server.get(f"{at}/1", AS_STORED), server.get(f"{at}/1", AS_STORED)
    assert first.content == again.content  # boundaries too: a byte range counts over the whole body
    assert server.get(f"{at}/1", AS_STORED, If_None_Match=first.headers["ETag"]).status_code == 304


@pytest.mark.clause("PS3.18 10.4.1.1.2")
@pytest.mark.clause("PS3.18 10.4.3.3.2")
def test_metadata_is_what_pydicom_reads(server: Serving) -> None:
    for path, count in ((AT, 5), (f"{AT}/instances/1.2.3.4.2", 1), (f"/dicom-web/studies/{STUDY}", 6)):
        answer = server.get(path + "/metadata")
        assert answer.headers["Content-Type"] == "application/dicom+json"
        documents = answer.json()
        assert len(documents) == count
        for document in documents:
            ds = pydicom.Dataset.from_json({k: v for k, v in document.items() if k != "7FE00010"})
            assert ds.StudyInstanceUID == STUDY
            assert ds.Rows in (4, 32)
        unchanged = server.get(path + "/metadata", If_None_Match=answer.headers["ETag"])
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    plain = server.get(f"{AT}/metadata", Accept_Encoding="identity")
    assert "Content-Encoding" not in plain.headers
    packed = server.get(f"{AT}/metadata", Accept_Encoding="gzip")
    assert (packed.json(), packed.headers["Content-Encoding"]) == (plain.json(), "gzip")
    # RFC 9110 8.8.3: strong tags of different bytes differ; the client that comes back with either has what it wants.
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for tag in (packed.headers["ETag"], plain.headers["ETag"]):
        for coding in ("gzip", "identity"):
            assert server.get(f"{AT}/metadata", If_None_Match=tag, Accept_Encoding=coding).status_code == 304


@pytest.mark.clause("PS3.18 10.4.1.1.5")
@pytest.mark.clause("PS3.18 8.7.3.3.1")
def test_bulk_data_uri_leads_to_the_pixels(server: Serving) -> None:
    document = server.get(f"{AT}/instances/1.2.3.4.2/metadata").json()[0]
    uri = document["7FE00010"]["BulkDataURI"]
    [(_, body)] = parts_of(server.get(uri[uri.index("/dicom-web") :]))
    assert body == make_instance("1.2.3.4.2", number=2, z=2.0, rows=32, columns=48)[-32 * 48 * 2 :]


@pytest.mark.clause("PS3.18 8.3.5.1.3")
@pytest.mark.clause("PS3.18 8.3.5.1.4")
def test_rendered_window_and_viewport(server: Serving) -> None:
    at = f"{AT}/instances/1.2.3.4.1"
    stored = np.frombuffer(make_instance("1.2.3.4.1", rows=32, columns=48)[-32 * 48 * 2 :], "<u2").reshape(32, 48)
    answer = server.get(f"{at}/rendered?window=800,1000,linear", "image/png")
    assert answer.headers["Content-Type"] == "image/png"
    expected = np.clip(((stored - 799.5) / 999 + 0.5) * 255, 0, 255)
    shown = np.asarray(Image.open(io.BytesIO(answer.content))).astype(float)
    assert np.abs(shown - expected).max() <= 1
    jpeg = Image.open(io.BytesIO(server.get(f"{at}/frames/1/rendered?viewport=24,24&quality=80").content))
    assert (jpeg.format, jpeg.size) == ("JPEG", (24, 16))
    for path in (at, AT, f"/dicom-web/studies/{STUDY}", f"{at}/frames/1"):
        thumbnail = Image.open(io.BytesIO(server.get(f"{path}/thumbnail").content))
        assert max(thumbnail.size) == 128


@pytest.mark.clause("PS3.18 10.6.1")
def test_queries_at_three_levels(server: Serving) -> None:
    def found(path: str) -> list[dict[str, dict[str, list[object]]]]:
        answer = server.get("/dicom-web" + path)
        return answer.json() if answer.status_code == 200 else []

    def uids(path: str, tag: str) -> set[object]:
        return {row[tag]["Value"][0] for row in found(path)}

    assert uids("/studies", "0020000D") == {STUDY, "1.2.9"}
    assert uids("/studies?PatientName=*doe*", "0020000D") == {STUDY}
    assert uids("/studies?PatientName=jane%20doe&fuzzymatching=true", "0020000D") == {STUDY}
    assert uids("/studies?00100020=P2&includefield=all", "0020000D") == {"1.2.9"}
    assert uids("/studies?StudyDate=20200101-20200201&ModalitiesInStudy=MR", "0020000D") == {STUDY}
    assert uids("/studies?StudyDate=20200201-", "0020000D") == set()
    assert uids(f"/studies/{STUDY}/series", "0020000E") == {SERIES, "1.2.3.9"}
    assert uids("/series?Modality=MR", "0020000E") == {"1.2.3.9"}
    assert len(found(f"/studies/{STUDY}/series/{SERIES}/instances")) == 5
    assert len(found("/instances")) == 7
    row = found(f"/studies?StudyInstanceUID={STUDY}")[0]
    assert row["00201206"]["Value"] == [2]
    assert row["00201208"]["Value"] == [6]
    assert row["00081190"]["Value"] == [f"{server.url}/dicom-web/studies/{STUDY}"]
    page = server.get("/dicom-web/instances?limit=3&offset=1")
    assert len(page.json()) == 3
    assert "more results" in page.headers["Warning"]
    assert server.get("/dicom-web/studies?PatientID=nobody").status_code == 204


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/dicom-web/studies?Patient-Name=x", 400, "PatientName"),
        ("/dicom-web/studies?StudyDate=yesterday", 400, "a date like"),
        ("/dicom-web/studies?StudyInstanceUID=1.2.*", 400, "without wildcards"),
        ("/dicom-web/studies?orderby=Rows", 400, "attributes of the rows"),
        ("/dicom-web/studies?TimezoneOffsetFromUTC=CET", 400, "an offset like"),
        ("/dicom-web/studies?limit=-1", 400, "limit"),
        ("/dicom-web/studies/1.9/series", 204, ""),
        ("/dicom-web/studies/1.9", 404, "no study 1.9"),
        (f"{AT}9/metadata", 404, "no series"),
        (f"{AT}/instances/1.9/frames/1", 404, "no instance 1.9"),
        ("/dicom-web/studies/1.2.9/series/1.2.3.4/instances/1.2.3.4.1", 404, "no instance"),
        (f"{AT}/instances/1.2.3.4.1/frames/2", 404, "frames 1 to 1, not 2"),
        (f"{AT}/instances/1.2.3.4.1/frames/0", 400, "frame numbers from 1"),
        (f"{AT}/instances/1.2.3.4.1/rendered?window=1", 400, "center,width"),
        (f"{AT}/instances/1.2.3.4.1/rendered?viewport=99999,99999", 413, "limits.rendered_pixels_max"),
        (f"{AT}/instances/1.2.3.4.1/rendered?windw=1,2", 400, "windw"),
        (f"{AT}/instances/1.2.3.4.1/rendered?accept=image/tiff", 406, "image/jpeg"),
        (f"{AT}/instances/1.2.3.4.1/frames/1?accept=image/gif", 406, "application/octet-stream"),
        (f"{AT}/instances/1.2.3.4.1/bulkdata/xyz", 400, "BulkDataURI"),
        ("/nowhere", 404, "nothing at this address"),
        ("/static/..%2f..%2fpyproject.toml", 404, "no such file"),
    ],
)
@pytest.mark.clause("PS3.18 8.5")
@pytest.mark.clause("PS3.18 10.4.3")
@pytest.mark.clause("PS3.18 8.6.3")
def test_what_is_wrong_is_said(server: Serving, path: str, status: int, says: str) -> None:
    answer = server.get(path)
    assert answer.status_code == status
    if says:
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert says in answer.json()["detail"]
        assert answer.json()["status"] == status
        if path.startswith("/dicom-web"):
            assert answer.headers["Warning"].startswith("299 ")


def test_every_answer_has_an_id_and_its_timing(server: Serving) -> None:
    answer = server.get(f"{AT}/instances/1.2.3.4.5/rendered", X_Request_Id="mine-1")
    assert answer.headers["X-Request-Id"] == "mine-1"
    assert {part.split(";")[0] for part in answer.headers["Server-Timing"].split(", ")} >= {"read", "render", "encode"}
    for path in ("/healthz", "/nowhere", "/dicom-web/studies", f"{AT}/instances/1.2.3.4.1/frames/1", f"{AT}/metadata"):
        answer = server.get(path)
        assert answer.headers["X-Request-Id"]
        assert "total;dur=" in answer.headers["Server-Timing"], path
    assert "total;dur=" in server.store(make_instance()).headers["Server-Timing"]
    assert server.session.delete(server.url + "/dicom-web/studies").status_code == 405
    counters = server.get("/metrics").text
    assert "voxcast_instances_stored_total" in counters
    assert server.get("/readyz").text == "ready\n"


def test_a_name_that_is_not_ours_is_refused(server: Serving) -> None:
    answer = server.get("/dicom-web/studies", Host="evil.example:80")
    assert answer.status_code == 403
    foreign = server.session.post(
        server.url + "/dicom-web/studies", headers={"Origin": "http://evil.example"}, data=b""
    )
    assert foreign.status_code == 403


@pytest.mark.clause("PS3.18 10.5.1")
@pytest.mark.clause("PS3.18 10.5.3")
def test_storing_says_what_became_of_each(server: Serving) -> None:
    fresh, other = (
        make_instance("1.5.1.1", study="1.5", series="1.5.1"),
        make_instance("1.6.1.1", study="1.6", series="1.6.1"),
    )
    answer = server.store(fresh, other, study="1.5")
    assert answer.status_code == 202
    assert answer.json()["00081199"]["Value"][0]["00081155"]["Value"] == ["1.5.1.1"]
    refused = answer.json()["00081198"]["Value"][0]
    assert (refused["00081155"]["Value"], refused["00081197"]["Value"]) == (["1.6.1.1"], [0xA900])
    mixed = server.store(b"no DICOM at all", fresh)
    assert mixed.status_code == 202
    assert mixed.json()["0008119A"]["Value"][0]["00081197"]["Value"] == [0xC000]
    assert "not DICOM" in mixed.headers["Warning"]
    assert server.store(b"no DICOM at all").status_code == 409
    assert server.store(fresh).status_code == 200
    bare = server.session.post(
        server.url + "/dicom-web/studies", data=make_instance("1.5.1.2", study="1.5", series="1.5.1"),
        headers={"Content-Type": "application/dicom"},
    )  # fmt: skip
    assert bare.status_code == 200
    text = server.session.post(server.url + "/dicom-web/studies", data=b"x", headers={"Content-Type": "text/plain"})
    assert text.status_code == 415


def test_a_conflict_is_kept_told_and_listed(server: Serving) -> None:
    server.store(make_instance("1.7.1.1", study="1.7", series="1.7.1", patient="FIRST"))
    second = server.store(make_instance("1.7.1.1", study="1.7", series="1.7.1", patient="SECOND"))
    assert second.status_code == 200
    assert "/api/conflicts" in second.headers["Warning"]
    assert b"FIRST" in server.get("/dicom-web/studies/1.7/series/1.7.1/instances/1.7.1.1").content
    listed = [c for c in server.get("/api/conflicts").json() if c["sopInstanceUID"] == "1.7.1.1"]
    assert [c["isServed"] for c in listed] == [True, False]


def test_a_cut_body_loses_only_the_part_it_was_cut_in(server: Serving) -> None:
    whole = make_instance("1.8.1.1", study="1.8", series="1.8.1")
    body = multipart(whole, make_instance("1.8.1.2", study="1.8", series="1.8.1"))[:-200]
    answer = server.session.post(
        server.url + "/dicom-web/studies", data=body,
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=test-boundary'},
    )  # fmt: skip
    assert answer.status_code == 202
    assert "closing boundary" in answer.headers["Warning"]
    assert server.get("/dicom-web/studies/1.8/series/1.8.1/instances/1.8.1.1", "application/dicom").content == whole
    assert server.get("/dicom-web/studies/1.8/series/1.8.1/instances/1.8.1.2").status_code == 404


def test_a_sender_that_vanishes_leaves_nothing(server: Serving) -> None:
    segments = server.archive / "segments"
    before = set(segments.iterdir())
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as sock:
        head = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
        sock.sendall(
            b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n"
            b'Content-Type: multipart/related; type="application/dicom"; boundary=b\r\n\r\n' + head
        )
        for _ in range(40):  # 40 MiB: more than is held in memory, so there is a spool on disk
            sock.sendall(bytes(1 << 20))
        deadline = time.monotonic() + 20
        while set(segments.iterdir()) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert set(segments.iterdir()) != before
    deadline = time.monotonic() + 20
    while set(segments.iterdir()) != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(segments.iterdir()) == before
    assert server.get("/healthz").status_code == 200


def test_dicomweb_client_needs_no_change(server: Serving) -> None:
    client = DICOMwebClient(server.url + "/dicom-web")
    assert {s["0020000D"]["Value"][0] for s in client.search_for_studies(search_filters={"PatientID": "P1"})} >= {STUDY}
    assert len(client.search_for_instances(STUDY, SERIES)) == 5
    assert len(client.retrieve_series_metadata(STUDY, SERIES)) == 5
    ds = client.retrieve_instance(STUDY, SERIES, "1.2.3.4.3")
    buffer = io.BytesIO()
    ds.save_as(buffer)
    assert ds.pixel_array.shape == (32, 48)
    [frame] = client.retrieve_instance_frames(STUDY, SERIES, "1.2.3.4.3", [1])
    assert frame == ds.PixelData
    assert len(client.retrieve_series(STUDY, SERIES)) == 5
    assert client.retrieve_instance_rendered(STUDY, SERIES, "1.2.3.4.3")[:2] == b"\xff\xd8"
    fresh = pydicom.dcmread(io.BytesIO(make_instance("1.10.1.1", study="1.10", series="1.10.1")))
    client.store_instances([fresh])
    assert client.retrieve_instance("1.10", "1.10.1", "1.10.1.1").SOPInstanceUID == "1.10.1.1"


@needs_data
def test_every_real_file_comes_back_as_it_went_in(tmp_path: Path) -> None:
    """Byte for byte where it was taken; what is refused is refused by name."""
    files = [p for p in data_files("") if p.suffix not in (".md",) and p.name != "SHA256SUMS"]
    taken = refused = 0
    with Serving(tmp_path) as server:
        for path in files:
            content = path.read_bytes()
            answer = server.store(content)
            if answer.status_code != 200:
                assert answer.status_code == 409, (path, answer.status_code)
                assert answer.headers["Warning"], path
                refused += 1
                continue
            if "Warning" in answer.headers:  # another instance with this UID came first and stays the one served
                continue
            item = answer.json()["00081199"]["Value"][0]
            url = item["00081190"]["Value"][0]
            back = server.get(url.removeprefix(server.url), "application/dicom")
            assert back.content == content, path
            metadata = server.get(url.removeprefix(server.url) + "/metadata")
            assert json.loads(metadata.content)[0]["00080018"]["Value"] == item["00081155"]["Value"], path
            taken += 1
    assert taken > 350
    assert refused < 40


@needs_data
def test_frames_of_a_real_series_in_both_forms(tmp_path: Path) -> None:
    with Serving(tmp_path) as server:
        files = data_files("mr-jpll")[:5] + data_files("mr-j2k")[:5]
        assert server.store(*(p.read_bytes() for p in files)).status_code == 200
        for path in files:
            ds = pydicom.dcmread(path)
            at = f"/dicom-web/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
            [(kind, body)] = parts_of(server.get(f"{at}/frames/1", AS_STORED))
            assert kind.endswith(f"transfer-syntax={ds.file_meta.TransferSyntaxUID}")
            assert body.rstrip(b"\0") == b"".join(
                pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1)
            ).rstrip(b"\0")
            [(_, native)] = parts_of(server.get(f"{at}/frames/1", NATIVE))
            assert native == ds.pixel_array.tobytes()


def test_gzip_is_one_member_that_browsers_read(server: Serving) -> None:
    raw = server.session.get(f"{server.url}{AT}/metadata", stream=True).raw.read(decode_content=False)
    assert raw[:2] == b"\x1f\x8b"
    assert len(json.loads(gzip.decompress(raw))) == 5


def test_a_slow_reader_gets_every_byte_of_a_long_frame(server: Serving) -> None:
    """More than the socket takes at once: the kernel's sending waits for the reader, and goes on where it was."""
    pixels = np.random.default_rng(1).integers(0, 4096, 2048 * 2048, dtype=np.uint16).tobytes()
    content = make_instance("1.11.1.1", study="1.11", series="1.11.1", rows=2048, columns=2048, pixels=pixels)
    assert server.store(content).status_code == 200
    path = "/dicom-web/studies/1.11/series/1.11.1/instances/1.11.1.1"
    host, _, port = server.url.removeprefix("http://").partition(":")
    for address, expected in ((path, content), (path + "/frames/1", pixels)):
        accept = "application/dicom" if address == path else "application/octet-stream"
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            sock.connect((host, int(port)))
            sock.sendall(
                f"GET {address} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n".encode()
            )
            answer = bytearray()
            while piece := sock.recv(64 * 1024):
                answer += piece
        head, _, body = bytes(answer).partition(b"\r\n\r\n")
        assert f"Content-Length: {len(expected)}".encode() in head
        assert body == expected
    for _ in range(20):  # readers that leave in the middle
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: application/dicom\r\n\r\n".encode())
            sock.recv(1000)
    assert server.get(path, "application/dicom").content == content
    counted = re.search(r'requests_total\{kind="retrieve",code="gone"\} (\d+)', server.get("/metrics").text)
    assert counted is not None
    assert int(counted[1]) > 0
    assert "Traceback" not in server.said(), "a client that leaves is not an error of the server"
