// Two fingers on an image: apart or together they zoom and move it, side by side they scroll through the series.
import type { Point } from '../draw/matrix';
import type { Viewport } from '../viewport/viewport';

const DECIDED_PX = 10;
/** Fingers are told of one after the other: before the second has moved, a single one must have gone so far. */
const ALONE_PX = 30;
const MOVED_PX = 3;

interface Place {
  readonly middle: Point;
  readonly span: number;
}

export class Pair {
  private start: Place | undefined;
  private starts: ReadonlyMap<number, Point> = new Map();
  private last: Place | undefined;
  private gesture: 'pinch' | 'scroll' | undefined;
  private rest = 0; // of scrolling: what is not a whole position yet

  constructor(private readonly viewport: Viewport) {}

  begin(fingers: ReadonlyMap<number, Point>): void {
    this.start = this.last = placeOf(fingers);
    this.starts = new Map(fingers);
    this.gesture = undefined;
    this.rest = 0;
  }

  moved(fingers: ReadonlyMap<number, Point>): void {
    const { start, last, viewport } = this;
    const now = placeOf(fingers);
    if (start === undefined || last === undefined || now === undefined) return;
    if (this.gesture === undefined) {
      const apart = Math.abs(now.span - start.span);
      const along = Math.hypot(now.middle.x - start.middle.x, now.middle.y - start.middle.y);
      const ways = [...fingers].map(([finger, at]) => Math.hypot(at.x - (this.starts.get(finger)?.x ?? at.x), at.y - (this.starts.get(finger)?.y ?? at.y)));
      if (Math.max(apart, along) < DECIDED_PX || (Math.min(...ways) < MOVED_PX && Math.max(...ways) < ALONE_PX)) return;
      // Once decided it stays so until a finger is lifted.
      this.gesture = apart > along ? 'pinch' : 'scroll';
      this.last = now;
      return;
    }
    this.last = now;
    if (this.gesture === 'scroll') {
      this.rest += (now.middle.y - last.middle.y) / pixelsPerImage(viewport);
      const steps = Math.trunc(this.rest);
      this.rest -= steps;
      if (steps !== 0) viewport.step(steps);
      return;
    }
    viewport.pan(now.middle.x - last.middle.x, now.middle.y - last.middle.y);
    if (last.span > 1 && now.span > 1) viewport.zoom(now.span / last.span, now.middle);
  }
}

/** The whole height is the whole series, but never more than an image for two pixels. */
export function pixelsPerImage(viewport: Viewport): number {
  return Math.max(2, viewport.size.height / Math.max(viewport.count, 1));
}

function placeOf(fingers: ReadonlyMap<number, Point>): Place | undefined {
  const [one, two] = [...fingers.values()];
  if (one === undefined || two === undefined) return undefined;
  return { middle: { x: (one.x + two.x) / 2, y: (one.y + two.y) / 2 }, span: Math.hypot(two.x - one.x, two.y - one.y) };
}
