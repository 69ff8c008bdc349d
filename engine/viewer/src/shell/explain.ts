// Failures in words for whoever reads, with what to do next.

import { Failure } from "../api/failure.js";
import type { Key, Texts } from "../texts/index.js";

export function explain(texts: Texts, error: unknown): string {
  if (!(error instanceof Failure)) return texts.say("page.failed", { why: error instanceof Error ? error.message : String(error) });
  const because = error.detail ? `: ${error.detail}.` : ".";
  return texts.say(keyOf(error.status), { because, status: String(error.status) });
}

function keyOf(status: number): Key {
  switch (status) {
    case 0: return "failure.silent";
    case 400: return "failure.not_understood";
    case 403: return "failure.not_allowed";
    case 404: return "failure.gone";
    case 406: return "failure.not_shown";
    case 422: return "failure.damaged";
    case 429: case 503: return "failure.busy";
    case 507: return "failure.full";
    default: return status >= 500 ? "failure.server" : "failure.other";
  }
}
