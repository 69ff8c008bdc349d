"""Work of pictures with additions, counted, and what only a service brings together: blending, masks, overlays, colours."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
import pytest
from archives import incoming
from PIL import Image
from presenting import (
    FRAME_OF_REFERENCE_UID,
    IMAGE_UID,
    SEGMENT_COLUMNS,
    SEGMENT_ROWS,
    Array,
    ct_image,
    image_reference,
    item,
    segmentation_of,
    state_of,
    window,
    written,
)
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.dicom.caption import CaptionKind
from engine.dicom.presentation import StateKind
from engine.errors import InvalidParameter, TooLarge
from engine.executors import Executors
from engine.imaging.spec import RenderSpec
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.frames import PNG, FrameService
from engine.stream.presented import Additions, PresentedService
from engine.types import Timings

LIMITS = Limits()
RNG = np.random.default_rng(3)


class House:
    """An archive in memory and the services over it."""

    def __init__(self, *instances: Dataset | bytes, limits: Limits = LIMITS) -> None:
        self.archive = Archive.in_memory(LIMITS)
        self.archive.store([incoming(one if isinstance(one, bytes) else written(one)) for one in instances])
        self.executors = Executors(2)
        frames = FrameService(self.archive, self.executors, limits, Metrics())
        self.service = PresentedService(self.archive, frames, self.executors, limits)

    def record(self, uid: str) -> InstanceRecord:
        return self.archive.instance(uid)

    def asked(self, uid: str, frame_index: int = 0, **additions: Any) -> Awaitable[bytes]:
        wanted = Additions(**additions)
        record = self.record(uid)
        return self.service.rendered(record, frame_index, RenderSpec(), wanted, PNG, 0, Timings())

    def shown(self, uid: str, frame_index: int = 0, **additions: Any) -> Array:
        async def run() -> bytes:
            return await self.asked(uid, frame_index, **additions)

        return np.asarray(Image.open(io.BytesIO(asyncio.run(run()))))


@pytest.fixture
def houses() -> Iterator[list[House]]:
    made: list[House] = []
    yield made
    for house in made:
        house.executors.close()


def image(uid: str, z: float = 0.0, size: tuple[int, int] = (16, 20), **attributes: Any) -> Dataset:
    values = RNG.integers(0, 4096, size).astype(np.uint16)
    return ct_image(values, uid=uid, bits_stored=12, **({"ImagePositionPatient": [0, 0, z]} | attributes))


def state_for(of: Dataset, *references: Dataset, kind: StateKind = StateKind.GRAYSCALE, **attributes: Any) -> Dataset:
    ds = state_of(of, kind, **({"SoftcopyVOILUTSequence": [window(2000, 4000)]} | attributes))
    if references:
        ds.ReferencedSeriesSequence[0].ReferencedImageSequence = list(references)
    return ds


def ramp(values: Array, center: float, width: float) -> Array:
    return np.clip(((values - (center - 0.5)) / (width - 1) + 0.5) * 255.0, 0, 255)


def test_a_series_with_one_state_reads_and_parses_it_once(houses: list[House]) -> None:
    images = [image(f"1.2.3.4.{n}", z=float(n)) for n in range(1, 9)]
    state = state_for(images[0], *(image_reference(str(one.SOPInstanceUID)) for one in images))
    house = House(*images, state)
    houses.append(house)
    shown_through, reads = house.record("1.2.3.5.1"), house.archive.reads

    async def fling() -> None:
        # the first ones at once, as a reader asks who opens the series
        await asyncio.gather(*(house.asked(str(one.SOPInstanceUID), state=shown_through) for one in images[:4]))
        for one in images * 2:
            await house.asked(str(one.SOPInstanceUID), state=shown_through)

    asyncio.run(fling())
    assert house.archive.reads - reads == 1 + 4 + 16  # the state, and each picture's frame, which is native


def test_segmentations_and_places_are_parsed_once(houses: list[House]) -> None:
    images = [image(IMAGE_UID, size=(SEGMENT_ROWS, SEGMENT_COLUMNS))]
    house = House(*images, segmentation_of())
    houses.append(house)
    over, reads = house.record("1.2.3.6.1"), house.archive.reads
    for _ in range(5):
        house.shown(IMAGE_UID, segmentations=(over,))
    # both headers once; for each picture the image and its two segments, of which this plane has one frame each
    assert house.archive.reads - reads == 2 + 5 * 3
    reads = house.archive.reads
    for _ in range(3):
        house.shown(IMAGE_UID, captions=(CaptionKind.PATIENT, CaptionKind.TECHNIQUE))
    assert house.archive.reads - reads == 1 + 3


def test_equal_requests_are_one_picture(houses: list[House]) -> None:
    house = House(image(IMAGE_UID), state_for(image(IMAGE_UID)))
    houses.append(house)
    state, reads = house.record("1.2.3.5.1"), house.archive.reads

    async def ask() -> set[bytes]:
        return set(await asyncio.gather(*(house.asked(IMAGE_UID, state=state) for _ in range(8))))

    assert len(asyncio.run(ask())) == 1
    assert house.archive.reads - reads == 2


@pytest.mark.parametrize("syntax", ["deflated", "big", "implicit"])
def test_states_of_every_encoding(houses: list[House], syntax: str) -> None:
    of = image(IMAGE_UID)
    state = state_for(of, SoftcopyVOILUTSequence=[window(1000, 1500)])
    state.file_meta.TransferSyntaxUID = {
        "deflated": DeflatedExplicitVRLittleEndian, "big": pydicom.uid.ExplicitVRBigEndian,
        "implicit": pydicom.uid.ImplicitVRLittleEndian,
    }[syntax]  # fmt: skip
    buffer = io.BytesIO()
    pydicom.dcmwrite(
        buffer, state, implicit_vr=syntax == "implicit", little_endian=syntax != "big", enforce_file_format=True
    )
    house = House(of, buffer.getvalue())
    houses.append(house)
    shown = house.shown(IMAGE_UID, state=house.record("1.2.3.5.1"))
    assert np.abs(shown - ramp(of.pixel_array, 1000, 1500)).max() <= 0.51


def test_a_state_of_another_study_is_not_for_this_image(houses: list[House]) -> None:
    of = image(IMAGE_UID)
    house = House(of, state_for(of, StudyInstanceUID="1.2.99"))
    houses.append(house)
    with pytest.raises(InvalidParameter, match="presentationUID"):
        house.shown(IMAGE_UID, state=house.record("1.2.3.5.1"))


def test_a_header_beyond_its_limit_is_not_parsed(houses: list[House]) -> None:
    of = image(IMAGE_UID)
    house = House(of, state_for(of), limits=replace(LIMITS, presentation_bytes_max=100))
    houses.append(house)
    with pytest.raises(TooLarge, match="presentation_bytes_max"):
        house.shown(IMAGE_UID, state=house.record("1.2.3.5.1"))


def test_a_mask_frame_is_subtracted(houses: list[House]) -> None:
    values = RNG.integers(0, 2000, (3, 10, 12)).astype(np.uint16)
    of = ct_image(values, bits_stored=12)
    mask = item(MaskOperation="AVG_SUB", MaskFrameNumbers=[1], ContrastFrameAveraging=1)
    state = state_for(of, MaskSubtractionSequence=[mask], RecommendedViewingMode="SUB",
                      SoftcopyVOILUTSequence=[window(0, 4000)])  # fmt: skip
    house = House(of, state)
    houses.append(house)
    shown = house.shown(IMAGE_UID, 2, state=house.record("1.2.3.5.1"))
    assert np.abs(shown - ramp(values[2].astype(float) - values[0], 0, 4000)).max() <= 0.51


def test_the_images_own_overlay_is_shown_in_the_layer_that_activates_it(houses: list[House]) -> None:
    of = image(IMAGE_UID, size=(8, 16))
    bits = RNG.integers(0, 2, (8, 16)).astype(np.uint8)
    for element, vr, value in ((0x10, "US", 8), (0x11, "US", 16), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
                               (0x100, "US", 1), (0x102, "US", 0),
                               (0x3000, "OW", np.packbits(bits.ravel(), bitorder="little").tobytes())):  # fmt: skip
        of.add_new(0x60000000 | element, vr, value)
    state = state_for(of, GraphicLayerSequence=[item(GraphicLayer="L", GraphicLayerOrder=1)])
    state.add_new(0x60001001, "CS", "L")
    house = House(of, state)
    houses.append(house)
    shown = house.shown(IMAGE_UID, state=house.record("1.2.3.5.1"))
    expected = np.where(bits, 255, ramp(of.pixel_array, 2000, 4000))
    assert np.abs(shown - expected).max() <= 0.51


def palette_state(under: list[Dataset], above: list[Dataset]) -> tuple[Dataset, Array]:
    """A blending state of two series with half opacity, and its palette of 256 colours."""
    ds = state_of(under[0], StateKind.BLENDING)
    del ds.ReferencedSeriesSequence
    palette = RNG.integers(0, 256, (256, 3))
    for place, colour in enumerate(("Red", "Green", "Blue")):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 8])
        setattr(ds, f"{colour}PaletteColorLookupTableData", palette[:, place].astype(np.uint8).tobytes())
    ds.RelativeOpacity = 0.5
    ds.BlendingSequence = [
        item(
            BlendingPosition=position, StudyInstanceUID=members[0].StudyInstanceUID,
            ReferencedSeriesSequence=[
                item(SeriesInstanceUID=members[0].SeriesInstanceUID,
                     ReferencedImageSequence=[image_reference(str(one.SOPInstanceUID)) for one in members])
            ],
            RescaleSlope=1, RescaleIntercept=0, RescaleType="US", SoftcopyVOILUTSequence=[window(2048, 4096)],
        )
        for position, members in (("SUPERIMPOSED", above), ("UNDERLYING", under))
    ]  # fmt: skip
    return ds, palette


def test_a_blending_state_finds_the_other_series_frame_by_its_plane(houses: list[House]) -> None:
    under = [image(f"1.2.3.4.{n}", z=float(n), size=(6, 8)) for n in (1, 2, 3)]
    # Twice as coarse, in another order, in another study, and not there at the third place.
    above = [
        image(f"1.7.1.{n}", z=float(n), size=(3, 4), SeriesInstanceUID="1.7.1", StudyInstanceUID="1.7",
              ImagePositionPatient=[0.5, 0.5, float(n)], PixelSpacing=[2, 2],
              FrameOfReferenceUID=FRAME_OF_REFERENCE_UID)
        for n in (2, 1)
    ]  # fmt: skip
    state, palette = palette_state(under, above)
    house = House(*under, *above, state)
    houses.append(house)
    record = house.record("1.2.3.5.1")
    grey = np.rint(ramp(under[1].pixel_array, 2048, 4096))
    index = np.rint(ramp(above[0].pixel_array, 2048, 4096)).astype(int)
    shown = house.shown("1.2.3.4.2", state=record).astype(float)
    assert shown.shape == (6, 8, 3)
    # Where four pixels of the finer image meet the centre of none, the colours go between: those of constant areas remain.
    low = np.array([palette[index].reshape(-1, 3).min(axis=0), palette[index].reshape(-1, 3).max(axis=0)])
    assert (shown >= 0.5 * grey[:, :, None] + 0.5 * low[0] - 1.5).all()
    assert (shown <= 0.5 * grey[:, :, None] + 0.5 * low[1] + 1.5).all()
    # the corners lie outside of the outermost centres, and take their colour
    for y, x, j, i in ((0, 0, 0, 0), (5, 7, 2, 3), (0, 7, 0, 3), (5, 0, 2, 0)):
        assert np.abs(shown[y, x] - (0.5 * grey[y, x] + 0.5 * palette[index[j, i]])).max() <= 1.5
    alone = house.shown("1.2.3.4.3", state=record)
    assert np.abs(alone - ramp(under[2].pixel_array, 2048, 4096)).max() <= 0.51

    async def listed() -> list[str]:
        return [one.sop_instance_uid for one, _ in await house.service.shown_by(record, Timings())]

    assert asyncio.run(listed()) == ["1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"]


def test_a_blending_state_whose_other_series_is_not_here_says_so(houses: list[House]) -> None:
    from engine.errors import InstanceNotFound

    under, above = [image("1.2.3.4.1", size=(6, 8))], [image("1.7.1.1", SeriesInstanceUID="1.7.1")]
    house = House(*under, palette_state(under, above)[0])
    houses.append(house)
    with pytest.raises(InstanceNotFound, match=r"1\.7\.1\.1"):
        house.shown("1.2.3.4.1", state=house.record("1.2.3.5.1"))


def test_a_colour_image_through_a_colour_state(houses: list[House]) -> None:
    of = image(IMAGE_UID, size=(6, 8))
    rgb = RNG.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    of.SamplesPerPixel, of.PhotometricInterpretation, of.PlanarConfiguration = 3, "RGB", 0
    of.BitsAllocated = of.BitsStored = 8
    of.HighBit, of.PixelData = 7, rgb.tobytes()
    state = state_for(of, kind=StateKind.COLOR, ImageRotation=180, ImageHorizontalFlip="N")
    del state.SoftcopyVOILUTSequence
    house = House(of, state)
    houses.append(house)
    np.testing.assert_array_equal(house.shown(IMAGE_UID, state=house.record("1.2.3.5.1")), rgb[::-1, ::-1])


def test_a_label_maps_segments_are_told_apart(houses: list[House]) -> None:
    labels = RNG.integers(0, 4, (2, SEGMENT_ROWS, SEGMENT_COLUMNS)).astype(np.uint8)
    of = image(IMAGE_UID, size=(SEGMENT_ROWS, SEGMENT_COLUMNS))
    house = House(of, segmentation_of("LABELMAP", segments=(1, 2, 3), values=labels))
    houses.append(house)
    shown = house.shown(IMAGE_UID, segmentations=(house.record("1.2.3.6.1"),), opacity=1.0)
    colours = {tuple(shown[labels[0] == n][0]) for n in (1, 2, 3)}
    assert len(colours) == 3
    for n in (1, 2, 3):
        assert (shown[labels[0] == n] == shown[labels[0] == n][0]).all()
    assert (np.ptp(shown[labels[0] == 0], axis=1) == 0).all()  # grey where there is none
