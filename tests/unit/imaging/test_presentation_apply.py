"""Presented frames: each step against a few lines of numpy, and the order of the steps."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from presenting import (
    IMAGE_UID,
    LIMITS,
    Array,
    area,
    ct_image,
    descriptor_of,
    for_frame,
    image_reference,
    item,
    lut_item,
    read,
    state_of,
    window,
)
from pydicom.dataset import Dataset

from engine.dicom.frame import Rescale
from engine.dicom.presentation import FramePresentation, MaskOperation, MaskSubtraction, StateKind
from engine.dicom.shutter import Shutter
from engine.errors import MalformedDataSet, TooLarge, UnsupportedPresentation
from engine.imaging.presentation.apply import Extras, ShownFrame, Superimposed, render_presented
from engine.imaging.presentation.captions import Corner
from engine.imaging.presentation.gray import GrayPipeline
from engine.imaging.presentation.segments import Cover

RNG = np.random.default_rng(7)
VALUES = RNG.integers(0, 4096, (20, 30)).astype(np.uint16)
IMAGE = ct_image(VALUES, bits_stored=12)
D = descriptor_of(IMAGE)
GRAY = FramePresentation(kind=StateKind.GRAYSCALE, sop_instance_uid=IMAGE_UID, frame_number=1)


def shown(state: FramePresentation, values: Array = VALUES, **options: Any) -> Array:
    frame = ShownFrame(stored_values=values, descriptor=options.pop("descriptor", D), **options.pop("frame", {}))
    return render_presented(state, frame, LIMITS, **options)


def whole_range(values: Array, low: float = 0.0, high: float = 4095.0) -> Array:
    return np.floor(np.clip((values - low) / (high - low), 0, 1) * 255 + 0.5).astype(np.uint8)


def test_without_a_window_all_that_pixels_can_be() -> None:
    np.testing.assert_array_equal(shown(GRAY), whole_range(VALUES))
    state = replace(GRAY, modality=Rescale(-2.0, 10.0))
    np.testing.assert_array_equal(shown(state), whole_range(VALUES * -2.0 + 10, -8180, 10))


@pytest.mark.parametrize("kind", ["i2", "u4", "f4", "f8"])
def test_the_same_values_of_any_type_give_the_same_grey(kind: str) -> None:
    """Integers go through a table, floats through the pipeline one by one."""
    state = for_frame(
        state_of(
            IMAGE,
            RescaleSlope=0.5,
            RescaleIntercept=-40.3,
            RescaleType="US",
            SoftcopyVOILUTSequence=[window(500, 900, "SIGMOID")],
        )
    )
    np.testing.assert_array_equal(shown(state, VALUES.astype(kind)), shown(state))


def test_values_that_are_far_apart_need_no_table_of_all_between() -> None:
    values = VALUES.astype(np.int32)
    values[0, 0], values[0, 1] = -(2**31), 2**31 - 1
    d = replace(D, bits_allocated=32, bits_stored=32, high_bit=31, pixel_representation=1)
    grey = shown(replace(GRAY, voi=for_frame(_windowed(2000, 3000)).voi), values, descriptor=d)
    want = shown(replace(GRAY, voi=for_frame(_windowed(2000, 3000)).voi))
    np.testing.assert_array_equal(grey[1:], want[1:])
    assert grey[0, :2].tolist() == [0, 255]


def test_nan_is_black() -> None:
    values = VALUES.astype(np.float32)
    values[3, 4] = np.nan
    assert shown(GRAY, values)[3, 4] == 0


def test_a_signed_image_makes_a_luts_first_value_negative() -> None:
    values = (VALUES.astype(int) - 2048).astype(np.int16)
    image = ct_image(values, bits_stored=12)
    table = lut_item(0x10000 - 2048, np.arange(4096))  # written as unsigned
    table.ModalityLUTType = "US"
    state = for_frame(state_of(image, ModalityLUTSequence=[table], SoftcopyVOILUTSequence=[window(2048, 4096)]))
    want = shown(for_frame(_windowed(2048, 4096)), VALUES)
    np.testing.assert_array_equal(shown(state, values, descriptor=descriptor_of(image)), want)


def test_the_shutter_is_closed_before_the_image_is_turned() -> None:
    state = replace(GRAY, shutter=Shutter(rectangle=(3, 30, 1, 20), grey=77))
    turned = replace(state, spatial=for_frame(state_of(IMAGE, ImageRotation=90, ImageHorizontalFlip="N")).spatial)
    grey = shown(state)
    assert (grey[:, :2] == 77).all()
    np.testing.assert_array_equal(grey[:, 2:], whole_range(VALUES)[:, 2:])
    np.testing.assert_array_equal(shown(turned), np.rot90(grey, -1))


def test_a_circular_shutter_is_round_where_pixels_are_not_square() -> None:
    d = descriptor_of(ct_image(VALUES, bits_stored=12, PixelSpacing=[2, 1]))
    grey = shown(replace(GRAY, shutter=Shutter(circle=(10, 15, 8), grey=9)), np.full_like(VALUES, 4095), descriptor=d)
    assert grey.shape == (40, 30)  # shown square
    for y, x in ((19, 8), (19, 21), (12, 14), (25, 14)):
        assert grey[y, x] > 200
    for y, x in ((19, 3), (19, 27), (4, 14), (35, 14)):
        assert grey[y, x] == 9


def test_an_area_outside_of_the_image_is_black() -> None:
    state = for_frame(state_of(IMAGE, DisplayedAreaSelectionSequence=[area((-1, 0), (32, 21))]))
    grey = shown(state)
    assert grey.shape == (22, 34)
    np.testing.assert_array_equal(grey[1:21, 2:32], whole_range(VALUES))
    grey[1:21, 2:32] = 0
    assert not grey.any()


@pytest.mark.parametrize(
    ("attributes", "size", "want"),
    [
        ({}, (None, None), (30, 20)),
        ({}, (15, 100), (15, 10)),
        ({"PresentationPixelAspectRatio": [2, 1]}, (None, None), (30, 40)),
        ({"PresentationPixelAspectRatio": [1, 2]}, (None, None), (60, 20)),
        ({"PresentationPixelSpacing": [0.6, 0.3]}, (None, None), (30, 40)),
        ({"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 2.5}, (None, None), (75, 50)),
        ({"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 2.5}, (60, 60), (60, 40)),
        ({"PresentationSizeMode": "TRUE SIZE", "PresentationPixelSpacing": [1, 1]}, (None, None), (60, 40)),
    ],
)
def test_sizes(attributes: dict[str, Any], size: tuple[int | None, int | None], want: tuple[int, int]) -> None:
    state = for_frame(state_of(IMAGE, DisplayedAreaSelectionSequence=[area((1, 1), (30, 20), **attributes)]))
    assert shown(state, size=size, screen_pixel_mm=0.5).shape == (want[1], want[0])


def test_sizes_that_a_header_claims_are_limited() -> None:
    for attributes, corner in (
        ({"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 1e30}, (30, 20)),
        ({}, (2**31 - 1, 2**31 - 1)),
        ({"PresentationPixelSpacing": [1e-30, 1e30]}, (30, 20)),
    ):
        state = for_frame(state_of(IMAGE, DisplayedAreaSelectionSequence=[area((1, 1), corner, **attributes)]))
        with pytest.raises(TooLarge):
            shown(state)


def _windowed(center: float, width: float) -> Dataset:
    return state_of(IMAGE, SoftcopyVOILUTSequence=[window(center, width)])


# subtraction


def frames_of(count: int) -> dict[int, Array]:
    rng = np.random.default_rng(8)
    return {n: rng.integers(0, 1000, (20, 30)).astype(np.uint16) for n in range(1, count + 1)}


def test_average_masks_are_subtracted_in_modality_values() -> None:
    frames = frames_of(6)
    mask = MaskSubtraction(operation=MaskOperation.AVG_SUB, frame_numbers=(1, 2), contrast_averaging=2)
    voi = for_frame(_windowed(0, 2001)).voi
    state = replace(GRAY, frame_number=5, mask=mask, voi=voi, modality=Rescale(2.0, 100.0))
    assert state.mask_frames(6) == (1, 2, 6)
    others = {n: frames[n] for n in state.mask_frames(6)}
    grey = shown(state, frames[5], frame={"frame_number": 5, "other_frames": others})
    difference = 2.0 * ((frames[5] + 0.0 + frames[6]) / 2 - (frames[1] + 0.0 + frames[2]) / 2)
    want = np.floor(np.clip((difference + 0.5) / 2000 + 0.5, 0, 1) * 255 + 0.5)
    np.testing.assert_array_equal(grey, want)


def test_without_a_window_a_difference_of_nothing_is_in_the_middle() -> None:
    mask = MaskSubtraction(operation=MaskOperation.TID, tid_offset=1)
    state = replace(GRAY, frame_number=2, mask=mask)
    grey = shown(state, VALUES, frame={"frame_number": 2, "other_frames": {1: VALUES}})
    assert np.unique(grey).tolist() == [128]
    first = shown(replace(state, frame_number=1), VALUES)  # there is no frame before it: shown as it is
    np.testing.assert_array_equal(first, whole_range(VALUES))


def test_a_mask_is_moved_down_and_to_the_right() -> None:
    contrast, mask_frame = np.zeros((20, 30), np.uint16), np.zeros((20, 30), np.uint16)
    mask_frame[5, 10] = 1000
    mask = MaskSubtraction(operation=MaskOperation.AVG_SUB, frame_numbers=(1,), shift=(2.0, 3.5))
    voi = for_frame(_windowed(-500, 1000)).voi
    grey = shown(
        replace(GRAY, frame_number=2, mask=mask, voi=voi),
        contrast,
        frame={"frame_number": 2, "other_frames": {1: mask_frame}},
    )
    dark = {tuple(map(int, at)) for at in np.argwhere(grey < 250)}
    assert dark == {(7, 13), (7, 14)} and abs(int(grey[7, 13]) - 128) <= 1 and grey[7, 13] == grey[7, 14]


def test_a_mask_of_frames_that_are_not_there_is_refused() -> None:
    mask = MaskSubtraction(operation=MaskOperation.AVG_SUB, frame_numbers=(9,))
    with pytest.raises(UnsupportedPresentation):
        shown(replace(GRAY, mask=mask))


# colours


def palette(ds: Dataset, entries: int = 256) -> Dataset:
    """Red rises, green falls, blue is a square."""
    ramp = np.linspace(0, 65535, entries)
    for name, table in (("Red", ramp), ("Green", ramp[::-1]), ("Blue", ramp**2 / 65535)):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [entries, 0, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", table.astype("<u2").tobytes())
    return ds


@pytest.mark.parametrize("entries", [256, 1000])
def test_pseudo_colours_are_the_palette_over_the_windows_range(entries: int) -> None:
    state = for_frame(
        palette(state_of(IMAGE, StateKind.PSEUDO_COLOR, SoftcopyVOILUTSequence=[window(2000, 3001)]), entries)
    )
    rgb = shown(state)
    index = np.rint(np.clip((VALUES - 1999.5) / 3000 + 0.5, 0, 1) * (entries - 1)).astype(int)
    ramp = np.linspace(0, 65535, entries)
    want = np.stack([t.astype(np.uint16)[index] >> 8 for t in (ramp, ramp[::-1], ramp**2 / 65535)], axis=2)
    np.testing.assert_array_equal(rgb, want)


def test_an_icc_profile_is_applied() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rgb = RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    image = ct_image(VALUES)
    state = for_frame(state_of(image, StateKind.COLOR, ICCProfile=profile))
    assert np.abs(shown(state, rgb).astype(int) - rgb).max() <= 1  # from sRGB to sRGB
    with pytest.raises(MalformedDataSet):
        shown(replace(state, icc_profile=b"no profile at all"), rgb)


def test_a_linear_rgb_profile_changes_what_is_seen() -> None:
    """The display values are those of littlecms for the same profile."""
    source = ImageCms.createProfile("sRGB")
    lab = ImageCms.ImageCmsProfile(source).tobytes()
    # a profile with another tone curve: sRGB's with gamma 1.0 put in place of its parametric curve
    at = lab.index(b"para")
    size = 4 + 4 + 2 + 2 + 4 * 5
    linear = bytearray(lab)
    linear[at : at + size] = (b"para\0\0\0\0\0\0\0\0" + (1 << 16).to_bytes(4, "big")).ljust(size, b"\0")
    rgb = np.full((20, 30, 3), 64, np.uint8)
    state = for_frame(state_of(ct_image(VALUES), StateKind.COLOR, ICCProfile=bytes(linear)))
    display = shown(state, rgb)
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(bytes(linear))), ImageCms.createProfile("sRGB"), "RGB", "RGB"
    )
    want = np.asarray(ImageCms.applyTransform(Image.fromarray(rgb), transform))
    np.testing.assert_array_equal(display, want)
    assert abs(int(display[0, 0, 0]) - 137) <= 2  # 64/255 of the light is grey 137 in sRGB


def test_a_state_for_the_other_kind_of_image_is_refused() -> None:
    rgb = np.zeros((20, 30, 3), np.uint8)
    with pytest.raises(UnsupportedPresentation):
        shown(GRAY, rgb)
    with pytest.raises(UnsupportedPresentation):
        shown(replace(GRAY, kind=StateKind.COLOR), VALUES)


def blending_state(opacity: float) -> Dataset:
    sets = []
    for position, uid, voi in (
        ("UNDERLYING", IMAGE_UID, window(2000, 4001)),
        ("SUPERIMPOSED", "9.9", window(500, 1001)),
    ):
        series = item(SeriesInstanceUID="9", ReferencedImageSequence=[image_reference(uid)])
        sets.append(item(BlendingPosition=position, ReferencedSeriesSequence=[series], SoftcopyVOILUTSequence=[voi]))
    ds = palette(state_of(IMAGE, StateKind.BLENDING, BlendingSequence=sets, RelativeOpacity=opacity))
    del ds.ReferencedSeriesSequence
    return ds


@pytest.mark.parametrize("opacity", [0.0, 0.3, 1.0])
def test_blending(opacity: float) -> None:
    state = read(blending_state(opacity))
    under, above = state.for_frame(IMAGE_UID, 1), state.for_frame("9.9", 1)
    assert under is not None and above is not None and above.is_superimposed and not under.is_superimposed
    pet = RNG.integers(0, 1000, (20, 30)).astype(np.uint16)
    frame = ShownFrame(stored_values=pet, descriptor=D)
    mixed = shown(under, superimposed=Superimposed(state=above, frame=frame))
    grey = whole_range(VALUES, -0.5, 3999.5).astype(float)[:, :, None]
    colour = shown(above, pet).astype(float)
    assert np.abs(mixed - (opacity * colour + (1 - opacity) * grey)).max() <= 0.5 + 1e-9
    # beyond the superimposed image there is the underlying one alone: here it covers every second pixel of the left half
    half = Superimposed(state=above, frame=frame, matrix=((2.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    mixed = shown(under, superimposed=half)
    np.testing.assert_array_equal(mixed[:, 15:], np.repeat(grey, 3, axis=2)[:, 15:])
    assert np.abs(mixed[:, :15] - (opacity * colour[:, ::2] + (1 - opacity) * grey[:, :15])).max() <= 0.5 + 1e-9


# what comes on top


def test_segments_are_under_the_annotations_and_captions_above() -> None:
    everything = np.full((20, 30), 255, np.uint8)
    cover = Cover(segment_number=1, rgb=(255, 0, 0), share=everything)
    state = for_frame(
        state_of(
            IMAGE,
            GraphicLayerSequence=[item(GraphicLayer="ONE", GraphicLayerOrder=1)],
            GraphicAnnotationSequence=[
                item(
                    GraphicLayer="ONE",
                    GraphicObjectSequence=[
                        item(
                            GraphicAnnotationUnits="PIXEL",
                            GraphicDimensions=2,
                            NumberOfGraphicPoints=2,
                            GraphicData=[0, 10.5, 30, 10.5],
                            GraphicType="POLYLINE",
                            GraphicFilled="N",
                        )
                    ],
                )
            ],
        )
    )
    rgb = shown(state, extras=Extras(segments=(cover,), segment_opacity=1.0))
    assert (rgb[10] == 255).all() and (rgb[5] == (255, 0, 0)).all()
    plain = shown(state, extras=Extras(segments=(cover,), segment_opacity=1.0, graphics=False))
    assert (plain == (255, 0, 0)).all()
    captions = {Corner.TOP_LEFT: ("A",)}
    assert not np.array_equal(shown(state, extras=Extras(captions=captions)), shown(state))


def test_one_pipeline_is_decided_once_and_used_by_any_thread() -> None:
    from concurrent.futures import ThreadPoolExecutor

    pipeline = GrayPipeline(GRAY, D)
    with ThreadPoolExecutor(4) as pool:
        for grey in pool.map(pipeline.display, [VALUES] * 16):
            np.testing.assert_array_equal(grey, whole_range(VALUES))
