// What the viewer says, in Arabic.

import type { Text } from "../index.js";
import type { view as english } from "../en/view.js";

export const view: Record<keyof typeof english, Text> = {
  "view.loading": "جارٍ تحميل قائمة الصور …",
  "view.no_images": "لا تحتوي هذه السلسلة على صور. ملفاتها محفوظة بأمان وتُسلَّم كاملة.",
  "view.again": "أعد المحاولة",
  "view.image": "الصورة: مفاتيح الأسهم للتمرير، والسحب بالزر الأيسر يغيّر النافذة",
  "view.slice": "الشريحة",
  "view.windows": "النوافذ",
};
