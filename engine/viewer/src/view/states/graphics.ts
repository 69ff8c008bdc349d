// Marks as graphic annotations of a presentation state (PS3.3 C.10.5), and back: positions are of the image, in pixels.
import { itemsOf, numbersOf, textOf, type DataSet } from '../dicom/attributes';
import type { Point } from '../draw/matrix';
import { newUid, type Mark } from '../measure/marks';
import { arrowOf, cornersOf } from '../measure/shapes';

type Json = Record<string, { vr: string; Value?: unknown[] }>;

export const LAYERS = ['ANNOTATIONS', 'MEASUREMENTS'] as const;
const HEAD_PART = 0.2; // of an arrow's length: a state knows no screen
const HEAD_MAX = 12; // pixels of the image
const ROUND_POINTS = 48;

/** Text and graphics of a mark; `lines` is what it measures. */
export function graphicsOf(mark: Mark, lines: readonly string[]): { texts: Json[]; graphics: Json[] } {
  const [a, b] = mark.points;
  if (a === undefined) return { texts: [], graphics: [] };
  const text = mark.text?.split('\n').join('\r\n') ?? lines.join('\r\n');
  const at = mark.kind === 'arrow' ? (b ?? a) : mark.points.reduce((right, point) => (point.x > right.x ? point : right), a);
  return { texts: text === '' ? [] : [textObject(text, at)], graphics: shapesOf(mark, a, b) };
}

function shapesOf(mark: Mark, a: Point, b: Point | undefined): Json[] {
  switch (mark.kind) {
    case 'text':
      return [];
    case 'probe':
      return [graphicObject('POINT', [a])];
    case 'arrow':
      return [graphicObject('POLYLINE', arrowOf(mark.points, Math.min(HEAD_MAX, HEAD_PART * Math.hypot((b?.x ?? a.x) - a.x, (b?.y ?? a.y) - a.y))))];
    case 'rectangle':
      return b === undefined ? [] : [graphicObject('POLYLINE', [...cornersOf(a, b), a], true)];
    case 'ellipse': {
      if (b === undefined) return [];
      // Ends of the major axis, then of the minor one.
      const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
      const across = [{ x: Math.min(a.x, b.x), y: middle.y }, { x: Math.max(a.x, b.x), y: middle.y }];
      const down = [{ x: middle.x, y: Math.min(a.y, b.y) }, { x: middle.x, y: Math.max(a.y, b.y) }];
      return [graphicObject('ELLIPSE', Math.abs(b.x - a.x) >= Math.abs(b.y - a.y) ? [...across, ...down] : [...down, ...across], true)];
    }
    default:
      return [graphicObject('POLYLINE', mark.points)];
  }
}

function textObject(text: string, { x, y }: Point): Json {
  return {
    '00700004': { vr: 'CS', Value: ['PIXEL'] },
    '00700006': { vr: 'ST', Value: [text] },
    '00700014': { vr: 'FL', Value: [Math.fround(x), Math.fround(y)] },
    '00700015': { vr: 'CS', Value: ['N'] },
  };
}

function graphicObject(type: string, points: readonly Point[], isClosed = false): Json {
  return {
    '00700005': { vr: 'CS', Value: ['PIXEL'] },
    '00700020': { vr: 'US', Value: [2] },
    '00700021': { vr: 'US', Value: [points.length] },
    '00700022': { vr: 'FL', Value: points.flatMap(({ x, y }) => [Math.fround(x), Math.fround(y)]) },
    '00700023': { vr: 'CS', Value: [type] },
    ...(isClosed ? { '00700024': { vr: 'CS', Value: ['N'] } } : {}),
  };
}

type OnScreen = ((point: Point) => Point) | undefined;

/**
 * The marks of one item of Graphic Annotation Sequence on a frame; `missed` hears of what is not drawn.
 * @param onScreen where in the image a point of the displayed area is: what is fixed to the screen stands there when the state is applied
 */
export function marksOf(item: DataSet, study: string, key: string, state: string, onScreen: OnScreen, missed: (part: 'screen' | 'graphic' | 'compound') => void): Mark[] {
  const marks: Mark[] = [];
  const put = (kind: Mark['kind'], points: Point[], text?: string) => marks.push({ uid: newUid(), kind, study, key, points, isStored: true, state, ...(text === undefined ? {} : { text }) });
  const texts = itemsOf(item, '00700008');
  const graphics = itemsOf(item, '00700009');
  for (const object of texts) {
    const isAnchored = numbersOf(object, '00700014').length === 2;
    const place = placeIn(textOf(object, isAnchored ? '00700004' : '00700003'), onScreen);
    const [x, y] = numbersOf(object, isAnchored ? '00700014' : '00700010');
    if (place === undefined) missed('screen');
    else if (x !== undefined && y !== undefined) put('text', [place({ x, y })], textOf(object, '00700006').replace(/\r\n?/g, '\n'));
    else missed('graphic');
  }
  for (const object of graphics) {
    const flat = numbersOf(object, '00700022');
    const place = placeIn(textOf(object, '00700005'), onScreen);
    const points = Array.from({ length: Math.floor(flat.length / 2) }, (_, at) => ({ x: flat[2 * at] ?? 0, y: flat[2 * at + 1] ?? 0 })).map((point) => place?.(point) ?? point);
    const [a, b, c, d] = points;
    const type = textOf(object, '00700023');
    if (place === undefined) missed('screen');
    else if (type === 'POINT' && a !== undefined) put('line', [{ x: a.x - 2, y: a.y }, { x: a.x + 2, y: a.y }, a, { x: a.x, y: a.y - 2 }, { x: a.x, y: a.y + 2 }]);
    else if (type === 'POLYLINE' && points.length === 5 && b !== undefined && a !== undefined && d !== undefined && isArrow(points)) put('arrow', [b, a]);
    else if ((type === 'POLYLINE' || type === 'INTERPOLATED') && points.length > 1) put('line', points);
    else if (type === 'CIRCLE' && a !== undefined && b !== undefined) put('line', round(a, { x: b.x - a.x, y: b.y - a.y }, { x: a.y - b.y, y: b.x - a.x }));
    else if (type === 'ELLIPSE' && a !== undefined && b !== undefined && c !== undefined && d !== undefined) {
      put('line', round({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, { x: (b.x - a.x) / 2, y: (b.y - a.y) / 2 }, { x: (d.x - c.x) / 2, y: (d.y - c.y) / 2 }));
    } else missed('graphic');
  }
  if (itemsOf(item, '00700209').length > 0 && graphics.length === 0) missed('compound');
  return marks;
}

function placeIn(units: string, onScreen: OnScreen): OnScreen {
  return units === 'PIXEL' ? (point) => point : units === 'DISPLAY' ? onScreen : undefined;
}

/** A line to its tip and round two strokes, as arrows are stored here. */
function isArrow([, tip, , again]: readonly Point[]): boolean {
  return tip !== undefined && tip.x === again?.x && tip.y === again.y;
}

function round(middle: Point, across: Point, down: Point): Point[] {
  return Array.from({ length: ROUND_POINTS + 1 }, (_, at) => {
    const [cos, sin] = [Math.cos((2 * Math.PI * at) / ROUND_POINTS), Math.sin((2 * Math.PI * at) / ROUND_POINTS)];
    return { x: middle.x + across.x * cos + down.x * sin, y: middle.y + across.y * cos + down.y * sin };
  });
}
