// A worker that has the session's WebSocket: the page may be busy, the line is not to wait for it.
import { hostSocket, type Port } from '@voxcast/client';

hostSocket(self as unknown as Port);
