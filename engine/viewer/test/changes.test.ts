// Following the archive: nothing is missed over broken lines, and a feed that begins anew has everything looked at again.

import { describe, expect, it, vi } from "vitest";
import type { Api } from "../src/api/dicomweb.js";
import { Failure } from "../src/api/failure.js";
import { follow, type Change } from "../src/study/changes.js";

const change = (series: string): Change => ({ change: "stored", studyInstanceUID: "1", seriesInstanceUID: series, sopInstanceUID: "3" });
const answer = (next: number, ...changes: Change[]): Response => new Response(JSON.stringify({ next, more: false, changes }));

async function followed(...answers: (Response | Failure)[]): Promise<{ asked: string[]; heard: string[]; missed: number }> {
  vi.useFakeTimers();
  const controller = new AbortController();
  const [asked, heard]: [string[], string[]] = [[], []];
  let missed = 0;
  const api = {
    request: (path: string) => {
      asked.push(path);
      const next = answers.shift();
      if (next === undefined) controller.abort();
      return next instanceof Response ? Promise.resolve(next) : Promise.reject(next ?? new DOMException("over", "AbortError"));
    },
  } as unknown as Api;
  const running = follow(api, { heard: (all) => heard.push(...all.map((one) => one.seriesInstanceUID)), missed: () => { missed += 1; } }, controller.signal);
  await vi.advanceTimersByTimeAsync(300_000);
  await running;
  vi.useRealTimers();
  return { asked, heard, missed };
}

describe("the feed", () => {
  it("is followed from where it ends now", async () => {
    const { asked, heard, missed } = await followed(answer(5), answer(7, change("a"), change("b")), answer(8, change("c")));
    expect(asked).toEqual(["/api/changes", "/api/changes?since=5&wait=30", "/api/changes?since=7&wait=30", "/api/changes?since=8&wait=30"]);
    expect([heard, missed]).toEqual([["a", "b", "c"], 0]);
  });

  it("is asked again from the same place when the line is broken", async () => {
    const { asked, heard } = await followed(answer(5), new Failure(0), new Failure(503), answer(6, change("a")));
    expect(asked.slice(1, 4)).toEqual(Array<string>(3).fill("/api/changes?since=5&wait=30"));
    expect(heard).toEqual(["a"]);
  });

  it("begins anew where it is gone, and says that something may have been missed", async () => {
    const { asked, missed } = await followed(answer(5), new Failure(410), answer(100), answer(100));
    expect(asked).toEqual(["/api/changes", "/api/changes?since=5&wait=30", "/api/changes", "/api/changes?since=100&wait=30", "/api/changes?since=100&wait=30"]);
    expect(missed).toBe(1);
  });

  it("is left alone by a reader who may not have it", async () => {
    const { asked } = await followed(new Failure(403), answer(5));
    expect(asked).toHaveLength(1);
  });
});
