// Lines, shapes and words of SVG over an image.
import type { Point } from '../draw/matrix';

const NAMESPACE = 'http://www.w3.org/2000/svg';

export function emptied(svg: SVGElement): void {
  if (svg.firstChild !== null) svg.replaceChildren();
}

export function drawShape(svg: SVGElement, tag: string, attributes: Readonly<Record<string, string | number>>, name: string): SVGElement {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.setAttribute('class', name);
  svg.append(element);
  return element;
}

export function drawLine(svg: SVGElement, from: Point, to: Point, name: string): void {
  drawShape(svg, 'line', { x1: from.x, y1: from.y, x2: to.x, y2: to.y }, name);
}

const ARM = 14;
const GAP = 4;

export function drawCross(svg: SVGElement, at: Point): void {
  for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
    drawLine(svg, { x: at.x + GAP * x, y: at.y + GAP * y }, { x: at.x + ARM * x, y: at.y + ARM * y }, 'cross');
  }
}

export function drawText(svg: SVGElement, at: Point, lines: readonly string[], name: string): void {
  lines.forEach((line, row) => {
    drawShape(svg, 'text', { x: at.x, y: at.y + 15 * row }, name).textContent = line;
  });
}
