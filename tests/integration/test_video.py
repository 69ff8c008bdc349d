"""Videos at a real server: kept byte for byte, found, shown as stills; single frames and other forms are told why not."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_fragments
from serving import Serving, parts_of
from videos import KINDS, encoded, instance, number_of

FRAMES, FRAGMENT = 30, 5000
STUDY, SERIES = "1.2.3", "1.2.3.4"
AT = f"/dicom-web/studies/{STUDY}/series/{SERIES}"
STREAMS = {f"{SERIES}.{i}": (kind, encoded(kind, FRAMES)) for i, kind in enumerate(KINDS.values(), 1)}
INSTANCES = {
    uid: instance(kind, stream, FRAMES, uid, fragment_bytes=FRAGMENT * (kind.uid.endswith(".1")))
    for uid, (kind, stream) in STREAMS.items()
}
MEDIA_TYPES = {"mpeg2video": "video/mpeg2", "libx264": "video/mp4", "libx265": "video/mp4"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*INSTANCES.values()).status_code == 200
        yield running


@pytest.mark.parametrize("uid", INSTANCES)
def test_it_comes_back_byte_for_byte(server: Serving, uid: str) -> None:
    answer = server.get(f"{AT}/instances/{uid}", "application/dicom; transfer-syntax=*")
    assert (answer.status_code, answer.content) == (200, INSTANCES[uid])
    assert pydicom.dcmread(io.BytesIO(answer.content)).file_meta.TransferSyntaxUID == STREAMS[uid][0].uid


def test_it_is_found_and_described(server: Serving) -> None:
    rows = server.get(f"{AT}/instances?includefield=all").json()
    assert {row["00080018"]["Value"][0] for row in rows} == set(INSTANCES)
    assert {row["00280008"]["Value"][0] for row in rows} == {FRAMES}
    documents = server.get(f"{AT}/metadata").json()
    assert {d["00083002"]["Value"][0] for d in documents} == {kind.uid for kind, _ in STREAMS.values()}


@pytest.mark.parametrize("uid", INSTANCES)
def test_its_fragments_are_bulk_data(server: Serving, uid: str) -> None:
    document = server.get(f"{AT}/instances/{uid}/metadata").json()[0]
    uri = document["7FE00010"]["BulkDataURI"]
    [(_, body)] = parts_of(server.get(uri[uri.index("/dicom-web") :]))
    stream = STREAMS[uid][1]
    _, *fragments = generate_fragments(body)  # the first is the empty offset table
    assert b"".join(fragments) == stream + bytes(len(stream) % 2)


@pytest.mark.parametrize("uid", INSTANCES)
def test_stills(server: Serving, uid: str) -> None:
    for number in (1, 12, FRAMES):
        answer = server.get(f"{AT}/instances/{uid}/frames/{number}/rendered", "image/png")
        assert answer.status_code == 200, answer.text
        assert number_of(np.asarray(Image.open(io.BytesIO(answer.content)))) == number - 1
    whole = server.get(f"{AT}/instances/{uid}/rendered?viewport=64,64")
    assert Image.open(io.BytesIO(whole.content)).size == (64, 48)
    for path in (f"/instances/{uid}", f"/instances/{uid}/frames/3", ""):
        thumbnail = Image.open(io.BytesIO(server.get(f"{AT}{path}/thumbnail").content))
        assert (thumbnail.format, max(thumbnail.size)) == ("JPEG", 128)


def test_single_frames_are_told_why_not(server: Serving) -> None:
    for uid, (kind, _) in STREAMS.items():
        for accept in (
            'multipart/related; type="application/octet-stream"; transfer-syntax=*',
            f'multipart/related; type="{MEDIA_TYPES[kind.codec]}"',
            "*/*",
        ):
            answer = server.get(f"{AT}/instances/{uid}/frames/1", accept)
            assert answer.status_code == 406, (uid, accept)
            assert "one bit stream" in answer.text
        missing = server.get(f"{AT}/instances/{uid}/frames/{FRAMES + 1}/rendered")
        assert missing.status_code == 404


def test_another_transfer_syntax_is_refused(server: Serving) -> None:
    uid = next(iter(INSTANCES))
    for syntax in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"):
        answer = server.get(f"{AT}/instances/{uid}", f"application/dicom; transfer-syntax={syntax}")
        assert answer.status_code == 406, answer.text


def test_a_cut_video_is_a_clear_answer_and_no_end_of_the_server(server: Serving) -> None:
    kind, stream = next(iter(STREAMS.values()))
    cut = instance(kind, stream[: len(stream) // 3 // 2 * 2], FRAMES, "1.2.3.5.1", series="1.2.3.5")
    nothing = instance(kind, b"no video\n" * 100, FRAMES, "1.2.3.5.2", series="1.2.3.5")
    assert server.store(cut, nothing).status_code == 200
    at = "/dicom-web/studies/1.2.3/series/1.2.3.5/instances"
    for path in (f"1.2.3.5.1/frames/{FRAMES}/rendered", "1.2.3.5.2/rendered", "1.2.3.5.2/thumbnail"):
        answer = server.get(f"{at}/{path}")
        assert answer.status_code == 422, path
        assert kind.uid in answer.text
    assert server.get(f"{at}/1.2.3.5.1/frames/1/rendered").status_code == 200
    assert server.get(f"{at}/1.2.3.5.2", "application/dicom; transfer-syntax=*").content == nothing


def test_without_pyav_everything_but_stills_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "av.py").write_text("raise ImportError('not installed')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))))
    uid, content = next(iter(INSTANCES.items()))
    with Serving(tmp_path / "archive") as running:
        assert running.store(content).status_code == 200
        assert running.get(f"{AT}/instances/{uid}", "application/dicom; transfer-syntax=*").content == content
        assert running.get(f"{AT}/instances/{uid}/rendered", "video/*").content == STREAMS[uid][1]
        for path in ("rendered?viewport=64,64", "thumbnail", "frames/1/rendered"):
            answer = running.get(f"{AT}/instances/{uid}/{path}")
            assert answer.status_code == 406
            assert "voxcast[video]" in answer.text
