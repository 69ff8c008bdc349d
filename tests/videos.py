"""Videos made by PyAV, the bit streams of PS3.5 8.2.5 to 8.2.9, and the instances that hold them."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from data import element, us

from engine.dicom.part10 import file_meta

Array = np.ndarray[Any, Any]
ROOT = "1.2.840.10008.1.2.4."
ENDOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.1.1"  # Video Endoscopic Image Storage
ROWS, COLUMNS = 96, 128
RATE = 25
# FFmpeg's numbers for matrix coefficients and range (ITU-T H.273).
BT601, BT709, UNSAID = 6, 1, 2
LIMITED, FULL = 1, 2


@dataclass(frozen=True)
class Kind:
    """One way to code a video."""

    suffix: str  # of the transfer syntax
    codec: str
    container: str
    options: tuple[tuple[str, str], ...] = ()
    bits: int = 8

    @property
    def uid(self) -> str:
        return ROOT + self.suffix


X264 = (("preset", "ultrafast"), ("bf", "2"), ("g", "12"), ("crf", "12"))
X265 = (("preset", "ultrafast"), ("x265-params", "log-level=none:bframes=2:keyint=12:crf=10:pools=1:frame-threads=1"))
MPEG2 = (("g", "12"), ("bf", "2"), ("qmin", "2"), ("qmax", "3"))
KINDS = {
    "MPEG-2, transport stream": Kind("100", "mpeg2video", "mpegts", MPEG2),
    "MPEG-2, program stream": Kind("101", "mpeg2video", "vob", MPEG2),
    "MPEG-2, elementary stream": Kind("100.1", "mpeg2video", "mpeg2video", MPEG2),
    "H.264, MP4": Kind("102", "libx264", "mp4", X264),
    "H.264, transport stream": Kind("103.1", "libx264", "mpegts", X264),
    "H.264, elementary stream": Kind("104", "libx264", "h264", X264),
    "HEVC, MP4": Kind("107", "libx265", "mp4", X265),
    "HEVC, transport stream": Kind("107", "libx265", "mpegts", X265),
    "HEVC, elementary stream": Kind("107", "libx265", "hevc", X265),
    "HEVC of 10 bits, MP4": Kind("108", "libx265", "mp4", X265, bits=10),
}


_BITS = 12  # of a frame's number, which stands in it as black and white blocks


def picture(index: int, rows: int = ROWS, columns: int = COLUMNS) -> Array:
    """RGB of one frame: colours that move, grain, and its number along the top."""
    y, x = np.mgrid[:rows, :columns]
    rgb = np.stack((x * 255 // columns, y * 255 // rows, (x + y + 3 * index) * 255 // (rows + columns) % 256), axis=-1)
    grain = np.random.default_rng(index).integers(-20, 21, (rows, columns, 1))
    rgb = np.clip(rgb + grain, 0, 255)
    width = columns // _BITS
    for bit in range(_BITS):
        rgb[: rows // 4, bit * width : (bit + 1) * width] = 240 if index >> bit & 1 else 15
    return rgb.astype(np.uint8)


def number_of(shown: Array) -> int:
    """The number of the frame that a decoded picture is of."""
    rows, columns = shown.shape[:2]
    width, middle = columns // _BITS, 128 if shown.dtype == np.uint8 else 512
    blocks = (shown[rows // 12 : rows // 6, bit * width + 2 : (bit + 1) * width - 2].mean() for bit in range(_BITS))
    return sum(1 << bit for bit, level in enumerate(blocks) if level > middle)


def encoded(
    kind: Kind,
    frames: int,
    *,
    pictures: Array | None = None,
    matrix: int = UNSAID,
    colour_range: int = LIMITED,
    rows: int = ROWS,
    columns: int = COLUMNS,
) -> bytes:
    """The bit stream of so many frames of `picture`, or of one picture so many times."""
    import av

    out = io.BytesIO()
    depth = "yuv420p10le" if kind.bits == 10 else "yuvj420p" if colour_range == FULL else "yuv420p"
    with av.open(out, "w", format=kind.container) as container:
        stream: Any = container.add_stream(kind.codec, rate=RATE, options=dict(kind.options))
        stream.width, stream.height, stream.pix_fmt = columns, rows, depth
        context = stream.codec_context
        context.colorspace, context.color_range, context.thread_count = matrix, colour_range, 1
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(i, rows, columns) if pictures is None else pictures, "rgb24")
            frame = frame.reformat(
                format=depth,
                dst_colorspace=BT709 if matrix == BT709 else 5,  # the name of BT.601 in swscale
                dst_color_range=colour_range,
            )
            frame.pts, frame.time_base = i, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def by_ffmpeg(stream: bytes, folder: Path, bits: int = 8, rows: int = ROWS, columns: int = COLUMNS) -> Array:
    """All frames (frames, rows, columns, 3) by the ffmpeg program."""
    (folder / "video").write_bytes(stream)
    command = ["ffmpeg", "-v", "error", "-i", str(folder / "video"), "-vsync", "passthrough", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgb24" if bits == 8 else "gbrp10le", "-"]
    made = subprocess.run(command, check=True, capture_output=True).stdout
    if bits == 8:
        return np.frombuffer(made, np.uint8).reshape(-1, rows, columns, 3)
    planes = np.frombuffer(made, "<u2").reshape(-1, 3, rows, columns)
    return planes[:, (2, 0, 1)].transpose(0, 2, 3, 1)


def instance(
    kind: Kind,
    stream: bytes,
    frames: int,
    sop: str = "1.2.3.4.1",
    *,
    fragment_bytes: int = 0,
    rows: int = ROWS,
    columns: int = COLUMNS,
    study: str = "1.2.3",
    series: str = "1.2.3.4",
) -> bytes:
    """A Part 10 instance; one fragment, or several of `fragment_bytes`."""
    allocated = 8 if kind.bits == 8 else 16
    stream += bytes(len(stream) % 2)
    size = fragment_bytes or len(stream)
    items = b"".join(
        b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part
        for part in (stream[at : at + size] for at in range(0, len(stream), size))
    )
    pixels = (
        b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
        + b"\xfe\xff\x00\xe0"
        + bytes(4)
        + items
        + b"\xfe\xff\xdd\xe0"
        + bytes(4)
    )
    body = b"".join(
        (
            element(0x00080016, "UI", ENDOSCOPY.encode()),
            element(0x00080018, "UI", sop.encode()),
            element(0x00080060, "CS", b"ES"),
            element(0x00100010, "PN", b"DOE^JANE"),
            element(0x00100020, "LO", b"P1"),
            element(0x00181063, "DS", f"{1000 / RATE}".encode()),
            element(0x0020000D, "UI", study.encode()),
            element(0x0020000E, "UI", series.encode()),
            element(0x00200013, "IS", b"1"),
            element(0x00280002, "US", us(3)),
            element(0x00280004, "CS", b"YBR_PARTIAL_420"),
            element(0x00280006, "US", us(0)),
            element(0x00280008, "IS", str(frames).encode()),
            element(0x00280010, "US", us(rows)),
            element(0x00280011, "US", us(columns)),
            element(0x00280100, "US", us(allocated)),
            element(0x00280101, "US", us(kind.bits)),
            element(0x00280102, "US", us(kind.bits - 1)),
            element(0x00280103, "US", us(0)),
        )
    )
    return file_meta(sop_class_uid=ENDOSCOPY, sop_instance_uid=sop, transfer_syntax_uid=kind.uid) + body + pixels
