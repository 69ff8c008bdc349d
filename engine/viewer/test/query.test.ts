// The list's query: address and search are made from it, and come from it again.

import { describe, expect, test } from "vitest";
import { addressOf, EVERYTHING, queryOf, rangeOf, searchOf, type ListQuery } from "../src/list/query.js";

const NOW = new Date(2024, 2, 1, 0, 30); // the first of March of a leap year, half an hour after midnight, where the reader is
const asked = (query: Partial<ListQuery>, offset = 0): URLSearchParams => new URL(searchOf({ ...EVERYTHING, ...query }, offset, 60, NOW), "http://x").searchParams;

describe("address", () => {
  test("everything is the bare root", () => {
    expect(addressOf(EVERYTHING)).toBe("/");
    expect(queryOf(new URLSearchParams())).toEqual(EVERYTHING);
  });
  test("a query comes back from its address as it was", () => {
    const query: ListQuery = {
      words: "o'neil & <b>%20", period: "between", from: "2024-01-02", to: "", modalities: ["CT", "MR"], species: "Canis lupus", sort: "name", isDescending: true,
    };
    expect(queryOf(new URL(addressOf(query), "http://x").searchParams)).toEqual(query);
  });
  test("what is not understood is left out", () => {
    const query = queryOf(new URLSearchParams({ period: "never", sort: "constructor", modality: "CT,m<r,,MR", from: "2024-01-01" }));
    expect(query).toEqual({ ...EVERYTHING, modalities: ["CT", "MR"] });
  });
});

describe("periods are days where the reader is", () => {
  const range = (period: ListQuery["period"], more: Partial<ListQuery> = {}): string => rangeOf({ ...EVERYTHING, period, ...more }, NOW);
  test.each([
    ["any", ""],
    ["today", "20240301"],
    ["yesterday", "20240229"],
    ["week", "20240224-20240301"],
    ["month", "20240131-20240301"],
    ["year", "20230302-20240301"],
  ] as const)("%s", (period, expected) => expect(range(period)).toBe(expected));
  test("between two days, from one, up to one, on one", () => {
    expect(range("between", { from: "2024-01-02", to: "2024-02-03" })).toBe("20240102-20240203");
    expect(range("between", { from: "2024-01-02" })).toBe("20240102-");
    expect(range("between", { to: "2024-01-02" })).toBe("-20240102");
    expect(range("between", { from: "2024-01-02", to: "2024-01-02" })).toBe("20240102");
    expect(range("between")).toBe("");
  });
});

describe("search", () => {
  test("everything asks for no key and no order: the server's own is the newest first", () => {
    expect([...asked({}).keys()].sort()).toEqual(["includefield", "limit"]);
  });
  test("words, days, modalities, order and offset", () => {
    const said = asked({ words: " doe ", period: "today", modalities: ["CT", "MR"], sort: "name", isDescending: false }, 120);
    expect(Object.fromEntries(said)).toMatchObject({
      q: "doe", StudyDate: "20240301", ModalitiesInStudy: "CT\\MR", orderby: "PatientName", offset: "120", limit: "60",
    });
    expect(asked({ isDescending: false }).get("orderby")).toBe("StudyDate");
  });
  test("a species is a value, whatever stands in it", () => {
    expect(asked({ species: "a*b\\c" }).get("PatientSpeciesDescription")).toBe("a?b?c");
  });
});
