"""The rows that searches give: attributes of a study, a series, an instance with those above them, as DICOM JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from engine.archive.records import InstanceRecord, SeriesSummary
from engine.dicom.query import RETRIEVE_URL

Attributes = dict[str, Any]
_PLAIN = re.compile(r"[0-9.]*[0-9][0-9.]*", re.ASCII)
_URL_KEY = "00081190"
_URL = {_URL_KEY: {"vr": "UR", "Value": ["\0"]}}


def study_row(leader: SeriesSummary, series: Sequence[SeriesSummary]) -> bytes:
    """A study's row, made when it changes, so that a search only copies it."""
    attributes: Attributes = json.loads(leader.patient_json) | json.loads(leader.study_json) | _URL
    modalities = sorted({one.modality for one in series if one.modality})
    classes = sorted({uid for one in series for uid, _ in one.sop_classes})
    attributes["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
    attributes["00080061"] = {"vr": "CS", "Value": modalities} if modalities else {"vr": "CS"}
    attributes["00080062"] = {"vr": "UI", "Value": classes}
    attributes["00201206"] = {"vr": "IS", "Value": [len(series)]}
    attributes["00201208"] = {"vr": "IS", "Value": [sum(one.instance_count for one in series)]}
    return dump(attributes)


def series_attributes(study: Attributes, series: SeriesSummary) -> Attributes:
    """A series' attributes, with its study's."""
    attributes: Attributes = study | json.loads(series.series_json)
    attributes["00201209"] = {"vr": "IS", "Value": [series.instance_count]}
    return attributes


def instance_attributes(series: Attributes, record: InstanceRecord) -> Attributes:
    """An instance's attributes, with its series' and study's."""
    attributes: Attributes = series | json.loads(record.instance_json)
    attributes["00083002"] = {"vr": "UI", "Value": [record.transfer_syntax_uid]}  # Available Transfer Syntax UID
    return attributes


def located(document: bytes, url: str) -> bytes:
    """A row with its address (RetrieveURL)."""
    return document.replace(RETRIEVE_URL, RETRIEVE_URL.replace(b"\\u0000", json.dumps(url)[1:-1].encode()), 1)


def resource(study_uid: str, series_uid: str = "", sop_uid: str = "") -> str:
    """``/dicom-web/studies/…`` of a study, series or instance (PS3.18 10.4.1.1); odd UIDs quoted, so that it is one address."""
    parts = (("studies", study_uid), ("series", series_uid), ("instances", sop_uid))
    return "/dicom-web" + "".join(f"/{kind}/{_quoted(uid)}" for kind, uid in parts if uid)


def _quoted(uid: str) -> str:
    return uid if _PLAIN.fullmatch(uid) else quote(uid, safe="", errors="replace")


def merged(*documents: bytes | Attributes) -> bytes:
    """One DICOM JSON object of several, keys in tag order (PS3.18 F.2.2)."""
    attributes: Attributes = {}
    for document in documents:
        attributes.update(json.loads(document) if isinstance(document, bytes) else document)
    return dump(attributes)


def dump(attributes: Attributes) -> bytes:
    return json.dumps(dict(sorted(attributes.items())), ensure_ascii=False, separators=(",", ":")).encode(
        "utf_8", "surrogatepass"
    )
