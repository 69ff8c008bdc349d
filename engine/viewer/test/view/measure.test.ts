// What marks measure, in real units; and that a report gives back what went in.
import { describe, expect, it } from 'vitest';
import { frameHeader } from '../../src/view/dicom/frame';
import type { DataSet } from '../../src/view/dicom/attributes';
import type { GreyPixels } from '../../src/view/image/pixels';
import { Marks, newUid, type Mark, type MarkKind } from '../../src/view/measure/marks';
import { isMeasurements, marksIn, reportOf } from '../../src/view/measure/report';
import { measure } from '../../src/view/measure/values';

const CT: DataSet = {
  '00080016': { Value: ['1.2.840.10008.5.1.4.1.1.2'] }, '00080018': { Value: ['1.5'] }, '00080060': { Value: ['CT'] }, '00100010': { Value: [{ Alphabetic: 'DOE^JANE' }] },
  '00280010': { Value: [20] }, '00280011': { Value: [10] }, '00280030': { Value: [0.5, 2] }, '00280101': { Value: [12] }, '00281052': { Value: [-1024] }, '00281053': { Value: [2] },
};
const frame = frameHeader(CT, 1);
// Stored value: column + 10 × row.
const pixels: GreyPixels = { kind: 'grey', width: 10, height: 20, halvings: 0, values: Uint16Array.from({ length: 200 }, (_, at) => at) };
const mark = (kind: MarkKind, ...flat: number[]): Mark => ({
  uid: newUid(), kind, study: '1', key: '1.5 1', isStored: false, points: Array.from({ length: flat.length / 2 }, (_, at) => ({ x: flat[2 * at] ?? 0, y: flat[2 * at + 1] ?? 0 })),
});

describe('a mark measures', () => {
  it('millimetres of pixels that are not square', () => {
    expect(measure(mark('length', 1, 1, 4, 1), frame, undefined)).toMatchObject({ unit: 'mm', length: 6, isAtDetector: false });
    expect(measure(mark('length', 1, 1, 1, 5), frame, undefined)).toMatchObject({ length: 2 });
    expect(measure(mark('length', 0, 0, 2, 6), frame, undefined)).toMatchObject({ length: 5 });
  });

  it('angles in the patient, not on the screen', () => {
    expect(measure(mark('angle', 5, 1, 1, 1, 1, 9), frame, undefined).angle).toBeCloseTo(90);
    // 1 column of 2 mm over 4 rows of half a millimetre: 45°.
    expect(measure(mark('angle', 5, 1, 1, 1, 2, 5), frame, undefined).angle).toBeCloseTo(45);
    expect(measure(mark('angle', 0, 5, 1, 5, 0, 4.96), frame, undefined).angle).toBeLessThan(1);
  });

  it('the values below it, in HU', () => {
    // Columns 2 to 3, rows 4 to 5: 42 43 52 53, twice that less 1024.
    const found = measure(mark('rectangle', 2, 4, 4, 6), frame, pixels);
    expect(found).toMatchObject({ area: 4, valueUnit: 'HU', statistics: { count: 4, mean: -929, least: -940, most: -918 } });
    expect(found.statistics?.deviation).toBeCloseTo(Math.hypot(10, 1), 6);
    expect(measure(mark('probe', 3.9, 4.2), frame, pixels)).toMatchObject({ value: 43 * 2 - 1024 });
    expect(measure(mark('ellipse', 0, 0, 4, 4), frame, pixels).statistics?.count).toBe(16 - 4);
  });

  it('nothing of a coarse image, nor beside the image, nor of padding', () => {
    expect(measure(mark('rectangle', 2, 4, 4, 6), frame, { ...pixels, halvings: 1 }).statistics).toBeUndefined();
    expect(measure(mark('probe', -1, 4), frame, pixels).value).toBeUndefined();
    expect(measure(mark('rectangle', -5, -5, -1, -1), frame, pixels).statistics).toBeUndefined();
    const padded = frameHeader({ ...CT, '00280120': { Value: [42] } }, 1);
    expect(measure(mark('rectangle', 2, 4, 4, 6), padded, pixels).statistics?.count).toBe(3);
  });

  it('pixels where nothing is said of size, and says where size is that of the detector', () => {
    const { '00280030': _, ...bare } = CT;
    expect(measure(mark('length', 1, 1, 4, 1), frameHeader(bare, 1), undefined)).toMatchObject({ unit: 'px', length: 3 });
    const film = frameHeader({ ...bare, '00181164': { Value: [0.1, 0.1] } }, 1);
    expect(measure(mark('length', 1, 1, 4, 1), film, undefined)).toMatchObject({ unit: 'mm', isAtDetector: true });
  });

  it('of ultrasound only inside one calibrated region', () => {
    const region = (left: number, unit: number) => ({
      '00186018': { Value: [left] }, '0018601A': { Value: [0] }, '0018601C': { Value: [left + 4] }, '0018601E': { Value: [19] },
      '00186024': { Value: [unit] }, '00186026': { Value: [unit] }, '0018602C': { Value: [0.01] }, '0018602E': { Value: [0.02] },
    });
    const us = frameHeader({ ...CT, '00186011': { Value: [region(0, 3), region(5, 4)] } }, 1);
    expect(measure(mark('length', 1, 1, 4, 1), us, undefined)).toMatchObject({ unit: 'mm', length: expect.closeTo(0.3) as number });
    expect(measure(mark('length', 6, 1, 9, 1), us, undefined).unit).toBe('px');
    expect(measure(mark('length', 1, 1, 9, 1), us, undefined).unit).toBe('px');
  });
});

it('a report gives the marks back', () => {
  const marks = [mark('length', 1, 2, 3, 4), mark('angle', 1, 1, 2, 2, 3, 1), mark('rectangle', 1, 1, 5, 7), mark('ellipse', 1, 1, 5, 2), mark('ellipse', 1, 1, 2, 6), mark('probe', 3.5, 4.5)];
  const report = reportOf(marks.map((one) => ({ mark: one, frame, series: '1.4', measured: measure(one, frame, pixels) })), '1.3', new Date(2024, 1, 29, 8, 5, 9)) as DataSet;
  expect(isMeasurements(report)).toBe(true);
  expect([report['00080023']?.Value, report['00080033']?.Value, report['00100010']?.Value]).toEqual([['20240229'], ['080509'], [{ Alphabetic: 'DOE^JANE' }]]);
  const back = marksIn(JSON.parse(JSON.stringify(report)) as DataSet, '1.3');
  expect(back.map(({ uid, kind, points }) => ({ uid, kind, points }))).toEqual(marks.map(({ uid, kind, points }) => ({ uid, kind, points })));
  expect(back.every(({ key, isStored }) => key === '1.5 1' && isStored)).toBe(true);
});

it('what others wrote, and is no mark here, is passed over', () => {
  expect(marksIn({}, '1')).toEqual([]);
  expect(marksIn({ '0040A730': { Value: ['x', null, 3] } }, '1')).toEqual([]);
});

describe('marks', () => {
  it('undo step by step, but never what is in the archive', () => {
    const marks = new Marks(() => undefined);
    const [first, second] = [mark('length', 0, 0, 1, 1), mark('probe', 0, 0)];
    marks.put(first);
    marks.put(second);
    marks.put({ ...second, points: [{ x: 9, y: 9 }] }, false);
    marks.undo();
    expect(marks.of('1.5 1')).toEqual([first]);
    marks.saved(new Set([first.uid]));
    expect(marks.canUndo).toBe(false);
    marks.put(second);
    marks.undo();
    marks.remove(first.uid);
    expect(marks.of('1.5 1')).toEqual([{ ...first, isStored: true }]);
    expect(marks.unsaved('1')).toEqual([]);
  });

  it('have UIDs that nobody else makes', () => {
    expect(newUid()).toMatch(/^2\.25\.[1-9]\d{30,38}$/);
  });
});

it('of a frame whose memory others have by now no values are told, rather than those of zeros', () => {
  const given: GreyPixels = { ...pixels, values: Uint16Array.from(pixels.values) };
  structuredClone(given.values.buffer, { transfer: [given.values.buffer] });
  expect(given.values.length).toBe(0);
  expect(measure(mark('probe', 3.9, 4.2), frame, given).value).toBeUndefined();
  expect(measure(mark('rectangle', 2, 4, 4, 6), frame, given)).toMatchObject({ area: 4 });
  expect(measure(mark('rectangle', 2, 4, 4, 6), frame, given).statistics).toBeUndefined();
});
