// The field in which the text of a mark is written, where it stands on the image: text, never markup.
import type { Point } from '../draw/matrix';
import { make } from '../viewport/labels';
import type { Words } from '../words';

const LENGTH_MAX = 256; // of a text on an image; a report is the place for more

export class TextEntry {
  private field: HTMLInputElement | undefined;
  private done: () => void = () => undefined;

  constructor(private readonly words: Words) {}

  /** Ask for a text; `given` is called once, with what was there before where the reader gives up. */
  open(over: HTMLElement, at: Point, text: string, given: (text: string) => void): void {
    this.close();
    const field = make('input', 'mark-text');
    field.type = 'text';
    field.dir = 'auto';
    field.maxLength = LENGTH_MAX;
    field.value = text;
    field.setAttribute('aria-label', this.words('mark.text'));
    field.placeholder = this.words('mark.text');
    // Inside the image, wherever the mark is.
    field.style.left = `${Math.max(0, Math.min(at.x, over.clientWidth - 190))}px`;
    field.style.top = `${Math.max(0, Math.min(at.y - 14, over.clientHeight - 32))}px`;
    let isOver = false;
    const end = (result: string, isFocusBack: boolean) => {
      if (isOver) return;
      isOver = true;
      this.field = undefined;
      field.remove();
      if (isFocusBack) over.focus({ preventScroll: true });
      given(result);
    };
    this.done = () => end(field.value.trim(), false);
    field.addEventListener('keydown', (event) => {
      event.stopPropagation(); // no key of the viewer
      if (event.key === 'Enter' && !event.isComposing) end(field.value.trim(), true);
      if (event.key === 'Escape') end(text, true);
    });
    field.addEventListener('blur', () => this.done());
    this.field = field;
    over.append(field);
    // The press that has made the mark gives the focus to the image after this.
    requestAnimationFrame(() => field.focus({ preventScroll: true }));
  }

  /** What is written is taken. */
  close(): void {
    if (this.field !== undefined) this.done();
  }
}
