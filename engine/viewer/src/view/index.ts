// The viewer: one session, one canvas, a layout of viewports. The shell opens it with studies and closes it.
import './view.css';
import { StreamSession } from '@voxcast/client';
import { DecodePool } from './decode/pool';
import { textOf, type DataSet } from './dicom/attributes';
import type { OpenViewer, ViewerParams } from '../contract';
import type { Cell } from './layout/cell';
import { Reading } from './layout/reading';
import { request } from './load/http';
import { drawingOf } from './draw/choice';
import { FrameLoader } from './load/loader';
import { make } from './viewport/labels';

const HELD_BYTES_MAX = 192 * 1024 * 1024; // of code streams, in the session

interface Ready {
  readonly session: StreamSession;
  readonly pool: DecodePool;
}

let prepared: Ready | undefined;

/** Be connected, and have decoders loaded, before a study is opened: its click waits for neither. May be called again. */
export function prepare(): void {
  prepared ??= begun();
}

function begun(): Ready {
  const address = new URL('/stream', location.href);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  return { session: new StreamSession({ url: address.href, memory: HELD_BYTES_MAX }), pool: new DecodePool() };
}

/** What was prepared, for one viewer alone; what could not be is begun anew, and says why it cannot. */
function taken(): Ready {
  const ready = prepared;
  prepared = undefined;
  if (ready !== undefined && ready.session.state.kind !== 'over' && ready.pool.workers > 0) return ready;
  ready?.session.close();
  ready?.pool.close();
  return begun();
}

export const openViewer: OpenViewer = (root, params, services) => {
  const words = services.texts.say;
  const { session, pool } = taken();
  const loader = new FrameLoader(session, pool);
  const stopping = new AbortController();
  const element = make('div', 'voxcast-view');
  root.append(element);
  let reading: Reading;
  try {
    reading = new Reading(element, loader, session, words, (shown) => services.shown?.(shown), drawingOf(new URLSearchParams(location.hash.slice(1)).get('drawing') ?? services.settings.get('drawing', 'auto')), {
      tool: services.settings.get<string>('tool', 'window'),
      areTexts: services.settings.get<string>('overlay', 'all') === 'all',
      isLinked: services.settings.get('linked', true),
      observer: () => services.settings.get<string>('creator', ''),
    });
  } catch (error) {
    // Nothing can be drawn; the reader is told, and nothing runs on.
    const told = make('p', 'trouble');
    told.textContent = `${words('view.cannot_draw')} ${error instanceof Error ? error.message : ''}`;
    element.replaceChildren(told);
    loader.dispose();
    session.close();
    return { show: () => undefined, beside: () => undefined, renew: () => undefined, picture: () => Promise.resolve(null), dispose: () => element.remove() };
  }
  const online = () => session.hurry();
  window.addEventListener('online', online);
  void begin(params, reading, stopping.signal).catch((error: unknown) => {
    if (!stopping.signal.aborted) reading.tell(words('view.cannot_show', { reason: error instanceof Error ? error.message : String(error) }));
  });
  return {
    show: (name) => reading.show(name),
    beside: (name) => reading.beside(name),
    renew: (name, isReplaced) => reading.renew(name, isReplaced),
    picture: () => reading.picture(),
    dispose: () => {
      stopping.abort();
      window.removeEventListener('online', online);
      reading.close();
      loader.dispose();
      session.close();
      element.remove();
    },
  };
};

/** The series that is asked for, or the first of each study that has images, each in a cell of its own. */
async function begin({ studies, series = [] }: ViewerParams, reading: Reading, signal: AbortSignal): Promise<void> {
  const [first] = studies;
  reading.layout(1, Math.min(Math.max(studies.length, series.length, 1), 3));
  if (first !== undefined && series.length > 0) {
    // Which study a series is of is not said where there are several: those of one study go with the first.
    series.forEach((one, at) => reading.show({ study: studies[series.length === studies.length ? at : 0] ?? first, series: one }, reading.cells[at]));
    return;
  }
  for (const [at, study] of studies.entries()) {
    const answer = await request(`/dicom-web/studies/${encodeURIComponent(study)}/series?includefield=00201209`, 'application/dicom+json', signal);
    const rows = answer.status === 204 ? [] : ((await answer.json()) as DataSet[]);
    const shown = rows.find((row) => !WITHOUT_IMAGES.has(textOf(row, '00080060'))) ?? rows[0];
    const cell: Cell | undefined = reading.cells[at];
    if (shown !== undefined && cell !== undefined) reading.show({ study, series: textOf(shown, '0020000E') }, cell);
  }
}

const WITHOUT_IMAGES = new Set(['SR', 'PR', 'KO', 'SEG', 'RTSTRUCT', 'RTPLAN', 'DOC', 'ECG', 'HD', 'AU', 'REG', 'FID', 'PLAN']);
