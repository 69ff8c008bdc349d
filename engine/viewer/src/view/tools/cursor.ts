// Marks by keyboard: Enter shows a cross, arrows move it, Enter presses and lets go where the pointer would, Escape ends it.
import type { Point } from '../draw/matrix';
import type { MarkDrawing } from '../measure/drawing';
import type { Viewport } from '../viewport/viewport';

const STEP_PX = 8; // of the screen; 1 with shift
export const WAYS: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class KeyCursor {
  private now: { viewport: Viewport; at: Point; isDown: boolean } | undefined;

  constructor(private readonly drawing: MarkDrawing, private readonly changed: () => void) {}

  /** Where the cross is on a viewport. */
  on(viewport: Viewport): Point | undefined {
    return this.now?.viewport === viewport ? this.now.at : undefined;
  }

  /** True when the key meant something. @param isDrawing a mark is the chosen tool */
  key(event: KeyboardEvent, viewport: Viewport, isDrawing: boolean): boolean {
    const { drawing } = this;
    if (this.now !== undefined && (this.now.viewport !== viewport || !isDrawing)) this.end();
    const { now } = this;
    if (event.key === 'm') {
      const at = drawing.next(viewport);
      if (at !== undefined && isDrawing) this.now = { viewport, at, isDown: false };
    } else if (now === undefined) {
      if (event.key !== 'Enter' || !isDrawing) return false;
      this.now = { viewport, at: { x: viewport.size.width / 2, y: viewport.size.height / 2 }, isDown: false };
    } else if (event.key === 'Escape') this.end();
    else if (event.key === 'Enter' && now.isDown) {
      now.isDown = false;
      drawing.up(viewport, now.at);
    } else if (event.key === 'Enter') {
      const isLast = drawing.isOpen;
      now.isDown = drawing.down(viewport, now.at);
      // What has one place only, or gets its last one, is let go at once.
      if (now.isDown && (isLast || drawing.isPoint)) {
        now.isDown = false;
        drawing.up(viewport, now.at);
      }
    } else {
      const way = WAYS[event.key];
      if (way === undefined) return false;
      const step = event.shiftKey ? 1 : STEP_PX;
      const { width, height } = viewport.size;
      now.at = { x: Math.min(Math.max(now.at.x + way[0] * step, 0), width), y: Math.min(Math.max(now.at.y + way[1] * step, 0), height) };
      drawing.move(viewport, now.at);
    }
    this.changed();
    return true;
  }

  private end(): void {
    if (this.now?.isDown === true) this.drawing.up(this.now.viewport, this.now.at);
    this.now = undefined;
  }
}
