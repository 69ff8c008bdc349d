// Waveforms drawn to scale: 25 mm a second and 10 mm a millivolt on paper of one millimetre, as electrocardiographs draw.
// A pixel of CSS is 1/96 inch: on a screen that is not that fine, it is the proportions that hold, and the page says the scale.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Texts } from "../texts/index.js";
import { millivolts, type Channel, type Group } from "./waveform.js";

const MM = 96 / 25.4;
const MM_PER_S = 25;
const MM_PER_MV = 10;
const SECONDS_SHOWN = 12;
const HEIGHT_MM_MIN = 20;
const HEIGHT_MM_MAX = 80;

export function GroupView({ texts, group }: { texts: Texts; group: Group }): JSX.Element {
  const [from, setFrom] = useState(0);
  const duration = group.samples / group.frequency;
  const shown = Math.min(duration, SECONDS_SHOWN);
  const { say } = texts;
  return (
    <section class="waves" aria-label={group.label || say("document.waveform")}>
      <h3>
        {group.label} <span class="faint">{say("document.waveform.scale", { hertz: group.frequency, seconds: Number(duration.toFixed(1)) })}</span>
      </h3>
      {duration > shown && (
        <label class="field">{say("document.waveform.from")}{" "}
          <input type="range" min={0} max={duration - shown} step={0.1} value={from} onInput={(event) => setFrom(Number(event.currentTarget.value))} />
        </label>
      )}
      <div class="paper" dir="ltr" tabIndex={0} role="group" aria-label={group.label || say("document.waveform")}>
        {group.channels.map((channel, index) => <Trace key={index} texts={texts} channel={channel} frequency={group.frequency} from={from} seconds={shown} />)}
      </div>
    </section>
  );
}

interface TraceProps {
  readonly texts: Texts;
  readonly channel: Channel;
  readonly frequency: number;
  readonly from: number;
  readonly seconds: number;
}

function Trace({ texts, channel, frequency, from, seconds }: TraceProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { low, high } = range(channel.values);
  const voltage = millivolts(channel.unit);
  // What is no voltage has no customary scale: it fills 40 mm, and says how much a large square is.
  const mmPerUnit = voltage === null ? 40 / Math.max(high - low, 1e-9) : voltage * MM_PER_MV;
  const heightMm = Math.min(HEIGHT_MM_MAX, Math.max(HEIGHT_MM_MIN, Math.ceil(((high - low) * mmPerUnit) / 5) * 5 + 5));
  const widthMm = Math.max(25, Math.ceil(seconds * MM_PER_S));
  useEffect(() => {
    if (canvas.current) draw(canvas.current, channel.values, { frequency, from, widthMm, heightMm, mmPerUnit, middle: (low + high) / 2 });
  });
  const scale = voltage === null ? `${Number((5 / mmPerUnit).toPrecision(2))} ${channel.unit}/5 mm` : "10 mm/mV";
  return (
    <figure>
      <figcaption><span class="strong">{channel.label}</span> <span class="faint">{scale}</span></figcaption>
      <canvas ref={canvas} role="img" data-mm-per-unit={mmPerUnit}
        aria-label={texts.say("document.waveform.channel", { label: channel.label, low: short(low), high: short(high), unit: channel.unit })} />
    </figure>
  );
}

interface Scale {
  readonly frequency: number;
  readonly from: number;
  readonly widthMm: number;
  readonly heightMm: number;
  readonly mmPerUnit: number;
  readonly middle: number;
}

function draw(canvas: HTMLCanvasElement, values: Float32Array, { frequency, from, widthMm, heightMm, mmPerUnit, middle }: Scale): void {
  const [width, height] = [widthMm * MM, heightMm * MM];
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) return;
  context.scale(ratio, ratio);
  context.fillStyle = "#12100f";
  context.fillRect(0, 0, width, height);
  for (const [step, colour] of [[1, "#2c2220"], [5, "#5a3a34"]] as const) {
    context.strokeStyle = colour;
    context.lineWidth = 0.5;
    context.beginPath();
    for (let x = 0; x <= widthMm; x += step) { context.moveTo(x * MM, 0); context.lineTo(x * MM, height); }
    for (let y = 0; y <= heightMm; y += step) { context.moveTo(0, y * MM); context.lineTo(width, y * MM); }
    context.stroke();
  }
  context.strokeStyle = "#f4f1ea";
  context.lineWidth = 1;
  context.beginPath();
  const begin = Math.floor(from * frequency);
  const end = Math.min(values.length, Math.ceil((from + widthMm / MM_PER_S) * frequency) + 1);
  let isPenDown = false;
  for (let n = begin; n < end; n += 1) {
    const value = values[n] ?? NaN;
    if (Number.isNaN(value)) { isPenDown = false; continue; } // a gap is a gap
    const x = ((n / frequency) - from) * MM_PER_S * MM;
    const y = height / 2 - (value - middle) * mmPerUnit * MM;
    if (isPenDown) context.lineTo(x, y);
    else context.moveTo(x, y);
    isPenDown = true;
  }
  context.stroke();
}

function range(values: Float32Array): { low: number; high: number } {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high } : { low: 0, high: 0 };
}

const short = (value: number): string => String(Number(value.toPrecision(4)));
