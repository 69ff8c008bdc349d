// Drawing marks with the pointer: a press begins one, or takes hold of what is there.
import { apply, type Point } from '../draw/matrix';
import type { Drawing } from '../tools/pointer';
import type { Viewport } from '../viewport/viewport';
import { newUid, POINTS, type Mark, type MarkKind, type Marks } from './marks';

const NEAR = 9; // screen pixels

interface Hold {
  viewport: Viewport;
  mark: Mark;
  /** Of the point that moves; -1: all of it moves. */
  index: number;
  from: Point;
  isNew: boolean;
}

export class MarkDrawing implements Drawing {
  /** UID of the one that Delete removes. */
  chosen: string | undefined;
  private hold: Hold | undefined;
  /** An angle whose corner is set and whose second leg is not. */
  private open: { viewport: Viewport; mark: Mark } | undefined;

  /** @param kind of the mark that the chosen tool draws; undefined: it draws none */
  constructor(
    private readonly marks: Marks,
    private readonly kind: () => MarkKind | undefined,
    private readonly changed: () => void,
    private readonly ask: (viewport: Viewport, mark: Mark) => void,
  ) {}

  get isDrawing(): boolean {
    return this.kind() !== undefined;
  }

  /** Whether the chosen one is being drawn or moved. */
  get isHeld(): boolean {
    return this.hold !== undefined || this.open !== undefined;
  }

  /** Whether what is held is a mark of one point that has just been made. */
  get isPoint(): boolean {
    return this.hold?.isNew === true && POINTS[this.hold.mark.kind] === 1;
  }

  /** Whether the next press sets the end of what is begun. */
  get isOpen(): boolean {
    return this.open !== undefined;
  }

  down(viewport: Viewport, at: Point): boolean {
    const frame = viewport.frame;
    const here = viewport.imagePoint(at);
    if (frame === undefined || here === undefined || viewport.shown?.pixels === undefined) return false;
    if (frame.route.kind === 'plane') return false; // no stored image has it: a report could not say where it is
    if (this.open !== undefined && this.open.viewport === viewport && this.open.mark.key === frame.key) {
      this.begin(viewport, this.open.mark, 2, here, true);
      this.open = undefined;
      this.move(viewport, at);
      return true;
    }
    this.open = undefined;
    const found = this.nearest(viewport, frame.key, at);
    this.chosen = found?.mark.uid;
    if (found !== undefined) {
      this.changed();
      if (!found.mark.isStored) this.begin(viewport, found.mark, found.index, here, false);
      return true;
    }
    const kind = this.kind();
    if (kind === undefined) {
      this.changed();
      return false;
    }
    const points = Array.from({ length: POINTS[kind] }, () => here);
    const mark: Mark = { uid: newUid(), kind, study: viewport.stack?.study ?? '', key: frame.key, points, isStored: false };
    this.chosen = mark.uid;
    this.marks.put(mark);
    this.begin(viewport, mark, POINTS[kind] === 1 ? 0 : 1, here, true);
    return true;
  }

  move(viewport: Viewport, at: Point): void {
    const here = viewport.imagePoint(at);
    if (here === undefined) return;
    const { hold, open } = this;
    if (hold === undefined) {
      if (open !== undefined && open.viewport === viewport) {
        const points = open.mark.points.map((point, index) => (index === 2 ? here : point));
        this.open = { viewport, mark: { ...open.mark, points } };
        this.marks.put(this.open.mark, false);
      }
      return;
    }
    if (hold.viewport !== viewport || viewport.frame?.key !== hold.mark.key) return;
    const points = hold.mark.points.map((point, index) => {
      if (hold.index === -1) return { x: point.x + here.x - hold.from.x, y: point.y + here.y - hold.from.y };
      // An angle's second leg goes with its corner until it is set.
      const isIt = index === hold.index || (hold.isNew && hold.mark.kind === 'angle' && hold.index === 1 && index === 2);
      return isIt ? here : point;
    });
    this.marks.put({ ...hold.mark, points }, false);
  }

  up(viewport: Viewport, at: Point): void {
    const { hold } = this;
    this.move(viewport, at);
    this.hold = undefined;
    if (hold === undefined || !hold.isNew) return;
    const mark = this.marks.of(hold.mark.key).find(({ uid }) => uid === hold.mark.uid);
    if (mark === undefined) return;
    if (mark.kind === 'angle' && hold.index === 1) this.open = { viewport, mark };
    // A click without a drag measures nothing.
    const [a, b] = mark.points;
    if (POINTS[mark.kind] > 1 && a !== undefined && b !== undefined && Math.hypot(a.x - b.x, a.y - b.y) * viewport.scaleNow < 2) {
      this.marks.remove(mark.uid);
      this.open = undefined;
    } else if (mark.kind === 'arrow' || mark.kind === 'text') this.ask(viewport, mark);
  }

  /** Another text for the chosen one. */
  edit(viewport: Viewport): boolean {
    const mark = this.marks.of(viewport.frame?.key ?? '').find(({ uid }) => uid === this.chosen);
    if (mark === undefined || mark.isStored || (mark.kind !== 'arrow' && mark.kind !== 'text')) return false;
    this.ask(viewport, mark);
    return true;
  }

  /** Choose the next mark of the image; gives where on the screen it is. */
  next(viewport: Viewport): Point | undefined {
    const marks = this.marks.of(viewport.frame?.key ?? '');
    const mark = marks[(marks.findIndex(({ uid }) => uid === this.chosen) + 1) % Math.max(marks.length, 1)];
    this.chosen = mark?.uid;
    this.changed();
    const [point] = mark?.points ?? [];
    return point === undefined || viewport.matrix === undefined ? undefined : apply(viewport.matrix, point);
  }

  /** Remove the chosen one, if it is not in the archive. */
  remove(): void {
    if (this.chosen !== undefined) this.marks.remove(this.chosen);
    this.chosen = undefined;
  }

  private begin(viewport: Viewport, mark: Mark, index: number, from: Point, isNew: boolean): void {
    if (!isNew) this.marks.put(mark); // a step to go back to
    this.hold = { viewport, mark, index, from, isNew };
  }

  /** The mark whose handle, or line, is below the pointer. */
  private nearest(viewport: Viewport, key: string, at: Point): { mark: Mark; index: number } | undefined {
    const { matrix } = viewport;
    if (matrix === undefined) return undefined;
    const marks = [...this.marks.of(key)].reverse(); // what was drawn last lies on top
    for (const mark of marks) {
      const points = mark.points.map((point) => apply(matrix, point));
      const index = points.findIndex((point) => Math.hypot(point.x - at.x, point.y - at.y) <= NEAR);
      if (index >= 0) return { mark, index };
      if (mark.kind === 'length' || mark.kind === 'angle' || mark.kind === 'arrow') {
        for (let leg = 1; leg < points.length; leg++) {
          if (distanceTo(at, points[leg - 1] ?? at, points[leg] ?? at) <= NEAR / 2) return { mark, index: -1 };
        }
      }
    }
    return undefined;
  }
}

function distanceTo(at: Point, a: Point, b: Point): number {
  const [x, y] = [b.x - a.x, b.y - a.y];
  const square = x * x + y * y;
  const part = square === 0 ? 0 : Math.min(Math.max(((at.x - a.x) * x + (at.y - a.y) * y) / square, 0), 1);
  return Math.hypot(at.x - a.x - part * x, at.y - a.y - part * y);
}
