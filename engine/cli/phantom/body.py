"""The phantom's anatomy: what is where in an adult's chest and upper abdomen, in mm and Hounsfield units (arterial phase).

x to the patient's left, y to the back, z to the head (PS3.3 C.7.6.2.1.1); z is 0 at the thoracic inlet. No measured patient
is behind it: the shapes are simple ones, bent and textured by random fields until they look alive.
"""

from __future__ import annotations

import math

import numpy as np

from engine.cli.phantom.abdomen import abdomen
from engine.cli.phantom.bones import bones
from engine.cli.phantom.canvas import Canvas, Lattice, Plane, integers, noise, profile, soft_min
from engine.cli.phantom.mediastinum import airways, great_vessels, heart, mediastinum
from engine.cli.phantom.regions import (
    AIR,
    DEPTH,
    EXTENT_MM,
    FAT,
    FIELD_MM,
    LUNG,
    MIDDLE,
    MUSCLE,
    WIDTH,
    dome_height,
    in_liver,
    in_lung,
)
from engine.cli.phantom.vessels import VesselTree


class Body:
    """Everything that all slices of one phantom share; `hounsfield` paints one. Read-only, so threads may share it."""

    def __init__(self, rows: int, columns: int, seed: int) -> None:
        self._shape = (rows, columns)
        self._seed = seed
        self.pixel = FIELD_MM / max(rows, columns)
        axes = [
            (np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2)) * np.float32(self.pixel) for n in (columns, rows)
        ]
        self._axes: tuple[Plane, Plane] = (axes[0], axes[1])
        # The body fills about half of the image; the rest is air and the table.
        self._at = (
            slice(*(int(i) for i in np.searchsorted(axes[1], (-126.0, 130.0)))),
            slice(*(int(i) for i in np.searchsorted(axes[0], (-192.0, 192.0)))),
        )
        x, y = axes[0][self._at[1]], axes[1][self._at[0]]
        self._x, self._y = x, y
        self._bend_x, self._bend_y = (Lattice((seed, 1, i), 42, x, y, EXTENT_MM) for i in range(2))
        self._coarse = Lattice((seed, 2, 0), 17, x, y, EXTENT_MM)
        self._middle = Lattice((seed, 2, 1), 6.5, x, y, EXTENT_MM)
        self._fine = Lattice((seed, 2, 2), 2.6, x, y, EXTENT_MM)
        self._table = self._make_table()
        self._noise_sd = self._make_noise_sd()
        self._lungs = [
            VesselTree((seed, 3, i), root, box, in_lung, 1500, 0.62, 7.0)
            for i, (root, box) in enumerate(
                (
                    ((-36.0, 10.0, -118.0), ((-140.0, -95.0, -275.0), (-8.0, 95.0, -14.0))),
                    ((38.0, 8.0, -114.0), ((8.0, -95.0, -275.0), (140.0, 95.0, -14.0))),
                )
            )
        ]
        self._liver = VesselTree(
            (seed, 4), (-28.0, -8.0, -258.0), ((-130.0, -85.0, -310.0), (40.0, 75.0, -192.0)), in_liver, 220, 1.0, 6.5
        )
        self._bowel = (integers((seed, 5), 64 * 8).reshape(64, 8) / 65536 + 0.5).tolist()

    def hounsfield(self, z: float) -> Plane:
        """The noise-free plane at height `z` (0 to -375 mm): float32 (rows, columns)."""
        bend_x, bend_y = self._bend_x.at(z), self._bend_y.at(z)
        x, y = self._x[None, :] + 5 * bend_x, self._y[:, None] + 4 * bend_y
        canvas = Canvas(x, y, self._table[self._at].copy(), self._x, self._y, z, self.pixel)
        coarse, middle, fine = self._coarse.at(z), self._middle.at(z), self._fine.at(z)
        cavity = canvas.ellipse(0, profile(z, *MIDDLE), profile(z, *WIDTH), profile(z, *DEPTH))
        _body_wall(canvas, cavity, coarse, middle)
        if z < -150:
            abdomen(canvas, cavity, coarse, middle, fine, self._bowel, self._liver)
        if z > -290:
            self._chest(canvas, cavity, coarse, middle, fine)
        great_vessels(canvas)
        bones(canvas, cavity, middle, fine)
        image = self._table.copy()
        image[self._at] = canvas.hu
        return image

    def noisy(self, z: float, key: int) -> Plane:
        """`hounsfield` with the quantum noise of slice number `key`."""
        image = self.hounsfield(z)
        grain = noise((self._seed, 6, key), *self._shape)
        grain *= self._noise_sd
        # Shoulders and the dense abdomen let fewer quanta through than the lungs.
        grain *= np.float32(profile(z, (0, 1.45), (-45, 1.0), (-150, 0.85), (-260, 1.1)))
        image += grain
        return image

    def _make_table(self) -> Plane:
        columns, rows = self._axes
        image = np.full(self._shape, AIR, np.float32)
        canvas = Canvas(
            np.broadcast_to(columns[None, :], self._shape),
            np.broadcast_to(rows[:, None], self._shape),
            image,
            columns,
            rows,
            0.0,
            self.pixel,
        )
        # A shallow cradle: mattress, carbon shell, foam core, shell.
        top = 119 - canvas.x * canvas.x * np.float32(1 / 900)
        side = 196 - np.abs(canvas.x)
        for hu, upper, lower in ((-905, 0.0, 9.0), (-90, 9.0, 11.2), (-965, 11.2, 33.0), (-90, 33.0, 35.2)):
            depth = canvas.y - top
            canvas.paint(hu, np.minimum(np.minimum(depth - upper, lower - depth), side))
        return image

    def _make_noise_sd(self) -> Plane:
        """HU; most where the way through the body is longest."""
        columns, rows = self._axes
        r2 = (columns / np.float32(215))[None, :] ** 2 + (rows / np.float32(165))[:, None] ** 2
        sd: Plane = np.float32(4.5) + 11 * np.maximum(0, 1 - r2)
        return sd

    def _chest(self, canvas: Canvas, cavity: Plane, coarse: Plane, middle: Plane, fine: Plane) -> None:
        z = canvas.z
        between = mediastinum(canvas)
        diaphragm = (z - dome_height(canvas.x, canvas.y)) * np.float32(0.55)
        space = soft_min(np.minimum(cavity, -between), diaphragm, 8)
        lung = canvas.coverage(space)
        # Inside of the ribs, between the lungs: fat, then the organs.
        inner = np.minimum(cavity, diaphragm)
        canvas.paint(FAT + 16 * coarse, inner)
        heart(canvas)
        # More blood at the back of a patient who lies on it.
        canvas.blend(LUNG + 18 * coarse + 22 * middle + 16 * fine + 0.22 * canvas.y, lung)
        for tree, side in zip(self._lungs, (-1, 1), strict=True):
            part = canvas.around(side * 76.0, 0.0, 72.0, 105.0)
            alpha = tree.coverage(part)
            alpha *= lung[part.window]
            part.blend(70, alpha)
        # Fissures: a hair of soft tissue.
        for side, tilt in ((-1, 0.75), (1, 0.8)):
            part = canvas.around(side * 80.0, 0.0, 70.0, 100.0)
            plane = (part.y - 8 + (z + 135) * tilt) * np.float32(0.75)
            alpha = part.coverage(0.35 - np.abs(plane))
            alpha *= lung[part.window]
            part.blend(-600, alpha, 0.55)
        airways(canvas)


def _body_wall(canvas: Canvas, cavity: Plane, coarse: Plane, middle: Plane) -> None:
    """Skin, fat, muscle, and the fat of the abdomen."""
    z = canvas.z
    half_width = profile(z, (0, 183), (-50, 176), (-120, 168), (-230, 157), (-300, 153), (-375, 158))
    half_depth = profile(z, (0, 88), (-60, 104), (-150, 113), (-250, 110), (-375, 106))
    # Boxier than an ellipse, and flat where it lies on the table.
    u, v = canvas.x * np.float32(1 / half_width), canvas.y * np.float32(1 / half_depth)
    u *= u
    v *= v
    r = np.sqrt(np.maximum(u + v - np.float32(0.32) * u * v, 0))
    body = soft_min((1 - r) * np.float32(math.sqrt(half_width * half_depth)), 111 - canvas.y, 10)
    fat = profile(z, (0, 7), (-80, 10), (-180, 13), (-280, 17), (-375, 22))
    canvas.paint(FAT + 14 * middle, body)
    canvas.paint(18, 1.1 - np.abs(body - 1.0))
    muscle = body - fat + 3 * coarse
    canvas.paint(MUSCLE + 7 * middle, muscle)
    # Fat between the muscles where the wall is thick: sheets that follow the wall.
    sheet = np.abs(muscle - 15 - 9 * coarse)
    if z > -90:
        sheet = np.minimum(sheet, np.abs(muscle - 33 - 11 * coarse))
    sheet = np.minimum(0.9 + 2.2 * middle - sheet, np.minimum(muscle - 4, -cavity - 11))
    canvas.paint(FAT, sheet, 0.9)
    if z > -130:
        for side in (-1, 1):
            canvas.blob(FAT + 12 * middle, (side * 128.0, 2.0, -62.0), (20.0, 26.0, 60.0), (1, side * 0.4))
            canvas.blob(MUSCLE, (side * 126.0, 4.0, -70.0), (4.5, 3.5, 30.0), (1, side * 0.9))  # a node
    if z < -150:
        canvas.paint(FAT + 12 * middle, soft_min(cavity, body - fat - 7, 10))
    # The long muscles of the back, with the fat round them.
    back = profile(z, (0, 56), (-60, 76), (-150, 83), (-375, 82))
    for side in (-1, 1):
        size = profile(z, (0, 15), (-120, 17), (-250, 20), (-375, 24))
        canvas.blob(FAT, (side * 35.0, back, z), (size + 6, 17.0, 1.0), (1, side * -0.18), body - 4)
        canvas.blob(MUSCLE + 9 * middle, (side * 35.0, back, z), (size + 3.5, 14.0, 1.0), (1, side * -0.18), body - 6)
