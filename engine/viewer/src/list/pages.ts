// The rows of one search, fetched page by page as they come into view, however many there are.

import { isAbort, rowsOf, type Api } from "../api/dicomweb.js";
import { searchOf, type ListQuery } from "./query.js";
import { rowOf, type StudyRow } from "./row.js";

export const PAGE_ROWS = 60;
const PAGES_KEPT = 40;
const UNDER_WAY_MAX = 2;

export interface Count {
  readonly rows: number;
  /** Whether there may be more: the server does not count everything, and says so. */
  readonly isLeast: boolean;
}

/** One search. `changed` is called after each page, and after a failure; whoever makes a new search disposes of the last. */
export class Pages {
  count: Count | null = null;
  failure: unknown = null;
  private readonly pages = new Map<number, readonly StudyRow[]>();
  private readonly underWay = new Map<number, AbortController>();
  private wanted: readonly number[] = [];
  private isOver = false;

  constructor(
    private readonly api: Api,
    readonly query: ListQuery,
    private readonly changed: () => void,
    private readonly now = new Date(),
  ) {}

  /** The row at an index, if it is there. */
  row(index: number): StudyRow | undefined {
    return this.pages.get(Math.floor(index / PAGE_ROWS))?.[index % PAGE_ROWS];
  }

  /** Fetch what is in view: rows from `first` up to, but without, `last`. Pages that went out of view are given up. */
  want(first: number, last: number): void {
    const end = this.count ? Math.min(last, this.count.rows + (this.count.isLeast ? 1 : 0)) : last;
    const pages: number[] = [];
    for (let page = Math.max(0, Math.floor(first / PAGE_ROWS)); page * PAGE_ROWS < Math.max(end, 1); page += 1) pages.push(page);
    this.wanted = pages;
    for (const [page, controller] of this.underWay) {
      if (!pages.includes(page)) {
        controller.abort();
        this.underWay.delete(page);
      }
    }
    this.pump();
  }

  /** Try again what failed. */
  retry(): void {
    this.failure = null;
    this.pump();
  }

  dispose(): void {
    this.isOver = true;
    for (const controller of this.underWay.values()) controller.abort();
    this.underWay.clear();
  }

  private pump(): void {
    if (this.isOver || this.failure !== null) return;
    for (const page of this.wanted) {
      if (this.underWay.size >= UNDER_WAY_MAX) return;
      if (!this.pages.has(page) && !this.underWay.has(page)) void this.load(page);
    }
  }

  private async load(page: number): Promise<void> {
    const controller = new AbortController();
    this.underWay.set(page, controller);
    try {
      const offset = page * PAGE_ROWS;
      const path = searchOf(this.query, offset, PAGE_ROWS, this.now);
      const response = await this.api.request(path, "application/dicom+json", controller.signal);
      const rows = (await rowsOf(response)).map(rowOf);
      if (controller.signal.aborted) return;
      this.keep(page, rows);
      this.count = this.counted(response.headers.get("X-Total-Count"), offset, rows.length);
    } catch (error) {
      if (isAbort(error) || controller.signal.aborted) return;
      this.failure = error;
    } finally {
      if (this.underWay.get(page) === controller) this.underWay.delete(page);
    }
    if (this.isOver) return;
    this.changed();
    this.pump();
  }

  private counted(total: string | null, offset: number, length: number): Count {
    if (total !== null) return { rows: Number(total), isLeast: false };
    const seen = offset + length;
    if (length < PAGE_ROWS && (length > 0 || offset === 0)) return { rows: seen, isLeast: false };
    if (length === 0) return { rows: Math.min(offset, this.count?.rows ?? offset), isLeast: false };
    return { rows: Math.max(seen, this.count?.rows ?? 0), isLeast: this.count?.isLeast ?? true };
  }

  private keep(page: number, rows: readonly StudyRow[]): void {
    this.pages.set(page, rows);
    for (const old of this.pages.keys()) {
      if (this.pages.size <= PAGES_KEPT) break;
      if (!this.wanted.includes(old)) this.pages.delete(old);
    }
  }
}
