// Zip files on their way to the server: each member is unpacked when its turn comes, and nothing of them is kept.

import { BlobReader, ZipReader, type Entry as Member, type FileEntry } from "@zip.js/zip.js/lib/zip-core-custom.js";
import type { Entry } from "./files.js";

/** Of a zip file, so many members are looked at; `voxcast import` takes more. */
export const MEMBERS_MAX = 200_000;
/** What a zip file may unpack to: as much as `voxcast import` allows (limits.archive_expansion_max). */
export const FREE_BYTES = 64 << 20;
export const EXPANSION_MAX = 200;
// In this thread: members are unpacked by the browser's own streams, and the page's policy lets no foreign worker run.
const OPTIONS = { useWebWorkers: false, useCompressionStream: true, checkCrc32: true, checkOverlappingEntry: true } as const;

class Refusal extends Error {
  constructor(readonly said: "import.zip.expands" | "import.zip.damaged") {
    super(said);
  }
}

/** The members of a zip file one after the other, each with the zip file's path before its own; and what cannot be had of them. */
export async function* membersOf(zip: File, path: string): AsyncGenerator<Entry> {
  const reader = new ZipReader(new BlobReader(zip), { ...OPTIONS, filenameValidation: "tolerant" }); // names never become paths here
  let allowed = FREE_BYTES + EXPANSION_MAX * zip.size;
  let count = 0;
  try {
    for await (const member of reader.getEntriesGenerator()) {
      count += 1;
      if (count > MEMBERS_MAX) {
        yield { path, said: "import.zip.many" };
        return;
      }
      if (member.directory) continue;
      const within = `${path}/${member.filename}`;
      const name = nameOf(member);
      if (member.encrypted) yield { path: within, said: "import.zip.encrypted" };
      else if (/\.zip$/i.test(name)) yield { path: within, said: "import.zip.within" };
      else {
        try {
          const file = await unpacked(member, name, allowed);
          allowed -= file.size;
          yield { path: within, file };
        } catch (error) {
          const said = error instanceof Refusal ? error.said : "import.zip.damaged";
          yield { path: said === "import.zip.expands" ? path : within, said };
          if (said === "import.zip.expands") return; // whoever made it means no good
        }
      }
    }
  } catch {
    yield { path, said: "import.zip.damaged" }; // its directory: what was unpacked until here is on its way
  } finally {
    await reader.close();
  }
}

/** Whether a file is to be unpacked: by its name, and by what it begins with. */
export async function isZip(file: File): Promise<boolean> {
  if (!/\.zip$/i.test(file.name)) return false;
  const [p, k, third, fourth] = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return p === 0x50 && k === 0x4b && ((third === 3 && fourth === 4) || (third === 5 && fourth === 6));
}

/** The browser keeps a large one on its disk. What the directory says of its size is not believed: bytes are counted as they come. */
async function unpacked(member: FileEntry, name: string, allowed: number): Promise<File> {
  let bytes = 0;
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes > allowed) throw new Refusal("import.zip.expands");
      if (bytes > member.uncompressedSize) throw new Refusal("import.zip.damaged");
      controller.enqueue(chunk);
    },
  });
  const [blob, written] = await Promise.allSettled([new Response(readable).blob(), member.getData(writable, OPTIONS)]);
  if (bytes > allowed) throw new Refusal("import.zip.expands");
  if (blob.status === "rejected" || written.status === "rejected" || bytes !== member.uncompressedSize) throw new Refusal("import.zip.damaged");
  return new File([blob.value], name);
}

const nameOf = (member: Member): string => member.filename.split(/[/\\]/).at(-1) ?? "";
