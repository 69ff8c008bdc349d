"""STOW-RS of JSON and XML, as a client sends it: metadata of a CT image, and the parts beside it."""

from __future__ import annotations

import io
import json
from typing import Any

import pydicom
import requests
from data import CT
from serving import BOUNDARY, Serving

from engine.dicom.native_model import native_model

JSON, XML, OCTETS = "application/dicom+json", "application/dicom+xml", "application/octet-stream"
ROOT = "1.2.840.10008.1.2"


def body(*parts: tuple[str, str, bytes]) -> bytes:
    """Parts of a media type, a Content-Location (or none) and bytes."""
    out = bytearray()
    for media_type, location, content in parts:
        where = f"Content-Location: {location}\r\n" if location else ""
        out += f"--{BOUNDARY}\r\nContent-Type: {media_type}\r\n{where}\r\n".encode() + content + b"\r\n"
    return bytes(out) + f"--{BOUNDARY}--\r\n".encode()


def post(server: Serving, content: bytes, media_type: str = JSON, study: str = "", **headers: str) -> requests.Response:
    sent = {k.replace("_", "-"): v for k, v in headers.items()}
    sent.setdefault("Content-Type", f'multipart/related; type="{media_type}"; boundary={BOUNDARY}')
    return server.session.post(
        server.url + "/dicom-web/studies" + (f"/{study}" if study else ""), data=content, headers=sent, timeout=60
    )


def metadata(sop: str, **more: Any) -> dict[str, Any]:
    """A CT image of 2 × 3 cells of 16 bits, its pixels in a part at ``bulk/1``."""

    def of(vr: str, *values: Any) -> dict[str, Any]:
        return {"vr": vr, "Value": list(values)}

    return {
        "00080016": of("UI", CT), "00080018": of("UI", sop), "00080060": of("CS", "CT"),
        "00100010": of("PN", {"Alphabetic": "Mü^Änne"}), "00100020": of("LO", "P1"),
        "0020000D": of("UI", "1.5"), "0020000E": of("UI", "1.5.1"), "00200013": of("IS", 1),
        "00280002": of("US", 1), "00280004": of("CS", "MONOCHROME2"), "00280010": of("US", 2), "00280011": of("US", 3),
        "00280100": of("US", 16), "00280101": of("US", 12), "00280102": of("US", 11), "00280103": of("US", 0),
        "7FE00010": {"vr": "OW", "BulkDataURI": "bulk/1"}, **more,
    }  # fmt: skip


def stored(server: Serving, sop: str, study: str = "1.5", series: str = "1.5.1") -> pydicom.FileDataset:
    answer = server.get(f"/dicom-web/studies/{study}/series/{series}/instances/{sop}", "application/dicom")
    assert answer.status_code == 200, answer.text
    return pydicom.dcmread(io.BytesIO(answer.content))


def as_sent(attributes: dict[str, Any], media_type: str) -> bytes:
    return json.dumps([attributes]).encode() if media_type == JSON else native_model(attributes)
