// zlib (RFC 1950) by what browsers and Node.js have built in.
import { ProtocolError } from './errors.js';

const TABLE_BYTES_MAX = 256 * 1024 * 1024; // of a series of a million frames

/** The text in zlib's packing; throws `ProtocolError` for what is none, or unpacks to more than any table has. */
export async function inflated(packed: Uint8Array): Promise<string> {
  const stream = new DecompressionStream('deflate');
  const writer = stream.writable.getWriter();
  // Both ends fail alike on a bad stream: the reader's word is the one that counts.
  const written = writer.write(packed.slice()).then(() => writer.close());
  written.catch(() => undefined);
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = stream.readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > TABLE_BYTES_MAX) throw new ProtocolError('a table of a series of more bytes than any has');
      parts.push(value);
    }
    await written;
  } catch (error) {
    await reader.cancel().catch(() => undefined);
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError(`a table of a series that is not packed by zlib: ${String(error)}`);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new TextDecoder().decode(whole);
}
