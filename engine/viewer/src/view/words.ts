// The texts of the viewer: those of the page (src/texts).
import type { Key, Texts } from '../texts';

export type Words = Texts['say'];
export type WordKey = Key;
