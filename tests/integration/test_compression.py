"""Texts are compressed for who takes it, with the right Vary and the same bytes inside; pictures and instances never are."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from data import make_instance
from serving import Serving

SERIES = "/dicom-web/studies/1.2.3/series/1.2.3.4"
INSTANCE = SERIES + "/instances/1.2.3.4.1"
TEXTS = [
    "/dicom-web/instances",
    SERIES + "/metadata",
    "/dicom-web/studies/1.2.3/metadata",
    "/metrics",
    "/plain/",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("compression") / "archive") as running:
        contents = [make_instance(f"1.2.3.4.{i}", number=i, rows=128, columns=128) for i in range(1, 100)]
        assert running.store(*contents).status_code == 200
        yield running


def get(
    server: Serving, path: str, encoding: str | None, method: str = "GET"
) -> tuple[http.client.HTTPResponse, bytes]:
    """Nothing is decoded on the way, and nothing is sent that is not said here."""
    url = urlsplit(server.url)
    connection = http.client.HTTPConnection(url.netloc, timeout=30)
    connection.putrequest(method, path, skip_accept_encoding=True)
    if encoding is not None:
        connection.putheader("Accept-Encoding", encoding)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200
    return answer, body


@pytest.mark.parametrize("path", TEXTS)
@pytest.mark.clause("PS3.18 8.4.2")
def test_a_text_is_the_same_compressed_and_plain(server: Serving, path: str) -> None:
    packed, packed_body = get(server, path, "gzip, deflate, br")
    plain, plain_body = get(server, path, None)
    assert packed.getheader("Content-Encoding") == "gzip"
    assert plain.getheader("Content-Encoding") is None
    assert len(packed_body) < len(plain_body) / 2
    for answer, body in ((packed, packed_body), (plain, plain_body)):
        assert answer.getheader("Content-Length") == str(len(body))
        assert "Accept-Encoding" in ", ".join(answer.headers.get_all("Vary", []))
    unpacked = gzip.decompress(packed_body)
    if path == "/metrics":
        assert unpacked.splitlines()[:2] == plain_body.splitlines()[:2]
    else:
        assert unpacked == plain_body


@pytest.mark.parametrize(
    ("said", "is_packed"),
    [
        ("gzip", True), ("GZIP", True), ("x-gzip", True), ("*", True), ("br;q=1.0, gzip;q=0.5", True), ("gzip;q=0", False),
        ("*;q=0", False), ("identity", False), ("br", False), ("gzip;q=0, *", False), ("", False), ("gzip;q=oops", False),
    ],
)  # fmt: skip
@pytest.mark.clause("PS3.18 8.4.1")
def test_what_the_client_says_is_done(server: Serving, said: str, is_packed: bool) -> None:
    for path in ("/dicom-web/instances", SERIES + "/metadata"):
        answer, body = get(server, path, said)
        assert (answer.getheader("Content-Encoding") == "gzip") is is_packed
        assert len(json.loads(gzip.decompress(body) if is_packed else body)) == 99


def test_pictures_frames_instances_and_short_texts_are_not_compressed(server: Serving) -> None:
    for path in (
        INSTANCE,
        INSTANCE + "/frames/1",
        INSTANCE + "/rendered",
        SERIES + "/thumbnail",
        "/healthz",
        "/api/changes",
    ):
        answer, _ = get(server, path, "gzip")
        assert answer.getheader("Content-Encoding") is None, path


def test_head_says_what_get_would(server: Serving) -> None:
    for encoding in ("gzip", None):
        asked, nothing = get(server, "/dicom-web/instances", encoding, "HEAD")
        got, _ = get(server, "/dicom-web/instances", encoding)
        assert nothing == b""
        for name in ("Content-Length", "Content-Encoding", "Content-Type", "Vary"):
            assert asked.getheader(name) == got.getheader(name)
