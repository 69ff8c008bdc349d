"""JPEG 2000 and High-Throughput JPEG 2000 (PS3.5 A.4.4, A.4.7; ITU-T T.800, T.814)."""

from __future__ import annotations

import os

import numpy as np

from engine.codec.base import Array, DecodedFrame, frame_shape, refusals
from engine.codec.finish import at_the_bottom, sample_room, stored_values
from engine.codec.jpeg2000_header import Jpeg2000Header, read_header, whole
from engine.codec.jpeg2000_reduce import reduced
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame
from engine.types import Buffer

# OpenJPEG's own threads: 25 → 13.5 ms for 512² when the other core is idle, 2 % fewer frames a second when it is not.
_THREADS = min(2, os.cpu_count() or 1)
_THREADS_PIXELS_MIN = 1 << 16
_SAMPLE = (np.uint8, np.uint16)
_UNTOUCHED = 0xA5
BITS_REDUCED_MIN = 8  # an average of masks has no place in their one bit


class Jpeg2000Decoder:
    """See `FrameDecoder`. OpenJPH for lossless HTJ2K, OpenJPEG for the rest; the code stream says which it is.

    OpenJPH through imagecodecs does not clamp: where a lossy or a reduced image overshoots, white becomes black. A
    lossless whole one cannot overshoot. For the others OpenJPEG, which clamps, decodes HTJ2K too (2.2 ms where OpenJPH
    takes 1.2).

    Parameters
    ----------
    threads_max : of OpenJPEG's own, for one frame.
    """

    def __init__(self, threads_max: int = _THREADS) -> None:
        self._threads_max = threads_max

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        import imagecodecs

        d = descriptor
        header = read_header(d, memoryview(data))
        data, by = whole(d, header, data), 0
        if reduce > 0 and header.is_signed == bool(d.pixel_representation) and header.bits >= BITS_REDUCED_MIN:
            # With another sign the wavelet has averaged other numbers than the header means.
            smaller, by = reduced(read_header(d, memoryview(data)), memoryview(data), reduce)
            data = smaller if by else data
        room = sample_room(header.bits, None if by else out)
        samples = None
        with refusals(d):
            if not by and _is_exact(d, header):
                samples = _by_openjph(
                    data, np.empty(frame_shape(d), _SAMPLE[header.bits > 8]) if room is None else room
                )
            if samples is None:
                threads = self._threads_max if d.rows * d.columns >= _THREADS_PIXELS_MIN << (2 * by) else 1
                samples = np.asarray(imagecodecs.jpeg2k_decode(data, numthreads=threads, out=room))
        if samples.shape[:2] != (-(-d.rows // (1 << by)), -(-d.columns // (1 << by))):
            raise BadFrame(d.transfer_syntax_uid, f"decoded to {samples.shape}")
        return finished(d, header, samples, None if by else out, by)


def _is_exact(d: FrameDescriptor, header: Jpeg2000Header) -> bool:
    """Whether it is HTJ2K whose values come back as they went in, so that none is beyond its range."""
    is_promised = header.is_reversible and lookup(d.transfer_syntax_uid).is_lossless
    return header.is_high_throughput and is_promised and header.bits <= 16


def _by_openjph(data: Buffer, room: Array) -> Array | None:
    """Decoded into `room`; None when that is not sure.

    imagecodecs 2026.3.6 drops what OpenJPH throws while lines are pulled, and returns the array with whatever memory held
    below: the end of another patient's image, for all we know. Lines come from the top, so the last one tells.
    """
    import imagecodecs

    last = room[-1]
    last[...] = _UNTOUCHED
    samples = np.asarray(imagecodecs.htj2k_decode(data, out=room))
    return None if (last == _UNTOUCHED).all(axis=0).any() else samples


def finished(
    descriptor: FrameDescriptor, header: Jpeg2000Header, samples: Array, out: Array | None, reduce: int = 0
) -> DecodedFrame:
    """What both JPEG 2000 decoders make of their samples.

    The sign of the code stream is often not the header's, which decides: the same bits are read its way.
    """
    bits = min(descriptor.bits_allocated, header.bits)
    samples = at_the_bottom(descriptor, samples, bits)
    if bits > descriptor.high_bit >= descriptor.bits_stored:
        bits = descriptor.bits_stored  # moved down: what was above High Bit was not the value
    return DecodedFrame(stored_values(descriptor, samples, bits, out), photometric_of(descriptor, header), reduce)


def photometric_of(d: FrameDescriptor, header: Jpeg2000Header) -> str:
    """The component transformation is undone by the decoder, whatever the header calls it (PS3.5 8.2.4)."""
    if d.samples_per_pixel == 3 and (
        header.has_colour_transform or d.photometric_interpretation in ("YBR_RCT", "YBR_ICT")
    ):
        return "RGB"
    return d.photometric_interpretation
