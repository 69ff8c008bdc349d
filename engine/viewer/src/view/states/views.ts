// Views of a study: the presentation states that are in the archive, chosen from a list, and the view at hand stored as one.
import { textOf, type DataSet } from '../dicom/attributes';
import { FrameStack } from '../load/stack';
import { request, seriesPath } from '../load/http';
import { storeReport } from '../measure/archive';
import type { Measuring } from '../measure/measuring';
import { make } from '../viewport/labels';
import type { Viewport } from '../viewport/viewport';
import type { Words } from '../words';
import { cameraOf } from './area';
import { Presented } from './presented';
import { statesIn, type ViewState } from './read';
import { NoState, stateOf } from './write';

const ASPECT_PART = 0.01; // by which the shape of pixels may differ unsaid
const NONE = 'none';
const STATES_MAX = 50; // series of them, the newest; no list of more is read

export interface ViewsOwner {
  readonly words: Words;
  readonly measuring: Measuring;
  active(): Viewport | undefined;
  /** Have a series in the active viewport. */
  show(study: string, series: string): void;
  tell(words: string): void;
  /** Who stores; empty: nobody says. */
  creator(): string;
}

export class Views {
  readonly element = make('div', 'group');
  private readonly list = make('select');
  private readonly button = make('button');
  private readonly name = make('input', 'view-name');
  private readonly studies = new Map<string, ViewState[]>();
  private readonly stopping = new AbortController();
  private listed: readonly ViewState[] = [];
  private isStoring = false;

  constructor(private readonly owner: ViewsOwner) {
    const { words } = owner;
    this.list.setAttribute('aria-label', words('views.list'));
    this.list.dataset.act = 'views';
    this.list.addEventListener('change', () => {
      const state = this.listed[Number(this.list.value)];
      const viewport = this.owner.active();
      const study = viewport?.stack?.study;
      if (this.list.value === NONE) this.leave();
      else if (this.list.value !== '' && state !== undefined && study !== undefined) void this.apply(study, state);
      this.list.selectedIndex = 0;
    });
    this.name.type = 'text';
    this.name.dir = 'auto';
    this.name.maxLength = 64;
    this.name.placeholder = words('views.name');
    this.name.setAttribute('aria-label', words('views.name'));
    this.button.type = 'button';
    this.button.dataset.act = 'act.store_view';
    this.button.textContent = words('views.store');
    this.button.addEventListener('click', () => void this.store());
    this.name.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') void this.store();
    });
    this.element.append(this.list, this.name, this.button);
    this.list.hidden = true;
  }

  /** Fetch the states of a study, once. */
  open(study: string): void {
    if (!this.studies.has(study)) void this.fetch(study);
  }

  update(): void {
    const viewport = this.owner.active();
    const { stack } = viewport ?? {};
    this.button.disabled = this.isStoring || !(stack instanceof FrameStack) || viewport?.shown?.pixels === undefined;
    this.name.disabled = this.button.disabled && !this.isStoring;
    const states = (stack instanceof FrameStack ? this.studies.get(stack.study) : undefined) ?? [];
    if (states === this.listed) return;
    this.listed = states;
    this.list.hidden = states.length === 0;
    const names = states.map(({ name, creator, when }, at) => new Option([name, creator, when].filter(Boolean).join(' · '), String(at)));
    this.list.replaceChildren(new Option(`${this.owner.words('views.list')} (${states.length})`, ''), ...names, new Option(this.owner.words('views.none'), NONE));
  }

  close(): void {
    this.stopping.abort();
  }

  /** The newest first. What was drawn in our newest view of a series is shown at once, as measurements are; a window or a zoom is not. */
  private async fetch(study: string): Promise<void> {
    this.studies.set(study, []);
    const { signal } = this.stopping;
    const { words, measuring } = this.owner;
    try {
      const found: ViewState[] = [];
      for (const row of await rowsOf(`/dicom-web/studies/${encodeURIComponent(study)}/series?Modality=PR&limit=${STATES_MAX}`, signal)) {
        const rows = await rowsOf(`${seriesPath(study, textOf(row, '0020000E'))}/metadata`, signal);
        found.push(...rows.flatMap((ds) => statesIn(ds, study)));
      }
      found.sort((a, b) => (a.when < b.when ? 1 : a.when > b.when ? -1 : 0));
      this.studies.set(study, found);
      const seen = new Set<string>();
      for (const state of found.filter(({ isOurs }) => isOurs)) {
        if (!seen.has(state.series)) measuring.presented(state.marks, new Set());
        seen.add(state.series);
      }
      measuring.redraw();
    } catch (error) {
      this.studies.delete(study); // asked again with the next series
      if (!signal.aborted) this.owner.tell(words('views.not_read', { reason: error instanceof Error ? error.message : String(error) }));
    }
  }

  private async apply(study: string, state: ViewState): Promise<void> {
    const { owner } = this;
    if (owner.active()?.stack?.series !== state.series) owner.show(study, state.series);
    const viewport = owner.active();
    const { stack } = viewport ?? {};
    if (viewport === undefined || !(stack instanceof FrameStack)) return;
    await stack.ready.catch(() => undefined); // the series itself says why it cannot be shown
    if (viewport.stack !== stack) return;
    if (!state.holds(viewport.frame?.key ?? '')) {
      const first = stack.frames.findIndex(({ key }) => state.holds(key));
      if (first < 0) return owner.tell(owner.words('views.no_image'));
      viewport.go(first, true);
    }
    const { frame, extent, header } = viewport;
    if (frame === undefined || extent === undefined || header === undefined) return;
    let presented: Presented;
    try {
      presented = await Presented.of(state, header.isSigned, () => viewport.redraw(), (reason) => owner.tell(owner.words('views.not_covered', { reason })));
    } catch (error) {
      return owner.tell(owner.words('views.not_applied', { reason: error instanceof Error ? error.message : String(error) }));
    }
    if (viewport.stack !== stack) return;
    viewport.present(presented);
    const whole = { topLeft: [1, 1], bottomRight: [extent.columns, extent.rows] } as const;
    const { area, magnification, aspect } = state.areaOf(frame.key) ?? { area: whole, magnification: undefined, aspect: undefined };
    viewport.seen(cameraOf(area, state.transformation, extent, viewport.size, magnification === undefined ? undefined : magnification / devicePixelRatio));
    const others = new Set((this.studies.get(study) ?? []).filter(({ series }) => series === state.series).map(({ uid }) => uid));
    const inReports = state.measured.filter(({ key }) => !owner.measuring.hasMeasured(key));
    owner.measuring.presented([...state.marks, ...inReports], others);
    const missed = new Set<string>(state.missed);
    if (aspect !== undefined && Math.abs(aspect / extent.aspect - 1) > ASPECT_PART) missed.add('aspect');
    if (frame.route.kind === 'picture' && state.isInverse !== undefined) {
      // The server draws it: by a window, and by the header in all else.
      if (state.isInverse !== header.isInverted) viewport.turnWhite();
      const greys = presented.greysOf(frame.key);
      const isOther = greys === undefined || greys.modalityLut !== undefined || greys.presentationLut !== undefined || greys.voi === undefined || !('width' in greys.voi);
      if (isOther || greys.slope !== header.slope || greys.intercept !== header.intercept) missed.add('greys');
    }
    const parts = [...missed].map((part) => owner.words(`views.part.${part}` as 'views.part.mask')).join(', ');
    owner.tell(parts === '' ? '' : owner.words('views.missed', { parts }));
  }

  /** As the headers say; what was drawn in our newest view stays. */
  private leave(): void {
    const { viewport, states } = { viewport: this.owner.active(), states: this.listed.filter(({ series }) => series === this.owner.active()?.stack?.series) };
    viewport?.present(undefined);
    this.owner.measuring.presented(states.find(({ isOurs }) => isOurs)?.marks ?? [], new Set(states.map(({ uid }) => uid)));
    this.owner.tell('');
  }

  private async store(): Promise<void> {
    const { words, measuring, tell } = this.owner;
    const viewport = this.owner.active();
    const { stack, frame, extent, shown } = viewport ?? {};
    if (this.isStoring || viewport === undefined || !(stack instanceof FrameStack) || frame === undefined || extent === undefined || shown?.pixels === undefined) return;
    this.isStoring = true;
    this.update();
    const { study, series } = stack;
    const { presented } = viewport;
    const used = new Set<string>();
    try {
      if (measuring.canSave(study)) await measuring.save(study);
      const state = stateOf(
        {
          study, series, frame, extent, frames: stack.frames, camera: viewport.camera, size: viewport.size, window: viewport.window, greys: shown.greys, isTurnedWhite: viewport.isTurnedWhite, presented: presented instanceof Presented ? presented : undefined,
          noted: ({ header, key }) => {
            const noted = measuring.noted(header, key);
            for (const { mark } of noted) used.add(mark.uid);
            return noted;
          },
        },
        this.name.value.trim(), this.owner.creator(), new Date(),
      );
      await storeReport(state, study);
      measuring.kept(used, textOf(state as DataSet, '00080018'));
      this.name.value = '';
      const kept = statesIn(JSON.parse(JSON.stringify(state)) as DataSet, study);
      this.studies.set(study, [...kept, ...(this.studies.get(study) ?? [])]);
      tell.call(this.owner, words('views.stored'));
    } catch (error) {
      const reason = error instanceof NoState ? words(`views.no_state.${error.part}`) : error instanceof Error ? error.message : String(error);
      tell.call(this.owner, words('views.not_stored', { reason }));
    } finally {
      this.isStoring = false;
      this.update();
      measuring.redraw();
    }
  }
}

async function rowsOf(path: string, signal: AbortSignal): Promise<DataSet[]> {
  const answer = await request(path, 'application/dicom+json', signal);
  return answer.status === 204 ? [] : ((await answer.json()) as DataSet[]);
}
