// From a series' metadata to its frames in order, each with everything that is said about it: nothing else labels an image.

import { address, date, first, numbers, personName, text, values } from "./dicomweb.js";

const PIXELS = ["7FE00010", "7FE00008", "7FE00009"];

/**
 * The frames of one series, in the order of its metadata (slice order); a multi-frame instance gives one for each frame.
 * Throws when an instance names another study or series than the one asked for: its labels must never be another's.
 */
export function framesOf(metadata, study, series) {
  const frames = [];
  for (const instance of metadata) {
    // What came without a UID is indexed under one that the server made, and has none here.
    if ((first(instance, "0020000D") ?? study) !== study || (first(instance, "0020000E") ?? series) !== series) {
      throw new Error("The server gave images of another series. Nothing is shown; load the page again.");
    }
    if (!PIXELS.some((tag) => tag in instance)) continue;
    const base = instanceFacts(instance, study, series);
    const shared = values(instance, "52009229")[0];
    const perFrame = values(instance, "52009230");
    const count = Math.max(1, Math.trunc(Number(first(instance, "00280008"))) || 1);
    for (let i = 0; i < count; i += 1) {
      frames.push({ ...base, number: i + 1, count, ...frameFacts([perFrame[i], shared, instance]) });
    }
  }
  return frames;
}

function instanceFacts(instance, study, series) {
  const photometric = text(instance, "00280004").trim();
  return {
    path: address(study, series, text(instance, "00080018")),
    patient: personName(instance, "00100010"),
    patientId: text(instance, "00100020"),
    birthDate: date(instance, "00100030"),
    sex: text(instance, "00100040"),
    study: [date(instance, "00080020"), text(instance, "00081030")].filter(Boolean).join("  "),
    series: [text(instance, "00200011"), text(instance, "0008103E")].filter(Boolean).join("  "),
    modality: text(instance, "00080060"),
    instanceNumber: text(instance, "00200013"),
    rows: first(instance, "00280010") ?? 0,
    columns: first(instance, "00280011") ?? 0,
    isGray: photometric.startsWith("MONOCHROME"),
    isQuadruped: text(instance, "00102210") === "QUADRUPED",
    quality: text(instance, "00280300") === "YES" ? "phantom or quality control image" : "",
  };
}

/** Facts that functional groups may state for one frame (PS3.3 C.7.6.16); `items` from the most particular on. */
function frameFacts(items) {
  const [perFrame, shared, instance] = items;
  const macro = (sequence, tag) => {
    for (const group of [perFrame, shared]) {
      const item = first(group, sequence);
      if (item && values(item, tag).length) return item;
    }
    return instance;
  };
  const voi = macro("00289132", "00281050");
  const widths = numbers(voi, "00281051");
  const names = values(voi, "00281055");
  const windows = numbers(voi, "00281050")
    .map((center, i) => ({ center, width: widths[i], name: names[i] ?? "", shape: shapeOf(voi) }))
    .filter(({ center, width }) => Number.isFinite(center) && width > 0);
  const ratio = numbers(instance, "00280034");
  const spacing = [macro("00289110", "00280030"), instance].map((item) => numbers(item, "00280030"));
  const pair = [...spacing, numbers(instance, "00181164"), ratio].find((p) => p.length === 2 && p.every((v) => v > 0));
  return {
    windows,
    aspect: pair ? pair[0] / pair[1] : 1, // height of a pixel to its width
    orientation: numbers(macro("00209116", "00200037"), "00200037"),
    position: numbers(macro("00209113", "00200032"), "00200032"),
  };
}

function shapeOf(voi) {
  const shape = text(voi, "00281056").trim();
  return { SIGMOID: "sigmoid", LINEAR_EXACT: "linear-exact" }[shape] ?? "linear";
}

/** Letters at the image's edges: top, right, bottom, left (PS3.3 C.7.6.1.1.1); empty where they are not known. */
export function edges(frame) {
  const o = frame.orientation;
  if (o.length !== 6 || frame.isQuadruped || !o.every(Number.isFinite)) return ["", "", "", ""];
  const right = letters(o.slice(0, 3));
  const bottom = letters(o.slice(3));
  const opposite = (s) => [...s].map((c) => ({ L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" })[c]).join("");
  return [opposite(bottom), right, bottom, opposite(right)];
}

function letters(direction) {
  return direction
    .map((value, axis) => ({ size: Math.abs(value), letter: (value > 0 ? "LPH" : "RAF")[axis] }))
    .filter(({ size }) => size > 0.25)
    .sort((a, b) => b.size - a.size)
    .map(({ letter }) => letter)
    .join("");
}
