// What the viewer's screen says around the viewer, in Arabic.

import type { Text } from "../index.js";
import type { study as english } from "../en/study.js";

export const study: Record<keyof typeof english, Text> = {
  "study.back": "العودة إلى الدراسات",
  "study.series": "السلاسل",
  "study.no_description": "بلا وصف",
  "study.no_picture": "بلا صورة",
  "study.images": {
    zero: "{count} صورة", one: "صورة واحدة ({count})", two: "صورتان ({count})", few: "{count} صور", many: "{count} صورة", other: "{count} صورة",
  },
  "study.lossy": "ضغط مع فقد",
  "study.burned_in": "نص مدمج في الصورة",
  "study.no_scale": "بلا مقياس",
  "study.priors": "دراسات أخرى لهذا المريض",
  "study.several_patients": {
    zero: "{count} مريض", one: "{count} مريض", two: "دراسات لمريضين ({count}) مفتوحة", few: "دراسات {count} مرضى مفتوحة",
    many: "دراسات {count} مريضًا مفتوحة", other: "دراسات {count} مريض مفتوحة",
  },
  "study.came": {
    zero: "{count} صورة جديدة: {series}", one: "صورة جديدة ({count}): {series}", two: "صورتان جديدتان ({count}): {series}",
    few: "{count} صور جديدة: {series}", many: "{count} صورة جديدة: {series}", other: "{count} صورة جديدة: {series}",
  },
  "study.gone": "حُذفت من الأرشيف في هذه الأثناء: {series}. ما لا يزال معروضًا منها لم يعد موجودًا هناك.",
  "study.replaced": "استُبدلت صور بغيرها في هذه الأثناء، وتُعرض من جديد: {series}.",
  "study.understood": "فهمت",
  "study.take": "حفظ …",
  "study.zip": "الدراسة كملف zip ‏(DICOM)",
  "study.series_zip": "السلسلة كملف zip ‏(DICOM)",
  "study.png": "صورة لهذا العرض (PNG)",
  "study.print": "طباعة هذا العرض",
  "study.print_document": "طباعة هذا المستند",
  "study.print_hint": "لطباعة ما على الشاشة اختر «حفظ …» ثم «طباعة هذا العرض».",
  "study.nothing_shown": "لا توجد صورة معروضة.",
  "document.title": "مستند",
  "document.which": "المستند",
  "document.close": "العودة إلى الصور",
  "document.not_asked_for": "أعطى الخادم ما لم يُطلب. لا يُعرض شيء؛ أعد تحميل الصفحة.",
  "document.nothing": "لا شيء هنا يمكن عرضه. الملف محفوظ:",
  "document.download": "نزّله",
  "document.empty": "لا محتوى فيه.",
  "document.cut": "إنه أطول أو أعمق من أن يُعرض كاملًا. الملف يحوي كل شيء.",
  "document.waveform": "موجات",
  "document.waveform.scale": "25 مم/ث، {hertz} هرتز، {seconds} ث",
  "document.waveform.from": "من",
  "document.waveform.channel": "{label}: من {low} إلى {high} {unit}",
  "document.waveform.failed": "لا يمكن رسم هذه الموجات: {why}.",
};
