// Buffers that are used again: what is given up is otherwise collected only when some 70 MB of it have gathered.

const BYTES_MAX = 8 * 1024 * 1024; // so many wait; the oldest are left to the browser
const ONE_MAX = 2 * 1024 * 1024;

/** Of exact lengths. Whoever takes one has it alone. */
export class Spares {
  private readonly waiting: ArrayBuffer[] = []; // the oldest first
  private bytes = 0;

  give(buffer: ArrayBuffer): void {
    const { byteLength } = buffer;
    if (byteLength === 0 || byteLength > ONE_MAX) return;
    this.waiting.push(buffer);
    this.bytes += byteLength;
    while (this.bytes > BYTES_MAX) this.bytes -= this.waiting.shift()?.byteLength ?? 0;
  }

  take(length: number): ArrayBuffer | undefined {
    const at = this.waiting.findLastIndex(({ byteLength }) => byteLength === length);
    if (at < 0) return undefined;
    this.bytes -= length;
    return this.waiting.splice(at, 1)[0];
  }

  clear(): void {
    this.waiting.length = 0;
    this.bytes = 0;
  }
}
