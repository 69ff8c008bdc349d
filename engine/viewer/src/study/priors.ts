// Other studies of the same patient: by patient ID and its issuer, for another hospital's patient may have the same number.

import type { Api } from "../api/dicomweb.js";
import { text, type Item } from "../api/json.js";
import { rowOf, type StudyRow } from "../list/row.js";

const PRIORS_MAX = 50;

/** The newest first; none where the study does not say whose it is. */
export async function priorsOf(api: Api, study: Item, signal: AbortSignal): Promise<StudyRow[]> {
  const [id, issuer, own] = ["00100020", "00100021", "0020000D"].map((tag) => text(study, tag));
  if (!id) return [];
  const asked = new URLSearchParams({ PatientID: literal(id), includefield: "IssuerOfPatientID,StudyDescription,ModalitiesInStudy", limit: String(PRIORS_MAX) });
  const found = await api.rows(`/dicom-web/studies?${asked}`, signal);
  // Wildcards and a list of values could have brought others: whoever is shown here is compared once more.
  return found.filter((one) => text(one, "00100020") === id && text(one, "00100021") === issuer && text(one, "0020000D") !== own).map(rowOf);
}

const literal = (value: string): string => value.replace(/[*\\]/g, "?");
