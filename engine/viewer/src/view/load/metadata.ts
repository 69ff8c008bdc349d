// The headers of a series' frames, and the binary values that stand beside them.
import { inlineBytes, textOf, type DataSet } from '../dicom/attributes';
import { frameHeader, type FrameHeader } from '../dicom/frame';
import { request, seriesPath } from './http';

export class SeriesMetadata {
  private readonly headers = new Map<string, FrameHeader>();

  private constructor(
    readonly study: string,
    readonly series: string,
    private readonly instances: ReadonlyMap<string, DataSet>,
  ) {}

  static async fetch(study: string, series: string, signal?: AbortSignal): Promise<SeriesMetadata> {
    const answer = await request(`${seriesPath(study, series)}/metadata`, 'application/dicom+json', signal);
    const rows = answer.status === 204 ? [] : ((await answer.json()) as DataSet[]);
    for (const ds of rows) {
      // What came without a UID is indexed under one that the server made, and has none here.
      const isOurs = [textOf(ds, '0020000D') || study, textOf(ds, '0020000E') || series].join() === [study, series].join();
      if (!isOurs) throw new Error('the server gave images of another series'); // labels must never be another's
    }
    return new SeriesMetadata(study, series, new Map(rows.map((ds) => [textOf(ds, '00080018'), ds])));
  }

  /** Any instance: what is of the patient, study and series stands in each. */
  get any(): DataSet | undefined {
    return this.instances.values().next().value;
  }

  /** Whether the headers of an instance are here. */
  has(sopInstanceUid: string): boolean {
    return this.instances.has(sopInstanceUid);
  }

  /** The header of a frame (1-based); undefined when there is no such instance. */
  frame(sopInstanceUid: string, frameNumber: number): FrameHeader | undefined {
    const key = `${sopInstanceUid} ${frameNumber}`;
    let found = this.headers.get(key);
    const ds = this.instances.get(sopInstanceUid);
    if (found === undefined && ds !== undefined) {
      found = frameHeader(ds, frameNumber);
      this.headers.set(key, found);
    }
    return found;
  }
}

/** The bytes of a binary attribute, from the metadata or by its address. */
export async function binaryOf(ds: DataSet, tag: string): Promise<Uint8Array<ArrayBuffer>> {
  const attribute = ds[tag];
  const inline = inlineBytes(attribute);
  if (inline !== undefined) return inline;
  const address = attribute?.BulkDataURI;
  if (typeof address !== 'string') throw new Error(`${tag} is missing`);
  // Only from where the page itself is: an address in a header is not to be trusted with anything else.
  const url = new URL(address, location.href);
  if (url.origin !== location.origin) throw new Error(`${tag} is kept elsewhere`);
  const answer = await request(url.pathname + url.search, 'application/octet-stream');
  return new Uint8Array(await answer.arrayBuffer());
}
