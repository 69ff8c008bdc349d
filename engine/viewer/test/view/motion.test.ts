// The hand's speed, and the pictures that are kept for it.
import { describe, expect, it } from 'vitest';
import { Images } from '../../src/view/load/images';
import type { Pixels } from '../../src/view/image/pixels';
import { Hand } from '../../src/view/viewport/hand';

describe('the hand', () => {
  it('goes as fast as its last moves, and rests without one', () => {
    const hand = new Hand();
    for (let step = 0; step < 10; step++) hand.moved(10 - step, 1000 + step * 20);
    expect(hand.velocity(1185)).toBeCloseTo(-50, 0);
    expect(hand.direction).toBe(-1);
    expect(hand.velocity(1320)).toBe(0);
  });

  it('that jumped has no speed', () => {
    const hand = new Hand();
    hand.moved(0, 0);
    hand.moved(50, 10);
    hand.jumped();
    expect(hand.velocity(11)).toBe(0);
  });
});

const pixels = (side: number, halvings: number): Pixels => ({ kind: 'grey', width: side, height: side, halvings, values: new Uint16Array(side * side) });

describe('the images of a series', () => {
  it('only become finer', () => {
    const images = new Images();
    images.put('a', pixels(64, 3));
    images.put('a', pixels(512, 0));
    images.put('a', pixels(256, 1));
    expect([images.halvings('a'), images.best('a')?.width]).toEqual([0, 512]);
    expect(images.halvings('b')).toBe(Infinity);
  });

  it('keep the coarse one when the fine one is given up, least recently used first', () => {
    const images = new Images();
    for (const key of ['a', 'b']) {
      images.put(key, pixels(64, 3));
      images.put(key, pixels(512, 0));
    }
    images.best('a');
    expect(images.oldest(() => false)?.key).toBe('b');
    expect(images.oldest((key) => key === 'b')?.key).toBe('a');
    images.drop('b');
    expect([images.halvings('b'), images.byteCount]).toEqual([3, 512 * 512 * 2]);
  });
});
