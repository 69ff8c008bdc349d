// What a reader has measured: shapes on frames, in pixels of the stored image, with what was done last to be undone.
import type { Point } from '../draw/matrix';

export type MeasureKind = 'length' | 'angle' | 'rectangle' | 'ellipse' | 'probe';
/** Arrow and text are drawn by readers and measure nothing; a line is what a presentation state has drawn. */
export type MarkKind = MeasureKind | 'arrow' | 'text' | 'line';

export interface Mark {
  /** A UID: what a report tracks it by. */
  readonly uid: string;
  readonly kind: MarkKind;
  readonly study: string;
  /** Of the frame: SOP Instance UID and frame number; `*` in place of a number for all frames of an image, as a presentation state can say. */
  readonly key: string;
  /**
   * Length: its ends. Angle: a leg, the corner, the other leg. Rectangle, ellipse: opposite corners of what it fills. Probe: one.
   * Arrow: what it points at, its other end. Text: the middle of its first letter's left side. Line: any number.
   * Of the pixel's corner, so the middle of the first pixel is at 0.5, 0.5 (PS3.3 C.18.6.1.2).
   */
  readonly points: readonly Point[];
  /** In the archive already: it is a record, and stays as it is. */
  readonly isStored: boolean;
  /** Of an arrow or a text; lines are divided by line feeds. */
  readonly text?: string;
  /** SOP Instance UID of the presentation state that it came with. */
  readonly state?: string;
}

export function isMeasure(mark: Mark): mark is Mark & { readonly kind: MeasureKind } {
  return mark.kind !== 'arrow' && mark.kind !== 'text' && mark.kind !== 'line';
}

export const POINTS: Readonly<Record<MarkKind, number>> = { length: 2, angle: 3, rectangle: 2, ellipse: 2, probe: 1, arrow: 2, text: 1, line: 2 };
const UNDO_MAX = 100;

export class Marks {
  private list: readonly Mark[] = [];
  private readonly before: (readonly Mark[])[] = [];

  constructor(private readonly changed: () => void) {}

  of(key: string): readonly Mark[] {
    const all = key.replace(/ \d+$/, ' *');
    return this.list.filter((mark) => mark.key === key || mark.key === all);
  }

  unsaved(study: string): readonly Mark[] {
    return this.list.filter((mark) => mark.study === study && !mark.isStored);
  }

  get hasUnsaved(): boolean {
    return this.list.some(({ isStored }) => !isStored);
  }

  get canUndo(): boolean {
    return this.before.length > 0;
  }

  /** Put it there, or in place of the one of its UID; `isStep`: undoing goes back to before it. */
  put(mark: Mark, isStep = true): void {
    const rest = this.list.filter(({ uid }) => uid !== mark.uid);
    this.become([...rest, mark], isStep);
  }

  remove(uid: string): void {
    this.become(this.list.filter((mark) => mark.uid !== uid || mark.isStored), true);
  }

  /** What a report holds; those that are here already stay as they are. */
  stored(marks: readonly Mark[]): void {
    const known = new Set(this.list.map(({ uid }) => uid));
    this.become([...this.list, ...marks.filter(({ uid }) => !known.has(uid))], false);
  }

  /** The marks of one presentation state take the place of those of any other of their series. */
  presented(marks: readonly Mark[], replaced: ReadonlySet<string>): void {
    this.become([...this.list.filter(({ state }) => state === undefined || !replaced.has(state)), ...marks], false);
  }

  /** Those are in the archive now; what led to them cannot be undone any more. */
  saved(uids: ReadonlySet<string>): void {
    this.before.length = 0;
    this.become(this.list.map((mark) => (uids.has(mark.uid) ? { ...mark, isStored: true } : mark)), false);
  }

  /** Arrows and texts are in the archive, in a presentation state. */
  kept(uids: ReadonlySet<string>, state: string): void {
    this.before.length = 0;
    this.become(this.list.map((mark) => (uids.has(mark.uid) && !isMeasure(mark) ? { ...mark, isStored: true, state } : mark)), false);
  }

  undo(): void {
    const before = this.before.pop();
    if (before === undefined) return;
    const stored = this.list.filter(({ isStored }) => isStored);
    const known = new Set(stored.map(({ uid }) => uid));
    this.list = [...stored, ...before.filter(({ uid }) => !known.has(uid))];
    this.changed();
  }

  private become(list: readonly Mark[], isStep: boolean): void {
    if (isStep) {
      this.before.push(this.list);
      if (this.before.length > UNDO_MAX) this.before.shift();
    }
    this.list = list;
    this.changed();
  }
}

/** A UID that nobody else makes (PS3.5 B.2: 2.25 and a UUID as a number). */
export function newUid(): string {
  const hex = crypto.getRandomValues(new Uint8Array(16)).reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), '');
  return `2.25.${BigInt(`0x${hex}`)}`;
}
