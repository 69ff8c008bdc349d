"""The reversible 5/3 wavelet's smaller image, in numpy: what a code stream that is cut behind a resolution must show."""

from __future__ import annotations

from typing import Any

import numpy as np


def low(values: Any) -> Any:
    """The low-pass half of the reversible 5/3 transform along the first axis (ISO/IEC 15444-1 F.4.8.1)."""
    x = values.astype(np.int64)
    padded = np.concatenate([x[1:3][::-1], x, x[-3:-1][::-1]])  # mirrored at both ends
    odd = padded[1::2][: (len(x) + 1) // 2 + 1]
    even = padded[0::2][: len(odd) + 1]
    detail = odd - (even[:-1] + even[1:]) // 2
    return x[0::2] + (detail[:-1] + detail[1:] + 2) // 4


def halved(values: Any, times: int) -> Any:
    for _ in range(times):
        values = low(low(values).T).T
    return values
