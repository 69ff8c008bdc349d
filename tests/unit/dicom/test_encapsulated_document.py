"""What a document is called and where it ends, by headers that nobody has checked (PS3.3 C.24.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dicom.encapsulated_document import document_length, is_document, media_type_of

PDF_CLASS, CDA_CLASS = "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.104.2"
DANGEROUS = ("html", "javascript", "svg", "xhtml", "css", "wasm")


@pytest.mark.parametrize(
    ("sop_class", "said", "media_type"),
    [
        (PDF_CLASS, b"application/pdf", "application/pdf"),
        (PDF_CLASS, b"Application/PDF \0", "application/pdf"),
        (CDA_CLASS, b"text/XML", "text/xml"),
        (CDA_CLASS, b"text/xml; charset=utf-8", "text/xml"),
        (CDA_CLASS, None, "text/xml"),
        (PDF_CLASS, b"", "application/pdf"),
        ("1.2.3", None, "application/octet-stream"),
        (PDF_CLASS, b"text/html", "application/octet-stream"),
        (PDF_CLASS, b"application/pdf\r\nX: y", "application/octet-stream"),
        (PDF_CLASS, b"\xff\xfe", "application/octet-stream"),
    ],
)
def test_media_types(sop_class: str, said: bytes | None, media_type: str) -> None:
    assert media_type_of(sop_class, said) == media_type


@given(st.one_of(st.binary(max_size=40), st.sampled_from(DANGEROUS).map(lambda kind: f"text/{kind}".encode())))
def test_no_header_makes_it_a_page_or_a_script(said: bytes) -> None:
    assert not any(kind in media_type_of(PDF_CLASS, said) for kind in DANGEROUS)


@pytest.mark.parametrize(
    ("media_type", "stored", "declared", "last", "length"),
    [
        ("application/pdf", 10, 9, b"\0", 9),
        ("application/pdf", 10, 10, b"\n", 10),
        ("application/pdf", 10, 4, b"\0", 9),  # what is declared would cut the document: not believed
        ("application/pdf", 10, 11, b"\n", 10),
        ("application/pdf", 10, 0, b"\n", 10),
        ("text/xml", 10, None, b"\0", 9),
        ("text/xml", 10, None, b">", 10),
        ("model/stl", 10, None, b"\0", 10),  # a zero at the end of a binary file may belong to it
        ("model/stl", 10, 9, b"\0", 9),
        ("text/xml", 0, None, b"", 0),
    ],
)
def test_where_it_ends(media_type: str, stored: int, declared: int | None, last: bytes, length: int) -> None:
    value = None if declared is None else declared.to_bytes(4, "little")
    assert document_length(media_type, stored, value, last) == length


def test_classes() -> None:
    assert is_document(PDF_CLASS)
    assert not is_document("1.2.840.10008.5.1.4.1.1.2")
