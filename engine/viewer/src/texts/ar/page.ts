// What the shell says, in Arabic.

import type { Text } from "../index.js";
import type { page as english } from "../en/page.js";

export const page: Record<keyof typeof english, Text> = {
  "page.studies": "الدراسات",
  "page.starting": "جارٍ التحميل …",
  "page.no_study": "لا يذكر هذا العنوان أي دراسة.",
  "page.failed": "تعطلت هذه الصفحة: {why}",
  "page.contrast": "التباين",
  "page.contrast.calm": "هادئ",
  "page.contrast.high": "عالٍ",
  "page.language": "اللغة",
  "page.settings": "الإعدادات",
  "page.settings.kept": "تُحفظ في هذا المتصفح وحده.",
  "page.settings.close": "إغلاق",
  "page.creator": "اسمك",
  "page.creator.hint": "يُكتب في القياسات والعروض التي تحفظها",
  "page.first_tool": "الزر الأيسر أو الإصبع، في البداية",
  "page.overlay": "النصوص فوق الصور",
  "page.overlay.all": "كلها",
  "page.overlay.few": "هوية المريض والجهات فقط",
  "page.linked": "تمرير السلاسل معًا",
  "page.drawing": "الرسم",
  "page.drawing.auto": "حسب قدرة المتصفح",
  "page.drawing.gpu": "ببطاقة الرسوم",
  "page.drawing.cpu": "بالمعالج",
  "failure.silent": "الخادم لا يجيب. تحقق من أنه يعمل، ثم أعد المحاولة.",
  "failure.not_understood": "لا يفهم الخادم هذا البحث أو الطلب{because} غيّره وأعد المحاولة.",
  "failure.not_allowed": "لا يسمح الخادم لهذه الصفحة بذلك{because}",
  "failure.gone": "ليس لدى الخادم هذا{because}",
  "failure.not_shown": "هذا محفوظ بأمان، لكن هذا الخادم لا يستطيع عرضه{because} صدّره أو افتحه في عارض آخر.",
  "failure.damaged": "هذا محفوظ كما استُلم، لكنه تالف أو ليس كما يجب{because} اطلب من المرسل إرساله مجددًا.",
  "failure.busy": "الخادم مشغول جدًا الآن{because} انتظر قليلًا ثم أعد المحاولة.",
  "failure.full": "قرص الخادم ممتلئ{because} يجب على أحد أن يفرغ مكانًا.",
  "failure.server": "تعطل الخادم{because} في سجله المزيد؛ ثم أعد المحاولة.",
  "failure.other": "أجاب الخادم {status}{because}",
};
