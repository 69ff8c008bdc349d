// What an instance is to a reader, by its SOP class (PS3.4 B.5) and transfer syntax.

import { text, type Item } from "../api/json.js";

export type Kind = "image" | "report" | "waveform" | "pdf" | "file" | "video" | "other";

const STORAGE = "1.2.840.10008.5.1.4.1.1.";
const PDF = `${STORAGE}104.1`;
const VIDEO_SYNTAX = /^1\.2\.840\.10008\.1\.2\.4\.10[0-8](\.1)?$/;
/** Presentation states, key objects as pictures of nothing, plans, registrations, raw data: nothing to look at by themselves. */
const OTHER = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(11\.|66(\.[1-3])?$|481\.|78\.|67$|68\.)/;

export function kindOf(instance: Item): Kind {
  const sop = text(instance, "00080016");
  if (VIDEO_SYNTAX.test(text(instance, "00083002"))) return "video";
  if (sop === PDF) return "pdf";
  if (sop.startsWith(`${STORAGE}104.`)) return "file";
  if (sop.startsWith(`${STORAGE}88.`)) return "report";
  if (sop.startsWith(`${STORAGE}9.`)) return "waveform";
  return OTHER.test(sop) ? "other" : "image";
}

/** Modalities whose series hold no images (PS3.3 C.7.3.1.1.1): they open as documents. */
const DOCUMENTS = new Set(["SR", "KO", "DOC", "ECG", "HD", "EPS", "EEG", "EMG", "RESP", "AU", "PR", "RTPLAN", "RTSTRUCT", "RTRECORD", "REG", "FID", "RWV", "PLAN", "M3D"]);
/** Those whose series are never videos or documents: nobody asks what they are. */
const STACKS = new Set(["CT", "MR", "PT", "NM", "CR", "DX", "MG", "SEG"]);

/** Of a study without images these are opened first: somebody wrote or recorded them to be read. */
const READ_FIRST = new Set(["DOC", "SR", "ECG", "HD"]);

export const isReadFirst = (modality: string): boolean => READ_FIRST.has(modality);
export const isDocumentModality = (modality: string): boolean => DOCUMENTS.has(modality);
export const isStackModality = (modality: string): boolean => STACKS.has(modality);
