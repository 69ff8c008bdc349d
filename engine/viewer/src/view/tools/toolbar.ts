// The row of buttons above the images: what the left button does, what is done to the image, presets, layouts.
import type { Window } from '../image/windows';
import { make } from '../viewport/labels';
import type { Words, WordKey } from '../words';
import { Overflow } from './overflow';

export interface Entry {
  readonly key: WordKey;
  /** Of the keyboard, shown beside the name. */
  readonly shortcut?: string;
  readonly act: () => void;
  /** For what can be on or off. */
  readonly isOn?: () => boolean;
  readonly isEnabled?: () => boolean;
}

/** Buttons that belong together. */
export interface Group {
  readonly entries: readonly Entry[];
  /** Which goes first where there is no room; 0: it stays. */
  readonly leaves: number;
}

const PRESETS_LEAVE = 4, LAYOUT_LEAVES = 5;

/** Groups of buttons; `update` says which are on. */
export class Toolbar {
  readonly element = make('div', 'toolbar');
  private readonly buttons: { button: HTMLButtonElement; entry: Entry }[] = [];
  private readonly presets = make('select', 'presets');
  private readonly layout = make('select');
  private readonly rest = make('div', 'rest');
  private readonly overflow: Overflow;
  private readonly windows: () => readonly Window[];
  private readonly layoutNow: () => string;
  private shownPresets = '';

  constructor(
    private readonly words: Words,
    groups: readonly Group[],
    layouts: readonly (readonly [number, number])[],
    choose: { layout: (rows: number, columns: number) => void; layoutNow: () => string; window: (window: Window) => void; windows: () => readonly Window[] },
  ) {
    this.element.setAttribute('role', 'toolbar');
    this.element.setAttribute('aria-label', words('tool.group'));
    const made = groups.map(({ entries, leaves }) => {
      const element = make('div', 'group');
      element.append(...entries.map((entry) => this.button(entry)));
      return { element, leaves };
    });
    this.overflow = new Overflow(this.element, this.button({ key: 'tool.more', act: () => this.overflow.toggle() }), this.rest);
    for (const { element, leaves } of made) this.add(element, leaves);
    this.presets.setAttribute('aria-label', words('preset.none'));
    this.presets.addEventListener('change', () => {
      const window = choose.windows()[Number(this.presets.value)];
      if (window !== undefined) choose.window(window);
      this.presets.selectedIndex = 0;
    });
    const { layout } = this;
    layout.setAttribute('aria-label', words('view.layout'));
    layout.append(...layouts.map(([rows, columns]) => new Option(`${rows} × ${columns}`, `${rows} ${columns}`)));
    layout.addEventListener('change', () => {
      const [rows = 1, columns = 1] = layout.value.split(' ').map(Number);
      choose.layout(rows, columns);
    });
    this.add(this.presets, PRESETS_LEAVE);
    this.add(layout, LAYOUT_LEAVES);
    this.windows = choose.windows;
    this.layoutNow = choose.layoutNow;
    this.element.addEventListener('keydown', this.key);
    this.element.addEventListener('focusin', ({ target }) => {
      const found = this.buttons.find(({ button }) => button === target);
      if (found !== undefined) this.reach(found.button); // others stand in the row, too
    });
  }

  /** @param leaves which goes first where there is no room */
  add(element: HTMLElement, leaves: number): void {
    this.overflow.add(element, leaves);
  }

  /** Have as many rows as at this width from now on, not from the next picture of the screen on. */
  fit(): void {
    this.overflow.arrange();
  }

  close(): void {
    this.overflow.close();
  }

  /** Neither disabled nor out of sight. */
  private isThere(button: HTMLButtonElement): boolean {
    return !button.disabled && !button.hidden && !(this.rest.hidden && this.rest.contains(button));
  }

  /** Of all buttons one is reached by Tab, the others from it by arrows (ARIA, toolbar). */
  private readonly key = (event: KeyboardEvent): void => {
    const ours = new Set(this.buttons.map(({ button }) => button));
    const enabled = [...this.element.querySelectorAll('button')].filter((button) => ours.has(button) && this.isThere(button)); // as they stand
    const at = enabled.findIndex((button) => button === event.target);
    const isTurned = getComputedStyle(this.element).direction === 'rtl';
    const steps: Readonly<Record<string, number>> = { ArrowRight: isTurned ? -1 : 1, ArrowLeft: isTurned ? 1 : -1, Home: -at, End: enabled.length - 1 - at };
    const step = steps[event.key];
    if (at < 0 || step === undefined || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation(); // the image does not scroll
    enabled[(at + step + enabled.length) % enabled.length]?.focus();
  };

  private reach(one: HTMLButtonElement | undefined): void {
    for (const { button } of this.buttons) button.tabIndex = button === one ? 0 : -1;
  }

  update(): void {
    for (const { button, entry } of this.buttons) {
      // Asked at every drawing: only what has changed is written, or the page would style itself anew each time.
      const isPressed = entry.isOn === undefined ? null : String(entry.isOn());
      if (isPressed !== null && button.getAttribute('aria-pressed') !== isPressed) button.setAttribute('aria-pressed', isPressed);
      const isDisabled = entry.isEnabled !== undefined && !entry.isEnabled();
      if (button.disabled !== isDisabled) button.disabled = isDisabled;
    }
    const reached = this.buttons.find(({ button }) => button.tabIndex === 0 && this.isThere(button));
    if (reached === undefined) this.reach(this.buttons.find(({ button }) => this.isThere(button))?.button);
    const layout = this.layoutNow();
    if (this.layout.value !== layout) this.layout.value = layout;
    const windows = this.windows();
    const names = windows.map((window, at) => `${at + 1}  ${this.nameOf(window)}`);
    if (names.join('\n') === this.shownPresets && this.presets.options.length > 0) return;
    this.shownPresets = names.join('\n');
    this.presets.replaceChildren(new Option(this.words('preset.none'), ''), ...names.map((name, at) => new Option(name, String(at))));
    this.presets.disabled = names.length === 0;
  }

  private nameOf(window: Window): string {
    const known = `preset.${window.name ?? ''}`;
    const isOurs = ['soft_tissue', 'lung', 'bone', 'brain', 'liver', 'mediastinum'].includes(window.name ?? '');
    const numbers = `C ${window.center} W ${window.width}`;
    return isOurs ? `${this.words(known as WordKey)} (${numbers})` : window.name ? `${window.name} (${numbers})` : numbers;
  }

  private button(entry: Entry): HTMLButtonElement {
    const button = make('button');
    button.type = 'button';
    button.textContent = this.words(entry.key);
    if (entry.shortcut !== undefined) {
      button.title = `${this.words(entry.key)} (${entry.shortcut})`;
      button.setAttribute('aria-keyshortcuts', entry.shortcut);
    }
    button.dataset.act = entry.key;
    button.tabIndex = -1; // `update` says which one is reached
    button.addEventListener('click', () => {
      entry.act();
      this.update();
    });
    this.buttons.push({ button, entry });
    return button;
  }
}
