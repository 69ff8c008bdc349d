// Waveforms (PS3.3 C.10.9): multiplex groups of channels, their samples in the units that the header states.

import { first, items, numbers, text, type Item } from "../api/json.js";
import { meaning } from "./report.js";

export interface Channel {
  readonly label: string;
  /** UCUM code of the values' unit; empty where there is none. */
  readonly unit: string;
  /** In that unit; NaN where the header says that there is no sample. */
  readonly values: Float32Array;
}

export interface Group {
  readonly label: string;
  /** Samples in a second. */
  readonly frequency: number;
  readonly samples: number;
  readonly channels: readonly Channel[];
}

/** What a group says of itself: its samples are fetched by `address`, or stand in the header. */
export interface GroupHeader {
  readonly item: Item;
  readonly address: string;
  readonly inline: string;
}

const CHANNELS_MAX = 512;

interface Reader {
  readonly bytes: number;
  read(view: DataView, at: number): number;
}

/** By Waveform Sample Interpretation (PS3.3 C.10.9.1.5). The server gives values little endian, however they are stored. */
const READERS: Readonly<Record<string, Reader>> = {
  SB: { bytes: 1, read: (view, at) => view.getInt8(at) },
  UB: { bytes: 1, read: (view, at) => view.getUint8(at) },
  MB: { bytes: 1, read: (view, at) => muLaw(view.getUint8(at)) },
  AB: { bytes: 1, read: (view, at) => aLaw(view.getUint8(at)) },
  SS: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  US: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  SL: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  UL: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  SV: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  UV: { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) },
};

/** ITU-T G.711, table 2: uniform values from -8031 to 8031. */
export function muLaw(code: number): number {
  const turned = ~code & 0xff;
  const value = ((((turned & 15) << 1) | 33) << ((turned >> 4) & 7)) - 33;
  return turned & 0x80 ? -value : value;
}

/** ITU-T G.711, table 1: uniform values from -4032 to 4032. */
export function aLaw(code: number): number {
  const turned = code ^ 0x55;
  const segment = (turned >> 4) & 7;
  const step = ((turned & 15) << 1) | 1;
  const value = segment === 0 ? step : (step + 32) << (segment - 1);
  return turned & 0x80 ? value : -value;
}

export function groupsOf(instance: Item): GroupHeader[] {
  return items(instance, "54000100").map((item) => ({
    item,
    address: item["54001010"]?.BulkDataURI ?? "",
    inline: item["54001010"]?.InlineBinary ?? "",
  }));
}

/** Throws an Error that says what is wrong when the data is not what the header announces. */
export function decode({ item }: GroupHeader, data: ArrayBuffer): Group {
  const interpretation = text(item, "54001006");
  const reader = READERS[interpretation];
  if (!reader) throw new Error(`Waveform Sample Interpretation ${interpretation || "is missing"}`);
  const bits = first(item, "54001004");
  if (bits !== undefined && bits !== reader.bytes * 8) throw new Error(`${String(bits)} bits are announced for samples of ${interpretation}`);
  const frequency = Number(first(item, "003A001A"));
  const count = Number(first(item, "003A0005"));
  const stated = Number(first(item, "003A0010"));
  const definitions = items(item, "003A0200");
  const isSound = frequency > 0 && Number.isInteger(count) && count > 0 && count <= CHANNELS_MAX && Number.isInteger(stated) && stated > 0;
  if (!isSound || definitions.length !== count) throw new Error("channels, samples or frequency are not stated");
  const whole = Math.floor(data.byteLength / (count * reader.bytes));
  if (whole < stated) throw new Error(`${stated} samples are announced, ${whole} are there`);
  const view = new DataView(data);
  const padding = paddingOf(item, reader);
  const channels = definitions.map((definition, index): Channel => {
    const { factor, offset, unit } = calibration(definition);
    const values = new Float32Array(stated);
    for (let n = 0; n < stated; n += 1) {
      const raw = reader.read(view, (n * count + index) * reader.bytes);
      values[n] = raw === padding ? NaN : raw * factor + offset;
    }
    const label = text(definition, "003A0203") || meaning(items(definition, "003A0208")[0]) || String(index + 1);
    return { label, unit, values };
  });
  return { label: text(item, "003A0020"), frequency, samples: stated, channels };
}

/** Nominal units = (sample × sensitivity × correction) + baseline (PS3.3 C.10.9.1.4.3 to .5). */
function calibration(definition: Item): { factor: number; offset: number; unit: string } {
  const [sensitivity] = numbers(definition, "003A0210");
  if (sensitivity === undefined) return { factor: 1, offset: 0, unit: "" };
  const [correction = 1] = numbers(definition, "003A0212");
  const [baseline = 0] = numbers(definition, "003A0213");
  return { factor: sensitivity * correction, offset: baseline, unit: text(items(definition, "003A0211")[0], "00080100") };
}

/** The sample that stands for none (5400,100A), as the samples are written; null where the header has none. */
function paddingOf(item: Item, reader: Reader): number | null {
  const said = item["5400100A"];
  if (said?.InlineBinary) {
    const bytes = bytesOf(said.InlineBinary);
    return bytes.byteLength >= reader.bytes ? reader.read(new DataView(bytes), 0) : null;
  }
  const value = said?.Value?.[0];
  return typeof value === "number" ? value : null;
}

/** Base64 (PS3.18 F.2.7) as bytes. */
export function bytesOf(base64: string): ArrayBuffer {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}

/** How many millivolts one unit is; null for what is no voltage. */
export function millivolts(unit: string): number | null {
  return { V: 1000, mV: 1, uV: 0.001, nV: 0.000001 }[unit] ?? null;
}
