// Samples become values in the units of the header; what does not fit the header is refused with a reason.

import { describe, expect, test } from "vitest";
import type { Attribute, Item } from "../src/api/json.js";
import { aLaw, bytesOf, decode, groupsOf, millivolts, muLaw } from "../src/documents/waveform.js";

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

test.each([
  ["SB", 8, [0x80, 1, 0xff, 2, 0x7f, 3], [-128, -1, 127]],
  ["UB", 8, [0x80, 1, 0xff, 2, 0, 3], [128, 255, 0]],
  ["MB", 8, [0x00, 1, 0xff, 2, 0x80, 3], [-8031, 0, 8031]],
  ["AB", 8, [0x2a, 1, 0xd5, 2, 0xaa, 3], [-4032, 1, 4032]],
  ["US", 16, [0, 0x80, 1, 0, 0xff, 0xff, 2, 0, 1, 0, 3, 0], [32768, 65535, 1]],
  ["SL", 32, [0, 0, 1, 0, 1, 0, 0, 0, 255, 255, 255, 255, 2, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0], [65536, -1, 7]],
  ["SV", 64, [...[0, 0, 1, 0, 0, 0, 0, 0], ...Array<number>(8).fill(0), ...Array<number>(8).fill(255), ...Array<number>(8).fill(0), ...[7, 0, 0, 0, 0, 0, 0, 0], ...Array<number>(8).fill(0)], [65536, -1, 7]],
])("samples of %s", (interpretation, bits, bytes, expected) => {
  const plain = header({ "54001006": value(interpretation), "54001004": value(bits), "003A0200": value(channel("I"), channel("II")) });
  expect([...(decode(plain, Uint8Array.from(bytes).buffer).channels[0]?.values ?? [])]).toEqual(expected);
});

test("companded samples are those of ITU-T G.711", () => {
  // Decoder output values of its tables 1 and 2.
  expect([0x00, 0x0f, 0x55, 0x7e, 0x7f, 0x80, 0xaa, 0xff].map(muLaw).map((value) => value + 0)).toEqual([-8031, -4191, -179, -2, 0, 8031, 1343, 0]);
  expect([0x00, 0x2a, 0x55, 0xaa, 0xd5, 0xff, 0x80].map(aLaw)).toEqual([-688, -4032, -1, 4032, 1, 106, 688]);
});

describe("what does not fit is refused", () => {
  test.each([
    ["fewer samples than announced", {}, words(1, 2, 3, 4), "3 samples are announced, 2 are there"],
    ["an interpretation that is no number", { "54001006": value("XB") }, words(1), "Interpretation XB"],
    ["bits that are not those of the interpretation", { "54001004": value(8) }, words(1, 2, 3, 4, 5, 6), "8 bits are announced for samples of SS"],
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
