// The left button by keyboard, for tools that drag: Enter presses in the middle, arrows move, Enter lets go.
import type { Point } from '../draw/matrix';
import type { Viewport } from '../viewport/viewport';
import { WAYS } from './cursor';
import { dragWindow, type Hands } from './pointer';

const STEP_PX = 8; // of the screen; 1 with shift

/** Of the tools that no other keys stand for: window and crosshair. @param said hears of the window */
export function listenToKeys(element: HTMLElement, viewport: Viewport, hands: Hands, said: (center: number, width: number) => void): void {
  let held: { tool: 'window' | 'crosshair'; at: Point } | undefined;

  const end = () => {
    held = undefined;
    delete element.dataset.pressed;
  };
  element.addEventListener('blur', end);
  element.addEventListener('keydown', (event) => {
    if (event.target !== element || event.ctrlKey || event.metaKey || event.altKey) return;
    const tool = hands.tool();
    const isOurs = !hands.drawing.isDrawing && (tool === 'window' || tool === 'crosshair') && viewport.shown?.pixels?.kind === 'grey';
    if (held !== undefined && (!isOurs || held.tool !== tool)) end();
    if (!isOurs) return;
    const way = WAYS[event.key];
    if (held === undefined) {
      if (event.key !== 'Enter') return;
      held = { tool, at: { x: viewport.size.width / 2, y: viewport.size.height / 2 } };
      element.dataset.pressed = tool;
      if (tool === 'crosshair') hands.crosshair(viewport, held.at);
    } else if (event.key === 'Enter' || event.key === 'Escape') end();
    else if (way !== undefined) {
      const [across, down] = way.map((part) => part * (event.shiftKey ? 1 : STEP_PX)) as [number, number];
      const { width, height } = viewport.size;
      held.at = { x: Math.min(Math.max(held.at.x + across, 0), width), y: Math.min(Math.max(held.at.y + down, 0), height) };
      if (tool === 'crosshair') hands.crosshair(viewport, held.at);
      else {
        dragWindow(viewport, across, down);
        if (viewport.window !== undefined) said(viewport.window.center, viewport.window.width);
      }
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
