// How fast the hand goes through a series, in positions a second, from where it was in the last moments.

const MEMORY_MS = 160;
const REST_MS = 120; // without a move for so long it rests,
const REST_LEAST_MS = 50; // or for this long,
const REST_MOVES = 3; // when it has moved several times in as long: a wheel that turns evenly is seen to stop at once

export class Hand {
  private moves: { at: number; position: number }[] = [];
  private way: -1 | 1 = 1;

  moved(position: number, at: number): void {
    const last = this.moves.at(-1);
    if (last !== undefined && position !== last.position) this.way = position > last.position ? 1 : -1;
    if (last !== undefined && at - last.at > MEMORY_MS) this.moves = [];
    this.moves.push({ at, position });
    while (this.moves.length > 2 && at - (this.moves[0]?.at ?? at) > MEMORY_MS) this.moves.shift();
  }

  /** A jump: what was before says nothing of where it goes. */
  jumped(): void {
    this.moves = [];
  }

  /** Without a move for so long it rests. */
  get restMs(): number {
    const [first, last] = [this.moves[0], this.moves.at(-1)];
    if (first === undefined || last === undefined || this.moves.length <= REST_MOVES) return REST_MS;
    const usual = (last.at - first.at) / (this.moves.length - 1);
    return Math.min(Math.max(usual * REST_MOVES, REST_LEAST_MS), REST_MS);
  }

  velocity(now: number): number {
    const [first, last] = [this.moves[0], this.moves.at(-1)];
    if (first === undefined || last === undefined || first === last || now - last.at > this.restMs) return 0;
    // The time since the last move counts too: a hand that slows down is believed at once.
    const ms = Math.max(last.at, now - this.restMs / 4) - first.at;
    return ms > 0 ? ((last.position - first.position) * 1000) / ms : 0;
  }

  get direction(): -1 | 1 {
    return this.way;
  }
}
