"""Modality, VOI and presentation LUT or palette of a presentation state, as one table for integers (PS3.4 N.2.1, N.2.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.dicom.frame import FrameDescriptor, Rescale, VoiLutFunction, Window
from engine.dicom.presentation import FramePresentation, StateKind

if TYPE_CHECKING:
    from engine.dicom.lut import Lut

Array = npt.NDArray[Any]

_TABLE_MAX = 1 << 16


class GrayPipeline:
    """What one state makes of one image's grey values; decided once, any thread.

    Attributes
    ----------
    is_coloured : `display` gives RGB.
    """

    def __init__(self, state: FramePresentation, descriptor: FrameDescriptor) -> None:
        self._state, self._descriptor = state, descriptor
        is_signed = descriptor.pixel_representation == 1
        self._modality = state.modality if isinstance(state.modality, Rescale) else _signed(state.modality, is_signed)
        voi = state.voi
        if voi is not None and not isinstance(voi, Window) and is_signed and isinstance(self._modality, Rescale):
            voi = _signed(voi, True)
        self._voi = voi
        self.is_coloured = state.kind is StateKind.PSEUDO_COLOR or (
            state.kind is StateKind.BLENDING and state.is_superimposed
        )

    def modality_values(self, stored_values: Array) -> Array:
        """float64 of the same shape."""
        if isinstance(self._modality, Rescale):
            return stored_values.astype(np.float64) * self._modality.slope + self._modality.intercept
        return _looked_up(self._modality, stored_values.astype(np.float64)).astype(np.float64)

    def display(self, stored_values: Array) -> Array:
        """uint8 (rows, columns) grey or (rows, columns, 3) RGB of stored values (rows, columns)."""
        if stored_values.dtype.kind in "iu" and stored_values.size:
            low, high = int(stored_values.min()), int(stored_values.max())
            if high - low < min(_TABLE_MAX, 4 * stored_values.size):
                # 0.4 ms for 512² of 4096 values, and 5 when every pixel goes through the whole pipeline by itself.
                table = self._shown(self.modality_values(np.arange(low, high + 1)))
                index = stored_values.astype(np.int64) - low
                result: Array = table[index]
                return result
        return self._shown(self.modality_values(stored_values))

    def display_difference(self, difference: Array) -> Array:
        """The same for modality values of which a mask was subtracted."""
        return self._shown(difference, is_difference=True)

    def _shown(self, modality: Array, is_difference: bool = False) -> Array:
        state = self._state
        share = self._voi_share(modality, is_difference)
        if self.is_coloured:
            assert state.palette is not None  # the state was read with one
            rgb = state.palette.rgb()
            coloured: Array = rgb[_index(share, len(rgb))]
            return coloured
        if state.presentation_lut is not None:
            lut = state.presentation_lut
            share = lut.values[_index(share, len(lut.values))] / float((1 << lut.bits) - 1)
        grey: Array = (np.clip(share, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
        return 255 - grey if state.is_inverse else grey

    def _voi_share(self, modality: Array, is_difference: bool) -> Array:
        """VOI values from 0 to 1; NaN counts as 0."""
        voi = self._voi
        with np.errstate(all="ignore"):
            if voi is None:
                low, high = self._range(is_difference)
                share = (modality - low) / (high - low)
            elif isinstance(voi, Window):
                share = _windowed(voi, modality)
            else:
                share = _looked_up(voi, modality) / float((1 << voi.bits) - 1)
            share = np.clip(share, 0.0, 1.0)
        return np.where(np.isnan(share), 0.0, share)

    def _range(self, is_difference: bool) -> tuple[float, float]:
        """What modality values can be: an identity has all of it for its input (PS3.4 N.2.1.3)."""
        d = self._descriptor
        if isinstance(self._modality, Rescale):
            bits = min(max(d.bits_stored, 1), 64)
            low, high = (
                (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if d.pixel_representation else (0.0, 2.0**bits - 1)
            )
            ends = sorted(v * self._modality.slope + self._modality.intercept for v in (low, high))
        else:
            ends = [0.0, float((1 << self._modality.bits) - 1)]
        span = ends[1] - ends[0]
        return (-span, span) if is_difference else (ends[0], ends[1])


def _windowed(window: Window, values: Array) -> Array:
    """PS3.3 C.11.2.1.2, C.11.2.1.3; a window one value wide is a step."""
    center, width = window.center, window.width
    if window.function is VoiLutFunction.SIGMOID:
        curve: Array = 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -700.0, 700.0)))
        return curve
    if window.function is VoiLutFunction.LINEAR:
        center, width = center - 0.5, width - 1.0
    if width <= 0:
        step: Array = np.where(values > center, 1.0, 0.0)
        return step
    ramp: Array = (values - center) / width + 0.5
    return ramp


def _index(share: Array, count: int) -> Array:
    """The full range of what comes before is the whole table (PS3.4 N.2.4.2)."""
    index: Array = np.rint(np.clip(share, 0.0, 1.0) * (count - 1)).astype(np.int64)
    return index


def _looked_up(lut: Lut, values: Array) -> Array:
    at = np.rint(np.clip(values - lut.first, 0.0, len(lut.values) - 1.0))
    result: Array = lut.values[np.where(np.isnan(at), 0.0, at).astype(np.int64)]
    return result


def _signed(lut: Lut, is_signed: bool) -> Lut:
    """A first value above 32 767 is a negative one when the image's pixels can be negative (PS3.3 C.11.1.1.1)."""
    return replace(lut, first=lut.first - 0x10000) if is_signed and lut.first > 0x7FFF else lut
