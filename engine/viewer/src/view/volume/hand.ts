// The hand on a volume: it turns, moves, zooms, and shifts opacities like a window; by pointer, fingers and keys.
import type { Point } from '../draw/matrix';
import type { DragTool } from '../tools/pointer';
import type { Viewport } from '../viewport/viewport';
import { spanOf } from './look';
import { moved, seenFrom, SIDES, turned, zoomed, type Side } from './orbit';
import type { VolumeRendering } from './rendering';
import { AT_FIRST, STRETCH, UNMOVED, within } from './state';

const NOTCH = 40; // of a wheel, in pixels
const KEY_TURN = Math.PI / 24;
const KEY_MOVE = 24;
const KEY_SHIFT = 1 / 40; // of what a preset spans
const DRAG_SHIFT = 1 / 400;
const WAYS: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** Keys of flat images, which would mean nothing here. */
const FLAT = new Set(['o', 'r', 'h', 'i', ' ', ',', '.', 'l', 'g', 'b', 'e', 'q', 'c', 'End']);

export interface VolumeHands {
  tool(): DragTool;
  activate(viewport: Viewport): void;
}

/** Listen on a viewport's element: what is meant for a volume does not come to flat images. `rendering`: what it shows, if it is one. */
export function listenForTurns(element: HTMLElement, viewport: Viewport, rendering: () => VolumeRendering | undefined, hands: VolumeHands): void {
  const fingers = new Map<number, Point>();
  let tool: DragTool | undefined;
  const placeOf = (event: { clientX: number; clientY: number }): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  const wheel = (event: WheelEvent) => {
    const shown = rendering();
    if (shown === undefined) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    hands.activate(viewport);
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * NOTCH;
    shown.change({ orbit: zoomed(shown.state.orbit, Math.exp(-pixels / 400), placeOf(event), viewport.size) });
  };
  const down = (event: PointerEvent) => {
    if (rendering() === undefined || (event.target instanceof Element && event.target.closest('button, input') !== null)) return;
    event.stopImmediatePropagation();
    hands.activate(viewport);
    fingers.set(event.pointerId, placeOf(event));
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    tool = fingers.size > 1 ? undefined : ([hands.tool(), 'pan', 'zoom'] as const)[event.button];
  };
  const move = (event: PointerEvent) => {
    const shown = rendering();
    if (shown === undefined) return;
    event.stopImmediatePropagation();
    const from = fingers.get(event.pointerId);
    if (from === undefined) return;
    const at = placeOf(event);
    if (fingers.size === 2) pinched(shown, viewport, fingers, event.pointerId, at);
    else if (tool !== undefined) dragged(shown, viewport, tool, at.x - from.x, at.y - from.y);
    fingers.set(event.pointerId, at);
  };
  const end = (event: PointerEvent) => {
    if (!fingers.delete(event.pointerId)) return;
    event.stopImmediatePropagation();
    tool = undefined;
  };
  element.addEventListener('wheel', wheel, { capture: true, passive: false });
  element.addEventListener('pointerdown', down, { capture: true });
  element.addEventListener('pointermove', move, { capture: true });
  for (const type of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) element.addEventListener(type, end, { capture: true });
}

function dragged(shown: VolumeRendering, viewport: Viewport, tool: DragTool, across: number, down: number): void {
  const { orbit } = shown.state;
  const { size } = viewport;
  const half = Math.PI / Math.min(size.width, size.height); // the whole of the smaller side is half a turn
  if (tool === 'window') shiftBy(shown, down * DRAG_SHIFT, Math.exp(across / 200));
  else if (tool === 'pan') shown.change({ orbit: moved(orbit, across, down, size) });
  else if (tool === 'zoom') shown.change({ orbit: zoomed(orbit, Math.exp(-down / 150), { x: size.width / 2, y: size.height / 2 }, size) });
  else shown.change({ orbit: turned(orbit, across * half, down * half) });
}

function pinched(shown: VolumeRendering, { size }: Viewport, fingers: ReadonlyMap<number, Point>, moving: number, to: Point): void {
  const [other] = [...fingers].filter(([finger]) => finger !== moving).map(([, at]) => at);
  const from = fingers.get(moving);
  if (other === undefined || from === undefined) return;
  const [before, after] = [from, to].map((at) => Math.hypot(at.x - other.x, at.y - other.y)) as [number, number];
  let orbit = moved(shown.state.orbit, (to.x - from.x) / 2, (to.y - from.y) / 2, size);
  if (before > 1 && after > 1) orbit = zoomed(orbit, after / before, { x: (to.x + other.x) / 2, y: (to.y + other.y) / 2 }, size);
  shown.change({ orbit });
}

/** Opacities moved by a part of what the preset spans, and stretched. */
export function shiftBy(shown: VolumeRendering, part: number, stretch: number): void {
  const { scale, preset, state } = shown;
  if (scale === undefined) return;
  const [low, high] = spanOf(preset, scale);
  const span = (high - low) * state.shift.stretch;
  shown.change({
    shift: { shift: within(state.shift.shift + part * span, -4 * (high - low), 4 * (high - low)), stretch: within(state.shift.stretch * stretch, ...STRETCH) },
  });
}

/** True when the key meant something for a volume, or would mean something for flat images only. */
export function turnedByKey(event: KeyboardEvent, shown: VolumeRendering, { size }: Viewport): boolean {
  if (event.ctrlKey || event.altKey || event.metaKey) return false;
  const { orbit } = shown.state;
  const way = WAYS[event.key];
  if (way !== undefined) {
    const [right, down] = way;
    shown.change({ orbit: event.shiftKey ? moved(orbit, right * KEY_MOVE, down * KEY_MOVE, size) : turned(orbit, right * KEY_TURN, down * KEY_TURN) });
    return true;
  }
  if (event.shiftKey && event.key in SIDES) {
    shown.change({ orbit: seenFrom(orbit, event.key as Side) });
    return true;
  }
  if (/^[1-9]$/.test(event.key)) {
    const preset = shown.presets[Number(event.key) - 1];
    if (preset !== undefined) shown.change({ preset: preset.name, shift: UNMOVED });
    return true;
  }
  const middle = { x: size.width / 2, y: size.height / 2 };
  const acts: Readonly<Record<string, () => void>> = {
    '+': () => shown.change({ orbit: zoomed(orbit, 1.25, middle, size) }),
    '-': () => shown.change({ orbit: zoomed(orbit, 0.8, middle, size) }),
    f: () => shown.change({ orbit: { ...orbit, zoom: 1, pan: { x: 0, y: 0 } } }),
    a: () => shown.change({ shift: UNMOVED }),
    Home: () => shown.change({ orbit: AT_FIRST.orbit }),
    PageUp: () => shiftBy(shown, -KEY_SHIFT, 1),
    PageDown: () => shiftBy(shown, KEY_SHIFT, 1),
  };
  const act = acts[event.key];
  act?.();
  return act !== undefined || FLAT.has(event.key);
}
