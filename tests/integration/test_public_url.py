"""A server behind a proxy: addresses in answers are those that clients reach, and the proxy's name is the server's own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from data import element, make_instance
from serving import BOUNDARY, Serving, multipart

PUBLIC = "https://pacs.example/voxcast"
AT = "/dicom-web/studies/1.2.3/series/1.2.3.4"


def with_long_value() -> bytes:
    """Elements go up by tag: the long one stands between (0020,0013) and (0028,0002)."""
    return make_instance(extra=element(0x00209222, "OB", bytes(range(256)) * 512))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("public")
    (folder / "config.toml").write_text(f'public_url = "{PUBLIC}/"\n')
    with Serving(folder / "archive", "--config", str(folder / "config.toml")) as running:
        assert running.store(with_long_value()).status_code == 200
        yield running


@pytest.mark.clause("PS3.18 8.2")
def test_addresses_begin_with_the_public_one(server: Serving) -> None:
    stored = server.store(with_long_value()).json()
    assert stored["00081190"]["Value"] == [f"{PUBLIC}/dicom-web/studies/1.2.3"]
    assert stored["00081199"]["Value"][0]["00081190"]["Value"] == [f"{PUBLIC}{AT}/instances/1.2.3.4.1"]
    for path, url in (
        ("/dicom-web/studies", f"{PUBLIC}/dicom-web/studies/1.2.3"),
        ("/dicom-web/series", f"{PUBLIC}{AT}"),
        ("/dicom-web/instances", f"{PUBLIC}{AT}/instances/1.2.3.4.1"),
    ):
        assert server.get(path).json()[0]["00081190"]["Value"] == [url]
    bulk = f"{PUBLIC}{AT}/instances/1.2.3.4.1/bulkdata/00209222"
    for path in (f"{AT}/metadata", f"{AT}/instances/1.2.3.4.1/metadata", "/dicom-web/instances?includefield=00209222"):
        assert server.get(path).json()[0]["00209222"]["BulkDataURI"] == bulk, path
    value = server.get(bulk.removeprefix(PUBLIC), "application/octet-stream")
    assert value.content == bytes(range(256)) * 512


def test_without_the_setting_the_request_decides(server: Serving, tmp_path: Path) -> None:
    tagged = server.get(f"{AT}/metadata").headers["ETag"]
    one_tagged = server.get(f"{AT}/instances/1.2.3.4.1/metadata").headers["ETag"]
    with Serving(tmp_path / "archive") as plain:
        assert plain.store(with_long_value()).status_code == 200
        url = plain.url.replace("127.0.0.1", "localhost")
        rows = plain.session.get(url + "/dicom-web/studies", timeout=60).json()
        assert rows[0]["00081190"]["Value"] == [url + "/dicom-web/studies/1.2.3"]
        answer = plain.get(f"{AT}/metadata")
        assert answer.json()[0]["00209222"]["BulkDataURI"] == f"{AT}/instances/1.2.3.4.1/bulkdata/00209222"
        # Another document, so another tag: who has the one must not be told that it is the other.
        one = plain.get(f"{AT}/instances/1.2.3.4.1/metadata", If_None_Match=one_tagged)
        assert one.status_code == 200
        assert plain.get(f"{AT}/metadata", If_None_Match=tagged).status_code == 200


def test_the_proxys_host_and_pages_are_the_servers_own(server: Serving) -> None:
    for host, status in (
        ("pacs.example", 200),
        ("PACS.example:443", 200),
        ("127.0.0.1", 200),
        ("pacs.example.evil.example", 403),
        ("evil.example", 403),
    ):
        answer = server.get("/dicom-web/studies", Host=host)
        assert answer.status_code == status, host
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    for origin, status in (
        ("https://pacs.example", 200),
        (server.url, 200),
        ("http://pacs.example", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ):
        answer = server.session.post(
            server.url + "/dicom-web/studies",
            data=multipart(with_long_value()),
            headers={"Content-Type": kind, "Origin": origin},
            timeout=60,
        )
        assert answer.status_code == status, origin


def test_addresses_of_odd_uids_lead_to_them(tmp_path: Path) -> None:
    content = make_instance(
        "a/b%2F?#c", study="/etc/x y", series="../..", extra=element(0x00209222, "OB", bytes(100_000))
    )
    with Serving(tmp_path / "archive") as server:
        stored = server.store(content).json()
        urls = [stored["00081190"]["Value"][0], stored["00081199"]["Value"][0]["00081190"]["Value"][0]]
        urls += [
            server.get(f"/dicom-web/{level}").json()[0]["00081190"]["Value"][0]
            for level in ("studies", "series", "instances")
        ]
        assert len({url.count("/") for url in urls}) == 3
        for url in urls:
            answer = server.session.get(
                url, headers={"Accept": 'multipart/related; type="application/dicom"'}, timeout=60
            )
            assert (answer.status_code, content in answer.content) == (200, True), url
        bulk = server.get(urls[-1].removeprefix(server.url) + "/metadata").json()[0]["00209222"]["BulkDataURI"]
        assert server.get(bulk, "application/octet-stream").content == bytes(100_000)


def test_a_setting_that_is_no_address_is_refused(tmp_path: Path) -> None:
    for text in (
        "pacs.example",
        "ftp://h",
        "https://",
        "https://u@h",
        'https://h/"',
        "https://h:99999",
        "https://h/?q",
    ):
        config = tmp_path / "config.toml"
        config.write_text(f"public_url = {json.dumps(text)}\n")
        command = [sys.executable, "-P", "-m", "engine.cli", "config", "check", "--config", str(config)]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert checked.returncode != 0, text
        assert "public_url" in checked.stderr, text
