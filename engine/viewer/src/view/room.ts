// What a study is shown with: a session, decoders and an empty layout. Made while there is time, and used for one viewer alone.
import { StreamSession } from '@voxcast/client';
import type { SeriesRef, ViewerServices } from '../contract';
import { DecodePool } from './decode/pool';
import { drawingOf, type Drawing } from './draw/choice';
import { firstSeries } from './first';
import { Reading } from './layout/reading';
import { FrameLoader } from './load/loader';
import { socketMaker } from './load/socket';
import { make } from './viewport/labels';

const HELD_BYTES_MAX = 192 * 1024 * 1024; // of code streams, in the session
/** What was asked for ahead counts for so long: what comes or goes in a study is told only once it is open. */
export const AIM_MS = 1000;
/** So long the first series of a study that was looked at counts as the first. */
export const GLANCE_MS = 5000;

interface Aim {
  readonly study: string;
  readonly stop: AbortController;
  readonly found: Promise<SeriesRef | undefined>;
  readonly timer: ReturnType<typeof setTimeout>;
  opened?: SeriesRef;
}

export class Room {
  readonly element = make('div', 'voxcast-view');
  readonly session: StreamSession;
  readonly reading: Reading;
  /** Called with the series that are on the screen, each time that they change. */
  shown: (series: readonly SeriesRef[]) => void = () => undefined;
  private readonly pool = new DecodePool();
  private readonly loader: FrameLoader;
  private readonly wishes: string;
  private aimed: Aim | undefined;
  private glanced: { readonly study: string; readonly at: number; readonly stop: AbortController; readonly found: Promise<SeriesRef | undefined> } | undefined;

  /** Throws where images cannot be drawn; nothing runs on then. */
  constructor(services: ViewerServices) {
    const address = new URL('/stream', location.href);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    this.session = new StreamSession({ url: address.href, memory: HELD_BYTES_MAX, webSocket: socketMaker() });
    this.loader = new FrameLoader(this.session, this.pool);
    this.wishes = wishesOf(services);
    const { texts, settings } = services;
    try {
      this.reading = new Reading(this.element, this.loader, this.session, texts.say, (series) => this.shown(series), drawingNow(services), {
        tool: settings.get<string>('tool', 'window'),
        areTexts: settings.get<string>('overlay', 'all') === 'all',
        isLinked: settings.get('linked', true),
        observer: () => settings.get<string>('creator', ''),
      });
    } catch (error) {
      this.loader.dispose();
      this.session.close();
      throw error;
    }
  }

  /** Whether it is as one that would be made now: connected, with decoders, and as the reader and the address want it. */
  isAsWanted(services: ViewerServices): boolean {
    return this.session.state.kind !== 'over' && this.pool.workers > 0 && this.wishes === wishesOf(services);
  }

  /** A study may be opened: know which series is its first. */
  glance(study: string): void {
    if (this.aimed?.study === study || this.known(study) !== undefined) return;
    this.glanced?.stop.abort();
    const stop = new AbortController();
    const found = firstSeries(study, stop.signal);
    found.catch(() => undefined); // who opens the study asks again
    this.glanced = { study, at: performance.now(), stop, found };
  }

  /** A study is about to be opened: have its first series opened, too. It is closed again where that does not follow soon. */
  aim(study: string): void {
    if (this.aimed?.study === study) return;
    this.away();
    const stop = new AbortController();
    const found = this.seriesOf(study, stop.signal).then((series) => {
      if (series === undefined || stop.signal.aborted) return series;
      aim.opened = series;
      this.reading.expect(series);
      return series;
    });
    found.catch(() => undefined); // who opens the study says it
    const aim: Aim = { study, stop, found, timer: setTimeout(() => this.away(), AIM_MS) };
    this.aimed = aim;
  }

  /** The first series of a study that has images; undefined where there is none. */
  first(study: string, signal: AbortSignal): Promise<SeriesRef | undefined> {
    const { aimed } = this;
    if (aimed?.study !== study) return this.seriesOf(study, signal);
    clearTimeout(aimed.timer);
    this.aimed = undefined; // it is the viewer's now
    return aimed.found;
  }

  /** What was aimed at is not wanted, unless it is of that study. */
  away(but?: string): void {
    const { aimed } = this;
    if (aimed === undefined || aimed.study === but) return;
    this.aimed = undefined;
    clearTimeout(aimed.timer);
    aimed.stop.abort();
    if (aimed.opened !== undefined) this.reading.unexpect(aimed.opened);
  }

  private known(study: string): Promise<SeriesRef | undefined> | undefined {
    const { glanced } = this;
    return glanced?.study === study && performance.now() - glanced.at < GLANCE_MS ? glanced.found : undefined;
  }

  private seriesOf(study: string, signal: AbortSignal): Promise<SeriesRef | undefined> {
    return this.known(study)?.catch(() => firstSeries(study, signal)) ?? firstSeries(study, signal);
  }

  close(): void {
    this.glanced?.stop.abort();
    this.away();
    this.reading.close();
    this.loader.dispose();
    this.session.close();
    this.element.remove();
  }
}

function drawingNow({ settings }: ViewerServices): Drawing {
  return drawingOf(new URLSearchParams(location.hash.slice(1)).get('drawing') ?? settings.get('drawing', 'auto'));
}

/** All that a layout takes from settings and address when it is made. */
function wishesOf({ texts, settings }: ViewerServices): string {
  return JSON.stringify([texts.language, settings.get('tool', ''), settings.get('overlay', ''), settings.get('linked', true), settings.get('drawing', ''), location.hash]);
}
