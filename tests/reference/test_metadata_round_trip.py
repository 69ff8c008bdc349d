"""Every real file as JSON and as XML and back: pydicom reads from what was written what we read from the file."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from data import EXPLICIT, data_files, needs_data, pydicom_files
from pydicom_view import differences, our_json, read, reference_json
from scanning import LIMITS, value_at

from engine.dicom.json_encoding import Encoder, Gap
from engine.dicom.json_model import read_json
from engine.dicom.native_model import NAMESPACE, native_models
from engine.dicom.native_model_reading import read_native_model
from engine.dicom.part10 import file_meta
from engine.dicom.scan import dicom_json, scan
from engine.errors import EngineError

# What pydicom makes of odd values of a file it makes of those of the copy, too; these are not about writing.
NOT_OURS = ("pydicom refuses", "00080005 only pydicom")  # text of any kind is UTF-8 in the copy, which then says so
EXPLAINED = {
    "fo-dicom__DIRW0007": "a stray sequence delimiter is no element, and is not written",
    "fo-dicom__GH1301.dcm": "a code string of Chinese characters, which no VR CS has; pydicom reads its bytes one by one",
    "dwv__sr-protractor.dcm": "decimal numbers of more than 16 characters are rounded to what VR DS holds",
}
URI = "bulk"


def encoded(attributes: dict[str, Any], content: bytes) -> tuple[bytes, bool]:
    """A data set, its gaps filled with the file's own values, and whether something was shortened."""

    def value(uri: str) -> bytes:
        path = [int(part, 10 if i % 2 else 16) for i, part in enumerate(uri.removeprefix(f"{URI}/").split("/"))]
        found = value_at(content, path)
        assert found is not None
        return found

    encoder = Encoder(lambda uri: len(value(uri)), LIMITS)
    out = bytearray()
    for _, pieces in encoder.elements(attributes):
        for piece in pieces:
            if isinstance(piece, Gap):
                out += value(piece.uri).ljust(piece.length, b"\0")
            else:
                out += piece
    return bytes(out), encoder.is_coerced


def part10(data_set: bytes) -> bytes:
    return file_meta(sop_class_uid="1.2", sop_instance_uid="1.2.3", transfer_syntax_uid=EXPLICIT) + data_set


def readable(paths: list[Path]) -> list[tuple[Path, bytes, bytes]]:
    """Path, bytes and DICOM JSON of those that the archive takes."""
    found = []
    for path in paths:
        content = path.read_bytes()
        try:
            scan(content, LIMITS)
            found.append((path, content, dicom_json(content, LIMITS, URI)))
        except EngineError:
            continue
    return found


@pytest.mark.parametrize("source", ["pydicom", pytest.param("shared", marks=needs_data)])
def test_json_and_xml_lead_to_the_same_bytes_and_pydicom_reads_them(source: str) -> None:
    files = readable(pydicom_files() if source == "pydicom" else data_files(""))
    wrong: list[str] = []
    for path, content, document in files:
        [attributes] = read_json(b"[" + document + b"]", LIMITS)
        [xml] = native_models(b"[" + document + b"]")
        data_set, is_coerced = encoded(attributes, content)
        if encoded(read_native_model(xml, LIMITS), content)[0] != data_set:
            wrong.append(f"{path.name}: XML is not what JSON is")
        assert ElementTree.fromstring(xml).tag == f"{{{NAMESPACE}}}NativeDicomModel"
        if path.name in EXPLAINED:
            assert is_coerced == (path.name == "dwv__sr-protractor.dcm")
            continue
        ours = our_json(json.loads(document), lambda at, content=content: value_at(content, list(at)))  # type: ignore[misc]
        theirs = reference_json(read(part10(data_set)))
        lines = [line for line in differences(padded(ours), theirs) if not any(word in line for word in NOT_OURS)]
        wrong += [f"{path.name}: {line}" for line in lines]
    assert len(files) > (100 if source == "pydicom" else 400)
    assert not wrong, "\n".join(wrong)


def padded(attributes: dict[str, Any]) -> dict[str, Any]:
    """Binary values with the byte that makes their length even (PS3.5 7.1): the copy has it, the odd file has not."""
    for element in attributes.values():
        if isinstance(raw := element.get("bytes"), bytes):
            element["bytes"] = raw + bytes(len(raw) % 2)
        for item in element.get("Value", []) if element["vr"] == "SQ" else []:
            padded(item)
    return attributes


def test_what_pydicom_writes_as_json_is_stored_as_pydicom_has_it() -> None:
    """A client that makes its JSON with `Dataset.to_json`, all values inline."""
    count = 0
    for path, _, _ in readable(pydicom_files()):
        ds = read(path.read_bytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                sent = ds.to_json()
            except Exception:  # noqa: BLE001 - what pydicom cannot write nobody can send
                continue
            attributes = next(read_json(sent.encode(), LIMITS))
            pixels = attributes.pop("7FE00010", None)
            got = read(part10(encoded(attributes, b"")[0]))
            for tag in ("00080005", *(["7FE00010"] if pixels else [])):
                for one in (ds, got):
                    one.pop(int(tag, 16), None)
            lines = [
                line
                for line in differences(padded(reference_json(got)), padded(reference_json(ds)))
                if "refuses" not in line
            ]
        if lines and all("vr UN" in line or "only pydicom" in line for line in lines):
            continue
        assert not lines, f"{path.name}: {lines}"
        count += 1
    assert count > 80


@pytest.mark.skipif(shutil.which("dcm2xml") is None, reason="dcm2xml (DCMTK) is not installed")
def test_what_dcmtk_writes_as_xml_is_read_as_ours() -> None:
    """DCMTK puts 00 where a private element's block is, takes other digits for floats, and swaps the words of inline OW."""
    count = 0
    for path, content, document in readable(pydicom_files())[::3]:
        made = subprocess.run(["dcm2xml", "-nat", "+Eb", path], capture_output=True, check=False)
        # Its dictionary is another one, it loses blocks that nobody reserved, and the sign of -0.
        if made.returncode or b'vr="UN"' in made.stdout or path.name in ("UN_sequence.dcm", "17136"):
            continue
        [ours] = read_json(b"[" + document + b"]", LIMITS)
        theirs = read_native_model(made.stdout, LIMITS)
        for tag in ("00080005", "00083002", "7FE00010", "FFFCFFFC"):
            ours.pop(tag, None)
            theirs.pop(tag, None)
        theirs = {tag: one for tag, one in theirs.items() if not tag.startswith("0002")}
        words = {tag for tag, one in ours.items() if "InlineBinary" in json.dumps(one)}
        for one in (ours, theirs):
            for tag in words:
                one.pop(tag, None)
        try:
            mine, _ = encoded(ours, content)
        except EngineError:
            continue
        assert encoded(theirs, content)[0] == mine, path.name
        count += 1
    assert count > 20
