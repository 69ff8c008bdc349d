"""What pydicom reads from a file, in the shape in which the scanner's answers can be compared with it (PS3.18 annex F).

Both sides go through `normal_element`, so whatever is forgiven here is forgiven for a reason that stands beside it.
"""

from __future__ import annotations

import base64
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.hooks import hooks, raw_element_vr

Path = tuple[int, ...]  # tag, item, tag, item, …, tag
WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
BINARY = {"OB", "UN", *WORDS}
# PS3.5 6.2: leading spaces belong to the value in these, in all other strings they are padding.
LEADING_SPACES_COUNT = {"LT", "ST", "UT", "UC", "PN"}
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


@contextmanager
def no_private_dictionary() -> Iterator[None]:
    """PS3.5 6.2.2: a private element whose VR the encoding does not say is UN; pydicom guesses from a list of vendors."""

    def vr(raw: RawDataElement, data: dict[str, Any], **kwargs: Any) -> None:
        raw_element_vr(raw, data, **kwargs)
        if raw.tag.is_private and not raw.tag.is_private_creator and raw.VR in (None, "UN"):
            data["VR"] = "UN"

    hooks.register_callback("raw_element_vr", vr)
    try:
        yield
    finally:
        hooks.register_callback("raw_element_vr", raw_element_vr)


def read(data: bytes) -> FileDataset:
    """The whole file as pydicom reads it, warnings off."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(BytesIO(data), force=True)


def reference_json(ds: Dataset) -> dict[str, Any]:
    """DICOM JSON by pydicom, normalised; elements that pydicom cannot convert are ``{"refused": reason}``."""
    with warnings.catch_warnings(), no_private_dictionary():
        warnings.simplefilter("ignore")
        return _reference(ds, ds.original_encoding[1] is not False)


def _reference(ds: Dataset, is_little: bool) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for tag in sorted(ds.keys()):
        # PS3.18 F.2.2: no group lengths. PS3.10 7.2: trailing padding is no attribute.
        if tag.element == 0 or tag == 0xFFFCFFFC:
            continue
        try:
            element = ds[tag]
            if element.VR == "SQ":
                items = [_reference(item, is_little) for item in element.value]
                out[f"{tag:08X}"] = {"vr": "SQ", **({"Value": items} if items else {})}
                continue
            json = element.to_json_dict(None, 0)
        except Exception as error:  # noqa: BLE001 - the reference has many ways to refuse
            out[f"{tag:08X}"] = {"refused": f"{type(error).__name__}: {error}".splitlines()[0]}
            continue
        out[f"{tag:08X}"] = normal_element(int(tag), _words_swapped(element, json, is_little, ds))
    return out


def _words_swapped(element: DataElement, json: dict[str, Any], is_little: bool, ds: Dataset) -> dict[str, Any]:
    """PS3.18 F.2.7 wants InlineBinary little endian; pydicom gives the bytes as they are in the file."""
    size = WORDS.get(element.VR, 1)
    if element.tag in PIXELS and size == 2:
        size = max(size, ds.get("BitsAllocated", 16) // 8)  # as pydicom's own pixel_array takes 32-bit cells in OW
    if is_little or size == 1 or "InlineBinary" not in json:
        return json
    raw = base64.b64decode(json["InlineBinary"])
    whole = len(raw) // size * size
    swapped = b"".join(raw[i : i + size][::-1] for i in range(0, whole, size)) + raw[whole:]
    return {**json, "InlineBinary": base64.b64encode(swapped).decode()}


def our_json(document: dict[str, Any], bulk: Callable[[Path], bytes], path: Path = ()) -> dict[str, Any]:
    """`dicom_json`'s answer in the same shape; `bulk` reads the value that a BulkDataURI names."""
    out: dict[str, Any] = {}
    for name, element in document.items():
        tag = int(name, 16)
        if tag == 0x00083002 and not path:
            continue  # PS3.18 F.2.1.1.4: Available Transfer Syntax UID is added to the answer, it is not in the file
        if element["vr"] == "SQ" and "Value" in element:
            items = [our_json(item, bulk, (*path, tag, i)) for i, item in enumerate(element["Value"])]
            out[name] = {"vr": "SQ", "Value": items}
        elif "BulkDataURI" in element:
            raw = bulk((*path, tag))
            out[name] = normal_element(tag, {"vr": element["vr"], "bytes": raw})
        else:
            out[name] = normal_element(tag, element)
    return out


def normal_element(tag: int, element: dict[str, Any]) -> dict[str, Any]:
    """One attribute of either side without what does not change its meaning."""
    vr = element["vr"]
    if tag == 0x00080005:
        return {"vr": "CS"}  # ours names what the JSON is in (PS3.18 F.2), pydicom what the file is in
    if "InlineBinary" in element:
        element = {"vr": vr, "bytes": base64.b64decode(element["InlineBinary"])}
    if "bytes" in element:
        return {"vr": vr, "bytes": element["bytes"]}
    values = element.get("Value")
    if values is None:
        return {"vr": vr}
    normal = [_normal_value(vr, v) for v in values]
    while normal and normal[-1] is None and len(normal) == 1:
        normal.pop()  # one empty value is no value
    return {"vr": vr, "Value": normal} if normal else {"vr": vr}


def _normal_value(vr: str, value: Any) -> Any:
    if value is None or value == "":
        return None
    if vr == "PN":
        # Component groups without a character are absent; a group's padding is at its end (PS3.5 6.2.1).
        groups = {k: v.rstrip(" \0") for k, v in value.items()}
        return {k: v for k, v in groups.items() if v} or None
    if vr in ("DS", "FD") and not isinstance(value, str):
        return float(value)
    if vr == "FL" and not isinstance(value, str):
        # 0.1 and 0.10000000149011612 name the same float of 32 bits
        return struct.unpack("<f", struct.pack("<f", value))[0] if abs(value) < 3.5e38 else value
    if isinstance(value, str):
        text = value.rstrip(" \0")
        return (text if vr in LEADING_SPACES_COUNT else text.lstrip(" ")) or None
    return value


def differences(ours: dict[str, Any], theirs: dict[str, Any], path: str = "") -> Iterator[str]:
    """One line for every attribute that is not the same, the path of tags first; no values (they may be long)."""
    for name in sorted({*ours, *theirs}):
        at = f"{path}{name}"
        mine, other = ours.get(name), theirs.get(name)
        if mine is None or other is None:
            yield f"{at} only {'pydicom' if mine is None else 'ours'}"
        elif "refused" in other:
            yield f"{at} pydicom refuses: {other['refused']}"
        elif mine["vr"] != other["vr"]:
            yield f"{at} vr {mine['vr']}, pydicom {other['vr']}"
        elif mine["vr"] == "SQ":
            a, b = mine.get("Value", []), other.get("Value", [])
            if len(a) != len(b):
                yield f"{at} {len(a)} items, pydicom {len(b)}"
            for i, (x, y) in enumerate(zip(a, b, strict=False)):
                yield from differences(x, y, f"{at}/{i}/")
        elif mine != other:
            yield f"{at} {mine['vr']} value"
