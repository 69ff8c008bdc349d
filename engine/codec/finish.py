"""From the samples that a decoder gives to stored values: type, sign and unused bits as the header claims (PS3.5 8.1.1)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, stored_dtype
from engine.dicom.frame import FrameDescriptor


def sample_room(bits: int, out: Array | None) -> Array | None:
    """The caller's array as a decoder of `bits`-bit samples wants it, so that it decodes right there.

    Unsigned, because the JPEG-LS decoder takes nothing else and none looks at the sign. None when there is no such
    array, or the samples of the code stream have another size than the stored ones (8 bits in 16 allocated).
    """
    size = 1 if bits <= 8 else 2 if bits <= 16 else 4
    if out is None or out.dtype.kind == "f" or out.dtype.itemsize != size:
        return None
    return out.view(f"u{size}")


def stored_values(
    descriptor: FrameDescriptor, samples: Array, bits: int, out: Array | None = None, *, is_ours: bool = True
) -> Array:
    """Samples as values of `bits` bits: masked or sign-extended, in the stored type, C-contiguous.

    Parameters
    ----------
    samples : integers whose lowest `bits` bits hold the value (what stands above them is not looked at).
    out : where to put them, or None: then `samples` itself is used when nothing has to change. `samples` may be a
        view of it (`sample_room`).
    is_ours : `samples` may be written to."""
    target = stored_dtype(descriptor)
    if target.kind == "f":
        return _into(samples.astype(target, copy=False), out)
    width = 8 * samples.dtype.itemsize
    kind = target
    if target.itemsize != samples.itemsize:
        kind = np.dtype(f"{target.kind}{samples.itemsize}")
    values = samples if samples.dtype == kind else samples.view(kind)
    if bits < width:
        room = values if is_ours else out if kind is target else None
        if descriptor.pixel_representation:
            room = np.left_shift(values, width - bits, out=room)
            values = np.right_shift(room, width - bits, out=room)
        else:
            mask = (1 << bits) - 1
            # Most images have nothing there; looking costs a third of masking into a new array.
            if np.maximum.reduce(values, axis=None, initial=0) > mask:
                values = np.bitwise_and(values, kind.type(mask), out=room)
    return _into(values if kind is target else values.astype(target), out)


def coded_values(descriptor: FrameDescriptor, samples: Array, bits: int, out: Array | None, *, is_exact: bool) -> Array:
    """Stored values of a code stream of `bits`-bit samples, which may be more than Bits Stored.

    Exact ones: what stands above Bits Stored is not the value (an overlay, copies of the sign) and goes. Of a lossy
    stream it is the value that went a little too far, and becomes the nearest that there is: without its upper bits,
    white would be black.
    """
    samples = at_the_bottom(descriptor, samples, bits)
    if is_exact or bits <= descriptor.bits_stored:
        return stored_values(descriptor, samples, min(bits, descriptor.bits_stored), out)
    values = stored_values(descriptor, samples, bits, out)
    top = 1 << descriptor.bits_stored
    low, high = (-(top >> 1), (top >> 1) - 1) if descriptor.pixel_representation else (0, top - 1)
    return np.clip(values, low, high, out=values)


def at_the_bottom(descriptor: FrameDescriptor, samples: Array, bits: int, *, is_ours: bool = True) -> Array:
    """Samples whose code stream carries whole cells (`bits` of them), with the value moved down from under High Bit.

    A compressor that was given 12 bits under High Bit 15 has coded all 16: what it gives back are cells, as native ones
    (PS3.5 8.1.1). One that codes no more than Bits Stored has moved them itself.
    """
    shift = descriptor.high_bit + 1 - descriptor.bits_stored
    if shift <= 0 or bits <= descriptor.high_bit or samples.dtype.kind == "f":
        return samples
    plain = samples.view(f"u{samples.dtype.itemsize}")
    shifted: Array = np.right_shift(plain, shift, out=plain if is_ours else None)
    return shifted


def _into(values: Array, out: Array | None) -> Array:
    if out is None:
        return np.ascontiguousarray(values)
    if values is not out:
        out[...] = values  # numpy sees where both are the same memory, and does nothing
    return out
