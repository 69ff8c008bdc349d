// The import against a server that fails in every way: nothing is lost, nothing is counted twice, and who failed is named.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Failure } from "../src/api/failure.js";
import type { Found } from "../src/importing/files.js";
import { Importer } from "../src/importing/importer.js";
import { wordsOf, type Sender, type Stored } from "../src/importing/storing.js";

const file = (name: string, size = 1000): Found => ({ path: `folder/${name}`, file: new File([new Uint8Array(size)], name) });
const files = (count: number, size?: number): Found[] => Array.from({ length: count }, (_, i) => file(`${i}.dcm`, size));
const all = (sent: readonly Found[]): Stored => ({ stored: sent.length, failed: 0, why: "", studies: [] });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Send by `sender`; the requests that were made, as names of files. */
async function run(found: Found[], sender: (sent: readonly Found[], request: number) => Stored): Promise<[Importer, string[][]]> {
  const requests: string[][] = [];
  const send: Sender = async (sent) => {
    requests.push(sent.map((one) => one.file.name));
    return sender(sent, requests.length);
  };
  const importer = new Importer(send);
  importer.add(found.values());
  await vi.advanceTimersByTimeAsync(600_000);
  return [importer, requests];
}

test("requests are small in files and in bytes; all is counted", async () => {
  const [importer, requests] = await run([...files(130), ...files(3, 5 << 20)], all);
  expect(requests.map((one) => one.length)).toEqual([64, 64, 3, 1, 1]);
  expect(importer).toMatchObject({ state: "done", found: 133, sent: 133, stored: 133, failed: 0, isFound: true });
});

test("of a request that failed in part each file is sent alone, and the one that failed is named with the server's words", async () => {
  const bad = "2.dcm";
  const [importer, requests] = await run(files(4), (sent) => {
    const failed = sent.filter((one) => one.file.name === bad).length;
    return { stored: sent.length - failed, failed, why: failed ? "truncated: 40 bytes are needed" : "", studies: [] };
  });
  expect(requests.map((one) => one.length)).toEqual([4, 1, 1, 1, 1]);
  expect(importer).toMatchObject({ state: "done", stored: 3, failed: 1, sent: 4 });
  expect(importer.named).toEqual([{ path: "folder/2.dcm", said: null, why: "truncated: 40 bytes are needed", failure: null }]);
});

test("a broken line and a busy server are waited for, and what had no answer is sent again", async () => {
  const states: string[] = [];
  const requests: number[] = [];
  const importer = new Importer(async (sent) => {
    requests.push(sent.length);
    if (requests.length <= 3) throw new Failure(requests.length === 2 ? 503 : 0);
    return all(sent);
  });
  importer.watch(() => states.at(-1) !== importer.state && states.push(importer.state));
  importer.add(files(5).values());
  await vi.advanceTimersByTimeAsync(0);
  expect(importer).toMatchObject({ state: "interrupted", stored: 0, trouble: { status: 0 } });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(requests).toEqual([5, 5, 5, 5]);
  expect(states).toEqual(["running", "interrupted", "running", "done"]);
  expect(importer).toMatchObject({ stored: 5, failed: 0, trouble: null });
});

test("a request that the server refuses whole is a failure of each file in it that is refused alone", async () => {
  const [importer] = await run(files(3), (sent) => {
    if (sent.some((one) => one.file.name === "1.dcm")) throw new Failure(413, "too large");
    return all(sent);
  });
  expect(importer).toMatchObject({ stored: 2, failed: 1 });
  expect(importer.named[0]).toMatchObject({ path: "folder/1.dcm", failure: { status: 413, detail: "too large" } });
});

test("paused, nothing is sent until it goes on; stopped, the rest is given up", async () => {
  let requests = 0;
  const importer: Importer = new Importer(async (sent) => {
    requests += 1;
    if (requests === 1) importer.pause();
    return all(sent);
  });
  importer.add(files(200).values());
  await vi.advanceTimersByTimeAsync(600_000);
  expect([requests, importer.state, importer.stored]).toEqual([1, "paused", 64]);
  importer.resume();
  await vi.advanceTimersByTimeAsync(0);
  expect([requests, importer.state, importer.stored]).toEqual([4, "done", 200]);
  importer.clear();
  expect(importer).toMatchObject({ state: "idle", found: 0 });

  importer.add(files(64).values());
  importer.pause();
  importer.cancel();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(importer.state).toBe("done");
  expect(requests).toBe(4);
});

test("files added while it runs are brought, too; the index of a file-set and empty files are none", async () => {
  const sent: string[] = [];
  const importer: Importer = new Importer(async (some) => {
    if (!sent.length) importer.add([file("late.dcm"), file("DICOMDIR"), file(".DS_Store"), file("empty", 0)].values());
    sent.push(...some.map((one) => one.file.name));
    return all(some);
  });
  importer.add(files(2).values());
  await vi.advanceTimersByTimeAsync(1000);
  expect(sent).toEqual(["0.dcm", "1.dcm", "late.dcm"]);
  expect(importer).toMatchObject({ state: "done", found: 3, stored: 3 });
});

test("a folder that cannot be read says so", async () => {
  const importer = new Importer(async (some) => all(some));
  const broken: AsyncIterator<Found> = { next: () => Promise.reject(new DOMException("permission denied", "NotReadableError")) };
  importer.add(broken);
  await vi.advanceTimersByTimeAsync(0);
  expect(importer).toMatchObject({ state: "done", failed: 1 });
  expect(importer.named[0]?.failure?.detail).toContain("permission denied");
});

test("the words of Warning headers", () => {
  expect(wordsOf('299 voxcast "truncated: 4 bytes", 299 voxcast "said \\"so\\", twice"')).toBe('truncated: 4 bytes; said "so", twice');
  expect(wordsOf("")).toBe("");
});
