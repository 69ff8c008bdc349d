"""Where graphics, texts, overlays and captions come to lie, through rotation, flip, area and zoom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from presenting import LIMITS, Array

from engine.dicom.annotation import (
    FillStyle,
    Graphic,
    GraphicLayer,
    GraphicType,
    LayerContent,
    LineStyle,
    Text,
    Units,
)
from engine.dicom.colour import grey_of_p_value, rgb_of_cielab
from engine.dicom.overlay import Overlay
from engine.dicom.presentation import DisplayedArea, Spatial
from engine.errors import TooLarge
from engine.imaging.presentation.captions import Corner, annotated
from engine.imaging.presentation.drawing import drawn
from engine.imaging.presentation.fonts import runs_for
from engine.imaging.presentation.placement import Placement, place

ROWS, COLUMNS = 60, 80
LAYER = GraphicLayer(name="ONE")
TURNS = [(r, f) for r in (0, 90, 180, 270) for f in (False, True)]


def placed(rotation: int = 0, flip: bool = False, **options: Any) -> Placement:
    return place(ROWS, COLUMNS, LIMITS, spatial=Spatial(rotation, flip), **options)


def draw(content: LayerContent, placement: Placement, background: int = 0, **overlays: Any) -> Array:
    display = np.full((placement.height, placement.width), background, np.uint8)
    return drawn(display, [content], placement, 1, (ROWS, COLUMNS), overlays.get("image_overlays", {}), LIMITS)


def graphics(*found: Graphic, layer: GraphicLayer = LAYER) -> LayerContent:
    return LayerContent(layer=layer, graphics=found)


def graphic(kind: GraphicType, *points: tuple[float, float], units: Units = Units.PIXEL, **more: Any) -> Graphic:
    return Graphic(type=kind, units=units, points=points, **more)


def lit(display: Array) -> set[tuple[int, int]]:
    """(x, y) of what is not black."""
    return {(int(x), int(y)) for y, x in np.argwhere(display if display.ndim == 2 else display.max(axis=2))}


@pytest.mark.parametrize(("rotation", "flip"), TURNS)
def test_a_line_lies_on_the_pixels_that_it_runs_through(rotation: int, flip: bool) -> None:
    """Drawn over the image, then turned, is the same as drawn over the turned image (PS3.3 C.10.6, note)."""
    line = graphic(GraphicType.POLYLINE, (10.5, 7.5), (40.5, 7.5), (40.5, 50.5))
    placement = placed(rotation, flip)
    image = np.zeros((ROWS, COLUMNS), np.uint8)
    image[7, 10:41] = image[7:51, 40] = 255
    np.testing.assert_array_equal(draw(graphics(line), placement) > 0, placement.arranged(image) > 0)


@pytest.mark.parametrize(("rotation", "flip"), TURNS)
@pytest.mark.parametrize("size", [None, 240])
def test_pixel_units_follow_the_image_and_display_units_the_display(
    rotation: int, flip: bool, size: int | None
) -> None:
    area = DisplayedArea(top_left=(11, 11), bottom_right=(60, 50))
    placement = placed(rotation, flip, area=area, size=(size, None))
    for x, y in ((12.5, 13.5), (55.5, 44.5), (30.5, 20.5)):
        image = np.zeros((ROWS, COLUMNS), np.uint8)
        image[int(y), int(x)] = 255
        where = placement.arranged(image)
        center = np.argwhere(where == where.max()).mean(axis=0)[::-1] + 0.5
        point = graphic(GraphicType.POINT, (x, y))
        got = np.array(sorted(lit(draw(graphics(point), placement)))).mean(axis=0) + 0.5
        assert np.abs(got - center).max() <= 1.0
    point = graphic(GraphicType.POINT, (0.25, 0.5), units=Units.DISPLAY)
    got = np.array(sorted(lit(draw(graphics(point), placement)))).mean(axis=0) + 0.5
    assert np.abs(got - (placement.width * 0.25, placement.height * 0.5)).max() <= 1.0


def ring(found: set[tuple[int, int]], center: tuple[float, float]) -> Array:
    return np.array([np.hypot(x + 0.5 - center[0], y + 0.5 - center[1]) for x, y in found])


def test_a_circle_has_its_radius() -> None:
    circle = graphic(GraphicType.CIRCLE, (40.0, 30.0), (40.0, 10.0))
    distance = ring(lit(draw(graphics(circle), placed(size=(320, None)))), (160.0, 120.0))
    assert np.abs(distance - 80.0).max() <= 1.5 and len(distance) > 400


def test_a_circle_is_round_where_pixels_are_not_square() -> None:
    circle = graphic(GraphicType.CIRCLE, (40.0, 30.0), (60.0, 30.0))
    placement = placed(pixel_aspect_ratio=(2.0, 1.0))
    distance = ring(lit(draw(graphics(circle), placement)), (40.0, 60.0))
    assert np.abs(distance - 20.0).max() <= 1.5
    fraction = graphic(GraphicType.CIRCLE, (0.5, 0.5), (0.75, 0.5), units=Units.DISPLAY)
    assert np.abs(ring(lit(draw(graphics(fraction), placement)), (40.0, 60.0)) - 20.0).max() <= 1.5


@pytest.mark.parametrize(("rotation", "flip"), TURNS)
def test_a_filled_ellipse_is_what_its_equation_says(rotation: int, flip: bool) -> None:
    """Its axes are not along the image's: ends of the major one, then of the minor one."""
    center, major, minor = np.array([40.0, 30.0]), np.array([18.0, 9.0]), np.array([-4.0, 8.0])
    ends = [tuple(center + v) for v in (-major, major, -minor, minor)]
    ellipse = graphic(GraphicType.ELLIPSE, *ends, is_filled=True)
    y, x = np.indices((ROWS, COLUMNS)) + 0.5
    along = ((x - 40) * major[0] + (y - 30) * major[1]) / (major @ major)
    across = ((x - 40) * minor[0] + (y - 30) * minor[1]) / (minor @ minor)
    inside = along**2 + across**2 <= 1
    placement = placed(rotation, flip)
    got = draw(graphics(ellipse), placement) > 0
    want = placement.arranged(inside.view(np.uint8) * np.uint8(255)) > 0
    assert (got & want).sum() == want.sum()
    assert (got & ~want).sum() <= 150  # the line around it


def test_an_interpolated_line_goes_through_its_points() -> None:
    points = [(10.5, 30.5), (25.5, 10.5), (40.5, 45.5), (70.5, 20.5)]
    found = lit(draw(graphics(graphic(GraphicType.INTERPOLATED, *points)), placed()))
    assert {(int(x), int(y)) for x, y in points} <= found
    straight = lit(draw(graphics(graphic(GraphicType.POLYLINE, *points)), placed()))
    assert found != straight
    closed = graphic(GraphicType.INTERPOLATED, *points, points[0], is_filled=True)
    assert len(lit(draw(graphics(closed), placed()))) > 2 * len(found)


def test_what_is_outside_is_cut_and_costs_nothing() -> None:
    far = graphic(GraphicType.POLYLINE, (-1e30, 30.5), (1e30, 30.5))
    assert lit(draw(graphics(far), placed())) == {(x, 30) for x in range(COLUMNS)}
    nowhere = graphic(GraphicType.POLYLINE, (-1e9, -5.0), (1e9, -5.0))
    assert not lit(draw(graphics(nowhere), placed()))
    endless = graphic(GraphicType.POLYLINE, (30.5, 20.5), (31.5, 20.5), is_endless=True)
    assert lit(draw(graphics(endless), placed())) == {(x, 20) for x in range(COLUMNS)}
    huge = graphic(GraphicType.CIRCLE, (1e20, 1e20), (0.0, 0.0), is_filled=True)
    draw(graphics(huge), placed())


def test_more_points_than_are_drawn_are_refused() -> None:
    many = graphic(GraphicType.POLYLINE, *[(1.0, 1.0)] * 30)
    with pytest.raises(TooLarge):
        drawn(
            np.zeros((ROWS, COLUMNS), np.uint8), [graphics(many, many)], placed(), 1, (ROWS, COLUMNS), {},
            replace(LIMITS, graphic_points_shown_max=59),
        )  # fmt: skip


def test_styles() -> None:
    line = graphic(
        GraphicType.POLYLINE, (0, 30.5), (80, 30.5), line=LineStyle(thickness=5, opacity=0.5, rgb=(200, 200, 200))
    )
    display = draw(graphics(line), placed())
    assert (display[28:33] == 100).all() and not display[:28].any() and not display[33:].any()
    dashed = graphic(GraphicType.POLYLINE, (0, 30.5), (80, 30.5), line=LineStyle(pattern=0xFFFF0000))
    found = {x for x, _ in lit(draw(graphics(dashed), placed()))}
    assert found >= set(range(32)) | set(range(64, 80)) and not found & set(range(34, 63))
    box = graphic(
        GraphicType.POLYLINE, (10, 10), (50, 10), (50, 40), (10, 40), (10, 10), is_filled=True,
        fill=FillStyle(rgb=(0, 0, 255), opacity=0.5), line=LineStyle(rgb=(255, 0, 0)),
    )  # fmt: skip
    rgb = draw(graphics(box), placed(), background=100)
    assert rgb.shape == (ROWS, COLUMNS, 3)
    assert rgb[20, 20].tolist() == [50, 50, 178] and rgb[10, 30].tolist() == [255, 0, 0]
    assert rgb[5, 5].tolist() == [100, 100, 100]


def test_layers_have_their_colours_and_the_later_is_above() -> None:
    line = graphic(GraphicType.POLYLINE, (0, 30.5), (80, 30.5))
    grey = GraphicLayer(name="A", grey=90)
    coloured = GraphicLayer(name="B", order=1, grey=10, rgb=(0, 255, 0))
    assert draw(graphics(line, layer=grey), placed())[30, 5] == 90
    display = np.zeros((ROWS, COLUMNS), np.uint8)
    both = drawn(
        display, [graphics(line, layer=grey), graphics(line, layer=coloured)], placed(), 1, (ROWS, COLUMNS), {}, LIMITS
    )
    assert both[30, 5].tolist() == [0, 255, 0] and not display.any()


@pytest.mark.parametrize(("rotation", "flip"), TURNS)
def test_texts_stay_upright_in_their_box(rotation: int, flip: bool) -> None:
    placement = placed(rotation, flip, size=(640, 640))
    text = Text(lines=("LONG TEXT 1", "LT"), box=((20.0, 20.0), (60.0, 40.0)))
    found = np.array(sorted(lit(draw(LayerContent(layer=LAYER, texts=(text,)), placement))))
    corners = placement.to_display(np.array([[20.0, 20.0], [60.0, 40.0]]))
    low, high = corners.min(axis=0), corners.max(axis=0)
    assert (found.min(axis=0) >= low - 2).all() and found[:, 1].max() <= high[1] + 2
    first = found[found[:, 1] < low[1] + (found[:, 1].max() - low[1]) / 2]
    second = found[found[:, 1] > low[1] + (found[:, 1].max() - low[1]) / 2]
    assert np.ptp(first[:, 0]) > 2 * np.ptp(second[:, 0])  # the longer line is above: not turned, not mirrored


@pytest.mark.parametrize(("justification", "side"), [("LEFT", 0), ("CENTER", 1), ("RIGHT", 2)])
def test_justification(justification: str, side: int) -> None:
    placement = placed(size=(640, 640))
    text = Text(lines=("ab",), box=((20.0, 20.0), (60.0, 24.0)), justification=justification)
    x = np.array([p[0] for p in lit(draw(LayerContent(layer=LAYER, texts=(text,)), placement))])
    want = (x.min() - 160, (x.min() + x.max()) / 2 - 320, x.max() - 480)[side]
    assert abs(want) <= 4


def test_a_text_that_has_no_box_is_moved_to_where_it_can_be_read() -> None:
    text = Text(lines=("a long annotation", "of two lines"), anchor=(COLUMNS - 0.5, ROWS - 0.5))
    placement = placed(size=(640, 640))
    found = np.array(sorted(lit(draw(LayerContent(layer=LAYER, texts=(text,)), placement))))
    assert (found.max(axis=0) < (placement.width - 1, placement.height - 1)).all() and np.ptp(found[:, 0]) > 80


def test_a_text_in_a_narrow_box_is_written_smaller() -> None:
    widths = []
    for right in (60.0, 24.0):  # of a box that is high enough for large letters
        text = Text(lines=("annotation",), box=((10.0, 10.0), (right, 16.0)))
        found = np.array(sorted(lit(draw(LayerContent(layer=LAYER, texts=(text,)), placed(size=(640, 640))))))
        widths.append(np.ptp(found[:, 0]))
    assert widths[1] <= 14 * 8 + 2 < widths[0]


def test_an_anchor_is_tied_to_its_text() -> None:
    placement = placed(size=(640, 640))
    text = Text(
        lines=("x",), box=((40.0, 10.0), (50.0, 14.0)), anchor=(10.0, 40.0), is_anchor_visible=True, rgb=(255, 255, 255)
    )
    found = lit(draw(LayerContent(layer=LAYER, texts=(text,)), placement))
    assert (80, 320) in found  # its own place, at eight times the size
    hidden = lit(draw(LayerContent(layer=LAYER, texts=(replace(text, is_anchor_visible=False),)), placement))
    assert (80, 320) not in hidden and len(hidden) < len(found)


def test_a_text_outside_of_the_area_is_not_shown() -> None:
    area = DisplayedArea(top_left=(1, 1), bottom_right=(20, 20))
    text = Text(lines=("x",), box=((40.0, 40.0), (50.0, 44.0)))
    assert not lit(draw(LayerContent(layer=LAYER, texts=(text,)), placed(area=area)))


def test_overlays_lie_where_their_origin_says() -> None:
    bits = np.zeros((10, 12), bool)
    bits[2, 3] = bits[9, 11] = True
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    overlay = Overlay(group=0x6000, rows=10, columns=12, origin=(5, 7), bits=packed)
    content = LayerContent(layer=LAYER, overlays=(overlay,))
    assert lit(draw(content, placed())) == {(9, 6), (17, 13)}
    outside = LayerContent(layer=LAYER, overlays=(replace(overlay, origin=(-1, -2)),))
    assert lit(draw(outside, placed())) == {(0, 0), (8, 7)}
    turned = placed(90)
    image = np.zeros((ROWS, COLUMNS), np.uint8)
    image[6, 9] = image[13, 17] = 255
    np.testing.assert_array_equal(draw(content, turned), turned.arranged(image))
    small = draw(content, placed(size=(40, 30)))
    assert 2 <= len(lit(small)) <= 12  # a bit of an overlay does not vanish from a smaller picture


def test_the_images_own_overlays_are_shown_when_a_layer_activates_them() -> None:
    bits = np.zeros((ROWS, COLUMNS), bool)
    bits[3, 4] = True
    content = LayerContent(layer=LAYER, image_overlay_groups=(0x6002,))
    assert lit(draw(content, placed(), image_overlays={0x6000: ~bits, 0x6002: bits})) == {(4, 3)}
    assert not lit(draw(content, placed()))


# captions


@pytest.mark.parametrize("corner", list(Corner))
@pytest.mark.parametrize("background", [0, 128, 255])
def test_captions_are_in_their_corner_and_readable_on_anything(corner: Corner, background: int) -> None:
    display = np.full((400, 600), background, np.uint8)
    written = annotated(display, ["DOE^JANE", "P1 F 19700131"], corner)
    assert written.shape == display.shape and (display == background).all()
    changed = np.argwhere(written != background)
    is_bottom, is_right = "bottom" in corner, "right" in corner
    assert (changed[:, 0] > 200).all() if is_bottom else (changed[:, 0] < 200).all()
    assert (changed[:, 1] > 300).all() if is_right else (changed[:, 1] < 300).all()
    # white letters, dark edge: one of the two differs from every background by half the range
    assert np.abs(written[tuple(changed.T)].astype(int) - background).max() >= 127
    assert len(changed) > 100


def test_a_long_name_is_written_smaller_and_not_cut() -> None:
    display = np.zeros((800, 600), np.uint8)
    long = annotated(display, ["A" * 30], Corner.TOP_LEFT)
    short = annotated(display, ["A" * 5], Corner.TOP_LEFT)
    height = [np.ptp(np.argwhere(image)[:, 0]) for image in (long, short)]
    assert height[0] < height[1]
    assert np.argwhere(long)[:, 1].max() < 590


@pytest.mark.parametrize("line", ["A" * 300, "LONG WORDS " * 30, "x"])
def test_what_is_too_long_for_one_line_is_broken_and_stays_on_its_side(line: str) -> None:
    display = np.zeros((400, 200), np.uint8)
    written = annotated(display, [line], Corner.TOP_LEFT)
    rows, columns = np.argwhere(written).T
    assert columns.max() < 100
    assert np.ptp(rows) > 100 if len(line) > 1 else np.ptp(rows) < 20
    right = annotated(display, [line], Corner.TOP_RIGHT)
    assert np.argwhere(right)[:, 1].min() >= 98


def test_captions_on_colour_are_white() -> None:
    rgb = np.full((800, 600, 3), (200, 0, 0), np.uint8)
    written = annotated(rgb, ["X"], Corner.TOP_LEFT)
    assert (written > 250).all(axis=2).any() and (written < 5).all(axis=2).any()


def written(line: str) -> str:
    return "".join(shown for _, shown in runs_for(line, 20))


def test_characters_that_no_font_has_lose_accents_or_become_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.imaging.presentation import fonts

    monkeypatch.setattr(fonts, "_SYSTEM", ())
    assert written("Müller 12.5 °C") == "Muller 12.5 °C"
    assert written("山田") == "??"
    assert written("plain") == "plain"


def test_letters_of_a_systems_font_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.imaging.presentation import fonts

    if fonts._font("DejaVuSans.ttf", 20) is None:
        pytest.skip("DejaVu Sans (Debian: fonts-dejavu-core) is not installed")
    assert written("Müller Иванов Ω") == "Müller Иванов Ω"


def test_a_line_is_put_together_from_fonts_that_have_its_letters() -> None:
    from engine.imaging.presentation import fonts

    if fonts._font("DejaVuSans.ttf", 20) is None or fonts._font("DroidSansFallbackFull.ttf", 20) is None:
        pytest.skip(
            "DejaVu Sans or Droid Sans Fallback (Debian: fonts-dejavu-core, fonts-droid-fallback) is not installed"
        )
    runs = runs_for("山田^太郎 é?", 20)
    assert "".join(shown for _, shown in runs) == "山田^太郎 é?" and len(runs) > 1
    for font, shown in runs:
        no_character = bytes(font.getmask(chr(0x10FFFF)))
        assert all(bytes(font.getmask(c)) != no_character for c in shown if c != " ")


def test_writing_from_the_right_is_never_drawn_from_the_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.imaging.presentation import fonts

    monkeypatch.setattr(fonts, "_IS_BIDIRECTIONAL", False)
    fonts._has.cache_clear()
    assert written("שלום a") == "???? a"
    fonts._has.cache_clear()


# colours


def test_cielab_is_what_littlecms_makes_of_it() -> None:
    from PIL import Image, ImageCms

    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )  # fmt: skip
    for lightness, a, b in (
        (50, 0, 0),
        (100, 0, 0),
        (0, 0, 0),
        (62, 20, 30),
        (40, -20, 10),
        (70, 10, -25),
        (53, 60, 45),
    ):
        lab = np.array([[[round(lightness * 255 / 100), a & 0xFF, b & 0xFF]]], np.uint8)
        theirs = np.asarray(ImageCms.applyTransform(Image.fromarray(lab, "LAB"), transform))[0, 0]
        stored = (round(lightness * 65535 / 100), round((a + 128) * 257), round((b + 128) * 257))
        assert np.abs(np.array(rgb_of_cielab(stored)) - theirs.astype(int)).max() <= 2


def test_p_values() -> None:
    assert [grey_of_p_value(p) for p in (0, 0x7FFF, 0x8080, 0xFFFF, 70_000, -1)] == [0, 127, 128, 255, 255, 0]
