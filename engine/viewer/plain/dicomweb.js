// DICOMweb as the page needs it (PS3.18 10.4, 10.6): requests, DICOM JSON values (annex F), failures in plain words.

const ROOT = "/dicom-web/studies";
const BUSY_TRIES = 3;

/** Address of a study, series or instance; UIDs are data and may hold anything. */
export function address(study, series, instance) {
  let path = `${ROOT}/${encodeURIComponent(study)}`;
  if (series !== undefined) path += `/series/${encodeURIComponent(series)}`;
  if (instance !== undefined) path += `/instances/${encodeURIComponent(instance)}`;
  return path;
}

/** What went wrong, in words for whoever reads; `status` 0 means that no answer came. */
export class Failure extends Error {
  constructor(status, detail) {
    super(words(status, detail));
    this.status = status;
  }
}

function words(status, detail) {
  const because = detail ? `: ${detail.replace(/[.\s]+$/, "")}.` : ".";
  if (status === 0) return "The server does not answer. See whether it is still running, then try again.";
  if (status === 403) return `The server does not let this page do that${because}`;
  if (status === 404) return `The server does not have it${because}`;
  if (status === 406) return `This image is kept safely, but this server cannot show it${because} Export it, or open it in another viewer.`;
  if (status === 422) return `This image is kept as it was received, but it is damaged or not as it should be${because} Ask the sender to send it again.`;
  if (status === 429 || status === 503) return `The server is too busy at the moment${because} Wait a little, then try again.`;
  if (status === 400) return `The server does not understand this search or request${because} Change it and try again.`;
  if (status >= 500) return `The server failed${because} Its log says more; then try again.`;
  return `The server answered ${status}${because}`;
}

/** A response that is fine; a busy server is asked again. Throws `Failure`, or AbortError when `signal` ended it. */
export async function request(path, accept, signal) {
  for (let attempt = 1; ; attempt += 1) {
    let response;
    try {
      response = await fetch(path, { headers: { Accept: accept }, signal, credentials: "same-origin" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure(0);
    }
    if (response.ok) return response;
    if (response.status === 503 && attempt < BUSY_TRIES) {
      await pause(Math.min(Number(response.headers.get("Retry-After")) || 1, 5) * 1000, signal);
      continue;
    }
    throw new Failure(response.status, await detailOf(response));
  }
}

/** The array of a search or of metadata; no content is no rows. */
export async function rows(path, signal) {
  const response = await request(path, "application/dicom+json", signal);
  if (response.status === 204) return [];
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0);
  }
}

async function detailOf(response) {
  try {
    const problem = await response.json();
    return typeof problem.detail === "string" ? problem.detail : "";
  } catch {
    return ""; // not a problem document: the status has to be enough
  }
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
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

/** First value of an attribute, `undefined` when there is none. */
export const first = (item, tag) => values(item, tag)[0];

export const values = (item, tag) => (item?.[tag]?.Value ?? []).filter((value) => value !== null);

export const numbers = (item, tag) => values(item, tag).map(Number);

export const text = (item, tag) => values(item, tag).join(", ");

/** A person's name: family, given; the ideographic form behind it (PS3.5 6.2.1). */
export function personName(item, tag) {
  const name = first(item, tag);
  if (name === undefined) return "";
  if (typeof name === "string") return spoken(name);
  const alphabetic = spoken(name.Alphabetic ?? "");
  const ideographic = (name.Ideographic ?? "").split("^").filter(Boolean).join(" ");
  if (alphabetic && ideographic) return `${alphabetic} (${ideographic})`;
  return alphabetic || ideographic || spoken(name.Phonetic ?? "");
}

function spoken(group) {
  const [family, given, middle, prefix, suffix] = group.split("^").map((part) => part.trim());
  const others = [prefix, given, middle, suffix].filter(Boolean).join(" ");
  return [family, others].filter(Boolean).join(", ");
}

/** A DA as people read it; what is no date is shown as it is. */
export function date(item, tag) {
  const value = text(item, tag);
  const found = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(value);
  return found ? `${found[1]}-${found[2]}-${found[3]}` : value;
}
