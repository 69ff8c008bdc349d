// The first page: searches for studies, lists the series of one, opens one in the viewport. Replaced later by the viewer.

import { Failure, address, date, first, personName, rows, text, values } from "./dicomweb.js";
import { framesOf } from "./frames.js";
import { rangeWindow } from "./range.js";
import { Viewport } from "./viewport.js";

const $ = (id) => document.getElementById(id);
const PAGE = 50;
const FIELDS = ["PatientName", "PatientID", "StudyDate", "StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedInstances"];

// Every answer belongs to what was asked for last: an older one is aborted, and checked for when it comes all the same.
let search = new AbortController();
let opening = new AbortController(); // of the study
let loading = new AbortController(); // of the series
let metadata = [];
let listed = 0;

const viewport = new Viewport(async (frame) => {
  const instance = metadata.find((one) => frame.path.endsWith(`/instances/${encodeURIComponent(text(one, "00080018"))}`));
  try {
    return await rangeWindow(instance, frame, loading.signal);
  } catch (error) {
    if (error.name !== "AbortError") viewport.say(`The window cannot be changed. ${error.message}`);
    return null;
  }
});

function query() {
  const form = new FormData($("search"));
  const field = (name) => String(form.get(name) ?? "").trim();
  const parameters = new URLSearchParams();
  const name = field("PatientName");
  if (name) {
    parameters.set("PatientName", name);
    // Beginnings of words in any order, unless the reader says where the gaps are.
    if (!/[*?]/.test(name)) parameters.set("fuzzymatching", "true");
  }
  const id = field("PatientID");
  if (id) parameters.set("PatientID", /[*?]/.test(id) ? id : `*${id}*`);
  const [from, to] = ["from", "to"].map((end) => field(end).replaceAll("-", ""));
  if (from || to) parameters.set("StudyDate", from === to ? from : `${from}-${to}`);
  const modality = field("ModalitiesInStudy").toUpperCase();
  if (modality) parameters.set("ModalitiesInStudy", modality);
  parameters.set("includefield", FIELDS.join(","));
  return parameters;
}

async function find(offset) {
  search.abort();
  search = new AbortController();
  const { signal } = search;
  if (offset === 0) {
    $("study-list").replaceChildren();
    listed = 0;
  }
  tell("searching …");
  $("more").hidden = true;
  const parameters = query();
  parameters.set("limit", PAGE + 1); // one more than is shown says whether there are more
  parameters.set("offset", offset);
  try {
    const found = await rows(`/dicom-web/studies?${parameters}`, signal);
    if (signal.aborted) return;
    $("study-list").append(...found.slice(0, PAGE).map(studyItem));
    listed = offset + Math.min(found.length, PAGE);
    $("more").hidden = found.length <= PAGE;
    const isAll = [...parameters.keys()].every((key) => ["includefield", "limit", "offset"].includes(key));
    if (listed) tell(`${listed} ${listed === 1 ? "study" : "studies"}${found.length > PAGE ? ", and more" : ""}`);
    else if (isAll) tell("The archive is empty. Bring images in with: voxcast import FOLDER --archive DIR");
    else tell("No study matches. Try fewer or shorter words.");
  } catch (error) {
    if (error.name !== "AbortError") tell(explain(error), true);
  }
}

function tell(words, isAlarm = false) {
  $("list-status").textContent = words;
  $("list-status").classList.toggle("alarm", isAlarm);
}

function explain(error) {
  return error instanceof Failure ? error.message : `This page failed: ${error.message}`;
}

function studyItem(study) {
  const uid = first(study, "0020000D");
  const count = first(study, "00201208");
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.study = uid;
  button.append(
    span("name", personName(study, "00100010") || "no patient name"),
    span("date", date(study, "00080020") || "no date"),
    span("faint", [text(study, "00100020"), text(study, "00081030")].filter(Boolean).join("  ·  ")),
    span("faint", [text(study, "00080061"), count === undefined ? "" : `${count} im.`].filter(Boolean).join("  ")),
  );
  button.addEventListener("click", () => openStudy(study));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function span(kind, words) {
  const element = document.createElement("span");
  element.className = kind;
  element.textContent = words;
  element.title = words;
  return element;
}

function mark(list, key, value) {
  for (const button of list.querySelectorAll("button")) {
    if (button.dataset[key] === value) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

async function openStudy(study) {
  opening.abort();
  loading.abort();
  opening = new AbortController();
  const { signal } = opening;
  const uid = first(study, "0020000D");
  document.body.classList.add("reading");
  mark($("study-list"), "study", uid);
  $("series-list").replaceChildren();
  viewport.clear("loading the series …");
  const who = [personName(study, "00100010") || "no patient name", text(study, "00100020")].filter(Boolean).join("  ·  ");
  const what = [date(study, "00080020"), text(study, "00081030"), text(study, "00080050")].filter(Boolean).join("  ·  ");
  $("study-title").replaceChildren(...[["name", who], ["faint", what]].map(([kind, words]) => {
    const p = document.createElement("p");
    p.className = kind;
    p.textContent = words;
    return p;
  }));
  again = () => openStudy(study);
  try {
    const found = await rows(`${address(uid)}/series?limit=1000`, signal);
    if (signal.aborted) return;
    const number = (one) => Number(first(one, "00200011") ?? Infinity);
    found.sort((a, b) => number(a) - number(b) || 0);
    if (!found.length) return viewport.clear("This study has no series any more. Search again.");
    $("series-list").replaceChildren(...found.map((one) => seriesItem(uid, one)));
    await openSeries(uid, first(found[0], "0020000E"));
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    viewport.clear("");
    viewport.trouble(explain(error));
  }
}

function seriesItem(study, series) {
  const uid = first(series, "0020000E");
  const words = [text(series, "00200011"), text(series, "0008103E")].filter(Boolean).join("  ") || "no description";
  const facts = [text(series, "00080060"), `${first(series, "00201209") ?? "?"} im.`].filter(Boolean).join("  ");
  const thumb = document.createElement("span");
  thumb.className = "thumb";
  const image = document.createElement("img");
  image.alt = "";
  image.loading = "lazy";
  image.fetchPriority = "low"; // never before the image that is being read
  image.addEventListener("error", () => thumb.replaceChildren("no picture"));
  image.src = `${address(study, uid)}/thumbnail?viewport=128,128`;
  thumb.append(image);
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.series = uid;
  button.append(thumb, span("words", words), span("words faint", facts));
  button.addEventListener("click", () => openSeries(study, uid));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

async function openSeries(study, series) {
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  mark($("series-list"), "series", series);
  viewport.clear("loading the list of images …");
  again = () => openSeries(study, series);
  try {
    const found = await rows(`${address(study, series)}/metadata`, signal);
    if (signal.aborted) return;
    const frames = framesOf(found, study, series);
    metadata = found;
    if (frames.length) {
      viewport.open(frames);
      again = null;
    } else {
      const kinds = [...new Set(found.flatMap((one) => values(one, "00080060")))].join(", ");
      viewport.clear(`This series holds no images${kinds ? ` (modality ${kinds})` : ""}. Its files are safe, and are given out whole.`);
    }
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    viewport.clear("");
    viewport.trouble(explain(error));
  }
}

let again = null; // what "Try again" repeats when not a single frame, but a list, could not be fetched
viewport.onAgain = () => {
  if (again) again();
  else Viewport.prototype.onAgain.call(viewport);
};

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  find(0);
});
$("more").addEventListener("click", () => find(listed));
$("back").addEventListener("click", () => document.body.classList.remove("reading"));
find(0);
