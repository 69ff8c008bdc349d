// Which parts of the row of tools stand in it: two rows at most, the least needed leave first.
import { expect, it } from 'vitest';
import { standing, type Part } from '../../src/view/tools/overflow';

// As in the viewer: tools, undo and store, marks, image, series, presets, layout, views.
const PARTS: readonly Part[] = [[326, 0], [210, 7], [440, 6], [352, 2], [332, 3], [150, 4], [74, 5], [220, 1]].map(([width = 0, leaves = 0]) => ({ width, leaves }));
const [GAP, MORE] = [12, 90];
const ROOMS = [200, 340, 374, 580, 760, 900, 1092, 1250, 1500, 2200];

function rows(widths: readonly number[], room: number): number {
  let [count, at] = [1, 0];
  for (const width of widths) {
    if (at > 0 && at + GAP + width > room) [count, at] = [count + 1, 0];
    at += (at > 0 ? GAP : 0) + width;
  }
  return count;
}

it.each(ROOMS)('there are two rows at most where %i pixels can hold them, and nobody left who had room', (room) => {
  const isIn = standing(PARTS, room, GAP, MORE);
  const inside = PARTS.filter((_, at) => isIn[at]);
  const hasMore = isIn.includes(false);
  if (room >= 326) expect(rows([...inside.map(({ width }) => width), ...(hasMore ? [MORE] : [])], room)).toBeLessThanOrEqual(2);
  expect(isIn[0]).toBe(true); // what the left button does never leaves
  const gone = PARTS.filter((_, at) => !isIn[at]).map(({ leaves }) => leaves).sort((a, b) => a - b);
  expect(gone).toEqual(gone.map((_, at) => at + 1)); // in their order
  const [last] = gone.slice(-1);
  if (last === undefined) return;
  const again = PARTS.filter(({ leaves }) => leaves === 0 || leaves >= last); // the last one that left, back in the row
  expect(rows([...again.map(({ width }) => width), ...(gone.length > 1 ? [MORE] : [])], room)).toBeGreaterThan(2);
});

it('all stand where there is room, and what is hidden takes none', () => {
  expect(standing(PARTS, 2200, GAP, MORE)).toEqual(PARTS.map(() => true));
  const hidden = PARTS.map((part) => (part.leaves === 4 ? { ...part, width: 0 } : part));
  expect(standing(hidden, 1250, GAP, MORE)).toEqual(PARTS.map(() => true));
});
