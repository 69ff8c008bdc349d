"""Pictures out, looked at by another library."""

from __future__ import annotations

import io

import numpy as np
import pytest
from code_streams import GREY8, RGB8, image
from PIL import Image

from engine.codec.encode import encode_jpeg, encode_png


@pytest.mark.parametrize("d", [GREY8, RGB8], ids=["grey", "colour"])
def test_png_is_exact(d) -> None:  # type: ignore[no-untyped-def]
    values = image(d)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_png(values)))), values)


@pytest.mark.parametrize("d", [GREY8, RGB8], ids=["grey", "colour"])
def test_jpeg_is_close_and_closer_with_quality(d) -> None:  # type: ignore[no-untyped-def]
    values = image(d)
    means, sizes = [], []
    for quality in (30, 75, 90, 100):
        body = encode_jpeg(values, quality)
        picture = Image.open(io.BytesIO(body))
        assert picture.format == "JPEG"
        assert picture.mode == ("L" if d is GREY8 else "RGB")
        means.append(float(np.abs(np.asarray(picture).astype(int) - values).mean()))
        sizes.append(len(body))
    assert means == sorted(means, reverse=True)
    assert sizes == sorted(sizes)
    assert means[-1] < 1


@pytest.mark.parametrize(("quality", "sampling"), [(75, (2, 2)), (89, (2, 2)), (90, (1, 1)), (100, (1, 1))])
def test_colour_is_not_subsampled_at_high_quality(quality: int, sampling: tuple[int, int]) -> None:
    picture = Image.open(io.BytesIO(encode_jpeg(image(RGB8), quality)))
    assert picture.layer[0][1:3] == sampling  # type: ignore[attr-defined]
