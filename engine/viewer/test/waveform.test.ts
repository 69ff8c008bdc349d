// Samples become values in the units of the header; what does not fit the header is refused with a reason.

import { describe, expect, test } from "vitest";
import type { Attribute, Item } from "../src/api/json.js";
import { bytesOf, decode, groupsOf, millivolts } from "../src/documents/waveform.js";

const value = (...values: unknown[]): Attribute => ({ Value: values });
const channel = (label: string, sensitivity?: number, baseline = 0): Item => ({
  "003A0203": value(label),
  ...(sensitivity === undefined ? {} : { "003A0210": value(sensitivity), "003A0212": value(2), "003A0213": value(baseline), "003A0211": value({ "00080100": value("uV") }) }),
});
const group = (more: Item = {}): Item => ({
  "54000100": value({
    "003A0020": value("RHYTHM"), "003A001A": value(500), "003A0005": value(2), "003A0010": value(3), "54001006": value("SS"),
    "003A0200": value(channel("I", 1.25, 10), channel("II")), "54001010": { BulkDataURI: "/x" }, ...more,
  }),
});
const header = (more?: Item): ReturnType<typeof groupsOf>[number] => {
  const [first] = groupsOf(group(more));
  if (!first) throw new Error("no group");
  return first;
};
const words = (...values: number[]): ArrayBuffer => Int16Array.from(values).buffer;

test("channels alternate; sensitivity, correction and baseline make the value", () => {
  const decoded = decode(header(), words(100, 1, -100, 2, 0, 3));
  expect(decoded).toMatchObject({ label: "RHYTHM", frequency: 500, samples: 3 });
  expect(decoded.channels.map((one) => [one.label, one.unit, [...one.values]])).toEqual([["I", "uV", [260, -240, 10]], ["II", "", [1, 2, 3]]]);
});

test("padding is no sample", () => {
  const padded = header({ "5400100A": { InlineBinary: btoa("\x00\x80") } });
  expect([...(decode(padded, words(-32768, 1, 0, 2, 0, 3)).channels[0]?.values ?? [])]).toEqual([NaN, 10, 10]);
});

describe("what does not fit is refused", () => {
  test.each([
    ["fewer samples than announced", {}, words(1, 2, 3, 4), "3 samples are announced, 2 are there"],
    ["an interpretation that is no number", { "54001006": value("MB") }, words(1), "Interpretation MB"],
    ["no frequency", { "003A001A": value(0) }, words(1, 2, 3, 4, 5, 6), "not stated"],
    ["more channels than are described", { "003A0005": value(3) }, words(1, 2, 3, 4, 5, 6, 7, 8, 9), "not stated"],
    ["a million channels", { "003A0005": value(1e6) }, words(1), "not stated"],
    ["a number of samples that is none", { "003A0010": value("x") }, words(1), "not stated"],
  ] as const)("%s", (_, more, data, why) => {
    expect(() => decode(header(more as Item), data)).toThrow(why);
  });
});

test("units of voltage", () => {
  expect([millivolts("uV"), millivolts("mV"), millivolts("V"), millivolts("mm[Hg]")]).toEqual([0.001, 1, 1000, null]);
  expect(new Uint8Array(bytesOf("AQID"))).toEqual(new Uint8Array([1, 2, 3]));
});
