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

  it('that turned evenly is seen to rest sooner than one of which little is known', () => {
    const even = new Hand();
    for (let step = 0; step < 10; step++) even.moved(step, 1000 + step * 16);
    expect([even.restMs, even.velocity(1144 + 49) > 0, even.velocity(1144 + 51)]).toEqual([50, true, 0]);
    const slow = new Hand();
    for (let step = 0; step < 10; step++) slow.moved(step, 1000 + step * 100);
    expect(slow.restMs).toBe(120);
    const once = new Hand();
    once.moved(0, 1000);
    once.moved(1, 1010);
    expect([once.restMs, once.velocity(1060) > 0]).toEqual([120, true]);
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

  it('count those of which there is a picture, and give up frames that are gone', () => {
    const images = new Images();
    images.put('a', pixels(64, 3));
    images.put('b', pixels(512, 0));
    images.drop('b'); // nothing coarse of it: it has no picture now
    expect([images.count, images.halvings('b')]).toEqual([1, Infinity]);
    images.put('c', pixels(512, 0));
    images.retain((key) => key === 'a');
    expect([images.count, images.byteCount]).toEqual([1, 0]);
  });
});
