"""The phantom below its diaphragm: liver, spleen, stomach, kidneys, pancreas, bowel, and the muscles behind them."""

from __future__ import annotations

import numpy as np

from engine.cli.phantom.canvas import Canvas, Plane, profile, section, soft_max, soft_min
from engine.cli.phantom.regions import (
    AIR,
    FAT,
    LIVER,
    MUSCLE,
    dome_height,
)
from engine.cli.phantom.vessels import VesselTree


def abdomen(
    canvas: Canvas,
    cavity: Plane,
    coarse: Plane,
    middle: Plane,
    fine: Plane,
    bowel: list[list[float]],
    portal: VesselTree,
) -> None:
    z = canvas.z
    below = (dome_height(canvas.x, canvas.y).astype(np.float32) - z) * np.float32(0.55)
    inside = np.minimum(cavity - 1.5, below - 1.5)
    canvas.paint(MUSCLE, np.minimum(np.minimum(cavity, below), 1.8 - np.minimum(cavity, below)))  # diaphragm
    # Behind the peritoneum.
    for side in (-1, 1):
        canvas.blob(MUSCLE + 8 * middle, (side * 37.0, 48.0, -375.0), (17, 21, 105), (1, side * -0.5), cavity + 8)
        canvas.blob(MUSCLE, (side * 66.0, 66.0, -375.0), (21, 9, 80), (1, side * -0.3), cavity + 9)
        if z < -215:
            canvas.blob(45, (side * 30.0, 38.0, -238.0), (3.0, 12.0, 16.0), (1, side * 0.5))  # adrenal
    for x, y, zc in ((-62.0, 42.0, -318.0), (62.0, 42.0, -304.0)):
        turn = (1.0, -0.75 if x < 0 else 0.75)
        canvas.blob(178 + 14 * middle, (x, y, zc), (27, 24, 55), turn)
        for i in range(7):  # pyramids, then the sinus with its fat and vessels
            px, py, pz = bowel[i][:3]
            canvas.blob(
                104, (x + 22 * (px - 0.5), y + 20 * (py - 0.5), zc + 76 * (pz - 0.5)), (8, 7, 10), turn, strength=0.9
            )
        sinus = x + (11 if x < 0 else -11)
        canvas.blob(FAT + 10, (sinus, y + 1, zc), (14, 8, 26), (1, 0.1 if x < 0 else -0.1))
        canvas.blob(30, (sinus, y + 1, zc), (5, 4, 16))
    _bowel(canvas, inside, middle, fine, bowel)
    canvas.blob(105 + 10 * middle, (97.0, 36.0, -250.0), (21, 41, 50), (1, 0.55), inside - 1)  # spleen
    if -330 < z < -225:
        pancreas = ((-22, 2, -298), (-10, -6, -282), (14, 0, -270), (44, 12, -262), (74, 26, -256))
        canvas.tube(84, pancreas, (13, 10, 9, 9, 7))
    # The stomach: wall, fluid with food, and air above it, because the patient lies on the back.
    f = section(z + 244, 53)
    if f > 0.05:
        part = canvas.around(52.0, -20.0, 62.0, 62.0)
        shape = part.ellipse(48, -34, 55 * f, 36 * f, (1, -0.35))
        fundus = section(z + 226, 28)
        if fundus > 0.05:
            shape = soft_max(shape, part.ellipse(64, 4, 36 * fundus, 34 * fundus), 14)
        shape = soft_min(shape, inside[part.window], 6)
        part.paint(72, shape)
        part.paint(24 + 34 * np.maximum(middle[part.window], -0.2), shape - 3.2)
        part.paint(AIR, np.minimum(shape - 3.2, -50 - canvas.y_axis[part.window[0]][:, None]))
    # The liver fills the right side below its dome; the left lobe reaches over in front.
    edge = profile(z, (-180, 20), (-205, 52), (-235, 34), (-265, 2), (-300, -42), (-330, -86), (-352, -160))
    part = canvas.around(-62.0, -4.0, 120.0, 100.0)
    window = part.window
    limit: Plane = part.y * 0.72  # slanted: the left lobe lies in front
    limit += part.x
    limit -= edge
    limit *= -0.8
    floor = profile(z, (-300, 95), (-345, 30))
    liver = soft_min(soft_min(limit, inside[window] - 1, 12), -(part.y - floor), 10)
    alpha = part.coverage(liver)
    part.blend(LIVER + 5 * coarse[window] + 8 * middle[window], alpha)
    vessels = portal.coverage(part)
    vessels *= alpha
    part.blend(LIVER + 62, vessels)
    for path in (
        ((-27, 6, -204), (-66, 10, -214), (-96, 28, -232)),
        ((-27, 2, -202), (-48, -30, -216), (-52, -56, -232)),
    ):
        canvas.tube(LIVER + 40, path, (6, 4.5, 2.5))
    canvas.blob(14, (-44.0, -40.0, -292.0), (13, 19, 25), (1, 0.4))  # gallbladder, its wall too thin to see
    canvas.blob(8, (-92.0, 8.0, -238.0), (7, 7, 7))  # a cyst, to have something to find


def _bowel(canvas: Canvas, inside: Plane, middle: Plane, fine: Plane, bowel: list[list[float]]) -> None:
    z = canvas.z
    if z > -262:
        return
    for px, py, pz, rx, ry, rz, content, turn in bowel:
        centre = (-78 + 160 * px, -64 + 72 * py, -302 - 92 * pz)
        radii = (14 + 14 * rx, 11 + 6 * ry, 13 + 10 * rz)
        axis = (1.0, 2 * turn - 1)
        f = section(z - centre[2], radii[2])
        if f < 0.35:
            continue
        part = canvas.around(centre[0], centre[1], radii[0] * f, radii[0] * f)
        loop = soft_min(
            part.ellipse(centre[0], centre[1], radii[0] * f, radii[1] * f, axis), inside[part.window] - 2, 5
        )
        part.paint(95, loop)
        part.paint(22 + 30 * content, loop - 2.0)
        if content > 0.8:
            level = centre[1] - 2 - part.y_axis[:, None]
            part.paint(AIR, np.minimum(loop - 2.4, level))
    stool = 20 + 130 * np.minimum(middle, 0.3) - 420 * np.maximum(fine + 0.6 * middle - 0.35, 0)
    for x, y, zc, rz, r in ((-104.0, 6.0, -370.0, 62.0, 25.0), (108.0, 18.0, -345.0, 85.0, 18.0)):
        canvas.blob(70, (x, y, zc), (r, r + 3, rz), inside=inside - 2)
        canvas.blob(stool, (x, y, zc), (r - 2.5, r + 0.5, rz - 4), inside=inside - 4.5)
        canvas.blob(AIR, (x + 2, y - r * 0.55, zc), (r * 0.62, r * 0.4, rz - 8), inside=inside - 5)
    arc = ((-88, -22, -330), (-50, -56, -318), (0, -66, -322), (50, -60, -312), (92, -20, -292))
    canvas.tube(75, arc, (17, 16, 15, 15, 15))
    canvas.tube(-820, arc, (14, 13.4, 12.4, 12.4, 12.4))
