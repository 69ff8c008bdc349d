// Measuring in a layout: the marks of what is shown, drawn and told, kept as reports in the archive.
import type { FrameHeader } from '../dicom/frame';
import { apply, type Point } from '../draw/matrix';
import type { Cell } from '../layout/cell';
import { drawCross } from '../layout/strokes';
import { KeyCursor } from '../tools/cursor';
import type { Viewport } from '../viewport/viewport';
import type { Pixels } from '../image/pixels';
import type { Words } from '../words';
import { storedMarks, storeReport } from './archive';
import { MarkDrawing } from './drawing';
import { TextEntry } from './entry';
import { isMeasure, Marks, type Mark, type MarkKind } from './marks';
import { reportOf, type Reported } from './report';
import { drawMark, linesOf } from './shapes';
import { measure, type Measured } from './values';

const CROSS_MS = 300; // a cross that rests so long is told of

export class Measuring {
  /** What the left button draws; undefined: nothing. */
  kind: MarkKind | undefined;
  readonly drawing: MarkDrawing;
  private readonly marks: Marks;
  private readonly measured = new WeakMap<Mark, { pixels: Pixels | undefined; measured: Measured }>();
  private readonly reported = new Map<string, Reported>(); // by UID: a frame that is not shown any more has no pixels here
  private readonly studies = new Set<string>();
  private readonly stopping = new AbortController();
  private readonly cells = new WeakMap<Viewport, Cell>();
  private readonly entry: TextEntry;
  private readonly cursor: KeyCursor;
  private isSaving = false;
  private crossed: { cell: Cell | undefined; place: string } = { cell: undefined, place: '' };
  private crossTimer: ReturnType<typeof setTimeout> | undefined;
  private told: Mark | undefined;

  /** @param changed something is to be drawn anew; @param tell words to the reader; empty: none; @param observer who measures, if that is said */
  constructor(
    private readonly words: Words,
    private readonly changed: () => void,
    private readonly tell: (words: string) => void,
    private readonly observer: () => string,
  ) {
    this.marks = new Marks(changed);
    this.drawing = new MarkDrawing(this.marks, () => this.kind, changed, (viewport, mark) => this.ask(viewport, mark));
    this.entry = new TextEntry(words);
    this.cursor = new KeyCursor(this.drawing, changed);
    window.addEventListener('beforeunload', this.leaving);
  }

  get canUndo(): boolean {
    return this.marks.canUndo;
  }

  undo(): void {
    this.marks.undo();
  }

  canSave(study: string | undefined): boolean {
    return study !== undefined && !this.isSaving && this.marks.unsaved(study).some(isMeasure);
  }

  /** Fetch what was measured in a study before, once. */
  open(study: string): void {
    if (this.studies.has(study)) return;
    this.studies.add(study);
    storedMarks(study, this.stopping.signal).then(
      (marks) => this.marks.stored(marks),
      (error: unknown) => {
        this.studies.delete(study); // asked again with the next series
        if (!this.stopping.signal.aborted) this.tell(this.words('measure.not_read', { reason: error instanceof Error ? error.message : String(error) }));
      },
    );
  }

  /** Over the image of a cell. */
  draw(cell: Cell): void {
    const { viewport, svg } = cell;
    this.cells.set(viewport, cell);
    const at = this.cursor.on(viewport);
    if (at !== undefined) drawCross(svg, at);
    this.tellCross(cell, at);
    const { shown, matrix } = viewport;
    if (shown === undefined || matrix === undefined || shown.pixels === undefined) return;
    for (const mark of this.marks.of(shown.frame.key)) {
      let found = this.measured.get(mark);
      if (found === undefined || found.pixels !== shown.pixels) {
        found = { pixels: shown.pixels, measured: measure(mark, shown.frame.header, shown.pixels) };
        this.measured.set(mark, found);
      }
      // The coarse image of a frame has no values to speak of.
      if (shown.pixels.halvings === 0) this.reported.set(mark.uid, { mark, frame: shown.frame.header, series: shown.stack.series, measured: found.measured });
      if (mark.uid === this.drawing.chosen && !this.drawing.isHeld && shown.pixels.halvings === 0) this.tellMark(cell, mark, found.measured);
      drawMark(svg, mark, found.measured, matrix, mark.uid === this.drawing.chosen, this.words);
    }
  }

  /** To who hears the page: where the cross rests, and what it is on. */
  private tellCross(cell: Cell, at: Point | undefined): void {
    const place = at === undefined ? '' : `${at.x} ${at.y}`;
    if (at === undefined && this.crossed.cell !== cell) return; // it is in another
    if (place === this.crossed.place && cell === this.crossed.cell) return;
    this.crossed = { cell: at === undefined ? undefined : cell, place };
    clearTimeout(this.crossTimer);
    if (at === undefined) return;
    this.crossTimer = setTimeout(() => {
      const { shown, frame } = cell.viewport;
      const here = cell.viewport.imagePoint(at);
      if (here === undefined || frame === undefined || shown?.pixels === undefined) return;
      const probe: Mark = { uid: '', kind: 'probe', study: '', key: frame.key, points: [here], isStored: false };
      const lines = linesOf(measure(probe, frame.header, shown.pixels), this.words);
      cell.say([this.words('mark.cross', { column: Math.floor(here.x) + 1, row: Math.floor(here.y) + 1 }), ...lines].join(', '));
    }, CROSS_MS);
  }

  /** What a mark measures, once it is let go or chosen. */
  private tellMark(cell: Cell, mark: Mark, measured: Measured): void {
    if (this.told === mark) return;
    this.told = mark;
    const kind = mark.kind === 'line' ? '' : this.words(`tool.${mark.kind}`);
    cell.say([kind, ...(isMeasure(mark) ? linesOf(measured, this.words) : [mark.text ?? ''])].filter(Boolean).join(', '));
  }

  /** Store what is new in a study as a report. */
  async save(study: string): Promise<void> {
    if (this.isSaving) return;
    this.isSaving = true;
    this.changed();
    await new Promise((resolve) => requestAnimationFrame(resolve)); // what was drawn just now is measured when it is on the screen
    await new Promise((resolve) => requestAnimationFrame(resolve));
    const unsaved = this.marks.unsaved(study).filter(isMeasure);
    const reported = unsaved.flatMap((mark) => {
      const found = this.reported.get(mark.uid);
      return found === undefined || found.mark !== mark ? [] : [found];
    });
    try {
      if (reported.length === 0) return; // of images that are not exact yet
      await storeReport(reportOf(reported, study, new Date(), this.observer()), study);
      this.marks.saved(new Set(reported.map(({ mark }) => mark.uid)));
      this.tell(this.words('measure.saved', { count: reported.length }));
    } catch (error) {
      this.tell(this.words('measure.not_saved', { reason: error instanceof Error ? error.message : String(error) }));
    } finally {
      this.isSaving = false;
      this.changed();
    }
  }

  /** The browser asks whether what is not stored may be lost. */
  private readonly leaving = (event: Event): void => {
    if (this.marks.hasUnsaved) event.preventDefault();
  };

  /** What stands at an arrow or is a text: asked for where it stands. One that stays without any is taken away. */
  private ask(viewport: Viewport, mark: Mark): void {
    const [at] = mark.kind === 'arrow' ? mark.points.slice(1) : mark.points;
    const cell = this.cells.get(viewport);
    if (at === undefined || cell === undefined || viewport.matrix === undefined) return;
    this.entry.open(cell.element, apply(viewport.matrix, at), mark.text ?? '', (text) => {
      const now = this.marks.of(mark.key).find(({ uid }) => uid === mark.uid);
      if (now === undefined) return;
      if (text === '' && now.kind === 'text') this.marks.remove(now.uid);
      else if (text !== (now.text ?? '')) this.marks.put({ ...now, text }, mark.text !== undefined);
    });
  }

  /** The marks of a frame with what they measure there, as a presentation state keeps them. */
  noted(frame: FrameHeader, key: string): readonly { readonly mark: Mark; readonly lines: readonly string[] }[] {
    return this.marks.of(key).map((mark) => ({ mark, lines: isMeasure(mark) ? linesOf(this.reported.get(mark.uid)?.measured ?? measure(mark, frame, undefined), this.words).map(unmarked) : [] }));
  }

  /** Keys of marks. True when it meant something. */
  key(event: KeyboardEvent, viewport: Viewport): boolean {
    return event.key === 'F2' ? this.drawing.edit(viewport) : this.cursor.key(event, viewport, this.kind !== undefined);
  }

  hasMeasured(key: string): boolean {
    return this.marks.of(key).some(isMeasure);
  }

  redraw(): void {
    this.changed();
  }

  /** Arrows and texts are in the archive, as a state says. */
  kept(uids: ReadonlySet<string>, state: string): void {
    this.marks.kept(uids, state);
  }

  /** The marks of a state, in place of those of the states that are replaced. */
  presented(marks: readonly Mark[], replaced: ReadonlySet<string>): void {
    this.marks.presented(marks, replaced);
  }

  close(): void {
    clearTimeout(this.crossTimer);
    this.entry.close();
    window.removeEventListener('beforeunload', this.leaving);
    this.stopping.abort();
  }
}

/** Without what only orders letters on a screen. */
function unmarked(line: string): string {
  return line.replace(/[\u2066\u2069]/g, '');
}
