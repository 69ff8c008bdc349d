// The viewer: one session, one canvas, a layout of viewports. The shell opens it with studies and closes it.
import './view.css';
import type { OpenViewer, ViewerParams, ViewerServices } from '../contract';
import { Room } from './room';
import { make } from './viewport/labels';

let prepared: Room | undefined;

/** Be connected, have decoders loaded and an empty layout, before a study is opened: its click waits for none. May be called again. */
export function prepare(services: ViewerServices): void {
  if (prepared?.isAsWanted(services) === true) return;
  prepared?.close();
  try {
    prepared = new Room(services);
  } catch {
    prepared = undefined; // whoever opens a study is told
  }
}

/** A study may be opened: the pointer rests on it, or the keyboard's cursor. */
export function glance(study: string): void {
  prepared?.glance(study);
}

/** A study is about to be opened: the pointer is down on it, or it is being opened. */
export function aim(study: string): void {
  prepared?.aim(study);
}

/** What was prepared, for one viewer alone; where it is not as wanted any more, a new one. */
function taken(services: ViewerServices): Room {
  const room = prepared;
  prepared = undefined;
  if (room?.isAsWanted(services) === true) return room;
  room?.close();
  return new Room(services);
}

export const openViewer: OpenViewer = (root, params, services) => {
  const words = services.texts.say;
  let room: Room;
  try {
    room = taken(services);
  } catch (error) {
    // Nothing can be drawn; the reader is told.
    const element = make('div', 'voxcast-view');
    const told = make('p', 'trouble');
    told.textContent = `${words('view.cannot_draw')} ${error instanceof Error ? error.message : ''}`;
    element.append(told);
    root.append(element);
    return { show: () => undefined, beside: () => undefined, renew: () => undefined, picture: () => Promise.resolve(null), dispose: () => element.remove() };
  }
  const { reading, session } = room;
  const stopping = new AbortController();
  room.shown = (shown) => services.shown?.(shown);
  root.append(room.element);
  const online = () => session.hurry();
  window.addEventListener('online', online);
  void begin(params, room, stopping.signal).catch((error: unknown) => {
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
      room.close();
    },
  };
};

/** The series that is asked for, or the first of each study that has images, each in a cell of its own. */
async function begin({ studies, series = [] }: ViewerParams, room: Room, signal: AbortSignal): Promise<void> {
  const { reading } = room;
  const [first] = studies;
  room.away(series.length > 0 ? undefined : first); // of another study no image stands there for a moment
  reading.layout(1, Math.min(Math.max(studies.length, series.length, 1), 3));
  if (first !== undefined && series.length > 0) {
    // Which study a series is of is not said where there are several: those of one study go with the first.
    series.forEach((one, at) => reading.show({ study: studies[series.length === studies.length ? at : 0] ?? first, series: one }, reading.cells[at]));
    return;
  }
  for (const [at, study] of studies.entries()) {
    const name = await room.first(study, signal);
    if (signal.aborted) return;
    const cell = reading.cells[at];
    if (name !== undefined && cell !== undefined) reading.show(name, cell);
  }
  room.away(); // another study's
}
