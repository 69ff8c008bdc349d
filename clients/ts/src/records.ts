// The binary messages of voxcast.stream.v1: one record after the other, each of 24 bytes and a payload (docs/stream.md).
import { ProtocolError } from './errors.js';

const HEAD_BYTES = 24;

export const Kind = { CHUNK: 1, RUN: 2, DROP: 3, SERIES: 4, PICTURE: 5 } as const;

const COUNTED = new Set<number>([Kind.CHUNK, Kind.RUN, Kind.PICTURE]);

/** One record; `payload` lies in the message, so copy what is to be kept. */
export interface StreamRecord {
  readonly kind: number;
  /** Of the series' ladder of resolutions, 0 the coarsest. */
  readonly level: number;
  readonly isComplete: boolean;
  readonly isSeen: boolean;
  readonly series: number;
  readonly generation: number;
  readonly position: number;
  /** CHUNK: first byte. RUN: count. DROP: bytes to keep. SERIES: 1 when what was held counts. */
  readonly detail: number;
  readonly payload: Uint8Array;
}

/** The records of a message; throws `ProtocolError` where it ends inside one. */
export function* records(message: ArrayBuffer): Generator<StreamRecord> {
  const view = new DataView(message);
  for (let at = 0; at < view.byteLength; ) {
    if (at + HEAD_BYTES > view.byteLength) throw new ProtocolError('a message ends inside the head of a record');
    const length = view.getUint32(at + 20, true);
    if (at + HEAD_BYTES + length > view.byteLength) throw new ProtocolError('a message ends inside a payload');
    const flags = view.getUint16(at + 2, true);
    yield {
      kind: view.getUint8(at),
      level: view.getUint8(at + 1),
      isComplete: (flags & 1) !== 0,
      isSeen: (flags & 2) !== 0,
      series: view.getUint32(at + 4, true),
      generation: view.getUint32(at + 8, true),
      position: view.getUint32(at + 12, true),
      detail: view.getUint32(at + 16, true),
      payload: new Uint8Array(message, at + HEAD_BYTES, length),
    };
    at += HEAD_BYTES + length;
  }
}

/** Whether the payload of a record of this kind is acknowledged. */
export function isCounted(kind: number): boolean {
  return COUNTED.has(kind);
}

/** What of a message is acknowledged; of one that is cut, what is whole. */
export function payloadBytes(message: ArrayBuffer): number {
  const view = new DataView(message);
  let sum = 0;
  for (let at = 0; at + HEAD_BYTES <= view.byteLength; ) {
    const length = view.getUint32(at + 20, true);
    if (at + HEAD_BYTES + length > view.byteLength) break;
    if (isCounted(view.getUint8(at))) sum += length;
    at += HEAD_BYTES + length;
  }
  return sum;
}
