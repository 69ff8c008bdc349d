// What comes and goes in the archive while its studies are open: the feed of docs/changes.md by long polls.

import { isAbort, pause, type Api } from "../api/dicomweb.js";
import { Failure } from "../api/failure.js";

export interface Change {
  readonly change: "stored" | "replaced" | "kept" | "deleted" | "series-quiet";
  readonly studyInstanceUID: string;
  readonly seriesInstanceUID: string;
  readonly sopInstanceUID?: string;
}

interface Answer {
  readonly next: number;
  readonly more: boolean;
  readonly changes: readonly Change[];
}

const WAIT_S = 30;
/** An archive that images pour into is asked this often, not for each of them. */
const PAUSE_MS = 700;
const TRIES_MS = [1000, 2000, 5000, 15_000, 30_000];

export interface Follower {
  /** Changes of one answer, in order. */
  heard(changes: readonly Change[]): void;
  /** Changes may have been missed: what is open has to be looked at anew. */
  missed(): void;
}

/** Follow until `signal` ends it. A reader who may not search hears nothing, and nothing more is asked. */
export async function follow(api: Api, follower: Follower, signal: AbortSignal): Promise<void> {
  let since: number | null = null;
  let failed = 0;
  let hasMissed = false;
  for (;;) {
    try {
      const path = since === null ? "/api/changes" : `/api/changes?since=${since}&wait=${WAIT_S}`;
      const answer = (await (await api.request(path, "application/json", signal)).json()) as Answer;
      const hasBegun = since === null;
      since = answer.next;
      failed = 0;
      if (hasBegun && hasMissed) follower.missed();
      hasMissed = false;
      if (answer.changes.length) follower.heard(answer.changes);
      if (!answer.more) await pause(hasBegun ? 0 : PAUSE_MS, signal);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      const status = error instanceof Failure ? error.status : 0;
      if (status === 401 || status === 403 || status === 404) return; // not for this reader, or an older server
      if (status === 410) {
        since = null; // another index, or what came next is no longer kept
        hasMissed = true;
      }
      try {
        await pause(TRIES_MS[Math.min(failed, TRIES_MS.length - 1)] ?? 30_000, signal);
      } catch {
        return; // given up
      }
      failed += 1;
    }
  }
}
