// Plays a series: position after position by the clock of the screen, never faster than images are there.
import { numberOf } from '../dicom/attributes';
import type { Viewport } from './viewport';

const RATE = 24;

export class Cine {
  private handle = 0;
  private begun = 0;
  private from = 0;
  private chosen: number | undefined;

  constructor(private readonly viewport: Viewport) {}

  get isPlaying(): boolean {
    return this.handle !== 0;
  }

  /** Images a second: as chosen, as the header says (PS3.3 C.7.6.5), or as films are. */
  get rate(): number {
    const ds = this.viewport.header?.dataSet;
    const ms = numberOf(ds, '00181063');
    return this.chosen ?? numberOf(ds, '00082144') ?? numberOf(ds, '00180040') ?? (ms !== undefined && ms > 0 ? 1000 / ms : RATE);
  }

  faster(factor: number): void {
    this.chosen = Math.min(Math.max(this.rate * factor, 1), 60);
    this.anew();
  }

  toggle(): void {
    if (this.isPlaying) this.stop();
    else if (this.viewport.count > 1) {
      this.anew();
      this.handle = requestAnimationFrame(this.tick);
    }
  }

  stop(): void {
    cancelAnimationFrame(this.handle);
    this.handle = 0;
  }

  private anew(): void {
    this.begun = performance.now();
    this.from = this.viewport.position;
  }

  private readonly tick = (now: number): void => {
    const { viewport } = this;
    if (viewport.stack === undefined) {
      this.handle = 0;
      return;
    }
    this.handle = requestAnimationFrame(this.tick);
    const to = (this.from + Math.floor((Math.max(now - this.begun, 0) * this.rate) / 1000)) % viewport.count;
    if (to !== viewport.position) viewport.go(to);
  };
}
