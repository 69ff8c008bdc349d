"""RLE Lossless (PS3.5 annex G)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, DecodedFrame, frame_shape, stored_dtype
from engine.codec.finish import stored_values
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer

_EXPANSION_MAX = 64  # two bytes of a run become 128 at most (PS3.5 G.3.1)


class RleDecoder:
    """See `FrameDecoder`. Every segment is one byte plane of one sample; grey is decoded right into `out`."""

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        import imagecodecs

        d, target = descriptor, stored_dtype(descriptor)
        if d.bits_allocated != 8 * target.itemsize:
            raise BadFrame(d.transfer_syntax_uid, f"{d.bits_allocated} bits allocated cannot be byte planes")
        size = d.rows * d.columns * d.samples_per_pixel * target.itemsize
        if size > _EXPANSION_MAX * len(data):
            raise BadFrame(d.transfer_syntax_uid, f"{len(data)} bytes cannot hold {size}")
        is_grey = d.samples_per_pixel == 1
        if is_grey and out is not None:
            planes = out
        else:
            planes = np.empty((d.samples_per_pixel, d.rows, d.columns) if not is_grey else frame_shape(d), target)
        flat = planes.reshape(-1).view(np.uint8)
        try:
            # The decoder stops at the end of the array, whatever the segments hold, and tells how far it came.
            decoded = len(imagecodecs.dicomrle_decode(bytes(data), target, out=flat))
        except (ValueError, RuntimeError):
            decoded = -1
        if decoded != size:
            flat[:] = np.frombuffer(_lenient(d, bytes(data), target.itemsize), np.uint8)
        samples = planes if is_grey else planes.transpose(1, 2, 0)
        if not is_grey and out is not None:
            np.copyto(out, samples)  # once: from planes to pixels
            samples = out
        return DecodedFrame(stored_values(d, samples, d.bits_stored, out), d.photometric_interpretation)


def _lenient(d: FrameDescriptor, data: bytes, item_bytes: int) -> bytes:
    """Byte planes of segments whose last run says more than is there, or more than is wanted (old encoders wrote such).

    Slow, and only for what the strict decoder refuses. A plane that stays short is an error all the same.
    """
    count = int.from_bytes(data[:4], "little")
    plane_bytes = d.rows * d.columns
    if count != d.samples_per_pixel * item_bytes or count > 15 or len(data) < 64:
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
