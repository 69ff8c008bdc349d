// What has changed in the series that are open, by what the server said of them before and says now.

import type { SeriesRow } from "./series.js";

export interface News {
  /** Series with more images than before, and how many more. */
  readonly came: readonly { readonly row: SeriesRow; readonly count: number }[];
  /** Series that were there before, and are no longer. */
  readonly gone: readonly SeriesRow[];
}

const NOTHING: News = { came: [], gone: [] };

/** Of studies that were open before and are still: one that was opened just now brings no news. */
export function newsOf(before: readonly SeriesRow[], now: readonly SeriesRow[], studies: readonly string[]): News {
  const known = new Set(before.map((row) => row.study));
  const [old, fresh] = [before, now].map((rows) => new Map(rows.filter((row) => known.has(row.study) && studies.includes(row.study)).map((row) => [row.series, row])));
  if (!old || !fresh) return NOTHING;
  const came = [...fresh.values()].map((row) => ({ row, count: row.instances - (old.get(row.series)?.instances ?? 0) })).filter(({ count }) => count > 0);
  const gone = [...old.values()].filter((row) => !fresh.has(row.series));
  return came.length || gone.length ? { came, gone } : NOTHING;
}

/** What was said already and is still to be read, with what is new. */
export function together(before: News | null, now: News): News {
  const counts = new Map((before?.came ?? []).map(({ row, count }) => [row.series, { row, count }]));
  for (const { row, count } of now.came) counts.set(row.series, { row, count: count + (counts.get(row.series)?.count ?? 0) });
  const gone = new Map([...(before?.gone ?? []), ...now.gone].map((row) => [row.series, row]));
  for (const { row } of now.came) gone.delete(row.series); // deleted, and there again
  return { came: [...counts.values()].filter(({ row }) => !gone.has(row.series)), gone: [...gone.values()] };
}
