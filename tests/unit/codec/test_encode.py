"""Pictures out, looked at by another library."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from code_streams import GREY8, RGB8, image
from PIL import Image

from engine._native import has_jpeg_grey, jpeg_grey
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


def _greys(kind: int, rows: int, columns: int, dice: np.random.Generator) -> np.ndarray:  # type: ignore[type-arg]
    match kind:
        case 0:  # every coefficient
            return dice.integers(0, 256, (rows, columns), dtype=np.uint8)
        case 1:  # a ramp that wraps
            return (np.add.outer(3 * np.arange(rows), 2 * np.arange(columns)) % 256).astype(np.uint8)
        case 2:  # one grey
            return np.full((rows, columns), dice.integers(0, 256), np.uint8)
        case 3:  # the largest coefficients
            return (dice.integers(0, 2, (rows, columns)) * 255).astype(np.uint8)
        case _:  # the last coefficient alone: runs of more than fifteen zeros
            wave = np.cos((2 * np.arange(max(rows, columns)) % 16 + 1) * 7 * np.pi / 16)
            return (128 + 40 * np.outer(wave[:rows], wave[:columns])).astype(np.uint8)


@pytest.mark.skipif(not has_jpeg_grey(), reason="this processor has no AVX-512: libjpeg-turbo itself is used")
def test_grey_is_what_libjpeg_turbo_gives_to_the_last_byte() -> None:
    dice = np.random.default_rng(5)
    sizes = [(1, 1), (8, 8), (8, 32), (9, 33), (512, 512), (7, 300), (300, 7), (64, 96)]
    sizes += [tuple(dice.integers(1, 90, 2)) for _ in range(200)]
    for number, (rows, columns) in enumerate(sizes):
        for quality in (1, 49, 50, 90, 100, int(dice.integers(1, 101))):
            values = _greys(number % 5, int(rows), int(columns), dice)
            want = bytes(imagecodecs.jpeg8_encode(values, level=quality))
            assert encode_jpeg(values, quality) == want, (rows, columns, quality, number % 5)


@pytest.mark.skipif(not has_jpeg_grey(), reason="this processor has no AVX-512: libjpeg-turbo itself is used")
def test_grey_from_a_part_of_an_array() -> None:
    whole = image(GREY8)
    part = whole[3:60, 5:50]
    assert not part.flags.c_contiguous
    assert encode_jpeg(part, 80) == bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(part), level=80))


def test_no_picture_of_another_size_than_its_pixels() -> None:
    for rows, columns, quality in ((0, 4, 90), (2, 3, 90), (2, 2, 0), (2, 2, 101), (1, 70_000, 90)):
        with pytest.raises(ValueError):
            jpeg_grey(bytes(4), rows, columns, quality)
