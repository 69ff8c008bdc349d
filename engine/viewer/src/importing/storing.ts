// One request of STOW-RS (PS3.18 10.5): some files in, what became of them out.

import { Failure } from "../api/failure.js";
import { items, type Item } from "../api/json.js";
import type { Found } from "./files.js";

/** What the server said of the instances of one request. */
export interface Stored {
  readonly stored: number;
  readonly failed: number;
  /** In the server's words (its `Warning` headers); empty when it had none. */
  readonly why: string;
  /** Studies that instances were stored in. */
  readonly studies: readonly string[];
}

export type Sender = (files: readonly Found[], progress: (bytes: number) => void, signal: AbortSignal) => Promise<Stored>;

const [FAILED, STORED, OTHERS, RETRIEVE_URL] = ["00081198", "00081199", "0008119A", "00081190"] as const;
const STALLED_MS = 60_000;

/**
 * Store files. The body is made of the files themselves: the browser reads them while it sends, and holds none of them.
 * Throws `Failure` (status 0: the line broke) when the request as a whole had no answer that says what became of each.
 */
export const store: Sender = (files, progress, signal) =>
  new Promise((resolve, reject) => {
    const boundary = `voxcast-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
    const body = new Blob([
      ...files.flatMap(({ file }) => [`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, "\r\n"]),
      `--${boundary}--\r\n`,
    ]);
    const request = new XMLHttpRequest();
    let stall = 0;
    const alive = (): void => {
      clearTimeout(stall);
      stall = window.setTimeout(() => request.abort(), STALLED_MS);
    };
    const aborted = (): void => request.abort();
    const over = (): void => {
      clearTimeout(stall);
      signal.removeEventListener("abort", aborted);
    };
    request.open("POST", "/dicom-web/studies");
    request.setRequestHeader("Content-Type", `multipart/related; type="application/dicom"; boundary=${boundary}`);
    request.setRequestHeader("Accept", "application/dicom+json");
    request.upload.addEventListener("progress", (event) => {
      alive();
      progress(event.loaded);
    });
    request.addEventListener("load", () => {
      over();
      const said = answerOf(request);
      if (said instanceof Failure) reject(said);
      else resolve(said);
    });
    for (const end of ["error", "abort", "timeout"]) {
      request.addEventListener(end, () => {
        over();
        reject(signal.aborted ? new DOMException("no longer wanted", "AbortError") : new Failure(0));
      });
    }
    if (signal.aborted) return reject(new DOMException("no longer wanted", "AbortError"));
    signal.addEventListener("abort", aborted, { once: true });
    alive();
    request.send(body);
  });

function answerOf(request: XMLHttpRequest): Stored | Failure {
  const { status } = request;
  let body: unknown;
  try {
    body = JSON.parse(request.responseText);
  } catch {
    return new Failure(status >= 400 ? status : 0);
  }
  const isAnswer = status === 200 || status === 202 || (status === 409 && typeof body === "object" && body !== null && !("detail" in body));
  if (!isAnswer) {
    const detail = typeof body === "object" && body !== null && "detail" in body && typeof body.detail === "string" ? body.detail : "";
    return new Failure(status, detail);
  }
  const item = body as Item;
  const stored = items(item, STORED);
  return {
    stored: stored.length,
    failed: items(item, FAILED).length + items(item, OTHERS).length,
    why: wordsOf(request.getResponseHeader("Warning") ?? ""),
    studies: [...new Set(stored.map(studyOf).filter(Boolean))],
  };
}

/** The study that the address of a stored instance names. */
function studyOf(instance: Item): string {
  const found = /\/studies\/([^/]+)/.exec(String(instance[RETRIEVE_URL]?.Value?.[0] ?? ""));
  return found?.[1] ? decodeURIComponent(found[1]) : "";
}

/** The texts of `Warning` headers (RFC 7234 5.5): a code, who says it, the words in quotation marks. */
export function wordsOf(header: string): string {
  return [...header.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((found) => (found[1] ?? "").replace(/\\(.)/g, "$1")).join("; ");
}
