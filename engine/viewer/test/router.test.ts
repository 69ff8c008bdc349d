// Addresses of the page, by what OHIF writes and what people paste.

import { describe, expect, test } from "vitest";
import { placeOf, viewerAddress } from "../src/router.js";

const at = (path: string): ReturnType<typeof placeOf> => placeOf(new URL(path, "http://localhost:8080"));

describe("the place that an address names", () => {
  test("the root is the list, with what is searched for", () => {
    const place = at("/?q=doe&modality=CT");
    expect(place.name).toBe("list");
    expect(place.name === "list" && place.query.get("q")).toBe("doe");
  });
  test("studies are joined by commas or named again and again, each once", () => {
    expect(at("/viewer?StudyInstanceUIDs=1.2,1.3&StudyInstanceUIDs=1.2")).toEqual({ name: "viewer", params: { studies: ["1.2", "1.3"] } });
  });
  test("no study is no study", () => {
    expect(at("/viewer?StudyInstanceUIDs=")).toEqual({ name: "viewer", params: { studies: [] } });
  });
  test("an address made from a place leads back to it, whatever is in a UID", () => {
    const params = { studies: ["1.2", "odd&uid=3 #?"], series: ["1.2.1"] };
    expect(at(viewerAddress(params))).toEqual({ name: "viewer", params });
  });
});
