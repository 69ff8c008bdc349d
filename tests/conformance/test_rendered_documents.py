"""PS3.18 8.7.4, 10.4.1.1.3, 10.4.1.1.5 and PS3.3 C.24.2: documents as the files that they are, whole, and safe to look at."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pydicom
import pytest
from altering import document
from data import make_instance
from pydicom.uid import DeflatedExplicitVRLittleEndian
from serving import Serving, parts_of

STUDY = "/dicom-web/studies/1.2.3"
CLASS = "1.2.840.10008.5.1.4.1.1.104."
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
CDA = b'<?xml version="1.0" encoding="utf-8"?><ClinicalDocument xmlns="urn:hl7-org:v3" />'
STL = b"solid".ljust(80) + (1).to_bytes(4, "little") + bytes(50)  # binary: even, and ends with zeros that belong to it
OBJ = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3"
MTL = b"newmtl skin\nKd 1 0.8 0.7\n"
EVIL = b"<script>alert(document.domain)</script>"
assert len(PDF) % 2 == len(CDA) % 2 == len(OBJ) % 2 == 1, "odd, so that a byte of padding stands behind them"
# SOP Instance UID → class, MIME type in the header, body, other attributes, media type of the answer
DOCUMENTS: dict[str, tuple[str, str | None, bytes, dict[str, object], str]] = {
    "1.2.3.4.1": (CLASS + "1", "application/pdf", PDF, {"EncapsulatedDocumentLength": len(PDF)}, "application/pdf"),
    "1.2.3.4.2": (CLASS + "1", None, PDF + bytes(1), {}, "application/pdf"),
    "1.2.3.4.3": (CLASS + "2", "text/XML", CDA, {}, "text/xml"),
    "1.2.3.4.4": (CLASS + "3", "model/stl", STL, {}, "model/stl"),
    "1.2.3.4.5": (
        CLASS + "4",
        "model/obj",
        OBJ,
        {"EncapsulatedDocumentLength": 5},
        "model/obj",
    ),  # a length that is wrong
    "1.2.3.4.6": (CLASS + "5", "model/mtl ", MTL + bytes(1), {}, "model/mtl"),
    "1.2.3.4.7": (CLASS + "1", "text/html", EVIL + bytes(1), {}, "application/octet-stream"),
    "1.2.3.4.8": (CLASS + "1", "text/javascript; charset=utf-8", EVIL + b" ", {}, "application/octet-stream"),
}
EACH = pytest.mark.parametrize("uid", DOCUMENTS)


def made(uid: str, series: str = "1.2.3.4", **more: object) -> bytes:
    sop_class, mime_type, body, attributes, _ = DOCUMENTS[uid]
    if mime_type is not None:
        attributes = attributes | {"MIMETypeOfEncapsulatedDocument": mime_type}
    return document(body, sop_class, uid, series=series, **attributes, **more)


def at(uid: str) -> str:
    return f"{STUDY}/series/{uid.rpartition('.')[0]}/instances/{uid}"


def bodies(uid: str) -> tuple[bytes, str]:
    """What comes: padding is taken off, whoever put it there; but nobody knows the end of what nobody knows."""
    _, _, body, _, media_type = DOCUMENTS[uid]
    return body if media_type in ("application/octet-stream", "model/stl") else body.removesuffix(b"\0"), media_type


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    contents = [made(uid) for uid in DOCUMENTS]
    contents.append(
        document(PDF, CLASS + "1", "1.2.3.5.1", series="1.2.3.5", MIMETypeOfEncapsulatedDocument="application/pdf")
    )
    deflated = document(OBJ, CLASS + "4", "1.2.3.6.1", series="1.2.3.6")
    contents += [_deflated(deflated), make_instance("1.2.9.1.1", study="1.2.9", series="1.2.9.1")]
    contents.append(document(PDF, CLASS + "1", "1.2.9.2.1", series="1.2.9.2", study="1.2.9"))
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*contents).status_code == 200
        yield running


def _deflated(content: bytes) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(content))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


@EACH
@pytest.mark.parametrize("path", ["rendered", "bulkdata/00420011"])
def test_it_is_the_document_and_says_what_it_is(server: Serving, uid: str, path: str) -> None:
    body, media_type = bodies(uid)
    for accept in (media_type, "text/html,application/xhtml+xml,*/*;q=0.8", f"image/png;q=0.1, {media_type}"):
        answer = server.get(f"{at(uid)}/{path}", accept)
        assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (200, media_type, body)
        assert answer.headers["Content-Length"] == str(len(body))
    parts = server.get(f"{at(uid)}/{path}", f'multipart/related; type="{media_type}"')
    assert parts_of(parts) == [(media_type, body)]
    by_query = server.get(f"{at(uid)}/{path}?accept={media_type}", "application/json")
    assert by_query.content == body


@EACH
def test_nothing_in_it_runs_in_a_browser(server: Serving, uid: str) -> None:
    for path in ("rendered", "bulkdata/00420011"):
        headers = server.get(f"{at(uid)}/{path}", "text/html,*/*;q=0.8").headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Type"] not in ("text/html", "text/javascript", "image/svg+xml")
        if headers["Content-Type"] != "application/pdf":
            assert headers["Content-Security-Policy"].startswith("sandbox;")


def test_names_to_save_it_under(server: Serving) -> None:
    found = {uid: server.get(f"{at(uid)}/rendered").headers["Content-Disposition"] for uid in DOCUMENTS}
    endings = [text.removesuffix('"').rpartition(".")[2] for text in found.values()]
    assert endings == ["pdf", "pdf", "xml", "stl", "obj", "mtl", "bin", "bin"]
    assert found["1.2.3.4.1"] == 'inline; filename="1.2.3.4.1.pdf"'


def test_the_rendered_document_to_a_client_that_says_nothing(server: Serving) -> None:
    answer = server.get(f"{at('1.2.3.4.1')}/rendered")
    assert (answer.headers["Content-Type"], answer.content) == ("application/pdf", PDF)


def test_bulk_data_as_metadata_names_it(server: Serving) -> None:
    [one] = server.get(f"{at('1.2.9.2.1').replace(STUDY, '/dicom-web/studies/1.2.9')}/metadata").json()
    uri = one["00420011"].get("BulkDataURI")
    big = document(PDF + b" " * 100_001, CLASS + "1", "1.2.3.7.1", series="1.2.3.7")
    assert server.store(big).status_code == 200
    [two] = server.get(f"{at('1.2.3.7.1')}/metadata").json()
    assert uri is None  # short values stand in the document itself
    uri = two["00420011"]["BulkDataURI"].removeprefix(server.url)
    assert parts_of(server.get(uri, "*/*")) == [("application/pdf", PDF + b" " * 100_001)]
    raw = server.get(uri, "application/octet-stream")
    assert (raw.headers["Content-Type"], raw.content) == ("application/octet-stream", PDF + b" " * 100_001)


@pytest.mark.parametrize("accept", ["image/jpeg", "text/plain", "video/mp4", 'multipart/related; type="image/png"'])
def test_another_type_is_not_acceptable(server: Serving, accept: str) -> None:
    answer = server.get(f"{at('1.2.3.4.1')}/rendered", accept)
    assert (answer.status_code, "application/pdf" in answer.json()["detail"]) == (406, True)
    answer = server.get(f"{at('1.2.3.4.1')}/bulkdata/00420011", accept)
    assert (answer.status_code, "application/pdf" in answer.json()["detail"]) == (406, True)


@pytest.mark.parametrize("query", ["window=1,2", "viewport=10,10", "quality=50", "annotation=patient"])
def test_parameters_of_pictures_are_told_that_it_is_none(server: Serving, query: str) -> None:
    answer = server.get(f"{at('1.2.3.4.1')}/rendered?{query}")
    assert (answer.status_code, "document" in answer.json()["detail"]) == (400, True)
    assert server.get(f"{at('1.2.3.4.1')}/rendered?windoe=1").status_code == 400


@pytest.mark.parametrize("path", ["rendered", "bulkdata/00420011"])
@pytest.mark.parametrize("uid", ["1.2.3.4.1", "1.2.3.6.1"])
def test_ranges(server: Serving, uid: str, path: str) -> None:
    accept = "application/pdf, model/obj"
    whole = server.get(f"{at(uid)}/{path}", accept)
    assert (whole.content, whole.headers["Accept-Ranges"]) == (PDF if uid == "1.2.3.4.1" else OBJ, "bytes")
    part = server.get(f"{at(uid)}/{path}", accept, Range="bytes=3-9", If_Range=whole.headers["ETag"])
    assert (part.status_code, part.content) == (206, whole.content[3:10])
    assert part.headers["Content-Range"] == f"bytes 3-9/{len(whole.content)}"
    assert server.get(f"{at(uid)}/{path}", accept, Range="bytes=5-", If_Range='"x"').content == whole.content
    assert server.get(f"{at(uid)}/{path}", accept, Range="bytes=999-").status_code == 416
    assert server.get(f"{at(uid)}/{path}", accept, If_None_Match=whole.headers["ETag"]).status_code == 304


def test_series_and_studies_of_documents(server: Serving) -> None:
    accept = ", ".join(dict.fromkeys(media_type for *_, media_type in DOCUMENTS.values()))
    parts = parts_of(server.get(f"{STUDY}/series/1.2.3.4/rendered", accept))
    assert sorted(parts) == sorted((bodies(uid)[1], bodies(uid)[0]) for uid in DOCUMENTS)
    assert server.get(f"{STUDY}/series/1.2.3.4/rendered", "application/pdf").status_code == 406
    one = server.get(f"{STUDY}/series/1.2.3.5/rendered")
    assert (one.headers["Content-Type"], one.content) == ("application/pdf", PDF)
    # beside images a document is left out of what is shown of a study
    images = server.get("/dicom-web/studies/1.2.9/rendered")
    assert images.headers["Content-Type"] == "image/jpeg"


def test_an_instance_without_its_document(server: Serving) -> None:
    ds = pydicom.dcmread(io.BytesIO(document(b"", CLASS + "1", "1.2.3.8.1", series="1.2.3.8")))
    del ds.EncapsulatedDocument
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    assert server.store(out.getvalue()).status_code == 200
    for path in ("rendered", "bulkdata/00420011"):
        assert server.get(f"{at('1.2.3.8.1')}/{path}").status_code == 404
