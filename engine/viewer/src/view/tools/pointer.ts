// The hand on an image: the chosen tool on the left button or finger, the same on every wheel and on two fingers.
import { dragStep } from '../image/windows';
import type { Point } from '../draw/matrix';
import type { Viewport } from '../viewport/viewport';

export type DragTool = 'window' | 'scroll' | 'pan' | 'zoom' | 'crosshair';

/** What takes the pointer instead of the viewport: drawing and moving of measurements. True: it has taken it. */
export interface Drawing {
  down(viewport: Viewport, at: Point, event: PointerEvent): boolean;
  move(viewport: Viewport, at: Point): void;
  up(viewport: Viewport, at: Point): void;
}

export interface Hands {
  tool(): DragTool;
  drawing: Drawing;
  crosshair(viewport: Viewport, at: Point): void;
  activate(viewport: Viewport): void;
}

interface Drag {
  tool: DragTool | 'draw';
  last: Point;
  rest: number; // of scrolling: what is not a whole position yet
}

const NOTCH = 40; // of a wheel, in pixels; touch pads send many small parts

/** Listen on a viewport's element. */
export function listen(element: HTMLElement, viewport: Viewport, hands: Hands): void {
  const fingers = new Map<number, Point>();
  let drag: Drag | undefined;
  let wheel = 0;

  const placeOf = (event: { clientX: number; clientY: number }): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  element.addEventListener('wheel', (event) => {
    event.preventDefault();
    hands.activate(viewport);
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * NOTCH;
    if (event.ctrlKey) {
      viewport.zoom(Math.exp(-pixels / 400), placeOf(event));
      return;
    }
    // A notch is one image, whatever it counts.
    wheel = Math.abs(pixels) >= NOTCH ? Math.sign(pixels) * NOTCH : wheel + pixels;
    const steps = Math.trunc(wheel / NOTCH);
    wheel -= steps * NOTCH;
    if (steps !== 0) viewport.step(steps);
  }, { passive: false });

  element.addEventListener('pointerdown', (event) => {
    if (event.target instanceof Element && event.target.closest('button, input') !== null) return;
    hands.activate(viewport);
    const at = placeOf(event);
    fingers.set(event.pointerId, at);
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    if (fingers.size > 1) {
      drag = undefined; // two fingers zoom, move and scroll
      return;
    }
    const tools: (DragTool | undefined)[] = [hands.tool(), 'pan', 'zoom'];
    const tool = tools[event.button];
    if (tool === undefined) return;
    if (event.button === 0 && hands.drawing.down(viewport, at, event)) drag = { tool: 'draw', last: at, rest: 0 };
    else {
      drag = { tool, last: at, rest: 0 };
      if (tool === 'crosshair') hands.crosshair(viewport, at);
    }
  });

  element.addEventListener('pointermove', (event) => {
    const at = placeOf(event);
    const before = fingers.get(event.pointerId);
    if (before !== undefined && fingers.size === 2) pinched(viewport, fingers, event.pointerId, at);
    if (before !== undefined) fingers.set(event.pointerId, at);
    if (drag === undefined) {
      if (fingers.size === 0) hands.drawing.move(viewport, at);
      return;
    }
    const across = at.x - drag.last.x;
    const down = at.y - drag.last.y;
    drag.last = at;
    switch (drag.tool) {
      case 'draw':
        hands.drawing.move(viewport, at);
        break;
      case 'window':
        dragWindow(viewport, across, down);
        break;
      case 'scroll': {
        // The whole height is the whole series, but never more than an image for two pixels.
        const perImage = Math.max(2, viewport.size.height / Math.max(viewport.count, 1));
        drag.rest += down / perImage;
        const steps = Math.trunc(drag.rest);
        drag.rest -= steps;
        if (steps !== 0) viewport.step(steps);
        break;
      }
      case 'pan':
        viewport.pan(across, down);
        break;
      case 'zoom':
        viewport.zoom(Math.exp(-down / 150), { x: viewport.size.width / 2, y: viewport.size.height / 2 });
        break;
      case 'crosshair':
        hands.crosshair(viewport, at);
    }
  });

  const end = (event: PointerEvent) => {
    if (drag?.tool === 'draw' && event.type !== 'lostpointercapture') hands.drawing.up(viewport, placeOf(event));
    fingers.delete(event.pointerId);
    drag = undefined;
  };
  for (const type of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) element.addEventListener(type, end);
  element.addEventListener('contextmenu', (event) => event.preventDefault()); // the right button zooms
}

/** Right is wider, down is darker. */
function dragWindow(viewport: Viewport, across: number, down: number): void {
  const now = viewport.window ?? viewport.shown?.greys?.window;
  const modality = viewport.header?.modality ?? '';
  if (now === undefined) return;
  const step = dragStep(modality, now.width);
  const width = Math.max(now.width + across * step, modality === 'CT' ? 1 : step / 16);
  viewport.setWindow({ center: now.center + down * step, width, shape: now.shape });
}

function pinched(viewport: Viewport, fingers: ReadonlyMap<number, Point>, moved: number, to: Point): void {
  const [other] = [...fingers].filter(([finger]) => finger !== moved).map(([, at]) => at);
  const from = fingers.get(moved);
  if (other === undefined || from === undefined) return;
  const [before, after] = [from, to].map((at) => Math.hypot(at.x - other.x, at.y - other.y)) as [number, number];
  viewport.pan((to.x - from.x) / 2, (to.y - from.y) / 2);
  if (before > 1 && after > 1) viewport.zoom(after / before, { x: (to.x + other.x) / 2, y: (to.y + other.y) / 2 });
}
