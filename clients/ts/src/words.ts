// The words of voxcast.stream.v1 that a client says and hears as JSON (docs/stream.md).
import { ProtocolError } from './errors.js';

export const PROTOCOL = 'voxcast.stream.v1';

/** How far a viewport's frames are wanted: the coarse pack; what its pixels need; at rest, all. */
export type Quality = 'coarse' | 'fitting' | 'exact';

/** From the position outwards, or all alike (a volume). */
export type Spread = 'around' | 'volume';

/** What a viewport shows; a new one replaces the one before as a whole. */
export interface Demand {
  /** 0-based, in slice order. */
  position: number;
  /** Device pixels on which a whole frame would be shown: more than the viewport's when it is zoomed in. */
  width?: number;
  height?: number;
  /** Positions a second, negative towards 0; 0: the hand rests. */
  velocity?: number;
  /** -1 or 1: where the travel went, for a viewport at rest. */
  direction?: -1 | 1;
  quality?: Quality;
  spread?: Spread;
  /** No frame further from the position than this; undefined for the whole series. */
  reach?: number;
  /** The last position is followed by the first (cine). */
  loop?: boolean;
  /** The share of the session's bytes beside other viewports. */
  weight?: number;
}

/** What this client says. */
export type Said =
  | { type: 'hello'; memory?: number }
  | { type: 'open'; series: number; study: string; seriesInstanceUID: string; approximate?: boolean; tag?: string; held?: [number, number][] }
  | ({ type: 'look'; viewport: number; series: number } & Demand)
  | { type: 'close'; viewport: number }
  | { type: 'close'; series: number }
  | { type: 'forget'; series: number; frames: [number, number][] }
  | { type: 'got'; bytes: number }
  | { type: 'ping'; value: number };

/** What the server says as text. */
export type Heard =
  | { type: 'welcome'; protocol: string; inFlight: number }
  | { type: 'error'; series: number; error: string; detail: string; position?: number }
  | { type: 'ready'; series: number }
  | { type: 'pong'; value: number };

/** One text of the server; undefined for a kind that this client does not know (members and kinds may be added). */
export function heard(text: string): Heard | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    throw new ProtocolError('a text that is no JSON');
  }
  if (typeof said !== 'object' || said === null) throw new ProtocolError('a text that is no JSON object');
  const word = said as Record<string, unknown>;
  switch (word.type) {
    case 'welcome':
      if (word.protocol !== PROTOCOL) throw new ProtocolError(`the server speaks ${String(word.protocol)}`);
      return { type: 'welcome', protocol: PROTOCOL, inFlight: Number(word.inFlight) || 0 };
    case 'error':
      if (!Number.isInteger(word.series)) throw new ProtocolError('an error of no series');
      return {
        type: 'error',
        series: word.series as number,
        error: String(word.error),
        detail: String(word.detail ?? ''),
        ...(Number.isInteger(word.position) ? { position: word.position as number } : {}),
      };
    case 'ready':
      if (!Number.isInteger(word.series)) throw new ProtocolError('a ready of no series');
      return { type: 'ready', series: word.series as number };
    case 'pong':
      return { type: 'pong', value: Number(word.value) };
    default:
      return undefined;
  }
}
