// What of the row of tools stands in it at this width, and what waits behind the button More: two rows at most, or the image is small.

const ROWS_MAX = 2;

/** A part of the row, in pixels of its width. */
export interface Part {
  readonly width: number;
  /** Which goes first; 0: it stays. */
  readonly leaves: number;
}

/** @returns for each part whether it stands in the row */
export function standing(parts: readonly Part[], room: number, gap: number, more: number): boolean[] {
  const isIn = parts.map(() => true);
  const leaving = parts.map((part, at) => ({ ...part, at })).filter(({ leaves, width }) => leaves > 0 && width > 0).sort((a, b) => a.leaves - b.leaves);
  const widths = () => parts.filter((_, at) => isIn[at]).map(({ width }) => width);
  if (rowsOf(widths(), room, gap) <= ROWS_MAX) return isIn;
  for (const { at } of leaving) {
    isIn[at] = false;
    if (rowsOf([...widths(), more], room, gap) <= ROWS_MAX) break;
  }
  return isIn;
}

/** As a browser wraps them; a part that is wider than the row wraps by itself. */
function rowsOf(widths: readonly number[], room: number, gap: number): number {
  let [rows, at] = [1, 0];
  for (const width of widths) {
    if (width === 0) continue;
    if (at > 0 && at + gap + width > room) [rows, at] = [rows + 1, 0];
    if (width > room) rows += Math.ceil(width / room) - 1;
    at += (at > 0 ? gap : 0) + width;
  }
  return rows;
}

/** Moves the parts of a row between it and the rest below, which is in the way of no image: who opens it makes the images smaller. */
export class Overflow {
  private readonly parts: { readonly element: HTMLElement; readonly leaves: number; width: number }[] = [];
  private readonly watcher = new ResizeObserver(() => this.arrange());

  /** @param more shows and hides the rest; both stand at the end of the row */
  constructor(
    private readonly row: HTMLElement,
    private readonly more: HTMLElement,
    private readonly rest: HTMLElement,
  ) {
    more.setAttribute('aria-expanded', 'false');
    more.setAttribute('aria-controls', (rest.id = 'voxcast-more-tools'));
    more.hidden = rest.hidden = true;
    row.append(more, rest);
    this.watcher.observe(row);
  }

  /** @param leaves which part goes first where there is no room; 0: it stays */
  add(element: HTMLElement, leaves: number): void {
    this.parts.push({ element, leaves, width: 0 });
    this.row.insertBefore(element, this.more);
    this.watcher.observe(element); // a list that is filled is wider
  }

  toggle(): void {
    this.rest.hidden = !this.rest.hidden;
    this.more.setAttribute('aria-expanded', String(!this.rest.hidden));
  }

  close(): void {
    this.watcher.disconnect();
  }

  /** Measures: what changes on the page before it is laid out twice. */
  arrange(): void {
    const { row, more, rest, parts } = this;
    const style = getComputedStyle(row);
    const room = row.clientWidth - parseFloat(style.paddingInlineStart) - parseFloat(style.paddingInlineEnd);
    if (!(room > 0)) return; // not on the page: no number, or none
    for (const part of parts) {
      // What is hidden with the rest is as wide as it was.
      if (part.element.parentElement === row || !rest.hidden) part.width = Math.ceil(part.element.getBoundingClientRect().width);
    }
    const isIn = standing(parts, room, parseFloat(style.columnGap) || 0, MORE_WIDTH);
    const isChanged = parts.some(({ element }, at) => (element.parentElement === row) !== isIn[at]);
    if (!isChanged) return;
    const focused = document.activeElement;
    parts.forEach(({ element }, at) => (isIn[at] === true ? row.insertBefore(element, more) : rest.append(element)));
    more.hidden = isIn.every(Boolean);
    if (more.hidden && !rest.hidden) this.toggle();
    if (focused instanceof HTMLElement && row.contains(focused)) (rest.hidden && rest.contains(focused) ? more : focused).focus();
  }
}

const MORE_WIDTH = 90; // with some to spare for its word in other languages
