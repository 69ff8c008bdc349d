// DICOMweb as the page needs it (PS3.18 10.4, 10.6): requests, and failures in plain words.

import { Failure } from "./failure.js";
import type { Item } from "./json.js";

const ROOT = "/dicom-web/studies";
const BUSY_TRIES = 3;
const BUSY_WAIT_MAX_S = 5;

/** The server as the page and the viewer ask it. */
export interface Api {
  /** A response that is fine; a busy server is asked again. Throws `Failure`, or AbortError when `signal` ended it. */
  request(path: string, accept: string, signal?: AbortSignal): Promise<Response>;
  /** The array of a search or of metadata; no content is no rows. */
  rows(path: string, signal?: AbortSignal): Promise<Item[]>;
  /** Address of a study, series or instance; UIDs are data and may hold anything. */
  address(study: string, series?: string, instance?: string): string;
}

function address(study: string, series?: string, instance?: string): string {
  let path = `${ROOT}/${encodeURIComponent(study)}`;
  if (series !== undefined) path += `/series/${encodeURIComponent(series)}`;
  if (instance !== undefined) path += `/instances/${encodeURIComponent(instance)}`;
  return path;
}

async function request(path: string, accept: string, signal?: AbortSignal): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    let response: Response;
    try {
      response = await fetch(path, { headers: { Accept: accept }, signal: signal ?? null, credentials: "same-origin" });
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new Failure(0);
    }
    if (response.ok) return response;
    if (response.status === 503 && attempt < BUSY_TRIES) {
      await pause(Math.min(Number(response.headers.get("Retry-After")) || 1, BUSY_WAIT_MAX_S) * 1000, signal);
      continue;
    }
    throw await Failure.of(response);
  }
}

async function rows(path: string, signal?: AbortSignal): Promise<Item[]> {
  return rowsOf(await request(path, "application/dicom+json", signal));
}

/** The rows in a response. */
export async function rowsOf(response: Response): Promise<Item[]> {
  if (response.status === 204) return [];
  try {
    return (await response.json()) as Item[];
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Failure(0);
  }
}

/** Whether an error only says that what was asked for is no longer wanted. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Wait; AbortError when `signal` ends that. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new DOMException("no longer wanted", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

export const api: Api = { request, rows, address };
