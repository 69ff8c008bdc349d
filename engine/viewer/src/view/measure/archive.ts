// Reports in the archive: those of a study are fetched, a new one is stored (STOW-RS, PS3.18 10.5).
import { textOf, type DataSet } from '../dicom/attributes';
import { request, seriesPath } from '../load/http';
import type { Mark } from './marks';
import { isMeasurements, marksIn } from './report';

const REPORTS_MAX = 50; // the newest; a study with more of them is not read by hand

/** The marks of all measurement reports of a study. */
export async function storedMarks(study: string, signal: AbortSignal): Promise<Mark[]> {
  const path = `/dicom-web/studies/${encodeURIComponent(study)}/series?Modality=SR&limit=${REPORTS_MAX}`;
  const marks: Mark[] = [];
  for (const row of await rowsOf(path, signal)) {
    const reports = await rowsOf(`${seriesPath(study, textOf(row, '0020000E'))}/metadata`, signal);
    for (const report of reports) if (isMeasurements(report)) marks.push(...marksIn(report, study));
  }
  return marks;
}

/** Throws where it is not safely in the archive. */
export async function storeReport(report: object, study: string): Promise<void> {
  const answer = await fetch(`/dicom-web/studies/${encodeURIComponent(study)}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/dicom+json', Accept: 'application/dicom+json' },
    body: JSON.stringify([report]),
    credentials: 'same-origin',
  });
  if (answer.ok) return;
  const said = (await answer.json().catch(() => ({}))) as { detail?: unknown };
  throw new Error(typeof said.detail === 'string' ? said.detail : `HTTP ${answer.status}`);
}

async function rowsOf(path: string, signal: AbortSignal): Promise<DataSet[]> {
  const answer = await request(path, 'application/dicom+json', signal);
  return answer.status === 204 ? [] : ((await answer.json()) as DataSet[]);
}
