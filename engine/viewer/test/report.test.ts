// Structured reports as text, whatever their content items hold.

import { expect, test } from "vitest";
import type { Attribute, Item } from "../src/api/json.js";
import { reportOf, type ReportItem } from "../src/documents/report.js";

const value = (...values: unknown[]): Attribute => ({ Value: values });
const code = (meaning: string, id = "1"): Attribute => value({ "00080100": value(id), "00080104": value(meaning) });
const item = (type: string, concept: string, more: Item = {}): Item => ({ "0040A040": value(type), "0040A043": code(concept), ...more });
const tree = (...children: Item[]): Item => ({ "0040A043": code("Report"), "0040A730": value(...children) });
const lines = (items: readonly ReportItem[]): string[] => items.flatMap((one) => [`${one.concept}: ${one.value}`, ...lines(one.children).map((line) => `  ${line}`)]);
const measured = (number: string, unit: string): Item => ({ "0040A300": value({ "0040A30A": value(number), "004008EA": code("unit", unit) }) });

test("each type of value is written as people read it", () => {
  const report = reportOf(tree(
    item("CONTAINER", "Findings", { "0040A730": value(
      item("TEXT", "Finding", { "0040A160": value("No <b>fracture</b>.\nNone.") }),
      item("NUM", "Length", measured("12.5", "mm")),
      item("NUM", "Ratio", measured("0.5", "1")),
      item("NUM", "Count", measured("3", "{lesions}")),
      item("NUM", "Unknown", { "0040A301": code("Measurement failure") }),
      item("CODE", "Site", { "0040A168": code("Liver") }),
      item("PNAME", "Observer", { "0040A123": value({ Alphabetic: "Doe^Jane^^Dr" }) }),
      item("DATE", "On", { "0040A121": value("20240229") }),
      item("TIME", "At", { "0040A122": value("1015") }),
      item("DATETIME", "Began", { "0040A120": value("20240229101530.123+0100") }),
      item("IMAGE", "Seen in", { "00081199": value({ "00081155": value("1.2.3"), "00081160": value(2, 4) }) }),
      item("SCOORD", "Outline", { "00700023": value("POLYLINE"), "00700022": value(1, 2, 3, 4, 5, 6) }),
      { "0040DB73": value(1, 2, 3) },
      item("NEWTYPE", "Later", {}),
    ) }),
  ));
  expect(report.title).toBe("Report");
  expect(lines(report.items)).toEqual([
    "Findings: ",
    "  Finding: No <b>fracture</b>.\nNone.",
    "  Length: 12.5 mm",
    "  Ratio: 0.5",
    "  Count: 3 lesions",
    "  Unknown: Measurement failure",
    "  Site: Liver",
    "  Observer: Doe, Dr Jane",
    "  On: 2024-02-29",
    "  At: 10:15",
    "  Began: 2024-02-29 10:15:30",
    "  Seen in: IMAGE 1.2.3 [2, 4]",
    "  Outline: POLYLINE (3)",
    "  : → 1.2.3",
    "  Later: NEWTYPE",
  ]);
});

test("a tree that is too deep or too wide is cut, and says so", () => {
  let deep: Item = item("TEXT", "bottom", { "0040A160": value("x") });
  for (let i = 0; i < 200; i += 1) deep = item("CONTAINER", "level", { "0040A730": value(deep) });
  expect(reportOf(tree(deep)).isCut).toBe(true);
  const wide = reportOf(tree(...Array.from({ length: 20_001 }, () => item("TEXT", "one"))));
  expect([wide.isCut, wide.items.length]).toEqual([true, 20_000]);
  expect(reportOf(tree(item("TEXT", "one"))).isCut).toBe(false);
});

test("values of other kinds than the standard's do no harm", () => {
  expect(reportOf({ "0040A730": value(null, 7, "x", { "0040A040": value(12), "0040A730": value(null) }) }).items.length).toBe(1);
});
