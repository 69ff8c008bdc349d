// A series as the strip shows it, in the order of its number.

import { date, first, text, type Item } from "../api/json.js";
import type { SeriesRef } from "../contract.js";

export interface SeriesRow extends SeriesRef {
  readonly modality: string;
  readonly number: number | null;
  readonly description: string;
  readonly instances: number;
  readonly laterality: string;
  readonly date: string;
}

export function seriesOf(item: Item): SeriesRow {
  const count = (tag: string): number | null => {
    const value = Number(first(item, tag) ?? NaN);
    return Number.isFinite(value) ? value : null;
  };
  return {
    study: text(item, "0020000D"),
    series: text(item, "0020000E"),
    modality: text(item, "00080060"),
    number: count("00200011"),
    description: text(item, "0008103E") || text(item, "00181030"),
    instances: count("00201209") ?? 0,
    laterality: text(item, "00200060"),
    date: date(item, "00080021"),
  };
}

export function inOrder(rows: readonly SeriesRow[]): SeriesRow[] {
  return [...rows].sort((a, b) => (a.number ?? Infinity) - (b.number ?? Infinity) || a.description.localeCompare(b.description));
}
