"""Colours of a presentation state's ICC profile as the sRGB that screens and JPEG files take for granted (PS3.3 C.11.15)."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from engine.errors import MalformedDataSet

Array = npt.NDArray[Any]


def to_srgb(rgb: Array, icc_profile: bytes) -> Array:
    """uint8 (rows, columns, 3) in sRGB; as it is where there is no profile. By littlecms, perceptual.

    Raises
    ------
    MalformedDataSet : a profile that is none, or not one of RGB.
    """
    if not icc_profile:
        return rgb
    transform = _transform(icc_profile)
    image = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(rgb)), transform)
    assert image is not None  # None only when it is done in place
    return np.array(image)


@lru_cache(maxsize=8)
def _transform(icc_profile: bytes) -> Any:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        raise MalformedDataSet("the ICC profile cannot be used") from error
