// In a worker: has a page's WebSocket, and acknowledges what comes at once, however busy the page is.
import type { SocketMaker, WebSocketLike } from './line.js';
import { AHEAD_BYTES_MAX, type Port, type ToPage, type ToThread } from './posts.js';
import { payloadBytes } from './records.js';

/**
 * Serve one `RemoteSocket` at the other end of `port`; to be called before anything else is done in the worker.
 *
 * The server has no more under way than the line holds, as it learns from `got`. A page that lays out or draws for 30 ms
 * says it 30 ms late, and a line of 0.2 ms seems to be one of 30 ms then, and to carry little.
 */
export function hostSocket(port: Port, make: SocketMaker = (url, protocol) => new WebSocket(url, protocol) as unknown as WebSocketLike): void {
  let socket: WebSocketLike | undefined;
  let come = 0; // payload bytes
  let taken = 0; // of them by the page
  let said = 0;
  const say = (post: ToPage, transfer: Transferable[] = []) => port.postMessage(post, transfer);
  const acknowledge = () => {
    if (come <= said || come - taken > AHEAD_BYTES_MAX) return;
    said = come;
    socket?.send(JSON.stringify({ type: 'got', bytes: come }));
  };
  const connect = (url: string, protocol: string) => {
    socket = make(url, protocol);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => say({ kind: 'open' }));
    socket.addEventListener('error', () => undefined); // the close that follows says it
    socket.addEventListener('close', ({ code, reason }) => {
      socket = undefined;
      say({ kind: 'close', event: { ...(code === undefined ? {} : { code }), ...(reason === undefined ? {} : { reason }) } });
    });
    socket.addEventListener('message', ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return say({ kind: 'message', data });
      come += payloadBytes(data);
      acknowledge(); // before it is given away
      say({ kind: 'message', data }, [data]);
    });
  };
  port.addEventListener('message', ({ data }) => {
    const post = data as ToThread; // our own page's
    if (post.kind === 'connect') connect(post.url, post.protocol);
    else if (post.kind === 'send') socket?.send(post.text);
    else if (post.kind === 'close') socket?.close(post.code, post.reason);
    else {
      taken = post.bytes;
      acknowledge();
    }
  });
}
