"""``values=``, ``voi=``, ``iccprofile=`` and ``overlays=`` of a real server: against numpy and Little CMS, and used wrongly."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import requests
from data import make_instance
from pictures import image, lut_item, part10
from PIL import Image, ImageCms
from pydicom.dataset import Dataset
from serving import Serving, parts_of

Array = np.ndarray[Any, Any]
AT = "/dicom-web/studies/1.2.3/series/1.2.3.4/instances"
ROWS, COLUMNS = 24, 40
GREY = (np.arange(ROWS * COLUMNS, dtype=np.uint16) * 29 % 4096).reshape(ROWS, COLUMNS)
COLOURS = np.random.default_rng(5).integers(0, 256, (ROWS, COLUMNS, 3)).astype(np.uint8)

WEIGHT_KG, DOSE_BQ, HALF_LIFE_S, WAITED_S = 82.5, 3.1e8, 6586.2, 3723.0
PET_SLOPE = 7.5

PLAIN, MEASURED, PET, COLOUR, PROFILED, OVERLAID, LUTS, PET_BARE = (f"1.2.3.4.{n}" for n in range(1, 9))


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def named(uid: str, ds: Any) -> bytes:
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid
    return part10(ds)


def measured() -> Any:
    maps = []
    for label, slope, units in (("ADC", 0.25, "um2/s"), ("T2", 2.0, "ms")):
        one = item(LUTLabel=label, RealWorldValueSlope=slope, RealWorldValueIntercept=-10.0)
        one.add_new("RealWorldValueFirstValueMapped", "US", 0)
        one.add_new("RealWorldValueLastValueMapped", "US", 4095)
        one.MeasurementUnitsCodeSequence = [item(CodeValue=units, CodingSchemeDesignator="UCUM", CodeMeaning=units)]
        maps.append(one)
    return image(GREY, "MR", RealWorldValueMappingSequence=maps)


def pet(**attributes: Any) -> Any:
    drug = item(
        RadionuclideTotalDose=str(DOSE_BQ),
        RadionuclideHalfLife=str(HALF_LIFE_S),
        RadiopharmaceuticalStartTime="093000",
    )
    about: dict[str, Any] = {
        "Units": "BQML",
        "DecayCorrection": "START",
        "CorrectedImage": ["ATTN", "DECY", "SCAT"],
        "PatientWeight": str(WEIGHT_KG),
        "SeriesDate": "20200131",
        "SeriesTime": "103203",  # 1 h 2 min 3 s later
        "AcquisitionDate": "20200131",
        "AcquisitionTime": "103203",
        "RescaleSlope": str(PET_SLOPE),
        "RescaleIntercept": "0",
        "RadiopharmaceuticalInformationSequence": [drug],
    }
    return image(GREY, "PT", **(about | attributes))


@cache  # a profile says when it was made
def other_profile() -> bytes:
    """A profile whose primaries and gamma are not those of sRGB, so that a conversion shows."""
    import imagecodecs

    made: bytes = imagecodecs.cms_profile(
        "rgb", whitepoint=(0.3127, 0.3290), primaries=(0.64, 0.33, 0.21, 0.71, 0.15, 0.06), gamma=1.7
    )
    return made


def overlaid() -> Any:
    bits = np.zeros((ROWS, COLUMNS), bool)
    bits[3:9, 5:31] = True
    ds = image(GREY)
    ds.add_new(0x60000010, "US", ROWS)
    ds.add_new(0x60000011, "US", COLUMNS)
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", 1)
    ds.add_new(0x60000102, "US", 0)
    ds.add_new(0x60003000, "OW", np.packbits(bits, bitorder="little").tobytes())
    return ds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    steps = np.repeat(np.arange(0, 256, 16), 256).astype(np.uint16)  # 4096 entries of 8 bits
    with_luts = image(
        GREY, "DX", VOILUTSequence=[lut_item(0, steps, 8, "Steps"), lut_item(0, 255 - steps, 8, "Turned")]
    )
    contents = [
        make_instance(PLAIN, rows=ROWS, columns=COLUMNS),
        named(MEASURED, measured()),
        named(PET, pet()),
        named(COLOUR, image(COLOURS, photometric="RGB")),
        named(PROFILED, image(COLOURS, photometric="RGB", ICCProfile=other_profile())),
        named(OVERLAID, overlaid()),
        named(LUTS, with_luts),
        named(PET_BARE, pet(PatientWeight=None)),
    ]
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*contents).status_code == 200
        yield running


def ask(server: Serving, uid: str, query: str, where: str = "rendered") -> requests.Response:
    return server.get(f"{AT}/{uid}/{where}?{query}", "image/png")


def picture(server: Serving, uid: str, query: str) -> Array:
    answer = ask(server, uid, query)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png"), answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def between(values: Array, low: float, high: float) -> Array:
    return np.clip((values - low) / (high - low), 0, 1) * 255.0


def assert_close(mine: Array, want: Array) -> None:
    assert mine.shape == want.shape
    assert np.abs(mine.astype(float) - want).max() <= 1


def test_real_world_values_by_the_first_map_by_name_and_by_number(server: Serving) -> None:
    adc, t2 = GREY * 0.25 - 10.0, GREY * 2.0 - 10.0
    assert_close(picture(server, MEASURED, "values=real-world&window=200,300"), between(adc, 50, 350))
    assert_close(picture(server, MEASURED, "values=real-world&voi=t2&window=2000,1000"), between(t2, 1500, 2500))
    assert_close(picture(server, MEASURED, "values=real-world&voi=2&window=2000,1000"), between(t2, 1500, 2500))
    assert_close(picture(server, MEASURED, "values=real-world"), between(adc, adc.min(), adc.max()))


def test_standardised_uptake_values(server: Serving) -> None:
    left = DOSE_BQ * math.exp(-math.log(2.0) * WAITED_S / HALF_LIFE_S)
    suv = GREY * PET_SLOPE * (WEIGHT_KG * 1000.0) / left
    assert 4 < suv.max() < 30  # or the windows below would show nothing
    assert_close(picture(server, PET, "values=suv"), between(suv, 0.0, 10.0))
    assert_close(picture(server, PET, "values=suv&window=2.5,3"), between(suv, 1.0, 4.0))


def test_a_voi_lut_by_its_explanation(server: Serving) -> None:
    steps = (GREY // 256 * 16).astype(float)
    assert_close(picture(server, LUTS, ""), steps)
    assert_close(picture(server, LUTS, "voi=turned"), 255.0 - steps)
    assert_close(picture(server, LUTS, "voi=2"), 255.0 - steps)


def test_overlays_are_drawn_where_asked_for(server: Serving) -> None:
    plain, drawn = picture(server, OVERLAID, "overlays=false"), picture(server, OVERLAID, "overlays=true")
    want = plain.copy()
    want[3:9, 5:31] = 255
    np.testing.assert_array_equal(drawn, want)
    np.testing.assert_array_equal(picture(server, OVERLAID, ""), plain)
    assert (plain[3:9, 5:31] != 255).any()
    # an image without any is none the worse
    np.testing.assert_array_equal(picture(server, PLAIN, "overlays=true"), picture(server, PLAIN, ""))


def profile_of(picture: bytes) -> bytes | None:
    found = Image.open(io.BytesIO(picture)).info.get("icc_profile")
    assert found is None or isinstance(found, bytes)
    return found


def by_pillow(own: bytes, target: bytes) -> Array:
    """Pillow has its own build of Little CMS, and its own way to call it."""
    source, wanted = (ImageCms.ImageCmsProfile(io.BytesIO(one)) for one in (own, target))
    done = ImageCms.profileToProfile(Image.fromarray(COLOURS), source, wanted, outputMode="RGB")
    assert done is not None
    return np.asarray(done).astype(float)


@pytest.mark.clause("PS3.18 8.3.5.1.5")
def test_no_profile_and_the_images_own(server: Serving) -> None:
    for query in ("", "iccprofile=no"):
        bare = ask(server, PROFILED, query)
        assert profile_of(bare.content) is None
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(bare.content))), COLOURS)
    own = ask(server, PROFILED, "iccprofile=yes")
    assert profile_of(own.content) == other_profile()
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(own.content))), COLOURS)
    jpeg = server.get(f"{AT}/{PROFILED}/rendered?iccprofile=yes", "image/jpeg")
    assert profile_of(jpeg.content) == other_profile()


@pytest.mark.parametrize("name", ["srgb", "adobergb", "rommrgb", "displayp3"])
def test_colours_are_converted_from_the_profile_of_the_image(server: Serving, name: str) -> None:
    answer = ask(server, PROFILED, f"iccprofile={name}")
    target = profile_of(answer.content)
    assert target
    shown = np.asarray(Image.open(io.BytesIO(answer.content))).astype(float)
    assert np.abs(shown - by_pillow(other_profile(), target)).max() <= 1
    assert np.abs(shown - COLOURS).mean() > 2


def test_srgb_is_what_an_image_without_a_profile_has(server: Serving) -> None:
    answer = ask(server, COLOUR, "iccprofile=srgb")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), COLOURS)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_of(answer.content) or b""))
    srgb = ImageCms.profileToProfile(Image.fromarray(COLOURS), profile, ImageCms.createProfile("sRGB"))
    assert srgb is not None
    assert np.abs(np.asarray(srgb).astype(float) - COLOURS).max() <= 1


def test_frames_and_thumbnails_take_the_same_parameters(server: Serving) -> None:
    frame = ask(server, PET, "values=suv", "frames/1/rendered")
    assert frame.content == ask(server, PET, "values=suv").content
    thumbnail = ask(server, OVERLAID, "overlays=true&viewport=40,24", "thumbnail")
    assert thumbnail.content == ask(server, OVERLAID, "overlays=true&viewport=40,24").content
    parts = parts_of(server.get(f"{AT}/{PET}/frames/1,1/rendered?values=suv", "multipart/related; type=image/png"))
    assert [body for _, body in parts] == [frame.content] * 2


@pytest.mark.parametrize(
    ("uid", "query", "status", "said"),
    [
        (PLAIN, "values=hounsfield", 400, ("values", "hounsfield", "real-world", "suv")),
        (PLAIN, "iccprofile=cmyk", 400, ("iccprofile", "cmyk", "adobergb", "displayp3")),
        (PLAIN, "overlays=maybe", 400, ("overlays", "maybe", "true", "false")),
        (PLAIN, "overlay=true", 400, ("overlay", "overlays")),
        (PLAIN, "voi=bone", 400, ("voi", "bone", "nothing")),
        (LUTS, "voi=bone", 400, ("voi", "bone", "1 Steps; 2 Turned")),
        (LUTS, "voi=3", 400, ("voi", "1 Steps; 2 Turned")),
        (LUTS, "voi=1&window=40,400", 400, ("voi", "no window beside it")),
        (MEASURED, "values=real-world&voi=T1", 400, ("voi", "T1", "1 ADC [um2/s]; 2 T2 [ms]")),
        (MEASURED, "values=real-world&voi=0", 400, ("voi", "1 ADC [um2/s]; 2 T2 [ms]")),
        (COLOUR, "values=real-world", 400, ("values", "colour")),
        (PET, "values=suv&window=5,0", 400, ("window", "width")),
        (PLAIN, "values=real-world", 406, ("real world values",)),
        (PLAIN, "values=suv", 406, ("SUV", "CT")),
        (PET_BARE, "values=suv", 406, ("SUV", "Patient Weight")),
    ],
)
def test_wrong_use_is_told_what_is_wrong(
    server: Serving, uid: str, query: str, status: int, said: tuple[str, ...]
) -> None:
    answer = ask(server, uid, query)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    for words in said:
        assert words in answer.json()["detail"]
