// Requests of the viewer to its own server: a busy one is asked again, an error carries the server's words.

const BUSY_TRIES = 4;

/** An answer that is none; `status` 0: the server could not be reached. */
export class HttpError extends Error {
  override readonly name = 'HttpError';

  constructor(
    readonly status: number,
    readonly detail: string,
  ) {
    super(detail || `HTTP ${status}`);
  }
}

/** An answer that is fine. Throws `HttpError`, or the AbortError of `signal`. */
export async function request(path: string, accept: string, signal?: AbortSignal): Promise<Response> {
  for (let tries = 1; ; tries++) {
    let answer: Response;
    try {
      answer = await fetch(path, { headers: { Accept: accept }, credentials: 'same-origin', ...(signal ? { signal } : {}) });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new HttpError(0, '');
    }
    if (answer.ok) return answer;
    if (answer.status !== 503 || tries === BUSY_TRIES) throw new HttpError(answer.status, await detailOf(answer));
    await pause(Math.min(Number(answer.headers.get('Retry-After')) || 1, 5) * 1000, signal);
  }
}

async function detailOf(answer: Response): Promise<string> {
  try {
    const problem = (await answer.json()) as { detail?: unknown };
    return typeof problem.detail === 'string' ? problem.detail : '';
  } catch {
    return ''; // no problem document: the status has to be enough
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException('no longer wanted', 'AbortError'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

export function seriesPath(study: string, series: string): string {
  return `/dicom-web/studies/${encodeURIComponent(study)}/series/${encodeURIComponent(series)}`;
}
