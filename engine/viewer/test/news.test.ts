// What has come or gone, by what the server said before and says now.

import { expect, test } from "vitest";
import { newsOf, together } from "../src/study/news.js";
import type { SeriesRow } from "../src/study/series.js";

const row = (series: string, instances: number, study = "1"): SeriesRow => ({ study, series, instances, modality: "CT", number: 1, description: "", laterality: "", date: "" });

test("images that came are counted by series", () => {
  const news = newsOf([row("a", 3), row("b", 2)], [row("a", 5), row("b", 2), row("c", 1)], ["1"]);
  expect(news.came.map(({ row: one, count }) => [one.series, count])).toEqual([["a", 2], ["c", 1]]);
  expect(news.gone).toEqual([]);
});

test("a series that is there no longer is gone", () => {
  expect(newsOf([row("a", 3), row("b", 2)], [row("a", 3)], ["1"]).gone.map((one) => one.series)).toEqual(["b"]);
});

test("a study that was opened or closed just now is no news", () => {
  expect(newsOf([], [row("a", 3)], ["1"])).toEqual({ came: [], gone: [] });
  expect(newsOf([row("a", 3)], [row("a", 3), row("b", 2, "2")], ["1", "2"])).toEqual({ came: [], gone: [] });
  expect(newsOf([row("a", 3), row("b", 2, "2")], [row("a", 3)], ["1"])).toEqual({ came: [], gone: [] });
});

test("news that is still to be read is added to", () => {
  const first = { came: [{ row: row("a", 4), count: 1 }], gone: [row("b", 2)] };
  const all = together(first, { came: [{ row: row("a", 6), count: 2 }, { row: row("b", 1), count: 1 }], gone: [row("c", 2)] });
  expect(all.came.map(({ row: one, count }) => [one.series, count])).toEqual([["a", 3], ["b", 1]]);
  expect(all.gone.map((one) => one.series)).toEqual(["c"]);
  expect(together(all, { came: [], gone: [row("a", 6)] }).came.map(({ row: one }) => one.series)).toEqual(["b"]);
});
