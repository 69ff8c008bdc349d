"""What lies between the phantom's lungs, and its great vessels down to the kidneys (arterial phase)."""

from __future__ import annotations

from engine.cli.phantom.canvas import Canvas, Plane, Point, profile, section, soft_max
from engine.cli.phantom.regions import (
    AIR,
    AORTA,
    CAVA,
    FAT,
    PULMONARY,
)


def great_vessels(canvas: Canvas) -> None:
    """Aorta and its branches, cava, pulmonary trunk, oesophagus."""
    canvas.tube(
        44, ((4, 30, 5), (6, 34, -80), (8, 32, -150), (12, 22, -205), (26, -4, -228)), (7.5, 7.5, 8, 8.5, 9)
    )  # oesophagus
    canvas.tube(-700, ((5, 31, 5), (7, 35, -80), (9, 33, -120)), (1.6, 1.3, 0.6))
    if canvas.z > -150:
        canvas.tube(
            PULMONARY, ((-2, -46, -140), (10, -34, -112), (28, 0, -108), (44, 12, -113)), (14, 14, 11, 7.5), 1, 50
        )
        canvas.tube(PULMONARY, ((10, -32, -112), (-14, -4, -117), (-36, 8, -119), (-52, 14, -124)), (12, 10.5, 9, 6.5))
        canvas.tube(
            AORTA, ((-46, 20, -134), (-20, 20, -132), (30, 20, -130), (52, 24, -136)), (5, 7, 7, 5)
        )  # lung veins
        canvas.tube(430, ((-34, -6, 5), (-28, -14, -40), (-27, -16, -90), (-28, -18, -130)), (7, 9, 9.5, 10))
        canvas.tube(230, ((48, -20, -8), (10, -38, -42), (-26, -17, -58)), (5.5, 6, 7))  # left brachiocephalic vein
        for path in (
            ((-9, -14, -66), (-16, -4, -40), (-27, 6, 5)),
            ((4, 2, -64), (12, 4, -35), (22, 4, 5)),
            ((13, 18, -64), (26, 18, -35), (44, 10, 5)),
        ):
            canvas.tube(AORTA, path, (6.5, 5.5, 4.2))
    arch = (
        (-3, -16, -142),
        (-16, -24, -110),
        (-13, -19, -84),
        (0, 0, -69),
        (14, 22, -68),
        (23, 40, -84),
        (25, 46, -112),
    )
    canvas.tube(AORTA, arch, (16, 15.5, 14.5, 13.5, 13, 12.5, 12.5), 1.3, 62)
    down = ((25, 46, -112), (22, 46, -170), (12, 40, -212), (5, 30, -250), (3, 29, -320), (2, 31, -380))
    canvas.tube(AORTA, down, (12.5, 12, 11.5, 10, 9.5, 9), 1.3, 62)
    cava = ((-26, 31, -380), (-26, 28, -300), (-27, 20, -240), (-27, 2, -200), (-29, -8, -168))
    canvas.tube(CAVA, cava, (10.5, 11, 12, 12, 12), 0.8, 45)
    if canvas.z < -225:
        canvas.tube(AORTA, ((4, 24, -252), (6, 10, -256), (-14, 2, -254)), (4, 3.5, 2.6))  # coeliac, hepatic
        canvas.tube(AORTA, ((6, 10, -256), (40, 18, -252), (84, 34, -250)), (3.4, 3, 2.2))  # splenic
        canvas.tube(AORTA, ((3, 20, -270), (4, 6, -285), (0, -8, -340), (-8, -14, -380)), (4, 4, 3.6, 3))  # mesenteric
        canvas.tube(190, ((-28, -8, -258), (-8, -4, -268), (-6, -6, -300), (-12, -16, -380)), (7, 7, 6, 4.5))  # portal
        canvas.tube(185, ((-8, -4, -268), (36, 12, -258), (82, 34, -254)), (5.5, 5, 4))
        for side in (-1, 1):
            canvas.tube(AORTA, ((3, 29, -296), (side * 24, 34, -299), (side * 48, 46, -302)), (3.2, 2.8, 2.0))
            canvas.tube(CAVA + 25, ((-24, 26, -290), (side * 24, 26, -292), (side * 48, 44, -298)), (4.5, 4.2, 3.2))


def heart(canvas: Canvas) -> None:
    """Pericardium, muscle and the four chambers (centre, radii, turn of each)."""
    axis = (1.0, 0.55)
    canvas.blob(FAT, (23, -29, -156), (62, 47, 52), axis)
    canvas.blob(40, (23, -29, -157), (59.5, 44.5, 49), axis, strength=0.7)
    canvas.blob(FAT + 6, (23, -29, -157), (58, 43, 47.5), axis)
    canvas.blob(102, (42, -19, -160), (42, 33, 45), axis)
    canvas.blob(92, (4, -40, -156), (43, 27, 40), (1, 0.3))
    canvas.blob(95, (-32, -20, -150), (25, 30, 36))
    canvas.blob(95, (10, 12, -130), (40, 23, 27))
    canvas.blob(AORTA + 5, (44, -18, -159), (30, 21.5, 36), axis)
    canvas.blob(250, (2, -42, -154), (37, 22, 36), (1, 0.3))
    canvas.blob(240, (-33, -19, -150), (22, 27, 33))
    canvas.blob(AORTA, (9, 13, -130), (37, 20, 24))
    # Papillary muscles, and the coronaries in the fat of the grooves.
    for x, y in ((50.0, -27.0), (52.0, -9.0)):
        canvas.blob(115, (x, y, -168), (5, 4, 14))
    canvas.tube(310, ((-8, -24, -112), (-22, -46, -128), (-20, -56, -160), (-2, -58, -190)), (2.0, 1.8, 1.6, 1.2))
    canvas.tube(310, ((8, -26, -112), (24, -50, -126), (40, -62, -150), (62, -52, -184)), (2.2, 1.9, 1.6, 1.2))
    canvas.tube(310, ((12, -22, -114), (40, 2, -124), (62, 8, -146)), (2.0, 1.7, 1.2))


def airways(canvas: Canvas) -> None:
    """Trachea and the first bronchi: every wall first, so that none crosses the air of another."""
    tubes: list[tuple[tuple[Point, ...], tuple[float, ...], float]]
    tubes = [(((0, 10, 5), (1, 15, -60), (2, 20, -94)), (8.5, 8.8, 9.5), 1.7)]
    for side, turn in ((-1, 0.0), (1, 4.0)):
        hilum = (side * 34, 24, -117 - turn)
        down = ((2, 20, -94), (side * 20, 23, -108), hilum, (side * 44, 27, -140), (side * 52, 38, -175))
        tubes += [
            (down, (8, 7, 6, 4, 2.2), 1.3),
            ((hilum, (side * 50, 10, -98), (side * 62, 4, -74)), (4.5, 3.2, 1.8), 1.0),
            ((hilum, (side * 52, 6, -128), (side * 68, -24, -138)), (4.2, 3, 1.6), 1.0),
        ]
    for path, radii, wall in tubes:
        canvas.tube(20, path, [r + wall for r in radii])
    for path, radii, _ in tubes:
        canvas.tube(AIR + 15, path, radii)


def mediastinum(canvas: Canvas) -> Plane:
    """Distance to what lies between the lungs, positive inside."""
    z = canvas.z
    width = profile(z, (0, 40), (-30, 34), (-80, 31), (-120, 36), (-150, 28), (-220, 26))
    shape = canvas.ellipse(2, 10, width, 66)
    anterior = canvas.ellipse(2, -60, 10 if z < -60 else 20, 34)
    spine = canvas.ellipse(0, 62, 30, 27)
    shape = soft_max(soft_max(shape, anterior, 14), spine, 12)
    f = section(z + 152, 62)
    if f > 0:
        shape = soft_max(shape, canvas.ellipse(23, -29, 66 * f, 51 * f, (1, 0.55)), 14)
    return shape
