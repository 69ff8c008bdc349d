"""From the samples that a decoder gives to stored values: type, sign and unused bits as the header claims (PS3.5 8.1.1)."""

from __future__ import annotations

import numpy as np

from engine.codec.base import Array, stored_dtype
from engine.dicom.frame import FrameDescriptor


def stored_values(descriptor: FrameDescriptor, samples: Array, bits: int, out: Array | None = None) -> Array:
    """Samples as values of `bits` bits: masked or sign-extended, in the stored type.

    Parameters
    ----------
    samples : integers whose lowest `bits` bits hold the value (what stands above them is not looked at).
    out : where to put them, or None: then `samples` itself is used when nothing has to change.
    """
    target = stored_dtype(descriptor)
    if target.kind == "f":
        return _into(samples.astype(target, copy=False), out)
    width = 8 * samples.dtype.itemsize
    if descriptor.pixel_representation:
        signed = samples.view(f"i{samples.dtype.itemsize}")
        if bits < width:
            signed = (signed << (width - bits)) >> (width - bits)
        return _into(signed.astype(target, copy=False), out)
    plain = samples.view(f"u{samples.dtype.itemsize}")
    if bits < width:
        mask = np.array((1 << bits) - 1, dtype=plain.dtype)
        # Most images have nothing there; looking costs a third of masking into a new array.
        if int(plain.max(initial=0)) > int(mask):
            plain = plain & mask
    return _into(plain.astype(target, copy=False), out)


def _into(values: Array, out: Array | None) -> Array:
    if out is None or out is values:
        return values
    np.copyto(out, values)
    return out
