// The range of a frame's modality values, for images whose header has no window: dragging has to begin somewhere.

import { first, request, values } from "./dicomweb.js";

const ACCEPT = 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1';

/** The window that shows all values of a frame, as the server shows it; null where it cannot be known. */
export async function rangeWindow(instance, frame, signal) {
  const response = await request(`${frame.path}/frames/${frame.number}`, ACCEPT, signal);
  const stored = valuesOf(instance, body(new Uint8Array(await response.arrayBuffer())));
  if (!stored) return null;
  const low = Number(first(instance, "00280120") ?? NaN);
  const limit = Number(first(instance, "00280121") ?? low);
  let smallest = Infinity, largest = -Infinity;
  for (const value of stored) {
    if (!Number.isFinite(value) || (value >= Math.min(low, limit) && value <= Math.max(low, limit))) continue; // padding
    if (value < smallest) smallest = value;
    if (value > largest) largest = value;
  }
  if (smallest > largest) return null;
  const { slope, intercept } = rescale(instance, frame);
  const ends = [smallest * slope + intercept, largest * slope + intercept];
  return { center: (ends[0] + ends[1]) / 2, width: Math.abs(ends[1] - ends[0]) || 1, shape: "linear-exact" };
}

/** The first part of a multipart body; a body without parts is the frame itself. */
function body(bytes) {
  const text = (from, to) => new TextDecoder("latin1").decode(bytes.subarray(from, to));
  if (text(0, 2) !== "--") return bytes;
  const head = text(0, 2048);
  const boundary = head.slice(0, head.indexOf("\r\n"));
  const start = head.indexOf("\r\n\r\n") + 4;
  return bytes.subarray(start, bytes.length - boundary.length - 6); // CRLF before it, "--" CRLF behind it
}

function valuesOf(instance, bytes) {
  const bits = first(instance, "00280100");
  const isSigned = first(instance, "00280103") === 1;
  const kind = "7FE00008" in instance ? Float32Array
    : "7FE00009" in instance ? Float64Array
    : { 8: isSigned ? Int8Array : Uint8Array, 16: isSigned ? Int16Array : Uint16Array, 32: isSigned ? Int32Array : Uint32Array }[bits];
  if (!kind) return null;
  const whole = bytes.slice(0, bytes.length - (bytes.length % kind.BYTES_PER_ELEMENT)); // a copy, so that it is aligned
  return new kind(whole.buffer);
}

function rescale(instance, frame) {
  const groups = [values(instance, "52009230")[frame.number - 1], values(instance, "52009229")[0]];
  const item = groups.map((group) => first(group, "00289145")).find(Boolean) ?? instance;
  return { slope: Number(first(item, "00281053") ?? 1), intercept: Number(first(item, "00281052") ?? 0) };
}
