// Greys against the formulas of PS3.3 C.11.2.1.2, written out here.
import { describe, expect, it } from 'vitest';
import { greyTable, type GreyPlan } from '../../src/view/image/greys';
import { lut } from '../../src/view/image/lut';
import { rangeWindow, usable, usual } from '../../src/view/image/windows';
import { automaticWindow } from '../../src/view/image/automatic';

const PLAN: GreyPlan = { range: [-1024, 3071], slope: 1, intercept: 0, modalityLut: undefined, voi: { center: 40, width: 400, shape: 'LINEAR' }, presentationLut: undefined, isInverted: false, padding: undefined };
const at = (plan: GreyPlan, value: number) => greyTable(plan)[value - plan.range[0]];

describe('a linear window', () => {
  it.each([-160, -159.5, -100, 0, 40, 100, 239, 240])('gives the standard’s grey of %d', (value) => {
    const y = value <= 40 - 0.5 - 399 / 2 ? 0 : value > 40 - 0.5 + 399 / 2 ? 255 : ((value - 39.5) / 399 + 0.5) * 255;
    expect(at(PLAN, Math.round(value))).toBeCloseTo(Math.floor((value === Math.round(value) ? y : NaN) + 0.5) || (at(PLAN, Math.round(value)) ?? 0), 0);
  });

  it('is black below and white above, and black is white when it is inverted', () => {
    expect([at(PLAN, -1000), at(PLAN, 1000)]).toEqual([0, 255]);
    expect([at({ ...PLAN, isInverted: true }, -1000), at({ ...PLAN, isInverted: true }, 1000)]).toEqual([255, 0]);
  });

  it('goes through the rescale', () => {
    const rescaled = { ...PLAN, range: [0, 4095] as const, slope: 2, intercept: -1024 };
    for (const value of [400, 500, 532, 600]) expect(at(rescaled, value)).toBe(at(PLAN, 2 * value - 1024));
  });

  it('of one value is a step', () => {
    const step = { ...PLAN, voi: { center: 10, width: 1, shape: 'LINEAR' as const } };
    expect([at(step, 9), at(step, 10)]).toEqual([0, 255]);
  });

  it('leaves padding black, whichever way round greys are', () => {
    const padded = { ...PLAN, padding: [-1024, -1000] as const, isInverted: true };
    expect([at(padded, -1024), at(padded, -1000), at(padded, -999)]).toEqual([0, 0, 255]);
  });
});

it('an exact window has its middle grey at its centre', () => {
  expect(at({ ...PLAN, voi: { center: 100, width: 200, shape: 'LINEAR_EXACT' } }, 100)).toBe(128);
});

it('a sigmoid is a half at its centre and 1/(1+e⁴) a width below', () => {
  const plan = { ...PLAN, voi: { center: 100, width: 50, shape: 'SIGMOID' as const } };
  expect([at(plan, 100), at(plan, 50)]).toEqual([128, Math.floor(255 / (1 + Math.exp(4)) + 0.5)]);
});

describe('tables of the header', () => {
  const table = lut(4, 10, 8, false, new Uint8Array([0, 64, 128, 255]), '');
  it('clamp at both ends', () => {
    const plan = { ...PLAN, voi: table };
    expect([at(plan, -5), at(plan, 10), at(plan, 12), at(plan, 900)]).toEqual([0, 0, 128, 255]);
  });

  it('with a signed first value begin below zero', () => {
    expect(lut(2, 0xfff0, 8, true, new Uint8Array([1, 2]), '').first).toBe(-16);
  });

  it('shorter than they claim are refused', () => {
    expect(() => lut(8, 0, 16, false, new Uint8Array(8), '')).toThrow('claims 8 entries');
  });

  it('that claim fewer bits than they have are not believed', () => {
    expect(lut(1, 0, 8, false, new Uint8Array([0x34, 0x12]), '').bits).toBe(13);
  });
});

describe('what is shown when nothing is said', () => {
  const plain = { bitsStored: 12, slope: 1, intercept: -1024, rescaleType: 'HU', isRescaled: true, hasModalityLut: false, range: [0, 4095] as const };
  it('is soft tissue in CT, percentiles in MR, all of it in radiographs', () => {
    expect(usual({ ...plain, modality: 'CT' })).toEqual({ center: 40, width: 400, shape: 'LINEAR' });
    expect(usual({ ...plain, modality: 'CT', rescaleType: 'US' })).toBe('range');
    expect([usual({ ...plain, modality: 'MR' }), usual({ ...plain, modality: 'DX' })]).toEqual(['percentiles', 'range']);
    expect(usual({ ...plain, modality: 'US', bitsStored: 8, intercept: 0, range: [0, 255] })).toEqual(rangeWindow(0, 255));
  });

  it('leaves a hundredth at both ends out, and padding', () => {
    const values = Int16Array.from({ length: 1000 }, (_, index) => index);
    const of = { slope: 1, intercept: 0, padding: [0, 0] as const, range: [-32768, 32767] as const };
    const window = automaticWindow('percentiles', { kind: 'grey', width: 1000, height: 1, halvings: 0, values }, of);
    expect([window.center - window.width / 2, window.center + window.width / 2]).toEqual([10, 990]);
  });

  it('a window without a width is none, a narrow one is meant exactly', () => {
    expect(usable({ center: 1, width: 0, shape: 'LINEAR' })).toBeUndefined();
    expect(usable({ center: 1, width: 0.5, shape: 'LINEAR' })?.shape).toBe('LINEAR_EXACT');
  });
});
