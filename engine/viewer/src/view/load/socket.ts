// The session's WebSocket, in a worker of its own; where there can be none, the page's.
import { RemoteSocket, type SocketMaker, type SocketThread, type WebSocketLike } from '@voxcast/client';
import workerUrl from './socket_worker?worker&url';

/** Makes sockets; one for each session. */
export function socketMaker(start: () => SocketThread = () => new Worker(workerUrl, { type: 'module', name: 'socket' })): SocketMaker {
  let isThread = true;
  return (url, protocol) => {
    // Its script could not be loaded: the session tries again at once, and better with an own one than with none.
    if (isThread) return new RemoteSocket(url, protocol, start(), () => (isThread = false));
    return new WebSocket(url, protocol) as unknown as WebSocketLike;
  };
}
