// Draws frames by the graphics card (WebGL2): stored values and the table of their greys are there, one frame of a series once.
import { inverse } from './matrix';
import { pitchOf, type Painter, type Picture, type Place } from './painter';
import { COLOUR, GREY, VERTEX } from './shaders';
import { Textures } from './textures';

const TAPS_MAX = 4;

interface Program {
  program: WebGLProgram;
  at: (name: string) => WebGLUniformLocation | null;
}

export class GpuPainter implements Painter {
  private readonly gl: WebGL2RenderingContext;
  private textures: Textures;
  private grey!: Program;
  private colour!: Program;

  /** Throws where there is no WebGL2. @param restored called when a lost context is there again: draw all once more */
  constructor(private readonly canvas: HTMLCanvasElement, restored: () => void) {
    const gl = canvas.getContext('webgl2', { alpha: false, antialias: false, depth: false, stencil: false, desynchronized: false });
    if (gl === null) throw new Error('WebGL2 is not there');
    this.gl = gl;
    this.textures = new Textures(gl);
    this.compile();
    canvas.addEventListener('webglcontextlost', (event) => event.preventDefault()); // it can come back
    canvas.addEventListener('webglcontextrestored', () => {
      this.textures = new Textures(gl);
      this.compile();
      restored();
    });
  }

  resize(width: number, height: number): void {
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
  }

  draw(pictures: readonly { place: Place; picture: Picture | undefined }[]): void {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    for (const { place, picture } of pictures) {
      if (picture !== undefined) this.picture(place, picture, this.canvas.height);
    }
  }

  read(picture: Picture, width: number, height: number): Uint8ClampedArray<ArrayBuffer> {
    const { gl } = this;
    const target = gl.createFramebuffer();
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.picture({ x: 0, y: 0, width, height }, picture, height);
    const upward = new Uint8Array(4 * width * height);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, upward);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.deleteFramebuffer(target);
    gl.deleteTexture(texture);
    const rows = new Uint8ClampedArray(upward.length);
    for (let row = 0; row < height; row++) rows.set(upward.subarray(4 * width * row, 4 * width * (row + 1)), 4 * width * (height - 1 - row));
    return rows;
  }

  dispose(): void {
    this.textures.clear();
    this.gl.getExtension('WEBGL_lose_context')?.loseContext();
  }

  private picture(place: Place, picture: Picture, canvasHeight: number): void {
    const { gl } = this;
    const { pixels, columns, rows, toScreen } = picture;
    const [x, y] = [Math.round(place.x), Math.round(canvasHeight - place.y - place.height)];
    const [width, height] = [Math.round(place.width), Math.round(place.height)];
    gl.viewport(x, y, width, height);
    const { program, at } = pixels.kind === 'grey' ? this.grey : this.colour;
    gl.useProgram(program);
    // gl_FragCoord counts from the lower left corner of the canvas.
    const m = inverse(toScreen);
    const top = y + height;
    const e = m.e - m.a * x + m.c * top;
    const f = m.f - m.b * x + m.d * top;
    gl.uniformMatrix3fv(at('toImage'), false, [m.a, m.b, 0, -m.c, -m.d, 0, e, f, 1]);
    const pitch = pitchOf(picture);
    gl.uniform2f(at('extent'), columns, rows);
    gl.uniform1f(at('pitch'), pitch);
    gl.uniform2i(at('size'), pixels.width, pixels.height);
    const step = Math.max(Math.hypot(m.a, m.b), Math.hypot(m.c, m.d)) / pitch; // pixels of the texture for one of the screen
    gl.uniform1i(at('taps'), Math.abs(step - 1) < 1e-6 ? 0 : Math.min(Math.max(Math.ceil(step), 1), TAPS_MAX));
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.textures.frame(pixels));
    if (pixels.kind === 'grey') {
      const { greys } = picture;
      if (greys === undefined) throw new Error('grey pixels without greys');
      const { table, first, padding, isSigned } = greys;
      gl.uniform1i(at('values'), 0);
      gl.uniform1i(at('greys'), 1);
      gl.uniform1i(at('first'), first);
      gl.uniform1i(at('last'), table.length - 1);
      gl.uniform1i(at('signShift'), isSigned ? 32 - 8 * pixels.values.BYTES_PER_ELEMENT : 0);
      gl.uniform2i(at('padding'), padding?.[0] ?? 1, padding?.[1] ?? 0);
      gl.activeTexture(gl.TEXTURE1);
      gl.bindTexture(gl.TEXTURE_2D, this.textures.table(table));
    } else {
      gl.uniform1i(at('picture'), 0);
      gl.uniform1i(at('isInverted'), picture.isInverted ? 1 : 0);
    }
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  private compile(): void {
    this.grey = this.program(GREY);
    this.colour = this.program(COLOUR);
  }

  private program(fragment: string): Program {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [type, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]] as const) {
      const shader = gl.createShader(type);
      if (shader === null) continue; // the context is lost: linking says so
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`the image cannot be drawn: ${gl.getProgramInfoLog(program) ?? ''}`);
    }
    const found = new Map<string, WebGLUniformLocation | null>();
    const at = (name: string) => {
      let place = found.get(name);
      if (place === undefined) found.set(name, (place = gl.getUniformLocation(program, name)));
      return place;
    };
    return { program, at };
  }
}
