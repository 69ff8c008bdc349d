// The client of voxcast.stream.v1: frames of DICOM series as they are looked at, coarse before fine (docs/stream.md).
export { ClosedError, ProtocolError, StreamError } from './errors.js';
export { hostSocket } from './host.js';
export type { SocketEvent, SocketMaker, WebSocketLike } from './line.js';
export type { Port } from './posts.js';
export { RemoteSocket, type SocketThread } from './remote.js';
export { SeriesStream, type FrameUpdate, type OpenOptions, type SeriesEvent } from './series.js';
export { StreamSession, type SessionOptions, type SessionState, type StreamViewport } from './session.js';
export { SeriesTable, type FrameEntry, type Part } from './table.js';
export { PROTOCOL, type Demand, type Quality, type Spread } from './words.js';
