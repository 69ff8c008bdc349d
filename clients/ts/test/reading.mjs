// A program of Node.js that reads a series from a real server, for tests/integration/test_typescript_client.py:
// node reading.mjs WS_URL STUDY SERIES POSITION CUT MEMORY → one line of JSON on stdout.
import { createHash } from 'node:crypto';
import { WebSocket } from 'ws';
import { StreamSession } from '../dist/index.js';

const [url, study, seriesUid, position, cut, memory] = process.argv.slice(2);
let socket;
const states = [];
const session = new StreamSession({
  url,
  ...(Number(memory) ? { memory: Number(memory) } : {}),
  webSocket: (to, protocol) => (socket = new WebSocket(to, protocol)),
});
session.on((state) => states.push(state.kind));
const series = session.open(study, seriesUid);
session.viewport().look(series, { position: Number(position) });
const steps = new Map();
const order = [];
let hasCut = cut !== 'cut';
let dropped = 0;
series.on((event) => {
  if (event.kind === 'dropped') dropped++;
  if (event.kind === 'failed') order.push(event.error.message);
  if (event.kind !== 'frame') return;
  steps.set(event.position, [...(steps.get(event.position) ?? []), event.halvings]);
  order.push(event.position);
  if (!hasCut && event.halvings === 0) {
    hasCut = true;
    socket.terminate();
  }
});
const table = await series.ready;
const whole = () => table.frames.filter((_, at) => series.halvings(at) === 0).length;
const deadline = Date.now() + 20_000;
let before = -1;
// With a memory too small for all of them: until nothing more comes.
while (whole() < table.frames.length && Date.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, memory > 0 ? 500 : 20));
  if (memory > 0 && series.byteCount === before) break;
  before = series.byteCount;
}
const found = {
  states,
  order,
  dropped,
  byteCount: series.byteCount,
  isComplete: table.isComplete,
  syntax: table.frames[0].transferSyntaxUid,
  uids: table.frames.map((frame) => frame.sopInstanceUid),
  steps: table.frames.map((_, at) => steps.get(at) ?? []),
  hashes: table.frames.map((_, at) => createHash('sha256').update(series.bytes(at)).digest('hex')),
};
session.close();
console.log(JSON.stringify(found));
