// What is worth knowing of a series before its images are trusted, by the header of its first instance.

import { useEffect, useState } from "preact/hooks";
import { api, isAbort, type Api } from "../api/dicomweb.js";
import { numbers, text, type Item } from "../api/json.js";
import { isStackModality, kindOf, type Kind } from "../documents/kinds.js";
import { afterFirstImage } from "./afterwards.js";
import type { SeriesRow } from "./series.js";

export interface Facts {
  readonly kind: Kind;
  readonly isLossy: boolean;
  readonly isBurnedIn: boolean;
  /** Whether lengths can be measured by the header alone (functional groups and ultrasound regions may say it elsewhere). */
  readonly hasScale: boolean;
  /** In millimetres; null where there is none. */
  readonly thickness: number | null;
}

const FIELDS = ["LossyImageCompression", "BurnedInAnnotation", "SliceThickness", "PixelSpacing", "ImagerPixelSpacing", "SequenceOfUltrasoundRegions", "SharedFunctionalGroupsSequence.PixelMeasuresSequence.PixelSpacing", "PerFrameFunctionalGroupsSequence.PixelMeasuresSequence.PixelSpacing"].join(",");
const UNDER_WAY_MAX = 2;

export function factsOf(instance: Item): Facts {
  const [thickness = NaN] = numbers(instance, "00180050");
  const spacings = ["00280030", "00181164"].some((tag) => numbers(instance, tag).length === 2);
  const isScaledElsewhere = ["00186011", "52009229", "52009230"].some((tag) => (instance[tag]?.Value?.length ?? 0) > 0);
  return {
    kind: kindOf(instance),
    isLossy: text(instance, "00282110") === "01",
    isBurnedIn: text(instance, "00280301") === "YES",
    hasScale: spacings || isScaledElsewhere,
    thickness: thickness > 0 ? thickness : null,
  };
}

/** The facts of each series by its UID, as they come: two requests at a time. Images go first: of series that have some, facts can wait. */
export function useFacts(rows: readonly SeriesRow[], from: Api = api): ReadonlyMap<string, Facts> {
  const [facts, setFacts] = useState<ReadonlyMap<string, Facts>>(new Map());
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const unknown = rows.filter((row) => !facts.has(row.series));
    const missing = [...unknown.filter((row) => !isStackModality(row.modality)), ...unknown.filter((row) => isStackModality(row.modality))].values();
    let images: Promise<void> | undefined;
    const work = async (): Promise<void> => {
      for (const row of missing) {
        try {
          if (isStackModality(row.modality)) await (images ??= afterFirstImage(signal));
          const [instance] = await from.rows(`${from.address(row.study, row.series)}/instances?limit=1&includefield=${FIELDS}`, signal);
          if (instance) setFacts((known) => new Map(known).set(row.series, factsOf(instance)));
        } catch (error) {
          if (isAbort(error)) return;
          // Without facts the series has no badges; that its images cannot be had is said where they would be.
        }
      }
    };
    for (let n = 0; n < UNDER_WAY_MAX; n += 1) void work();
    return () => controller.abort();
  }, [rows]);
  return facts;
}
