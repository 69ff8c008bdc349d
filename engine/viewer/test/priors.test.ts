// Other studies of the patient: never another patient's, whatever stands in the ID.

import { expect, test } from "vitest";
import type { Api } from "../src/api/dicomweb.js";
import type { Item } from "../src/api/json.js";
import { priorsOf } from "../src/study/priors.js";

const study = (uid: string, id: string, issuer = ""): Item => ({ "0020000D": { Value: [uid] }, "00100020": { Value: [id] }, ...(issuer ? { "00100021": { Value: [issuer] } } : {}) });
function server(...found: Item[]): [Api, string[]] {
  const asked: string[] = [];
  const api = { rows: async (path: string) => { asked.push(path); return found; } } as unknown as Api;
  return [api, asked];
}
const signal = new AbortController().signal;

test("those of the same ID and issuer, without the study itself", async () => {
  const [api, asked] = server(study("1", "P1"), study("2", "P1"), study("3", "P1", "OTHER HOSPITAL"), study("4", "P10"));
  expect((await priorsOf(api, study("1", "P1"), signal)).map((row) => row.study)).toEqual(["2"]);
  expect(new URL(asked[0] ?? "", "http://x").searchParams.get("PatientID")).toBe("P1");
});

test("an ID that is a pattern finds nobody else", async () => {
  const [api, asked] = server(study("2", "P1"), study("3", "*"));
  expect((await priorsOf(api, study("1", "*"), signal)).map((row) => row.study)).toEqual(["3"]);
  expect(new URL(asked[0] ?? "", "http://x").searchParams.get("PatientID")).toBe("?");
});

test("without an ID nobody is asked", async () => {
  const [api, asked] = server(study("2", ""));
  expect(await priorsOf(api, study("1", ""), signal)).toEqual([]);
  expect(asked).toEqual([]);
});
