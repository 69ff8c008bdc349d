// Content items of a structured report as DICOM JSON (PS3.3 C.17.3): made here, and read again.
import { itemsOf, numbersOf, textOf, type DataSet } from '../dicom/attributes';

type Json = Record<string, { vr: string; Value?: unknown[] }>;

/** Code value, scheme and meaning. */
export type Code = readonly [string, string, string];

export const CODES = {
  report: ['126000', 'DCM', 'Imaging Measurement Report'],
  language: ['121049', 'DCM', 'Language of Content Item and Descendants'],
  english: ['en', 'RFC5646', 'English'],
  observerType: ['121005', 'DCM', 'Observer Type'],
  person: ['121006', 'DCM', 'Person'],
  personName: ['121008', 'DCM', 'Person Observer Name'],
  device: ['121007', 'DCM', 'Device'],
  deviceUid: ['121012', 'DCM', 'Device Observer UID'],
  deviceName: ['121013', 'DCM', 'Device Observer Name'],
  procedure: ['121058', 'DCM', 'Procedure reported'],
  imaging: ['363679005', 'SCT', 'Imaging procedure'],
  measurements: ['126010', 'DCM', 'Imaging Measurements'],
  group: ['125007', 'DCM', 'Measurement Group'],
  tracking: ['112039', 'DCM', 'Tracking Identifier'],
  trackingUid: ['112040', 'DCM', 'Tracking Unique Identifier'],
  length: ['410668003', 'SCT', 'Length'],
  angle: ['1483009', 'SCT', 'Angle'],
  area: ['42798000', 'SCT', 'Area'],
  attenuation: ['112031', 'DCM', 'Attenuation Coefficient'],
  quantity: ['246205007', 'SCT', 'Quantity'],
  suv: ['126401', 'DCM', 'SUVbw'],
  derivation: ['121401', 'DCM', 'Derivation'],
  mean: ['373098007', 'SCT', 'Mean'],
  deviation: ['386136009', 'SCT', 'Standard Deviation'],
  least: ['255605001', 'SCT', 'Minimum'],
  most: ['56851009', 'SCT', 'Maximum'],
} as const satisfies Record<string, Code>;

/** UCUM codes of the units in which marks measure. */
export const UNITS: Readonly<Record<string, Code>> = {
  mm: ['mm', 'UCUM', 'millimeter'],
  'mm²': ['mm2', 'UCUM', 'square millimeter'],
  px: ['{pixels}', 'UCUM', 'pixels'],
  'px²': ['{pixels}', 'UCUM', 'pixels'],
  '°': ['deg', 'UCUM', 'degree'],
  HU: ["[hnsf'U]", 'UCUM', 'Hounsfield unit'],
  SUVbw: ['g/ml{SUVbw}', 'UCUM', 'Standardized Uptake Value body weight'],
  'Bq/ml': ['Bq/ml', 'UCUM', 'Becquerels/milliliter'],
  '': ['1', 'UCUM', 'no units'],
};

export function codeItem([value, scheme, meaning]: Code): Json {
  return { '00080100': { vr: 'SH', Value: [value] }, '00080102': { vr: 'SH', Value: [scheme] }, '00080104': { vr: 'LO', Value: [meaning] } };
}

/** An item of `Content Sequence`; `children` stand below it. */
export function item(relationship: string, type: string, name: Code | undefined, value: Json, children: readonly Json[] = []): Json {
  return {
    '0040A010': { vr: 'CS', Value: [relationship] },
    '0040A040': { vr: 'CS', Value: [type] },
    ...(name === undefined ? {} : { '0040A043': { vr: 'SQ', Value: [codeItem(name)] } }),
    ...value,
    ...(children.length === 0 ? {} : { '0040A730': { vr: 'SQ', Value: [...children] } }),
  };
}

export function container(relationship: string, name: Code, children: readonly Json[]): Json {
  return item(relationship, 'CONTAINER', name, { '0040A050': { vr: 'CS', Value: ['SEPARATE'] } }, children);
}

export function code(relationship: string, name: Code, value: Code, children: readonly Json[] = []): Json {
  return item(relationship, 'CODE', name, { '0040A168': { vr: 'SQ', Value: [codeItem(value)] } }, children);
}

export function text(relationship: string, name: Code, value: string): Json {
  return item(relationship, 'TEXT', name, { '0040A160': { vr: 'UT', Value: [value] } });
}

/** A name as a person writes it: nothing in it ends or divides a value (PS3.5 6.2.1). */
export function person(relationship: string, name: Code, value: string): Json {
  const alphabetic = value.replace(/[\\=\u0000-\u001f\u007f]/g, ' ').trim().slice(0, 64);
  return item(relationship, 'PNAME', name, { '0040A123': { vr: 'PN', Value: [{ Alphabetic: alphabetic }] } });
}

export function uidRef(relationship: string, name: Code, value: string): Json {
  return item(relationship, 'UIDREF', name, { '0040A124': { vr: 'UI', Value: [value] } });
}

/** A number; `children` say how it was come by. */
export function num(name: Code, value: number, unit: Code, children: readonly Json[]): Json {
  // DS holds 16 characters.
  const text = Number(value.toPrecision(9));
  const measured = { '0040A30A': { vr: 'DS', Value: [text] }, '004008EA': { vr: 'SQ', Value: [codeItem(unit)] } };
  return item('CONTAINS', 'NUM', name, { '0040A300': { vr: 'SQ', Value: [measured] } }, children);
}

export function scoord(graphicType: string, points: readonly number[], image: Json): Json {
  const value = { '00700023': { vr: 'CS', Value: [graphicType] }, '00700022': { vr: 'FL', Value: points.map(Math.fround) } };
  return item('INFERRED FROM', 'SCOORD', undefined, value, [image]);
}

/** @param frameNumber undefined for an instance of one frame */
export function imageItem(sopClassUid: string, sopInstanceUid: string, frameNumber: number | undefined): Json {
  return item('SELECTED FROM', 'IMAGE', undefined, { '00081199': { vr: 'SQ', Value: [reference(sopClassUid, sopInstanceUid, frameNumber)] } });
}

export function reference(sopClassUid: string, sopInstanceUid: string, frameNumber?: number): Json {
  return {
    '00081150': { vr: 'UI', Value: [sopClassUid] },
    '00081155': { vr: 'UI', Value: [sopInstanceUid] },
    ...(frameNumber === undefined ? {} : { '00081160': { vr: 'IS', Value: [frameNumber] } }),
  };
}

// reading

export function childrenOf(ds: DataSet): DataSet[] {
  return itemsOf(ds, '0040A730');
}

export function typeOf(ds: DataSet): string {
  return textOf(ds, '0040A040');
}

/** Whether an item's concept is a code, whatever its meaning is called. */
export function isNamed(ds: DataSet, [value, scheme]: Code): boolean {
  const [name] = itemsOf(ds, '0040A043');
  return textOf(name, '00080100') === value && textOf(name, '00080102') === scheme;
}

/** All items below one, itself first; no deeper than any report is. */
export function* below(ds: DataSet, depth = 0): Generator<DataSet> {
  yield ds;
  if (depth < 24) for (const child of childrenOf(ds)) yield* below(child, depth + 1);
}

export function coordinates(ds: DataSet): { type: string; points: { x: number; y: number }[]; key: string } | undefined {
  const numbers = numbersOf(ds, '00700022');
  const image = childrenOf(ds).find((child) => typeOf(child) === 'IMAGE');
  const [sop] = itemsOf(image, '00081199');
  const uid = textOf(sop, '00081155');
  if (uid === '' || numbers.length < 2 || numbers.length % 2 !== 0) return undefined;
  const points = Array.from({ length: numbers.length / 2 }, (_, at) => ({ x: numbers[2 * at] ?? 0, y: numbers[2 * at + 1] ?? 0 }));
  return { type: textOf(ds, '00700023'), points, key: `${uid} ${numbersOf(sop, '00081160')[0] ?? 1}` };
}
