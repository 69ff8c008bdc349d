// Which series of a study is shown when none is asked for.
import type { SeriesRef } from '../contract';
import { textOf, type DataSet } from './dicom/attributes';
import { request } from './load/http';

const WITHOUT_IMAGES = new Set(['SR', 'PR', 'KO', 'SEG', 'RTSTRUCT', 'RTPLAN', 'DOC', 'ECG', 'HD', 'AU', 'REG', 'FID', 'PLAN']);

/** The first that has images, or the first of all; undefined where the study has none. */
export async function firstSeries(study: string, signal: AbortSignal): Promise<SeriesRef | undefined> {
  const answer = await request(`/dicom-web/studies/${encodeURIComponent(study)}/series?includefield=00201209`, 'application/dicom+json', signal);
  const rows = answer.status === 204 ? [] : ((await answer.json()) as DataSet[]);
  const found = rows.find((row) => !WITHOUT_IMAGES.has(textOf(row, '00080060'))) ?? rows[0];
  return found === undefined ? undefined : { study, series: textOf(found, '0020000E') };
}
