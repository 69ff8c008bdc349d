// The viewer's screen: whose study it is, its series, other studies of the patient, and the viewer or a document in the middle.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { api } from "../api/dicomweb.js";
import { text } from "../api/json.js";
import type { SeriesRef, Viewer, ViewerParams } from "../contract.js";
import { isDocumentModality, isReadFirst, isStackModality } from "../documents/kinds.js";
import { DocumentPanel } from "../documents/panel.js";
import { opened } from "../list/recent.js";
import { viewerAddress } from "../router.js";
import { Actions } from "../study/actions.js";
import { PatientBar } from "../study/patient_bar.js";
import { Priors } from "../study/priors_list.js";
import type { Change } from "../study/changes.js";
import { useFacts } from "../study/facts.js";
import { together, type News } from "../study/news.js";
import { NewsBar } from "../study/news_bar.js";
import { inOrder, type SeriesRow } from "../study/series.js";
import { Strip } from "../study/strip.js";
import { useStudies } from "../study/studies.js";
import { explain } from "./explain.js";
import type { Tools } from "./page.js";
import { Preferences } from "./preferences.js";
import { atHand, fetched, type View } from "./viewing.js";

export interface ViewerScreenProps {
  readonly tools: Tools;
  readonly params: ViewerParams;
  readonly go: (address: string) => void;
}

export function ViewerScreen({ tools, params, go }: ViewerScreenProps): JSX.Element {
  const { texts, settings } = tools;
  const { say } = texts;
  const root = useRef<HTMLDivElement>(null);
  const viewer = useRef<Viewer | null>(null);
  const [trouble, setTrouble] = useState("");
  const [shown, setShown] = useState<readonly SeriesRef[]>([]);
  const [document_, setDocument] = useState<SeriesRef | null>(null);
  const [priors, setPriors] = useState<readonly string[]>([]);
  const [news, setNews] = useState<News | null>(null);
  const [replaced, setReplaced] = useState<readonly string[]>([]);
  const changed = (changes: readonly Change[]): void => {
    const others = new Set(changes.filter((one) => one.change === "replaced").map((one) => one.seriesInstanceUID));
    const all = new Map(changes.map((one) => [one.seriesInstanceUID, one.studyInstanceUID]));
    for (const [one, study] of all) viewer.current?.renew({ study, series: one }, others.has(one));
    if (others.size) setReplaced((before) => [...new Set([...before, ...others])]);
  };
  const { studies, series, failure, retry } = useStudies(useMemo(() => [...params.studies, ...priors], [params, priors]), (now) => setNews((before) => together(before, now)), changed);
  const facts = useFacts(series);

  useLayoutEffect(() => {
    let isOver = false;
    setTrouble(params.studies.length ? "" : say("page.no_study"));
    for (const study of params.studies) opened(settings, study);
    const open = ({ openViewer }: View): void => {
      if (!isOver && root.current) viewer.current = openViewer(root.current, params, { texts, settings, api, shown: (now) => isOver || setShown(now) });
    };
    if (params.studies.length) {
      const found = atHand();
      // At once where it can be: a promise would let the page be laid out and drawn without it first.
      if (found) open(found);
      else fetched().then(open).catch((error: unknown) => isOver || setTrouble(say("page.failed", { why: error instanceof Error ? error.message : String(error) })));
    }
    return () => {
      isOver = true;
      viewer.current?.dispose();
      viewer.current = null;
    };
  }, [params]);

  // The view can be shared: what is on the screen is in the address.
  useEffect(() => {
    const now = document_ ? [document_] : shown;
    if (!now.length || !params.studies.length) return;
    const others = now.map((one) => one.study).filter((study) => !params.studies.includes(study));
    history.replaceState(null, "", viewerAddress({ studies: [...params.studies, ...new Set(others)], series: now.map((one) => one.series) }) + location.hash);
  }, [shown, document_, params]);

  const isDocument = (row: SeriesRow): boolean => {
    const kind = facts.get(row.series)?.kind;
    // A photograph's modality may be a video's or a scanned letter's: the SOP class says it.
    return isDocumentModality(row.modality) || (kind !== undefined && kind !== "image" && kind !== "other");
  };
  const choose = (row: SeriesRow): void => {
    const ref = { study: row.study, series: row.series };
    if (isDocument(row)) return setDocument(ref);
    setDocument(null);
    viewer.current?.show(ref);
  };

  // What the address asks for may be a document, and so may be all that a study has.
  const isSettled = series.length > 0 && series.every((row) => isDocumentModality(row.modality) || isStackModality(row.modality) || facts.has(row.series));
  const begun = useRef<ViewerParams | null>(null); // once for each address: afterwards the reader chooses
  useEffect(() => {
    if (begun.current === params) return;
    const asked = params.series?.length === 1 ? series.find((row) => row.series === params.series?.[0]) : undefined;
    const isAllDocuments = isSettled && series.every(isDocument);
    const first = asked ?? (isAllDocuments ? inOrder(series).sort((a, b) => Number(isReadFirst(b.modality)) - Number(isReadFirst(a.modality)))[0] : undefined);
    if (first && isDocument(first)) setDocument({ study: first.study, series: first.series });
    if (isSettled) begun.current = params;
  }, [isSettled, series, params]);

  // A prior comes beside what is shown, as soon as its series are known: one of the same modality, if it has such.
  const [awaited, setAwaited] = useState("");
  useEffect(() => {
    const images = inOrder(series.filter((row) => row.study === awaited)).filter((row) => isStackModality(row.modality));
    if (!images.length) return;
    const modality = series.find((row) => shown.some((one) => one.series === row.series))?.modality;
    const row = images.find((one) => one.modality === modality) ?? images[0];
    setAwaited("");
    setDocument(null);
    if (row) viewer.current?.beside({ study: row.study, series: row.series });
  }, [series, awaited]);

  const [first] = studies;
  return (
    <>
      <header class="top-bar">
        <button type="button" class="back" onClick={() => go("/")} aria-label={say("study.back")}><span aria-hidden="true">{texts.direction === "rtl" ? "→" : "←"}</span> <span class="wide-only">{say("page.studies")}</span></button>
        <PatientBar texts={texts} studies={studies} />
        <Actions tools={tools} studies={params.studies} series={document_ ? [document_] : shown} picture={async () => (document_ ? null : (await viewer.current?.picture()) ?? null)} canPicture={!document_}
          canPrintDocument={document_ !== null && ["report", "waveform"].includes(facts.get(document_.series)?.kind ?? "")} />
        <Preferences tools={tools} />
      </header>
      {trouble && <p class="alarm banner" role="alert">{trouble}</p>}
      {failure !== null && <p class="alarm banner" role="alert">{explain(texts, failure)} <button type="button" onClick={retry}>{say("view.again")}</button></p>}
      <NewsBar texts={texts} news={news} replaced={series.filter((row) => replaced.includes(row.series))} close={() => { setNews(null); setReplaced([]); }} />
      <div class="reading">
        <nav class="strip" aria-label={say("study.series")}>
          {[...params.studies, ...priors].map((study) => (
            <Strip key={study} texts={texts} rows={inOrder(series.filter((row) => row.study === study))} facts={facts} shown={document_ ? [document_] : shown} choose={choose} />
          ))}
          {first && <Priors tools={tools} study={first} open={[...params.studies, ...priors]} add={(row) => { setPriors([...priors, row.study]); setAwaited(row.study); }} />}
        </nav>
        <main class="middle">
          <h1 class="hidden">{text(first, "00100010") || say("list.no_name")}</h1>
          <div ref={root} class="viewer" hidden={document_ !== null} />
          {document_ && <DocumentPanel tools={tools} of={document_} close={series.some((row) => !isDocument(row)) ? () => setDocument(null) : null} />}
        </main>
      </div>
    </>
  );
}
