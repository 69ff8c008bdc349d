// Whose studies are open: the name first. Studies of several patients beside each other are warned about.

import type { JSX } from "preact";
import { date, text, type Item } from "../api/json.js";
import { rowOf } from "../list/row.js";
import type { Texts } from "../texts/index.js";

export function PatientBar({ texts, studies }: { texts: Texts; studies: readonly Item[] }): JSX.Element {
  const [study] = studies;
  if (!study) return <div class="patient" />;
  const row = rowOf(study);
  const patients = new Set(studies.map((one) => [text(one, "00100020"), text(one, "00100021"), text(one, "00100010")].join("\n")));
  const about = [row.id, row.birthDate, row.sex, row.species, row.breed, row.owner].filter(Boolean);
  const what = [date(study, "00080020"), row.description, row.accession].filter(Boolean);
  return (
    <div class="patient">
      <p class="name"><bdi class="strong">{row.name || texts.say("list.no_name")}</bdi> {about.map((one, index) => <bdi key={index} class="faint">{one}</bdi>)}</p>
      <p class="faint">{what.map((one, index) => <bdi key={index}>{one}</bdi>)}</p>
      {patients.size > 1 && <p class="alarm" role="alert">{texts.say("study.several_patients", { count: patients.size })}</p>}
    </div>
  );
}
