// Marks over an image, with what they measure.
import { apply, type Matrix, type Point } from '../draw/matrix';
import { drawShape, drawText } from '../layout/strokes';
import { rounded } from '../viewport/labels';
import type { Words } from '../words';
import type { Mark } from './marks';
import type { Measured } from './values';

/** @param toScreen from pixels of the image */
export function drawMark(svg: SVGElement, mark: Mark, measured: Measured, toScreen: Matrix, isChosen: boolean, words: Words): void {
  const points = mark.points.map((point) => apply(toScreen, point));
  const name = `mark${isChosen ? ' chosen' : ''}${mark.isStored ? ' stored' : ''}`;
  const [a, b] = [mark.points[0], mark.points[1]];
  switch (mark.kind) {
    case 'text':
      drawText(svg, { x: (points[0] as Point).x, y: (points[0] as Point).y + 4 }, textOfMark(mark), name);
      return;
    case 'arrow':
      drawShape(svg, 'polyline', { points: pairs(arrowOf(points, HEAD_PX)) }, name);
      break;
    case 'line':
      drawShape(svg, 'polyline', { points: pairs(points) }, name);
      return;
    case 'length':
    case 'angle':
      drawShape(svg, 'polyline', { points: pairs(points) }, name);
      break;
    case 'rectangle':
      if (a !== undefined && b !== undefined) drawShape(svg, 'polygon', { points: pairs(cornersOf(a, b).map((corner) => apply(toScreen, corner))) }, name);
      break;
    case 'ellipse':
      if (a !== undefined && b !== undefined) {
        const middle = apply(toScreen, { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
        const rx = (Math.abs(b.x - a.x) / 2) * Math.hypot(toScreen.a, toScreen.b);
        const ry = (Math.abs(b.y - a.y) / 2) * Math.hypot(toScreen.c, toScreen.d);
        const turn = (Math.atan2(toScreen.b, toScreen.a) * 180) / Math.PI;
        drawShape(svg, 'ellipse', { cx: middle.x, cy: middle.y, rx, ry, transform: `rotate(${turn} ${middle.x} ${middle.y})` }, name);
      }
      break;
    case 'probe':
  }
  for (const { x, y } of points) drawShape(svg, 'ellipse', { cx: x, cy: y, rx: 3, ry: 3 }, `handle ${name}`);
  if (mark.kind === 'arrow') {
    const [tip, end] = points;
    if (tip !== undefined && end !== undefined) drawText(svg, { x: end.x + (end.x < tip.x ? -8 : 8), y: end.y + 4 }, textOfMark(mark), `${name}${end.x < tip.x ? ' before' : ''}`);
    return;
  }
  const last = points.reduce<Point | undefined>((right, point) => (right === undefined || point.x > right.x ? point : right), undefined);
  if (last !== undefined) drawText(svg, { x: last.x + 8, y: last.y + 4 }, linesOf(measured, words), name);
}

/** Screen pixels. */
const HEAD_PX = 12;

/** An arrow as one line: to its tip, and round the two strokes of its head, `head` long. */
export function arrowOf([tip, end]: readonly Point[], head: number): Point[] {
  if (tip === undefined || end === undefined) return [];
  const along = Math.atan2(end.y - tip.y, end.x - tip.x);
  const stroke = (turn: number): Point => ({ x: tip.x + head * Math.cos(along + turn), y: tip.y + head * Math.sin(along + turn) });
  return [end, tip, stroke(0.45), tip, stroke(-0.45)];
}

function textOfMark({ text }: Mark): string[] {
  return (text ?? '').split('\n');
}

/** What it measures, in words. */
export function linesOf({ unit, isAtDetector, length, angle, area, value, statistics, valueUnit, lacks }: Measured, words: Words): string[] {
  const lines: string[] = [];
  const detector = isAtDetector ? ` ${words('measure.detector')}` : '';
  if (length !== undefined) lines.push(`${rounded(length)} ${unit}${detector}`);
  if (angle !== undefined) lines.push(`${angle.toFixed(1)}°`);
  if (area !== undefined) lines.push(`${words('measure.area')} ${apart(words('measure.area'), `${rounded(area)} ${unit}²`)}${detector}`);
  if (value !== undefined) lines.push(`${rounded(value)} ${valueUnit}`.trim());
  if (statistics !== undefined) {
    const { mean, deviation, least, most } = statistics;
    lines.push(`${words('measure.mean')} ${apart(words('measure.mean'), `${rounded(mean)} ± ${rounded(deviation)} ${valueUnit}`.trim())}`, `${rounded(least)} … ${rounded(most)} ${valueUnit}`.trim());
  }
  if (lacks !== undefined && (value !== undefined || statistics !== undefined)) lines.push(words('measure.no_suv', { attribute: lacks }));
  return lines;
}

/** Numbers behind a word that runs from right to left: in an isolate (Unicode LRI, PDI), or "40 ± 0" would be seen as "0 ± 40". */
function apart(word: string, numbers: string): string {
  return /[\u0590-\u08ff]/.test(word) ? `\u2066${numbers}\u2069` : numbers;
}

/** Of an upright rectangle in the image, round it. */
export function cornersOf(a: Point, b: Point): Point[] {
  return [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }];
}

function pairs(points: readonly Point[]): string {
  return points.map(({ x, y }) => `${x},${y}`).join(' ');
}
