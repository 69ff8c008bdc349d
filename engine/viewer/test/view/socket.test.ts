// Where the session's WebSocket is: in a worker, and in the page once a worker has failed.
import { afterEach, expect, it, vi } from 'vitest';
import { RemoteSocket, type SocketThread } from '@voxcast/client';
import { socketMaker } from '../../src/view/load/socket';

afterEach(() => vi.unstubAllGlobals());

it('is in a worker until one fails, and then in the page', () => {
  const made: string[] = [];
  vi.stubGlobal(
    'WebSocket',
    class {
      constructor(url: string, protocol: string) {
        made.push(`${url} ${protocol}`);
      }
    },
  );
  const posted: unknown[] = [];
  let fail: (event: { message?: string }) => void = () => undefined;
  const start = (): SocketThread => ({
    postMessage: (post) => posted.push(post),
    terminate: () => undefined,
    addEventListener: (type, listener) => {
      if (type === 'error') fail = listener;
    },
  });
  const make = socketMaker(start);
  expect(make('ws://host/stream', 'protocol')).toBeInstanceOf(RemoteSocket);
  expect(posted).toEqual([{ kind: 'connect', url: 'ws://host/stream', protocol: 'protocol' }]);
  const second = make('ws://host/stream', 'protocol'); // the line was lost, which is no failure
  expect(second).toBeInstanceOf(RemoteSocket);
  const closed = vi.fn();
  second.addEventListener('close', closed);
  fail({ message: '' });
  expect(closed).toHaveBeenCalledOnce();
  expect(made).toEqual([]);
  expect(make('ws://host/stream', 'protocol')).not.toBeInstanceOf(RemoteSocket);
  expect(made).toEqual(['ws://host/stream protocol']);
});
