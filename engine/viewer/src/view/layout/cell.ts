// One cell of the layout: the element, its viewport, what is written and drawn over the image.
import { DRAGGED_SERIES, type SeriesRef } from '../../contract';
import type { Drawing } from '../draw/choice';
import type { FrameLoader } from '../load/loader';
import { listenToKeys } from '../tools/held';
import { listen, type Hands } from '../tools/pointer';
import { JumpBar } from '../viewport/bar';
import { Cine } from '../viewport/cine';
import { Labels, make, rounded } from '../viewport/labels';
import { Viewport } from '../viewport/viewport';
import type { StreamSession } from '@voxcast/client';
import type { Words } from '../words';

export interface CellOwner {
  readonly loader: FrameLoader;
  readonly session: StreamSession;
  readonly words: Words;
  readonly hands: Hands;
  readonly drawing: Drawing;
  /** Whether all texts stand over images that are opened from now on. */
  areTextsShown(): boolean;
  changed(): void;
  moved(viewport: Viewport): void;
  dropped(cell: Cell, name: SeriesRef): void;
}

const BAR_MS = 150;

export class Cell {
  readonly element = make('section', 'cell');
  readonly viewport: Viewport;
  readonly cine: Cine;
  readonly labels: Labels;
  /** For what is drawn over the image, in screen pixels. */
  readonly svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  private cover: HTMLCanvasElement | undefined;
  private readonly bar: JumpBar;
  private readonly trouble = make('div', 'trouble');
  private readonly troubleWords = make('p');
  private readonly empty = make('p', 'empty');
  /** What a screen reader says: of measurements, and of what keys move. */
  private readonly said = make('p', 'hidden');
  private name = '';
  private barTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly owner: CellOwner) {
    const { words } = owner;
    this.viewport = new Viewport(owner.loader, owner.session.viewport(), () => owner.changed(), (viewport) => owner.moved(viewport), () => this.arrived());
    this.cine = new Cine(this.viewport);
    this.labels = new Labels(words);
    this.labels.showAll(owner.areTextsShown());
    this.bar = new JumpBar(this.viewport, words);
    const again = make('button');
    again.type = 'button';
    again.textContent = words('view.again');
    again.addEventListener('click', () => this.viewport.retry());
    this.trouble.setAttribute('role', 'alert');
    this.trouble.append(this.troubleWords, again);
    this.svg.classList.add('drawing');
    this.svg.setAttribute('aria-hidden', 'true');
    this.empty.textContent = words('view.empty');
    this.element.tabIndex = 0;
    this.element.setAttribute('role', 'group');
    this.said.setAttribute('role', 'status');
    this.element.append(this.svg, this.labels.element, this.bar.element, this.empty, this.trouble, this.said);
    listen(this.element, this.viewport, owner.hands);
    listenToKeys(this.element, this.viewport, owner.hands, (center, width) => this.say(words('window.said', { center: rounded(center), width: rounded(width) })));
    this.element.addEventListener('focus', () => owner.hands.activate(this.viewport));
    this.element.addEventListener('dragover', (event) => {
      if (event.dataTransfer?.types.includes(DRAGGED_SERIES)) event.preventDefault();
    });
    this.element.addEventListener('drop', (event) => {
      const name = nameIn(event.dataTransfer?.getData(DRAGGED_SERIES));
      if (name === undefined) return;
      event.preventDefault();
      owner.dropped(this, name);
    });
  }

  say(words: string): void {
    if (this.said.textContent !== words) this.said.textContent = words;
  }

  /** After the image was drawn: say what it is. */
  update(): void {
    const { viewport } = this;
    const { shown } = viewport;
    this.labels.update(viewport);
    this.laid();
    this.bar.moved();
    this.arrived(); // what is drawn may have come just now
    const trouble = shown?.trouble ?? '';
    this.trouble.hidden = trouble === '';
    if (trouble) this.troubleWords.textContent = this.owner.words('view.cannot_show', { reason: trouble });
    this.empty.hidden = viewport.stack !== undefined;
    const name = shown === undefined ? this.owner.words('view.no_image') : this.nameOf();
    if (name !== this.name) this.element.setAttribute('aria-label', (this.name = name));
    viewport.drawn();
  }

  /** Shutter and overlays of a state, over the image and under the marks. */
  private laid(): void {
    const { cover, matrix } = this.viewport;
    if (cover !== this.cover) {
      this.cover?.remove();
      this.cover = cover;
      if (cover !== undefined) this.element.prepend(cover);
    }
    if (cover === undefined || matrix === undefined) return;
    cover.className = 'cover';
    cover.setAttribute('aria-hidden', 'true');
    cover.style.transform = `matrix(${matrix.a}, ${matrix.b}, ${matrix.c}, ${matrix.d}, ${matrix.e}, ${matrix.f})`;
    cover.style.imageRendering = this.viewport.scaleNow * devicePixelRatio < 1 ? 'auto' : 'pixelated';
  }

  /** The bar tells of what has come, a few times a second: it is no reason to draw the image. */
  private arrived(): void {
    this.barTimer ??= setTimeout(() => {
      this.barTimer = undefined;
      this.bar.update();
    }, BAR_MS);
  }

  close(): void {
    clearTimeout(this.barTimer);
    this.cine.stop();
    this.viewport.close();
    this.element.remove();
  }

  private nameOf(): string {
    const { viewport, owner } = this;
    const [patient = '', ...others] = this.labels.heading;
    return owner.words('view.image', { patient, series: others.join(' '), number: viewport.position + 1, count: viewport.count });
  }
}

function nameIn(text: string | undefined): SeriesRef | undefined {
  if (!text) return undefined;
  try {
    const { study, series } = JSON.parse(text) as Record<string, unknown>;
    return typeof study === 'string' && typeof series === 'string' ? { study, series } : undefined;
  } catch {
    return undefined; // dragged from elsewhere
  }
}
