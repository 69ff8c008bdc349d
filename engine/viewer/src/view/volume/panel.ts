// The row of a volume's own buttons: preset, sides to see it from, opacities, and what is cut away.
import { lettersOf } from '../geometry/letters';
import { make } from '../viewport/labels';
import type { Words, WordKey } from '../words';
import { shiftBy } from './hand';
import { spanOf } from './look';
import { into, seenFrom, SIDES, type Side } from './orbit';
import type { VolumeRendering } from './rendering';
import { AT_FIRST, ordered, UNMOVED, WHOLE, type Kept } from './state';

const PARTS = 100; // of an axis that a slider knows

interface Slider {
  readonly element: HTMLLabelElement;
  readonly name: HTMLSpanElement;
  readonly input: HTMLInputElement;
}

export class VolumePanel {
  readonly element = make('div', 'volume-panel');
  private readonly bar = make('div', 'volume-bar');
  private readonly presets = make('select');
  private readonly sides: { side: Side; button: HTMLButtonElement }[] = [];
  private readonly turning: HTMLButtonElement;
  private readonly more: HTMLButtonElement;
  private readonly sliders = make('div', 'sliders');
  private readonly shift: Slider;
  private readonly stretch: Slider;
  private readonly cuts: Slider[] = [];
  private shown: VolumeRendering | undefined;
  private listed: unknown;

  /** @param turn the left button is to turn; isTurning: whether it does */
  constructor(
    private readonly words: Words,
    turn: () => void,
    private readonly isTurning: () => boolean,
    back: () => void,
  ) {
    const { bar } = this;
    bar.setAttribute('role', 'toolbar');
    bar.setAttribute('aria-label', words('volume.group'));
    this.presets.setAttribute('aria-label', words('volume.presets'));
    this.presets.addEventListener('change', () => this.shown?.change({ preset: this.presets.value, shift: UNMOVED }));
    this.turning = this.button(words('volume.turn'), 's', turn);
    for (const side of Object.keys(SIDES) as Side[]) {
      const button = this.button(side, `Shift+${side}`, () => this.shown?.change({ orbit: seenFrom(this.shown.state.orbit, side) }));
      button.dataset.side = side;
      this.sides.push({ side, button });
    }
    const home = this.button(words('volume.home'), 'Home', () => this.shown?.change({ orbit: AT_FIRST.orbit, shift: UNMOVED, kept: WHOLE }));
    this.more = this.button(words('volume.more'), '', () => {
      this.sliders.hidden = !this.sliders.hidden;
      this.update(this.shown);
    });
    this.more.dataset.act = 'volume.more';
    const closing = this.button(words('volume.close'), 'v', back);
    bar.append(this.presets, this.group(this.turning), this.group(...this.sides.map(({ button }) => button)), this.group(home, this.more, closing));
    this.shift = this.slider(-PARTS, PARTS, (value) => this.shifted(value));
    this.shift.name.textContent = words('volume.shift');
    this.stretch = this.slider(-PARTS, PARTS, (value) => this.shown?.change({ shift: { ...this.shown.state.shift, stretch: 4 ** (value / PARTS) } }));
    this.stretch.name.textContent = words('volume.stretch');
    for (let axis = 0; axis < 3; axis++) for (const end of [0, 1] as const) this.cuts.push(this.slider(0, PARTS, (value) => this.cut(axis, end, value / PARTS)));
    this.sliders.setAttribute('role', 'group');
    this.sliders.setAttribute('aria-label', words('volume.more'));
    this.sliders.append(this.shift.element, this.stretch.element, ...this.cuts.map(({ element }) => element));
    this.sliders.hidden = true;
    this.element.hidden = true;
    this.element.append(bar, this.sliders);
  }

  /** Of the volume that is in use; undefined: none is. */
  update(shown: VolumeRendering | undefined): void {
    this.shown = shown;
    this.element.hidden = shown === undefined;
    if (shown === undefined) return;
    const { words } = this;
    if (this.listed !== shown) {
      this.listed = shown;
      this.presets.replaceChildren(...shown.presets.map(({ name }, at) => new Option(`${at + 1}  ${words(`volume.${name}` as WordKey)}`, name)));
      this.cuts.forEach(({ name, input }, at) => {
        const { direction } = shown.axes[at >> 1] as { direction: readonly [number, number, number] };
        const outward = at % 2 === 0 ? ([-direction[0], -direction[1], -direction[2]] as const) : direction;
        name.textContent = words('volume.cut', { side: lettersOf(outward, shown.about) });
        input.dataset.cut = String(at);
      });
      for (const { side, button } of this.sides) {
        const [right, down] = SIDES[side];
        const eye = into({ right, down, zoom: 1, pan: { x: 0, y: 0 } });
        button.textContent = lettersOf([-eye[0], -eye[1], -eye[2]], shown.about);
        button.setAttribute('aria-label', words('volume.from', { side: button.textContent }));
      }
    }
    this.presets.value = shown.preset.name;
    this.turning.setAttribute('aria-pressed', String(this.isTurning()));
    this.more.setAttribute('aria-expanded', String(!this.sliders.hidden));
    const { shift, kept } = shown.state;
    const { scale } = shown;
    if (scale !== undefined) {
      const [low, high] = spanOf(shown.preset, scale);
      set(this.shift, Math.round((shift.shift / Math.max(high - low, 1e-9)) * PARTS));
    }
    set(this.stretch, Math.round((Math.log(shift.stretch) / Math.log(4)) * PARTS));
    this.cuts.forEach((slider, at) => set(slider, Math.round((kept[at >> 1]?.[at % 2] ?? 0) * PARTS)));
  }

  private shifted(value: number): void {
    const { shown } = this;
    const scale = shown?.scale;
    if (shown === undefined || scale === undefined) return;
    const [low, high] = spanOf(shown.preset, scale);
    const to = (value / PARTS) * (high - low);
    shiftBy(shown, (to - shown.state.shift.shift) / ((high - low) * shown.state.shift.stretch), 1);
  }

  /** One end of an axis; it pushes the other before it. */
  private cut(axis: number, end: 0 | 1, part: number): void {
    const { shown } = this;
    if (shown === undefined) return;
    const kept = shown.state.kept.map((both, at) => {
      if (at !== axis) return both;
      return end === 0 ? ordered(part, Math.max(part, both[1])) : ordered(Math.min(part, both[0]), part);
    });
    shown.change({ kept: kept as unknown as Kept });
  }

  private group(...buttons: HTMLElement[]): HTMLElement {
    const element = make('div', 'group');
    element.append(...buttons);
    return element;
  }

  private button(text: string, shortcut: string, act: () => void): HTMLButtonElement {
    const button = make('button');
    button.type = 'button';
    button.textContent = text;
    if (shortcut !== '') {
      button.title = `${text} (${shortcut})`;
      button.setAttribute('aria-keyshortcuts', shortcut);
    }
    button.addEventListener('click', act);
    return button;
  }

  private slider(from: number, to: number, changed: (value: number) => void): Slider {
    const [element, name, input] = [make('label'), make('span'), make('input')];
    input.type = 'range';
    input.min = String(from);
    input.max = String(to);
    input.addEventListener('input', () => changed(Number(input.value)));
    element.append(name, input);
    return { element, name, input };
  }
}

function set({ input }: Slider, value: number): void {
  if (input.value !== String(value)) input.value = String(value);
}
