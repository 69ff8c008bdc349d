// A list that is higher than any element can be: where its rows are while the browser scrolls something lower.
//
// Near both ends a pixel of the scroll bar is a pixel of the list. Between them one stands for many: whoever drags the bar is anywhere
// at once, whoever turns the wheel goes on pixel by pixel, and when the hand rests the bar is put where it belongs.

/** Browsers lay out no element that is much higher: Firefox 17.8 million pixels, Chromium and Safari 33.5. */
export const TRACK_MAX_PX = 15_000_000;
/** At each end, pixel for pixel. */
export const END_PX = 1_000_000;
/** A wheel or a finger never moves further between two events; a bar of 1 500 pixels never less, by a pixel of its own. */
const JUMP_PX = 9_000;

export class Track {
  private bar = 0;
  private place = 0;
  private height = 0;
  private view = 0;

  /** Height of the element that scrolls. */
  get size(): number {
    return Math.min(this.height, TRACK_MAX_PX);
  }

  /** The first pixel of the list that is in view. */
  get top(): number {
    return this.place;
  }

  /** What is added to a place in the list to have it in the element that scrolls. */
  get shift(): number {
    return this.bar - this.place;
  }

  /** The list's height, and that of the part in view. */
  resize(height: number, view: number): void {
    this.height = height;
    this.view = view;
    this.place = Math.min(this.place, this.most);
  }

  /** The browser has scrolled to there. */
  scrolled(bar: number): void {
    const by = bar - this.bar;
    this.bar = bar;
    if (bar <= 0) this.place = 0;
    else if (bar >= this.size - this.view) this.place = this.most;
    else if (Math.abs(by) > JUMP_PX) this.place = this.placeOf(bar);
    else this.place = Math.min(Math.max(this.place + by, 0), this.most);
  }

  /** Go to a place; gives where the browser has to scroll to. */
  go(place: number): number {
    this.place = Math.min(Math.max(place, 0), this.most);
    this.bar = this.barOf(this.place);
    return this.bar;
  }

  /** Where the bar belongs by what is in view. */
  get rest(): number {
    return this.barOf(this.place);
  }

  private get most(): number {
    return Math.max(0, this.height - this.view);
  }

  private placeOf(bar: number): number {
    const { size, most } = this;
    if (this.height === size || bar <= END_PX) return bar;
    const last = size - this.view;
    if (bar >= last - END_PX) return most - (last - bar);
    return Math.round(END_PX + ((bar - END_PX) * (most - 2 * END_PX)) / (last - 2 * END_PX));
  }

  private barOf(place: number): number {
    const { size, most } = this;
    if (this.height === size || place <= END_PX) return place;
    const last = size - this.view;
    if (place >= most - END_PX) return last - (most - place);
    return Math.round(END_PX + ((place - END_PX) * (last - 2 * END_PX)) / (most - 2 * END_PX));
  }
}
