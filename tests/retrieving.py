"""What tests of retrieval share: identifiers, counts of sub-operations, a server's address, data sets without File Meta."""

from __future__ import annotations

from pydicom import Dataset
from serving import Serving

Responses = list[tuple[Dataset, Dataset | None]]


def address(server: Serving) -> tuple[str, int]:
    host, _, port = server.dicom.rpartition("@")[2].rpartition(":")
    return host, int(port)


def keys(level: str, **values: object) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def counts(status: Dataset) -> tuple[int, ...]:
    names = ("Completed", "Failed", "Warning")
    return tuple(status[f"NumberOf{name}Suboperations"].value for name in names)


def data_set(part10: bytes) -> bytes:
    """Behind File Meta Information, whose length is its first element."""
    return part10[144 + int.from_bytes(part10[140:144], "little") :]
