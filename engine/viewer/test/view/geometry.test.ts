// Where things are: letters at the edges, lines in which planes meet, what a turned image does to both.
import { describe, expect, it } from 'vitest';
import { frameHeader, type FrameHeader } from '../../src/view/dicom/frame';
import { STANDARD, mirrored, toImage, toScreen, turned, zoomed } from '../../src/view/draw/camera';
import { apply } from '../../src/view/draw/matrix';
import { edgesOf } from '../../src/view/geometry/letters';
import { cutLine, nearestPosition, patientPoint, pixelPoint, placed } from '../../src/view/geometry/planes';

function frame(orientation: number[], position: number[], more: Record<string, { Value: unknown[] }> = {}): FrameHeader {
  return frameHeader(
    {
      '00200032': { Value: position }, '00200037': { Value: orientation }, '00200052': { Value: ['1.9'] }, '00280030': { Value: [2, 1] },
      '00280010': { Value: [100] }, '00280011': { Value: [200] }, ...more,
    },
    1,
  );
}
const AXIAL = frame([1, 0, 0, 0, 1, 0], [-100, -100, 40]);
const CORONAL = frame([1, 0, 0, 0, 0, -1], [-100, 0, 100]);

describe('letters', () => {
  it('of an axial and a coronal image are those of every atlas', () => {
    expect(edgesOf(AXIAL, STANDARD)).toEqual({ top: 'A', right: 'L', bottom: 'P', left: 'R' });
    expect(edgesOf(CORONAL, STANDARD)).toEqual({ top: 'H', right: 'L', bottom: 'F', left: 'R' });
  });

  it('turn with the image, and change sides in the mirror', () => {
    expect(edgesOf(AXIAL, turned(STANDARD))).toEqual({ top: 'R', right: 'A', bottom: 'L', left: 'P' });
    expect(edgesOf(AXIAL, mirrored(STANDARD))).toEqual({ top: 'A', right: 'R', bottom: 'P', left: 'L' });
    expect(edgesOf(AXIAL, mirrored(turned(STANDARD)))).toEqual({ top: 'R', right: 'P', bottom: 'L', left: 'A' });
  });

  it('of a projection are what the header says, and their opposites', () => {
    const projection = frameHeader({ '00200020': { Value: ['L', 'F'] } }, 1);
    expect(edgesOf(projection, STANDARD)).toEqual({ top: 'H', right: 'L', bottom: 'F', left: 'R' });
    for (const [said, other] of [['R', 'L'], ['A', 'P'], ['P', 'A'], ['H', 'F'], ['LP', 'RA'], ['X', '']]) {
      expect(edgesOf(frameHeader({ '00200020': { Value: [said, 'F'] } }, 1), STANDARD).left).toBe(other);
    }
    const animal = { '00102210': { Value: ['QUADRUPED'] } };
    for (const [said, other] of [['LE', 'RT'], ['CD', 'CR'], ['V', 'D'], ['M', ''], ['L', '']]) {
      expect(edgesOf(frameHeader({ ...animal, '00200020': { Value: [said, 'V'] } }, 1), STANDARD).left).toBe(other);
    }
  });

  it('of an animal are an animal’s', () => {
    expect(edgesOf(frame([1, 0, 0, 0, 1, 0], [0, 0, 0], { '00102210': { Value: ['QUADRUPED'] } }), STANDARD)).toEqual({ top: 'V', right: 'LE', bottom: 'D', left: 'RT' });
  });

  it('are none where nothing is said, or what is said is no direction', () => {
    const none = { top: '', right: '', bottom: '', left: '' };
    expect(edgesOf(frameHeader({}, 1), STANDARD)).toEqual(none);
    expect(edgesOf(frame([1, 0, 0, 1, 0, 0], [0, 0, 0]), STANDARD)).toEqual(none);
    expect(edgesOf(frame([0, 0, 0, 0, 0, 0], [0, 0, 0]), STANDARD)).toEqual(none);
  });
});

describe('planes', () => {
  it('a coronal one cuts an axial one in a line from right to left', () => {
    const [on, of] = [placed(AXIAL), placed(CORONAL)];
    const line = on && of && cutLine(on, of);
    // y = 0 in the patient: 100 mm below the middle of the first pixel, which is 2 mm tall.
    expect(line?.map(({ x, y }) => [Math.round(x), y]).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))).toEqual([[0, 50.5], [200, 50.5]]);
  });

  it('that are parallel, or of another space, meet nowhere', () => {
    const on = placed(AXIAL);
    const other = placed(frame([1, 0, 0, 0, 0, -1], [0, 0, 0], { '00200052': { Value: ['1.8'] } }));
    expect(on && cutLine(on, on)).toBeUndefined();
    expect(on && other && cutLine(on, other)).toBeUndefined();
  });

  it('a pixel goes to the patient and back', () => {
    const on = placed(CORONAL);
    if (on === undefined) throw new Error('it says where it is');
    expect(patientPoint(on, { x: 0.5, y: 0.5 })).toEqual([-100, 0, 100]);
    const back = pixelPoint(on, patientPoint(on, { x: 17.25, y: 3 }));
    expect([back.x, back.y]).toEqual([17.25, 3]);
  });

  it('the nearest frame is the nearest plane', () => {
    const planes = [0, 5, 10].map((z) => frame([1, 0, 0, 0, 1, 0], [0, 0, z]).plane);
    expect([nearestPosition(planes, [900, 900, 7]), nearestPosition([undefined, ...planes], [0, 0, 100]), nearestPosition([], [0, 0, 0])]).toEqual([1, 3, undefined]);
  });
});

describe('the camera', () => {
  const image = { columns: 200, rows: 100, aspect: 2 };
  const view = { width: 400, height: 300 };
  it('fits the image, as tall as it is in the patient', () => {
    const m = toScreen(STANDARD, image, view);
    expect(apply(m, { x: 0, y: 0 })).toEqual({ x: 50, y: 0 });
    expect(apply(m, { x: 200, y: 100 })).toEqual({ x: 350, y: 300 });
  });

  it('keeps what is below the hand there, however it is turned', () => {
    const around = { x: 300, y: 80 };
    for (const camera of [STANDARD, turned(STANDARD), mirrored(turned(turned(STANDARD)))]) {
      const before = toImage(camera, image, view, around);
      const after = toImage(zoomed(camera, image, view, 1.7, around), image, view, around);
      expect([after.x, after.y]).toEqual([expect.closeTo(before.x, 6), expect.closeTo(before.y, 6)]);
    }
  });

  it('at 1:1 lies on whole pixels', () => {
    const m = toScreen({ ...STANDARD, zoom: 1 }, { columns: 201, rows: 101, aspect: 1 }, view);
    expect([m.e, m.f].every(Number.isInteger)).toBe(true);
  });
});
