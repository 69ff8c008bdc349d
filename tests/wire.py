"""An upper layer by hand, byte by byte: what a hostile or an odd peer sends, and what it gets (PS3.8 9.3)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
RELEASE = struct.pack(">BxI4x", RELEASE_RQ, 4)

Context = tuple[int, str, Sequence[str]]
DEFAULT: tuple[Context, ...] = ((1, VERIFICATION, (IMPLICIT,)), (3, CT_IMAGE, (EXPLICIT,)))


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BxI", kind, len(body) if length is None else length) + body


def request(
    calling: str = "HOSTILE",
    called: str = "VOXCAST",
    contexts: Sequence[Context] = DEFAULT,
    *,
    version: int = 1,
    application: str = "1.2.840.10008.3.1.1.1",
    more: bytes = b"",
    pdu_bytes_max: int = 16384,
) -> bytes:
    """A-ASSOCIATE-RQ; `more` are further items of the user information."""
    body = struct.pack(">Hxx16s16s32x", version, called.encode().ljust(16), calling.encode().ljust(16))
    body += item(0x10, application.encode())
    for number, abstract, syntaxes in contexts:
        inner = item(0x30, abstract.encode()) + b"".join(item(0x40, one.encode()) for one in syntaxes)
        body += item(0x20, struct.pack("B3x", number) + inner)
    user = item(0x51, struct.pack(">I", pdu_bytes_max)) + item(0x52, b"1.2.3.4") + more
    return pdu(ASSOCIATE_RQ, body + item(0x50, user))


def pdv(context: int, control: int, data: bytes) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context, control) + data


def p_data(context: int, control: int, data: bytes) -> bytes:
    return pdu(P_DATA, pdv(context, control, data))


def command(*elements: tuple[int, int | str | bytes]) -> bytes:
    """Group 0000 in implicit VR little endian, with its group length."""
    out = b""
    for number, value in elements:
        if isinstance(value, int):
            raw = struct.pack("<H", value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            raw += b"\0" * (len(raw) % 2)
        out += struct.pack("<HHI", 0, number, len(raw)) + raw
    return struct.pack("<HHII", 0, 0, 4, len(out)) + out


def echo(message_id: int = 1) -> bytes:
    return command((0x0002, VERIFICATION), (0x0100, 0x0030), (0x0110, message_id), (0x0800, 0x0101))


def store(uid: str = "1.2.3", message_id: int = 1, sop_class: str = CT_IMAGE) -> bytes:
    return command(
        (0x0002, sop_class), (0x0100, 0x0001), (0x0110, message_id), (0x0700, 0), (0x0800, 1), (0x1000, uid)
    )  # fmt: skip


@dataclass(slots=True)
class Wire:
    """One connection to an acceptor."""

    connection: socket.socket

    @classmethod
    def to(cls, address: tuple[str, int], source: str = "127.0.0.1", timeout_s: float = 20) -> Wire:
        return cls(socket.create_connection(address, timeout_s, (source, 0)))

    def send(self, *data: bytes) -> None:
        self.connection.sendall(b"".join(data))

    def receive(self) -> tuple[int, bytes] | None:
        """The next PDU, type and body; None when the connection has ended."""
        head = self._exactly(6)
        if head is None:
            return None
        body = self._exactly(struct.unpack(">I", head[2:])[0])
        return None if body is None else (head[0], body)

    def associate(self, **options: object) -> tuple[int, bytes]:
        self.send(request(**options))  # type: ignore[arg-type]
        answer = self.receive()
        assert answer is not None, "closed without an answer"
        return answer

    def ends(self) -> tuple[int, bytes] | None:
        """An A-ABORT, or None where the connection is only closed; other answers may come before. Fails where it does not end."""
        while (answer := self.receive()) is not None:
            if answer[0] == ABORT:
                return answer
        return None

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exactly(self, n: int) -> bytes | None:
        got = b""
        while len(got) < n:
            try:
                piece = self.connection.recv(n - len(got))
            except ConnectionError:
                return None
            if not piece:
                return None
            got += piece
        return got


def results(answer: tuple[int, bytes]) -> dict[int, int]:
    """Of an A-ASSOCIATE-AC: context identifier → result."""
    assert answer[0] == ASSOCIATE_AC, answer
    found, at, body = {}, 68, answer[1]
    while at < len(body):
        kind, length = struct.unpack(">BxH", body[at : at + 4])
        if kind == 0x21:
            found[body[at + 4]] = body[at + 6]
        at += 4 + length
    return found


def status_of(answer: tuple[int, bytes] | None) -> int:
    """Of a response in one P-DATA-TF with one item."""
    assert answer is not None
    assert answer[0] == P_DATA, answer
    at, body = 6, answer[1]
    while at < len(body):
        _, number, length = struct.unpack("<HHI", body[at : at + 8])
        if number == 0x0900:
            return int(struct.unpack("<H", body[at + 8 : at + 10])[0])
        at += 8 + length
    raise AssertionError("no status")
