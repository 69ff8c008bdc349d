// The instances of a series that are no images, in words, curves, pages or moving pictures; always under the patient's name.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { api, isAbort } from "../api/dicomweb.js";
import { date, text, type Item } from "../api/json.js";
import type { SeriesRef } from "../contract.js";
import { explain } from "../shell/explain.js";
import type { Tools } from "../shell/page.js";
import { kindOf } from "./kinds.js";
import { documentTitle, reportOf, type ReportItem } from "./report.js";
import { bytesOf, decode, groupsOf, type Group } from "./waveform.js";
import { GroupView } from "./waveform_view.js";

export function DocumentPanel({ tools, of, close }: { tools: Tools; of: SeriesRef; close: (() => void) | null }): JSX.Element {
  const { texts } = tools;
  const { say } = texts;
  const [instances, setInstances] = useState<readonly Item[] | null>(null);
  const [at, setAt] = useState(0);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    const controller = new AbortController();
    setInstances(null);
    setAt(0);
    setTrouble("");
    api.rows(`${api.address(of.study, of.series)}/metadata`, controller.signal)
      .then((found) => {
        // Its labels must never be another's.
        const isOthers = found.some((one) => [text(one, "0020000D"), of.study].filter(Boolean)[0] !== of.study);
        if (isOthers) setTrouble(say("document.not_asked_for"));
        else setInstances(found);
      })
      .catch((error: unknown) => isAbort(error) || setTrouble(explain(texts, error)));
    return () => controller.abort();
  }, [of.study, of.series]);
  const instance = instances?.[at];
  return (
    <section class="document" aria-label={say("document.title")}>
      {trouble && <p class="alarm" role="alert">{trouble}</p>}
      {!instances && !trouble && <p role="status" class="faint">{say("page.starting")}</p>}
      {instances && (
        <header>
          {instance && <Identification tools={tools} instance={instance} />}
          {instances.length > 1 && (
            <label class="field">{say("document.which")}{" "}
              <select value={at} onChange={(event) => setAt(Number(event.currentTarget.value))}>
                {instances.map((one, index) => <option key={index} value={index}>{`${index + 1}  ${documentTitle(one)}`}</option>)}
              </select>
            </label>
          )}
          {close && <button type="button" onClick={close}>{say("document.close")}</button>}
        </header>
      )}
      {instance && <Content key={text(instance, "00080018")} tools={tools} of={of} instance={instance} />}
    </section>
  );
}

function Identification({ tools, instance }: { tools: Tools; instance: Item }): JSX.Element {
  const who = [text(instance, "00100020"), date(instance, "00100030"), text(instance, "00100040")].filter(Boolean).join(" · ");
  const when = date(instance, "00080023") || date(instance, "00080020");
  return (
    <div class="who">
      <p class="strong"><bdi>{text(instance, "00100010") || tools.texts.say("list.no_name")}</bdi></p>
      <p class="faint"><bdi>{who}</bdi></p>
      <h2><bdi>{documentTitle(instance)}</bdi> <span class="faint"><bdi>{when}</bdi></span></h2>
    </div>
  );
}

function Content({ tools, of, instance }: { tools: Tools; of: SeriesRef; instance: Item }): JSX.Element {
  const { say } = tools.texts;
  const address = api.address(of.study, of.series, text(instance, "00080018"));
  const title = documentTitle(instance) || say("document.title");
  switch (kindOf(instance)) {
    case "report": return <ReportView tools={tools} instance={instance} />;
    case "waveform": return <WaveformView tools={tools} instance={instance} />;
    case "pdf": return <iframe class="page" title={title} src={`${address}/rendered?accept=application/pdf`} />;
    case "video": return <video class="page" controls loop muted playsInline aria-label={title} src={`${address}/rendered`} />;
    default:
      return (
        <p class="nothing">
          {say("document.nothing")} <a href={`${address}?accept=application/zip&dicomdir=false`} download="">{say("document.download")}</a>
        </p>
      );
  }
}

function ReportView({ tools, instance }: { tools: Tools; instance: Item }): JSX.Element {
  const { say } = tools.texts;
  const report = reportOf(instance);
  return (
    <article class="report" tabIndex={0} aria-label={report.title || say("document.title")}>
      {report.states.length > 0 && <p class="states">{report.states.map((one) => <span key={one} class="badge" dir="ltr">{one}</span>)}</p>}
      {report.verifiers.map((one) => <p key={one} class="faint"><bdi>{one}</bdi></p>)}
      <ReportItems items={report.items} level={0} />
      {report.items.length === 0 && <p class="faint">{say("document.empty")}</p>}
      {report.isCut && <p class="alarm">{say("document.cut")}</p>}
    </article>
  );
}

function ReportItems({ items, level }: { items: readonly ReportItem[]; level: number }): JSX.Element | null {
  if (!items.length) return null;
  return (
    <ul class={level ? "" : "outer"}>
      {items.map((item, index) => (
        <li key={index}>
          {item.concept && <span class={item.value ? "faint" : "strong"}><bdi>{item.concept}</bdi>{item.value ? ": " : ""}</span>}
          <span class="value" dir="auto">{item.value}</span>
          <ReportItems items={item.children} level={level + 1} />
        </li>
      ))}
    </ul>
  );
}

function WaveformView({ tools, instance }: { tools: Tools; instance: Item }): JSX.Element {
  const { texts } = tools;
  const [groups, setGroups] = useState<readonly (Group | string)[] | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    const one = async (header: ReturnType<typeof groupsOf>[number]): Promise<Group | string> => {
      try {
        if (header.inline) return decode(header, bytesOf(header.inline));
        const response = await api.request(header.address, "application/octet-stream", controller.signal);
        return decode(header, await response.arrayBuffer());
      } catch (error) {
        if (isAbort(error)) throw error;
        return texts.say("document.waveform.failed", { why: error instanceof Error ? error.message : String(error) });
      }
    };
    Promise.all(groupsOf(instance).map(one)).then(setGroups, () => undefined); // only ever given up: what failed is said above
    return () => controller.abort();
  }, []);
  return (
    <div class="waveform">
      {groups === null && <p role="status" class="faint">{texts.say("page.starting")}</p>}
      {groups?.length === 0 && <p class="faint">{texts.say("document.empty")}</p>}
      {groups?.map((group, index) => (typeof group === "string"
        ? <p key={index} class="alarm" role="alert">{group}</p>
        : <GroupView key={index} texts={texts} group={group} />))}
    </div>
  );
}
