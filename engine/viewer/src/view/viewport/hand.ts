// How fast the hand goes through a series, in positions a second, from where it was in the last moments.

const MEMORY_MS = 160;
export const REST_MS = 120; // without a move for so long it rests

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

  velocity(now: number): number {
    const [first, last] = [this.moves[0], this.moves.at(-1)];
    if (first === undefined || last === undefined || first === last || now - last.at > REST_MS) return 0;
    // The time since the last move counts too: a hand that slows down is believed at once.
    const ms = Math.max(last.at, now - REST_MS / 4) - first.at;
    return ms > 0 ? ((last.position - first.position) * 1000) / ms : 0;
  }

  get direction(): -1 | 1 {
    return this.way;
  }
}
