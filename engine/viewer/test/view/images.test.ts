// Decoded frames that are given up: their memory is used again, and no frame that is still wanted is touched.
import { expect, it } from 'vitest';
import type { GreyPixels, Pixels } from '../../src/view/image/pixels';
import { Images } from '../../src/view/load/images';

function grey(side: number, halvings: number): GreyPixels {
  return { kind: 'grey', width: side, height: side, halvings, values: new Uint16Array(side * side).fill(7) };
}

function images(): { images: Images; given: Pixels[] } {
  const given: Pixels[] = [];
  return { images: new Images((pixels) => given.push(pixels)), given };
}

it('a frame that is dropped is given up, and shows its coarse one', () => {
  const { images: kept, given } = images();
  const [coarse, fine, other] = [grey(64, 2), grey(256, 0), grey(256, 0)];
  kept.put('a', coarse);
  kept.put('a', fine);
  kept.put('b', other);
  kept.drop('a');
  expect([given, kept.byteCount, kept.best('a')]).toEqual([[fine], other.values.byteLength, coarse]);
});

it('one that becomes finer gives up the one before; what is no finer changes nothing', () => {
  const { images: kept, given } = images();
  const [half, whole] = [grey(256, 1), grey(512, 0)];
  kept.put('a', half);
  kept.put('a', whole);
  kept.put('a', grey(256, 1));
  expect(given[0]).toBe(half);
  expect([given.length, kept.best('a') === whole]).toEqual([1, true]);
});

it('pictures that the browser decoded are closed when they are given up', () => {
  const { images: kept } = images();
  let closed = 0;
  const drawn = { width: 256, height: 256, close: () => closed++ } as unknown as ImageBitmap;
  kept.put('b', { kind: 'colour', width: 256, height: 256, halvings: 0, rgba: drawn });
  expect(closed).toBe(0);
  kept.clear();
  expect([closed, kept.byteCount, kept.count]).toEqual([1, 0, 0]);
});

it('the one that was used the longest ago is the next to go, if it is not needed', () => {
  const { images: kept } = images();
  for (const key of ['a', 'b', 'c']) kept.put(key, grey(256, 0));
  kept.best('a');
  expect(kept.oldest(() => false)?.key).toBe('b');
  expect(kept.oldest((key) => key === 'b')?.key).toBe('c');
});
