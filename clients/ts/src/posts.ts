// What a page and the thread that has its WebSocket say to each other (`RemoteSocket`, `hostSocket`).
import type { SocketEvent } from './line.js';

/** The page's end of a worker, or the worker's own: what is posted here is heard there. */
export interface Port {
  postMessage(post: unknown, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
}

/** To the thread. `took`: payload bytes of this connection that the page has taken in all. */
export type ToThread =
  | { readonly kind: 'connect'; readonly url: string; readonly protocol: string }
  | { readonly kind: 'send'; readonly text: string }
  | { readonly kind: 'took'; readonly bytes: number }
  | { readonly kind: 'close'; readonly code?: number | undefined; readonly reason?: string | undefined };

/** To the page. */
export type ToPage =
  | { readonly kind: 'open' }
  | { readonly kind: 'message'; readonly data: unknown }
  | { readonly kind: 'close'; readonly event: SocketEvent };

/**
 * Nothing more is acknowledged while so many bytes wait for the page: they cannot be taken back, and have to end where it stands still.
 * A page on two processors takes as much in less than 100 ms; 100 Mbit/s bring it in 170.
 */
export const AHEAD_BYTES_MAX = 2 * 1024 * 1024;
/** What the page has taken is told when it is so much more: a post for each message would cost as much as the message. */
export const TOLD_BYTES = AHEAD_BYTES_MAX / 4;
