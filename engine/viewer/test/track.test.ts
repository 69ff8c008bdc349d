// A list that is higher than an element can be: every row can be reached, by bar, by wheel, and by its number.

import { describe, expect, it } from "vitest";
import { END_PX, Track, TRACK_MAX_PX } from "../src/list/track.js";

const ROW = 48;
const VIEW = 600;

function trackOf(rows: number): Track {
  const track = new Track();
  track.resize(rows * ROW, VIEW);
  return track;
}

describe("a list that fits into an element", () => {
  it("is scrolled pixel by pixel", () => {
    const track = trackOf(1000);
    expect(track.size).toBe(1000 * ROW);
    track.scrolled(31_234);
    expect([track.top, track.shift, track.rest]).toEqual([31_234, 0, 31_234]);
    expect(track.go(999 * ROW)).toBe(1000 * ROW - VIEW);
  });
});

describe.each([400_000, 1_000_000, 10_000_000, 1_000_000_000])("a list of %i rows", (rows) => {
  const most = rows * ROW - VIEW;
  const last = TRACK_MAX_PX - VIEW;

  it("is no higher than a browser can lay out, and ends where the bar ends", () => {
    const track = trackOf(rows);
    expect(track.size).toBe(TRACK_MAX_PX);
    track.scrolled(last);
    expect(track.top).toBe(most);
    track.scrolled(0);
    expect(track.top).toBe(0);
  });

  it("goes to each place and back to its bar", () => {
    const track = trackOf(rows);
    for (let n = 0; n <= 1000; n += 1) {
      const place = Math.round((most * n) / 1000);
      const bar = track.go(place);
      expect(track.top).toBe(place);
      expect(bar).toBeGreaterThanOrEqual(0);
      expect(bar).toBeLessThanOrEqual(last);
      track.scrolled(bar); // the browser says that it has
      expect(track.top).toBe(place);
      expect(track.rest).toBe(bar);
    }
  });

  it("never goes back when the bar goes on", () => {
    const track = trackOf(rows);
    let before = -1;
    for (let bar = 0; bar <= last; bar += 10_007) {
      track.scrolled(bar);
      expect(track.top).toBeGreaterThan(before);
      before = track.top;
    }
  });

  it("is turned over by the wheel pixel by pixel, in the middle as at the ends", () => {
    for (const from of [0, END_PX + 10, most / 2, most - END_PX - 10, most - 5000]) {
      const track = trackOf(rows);
      let bar = track.go(Math.round(from));
      const begin = track.top;
      for (let notch = 0; notch < 40; notch += 1) track.scrolled((bar += 100));
      expect(track.top).toBe(begin + 4000);
      // Where a row is in the element that scrolls, less where that is scrolled to, is where the row is in view.
      expect(begin + 4000 + track.shift - bar).toBe(0);
      for (let notch = 0; notch < 40; notch += 1) track.scrolled((bar -= 100));
      expect(track.top).toBe(begin);
    }
  });

  it("has room for the wheel both ways wherever it rests", () => {
    const track = trackOf(rows);
    for (let n = 1; n < 1000; n += 1) {
      const place = Math.round((most * n) / 1000);
      const bar = track.go(place);
      expect(bar).toBeGreaterThanOrEqual(Math.min(place, END_PX));
      expect(last - bar).toBeGreaterThanOrEqual(Math.min(most - place, END_PX));
    }
  });
});

it("keeps what is in view when the list becomes shorter", () => {
  const track = trackOf(1_000_000);
  track.go(900_000 * ROW);
  track.resize(500_000 * ROW, VIEW);
  expect(track.top).toBe(500_000 * ROW - VIEW);
});
