// Which painter draws: the graphics card where there is a real one, else the processor, which is quicker than a card that it plays.
import { CpuPainter } from './cpu';
import { GpuPainter } from './gpu';
import type { Painter } from './painter';

export type Drawing = 'auto' | 'gpu' | 'cpu';

export function drawingOf(text: string): Drawing {
  return text === 'gpu' || text === 'cpu' ? text : 'auto';
}

export function isByCard(drawing: Drawing): boolean {
  return drawing === 'gpu' || (drawing === 'auto' && (isThere ??= hasCard()));
}

/** Asked once for the page: the answer takes tens of milliseconds where the processor plays the card. */
let isThere: boolean | undefined;

/** @param restored called when a lost card is there again: draw all once more */
export function painterFor(canvas: HTMLCanvasElement, drawing: Drawing, restored: () => void): Painter {
  if (isByCard(drawing)) return new GpuPainter(canvas, restored);
  return new CpuPainter(canvas);
}

const PLAYED = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** Asked on a canvas of its own: one that has had a context of one kind gives no other. */
function hasCard(): boolean {
  const gl = document.createElement('canvas').getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (gl === null) return false;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const name = String(gl.getParameter(info === null ? gl.RENDERER : info.UNMASKED_RENDERER_WEBGL));
  const cells = Number(gl.getParameter(gl.MAX_TEXTURE_SIZE));
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return !PLAYED.test(name) && cells >= 8192;
}
