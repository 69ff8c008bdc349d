// A series as it changes while it is open: more of it is made, more instances come, a frame cannot be decoded here.
/// <reference types="node" />
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { StreamSession } from '@voxcast/client';
import { Sockets, tableOf } from '../../../../clients/ts/test/scripted';
import { FrameStack } from '../../src/view/load/stack';

const [STUDY, SERIES] = ['1.1', '1.1.1'];
const header = (sop: string, more: object = {}) => ({
  '00080018': { Value: [sop] }, '0020000D': { Value: [STUDY] }, '0020000E': { Value: [SERIES] }, '00100010': { Value: [{ Alphabetic: 'DOE^JANE' }] },
  '00280002': { Value: [1] }, '00280004': { Value: ['MONOCHROME2'] }, '00280010': { Value: [8] }, '00280011': { Value: [8] }, '00280100': { Value: [16] }, '00280101': { Value: [12] }, ...more,
});
let sockets: Sockets;
let stack: FrameStack;
let rows: object[];
let asked: string[];

beforeEach(() => {
  asked = [];
  rows = [header('1.2.0')];
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path);
    return Promise.resolve(new Response(JSON.stringify(rows)));
  });
  sockets = new Sockets();
  stack = new FrameStack(new StreamSession({ url: 'ws://host/stream', webSocket: sockets.make }), STUDY, SERIES);
  sockets.last.welcome();
});
afterEach(() => {
  stack.close();
  vi.unstubAllGlobals();
});

it('says what each frame is, and which way it takes', async () => {
  sockets.last.bytes(tableOf(1, [[4, 10]]));
  await stack.ready;
  expect(stack.frames.map(({ key, route }) => [key, route.kind])).toEqual([['1.2.0 1', 'stream']]);
  expect([stack.fineness(0), stack.isStreamed]).toEqual(['missing', true]);
});

it('is opened again when more is made of it, and reads the headers of what has come', async () => {
  sockets.last.bytes(tableOf(1, [[10]], { isComplete: false }));
  await stack.ready;
  rows = [header('1.2.0'), header('1.2.1')];
  sockets.last.text({ type: 'ready', series: 1 });
  expect(sockets.last.words('open').length).toBe(2);
  sockets.last.bytes(tableOf(1, [[4, 10], [4, 10]], { tag: 'more' }));
  await vi.waitFor(() => expect(stack.frames.length).toBe(2));
  expect(stack.frames[1]?.header.dataSet['00100010']).toBeDefined();
  expect(asked.length).toBe(2);
});

it('asks for headers once: what has none is not asked for again and again', async () => {
  sockets.last.bytes(tableOf(1, [[4, 10], [4, 10]]));
  await stack.ready;
  await vi.waitFor(() => expect(stack.frames.length).toBe(2));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(asked.length).toBe(2);
});

it('a frame that cannot be decoded here goes the server’s way, once', async () => {
  sockets.last.bytes(tableOf(1, [[4, 10]]));
  await stack.ready;
  const [frame] = stack.frames;
  if (frame === undefined) throw new Error('it has a frame');
  expect(stack.reroute(frame)).toBe(true);
  expect(stack.frames[0]?.route.kind).toBe('native');
  expect([stack.reroute(frame), stack.isStreamed]).toEqual([false, false]);
});

it('headers of another series are refused', async () => {
  stack.close();
  rows = [header('1.2.0', { '0020000E': { Value: ['9.9'] } })];
  stack = new FrameStack(new StreamSession({ url: 'ws://host/stream', webSocket: sockets.make }), STUDY, SERIES);
  sockets.last.welcome();
  sockets.last.bytes(tableOf(1, [[4, 10]]));
  await expect(stack.ready).rejects.toThrow('another series');
  expect(stack.frames).toEqual([]);
});
