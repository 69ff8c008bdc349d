"""Standardized uptake value by body weight from a PET image's header (PS3.3 C.8.9.1, C.8.9.2; QIBA's vendor-neutral steps)."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.errors import UnsupportedPixels

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PHILIPS, GE = "Philips PET Private Group", "GEMS_PETD_01"
_DAY = timedelta(days=1)
_DOSE_MIN = 1e5  # Bq; a mouse is given some 5 MBq


def suv_factor(ds: Dataset) -> float:
    """What a modality value is multiplied by to be an SUVbw, in g/ml.

    - ``GML``: 1, where the type of SUV is by body weight or not said;
    - ``CNTS``: the factor in Philips' private group, or by its activity factor as ``BQML``;
    - ``BQML``: weight in g / dose in Bq, the dose decayed from its injection to the time that pixels are corrected to:
      ``START`` is the start of the scan, ``ADMIN`` the injection itself.

    Raises
    ------
    UnsupportedPixels : says which attribute is missing or not as needed; a wrong SUV is worse than none.
    """
    units = str(ds.get("Units") or "")
    if units == "GML":
        kind = str(ds.get("SUVType") or "BW")
        if kind != "BW":
            raise UnsupportedPixels(f"an SUV of type {kind}, where body weight is meant")
        return 1.0
    if units == "CNTS":
        factor = _private(ds, 0x7053, PHILIPS, 0x00)
        if factor:
            return factor
        activity = _private(ds, 0x7053, PHILIPS, 0x09)
        if not activity:
            raise UnsupportedPixels("PET counts without the Philips SUV or activity factor")
        return activity * _by_activity(ds)
    if units == "BQML":
        return _by_activity(ds)
    raise UnsupportedPixels(f"PET units {units or 'missing'}, from which no SUV can be made")


def _by_activity(ds: Dataset) -> float:
    corrected = ds.get("CorrectedImage") or []
    corrections = {str(c) for c in ([corrected] if isinstance(corrected, str) else corrected)}
    if not {"ATTN", "DECY"} <= corrections:
        raise UnsupportedPixels("SUV: the image is not corrected for attenuation and decay (Corrected Image)")
    weight = _positive(ds.get("PatientWeight"), "Patient Weight")
    items = ds.get("RadiopharmaceuticalInformationSequence") or []
    if len(items) != 1:
        raise UnsupportedPixels(f"SUV: {len(items)} radiopharmaceuticals, where one is needed")
    drug = items[0]
    dose = _positive(drug.get("RadionuclideTotalDose"), "Radionuclide Total Dose")
    if dose < _DOSE_MIN:
        raise UnsupportedPixels(f"SUV: a dose of {dose:g} Bq makes no image; it is probably written in another unit")
    decay = str(ds.get("DecayCorrection") or "")
    if decay == "ADMIN":
        return weight * 1000.0 / dose
    if decay != "START":
        raise UnsupportedPixels(f"SUV: Decay Correction {decay or 'missing'}")
    half_life = _positive(drug.get("RadionuclideHalfLife"), "Radionuclide Half Life")
    waited = (_scan_start(ds) - _injection(ds, drug)).total_seconds()
    if not 0 <= waited < 20 * half_life:
        raise UnsupportedPixels("SUV: the scan does not follow the injection within twenty half-lives")
    return weight * 1000.0 / (dose * math.pow(2.0, -waited / half_life))


def _scan_start(ds: Dataset) -> datetime:
    """The moment that decay is corrected to: Series Time unless that was set later than the first acquisition."""
    series = _moment(ds.get("SeriesDate"), ds.get("SeriesTime"))
    acquisition = _moment(ds.get("AcquisitionDate"), ds.get("AcquisitionTime"))
    if series is not None and (acquisition is None or series <= acquisition):
        return series
    stamp = _private_text(ds, 0x0009, GE, 0x0D)
    private = _moment(stamp[:8], stamp[8:]) if stamp else None
    if private is not None:
        return private
    reference, duration = ds.get("FrameReferenceTime"), ds.get("ActualFrameDuration")
    drugs = ds.get("RadiopharmaceuticalInformationSequence") or []
    half_life = float(drugs[0].get("RadionuclideHalfLife") or 0) if drugs else 0.0
    if acquisition is None or reference is None or duration is None or not half_life:
        raise UnsupportedPixels(
            "SUV: the start of the scan is not in the header (Series Time is later than the acquisition)"
        )
    # Frame Reference Time is when the average activity was there; it counts from the start of the scan.
    rate = math.log(2) / half_life
    span = rate * float(duration) / 1000.0
    average = math.log(span / (1 - math.exp(-span))) / rate if span > 0 else 0.0
    return acquisition + timedelta(seconds=average - float(reference) / 1000.0)


def _injection(ds: Dataset, drug: Dataset) -> datetime:
    stamp = str(drug.get("RadiopharmaceuticalStartDateTime") or "")
    moment = _moment(stamp[:8], stamp[8:])
    if moment is not None:
        return moment
    day = str(ds.get("SeriesDate") or ds.get("AcquisitionDate") or "")
    moment = _moment(day, drug.get("RadiopharmaceuticalStartTime"))
    if moment is None:
        raise UnsupportedPixels("SUV: Radiopharmaceutical Start Time is missing")
    start = _scan_start(ds)
    return moment - _DAY if moment > start else moment  # only a time of day: injected before midnight


def _moment(date: object, time: object) -> datetime | None:
    day, clock = str(date or "").replace(".", "").strip(), str(time or "").replace(":", "").strip()
    clock = clock.split("+")[0].split("-")[0].split("&")[0]
    if len(day) != 8 or len(clock) < 4:
        return None
    whole, _, fraction = clock.partition(".")
    try:
        start = datetime.strptime(day + whole.ljust(6, "0")[:6], "%Y%m%d%H%M%S")
        return start + timedelta(seconds=float(f"0.{fraction}") if fraction else 0.0)
    except ValueError:
        return None


def _positive(value: object, name: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not (math.isfinite(number) and number > 0):
        raise UnsupportedPixels(f"SUV: {name} is missing")
    return number


def _private(ds: Dataset, group: int, creator: str, element: int) -> float:
    text = _private_text(ds, group, creator, element)
    try:
        return float(text) if text else 0.0
    except ValueError:
        return 0.0


def _private_text(ds: Dataset, group: int, creator: str, element: int) -> str:
    """A private element as text, wherever its creator has reserved a block (PS3.5 7.8.1)."""
    for block in range(0x10, 0x100):
        reserved = ds.get((group, block))
        if reserved is not None and str(reserved.value).strip() == creator:
            found = ds.get((group, block << 8 | element))
            value = found.value if found is not None else ""
            return value.decode("ascii", "replace").strip(" \0") if isinstance(value, bytes) else str(value).strip()
    return ""
