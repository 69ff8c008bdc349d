// The bar beside an image: where in the series it is, what has come of it exactly, coarsely, not yet; and to jump with.
import type { Words } from '../words';
import { make } from './labels';
import type { Viewport } from './viewport';

const COLOURS = { missing: '#3a2226', coarse: '#7a6a2e', exact: '#2f6b4f' };
const WIDTH = 10;

export class JumpBar {
  readonly element = make('div', 'jump-bar');
  private readonly canvas = make('canvas');
  private readonly mark = make('div', 'mark');
  private drawn = '';
  private said = { position: -1, count: 0, height: 0 };

  constructor(
    private readonly viewport: Viewport,
    private readonly words: Words,
  ) {
    this.element.setAttribute('role', 'slider');
    this.element.setAttribute('aria-orientation', 'vertical');
    this.element.setAttribute('aria-valuemin', '1');
    this.element.append(this.canvas, this.mark);
    this.element.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.element.setPointerCapture(event.pointerId);
      this.jump(event);
    });
    this.element.addEventListener('pointermove', (event) => {
      if (this.element.hasPointerCapture(event.pointerId)) this.jump(event);
    });
  }

  /** Where the series is: at every drawing. */
  moved(): void {
    const { count, position, stack } = this.viewport;
    this.element.hidden = count < 2 || stack === undefined;
    if (this.element.hidden || stack === undefined) return;
    const { height } = this.viewport.size;
    if (this.said.position === position && this.said.count === count && this.said.height === height) return;
    this.said = { position, count, height };
    this.element.setAttribute('aria-valuemax', String(count));
    this.element.setAttribute('aria-valuenow', String(position + 1));
    this.element.setAttribute('aria-label', this.words('view.position', { number: position + 1, count }));
    // Moved, not placed: the page is not laid out for it.
    this.mark.style.transform = `translateY(${(height * (position + 0.5)) / count}px)`;
  }

  /** What has come of it: asks every frame, so a few times a second. */
  update(): void {
    const { count, stack } = this.viewport;
    if (count < 2 || stack === undefined) return;
    const height = Math.max(1, Math.round(this.viewport.size.height));
    const states = Array.from({ length: count }, (_, at) => stack.arrived(at));
    const key = `${height} ${states.map((state) => state[0]).join('')}`;
    if (key === this.drawn) return;
    this.drawn = key;
    this.canvas.width = WIDTH;
    this.canvas.height = height;
    const context = this.canvas.getContext('2d');
    if (context === null) return;
    for (let from = 0, to = 0; from < count; from = to) {
      const state = states[from] ?? 'missing';
      while (to < count && states[to] === state) to++;
      context.fillStyle = COLOURS[state];
      const top = Math.floor((from * height) / count);
      context.fillRect(0, top, WIDTH, Math.max(1, Math.ceil((to * height) / count) - top));
    }
  }

  private jump(event: PointerEvent): void {
    const box = this.element.getBoundingClientRect();
    const part = (event.clientY - box.top) / Math.max(box.height, 1);
    this.viewport.go(Math.floor(Math.min(Math.max(part, 0), 0.999999) * this.viewport.count));
  }
}
