// What images do not need, and would wait behind: it is asked for once the first one is there.

import { pause } from "../api/dicomweb.js";

/** A study without images has none to wait for. */
const PATIENCE_MS = 1500;

/** Until the viewer shows an image, or none has come for a while. Rejects when `signal` gives it up. */
export async function afterFirstImage(signal: AbortSignal, patienceMs = PATIENCE_MS): Promise<void> {
  const drawn = new AbortController();
  const heard = (event: Event): void => {
    const { shown } = (event as CustomEvent<{ readonly shown: readonly { readonly halvings: number }[] }>).detail;
    if (shown.some(({ halvings }) => halvings >= 0)) drawn.abort();
  };
  window.addEventListener("voxcast:drawn", heard);
  try {
    await pause(patienceMs, AbortSignal.any([signal, drawn.signal]));
  } catch (error) {
    if (signal.aborted) throw error;
  } finally {
    window.removeEventListener("voxcast:drawn", heard);
  }
}
