"""Write the tables that are data, not thought: PS3.6 dictionary (C++ and Python) and ISO 8859 code pages.

Run from the repository root when pydicom brings a newer edition of PS3.6: ``python native/tools/make_tables.py``.
"""

from __future__ import annotations

from pathlib import Path

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

ROOT = Path(__file__).parents[2]
HEAD = "made by native/tools/make_tables.py from the edition of PS3.6 that pydicom carries; do not edit"
# DICOM defined term → Python codec, single-byte sets of PS3.3 C.12.1.1.2.
PAGES = {
    100: "latin_1", 101: "iso8859_2", 109: "iso8859_3", 110: "iso8859_4", 144: "iso8859_5", 127: "iso8859_6",
    126: "iso8859_7", 138: "iso8859_8", 148: "iso8859_9", 203: "iso8859_15", 166: "tis_620",
}  # fmt: skip


def simple_vr(vr: str) -> str:
    if vr == "US or SS":
        return "XS"
    if " or " in vr:
        return "XS" if vr == "US or SS or OW" else "OW"
    return vr if len(vr) == 2 and vr.isalpha() else ""


def main() -> None:
    entries = {tag: entry for tag, entry in DicomDictionary.items() if tag & 0xFFFF}
    for mask, entry in RepeatersDictionary.items():
        if mask[:4] in ("50xx", "60xx"):
            entries[int(mask.replace("xx", "00"), 16)] = entry
    lines = [
        f"{{0x{tag:08X}, vr_code('{vr[0]}', '{vr[1]}')}},"
        for tag, entry in sorted(entries.items())
        if (vr := simple_vr(entry[0]))
    ]
    (ROOT / "native/src/dictionary_data.inc").write_text(f"// {HEAD}\n" + "\n".join(lines) + "\n")
    pages = []
    for ir, codec in PAGES.items():
        codes = []
        for byte in range(0x80, 0x100):
            try:
                codes.append(ord(bytes([byte]).decode(codec)))
            except UnicodeDecodeError:
                codes.append(0xFFFD)
        pages.append(f"{{{ir}, {{{', '.join(map(hex, codes))}}}}},")
    (ROOT / "native/src/charset_data.inc").write_text(f"// {HEAD}\n" + "\n".join(pages) + "\n")
    python = [
        f'"{entry[4]}": (0x{tag:08X}, "{simple_vr(entry[0]).replace("XS", "US")}"),'
        for tag, entry in sorted(entries.items())
        if entry[4] and simple_vr(entry[0])
    ]
    (ROOT / "engine/dicom/dictionary_data.py").write_text(
        f'"""Keyword → (tag, VR) of PS3.6; {HEAD}."""\n\n# ruff: noqa\n# fmt: off\nKEYWORDS: dict[str, tuple[int, str]] = {{\n'
        + "\n".join(python)
        + "\n}\n"
    )


if __name__ == "__main__":
    main()
