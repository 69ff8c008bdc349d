// What is on the screen as one picture, images with all that is said beside them: nothing leaves without its identification.
import type { Screen } from './screen';

/** PNG; null while nothing is shown. */
export async function pictureOf(screen: Screen): Promise<Blob | null> {
  const all = screen.element.getBoundingClientRect();
  const device = devicePixelRatio;
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(all.width * device);
  canvas.height = Math.round(all.height * device);
  const context = canvas.getContext('2d');
  if (context === null) return null;
  context.fillStyle = '#000';
  context.fillRect(0, 0, canvas.width, canvas.height);
  let isEmpty = true;
  for (const cell of screen.cells) {
    const image = screen.read(cell);
    if (image === undefined) continue;
    isEmpty = false;
    const box = cell.element.getBoundingClientRect();
    context.putImageData(image, Math.round((box.left - all.left) * device), Math.round((box.top - all.top) * device));
  }
  if (isEmpty) return null;
  context.scale(device, device);
  context.translate(-all.left, -all.top);
  for (const { svg, labels } of screen.cells) {
    for (const shape of svg.querySelectorAll<SVGGraphicsElement>('line, ellipse, polygon, polyline, rect, text')) stroke(context, shape, svg);
    for (const element of labels.element.querySelectorAll<HTMLElement>('p, .edge, .badge, .scale-bar')) write(context, element);
  }
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

function write(context: CanvasRenderingContext2D, element: HTMLElement): void {
  const text = (element.textContent ?? '').replace(/\s+/g, ' ').trim(); // as it stands on the screen
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  if (text === '' || box.width === 0 || style.visibility === 'hidden') return;
  context.fillStyle = style.backgroundColor;
  context.fillRect(box.left, box.top, box.width, box.height);
  if (element.classList.contains('scale-bar')) {
    context.strokeStyle = style.borderBottomColor;
    context.beginPath();
    context.moveTo(box.left, box.top);
    context.lineTo(box.left, box.bottom);
    context.lineTo(box.right, box.bottom);
    context.lineTo(box.right, box.top);
    context.stroke();
  }
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  context.fillStyle = style.color;
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  context.fillText(text, box.left + box.width / 2, box.top + box.height / 2);
}

function stroke(context: CanvasRenderingContext2D, shape: SVGGraphicsElement, svg: SVGElement): void {
  const box = svg.getBoundingClientRect();
  const style = getComputedStyle(shape);
  const number = (name: string) => Number(shape.getAttribute(name));
  context.save();
  context.translate(box.left, box.top);
  context.strokeStyle = style.stroke;
  context.lineWidth = parseFloat(style.strokeWidth) || 1;
  context.setLineDash(style.strokeDasharray === 'none' ? [] : style.strokeDasharray.split(/[ ,]+/).map(parseFloat));
  context.beginPath();
  if (shape.tagName === 'line') {
    context.moveTo(number('x1'), number('y1'));
    context.lineTo(number('x2'), number('y2'));
  } else if (shape.tagName === 'ellipse') {
    const turn = /rotate\(([-\d.]+)/.exec(shape.getAttribute('transform') ?? '');
    context.ellipse(number('cx'), number('cy'), number('rx'), number('ry'), (Number(turn?.[1] ?? 0) * Math.PI) / 180, 0, 2 * Math.PI);
  } else if (shape.tagName === 'text') {
    context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    context.fillStyle = style.fill;
    context.fillText(shape.textContent ?? '', number('x'), number('y'));
  } else {
    const points = (shape.getAttribute('points') ?? '').split(' ').map((pair) => pair.split(',').map(Number));
    points.forEach(([x = 0, y = 0], at) => (at === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    if (shape.tagName === 'polygon') context.closePath();
  }
  context.stroke();
  context.restore();
}
