// Frames and tables of greys on the graphics card, the least recently drawn given back.
import { byteCount, type Pixels } from '../image/pixels';

interface Held {
  texture: WebGLTexture;
  bytes: number;
}

export const TEXTURE_BYTES_MAX = 96 * 1024 * 1024;

/** One for a context; a key is a frame's pixels, or a table. */
export class Textures {
  // In the order of their last use.
  private readonly held = new Map<object, Held>();
  private total = 0;

  constructor(private readonly gl: WebGL2RenderingContext) {}

  frame(pixels: Pixels): WebGLTexture {
    return this.get(pixels, byteCount(pixels), (gl) => {
      if (pixels.kind === 'grey') {
        const { values, width, height } = pixels;
        const isWide = values.BYTES_PER_ELEMENT === 2;
        const cells = isWide ? new Uint16Array(values.buffer, values.byteOffset, values.length) : new Uint8Array(values.buffer, values.byteOffset, values.length);
        const [inner, type] = isWide ? [gl.R16UI, gl.UNSIGNED_SHORT] : [gl.R8UI, gl.UNSIGNED_BYTE];
        gl.texImage2D(gl.TEXTURE_2D, 0, inner, width, height, 0, gl.RED_INTEGER, type, cells);
      } else if (pixels.rgba instanceof Uint8Array) {
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, pixels.width, pixels.height, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels.rgba);
      } else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, pixels.rgba);
    });
  }

  /** Greys, 256 in a row. */
  table(greys: Uint8Array<ArrayBuffer>): WebGLTexture {
    const rows = Math.ceil(greys.length / 256);
    return this.get(greys, 256 * rows, (gl) => {
      const padded = new Uint8Array(256 * rows);
      padded.set(greys);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, 256, rows, 0, gl.RED, gl.UNSIGNED_BYTE, padded);
    });
  }

  clear(): void {
    for (const { texture } of this.held.values()) this.gl.deleteTexture(texture);
    this.held.clear();
    this.total = 0;
  }

  private get(key: object, bytes: number, fill: (gl: WebGL2RenderingContext) => void): WebGLTexture {
    const found = this.held.get(key);
    if (found !== undefined) {
      this.held.delete(key);
      this.held.set(key, found);
      return found.texture;
    }
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    fill(gl);
    // Pixels are fetched, not sampled; what has no smaller forms must say so.
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
    this.held.set(key, { texture, bytes });
    this.total += bytes;
    for (const [old, { texture: unused, bytes: size }] of this.held) {
      if (this.total <= TEXTURE_BYTES_MAX || old === key) break;
      gl.deleteTexture(unused);
      this.held.delete(old);
      this.total -= size;
    }
    return texture;
  }
}
