import { expect, test } from 'vitest';
import type { Coding } from '../../src/view/decode/job';
import type { GreyValues } from '../../src/view/image/pixels';
import { approximated, pixelsOf } from '../../src/view/decode/samples';

const GREY: Coding = {
  form: 'htj2k',
  rows: 2,
  columns: 8,
  samplesPerPixel: 1,
  bitsAllocated: 16,
  bitsStored: 12,
  highBit: 11,
  isSigned: false,
  planarConfiguration: 0,
  photometricInterpretation: 'MONOCHROME2',
  isMasked: true,
};

function greys(coding: Coding, samples: GreyValues, halvings: number): number[] {
  const pixels = pixelsOf(coding, samples, samples.length, 1, halvings);
  if (pixels.kind !== 'grey') throw new Error(pixels.kind);
  return [...pixels.values];
}

test('a smaller image keeps white white where it goes beyond its values', () => {
  expect(greys(GREY, Uint16Array.of(0, 4095, 4096, 6143), 1)).toEqual([0, 4095, 4095, 4095]);
  const signed = { ...GREY, isSigned: true };
  expect(greys(signed, Int16Array.of(-3000, -2048, 2047, 2048), 1)).toEqual([-2048, -2048, 2047, 2047]);
});

test('an approximate beginning has 16 bits for all: the values are cut off at those of the frame, in its own type', () => {
  const swung = () => Int16Array.of(-300, 0, 4095, 4300, 20_000);
  expect(approximated(GREY, swung())).toEqual(Uint16Array.of(0, 0, 4095, 4095, 4095));
  expect(approximated({ ...GREY, isSigned: true }, swung())).toEqual(Int16Array.of(-300, 0, 2047, 2047, 2047));
  expect(approximated({ ...GREY, bitsStored: 16 }, swung())).toEqual(Uint16Array.of(0, 0, 4095, 4300, 20_000));
  expect(approximated({ ...GREY, bitsStored: 8 }, swung())).toEqual(Uint8Array.of(0, 0, 255, 255, 255));
});

test('of a whole image the bits beyond Bits Stored are not its values', () => {
  expect(greys(GREY, Uint16Array.of(0, 4095, 4096, 0x9123), 0)).toEqual([0, 4095, 0, 0x123]);
});
