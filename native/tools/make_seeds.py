"""Write what fuzzing begins with: `python native/tools/make_seeds.py FOLDER` fills FOLDER/rle, FOLDER/bits and so on.

Each target's source says what its input is. The seeds of fuzz_scan are real files.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pydicom.pixels.encoders.native import _encode_segment


def values(rows: int, columns: int, samples: int, item_bytes: int) -> np.ndarray[Any, Any]:
    """Runs, a ramp and noise."""
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    a = np.random.default_rng(rows * columns + samples).integers(0, 1 << 8 * min(item_bytes, 4) - 2, shape)
    a[: rows // 3] = 7
    a[-1] = np.arange(columns).reshape((columns, *(1,) * (len(shape) - 2)))
    return a.astype(f"<u{item_bytes}")


def rle() -> Iterator[tuple[str, bytes]]:
    for rows, columns, samples, item_bytes in (
        (9, 13, 1, 1),
        (40, 200, 1, 2),
        (12, 31, 3, 1),
        (5, 7, 3, 2),
        (3, 9, 1, 8),
        (63, 170, 1, 1),
    ):
        cells = values(rows, columns, samples, item_bytes).reshape(rows * columns, samples)
        planes = cells.view(np.uint8).reshape(rows * columns, samples, item_bytes)
        packed = [
            bytes(_encode_segment(planes[:, s, b].tobytes(), columns))
            for s in range(samples)
            for b in reversed(range(item_bytes))
        ]
        starts = [64 + sum(map(len, packed[:i])) for i in range(len(packed))]
        head = struct.pack("<16I", len(packed), *starts, *(0,) * (15 - len(packed)))
        for planar in (0, 0x20) if samples > 1 else (0,):
            kind = (samples - 1) << 1 | item_bytes.bit_length() - 1 << 3 | planar
            yield (
                f"{rows}x{columns}x{samples}x{item_bytes}-{planar}",
                bytes((rows, columns, kind)) + head + b"".join(packed),
            )


def rle_at_the_end() -> Iterator[tuple[str, bytes]]:
    """One segment that begins at the last byte, behind it, and one further: what no mutation hits exactly."""
    for beyond in (-1, 0, 1, 2):
        body = b"\x05abcdef"
        yield (
            f"begins-{beyond}-behind",
            bytes((1, 6, 0)) + struct.pack("<16I", 1, 64 + len(body) + beyond, *(0,) * 14) + body,
        )


def with_packet_lengths(code: bytes) -> bytes:
    """A PLT in every tile-part of a code stream whose tile-parts are one packet each; TLM is left as it was, and wrong."""
    out, at = b"", code.index(b"\xff\x90\x00\x0a")
    out = code[:at]
    while code[at : at + 2] == b"\xff\x90":
        length = int.from_bytes(code[at + 6 : at + 10], "big")
        body = code[at + 14 : at + length]
        coded = bytes([len(body) & 0x7F])
        while (rest := len(body) >> 7 * len(coded)) > 0:
            coded = bytes([rest & 0x7F | 0x80]) + coded
        plt = b"\xff\x58" + struct.pack(">HB", 3 + len(coded), 0) + coded
        out += (
            code[at : at + 6]
            + struct.pack(">I", length + len(plt))
            + code[at + 10 : at + 12]
            + plt
            + b"\xff\x93"
            + body
        )
        at += length
    return out + code[at:]


def resolutions() -> Iterator[tuple[str, bytes]]:
    grey, colour = values(40, 56, 1, 2), values(24, 24, 3, 1)
    for name, image in (("grey", grey), ("colour", colour)):
        for tlm in (False, True):
            code = bytes(imagecodecs.htj2k_encode(image, reversible=True, tlm=tlm, tilepart=1, resolutions=3))
            yield f"{name}-{tlm:d}", code
            yield f"{name}-{tlm:d}-plt", with_packet_lengths(code)
    code = bytes(imagecodecs.htj2k_encode(grey, reversible=True, resolutions=3))
    head = code[: code.index(b"\xff\x90\x00\x0a")]
    for end in (b"", b"\xff", b"\xff\xd9", b"\xff\x93\xff", b"\xff\x93\xff\xd9"):
        yield f"no-length-{end.hex()}", head + b"\xff\x90\x00\x0a" + bytes(8) + end
    yield "one-part", bytes(imagecodecs.jpeg2k_encode(grey, level=0, reversible=True, codecformat="j2k"))
    yield "tiles", bytes(imagecodecs.htj2k_encode(grey, reversible=True, tile=(16, 16), tilepart=1, resolutions=2))
    yield "boxes", bytes(imagecodecs.jpeg2k_encode(grey, level=0, reversible=True, codecformat="jp2"))


def bits() -> Iterator[tuple[str, bytes]]:
    noise = values(3, 1000, 1, 1).tobytes()
    for count in (1, 2, 7, 8, 12, 16, 31, 32):
        for first in (0, 3):
            yield f"{count}-{first}", bytes((count, first, 1, 0)) + noise[2000 - 11 * count :]


def jpeg() -> Iterator[tuple[str, bytes]]:
    """Flat, noisy, and black and white: few codes, many, and the longest."""
    for name, pixels in (("flat", b"\x55"), ("noise", values(61, 67, 1, 1).tobytes()), ("checks", b"\0\xff\xff\0\0")):
        for width, height, quality in ((0, 0, 0), (31, 7, 99), (254, 63, 74)):
            yield f"{name}-{width}-{quality}", bytes((width, height, quality)) + pixels


def ht() -> Iterator[tuple[str, bytes]]:
    """Noise of all widths, areas, what is nearly nothing; sides that are odd, and of a single sample."""
    for name, pixels in (
        ("noise", values(61, 67, 1, 1).tobytes()),
        ("areas", b"\0\x7f\x80\1\0"),
        ("dots", bytes(99) + b"\xff"),
    ):
        for rows, columns, levels, right in (
            (63, 63, 5, 0),
            (99, 130, 3, 128),
            (16, 64, 4, 135),
            (0, 9, 1, 140),
            (33, 40, 7, 9),
        ):
            yield f"{name}-{rows}-{columns}", bytes((rows, columns, levels, right)) + pixels


def pdus() -> Iterator[tuple[str, bytes]]:
    """Streams of an acceptor: messages whole and in fragments, several items in a PDU, release and abort.

    A command whose last byte is odd announces a data set.
    """

    def pdu(kind: int, *items: bytes) -> bytes:
        body = b"".join(items)
        return struct.pack(">BxI", kind, len(body)) + body

    def item(context: int, control: int, data: bytes) -> bytes:
        return struct.pack(">IBB", len(data) + 2, context, control) + data

    noise = values(40, 500, 1, 1).tobytes()
    echo, store = pdu(4, item(1, 3, b"echo")), pdu(4, item(3, 3, b"store\1"))
    streams = {
        "echoes": echo * 5 + pdu(5, bytes(4)),
        "whole": store + pdu(4, item(3, 2, noise[:2000])) + echo,
        "fragments": store
        + b"".join(pdu(4, item(3, 0, noise[n : n + 700])) for n in range(0, 9000, 700))
        + pdu(4, item(3, 2, b"")),
        "items": pdu(4, item(3, 1, b"st"), item(3, 3, b"ore\1"), item(3, 0, noise[:900]), item(3, 2, noise[:80]))
        + echo,
        "bytes": b"".join(pdu(4, item(1, 1, bytes([n]))) for n in range(200)) + pdu(4, item(1, 3, b"e")),
        "abort": store + pdu(4, item(3, 0, noise[:100])) + pdu(7, bytes(4)),
        "empty": store + pdu(4, *[item(3, 0, b"")] * 1000) + pdu(4) * 20 + pdu(4, item(3, 2, b"")) + pdu(4) * 1030,
        "request": pdu(1, noise[:1500]) + echo,
        "too long": store + pdu(4, item(3, 0, noise)) + echo,
    }
    for name, stream in streams.items():
        for head in (b"\x3c\x28\x01\x02", b"\xff\x00\x77\x31"):
            yield f"{name}-{head[0]}", head + stream


def words() -> Iterator[tuple[str, bytes]]:
    look = b'{"type": "look", "viewport": 0, "series": 3, "position": 512'
    yield "look", look + b', "width": 512, "height": 400, "loop": false, "velocity": -60.25, "direction": -1}'
    yield "short", b'{"type":"look","viewport":4294967295,"series":1}'
    yield "loop", look + b',"loop":true,"velocity":1e2}'
    yield "got", b'{"type":"got","bytes":123456789012}'
    yield "turned", b'{"bytes" : 7 ,\n"type":"got"}'
    yield "other", b'{"type":"ping","value":1}'
    yield "cut", look
    yield "nested", look + b',"picture":{"number":7}}'


def main(folder: Path) -> None:
    both = chain(rle(), rle_at_the_end())
    for name, made in (
        ("rle", both),
        ("resolutions", resolutions()),
        ("bits", bits()),
        ("ht", ht()),
        ("jpeg", jpeg()),
        ("pdu", pdus()),
        ("words", words()),
    ):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for seed, content in made:
            (folder / name / seed).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
