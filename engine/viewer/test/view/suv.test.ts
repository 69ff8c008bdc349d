// Standardized uptake values: figures worked out by hand of the formula of PS3.3 C.8.9.1, beside the code.
import { describe, expect, it } from 'vitest';
import type { DataSet } from '../../src/view/dicom/attributes';
import { frameHeader } from '../../src/view/dicom/frame';
import { suvOf } from '../../src/view/dicom/suv';
import type { GreyPixels } from '../../src/view/image/pixels';
import { measure } from '../../src/view/measure/values';

const drug = (more: DataSet = {}): DataSet => ({ '00181074': { Value: [370e6] }, '00181075': { Value: [6586.2] }, '00181072': { Value: ['090000'] }, ...more });
const pet = (more: DataSet = {}, of: DataSet = drug()): DataSet => ({
  '00080060': { Value: ['PT'] }, '00541001': { Value: ['BQML'] }, '00280051': { Value: ['DECY', 'ATTN', 'SCAT'] }, '00101030': { Value: [70] },
  '00541102': { Value: ['START'] }, '00080021': { Value: ['20240229'] }, '00080031': { Value: ['100000'] }, '00080022': { Value: ['20240229'] }, '00080032': { Value: ['100130'] },
  '00540016': { Value: [of] }, ...more,
});
const factor = (ds: DataSet): number => {
  const suv = suvOf(ds);
  return 'factor' in suv ? suv.factor : NaN;
};
const lacks = (ds: DataSet): string => {
  const suv = suvOf(ds);
  return 'lacks' in suv ? suv.lacks : 'nothing';
};

describe('an SUV', () => {
  it('is by body weight and by the dose that is left when the scan starts', () => {
    expect(factor(pet())).toBeCloseTo(0.00027633668171764324, 12); // 70 000 g / 370 MBq, an hour of fluorine-18
    expect(factor(pet({ '00080031': { Value: ['100101.500'] }, '00080032': { Value: ['100130'] } }))).toBeCloseTo(0.0002781310452046755, 12);
    expect(factor(pet({ '00541102': { Value: ['ADMIN'] } }))).toBeCloseTo(0.0001891891891891892, 12);
  });

  it('counts from the injection, the day before and by its own date', () => {
    const late = drug({ '00181072': { Value: ['233000'] } });
    expect(factor(pet({ '00080031': { Value: ['003000'] }, '00080032': { Value: ['003200'] } }, late))).toBeCloseTo(0.00027633668171764324, 12);
    expect(factor(pet({}, drug({ '00181072': { Value: ['120000'] }, '00181078': { Value: ['20240229090000.000'] } })))).toBeCloseTo(0.00027633668171764324, 12);
  });

  it('has the start of the scan elsewhere when Series Time was set later', () => {
    const processed = { '00080031': { Value: ['150000'] }, '00080032': { Value: ['101000'] } };
    expect(lacks(pet(processed))).toBe('Series Time');
    const own = { '00090010': { Value: ['GEMS_PETD_01'] }, '0009100D': { vr: 'UN', InlineBinary: btoa('20240229100000.00 ') } };
    expect(factor(pet({ ...processed, ...own }))).toBeCloseTo(0.00027633668171764324, 12);
    const reference = { '00541300': { Value: [300_000] }, '00181242': { Value: [120_000] } };
    expect(factor(pet({ ...processed, ...reference }))).toBeCloseTo(0.00028700527197542114, 12);
  });

  it('is what Philips or the units say already', () => {
    const philips = { '00541001': { Value: ['CNTS'] }, '70530010': { Value: ['Philips PET Private Group'] } };
    expect(factor(pet({ ...philips, '70531000': { vr: 'DS', Value: [0.00125] } }))).toBe(0.00125);
    expect(factor(pet({ ...philips, '70531009': { vr: 'DS', Value: [2] } }))).toBeCloseTo(2 * 0.00027633668171764324, 12);
    expect(factor(pet({ '00541001': { Value: ['GML'] } }))).toBe(1);
    expect(lacks(pet({ '00541001': { Value: ['GML'] }, '00541006': { Value: ['LBM'] } }))).toBe('SUV Type');
    expect(lacks(pet({ '00541001': { Value: ['CNTS'] } }))).toBe('SUV Factor');
  });

  it('is none rather than a wrong one', () => {
    expect(lacks(pet({ '00101030': undefined }))).toBe('Patient Weight');
    expect(lacks(pet({ '00280051': { Value: ['ATTN'] } }))).toBe('Corrected Image');
    expect(lacks(pet({}, drug({ '00181074': { Value: [370] } })))).toBe('Radionuclide Total Dose');
    expect(lacks(pet({}, drug({ '00181075': { Value: [0] } })))).toBe('Radionuclide Half Life');
    expect(lacks(pet({}, drug({ '00181072': { Value: ['nine'] } })))).toBe('Radiopharmaceutical Start Time');
    expect(lacks(pet({ '00541102': { Value: ['NONE'] } }))).toBe('Decay Correction');
    expect(lacks(pet({ '00540016': { Value: [drug(), drug()] } }))).toBe('Radiopharmaceutical Information Sequence');
  });

  it('is what marks measure, or they say what is lacking', () => {
    const shape = { '00280010': { Value: [2] }, '00280011': { Value: [2] }, '00281052': { Value: [100] }, '00281053': { Value: [50] }, '00541102': { Value: ['ADMIN'] } };
    const pixels: GreyPixels = { kind: 'grey', width: 2, height: 2, halvings: 0, values: Uint16Array.from([0, 100, 200, 300]) };
    const probe = { uid: '1.2', kind: 'probe' as const, study: '1', key: '1 1', isStored: false, points: [{ x: 1.5, y: 1.5 }] };
    const found = measure(probe, frameHeader(pet(shape), 1), pixels);
    expect(found.valueUnit).toBe('SUVbw');
    expect(found.value).toBeCloseTo((300 * 50 + 100) * 0.0001891891891891892, 9);
    expect(measure(probe, frameHeader(pet({ ...shape, '00101030': undefined }), 1), pixels)).toMatchObject({ valueUnit: 'Bq/ml', value: 15100, lacks: 'Patient Weight' });
  });
});
