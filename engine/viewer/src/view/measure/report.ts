// Marks as a measurement report (PS3.16 TID 1500, Comprehensive SR), and marks out of reports, ours and others'.
import { numberOf, textOf, type DataSet } from '../dicom/attributes';
import type { FrameHeader } from '../dicom/frame';
import { below, code, codeItem, CODES, container, coordinates, imageItem, isNamed, num, person, reference, scoord, text, typeOf, uidRef, UNITS, type Code } from './content';
import { isMeasure, newUid, type Mark, type MarkKind, type MeasureKind } from './marks';
import { cornersOf } from './shapes';
import type { Measured } from './values';

type Json = Record<string, { vr: string; Value?: unknown[] }>;

const COMPREHENSIVE_SR = '1.2.840.10008.5.1.4.1.1.88.33';
const DEVICE_UID = '2.25.188013905428106213107427393263146193847';
// OHIF knows by these names which of its tools shows a measurement.
const TRACKED: Readonly<Record<MeasureKind, string>> = {
  length: 'Cornerstone3DTools@^0.1.0:Length',
  angle: 'Cornerstone3DTools@^0.1.0:Angle',
  rectangle: 'Cornerstone3DTools@^0.1.0:RectangleROI',
  ellipse: 'Cornerstone3DTools@^0.1.0:EllipticalROI',
  probe: 'Cornerstone3DTools@^0.1.0:Probe',
};

/** A mark with the frame that it is on, and what it measures there. */
export interface Reported {
  readonly mark: Mark;
  readonly frame: FrameHeader;
  readonly series: string;
  readonly measured: Measured;
}

/** One report of marks of one study, as DICOM JSON; `now` in the reader's time, `observer` who measured, empty where nobody says. */
export function reportOf(marks: readonly Reported[], study: string, now: Date, observer = ''): Json {
  const [first] = marks;
  if (first === undefined) throw new Error('a report of nothing');
  const ds = first.frame.dataSet;
  const same = (tag: string, vr: string): Json => ({ [tag]: { vr, Value: ds[tag]?.Value ?? [] } });
  const [date, time] = [dicomDate(now), dicomTime(now)];
  const tree = [
    code('HAS CONCEPT MOD', CODES.language, CODES.english),
    ...(observer ? [code('HAS OBS CONTEXT', CODES.observerType, CODES.person), person('HAS OBS CONTEXT', CODES.personName, observer)] : []),
    code('HAS OBS CONTEXT', CODES.observerType, CODES.device),
    uidRef('HAS OBS CONTEXT', CODES.deviceUid, DEVICE_UID),
    text('HAS OBS CONTEXT', CODES.deviceName, 'voxcast'),
    code('HAS CONCEPT MOD', CODES.procedure, CODES.imaging),
    container('CONTAINS', CODES.measurements, marks.map(groupOf)),
  ];
  return {
    '00080016': { vr: 'UI', Value: [COMPREHENSIVE_SR] },
    '00080018': { vr: 'UI', Value: [newUid()] },
    ...same('00080020', 'DA'),
    '00080023': { vr: 'DA', Value: [date] },
    ...same('00080030', 'TM'),
    '00080033': { vr: 'TM', Value: [time] },
    ...same('00080050', 'SH'),
    '00080060': { vr: 'CS', Value: ['SR'] },
    '00080070': { vr: 'LO', Value: ['voxcast'] },
    ...same('00080090', 'PN'),
    '0008103E': { vr: 'LO', Value: ['Measurements'] },
    '00081111': { vr: 'SQ', Value: [] },
    ...same('00100010', 'PN'),
    ...same('00100020', 'LO'),
    ...same('00100030', 'DA'),
    ...same('00100040', 'CS'),
    '0020000D': { vr: 'UI', Value: [study] },
    '0020000E': { vr: 'UI', Value: [newUid()] },
    ...same('00200010', 'SH'),
    '00200011': { vr: 'IS', Value: [9000] },
    '00200013': { vr: 'IS', Value: [1] },
    '0040A040': { vr: 'CS', Value: ['CONTAINER'] },
    '0040A043': { vr: 'SQ', Value: [codeItem(CODES.report)] },
    '0040A050': { vr: 'CS', Value: ['SEPARATE'] },
    '0040A372': { vr: 'SQ', Value: [] },
    '0040A375': { vr: 'SQ', Value: [{ '00081115': { vr: 'SQ', Value: evidence(marks) }, '0020000D': { vr: 'UI', Value: [study] } }] },
    '0040A491': { vr: 'CS', Value: ['PARTIAL'] },
    '0040A493': { vr: 'CS', Value: ['UNVERIFIED'] },
    '0040A504': { vr: 'SQ', Value: [{ '00080105': { vr: 'CS', Value: ['DCMR'] }, '0040DB00': { vr: 'CS', Value: ['1500'] } }] },
    '0040A730': { vr: 'SQ', Value: tree },
  };
}

/** The marks in a report of a study: what is drawn on an image and measured. Others are passed over. */
export function marksIn(report: DataSet, study: string): Mark[] {
  const found: Mark[] = [];
  for (const group of below(report)) {
    if (typeOf(group) !== 'CONTAINER' || !isNamed(group, CODES.group)) continue;
    const items = [...below(group)];
    const uid = textOf(items.find((one) => isNamed(one, CODES.trackingUid)), '0040A124');
    const drawn = items.find((one) => typeOf(one) === 'SCOORD');
    const where = drawn === undefined ? undefined : coordinates(drawn);
    if (where === undefined) continue;
    const mark = markOf(where.type, where.points);
    if (mark !== undefined) found.push({ uid: uid || newUid(), ...mark, study, key: where.key, isStored: true });
  }
  return found;
}

function groupOf({ mark, frame, measured }: Reported): Json {
  if (!isMeasure(mark)) throw new Error('a mark that measures nothing');
  const image = imageItem(frame.sopClassUid, frame.sopInstanceUid, frame.frameCount > 1 ? frame.frameNumber : undefined);
  const drawn = scoord(...graphicOf(mark), image);
  const { unit, length, angle, area, value, statistics, valueUnit } = measured;
  const name = valueUnit === 'HU' ? CODES.attenuation : valueUnit === 'SUVbw' ? CODES.suv : CODES.quantity;
  const unitCode = UNITS[valueUnit] ?? (UNITS[''] as Code);
  const numbers: Json[] = [];
  if (length !== undefined) numbers.push(num(CODES.length, length, UNITS[unit] as Code, [drawn]));
  if (angle !== undefined) numbers.push(num(CODES.angle, angle, UNITS['°'] as Code, [drawn]));
  if (area !== undefined) numbers.push(num(CODES.area, area, UNITS[`${unit}²`] as Code, [drawn]));
  if (value !== undefined) numbers.push(num(name, value, unitCode, [drawn]));
  if (statistics !== undefined) {
    for (const part of ['mean', 'deviation', 'least', 'most'] as const) {
      numbers.push(num(name, statistics[part], unitCode, [code('HAS CONCEPT MOD', CODES.derivation, CODES[part]), drawn]));
    }
  }
  return container('CONTAINS', CODES.group, [
    text('HAS OBS CONTEXT', CODES.tracking, TRACKED[mark.kind]),
    uidRef('HAS OBS CONTEXT', CODES.trackingUid, mark.uid),
    ...numbers,
  ]);
}

function graphicOf({ kind, points }: Mark): [string, number[]] {
  const [a, b] = points;
  if (a === undefined) throw new Error('a mark without a point');
  const flat = (of: readonly { x: number; y: number }[]) => of.flatMap(({ x, y }) => [x, y]);
  if (b === undefined) return ['POINT', [a.x, a.y]];
  if (kind === 'rectangle') return ['POLYLINE', flat([...cornersOf(a, b), a])];
  if (kind !== 'ellipse') return ['POLYLINE', flat(points)];
  // Ends of the major axis, then of the minor one (PS3.3 C.18.6.1.2).
  const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  const across = [{ x: Math.min(a.x, b.x), y: middle.y }, { x: Math.max(a.x, b.x), y: middle.y }];
  const down = [{ x: middle.x, y: Math.min(a.y, b.y) }, { x: middle.x, y: Math.max(a.y, b.y) }];
  const isWide = Math.abs(b.x - a.x) >= Math.abs(b.y - a.y);
  return ['ELLIPSE', flat(isWide ? [...across, ...down] : [...down, ...across])];
}

function markOf(type: string, points: { x: number; y: number }[]): { kind: MarkKind; points: { x: number; y: number }[] } | undefined {
  const [a, b, c, d] = points;
  if (type === 'POINT' && a !== undefined) return { kind: 'probe', points: [a] };
  if (type === 'POLYLINE' && points.length === 2) return { kind: 'length', points };
  if (type === 'POLYLINE' && points.length === 3) return { kind: 'angle', points };
  // Only those that lie as the pixels do: a turned one would measure something else here.
  const isUpright = points.every((point, at) => at === 0 || point.x === points[at - 1]?.x || point.y === points[at - 1]?.y);
  if (type === 'POLYLINE' && points.length === 5 && a !== undefined && c !== undefined && isUpright) return { kind: 'rectangle', points: [a, c] };
  if (type !== 'ELLIPSE' || a === undefined || b === undefined || c === undefined || d === undefined) return undefined;
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const isAlong = (Math.abs(a.y - b.y) < 0.01 && Math.abs(c.x - d.x) < 0.01) || (Math.abs(a.x - b.x) < 0.01 && Math.abs(c.y - d.y) < 0.01);
  if (!isAlong) return undefined;
  return { kind: 'ellipse', points: [{ x: Math.min(...xs), y: Math.min(...ys) }, { x: Math.max(...xs), y: Math.max(...ys) }] };
}

function evidence(marks: readonly Reported[]): Json[] {
  const bySeries = new Map<string, Map<string, string>>();
  for (const { series, frame } of marks) {
    const instances = bySeries.get(series) ?? new Map<string, string>();
    bySeries.set(series, instances.set(frame.sopInstanceUid, frame.sopClassUid));
  }
  return [...bySeries].map(([series, instances]) => ({
    '00081199': { vr: 'SQ', Value: [...instances].map(([sop, kind]) => reference(kind, sop)) },
    '0020000E': { vr: 'UI', Value: [series] },
  }));
}

const two = (number: number) => String(number).padStart(2, '0');
const dicomDate = (at: Date) => `${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}`;
const dicomTime = (at: Date) => `${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}`;

/** Whether a report is one of measurements, by its template or its title. */
export function isMeasurements(report: DataSet): boolean {
  return isNamed(report, CODES.report) || numberOf((report['0040A504']?.Value?.[0] ?? {}) as DataSet, '0040DB00') === 1500;
}
