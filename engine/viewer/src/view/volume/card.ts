// Rays cast by the graphics card (WebGL2): the block is a texture there, and each band of a picture is drawn and read back.
import { halved } from '../image/pixels';
import type { Caster } from './casters';
import type { Band, Frame, Plan } from './job';
import { forStep, TABLE, type Look } from './look';
import { fill, raysOf, stepOf } from './scene';
import { unit, type Triple } from './rays';
import { RAY, WHOLE_SCREEN } from './shaders';

/** Halves of values, so that 16 bits stay within half floats. */
const UNIT = 2;
const NAMES = ['voxels', 'table', 'fromRow', 'start', 'across', 'down', 'into', 'low', 'high', 'sizes', 'per', 'light', 'half_', 'first', 'scale', 'unit', 'isLargest', 'isShaded'] as const;

/** Undefined where the card cannot hold the block. @param failed told once when the card is lost */
export function cardFor(plan: Plan, failed: (error: Error) => void): CardCaster | undefined {
  const canvas = document.createElement('canvas');
  const gl = canvas.getContext('webgl2', { alpha: false, antialias: false, depth: false, stencil: false });
  if (gl === null) return undefined;
  if (Math.max(...plan.sizes) > (gl.getParameter(gl.MAX_3D_TEXTURE_SIZE) as number)) {
    gl.getExtension('WEBGL_lose_context')?.loseContext();
    return undefined;
  }
  return new CardCaster(plan, canvas, gl, failed);
}

export class CardCaster implements Caster {
  readonly count = 1;
  isFree = true;
  readonly quickLeast = 0;
  private readonly program: WebGLProgram;
  private readonly at: Readonly<Record<string, WebGLUniformLocation | null>>;
  private readonly plane: Float32Array<ArrayBuffer>;
  private look: Look | undefined;
  private tableStep = NaN;
  private isClosed = false;

  constructor(
    private readonly plan: Plan,
    private readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGL2RenderingContext,
    failed: (error: Error) => void,
  ) {
    canvas.addEventListener('webglcontextlost', () => {
      if (!this.isClosed) failed(new Error('the graphics card was lost'));
    });
    const [width, height, depth] = plan.sizes;
    this.plane = new Float32Array(width * height);
    this.program = compiled(gl);
    this.at = Object.fromEntries(NAMES.map((name) => [name, gl.getUniformLocation(this.program, name)]));
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_3D, gl.createTexture());
    gl.texStorage3D(gl.TEXTURE_3D, 1, gl.R16F, width, height, depth);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_3D, name, gl.LINEAR);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) gl.texParameteri(gl.TEXTURE_3D, name, gl.CLAMP_TO_EDGE);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA16F, TABLE, 1);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
    this.plane.fill(plan.empty / UNIT);
    for (let position = 0; position < depth; position++) this.upload(position);
  }

  put(frame: Frame): void {
    fill(this.plan, frame, this.plane, 0);
    for (let at = 0; at < this.plane.length; at++) this.plane[at] = (this.plane[at] as number) / UNIT;
    this.upload(frame.position);
  }

  see(look: Look): void {
    this.look = look;
    this.tableStep = NaN;
  }

  cast({ view, halvings, isQuick, from, to }: Omit<Band, 'number'>): Promise<Uint8Array<ArrayBuffer>> {
    const { gl, plan, look, canvas, at } = this;
    if (look === undefined || this.isClosed || gl.isContextLost()) return Promise.reject(new Error('there is nothing to cast with'));
    const step = stepOf(view.into, plan.steps, isQuick);
    if (step !== this.tableStep) {
      this.tableStep = step;
      gl.activeTexture(gl.TEXTURE1);
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, TABLE, 1, gl.RGBA, gl.FLOAT, forStep(look, step));
    }
    const rays = raysOf(plan, view, halvings, [1, 1, 1], step, isQuick);
    const [width, height] = [halved(view.width, halvings), to - from];
    if (canvas.width < width) canvas.width = width;
    if (canvas.height < height) canvas.height = height;
    gl.viewport(0, 0, width, height);
    gl.useProgram(this.program);
    const vector = (name: string, [x, y, z]: Triple) => gl.uniform3f(at[name] ?? null, x, y, z);
    for (const name of ['start', 'across', 'down', 'into', 'low', 'high', 'light'] as const) vector(name, rays[name]);
    vector('sizes', plan.sizes);
    vector('per', [look.scale / rays.steps[0], look.scale / rays.steps[1], look.scale / rays.steps[2]]);
    vector('half_', unit([rays.light[0] + rays.eye[0], rays.light[1] + rays.eye[1], rays.light[2] + rays.eye[2]]));
    gl.uniform1i(at.voxels ?? null, 0);
    gl.uniform1i(at.table ?? null, 1);
    gl.uniform1f(at.fromRow ?? null, from);
    gl.uniform1f(at.first ?? null, look.first);
    gl.uniform1f(at.scale ?? null, look.scale);
    gl.uniform1f(at.unit ?? null, UNIT);
    gl.uniform1i(at.isLargest ?? null, look.method === 'largest' ? 1 : 0);
    gl.uniform1i(at.isShaded ?? null, look.isShaded ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    const rgba = new Uint8Array(4 * width * height);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rgba); // rows from below, which the shader counts from
    this.isFree = false;
    return new Promise((resolve) => {
      // The hand is heard between two bands.
      setTimeout(() => {
        this.isFree = true;
        resolve(rgba);
      });
    });
  }

  close(): void {
    this.isClosed = true;
    this.gl.getExtension('WEBGL_lose_context')?.loseContext();
  }

  private upload(position: number): void {
    const { gl, plan } = this;
    gl.activeTexture(gl.TEXTURE0);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, position, plan.sizes[0], plan.sizes[1], 1, gl.RED, gl.FLOAT, this.plane);
  }
}

function compiled(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, WHOLE_SCREEN], [gl.FRAGMENT_SHADER, RAY]] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) throw new Error('the graphics card was lost');
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) throw new Error(gl.getProgramInfoLog(program) ?? 'the rays cannot be compiled');
  return program;
}
