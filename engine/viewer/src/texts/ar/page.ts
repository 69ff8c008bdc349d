// What the shell says, in Arabic.

import type { Text } from "../index.js";
import type { page as english } from "../en/page.js";

export const page: Record<keyof typeof english, Text> = {
  "page.studies": "الدراسات",
  "page.starting": "جارٍ التحميل …",
  "page.no_study": "لا يذكر هذا العنوان أي دراسة.",
  "page.failed": "تعطلت هذه الصفحة: {why}",
};
