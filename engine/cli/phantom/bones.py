"""The phantom's bones: ribs and cartilage, spine with its canal, sternum, scapulae, clavicles."""

from __future__ import annotations

import math

import numpy as np

from engine.cli.phantom.canvas import Canvas, Plane, profile, soft_max
from engine.cli.phantom.regions import (
    DEPTH,
    FAT,
    MIDDLE,
    MUSCLE,
)

_RIB_PITCH, _RIB_SLOPE = 27.0, 0.72


def bones(canvas: Canvas, cavity: Plane, middle: Plane, fine: Plane) -> None:
    z = canvas.z
    _ribs(canvas, cavity, fine)
    _spine(canvas, middle, fine)
    if -182 < z < -40:  # sternum: it lies in front of the cavity
        front = profile(z, *MIDDLE) - profile(z, *DEPTH) - 8
        wide = profile(z, (-40, 26), (-75, 17), (-160, 19), (-182, 6))
        part = canvas.around(0.0, front, wide, 12.0)
        plate = part.ellipse(0, front, wide, 7.0)
        part.paint(620, plate)
        part.paint(190 + 70 * fine[part.window], plate - 1.6)
    if z > -150:
        for side in (-1, 1):
            blade = ((side * 84, 72, -148), (side * 92, 74, -110), (side * 108, 66, -60), (side * 120, 56, -12))
            for a in blade:  # thin plates between these and the shoulder's edge
                edge = (side * 150.0, 18.0, -35.0)
                canvas.tube(430, (a, edge), (3.0, 4.5))
            canvas.tube(520, ((side * 100, 78, -48), (side * 128, 66, -34), (side * 156, 34, -14)), (4, 5, 6))
            canvas.blob(560, (side * 160.0, 10.0, 4.0), (20, 21, 26))
            canvas.blob(230 + 60 * middle, (side * 160.0, 10.0, 4.0), (17.5, 18.5, 23))
            clavicle = ((side * 22, -44, -42), (side * 70, -40, -20), (side * 120, -16, -4), (side * 150, -6, 8))
            canvas.tube(720, clavicle, (7.5, 6, 6, 6.5))
            canvas.tube(240, clavicle, (5.3, 3.2, 3.2, 4))


def _ribs(canvas: Canvas, cavity: Plane, fine: Plane) -> None:
    """All ribs by one formula: bands round the cavity that fall from the spine to the front, one every 27 mm."""
    out = -cavity - 5.0
    at, wall = canvas.near(out, 4.6 + 1.5 * canvas.pixel)  # a fifth of the plane
    out = np.take(out, at)
    fall = np.float32(_RIB_SLOPE) * (np.float32(62) - wall.y)
    u = (canvas.z + 4 + fall) * np.float32(-1 / _RIB_PITCH)
    nearest = np.rint(u)
    off = (u - nearest) * np.float32(_RIB_PITCH)
    f, g = out * np.float32(1 / 4.6), off * np.float32(1 / 6.6)
    shape = (1 - np.sqrt(f * f + g * g)) * np.float32(5.4)
    exists = np.minimum(nearest + 0.5, 11.5 - nearest) * 50
    shape = np.minimum(np.minimum(shape, exists), np.abs(wall.x) - 16)
    # Lower ribs end farther back; in front, cartilage carries on to the sternum.
    bone = wall.y + np.float32(58) - np.maximum(nearest - 6, 0) * 20
    wall.paint(108, np.minimum(shape, np.where(nearest < 7, -bone, np.float32(-5))))
    rib = np.minimum(shape, bone)
    wall.paint(830, rib)
    wall.paint(260 + 120 * np.take(fine, at), rib - 1.5)
    np.put(canvas.hu, at, wall.hu)


def _spine(canvas: Canvas, middle: Plane, fine: Plane) -> None:
    z = canvas.z
    pitch = 29.0
    level = (-z + 8) / pitch
    place = (level - math.floor(level)) * pitch  # mm below the upper end plate
    width = profile(z, (0, 15), (-150, 17.5), (-375, 23))
    depth = profile(z, (0, 11), (-150, 15), (-375, 17))
    front = profile(z, (0, 40), (-90, 56), (-200, 58), (-375, 52))
    canal = front + depth + 8.5
    waist = 1 - 0.1 * math.sqrt(max(0.0, 1 - ((place - 11.5) / 11.5) ** 2)) if place < 23 else 1.02
    part = canvas.around(0.0, front + 16, 60.0, 52.0)
    window = part.window
    part.paint(
        MUSCLE, soft_max(part.ellipse(0, front + 6, width + 5, depth + 9), part.ellipse(0, canal + 9, 20, 18), 10)
    )
    vertebra = part.ellipse(0, front, width * waist, depth * waist)
    if place < 23:  # bone; the last 6 mm of each level are disc
        plate = min(place, 23 - place)
        part.paint(640, vertebra)
        part.paint(210 + 70 * fine[window] + 40 * middle[window], vertebra - 1.6, 0.35 if plate < 1.3 else 1.0)
    else:
        part.paint(92, vertebra)
        part.paint(70, vertebra - 5)
    pedicle = 1 - abs(place - 8) / 7
    lamina = 1 - abs(place - 14) / 9
    for side in (-1, 1):
        if pedicle > 0:
            part.tube(
                560,
                ((side * 11, front + depth - 3, z), (side * 13, canal + 6, z)),
                (4.5 * pedicle + 1, 4.5 * pedicle + 1),
            )
            wing = profile(z, (0, 34), (-200, 30), (-300, 38))
            part.tube(480, ((side * 14, canal + 6, z), (side * wing, canal + 12, z)), (4.6 * pedicle, 3.6 * pedicle))
            part.tube(
                230, ((side * 14, canal + 6, z), (side * wing * 0.9, canal + 11.5, z)), (2.2 * pedicle, 1.4 * pedicle)
            )
        if lamina > 0:
            part.tube(600, ((side * 12, canal + 7, z), (0, canal + 15, z)), (3.4 * lamina + 0.6, 3.6 * lamina + 0.6))
        else:  # facet joints
            part.tube(620, ((side * 13, canal + 7, z), (side * 9, canal + 10, z)), (4.6, 4.0))
    part.tube(560, ((0, canal + 14, z), (0, canal + 25, z)), (2.2 + max(0.0, lamina), 2.6 + max(0.0, lamina)))
    part.paint(FAT + 20, part.ellipse(0, canal, 10.2, 8.8))
    part.paint(14, part.ellipse(0, canal, 9, 7.6))
    part.paint(42, part.ellipse(0, canal, 5.2, 4.0))
