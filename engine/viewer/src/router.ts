// The address of the page is its state: a view can be shared, reloaded, and gone back from.

import type { ViewerParams } from "./contract.js";

/** What an address asks for. `/` is the list, `/viewer?StudyInstanceUIDs=…[&SeriesInstanceUID=…]` the viewer. */
export type Place = { readonly name: "list"; readonly query: URLSearchParams } | { readonly name: "viewer"; readonly params: ViewerParams };

export function placeOf(url: URL): Place {
  if (url.pathname !== "/viewer") return { name: "list", query: url.searchParams };
  const studies = uids(url.searchParams, "StudyInstanceUIDs");
  const series = uids(url.searchParams, "SeriesInstanceUID");
  return { name: "viewer", params: series.length ? { studies, series } : { studies } };
}

export function viewerAddress({ studies, series = [] }: ViewerParams): string {
  const query = new URLSearchParams({ StudyInstanceUIDs: studies.join(",") });
  if (series.length) query.set("SeriesInstanceUID", series.join(","));
  return `/viewer?${query}`;
}

/** As OHIF writes them: joined by commas, or the parameter again and again. */
function uids(query: URLSearchParams, name: string): string[] {
  return [...new Set(query.getAll(name).flatMap((value) => value.split(",")).map((uid) => uid.trim()).filter(Boolean))];
}
