// What a reader chose, kept in this browser only: nothing about patients, nothing that the server needs.

type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };
type Listener = () => void;

const PREFIX = "voxcast.";

/** Values by name; a browser that keeps nothing (private windows, a full disk) gives the defaults. */
export class Settings {
  private readonly memory = new Map<string, Value>();
  private readonly listeners = new Map<string, Set<Listener>>();

  constructor(private readonly store: Storage | null) {}

  /** The value kept under `name`, or `otherwise` when there is none of the same kind. */
  get<T extends Value>(name: string, otherwise: T): T {
    const kept = this.memory.has(name) ? this.memory.get(name) : this.read(name);
    const isSameKind = kept !== undefined && kept !== null && typeof kept === typeof otherwise && Array.isArray(kept) === Array.isArray(otherwise);
    return isSameKind ? (kept as T) : otherwise;
  }

  set(name: string, value: Value): void {
    this.memory.set(name, value);
    try {
      this.store?.setItem(PREFIX + name, JSON.stringify(value));
    } catch {
      // The quota is used up: the choice holds until the page is closed.
    }
    for (const listener of this.listeners.get(name) ?? []) listener();
  }

  /** Call `listener` after each change of `name` in this page; gives the way to end that. */
  watch(name: string, listener: Listener): () => void {
    const of = this.listeners.get(name) ?? new Set<Listener>();
    this.listeners.set(name, of.add(listener));
    return () => of.delete(listener);
  }

  private read(name: string): Value | undefined {
    try {
      const text = this.store?.getItem(PREFIX + name);
      return text === null || text === undefined ? undefined : (JSON.parse(text) as Value);
    } catch {
      return undefined; // written by another version, or by hand
    }
  }
}

/** The settings of this browser. */
export function localSettings(): Settings {
  try {
    return new Settings(window.localStorage);
  } catch {
    return new Settings(null); // the browser is told to keep nothing
  }
}
