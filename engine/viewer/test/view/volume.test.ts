// A series as a volume: what is one, its axes, and the planes that are cut through it.
import { describe, expect, it } from 'vitest';
import { frameHeader, type FrameHeader } from '../../src/view/dicom/frame';
import { cutOf, placeOf, volumeOf } from '../../src/view/geometry/volume';
import type { GreyPixels } from '../../src/view/image/pixels';
import { Voxels } from '../../src/view/load/voxels';

const [COLUMNS, ROWS, COUNT] = [8, 6, 5];

function frame(position: number[], orientation = [1, 0, 0, 0, 1, 0], more: Record<string, { Value: unknown[] }> = {}): FrameHeader {
  return frameHeader(
    {
      '00200032': { Value: position }, '00200037': { Value: orientation }, '00200052': { Value: ['1.9'] }, '00280030': { Value: [1, 1] },
      '00280010': { Value: [ROWS] }, '00280011': { Value: [COLUMNS] }, '00280101': { Value: [12] }, ...more,
    },
    1,
  );
}
const axial = (step = 2) => Array.from({ length: COUNT }, (_, n) => frame([0, 0, step * n]));

describe('a volume', () => {
  it('is of even cuts, in either order', () => {
    expect(volumeOf(axial())?.axes[2]).toMatchObject({ step: 2, count: COUNT, direction: [0, 0, 1] });
    expect(volumeOf(axial(-2))?.axes[2].direction).toEqual([-0, -0, -1]);
  });

  it.each([
    ['too few', axial().slice(0, 3)],
    ['one left out', axial().filter((_, n) => n !== 2)],
    ['a tilted gantry', Array.from({ length: COUNT }, (_, n) => frame([0, n, 2 * n]))],
    ['two in one place', axial(0)],
    ['one turned', [...axial().slice(0, 4), frame([0, 0, 8], [0, 1, 0, 1, 0, 0])]],
    ['another size of pixels', [...axial().slice(0, 4), frame([0, 0, 8], undefined, { '00280030': { Value: [1, 2] } })]],
    ['no place', [...axial().slice(0, 4), frameHeader({}, 1)]],
  ])('is none: %s', (_, frames) => expect(volumeOf(frames)).toBeUndefined());
});

describe('planes', () => {
  // Stored value: column + 10 × row + 100 × frame.
  const volume = volumeOf(axial());
  if (volume === undefined) throw new Error('it is a volume');
  const fill = (voxels: Voxels) => {
    for (let n = 0; n < COUNT; n++) {
      const values = Uint16Array.from({ length: COLUMNS * ROWS }, (_, at) => (at % COLUMNS) + 10 * Math.floor(at / COLUMNS) + 100 * n);
      const pixels: GreyPixels = { kind: 'grey', width: COLUMNS, height: ROWS, halvings: 0, values };
      expect(voxels.put(n, pixels, frame([0, 0, 2 * n]))).toBe(true);
    }
  };
  const voxels = new Voxels(volume, frame([0, 0, 0]));
  fill(voxels);

  it('are seen as readers do, head up', () => {
    const coronal = voxels.plane(cutOf(volume, 'coronal'), 3, 1);
    expect([coronal.width, coronal.height, coronal.halvings]).toEqual([COLUMNS, COUNT, 0]);
    expect([...coronal.values.slice(0, COLUMNS)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((x) => x + 30 + 400));
    const sagittal = voxels.plane(cutOf(volume, 'sagittal'), 2, 1);
    expect([...sagittal.values.slice(0, ROWS)]).toEqual([0, 1, 2, 3, 4, 5].map((y) => 2 + 10 * y + 400));
  });

  it('know where they are', () => {
    const cut = cutOf(volume, 'coronal');
    expect(placeOf(volume, cut, { across: 4, down: 0, through: 3 })).toEqual([4, 3, 8]);
  });

  it('of a slab are its largest values', () => {
    expect(voxels.plane(cutOf(volume, 'coronal'), 2, 3).values[0]).toBe(30 + 400);
    expect(voxels.plane(cutOf(volume, 'axial'), 0, 9).values[0]).toBe(400);
  });

  it('are as fine as their coarsest frame', () => {
    const some = new Voxels(volume, frame([0, 0, 0]));
    expect(some.plane(cutOf(volume, 'coronal'), 0, 1).halvings).toBe(Infinity);
    fill(some);
    const half: GreyPixels = { kind: 'grey', width: COLUMNS / 2, height: ROWS / 2, halvings: 1, values: new Uint16Array((COLUMNS * ROWS) / 4) };
    expect(some.put(2, half, frame([0, 0, 4]))).toBe(false);
    const other = new Voxels(volume, frame([0, 0, 0]));
    other.put(0, { ...half, values: Uint16Array.from({ length: 12 }, (_, at) => at) }, frame([0, 0, 0]));
    expect([other.fineness(0), other.fineness(1)]).toEqual([1, Infinity]);
    expect([...other.plane(cutOf(volume, 'axial'), 0, 1).values.slice(0, COLUMNS)]).toEqual([0, 1, 1, 2, 2, 3, 3, 3]);
  });

  it('have the values of one rescale, whatever each frame’s own is', () => {
    const mixed = new Voxels(volume, frame([0, 0, 0], undefined, { '00281052': { Value: [0] }, '00281053': { Value: [2] } }));
    const values = new Uint16Array(COLUMNS * ROWS).fill(100);
    mixed.put(0, { kind: 'grey', width: COLUMNS, height: ROWS, halvings: 0, values }, frame([0, 0, 0], undefined, { '00281052': { Value: [10] }, '00281053': { Value: [1] } }));
    expect(mixed.plane(cutOf(volume, 'axial'), 0, 1).values[0]).toBe(55);
  });
});
