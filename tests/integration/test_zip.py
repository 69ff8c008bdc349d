"""Studies, series and instances as one zip file, as other programs unpack it (PS3.18 8.6.1, PS3.12 annex V)."""

from __future__ import annotations

import http.client
import io
import os
import shutil
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pydicom
import pytest
from data import EXPLICIT, data_files, make_instance, needs_data
from pydicom.fileset import FileSet
from serving import Serving

from engine.limits import MIB

ZIP = "application/zip"
STUDY = "/dicom-web/studies/1.2.3"
SERIES = f"{STUDY}/series/1.2.3.4"
JPEG_LS = "1.2.840.10008.1.2.4.80"
CONTENTS = {f"1.2.3.4.{i}": make_instance(f"1.2.3.4.{i}", number=i, rows=32, columns=48) for i in range(1, 6)} | {
    "1.2.3.9.1": make_instance("1.2.3.9.1", series="1.2.3.9", frames=300, rows=64, columns=64, modality="MR")
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*CONTENTS.values()).status_code == 200
        yield running


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        assert all(info.compress_type == zipfile.ZIP_STORED for info in file.infolist())
        return {name: file.read(name) for name in file.namelist()}


@pytest.mark.parametrize(
    ("path", "uids"),
    [
        (STUDY, list(CONTENTS)),
        (SERIES, [uid for uid in CONTENTS if uid.startswith("1.2.3.4.")]),
        (f"{SERIES}/instances/1.2.3.4.2", ["1.2.3.4.2"]),
    ],
)
def test_a_file_set_that_pydicom_reads_byte_for_byte(
    server: Serving, tmp_path: Path, path: str, uids: list[str]
) -> None:
    answer = server.get(path, ZIP)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, ZIP)
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{path.rpartition("/")[2]}.zip"'
    names = members(answer.content)
    assert all(len(part) <= 8 and part.isalnum() and part.isupper() for name in names for part in name.split("/"))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        file.extractall(tmp_path)
    made = FileSet(tmp_path / "DICOMDIR")
    assert {str(one.SOPInstanceUID): Path(one.path).read_bytes() for one in made} == {
        uid: CONTENTS[uid] for uid in uids
    }
    head = server.session.head(server.url + path, headers={"Accept": ZIP}, timeout=60)
    assert (head.headers["Content-Length"], head.content) == (answer.headers["Content-Length"], b"")
    assert server.get(path, ZIP).content == answer.content
    assert server.get(path, ZIP, If_None_Match=answer.headers["ETag"]).status_code == 304


def test_a_download_that_broke_goes_on_where_it_was(server: Serving) -> None:
    whole = server.get(STUDY, ZIP)
    assert whole.headers["Accept-Ranges"] == "bytes"
    tag, total = whole.headers["ETag"], len(whole.content)
    for start in (0, 100, total // 2, total - 700, total - 1):
        rest = server.get(STUDY, ZIP, Range=f"bytes={start}-", If_Range=tag)
        assert (rest.status_code, rest.content) == (206, whole.content[start:])
        assert rest.headers["Content-Range"] == f"bytes {start}-{total - 1}/{total}"
    assert server.get(STUDY, ZIP, Range=f"bytes={total}-").status_code == 416


@pytest.mark.skipif(shutil.which("unzip") is None or shutil.which("dcmdump") is None, reason="unzip and DCMTK")
def test_unzip_and_dcmtk_take_it(server: Serving, tmp_path: Path) -> None:
    (tmp_path / "study.zip").write_bytes(server.get(f"{STUDY}?accept={ZIP}").content)
    run = subprocess.run(["unzip", "-t", tmp_path / "study.zip"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert "No errors detected" in run.stdout
    subprocess.run(["unzip", "-q", tmp_path / "study.zip", "-d", tmp_path / "out"], check=True)
    listed = subprocess.run(
        ["dcmdump", tmp_path / "out" / "DICOMDIR"], capture_output=True, text=True, errors="replace", check=False
    )
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count("DirectoryRecordType") == 1 + 1 + 2 + 6
    assert "W: " not in listed.stderr
    assert "E: " not in listed.stderr


def test_without_a_dicomdir_names_are_uids(server: Serving) -> None:
    answer = server.get(f"{SERIES}?dicomdir=false", ZIP)
    assert members(answer.content) == {
        f"1.2.3/1.2.3.4/{uid}.dcm": content for uid, content in CONTENTS.items() if uid.startswith("1.2.3.4.")
    }
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["ETag"] != server.get(SERIES, ZIP).headers["ETag"]
    wrong = server.get(f"{SERIES}?dicomdir=maybe", ZIP)
    assert (wrong.status_code, "dicomdir" in wrong.json()["detail"]) == (400, True)


def test_converted_instances(server: Serving, tmp_path: Path) -> None:
    answer = server.get(STUDY, f"{ZIP}; transfer-syntax={JPEG_LS}")
    assert answer.status_code == 200
    files = members(answer.content)
    (tmp_path / "DICOMDIR").write_bytes(files["DICOMDIR"])
    records = pydicom.dcmread(tmp_path / "DICOMDIR").DirectoryRecordSequence
    assert {r.ReferencedTransferSyntaxUIDInFile for r in records if "ReferencedFileID" in r} == {JPEG_LS}
    for record in records:
        if "ReferencedFileID" not in record:
            continue
        ds = pydicom.dcmread(io.BytesIO(files["/".join(record.ReferencedFileID)]))
        assert ds.file_meta.TransferSyntaxUID == JPEG_LS
        stored = pydicom.dcmread(io.BytesIO(CONTENTS[str(ds.SOPInstanceUID)]))
        assert (ds.pixel_array == stored.pixel_array).all()
    head = server.session.head(server.url + STUDY, headers={"Accept": f"{ZIP}; transfer-syntax={JPEG_LS}"}, timeout=60)
    assert (head.status_code, "Content-Length" in head.headers) == (200, False)
    refused = server.get(STUDY, f"{ZIP}; transfer-syntax=1.2.840.10008.1.2.4.50")
    assert (refused.status_code, ZIP in refused.json()["detail"]) == (406, True)
    assert server.get(STUDY, f"{ZIP}; transfer-syntax={EXPLICIT}").content == server.get(STUDY, ZIP).content


def test_what_is_not_there_is_404(server: Serving) -> None:
    for path in ("/dicom-web/studies/9.9", f"{STUDY}/series/9.9", f"{SERIES}/instances/9.9"):
        assert server.get(path, ZIP).status_code == 404


def test_odd_uids_are_no_names(tmp_path: Path) -> None:
    content = make_instance('a"b/../c', study='st"; x', series="../..")
    with Serving(tmp_path / "archive") as server:
        assert server.store(content).status_code == 200
        [row] = server.get("/dicom-web/instances").json()
        study = quote(row["0020000D"]["Value"][0], safe="")
        for query in ("", "?dicomdir=false"):
            answer = server.get(f"/dicom-web/studies/{study}{query}", ZIP)
            assert answer.headers["Content-Disposition"] == 'attachment; filename="st___x.zip"'
            names = [name for name in members(answer.content) if name != "DICOMDIR"]
            assert all(
                set(name) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/.-") for name in names
            )
            assert not any(part in ("", ".", "..") for name in names for part in name.split("/"))


def test_damage_never_looks_like_a_whole_file(tmp_path: Path) -> None:
    with Serving(tmp_path / "archive") as server:
        contents = [
            make_instance(f"1.2.3.4.{i}", number=i, rows=300, columns=300, pixels=os.urandom(180_000))
            for i in (1, 2, 3)
        ]
        assert server.store(*contents).status_code == 200
        spoil(tmp_path / "archive", contents[1][-2000:])
        with pytest.raises(OSError, match=r"IncompleteRead|Connection"):
            server.get(SERIES, ZIP)
        spoil(tmp_path / "archive", contents[0][-2000:])
        first = server.get(SERIES, ZIP)
        assert (first.status_code, first.headers["Content-Type"]) == (500, "application/problem+json")


def spoil(archive: Path, tail: bytes) -> None:
    """Change a byte of what was stored."""
    for path in (archive / "segments").glob("*.tar"):
        content = path.read_bytes()
        at = content.find(tail)
        if at >= 0:
            with path.open("r+b") as file:
                file.seek(at + 1000)
                file.write(bytes([content[at + 1000] ^ 0xFF]))
            return
    raise AssertionError("not found")


def test_a_client_that_leaves_ends_the_work_and_memory_stays_small(tmp_path: Path) -> None:
    """240 MB on the way to a client that reads a little and goes; nobody decodes these frames of 40 MB meanwhile."""
    with Serving(tmp_path / "archive", "--workers", "1", environ={"VOXCAST_RENDITIONS": "off"}) as server:
        pixels = os.urandom(MIB) * 40
        for i in range(1, 7):
            one = make_instance(f"1.2.3.4.{i}", number=i, rows=4096, columns=5120, pixels=pixels)
            assert server.store(one).status_code == 200
        assert server.get("/healthz").status_code == 200
        before = memory(server)
        host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
        assert host is not None
        assert port is not None
        with socket.create_connection((host, port)) as client:
            client.sendall(f"GET {SERIES} HTTP/1.1\r\nHost: {host}\r\nAccept: {ZIP}\r\n\r\n".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            read = read_bytes(server)
            time.sleep(1.0)  # it does not read on: no more is made than the socket takes
            assert memory(server) - before < 64 * MIB
        time.sleep(0.5)
        assert read_bytes(server) - read < 120 * MIB, "nothing is read for a client that has gone"
        connection = http.client.HTTPConnection(host, port, timeout=60)
        connection.request("GET", SERIES, headers={"Accept": ZIP})
        answer = connection.getresponse()
        length = 0
        while piece := answer.read(16 * MIB):
            length += len(piece)
            assert memory(server) - before < 64 * MIB
        assert length == int(answer.headers["Content-Length"]) > 240 * MIB
        connection.close()


def pids(server: Serving) -> list[int]:
    group = os.getpgid(server.process.pid)
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _group(p) == group]


def _group(path: Path) -> int:
    try:
        return int(path.joinpath("stat").read_text().rpartition(")")[2].split()[2])
    except (FileNotFoundError, ProcessLookupError):
        return -1


def memory(server: Serving) -> int:
    """Anonymous memory of all its processes: not the files that are mapped."""
    total = 0
    for pid in pids(server):
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:"))) * 1024
    return total


def read_bytes(server: Serving) -> int:
    """What its processes have read of files, the page cache's included."""
    return sum(
        int(line.split()[1])
        for pid in pids(server)
        for line in Path(f"/proc/{pid}/io").read_text().splitlines()
        if line.startswith("rchar:")
    )


@needs_data
def test_real_files_of_many_kinds(tmp_path: Path) -> None:
    files = [
        p for p in data_files("ct-series", "mr-j2k", "derived", "charsets", "multiframe") if p.stat().st_size < 4 * MIB
    ]
    with Serving(tmp_path / "archive") as server:
        stored: set[bytes] = set()
        for path in files[:: max(1, len(files) // 80)]:
            content = path.read_bytes()
            if server.store(content).status_code == 200:
                stored.add(content)
        assert len(stored) > 30
        found: list[bytes] = []
        for row in server.get("/dicom-web/studies?limit=500").json():
            answer = server.get(f"/dicom-web/studies/{quote(row['0020000D']['Value'][0], safe='')}", ZIP)
            assert answer.headers["Content-Length"] == str(len(answer.content))
            assert "Warning" not in answer.headers
            found += [content for name, content in members(answer.content).items() if name != "DICOMDIR"]
        assert len(found) == len(server.get("/dicom-web/instances?limit=5000").json()) > 30
        assert len(set(found)) == len(found)
        assert set(found) <= stored
