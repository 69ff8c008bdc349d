"""STOW-RS of JSON and XML with bulk data, answers as XML, and bodies that are refused before they are sent (PS3.18 10.5)."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pydicom
import pytest
from data import data_files, make_instance, needs_data
from serving import BOUNDARY, Serving, parts_of
from stowing import JSON, OCTETS, ROOT, XML, as_sent, body, metadata, post, stored

from engine.dicom.native_model import native_model
from engine.dicom.native_model_reading import read_native_model
from engine.limits import Limits


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        yield running


PIXELS = bytes(range(12))


@pytest.mark.clause("PS3.18 10.5.2")
@pytest.mark.parametrize("media_type", [JSON, XML])
@pytest.mark.clause("PS3.18 10.5.1.4")
def test_metadata_and_native_pixels_become_an_instance(server: Serving, media_type: str) -> None:
    sop = f"1.5.1.{'1' if media_type == JSON else '2'}"
    answer = post(
        server, body((media_type, "", as_sent(metadata(sop), media_type)), (OCTETS, "bulk/1", PIXELS)), media_type
    )
    assert answer.status_code == 200, answer.text
    [reference] = answer.json()["00081199"]["Value"]
    assert reference["00081155"]["Value"] == [sop]
    ds = stored(server, sop)
    assert ds.file_meta.TransferSyntaxUID == f"{ROOT}.1"
    assert (str(ds.PatientName), ds.SpecificCharacterSet) == ("Mü^Änne", "ISO_IR 192")
    assert ds.PixelData == PIXELS
    assert ds.pixel_array.shape == (2, 3)


def test_parts_in_any_order_and_several_instances_in_one_array(server: Serving) -> None:
    first, second = metadata("1.5.1.11"), metadata("1.5.1.12", **{"7FE00010": {"vr": "OW", "BulkDataURI": "bulk/2"}})
    where = urlsplit(server.url + "/dicom-web/bulk/2").geturl()
    sent = body(
        (OCTETS, where, PIXELS[::-1]), (OCTETS, "bulk/1", PIXELS), (JSON, "", json.dumps([first, second]).encode())
    )
    answer = post(server, sent)
    assert (answer.status_code, len(answer.json()["00081199"]["Value"])) == (200, 2)
    assert (stored(server, "1.5.1.11").PixelData, stored(server, "1.5.1.12").PixelData) == (PIXELS, PIXELS[::-1])


def test_a_body_of_metadata_alone(server: Serving) -> None:
    """All values inline: no parts are needed (PS3.18 8.6.1.1)."""
    inline = {"7FE00010": {"vr": "OW", "InlineBinary": "AAECAwQFBgcICQoL"}}
    sent = json.dumps(metadata("1.5.1.21", **inline)).encode()
    assert post(server, sent, Content_Type=JSON).status_code == 200
    assert post(server, native_model(metadata("1.5.1.22", **inline)), Content_Type=XML).status_code == 200
    assert stored(server, "1.5.1.21").PixelData == stored(server, "1.5.1.22").PixelData == PIXELS


@pytest.mark.clause("PS3.18 10.5.3")
@pytest.mark.clause("PS3.18 10.5.3.1")
def test_each_failure_is_its_own_and_the_rest_is_stored(server: Serving) -> None:
    missing = metadata("1.5.1.31", **{"7FE00010": {"vr": "OW", "BulkDataURI": "bulk/none"}})
    short = metadata("1.5.1.32", **{"00280010": {"vr": "US", "Value": [200]}})
    odd = metadata("1.5.1.33", **{"00280010": {"vr": "US", "Value": ["two"]}})
    nameless = metadata("")
    good = metadata("1.5.1.34")
    answer = post(
        server,
        body(
            (JSON, "", json.dumps([missing, short, odd, nameless, good]).encode()),
            (OCTETS, "bulk/1", PIXELS),
            (OCTETS, "bulk/unused", PIXELS),
            (OCTETS, "", PIXELS),
            (XML, "", native_model(good)),
        ),
    )
    assert answer.status_code == 202
    document = answer.json()
    failed = {one["00081155"]["Value"][0]: one["00081197"]["Value"][0] for one in document["00081198"]["Value"]}
    assert failed == {"1.5.1.31": 0xC000, "1.5.1.32": 0xC000, "1.5.1.33": 0xC000}
    assert len(document["0008119A"]["Value"]) == 4  # no UID, an unused part, one without location, one of another type
    assert [one["00081155"]["Value"] for one in document["00081199"]["Value"]] == [["1.5.1.34"]]
    for words in (
        "bulk/none: no part has this",
        "fewer frames",
        "00280010 is no US",
        "SOPInstanceUID",
        "bulk/unused: no metadata",
    ):
        assert words in answer.headers["Warning"]
    assert server.get("/dicom-web/studies/1.5/series/1.5.1/instances/1.5.1.31").status_code == 404


def test_another_study_than_the_address_is_refused(server: Serving) -> None:
    sent = body((JSON, "", json.dumps([metadata("1.5.1.41")]).encode()), (OCTETS, "bulk/1", PIXELS))
    answer = post(server, sent, study="1.6")
    assert answer.status_code == 409
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]
    assert post(server, sent, study="1.5").status_code == 200
    assert post(server, sent, study="1.5").status_code == 200  # the same again stores nothing and is no failure


def test_rounded_numbers_are_told(server: Serving) -> None:
    slope = metadata("1.5.1.51", **{"00281053": {"vr": "DS", "Value": [0.30000000000000004]}})
    answer = post(server, body((JSON, "", json.dumps([slope]).encode()), (OCTETS, "bulk/1", PIXELS)))
    assert answer.status_code == 202
    assert answer.json()["00081199"]["Value"][0]["00081196"]["Value"] == [0xB000]
    assert stored(server, "1.5.1.51").RescaleSlope == 0.3


@pytest.mark.clause("PS3.18 10.5.4")
def test_answers_as_xml(server: Serving) -> None:
    answer = post(server, b"<html/>", Content_Type=XML, Accept=f"{JSON};q=0.5, {XML}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (409, XML)
    read = read_native_model(answer.content, Limits())
    assert read["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [str(0xC000)]}}]


@needs_data
@pytest.mark.parametrize("media_type", [JSON, XML])
def test_real_files_go_out_and_come_in_again(tmp_path: Path, media_type: str) -> None:
    """What this server gives as metadata and frames, sent to another one as parts, is the same image."""
    paths = [p for p in data_files("syntaxes") if p.stat().st_size < 400_000][::6]
    kept = []
    with Serving(tmp_path / "first") as first, Serving(tmp_path / "second") as second:
        for path in paths:
            if (answer := first.store(path.read_bytes())).status_code != 200:
                continue
            address = urlsplit(answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]).path
            [attributes] = first.get(address + "/metadata").json()
            uri = attributes.get("7FE00010", {}).get("BulkDataURI")
            frames = range(1, int(attributes.get("00280008", {}).get("Value", [1])[0]) + 1)
            found = first.get(
                f"{address}/frames/{','.join(map(str, frames))}",
                f"multipart/related; type={OCTETS}; transfer-syntax=*",
            )
            others = json.dumps({k: v for k, v in attributes.items() if k != "7FE00010"})
            if uri is None or found.status_code != 200 or "BulkDataURI" in others:
                continue
            frame_parts = parts_of(found)
            if frame_parts[0][0].startswith(OCTETS):
                parts = [(OCTETS, uri, b"".join(content for _, content in frame_parts))]
            else:
                parts = [(kind, f"{uri}/frames/{n}", content) for n, (kind, content) in enumerate(frame_parts, 1)]
            assert parts[0][2], path.name
            sent = body((media_type, "", as_sent(attributes, media_type)), *reversed(parts))
            answer = post(second, sent, media_type)
            if answer.status_code != 200 and "more in the pixel data" in answer.headers.get("Warning", ""):
                continue
            assert answer.status_code in (200, 202), f"{path.name}: {answer.headers.get('Warning')}"
            again = parts_of(
                second.get(
                    f"{address}/frames/{','.join(map(str, frames))}",
                    f"multipart/related; type={OCTETS}; transfer-syntax=*",
                )
            )
            assert [content for _, content in again] == [content for _, content in frame_parts], path.name
            if not frame_parts[0][0].startswith(OCTETS):
                assert [kind for kind, _ in again] == [kind for kind, _ in frame_parts], path.name
            before, after = attributes, second.get(address + "/metadata").json()[0]
            odd = {"00083002", "7FE00010", "00080005"}  # the transfer syntax, the pixels' address, the character set
            if answer.status_code == 200:
                assert {k: v for k, v in after.items() if k not in odd} == {
                    k: v for k, v in before.items() if k not in odd
                }
            kept.append(path)
    assert len(kept) > 8


@needs_data
def test_frames_without_a_transfer_syntax_are_looked_at(server: Serving) -> None:
    """``image/jpeg`` alone means no certain process: the code stream says which (PS3.18 table 8.7.3-5)."""
    seen = set()
    types = {**dict.fromkeys(("50", "57", "70"), "image/jpeg"), "80": "image/x-jls", "81": "image/jls"}
    types |= {"90": "image/jp2", "91": "image/jp2", "201": "image/jphc"}
    for path in [p for p in data_files("syntaxes") if p.stat().st_size < 400_000]:
        ds = pydicom.dcmread(path, force=True)
        uid = str(ds.file_meta.get("TransferSyntaxUID", ""))
        media_type = types.get(uid.removeprefix(f"{ROOT}.4."))
        if media_type is None or uid in seen or int(ds.get("NumberOfFrames") or 1) != 1 or "PixelData" not in ds:
            continue
        frame = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
        sop = f"1.5.1.6{len(seen)}"
        sizes = {"00280010": {"vr": "US", "Value": [ds.Rows]}, "00280011": {"vr": "US", "Value": [ds.Columns]}}
        answer = post(
            server, body((JSON, "", json.dumps([metadata(sop, **sizes)]).encode()), (media_type, "bulk/1", frame))
        )
        if answer.status_code == 200:
            assert stored(server, sop).file_meta.TransferSyntaxUID == uid, path.name
            seen.add(uid)
    assert len(seen) >= 6


def test_frames_that_do_not_fit_are_refused(server: Serving) -> None:
    jpeg = b"\xff\xd8\xff\xd9"
    for parts, says in (
        ([("image/png", "bulk/1", b"\x89PNG")], "no PNG header"),
        ([("image/bmp", "bulk/1", b"BM")], "no media type of frames"),
        ([("image/jpeg", "bulk/1", PIXELS)], "no code stream of image/jpeg"),
        ([(f"image/jp2; transfer-syntax={ROOT}.4.50", "bulk/1", b"\xff\x4f\xff\x51")], "does not go with"),
        ([(f"image/jpeg; transfer-syntax={ROOT}.4.50", "bulk/1", jpeg)] * 2, "2 parts came for 1 frames"),
        ([(OCTETS, "bulk/1", b"\xfe\xff\x00\xe0" + bytes(30))], "more in the pixel data"),
        (
            [(f"{OCTETS}; transfer-syntax={ROOT}.4.50", "bulk/1", b"\xfe\xff\x00\xe0" + bytes(30))],
            "sequence of fragments",
        ),
    ):
        answer = post(server, body((JSON, "", json.dumps([metadata("1.5.1.71")]).encode()), *parts))
        assert (answer.status_code, says in answer.headers["Warning"]) == (409, True), answer.headers


def test_large_bulk_data_goes_through_a_spool(server: Serving) -> None:
    pixels = bytes(range(256)) * 4096 * 24  # 24 MiB: more than limits.spool_bytes
    sizes = {"00280010": {"vr": "US", "Value": [3072]}, "00280011": {"vr": "US", "Value": [4096]}}
    before = len(list((server.archive / "segments").iterdir()))
    answer = post(
        server, body((JSON, "", json.dumps([metadata("1.5.1.81", **sizes)]).encode()), (OCTETS, "bulk/1", pixels))
    )
    assert answer.status_code == 200, answer.text
    assert stored(server, "1.5.1.81").PixelData == pixels
    assert (
        len(list((server.archive / "segments").iterdir())) == before + 1
    )  # the instance's; of the parts nothing is left


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_packed_bodies_are_unpacked(server: Serving, coding: str) -> None:
    sop = "1.7.1.1" if coding == "gzip" else "1.7.1.2"
    content = make_instance(sop, study="1.7", series="1.7.1", rows=64, columns=64)
    plain = body(("application/dicom", "", content))
    import zlib

    packed = gzip.compress(plain[:500]) + gzip.compress(plain[500:]) if coding == "gzip" else zlib.compress(plain)
    answer = post(server, packed, "application/dicom", Content_Encoding=coding)
    assert answer.status_code == 200, answer.text
    got = server.get(f"/dicom-web/studies/1.7/series/1.7.1/instances/{sop}", "application/dicom").content
    assert got == content


def test_packed_bodies_that_are_odd_are_refused(server: Serving) -> None:
    plain = body(("application/dicom", "", make_instance()))
    assert post(server, plain, "application/dicom", Content_Encoding="br").status_code == 415
    cut = post(server, gzip.compress(plain)[:-20], "application/dicom", Content_Encoding="gzip")
    assert (cut.status_code, "unpacked" in cut.text or "packed body" in cut.headers["Warning"]) in (
        (400, True),
        (409, True),
    )
    bomb = gzip.compress(bytes(160 * 1024 * 1024), 9)
    answer = post(server, bomb, Content_Type=JSON, Content_Encoding="gzip")
    assert (answer.status_code, "archive_expansion_max" in answer.text) == (413, True)


def raw(server: Serving, head: str) -> tuple[socket.socket, bytes]:
    """A connection on which only these headers were sent, and what came back."""
    where = urlsplit(server.url)
    assert where.hostname and where.port
    connection = socket.create_connection((where.hostname, where.port), 10)
    connection.sendall(f"{head}\r\nHost: {where.netloc}\r\n\r\n".encode())
    return connection, connection.recv(65536)


def test_a_body_is_asked_for_once_nothing_speaks_against_it(server: Serving) -> None:
    content = body(("application/dicom", "", make_instance("1.8.1.1", study="1.8", series="1.8.1")))
    kind = f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    head = f"POST /dicom-web/studies HTTP/1.1\r\n{kind}\r\nContent-Length: {len(content)}\r\nExpect: 100-continue"
    connection, answer = raw(server, head)
    assert answer == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(content)
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    connection.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Content-Type: text/plain\r\nContent-Length: 1000", 415),
        ("Content-Type: application/dicom\r\nContent-Length: 99999999999999", 413),
        ("Content-Type: application/dicom\r\nContent-Length: 1000\r\nAccept: image/png", 406),
        ("Content-Type: application/dicom\r\nContent-Length: 1000\r\nOrigin: http://elsewhere.example", 403),
        ("Content-Type: application/dicom\r\nContent-Length: 1000\r\nContent-Encoding: zstd", 415),
    ],
)
def test_a_refusal_comes_before_the_body(server: Serving, headers: str, status: int) -> None:
    connection, answer = raw(server, f"POST /dicom-web/studies HTTP/1.1\r\n{headers}\r\nExpect: 100-continue")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close" in answer.lower()
    connection.close()


def test_an_older_client_is_not_told_to_go_on(server: Serving) -> None:
    """HTTP/1.0 knows no interim answers: the body is waited for, and the first bytes are the answer's (RFC 9110 10.1.1)."""
    content = body(("application/dicom", "", make_instance("1.8.1.2", study="1.8", series="1.8.1")))
    where = urlsplit(server.url)
    kind = f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    head = f"POST /dicom-web/studies HTTP/1.0\r\nHost: {where.netloc}\r\n{kind}\r\nContent-Length: {len(content)}"
    assert where.hostname and where.port
    with socket.create_connection((where.hostname, where.port), 10) as connection:
        connection.sendall(f"{head}\r\nExpect: 100-continue\r\n\r\n".encode() + content)
        assert b" 200 " in connection.recv(65536).split(b"\r\n")[0]


def test_another_expectation_is_refused(server: Serving) -> None:
    head = "POST /dicom-web/studies HTTP/1.1\r\nContent-Type: application/dicom\r\nContent-Length: 9\r\nExpect: 200-ok"
    connection, answer = raw(server, head)
    assert answer.startswith(b"HTTP/1.1 417 ")
    connection.close()


def test_more_than_the_disk_holds_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    reserve = str(1 << 60)
    with Serving(
        tmp_path / "full", "--config", str(_config(tmp_path, f"[limits]\ndisk_reserve_bytes = {reserve}\n"))
    ) as full:
        head = "POST /dicom-web/studies HTTP/1.1\r\nContent-Type: application/dicom\r\nContent-Length: 1000"
        connection, answer = raw(full, f"{head}\r\nExpect: 100-continue")
        assert answer.startswith(b"HTTP/1.1 507 ")
        connection.close()


def _config(folder: Path, text: str) -> Path:
    path = folder / "voxcast.toml"
    path.write_text(text)
    return path


@pytest.mark.clause("PS3.18 8.7.3.2")
@pytest.mark.clause("PS3.18 10.6.4")
def test_metadata_and_searches_as_xml(server: Serving) -> None:
    content = make_instance("1.9.1.1", study="1.9", series="1.9.1", patient="XML^Ada", patient_id="PX")
    second = make_instance("1.9.1.2", study="1.9", series="1.9.1", patient="XML^Ada", patient_id="PX", number=2)
    assert server.store(content, second).status_code == 200
    accept = f'multipart/related; type="{XML}"'
    for address, count in (
        ("/dicom-web/studies/1.9/metadata", 2),
        ("/dicom-web/studies/1.9/series/1.9.1/metadata", 2),
        ("/dicom-web/studies/1.9/series/1.9.1/instances/1.9.1.1/metadata", 1),
        ("/dicom-web/studies?PatientID=PX", 1),
        ("/dicom-web/instances?PatientID=PX", 2),
    ):
        plain = server.get(address).json()
        for packed in ("identity", "gzip"):
            answer = server.get(address, accept, Accept_Encoding=packed)
            assert answer.headers.get("Content-Encoding", "identity") == packed
            parts = parts_of(answer)
            assert [kind for kind, _ in parts] == [XML] * count
            for (_, document), wanted in zip(parts, plain, strict=True):
                read = read_native_model(document, Limits())
                assert as_text(read) == as_text(wanted)
    one = server.get("/dicom-web/studies/1.9/series/1.9.1/instances/1.9.1.1/metadata", XML)
    assert one.headers["Content-Type"] == XML
    # JSON is what a client gets that takes both as gladly, or says nothing.
    for said, wanted in (
        (f"{XML};q=0.3, {JSON};q=0.8", JSON),
        (f"{JSON}, {XML}", JSON),
        ("*/*", JSON),
        (f"{XML}, {JSON};q=0.9", XML),
    ):
        answer = server.get("/dicom-web/studies?PatientID=PX", said)
        assert wanted in answer.headers["Content-Type"]


def as_text(attributes: dict[str, Any]) -> dict[str, Any]:
    """Numbers as text, as XML has them."""
    read: dict[str, Any] = json.loads(json.dumps(attributes), parse_int=str, parse_float=str)
    return read


def test_each_form_has_its_own_entity_tag(server: Serving) -> None:
    assert server.store(make_instance("1.10.1.1", study="1.10", series="1.10.1")).status_code == 200
    for address in ("/dicom-web/studies/1.10/metadata", "/dicom-web/studies/1.10/series/1.10.1/metadata"):
        tags = {kind: server.get(address, kind).headers["ETag"] for kind in (JSON, XML)}
        assert tags[JSON] != tags[XML]
        assert server.get(address, XML, If_None_Match=tags[XML]).status_code == 304
        assert server.get(address, XML, If_None_Match=tags[JSON]).status_code == 200
        assert "Accept" in server.get(address, XML).headers["Vary"].split(", ")
