// Files that are dropped anywhere on the list are imported.

import { useEffect, useState } from "preact/hooks";
import { below, entriesOf, withZips } from "./files.js";
import type { Importer } from "./importer.js";

/** Whether files are being dragged over the page. */
export function useDrop(importer: Importer): boolean {
  const [isDragged, setDragged] = useState(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setDragged(true);
    };
    const left = (event: DragEvent): void => {
      if (event.relatedTarget === null) setDragged(false);
    };
    const dropped = (event: DragEvent): void => {
      if (!hasFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      setDragged(false);
      importer.add(withZips(below(entriesOf(event.dataTransfer))));
    };
    document.addEventListener("dragover", over);
    document.addEventListener("dragleave", left);
    document.addEventListener("drop", dropped);
    return () => {
      document.removeEventListener("dragover", over);
      document.removeEventListener("dragleave", left);
      document.removeEventListener("drop", dropped);
    };
  }, [importer]);
  return isDragged;
}
