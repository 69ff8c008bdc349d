// A cube in the corner that lies as the patient does, each face with its letter (PS3.3 C.7.6.1.1.1).
import { dot, type FrameHeader, type Vector } from '../dicom/frame';
import { lettersOf } from '../geometry/letters';
import { drawShape, drawText } from '../layout/strokes';
import { into, type Orbit } from './orbit';

const AXES: readonly Vector[] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
const HALF = 20; // pixels
const MARGIN = 44;
const FACING = 0.08; // faces that are seen nearly from their side have no room for a letter

export function drawCube(svg: SVGElement, orbit: Orbit, header: FrameHeader, height: number): void {
  const middle = { x: MARGIN, y: height - MARGIN };
  const eye = into(orbit);
  const seen = (at: Vector) => ({ x: middle.x + HALF * dot(at, orbit.right), y: middle.y + HALF * dot(at, orbit.down) });
  AXES.forEach((axis, number) => {
    for (const sign of [1, -1]) {
      const face = times(axis, sign);
      const facing = -dot(face, eye);
      if (facing < FACING) continue;
      const [u, v] = [AXES[(number + 1) % 3] as Vector, AXES[(number + 2) % 3] as Vector];
      const corners = [[1, 1], [1, -1], [-1, -1], [-1, 1]].map(([a = 0, b = 0]) => seen(plus(face, plus(times(u, a), times(v, b)))));
      drawShape(svg, 'polygon', { points: corners.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ') }, 'cube');
      const { x, y } = seen(face);
      if (facing > 0.35) drawText(svg, { x, y: y + 5 }, [lettersOf(face, header)], 'cube');
    }
  });
}

function times([x, y, z]: Vector, by: number): Vector {
  return [x * by, y * by, z * by];
}

function plus(a: Vector, b: Vector): Vector {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}
