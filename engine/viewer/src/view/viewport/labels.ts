// What is said beside an image: who it is, what it is, which way it lies, how large it is; all of it text, never markup.
import { numberOf, personOf, textOf } from '../dicom/attributes';
import { PlaneStack } from '../load/planes';
import { edgesOf } from '../geometry/letters';
import { VolumeRendering } from '../volume/rendering';
import type { Words } from '../words';
import type { Viewport } from './viewport';

const EDGES = ['top', 'right', 'bottom', 'left'] as const;
const BAR_PART = 0.3; // of the viewport's width, at most

/** The texts of one viewport. */
export class Labels {
  readonly element = make('div', 'labels');
  private readonly patient = this.corner('top start');
  private readonly series = this.corner('top end');
  private readonly place = this.corner('bottom start');
  private readonly greys = this.corner('bottom end');
  private readonly edges = EDGES.map((edge) => this.part('span', `edge ${edge}`));
  private readonly badge = this.part('span', 'badge');
  private readonly bar = this.part('div', 'scale-bar');
  private readonly said = new Map<HTMLElement, string>();

  constructor(private readonly words: Words) {
    this.badge.setAttribute('role', 'status');
  }

  /** Everything, or only what must always be there: who it is, which side is which, and whether it is exact. */
  showAll(areAll: boolean): void {
    this.element.classList.toggle('few', !areAll);
  }

  /** What is said above the image: who it is, then of what series. */
  get heading(): readonly string[] {
    return [this.patient, this.series].flatMap((corner) => (this.said.get(corner) ?? '').split('\n').filter(Boolean));
  }

  /** Of what is shown now; nothing is said of anything else. */
  update(viewport: Viewport): void {
    const { shown, words } = { shown: viewport.shown, words: this.words };
    this.element.hidden = shown === undefined;
    if (shown === undefined) return;
    const { header } = shown.frame;
    const ds = header.dataSet;
    this.lines(this.patient, [
      personOf(ds, '00100010') || words('view.no_name'),
      textOf(ds, '00100020') || words('view.no_id'),
      [dateOf(textOf(ds, '00100030')), textOf(ds, '00100040'), ageOf(ds, words)].filter(Boolean).join('  '),
      [textOf(ds, '00102201'), textOf(ds, '00102292'), personOf(ds, '00102297')].filter(Boolean).join('  '),
    ]);
    this.lines(this.series, [
      [dateOf(textOf(ds, '00080020')), textOf(ds, '00081030')].filter(Boolean).join('  '),
      [header.modality, textOf(ds, '00200011'), textOf(ds, '0008103E')].filter(Boolean).join('  '),
      textOf(ds, '00080080'),
      shown.stack instanceof PlaneStack ? this.words(shown.stack.slab > 0 ? 'view.slab' : 'view.reformatted', { length: shown.stack.slab }) : '',
      shown.stack instanceof VolumeRendering ? shown.stack.title(words) : '',
      viewport.presented === undefined ? '' : words('view.presented', { name: viewport.presented.name }),
    ]);
    const isVolume = shown.stack instanceof VolumeRendering;
    const isPlane = isVolume || shown.stack instanceof PlaneStack;
    const z = isPlane ? undefined : header.plane?.position[2];
    this.lines(this.place, [
      isVolume ? '' : `${shown.position + 1} / ${viewport.count}`,
      header.frameCount > 1 ? `${header.instanceNumber ?? ''} · ${header.frameNumber} / ${header.frameCount}` : '',
      [isPlane || numberOf(ds, '00180050') === undefined ? '' : `${rounded(numberOf(ds, '00180050') ?? 0)} mm`, z === undefined ? '' : `z ${rounded(z)} mm`].filter(Boolean).join('  '),
    ]);
    const window = shown.greys?.window;
    this.lines(this.greys, [
      shown.pixels?.kind === 'grey' ? (window === undefined ? (shown.greys?.name ?? 'LUT') : `C ${rounded(window.center)}  W ${rounded(window.width)}`) : '',
      isVolume ? '' : `${Math.round(viewport.scaleNow * devicePixelRatio * 100)} %`,
    ]);
    const edges = edgesOf(header, viewport.camera);
    EDGES.forEach((edge, at) => this.say(this.edges[at], edges[edge]));
    this.say(this.badge, this.badgeWords(viewport));
    this.scaleBar(viewport);
  }

  private badgeWords({ shown }: Viewport): string {
    if (shown === undefined || shown.trouble) return '';
    if (shown.pixels === undefined) return this.words('view.loading');
    const isLossy = textOf(shown.frame.header.dataSet, '00282110') === '01';
    return [shown.pixels.halvings > 0 ? this.words('view.coarse') : '', isLossy ? this.words('view.lossy') : ''].filter(Boolean).join(' · ');
  }

  /** A length of 1, 2 or 5 times a power of ten that is no longer than a part of the viewport. */
  private scaleBar(viewport: Viewport): void {
    const spacing = viewport.header?.spacing;
    this.bar.hidden = spacing === undefined;
    if (spacing === undefined) return;
    const pixelsPerMm = viewport.scaleNow / spacing.column;
    const most = (BAR_PART * viewport.size.width) / pixelsPerMm;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = power * (most / power >= 5 ? 5 : most / power >= 2 ? 2 : 1);
    this.bar.style.width = `${length * pixelsPerMm}px`;
    this.say(this.bar, this.words(spacing.isAtDetector ? 'view.scale_detector' : 'view.scale', { length: rounded(length) }));
  }

  private lines(at: HTMLElement, lines: readonly string[]): void {
    const kept = lines.filter(Boolean);
    if (this.said.get(at) === kept.join('\n')) return;
    this.said.set(at, kept.join('\n'));
    // Elements stay: at a step of a scroll one of them has another text, and no more is laid out anew.
    while (at.childElementCount > kept.length) at.lastElementChild?.remove();
    while (at.childElementCount < kept.length) {
      const element = make('p');
      element.dir = 'auto';
      at.append(element);
    }
    kept.forEach((line, number) => {
      const element = at.children[number];
      if (element !== undefined && element.textContent !== line) element.textContent = line;
    });
  }

  private say(at: HTMLElement | undefined, text: string): void {
    if (at === undefined || this.said.get(at) === text) return;
    this.said.set(at, text);
    at.textContent = text;
  }

  private corner(where: string): HTMLElement {
    return this.part('div', `corner ${where}`);
  }

  private part(tag: string, name: string): HTMLElement {
    const element = make(tag, name);
    this.element.append(element);
    return element;
  }
}

export function make<K extends keyof HTMLElementTagNameMap>(tag: K, name?: string): HTMLElementTagNameMap[K];
export function make(tag: string, name?: string): HTMLElement;
export function make(tag: string, name = ''): HTMLElement {
  const element = document.createElement(tag);
  if (name) element.className = name;
  return element;
}

export function rounded(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}

/** A DA as people read it; what is no date is shown as it is. */
export function dateOf(text: string): string {
  const found = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(text);
  return found ? `${found[1]}-${found[2]}-${found[3]}` : text;
}

/** Patient's Age as it is said, else from the birth date to the study's. */
function ageOf(ds: Parameters<typeof textOf>[0], words: Words): string {
  const said = /^(\d{3})([YM])$/.exec(textOf(ds, '00101010'));
  if (said) return words(said[2] === 'Y' ? 'view.years' : 'view.months', { count: Number(said[1]) });
  const [born, seen] = [textOf(ds, '00100030'), textOf(ds, '00080020')];
  if (!/^\d{8}$/.test(born) || !/^\d{8}$/.test(seen)) return '';
  const months = (Number(seen.slice(0, 4)) - Number(born.slice(0, 4))) * 12 + Number(seen.slice(4, 6)) - Number(born.slice(4, 6)) - (seen.slice(6) < born.slice(6) ? 1 : 0);
  if (months < 0) return '';
  return months < 24 ? words('view.months', { count: months }) : words('view.years', { count: Math.floor(months / 12) });
}
