"""A segment's member: its header is a tar header that others read, of fixed size whatever is in it."""

from __future__ import annotations

import io
import tarfile

import pytest

from engine.archive.member import (
    BLOCK,
    END,
    HEADER_BYTES,
    SEALED,
    bounded,
    member_name,
    pack_header,
    padded,
    parse_header,
)
from engine.archive.ports import MemberMeta, Tombstone
from engine.types import Location, Source

LONG = "1.2.3." + "4" * 58  # 64 characters, the most that PS3.5 9.1 allows


def meta(**changes: object) -> MemberMeta:
    values: dict[str, object] = {
        "name": "1.2/3.4/5.6.dcm",
        "data_set_sha256": bytes(range(32)),
        "header_sha256": bytes(range(32, 64)),
        "data_set_offset": 340,
        "received_ns": 1_700_000_000_000_000_000,
        "source": Source("import", "peer"),
        **changes,
    }
    return MemberMeta(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [
        meta(),
        meta(is_replacing=True, source=Source("c-store", "CT", "VOXCAST")),
        meta(name=member_name(LONG, LONG, LONG, b"\xff" * 32, False), received_ns=2**63 - 1, data_set_offset=2**60),
        Tombstone(Location(2**32 - 1, 2**60, 2**60), 2**63 - 1),
        None,
        SEALED,
    ],
)
@pytest.mark.parametrize("size", [0, 1, 512, 8**11 - 1, 8**11, 2**50])
def test_headers_come_back_as_they_were(content: MemberMeta | Tombstone | str | None, size: int) -> None:
    block = pack_header(content, size)
    assert len(block) == HEADER_BYTES
    header = parse_header(block)
    assert header is not None
    assert (header.content, header.size, header.end) == (content, size, HEADER_BYTES + padded(size))


@pytest.mark.parametrize("peer", ["\U0001f600" * 64, "ü" * 64, "\udcff" * 64, '\x00\x1f"\\' * 16, "p" * 10_000, ""])
def test_a_peer_of_any_kind_fits(peer: str) -> None:
    source = bounded(Source("d" * 99, peer, "é" * 99))
    name = member_name(LONG, LONG, LONG, b"\xff" * 32, False)
    content = meta(name=name, source=source, received_ns=2**63 - 1, data_set_offset=2**62, is_replacing=True)
    block = pack_header(content, 2**62)
    assert len(block) == HEADER_BYTES
    header = parse_header(block)
    assert header is not None
    assert header.content == content


def test_tarfile_reads_what_is_written() -> None:
    """The independent reader: Python's tarfile knows nothing of voxcast."""
    contents = {member_name(LONG, LONG, f"1.2.{i}", b"", True): bytes([i]) * (i * 300) for i in range(5)}
    image = b"".join(
        pack_header(meta(name=name), len(data)) + data + bytes(padded(len(data)) - len(data))
        for name, data in contents.items()
    )
    image += pack_header(SEALED, 0) + END
    with tarfile.open(fileobj=io.BytesIO(image)) as tar:
        found = {m.name: tar.extractfile(m).read() for m in tar if not m.name.startswith(".voxcast")}  # type: ignore[union-attr]
        assert all(m.mode == 0o644 and m.isreg() for m in tar)
    assert found == contents


@pytest.mark.parametrize("uid", ["../../etc/passwd", "/abs", "a b", "1.02.3", "", "1" * 65, "..", "\udcff", "1.2\0"])
def test_what_is_no_uid_never_becomes_a_path(uid: str) -> None:
    name = member_name(uid, "1.2", uid, b"\x12" * 32, True)
    folder, series, base = name.split("/")
    assert series == "1.2"
    assert folder.startswith("odd-")
    assert base.startswith("odd-")
    assert name.isascii()
    assert not set(name) & set("\\\0 ~")


def test_versions_get_names_of_their_own() -> None:
    assert member_name("1.2", "3.4", "5.6", b"\xab" * 32, True) == "1.2/3.4/5.6.dcm"
    assert member_name("1.2", "3.4", "5.6", b"\xab" * 32, False) == "1.2/3.4/5.6~abababababab.dcm"


def test_any_flipped_byte_of_the_tar_headers_is_noticed() -> None:
    block = pack_header(meta(), 1000)
    for at in (*range(BLOCK), *range(3 * BLOCK, 4 * BLOCK)):
        torn = bytearray(block)
        torn[at] ^= 0x41
        assert parse_header(bytes(torn)) is None, at


@pytest.mark.parametrize("block", [b"", bytes(HEADER_BYTES), bytes(HEADER_BYTES - 1), b"\xff" * HEADER_BYTES])
def test_what_is_no_header_is_none(block: bytes) -> None:
    assert parse_header(block) is None


def test_a_comment_that_nests_without_end_is_none() -> None:
    text = "voxcast " + "[" * 960
    body = f"1024 comment={text}".encode().ljust(1023) + b"\n"
    block = bytearray(pack_header(meta(), 0))
    block[BLOCK : 3 * BLOCK] = body
    assert parse_header(bytes(block)) is None
