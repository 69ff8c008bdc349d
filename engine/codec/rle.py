"""RLE Lossless (PS3.5 annex G)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame, stored_dtype
from engine.codec.finish import stored_values
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer


class RleDecoder:
    """See `FrameDecoder`. Every segment is one byte plane of one sample."""

    def decode(self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int) -> DecodedFrame:
        import imagecodecs

        d, target = descriptor, stored_dtype(descriptor)
        if d.bits_allocated % 8:
            raise BadFrame(d.transfer_syntax_uid, f"{d.bits_allocated} bits allocated cannot be byte planes")
        size = d.rows * d.columns * d.samples_per_pixel * target.itemsize
        planes = bytearray(size)  # the decoder stops at its end, whatever the segments hold
        decoded: bytes | bytearray
        try:
            decoded = imagecodecs.dicomrle_decode(bytes(data), target, out=planes)
        except (ValueError, RuntimeError):
            decoded = _lenient(d, bytes(data), target.itemsize)
        if len(decoded) < size:
            raise BadFrame(d.transfer_syntax_uid, f"{len(decoded)} bytes decoded where {size} are needed")
        samples = np.frombuffer(decoded, target, size // target.itemsize)
        samples = samples.reshape(d.samples_per_pixel, d.rows, d.columns)
        plain = samples[0] if d.samples_per_pixel == 1 else np.ascontiguousarray(samples.transpose(1, 2, 0))
        return DecodedFrame(stored_values(d, plain, d.bits_stored, out), d.photometric_interpretation)


def _lenient(d: FrameDescriptor, data: bytes, item_bytes: int) -> bytes:
    """Byte planes of segments whose last run says more than is there, or more than is wanted (old encoders wrote such).

    Slow, and only for what the strict decoder refuses. A plane that stays short is an error all the same.
    """
    count = int.from_bytes(data[:4], "little")
    plane_bytes = d.rows * d.columns
    if count != d.samples_per_pixel * item_bytes or len(data) < 64:
        raise BadFrame(
            d.transfer_syntax_uid, f"{count} RLE segments where {d.samples_per_pixel * item_bytes} are needed"
        )
    starts = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "little") for i in range(count)] + [len(data)]
    pixels = np.empty((d.samples_per_pixel, plane_bytes, item_bytes), np.uint8)
    for segment in range(count):
        plane = _unpack_bits(data[starts[segment] : starts[segment + 1]], plane_bytes)
        if len(plane) < plane_bytes:
            raise BadFrame(
                d.transfer_syntax_uid, f"RLE segment {segment + 1} has {len(plane)} bytes, not {plane_bytes}"
            )
        # Segments run from the most significant byte down (PS3.5 G.2); the result is little endian.
        sample, byte = divmod(segment, item_bytes)
        pixels[sample, :, item_bytes - 1 - byte] = np.frombuffer(plane, np.uint8)
    return pixels.tobytes()


def _unpack_bits(segment: bytes, size: int) -> bytes:
    out, at = bytearray(), 0
    while at < len(segment) and len(out) < size:
        control = segment[at]
        if control < 128:
            out += segment[at + 1 : at + 2 + control]
            at += 2 + control
        else:
            if control > 128:
                out += segment[at + 1 : at + 2] * (257 - control)
            at += 2 if control > 128 else 1
    return bytes(out[:size])
