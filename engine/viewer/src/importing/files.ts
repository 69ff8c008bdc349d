// The files of a drop, a folder or a file dialogue, found one after the other: a folder of a hundred thousand is never listed whole.

import type { Key } from "../texts/index.js";

export interface Found {
  readonly file: File;
  /** Where it lay, for whoever is told that it failed. */
  readonly path: string;
}

/** A file that could not be had, and why. */
export interface Unread {
  readonly path: string;
  readonly said: Key;
}

export type Entry = Found | Unread;

/** The same files, and those in zip files in place of these. What unpacks is fetched when the first zip file is met. */
export async function* withZips(files: Iterator<Found> | AsyncIterator<Found>): AsyncGenerator<Entry> {
  for (;;) {
    const { done, value } = await files.next();
    if (done) return;
    if (!/\.zip$/i.test(value.file.name)) {
      yield value;
      continue;
    }
    const { isZip, membersOf } = await import("./unzip.js");
    if (await isZip(value.file)) yield* membersOf(value.file, value.path);
    else yield value;
  }
}

/** Those that a file dialogue gave; copied at once, for its list empties with its field. */
export function chosen(list: FileList): Iterator<Found> {
  return [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name })).values();
}

/** The entries of a drop; they have to be taken while its event lasts. */
export function entriesOf(data: DataTransfer): FileSystemEntry[] {
  return [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
}

/** All files below entries. */
export async function* below(entries: readonly FileSystemEntry[]): AsyncGenerator<Found> {
  for (const entry of entries) {
    if (entry.isFile) {
      yield { file: await fileOf(entry as FileSystemFileEntry), path: entry.fullPath.replace(/^\//, "") };
    } else if (entry.isDirectory) {
      const reader = (entry as FileSystemDirectoryEntry).createReader();
      for (;;) {
        const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
        if (!some.length) break; // a reader gives a hundred at a time, and none at the end
        yield* below(some);
      }
    }
  }
}

const fileOf = (entry: FileSystemFileEntry): Promise<File> => new Promise((resolve, reject) => entry.file(resolve, reject));
