// What a viewport says of itself: until it shows something, the frames beside it are enough.
import { beforeEach, expect, it, vi } from 'vitest';
import type { StreamViewport } from '@voxcast/client';
import { frameHeader } from '../../src/view/dicom/frame';
import type { Pixels } from '../../src/view/image/pixels';
import type { FrameLoader } from '../../src/view/load/loader';
import type { Frames, Looking } from '../../src/view/load/frames';
import type { StackFrame } from '../../src/view/load/stack';
import { Viewport } from '../../src/view/viewport/viewport';

const PIXELS: Pixels = { kind: 'grey', width: 2, height: 2, halvings: 0, values: Uint8Array.of(0, 1, 2, 3) };
let looks: Looking[];
let best: Pixels | undefined;
let failures: Map<string, string>;

function frames(): Frames {
  const header = { ...frameHeader({}, 1), rows: 2, columns: 2, bitsStored: 8 };
  const entry = { sopInstanceUid: '1', frameNumber: 1, rows: 2, columns: 2, transferSyntaxUid: '', photometricInterpretation: 'MONOCHROME2', bits: 8, ends: [4], small: 0 };
  const list: StackFrame[] = [0, 1, 2].map((position) => ({ key: String(position), entry, header, route: { kind: 'plane' } }));
  return {
    study: '1', series: '2', frames: list, failures,
    best: () => best,
    arrived: () => 'missing',
    on: () => () => undefined,
    redraw: () => undefined,
    look: (_viewport, _session, _loader, looking) => looks.push(looking),
  };
}

function viewport(): Viewport {
  const nothing = () => undefined;
  const session: StreamViewport = { look: nothing, close: nothing };
  return new Viewport({ unwatch: nothing } as unknown as FrameLoader, session, nothing, nothing, nothing);
}

beforeEach(() => {
  vi.stubGlobal('devicePixelRatio', 1);
  [looks, best, failures] = [[], undefined, new Map()];
});

function draw(one: Viewport): void {
  one.picture();
  one.drawn();
}

it('wants the frames beside the first one alone until that is on the screen, then all, and says so once', () => {
  const one = viewport();
  one.show(frames());
  draw(one);
  expect(looks.map(({ reach }) => reach)).toEqual([2]);
  best = PIXELS;
  draw(one);
  draw(one);
  expect(looks.map(({ reach }) => reach)).toEqual([2, undefined]);
  one.show(frames());
  expect(looks.at(-1)?.reach).toBe(2);
  one.close();
});

it('wants all where the first one cannot be shown, and as soon as the hand moves', () => {
  const one = viewport();
  one.show(frames());
  failures.set('0', 'no such frame');
  draw(one);
  expect(looks.at(-1)?.reach).toBeUndefined();
  failures.clear();
  one.show(frames());
  one.step(1);
  one.step(1);
  expect(looks.at(-1)).toMatchObject({ position: 2 });
  expect(looks.at(-1)?.velocity).not.toBe(0);
  expect(looks.at(-1)?.reach).toBeUndefined();
  one.close();
});
