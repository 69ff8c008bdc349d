// Rays through volumes: which side is which, what a ray meets, and that passing over what is not seen changes nothing.
import { describe, expect, it } from 'vitest';
import { frameHeader, type Vector } from '../../src/view/dicom/frame';
import { STANDARD } from '../../src/view/draw/camera';
import { edgesOf } from '../../src/view/geometry/letters';
import type { Volume } from '../../src/view/geometry/volume';
import { Block } from '../../src/view/volume/block';
import { factorsOf, Grid } from '../../src/view/volume/grid';
import type { Frame, Plan, View } from '../../src/view/volume/job';
import { lookOf, seenIn, TABLE, type Preset } from '../../src/view/volume/look';
import { FRONT, into, millimetres, moved, seenFrom, SIDES, turned, viewOf, zoomed, type Orbit, type Side } from '../../src/view/volume/orbit';
import { volumePresets } from '../../src/view/volume/presets';
import { WHOLE } from '../../src/view/volume/state';

const SIZES = [20, 24, 16] as const;
const STEPS = [0.8, 1, 2] as const;
const SIZE = { width: 96, height: 80 };
const SCALE = { slope: 1, intercept: -1024, range: [0, 1] as const };
const MIP: Preset = { name: 'mip', method: 'largest', isShaded: false, isRelative: false, opacity: [[-1000, 1], [1000, 1]], colour: [[-1000, 0, 0, 0], [1000, 255, 255, 255]] };
const FOG: Preset = { name: 'fog', method: 'light', isShaded: false, isRelative: false, opacity: [[-1000, 0], [0, 0.05], [1000, 0.05]], colour: [[-1000, 200, 100, 50], [1000, 200, 100, 50]] };

function volumeOf(directions: readonly [Vector, Vector, Vector]): Volume {
  const axes = directions.map((direction, at) => ({ direction, step: STEPS[at] ?? 1, count: SIZES[at] ?? 1 }));
  return { origin: [0, 0, 0], axes: axes as unknown as Volume['axes'], frameOfReferenceUid: '1.9' };
}
const UPRIGHT = volumeOf([[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
const TURNED_ROUND = volumeOf([[-1, 0, 0], [0, -1, 0], [0, 0, -1]]);
const PLAN: Plan = { sizes: SIZES, halvings: 0, steps: STEPS, isSigned: false, empty: 0, range: [0, 4095] };

/** HU at the place of a sample, from the middle of the volume, in the patient. */
function blockOf(volume: Volume, hu: (at: Vector) => number, plan = PLAN): Block {
  const block = new Block(plan);
  for (let position = 0; position < SIZES[2]; position++) {
    const values = new Uint16Array(SIZES[0] * SIZES[1]);
    for (let y = 0; y < SIZES[1]; y++) {
      for (let x = 0; x < SIZES[0]; x++) {
        const own = [x, y, position].map((index, axis) => (index - ((SIZES[axis] ?? 1) - 1) / 2) * (STEPS[axis] ?? 1));
        const at = [0, 1, 2].map((part) => volume.axes.reduce((sum, { direction }, axis) => sum + (direction[part as 0] ?? 0) * (own[axis] ?? 0), 0)) as unknown as Vector;
        values[x + SIZES[0] * y] = hu(at) + 1024;
      }
    }
    block.put({ ...FRAME, position, values });
  }
  return block;
}
const FRAME: Frame = { position: 0, width: SIZES[0], height: SIZES[1], halvings: 0, values: new Uint16Array(0), factor: 1, offset: 0, padding: undefined };

function picture(block: Block, volume: Volume, orbit: Orbit, preset: Preset, kept: View['kept'] = WHOLE, isQuick = false): Uint8Array {
  block.see(lookOf(preset, { shift: 0, stretch: 1 }, SCALE));
  return block.cast({ number: 1, view: viewOf(orbit, volume, SIZE, kept), halvings: 0, isQuick, from: 0, to: SIZE.height });
}

/** Where what is bright lies, from the picture's middle, in pixels. */
function brightest(rgba: Uint8Array): { x: number; y: number; count: number } {
  let [x, y, count] = [0, 0, 0];
  for (let at = 0; at < rgba.length / 4; at++) {
    if ((rgba[4 * at] ?? 0) < 200) continue;
    x += (at % SIZE.width) + 0.5 - SIZE.width / 2;
    y += Math.floor(at / SIZE.width) + 0.5 - SIZE.height / 2;
    count++;
  }
  return { x: x / count, y: y / count, count };
}

const MARKERS: readonly [string, Vector][] = [['L', [5, 0, 0]], ['P', [0, 8, 0]], ['H', [0, 0, 10]], ['R', [-5, 0, 0]], ['A', [0, -8, 0]], ['F', [0, 0, -10]]];
const OPPOSITE: Record<string, string> = { L: 'R', R: 'L', A: 'P', P: 'A', H: 'F', F: 'H' };

describe('sides', () => {
  it('are seen by eyes that look at them', () => {
    const eyes: Record<Side, Vector> = { A: [0, 1, 0], P: [0, -1, 0], L: [-1, 0, 0], R: [1, 0, 0], H: [0, 0, -1], F: [0, 0, 1] };
    for (const side of Object.keys(SIDES) as Side[]) expect(into(seenFrom(FRONT, side)).map((part) => part + 0), side).toEqual(eyes[side]);
  });

  it.each((Object.keys(SIDES) as Side[]).flatMap((side) => MARKERS.flatMap(([letter, place]) => [[side, letter, place, UPRIGHT, 'upright'], [side, letter, place, TURNED_ROUND, 'turned round']] as const)))(
    'from %s: a marker at %s is where its letter is',
    (side, letter, place, volume) => {
      const orbit = seenFrom(FRONT, side);
      const block = blockOf(volume, (at) => (Math.hypot(at[0] - place[0], at[1] - place[1], (at[2] - place[2]) / 2) < 2 ? 1000 : -1000));
      const { x, y, count } = brightest(picture(block, volume, orbit, MIP));
      expect(count).toBeGreaterThan(5);
      const header = frameHeader({}, 1);
      const edges = edgesOf({ ...header, plane: { position: [0, 0, 0], row: orbit.right, column: orbit.down, frameOfReferenceUid: '' } }, STANDARD);
      const expected = { [edges.right]: [1, 0], [edges.left]: [-1, 0], [edges.top]: [0, -1], [edges.bottom]: [0, 1] }[letter] ?? [0, 0];
      const far = Math.hypot(...place) / millimetres(orbit, volume, SIZE);
      expect(Object.keys(edges).length).toBe(4);
      expect(expected[0] !== 0 || expected[1] !== 0 || letter === side || letter === OPPOSITE[side]).toBe(true);
      expect(Math.abs(x - (expected[0] ?? 0) * far)).toBeLessThan(1.5);
      expect(Math.abs(y - (expected[1] ?? 0) * far)).toBeLessThan(1.5);
    },
  );

  it('turn with the hand: what is in front follows it', () => {
    const close = (one: Vector, other: Vector) => one.forEach((part, at) => expect(part).toBeCloseTo(other[at] ?? NaN, 6));
    const right = turned(FRONT, Math.PI / 2, 0); // the face goes to the reader's right: the patient's right side is seen
    close(into(right), into(seenFrom(FRONT, 'R')));
    close(right.down, FRONT.down);
    close(into(turned(FRONT, 0, Math.PI / 2)), into(seenFrom(FRONT, 'H')));
    let many = FRONT;
    for (let step = 0; step < 1000; step++) many = turned(many, 0.03, 0.017);
    expect(Math.hypot(...many.right)).toBeCloseTo(1, 9);
    expect(many.right[0] * many.down[0] + many.right[1] * many.down[1] + many.right[2] * many.down[2]).toBeCloseTo(0, 9);
  });

  it('zoom around the pointer, and keep what is below it', () => {
    const around = { x: 70, y: 20 };
    const before = moved(FRONT, 7, -3, SIZE);
    const after = zoomed(before, 2, around, SIZE);
    const below = (orbit: Orbit) => {
      const { corner, across, down } = viewOf(orbit, UPRIGHT, SIZE, WHOLE);
      return [0, 1, 2].map((axis) => (corner[axis as 0] ?? 0) + (around.x - 0.5) * (across[axis as 0] ?? 0) + (around.y - 0.5) * (down[axis as 0] ?? 0));
    };
    below(after).forEach((part, axis) => expect(part).toBeCloseTo(below(before)[axis] ?? NaN, 6));
    expect(millimetres(after, UPRIGHT, SIZE) * 2).toBeCloseTo(millimetres(before, UPRIGHT, SIZE), 9);
  });
});

describe('rays', () => {
  const wavy = (at: Vector) => Math.round(600 * Math.sin(at[0]) * Math.cos(0.6 * at[1]) + 300 * Math.sin(at[2] / 2));

  it('give the largest value, as a loop over all voxels does', () => {
    const rgba = picture(blockOf(UPRIGHT, wavy), UPRIGHT, FRONT, MIP);
    const pixel = millimetres(FRONT, UPRIGHT, SIZE);
    let compared = 0;
    for (let row = 0; row < SIZE.height; row++) {
      for (let column = 0; column < SIZE.width; column++) {
        const x = ((column + 0.5 - SIZE.width / 2) * pixel) / STEPS[0] + (SIZES[0] - 1) / 2;
        const z = (-(row + 0.5 - SIZE.height / 2) * pixel) / STEPS[2] + (SIZES[2] - 1) / 2;
        let largest = -Infinity;
        if (x >= 0 && x <= SIZES[0] - 1 && z >= 0 && z <= SIZES[2] - 1) {
          const [ix, iz] = [Math.min(Math.floor(x), SIZES[0] - 2), Math.min(Math.floor(z), SIZES[2] - 2)];
          for (let iy = 0; iy < SIZES[1]; iy++) {
            const value = (i: number, k: number) => wavy([(i - 9.5) * STEPS[0], (iy - 11.5) * STEPS[1], (k - 7.5) * STEPS[2]]);
            const [near, far] = [iz, iz + 1].map((k) => value(ix, k) * (1 - (x - ix)) + value(ix + 1, k) * (x - ix)) as [number, number];
            largest = Math.max(largest, near * (1 - (z - iz)) + far * (z - iz));
          }
          compared++;
        }
        const expected = largest === -Infinity ? 0 : Math.min(Math.max(((largest + 1000) / 2000) * 255, 0), 255);
        expect(Math.abs((rgba[4 * (column + SIZE.width * row)] ?? 0) - expected)).toBeLessThan(1.2);
      }
    }
    expect(compared).toBeGreaterThan(500);
  });

  it.each(['A', 'L', 'H'] as const)('hold up light by the millimetre, from %s', (side) => {
    const rgba = picture(blockOf(UPRIGHT, () => 500), UPRIGHT, seenFrom(FRONT, side), FOG);
    const axis = { A: 1, L: 0, H: 2 }[side];
    const thick = ((SIZES[axis] ?? 1) - 1) * (STEPS[axis] ?? 1);
    const middle = 4 * (SIZE.width / 2 + SIZE.width * (SIZE.height / 2));
    // A step more or less at the ends is what a picture of steps may be wrong by.
    const held = (millimetres: number) => 1 - 0.95 ** millimetres;
    expect(rgba[middle]).toBeGreaterThanOrEqual(Math.floor(200 * held(thick - 0.8)));
    expect(rgba[middle]).toBeLessThanOrEqual(Math.ceil(200 * held(thick + 0.8)) + 1);
    expect((rgba[middle + 1] ?? 0) / (rgba[middle] ?? 1)).toBeCloseTo(0.5, 1);
  });

  it('are the same when nothing is passed over', () => {
    const [bone] = volumePresets(frameHeader({ '00080060': { Value: ['CT'] }, '00281052': { Value: [0] }, '00281053': { Value: [1] } }, 1));
    if (bone === undefined) throw new Error('CT has presets');
    const thing = (at: Vector) => (Math.abs(Math.hypot(...at) - 6) < 1.5 ? 700 : -900);
    for (const preset of [bone, MIP]) {
      for (const orbit of [FRONT, turned(FRONT, 0.7, 0.4), turned(FRONT, -2, 1.1)]) {
        const quick = picture(blockOf(UPRIGHT, thing), UPRIGHT, orbit, preset);
        const block = blockOf(UPRIGHT, thing);
        const see = Grid.prototype.see;
        try {
          Grid.prototype.see = function all(this: Grid) {
            this.isSeen.fill(1);
            this.highs.fill(1e9);
            this.lows.fill(-1e9);
          };
          expect(picture(block, UPRIGHT, orbit, preset)).toEqual(quick);
        } finally {
          Grid.prototype.see = see;
        }
        expect(quick.some((value, at) => at % 4 !== 3 && value > 0)).toBe(true);
      }
    }
  });

  it('meet nothing of what is cut away', () => {
    const block = blockOf(UPRIGHT, (at) => (at[0] > 4 ? 1000 : -1000));
    expect(brightest(picture(block, UPRIGHT, FRONT, MIP)).count).toBeGreaterThan(50);
    expect(brightest(picture(block, UPRIGHT, FRONT, MIP, [[0, 0.6], [0, 1], [0, 1]])).count).toBe(0);
  });

  it('of a rescale that falls see the largest modality value', () => {
    const block = blockOf(UPRIGHT, (at) => (Math.hypot(...at) < 3 ? -1024 : 3000)); // stored 0 in the middle, 4024 around
    block.see(lookOf(MIP, { shift: 0, stretch: 1 }, { slope: -1, intercept: 1000, range: [0, 1] }));
    const rgba = block.cast({ number: 1, view: viewOf(FRONT, UPRIGHT, SIZE, WHOLE), halvings: 0, isQuick: false, from: 0, to: SIZE.height });
    const middle = 4 * (SIZE.width / 2 + SIZE.width * (SIZE.height / 2));
    expect(rgba[middle]).toBe(255);
  });
});

describe('a block', () => {
  it('is drawn from coarse frames before fine ones, and shows nothing of what has not come', () => {
    const block = new Block(PLAN);
    expect(() => block.cast({ number: 1, view: viewOf(FRONT, UPRIGHT, SIZE, WHOLE), halvings: 0, isQuick: true, from: 0, to: 1 })).toThrow();
    expect(brightest(picture(block, UPRIGHT, FRONT, MIP)).count).toBe(0);
    const quarter = new Uint16Array(5 * 6).fill(2024);
    block.put({ ...FRAME, position: 8, width: 5, height: 6, halvings: 2, values: quarter });
    expect(brightest(picture(block, UPRIGHT, FRONT, MIP, WHOLE, true)).count).toBeGreaterThan(15);
  });

  it('leaves padding out', () => {
    const block = new Block(PLAN);
    block.put({ ...FRAME, position: 8, values: new Uint16Array(SIZES[0] * SIZES[1]).fill(4000), padding: [4000, 4000] });
    expect(brightest(picture(block, UPRIGHT, FRONT, MIP)).count).toBe(0);
  });

  it('has values of one rescale', () => {
    const block = new Block(PLAN);
    block.put({ ...FRAME, position: 8, values: new Uint16Array(SIZES[0] * SIZES[1]).fill(1012), factor: 2 });
    expect(brightest(picture(block, UPRIGHT, FRONT, MIP)).count).toBeGreaterThan(15);
  });

  it('has a smaller one for turning, the finest axis halved first', () => {
    expect(factorsOf([512, 512, 140], [0.5, 0.5, 1], 4e6)).toEqual([4, 4, 1]);
    expect(factorsOf([512, 512, 140], [0.5, 0.5, 1], 1.3e6)).toEqual([4, 4, 2]);
    expect(factorsOf([8, 8, 8], [1, 1, 1], 1e6)).toEqual([1, 1, 1]);
  });
});

describe('a look', () => {
  const look = lookOf(FOG, { shift: 100, stretch: 2 }, SCALE);
  it('moves and stretches the values of a preset', () => {
    // From -1000…1000 around 0 to -1900…2100 around 100, in stored values.
    expect(look.first).toBeCloseTo(-1900 + 1024, 6);
    expect((TABLE - 1) / look.scale).toBeCloseTo(4000, 6);
  });
  it('knows where nothing is seen', () => {
    const seen = seenIn(look);
    expect([seen(-900, -880), seen(-900, 0), seen(1024, 1024)]).toEqual([false, true, true]);
  });
  it('of each preset begins with nothing, but for those of largest values', () => {
    for (const modality of ['CT', 'MR', 'PT']) {
      const presets = volumePresets(frameHeader({ '00080060': { Value: [modality] }, '00281052': { Value: [0] }, '00281053': { Value: [1] } }, 1));
      expect(presets.length).toBeGreaterThan(1);
      for (const preset of presets) {
        if (preset.method === 'light') expect(preset.opacity[0]?.[1], preset.name).toBe(0);
        for (const points of [preset.opacity, preset.colour]) {
          expect(points.every(([value], at) => at === 0 || value > (points[at - 1]?.[0] ?? 0)), preset.name).toBe(true);
        }
      }
    }
  });
});
