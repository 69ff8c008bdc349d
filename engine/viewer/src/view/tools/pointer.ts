// The hand on an image: the chosen tool on the left button or finger, the same on every wheel and on two fingers.
import { dragStep } from '../image/windows';
import type { Point } from '../draw/matrix';
import type { Viewport } from '../viewport/viewport';
import { Pair, pixelsPerImage } from './pair';

export type DragTool = 'window' | 'scroll' | 'pan' | 'zoom' | 'crosshair';

/** What takes the pointer instead of the viewport: drawing and moving of measurements. True: it has taken it. */
export interface Drawing {
  /** A mark is the chosen tool. */
  readonly isDrawing: boolean;
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

const REST_TO_MOVE_MS = 500; // a finger that rests so long moves the image, whatever the tool is
const STILL_PX = 8; // a finger never rests quite still
const NOTCH = 40; // of a wheel, in pixels; touch pads send many small parts

/** Listen on a viewport's element. */
export function listen(element: HTMLElement, viewport: Viewport, hands: Hands): void {
  const fingers = new Map<number, Point>();
  const pair = new Pair(viewport);
  let drag: Drag | undefined;
  let resting: ReturnType<typeof setTimeout> | undefined;
  let wheel = 0;
  let begun: Point | undefined;

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
    clearTimeout(resting);
    if (fingers.size > 1) {
      if (drag?.tool === 'draw') hands.drawing.up(viewport, drag.last);
      drag = undefined; // two fingers zoom and move, or scroll
      pair.begin(fingers);
      return;
    }
    const tools: (DragTool | undefined)[] = [hands.tool(), 'pan', 'zoom'];
    const tool = tools[event.button];
    if (tool === undefined) return;
    if (event.button === 0 && hands.drawing.down(viewport, at, event)) drag = { tool: 'draw', last: at, rest: 0 };
    else {
      const own: Drag = { tool, last: at, rest: 0 };
      drag = own;
      if (tool === 'crosshair') hands.crosshair(viewport, at);
      if (event.pointerType === 'touch') {
        resting = setTimeout(() => {
          own.tool = 'pan';
          element.dataset.held = '';
          navigator.vibrate?.(15);
        }, REST_TO_MOVE_MS);
        begun = at;
      }
    }
  });

  element.addEventListener('pointermove', (event) => {
    const at = placeOf(event);
    const before = fingers.get(event.pointerId);
    if (before !== undefined) fingers.set(event.pointerId, at);
    if (before !== undefined && fingers.size === 2) pair.moved(fingers);
    if (begun !== undefined && Math.hypot(at.x - begun.x, at.y - begun.y) > STILL_PX) {
      clearTimeout(resting);
      begun = undefined;
    }
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
        drag.rest += down / pixelsPerImage(viewport);
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
    clearTimeout(resting);
    begun = undefined;
    delete element.dataset.held;
    drag = undefined;
  };
  for (const type of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) element.addEventListener(type, end);
  element.addEventListener('contextmenu', (event) => event.preventDefault()); // the right button zooms
}

/** Right is wider, down is darker. */
export function dragWindow(viewport: Viewport, across: number, down: number): void {
  const now = viewport.window ?? viewport.shown?.greys?.window;
  const modality = viewport.header?.modality ?? '';
  if (now === undefined) return;
  const step = dragStep(modality, now.width);
  const width = Math.max(now.width + across * step, modality === 'CT' ? 1 : step / 16);
  viewport.setWindow({ center: now.center + down * step, width, shape: now.shape });
}
