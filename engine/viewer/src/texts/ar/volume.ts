// What is said of volumes, in Arabic.

import type { Text } from "../index.js";
import type { volume as english } from "../en/volume.js";

export const volume: Record<keyof typeof english, Text> = {
  "act.volume": "ثلاثي الأبعاد",
  "volume.group": "الحجم",
  "volume.presets": "إعدادات العرض",
  "volume.turn": "إدارة",
  "volume.from": "منظورًا من {side}",
  "volume.home": "الوضع الأول",
  "volume.more": "العتامة والقطع",
  "volume.close": "العودة إلى الصور",
  "volume.shift": "إزاحة",
  "volume.stretch": "عرض",
  "volume.cut": "قطع عند {side}",
  "volume.title": "عرض حجمي، {preset}",
  "volume.title_cut": "عرض حجمي، {preset}، مقطوع",
  "volume.ct_bone": "العظم",
  "volume.ct_muscle": "أنسجة رخوة",
  "volume.ct_lung": "الرئة",
  "volume.ct_vessels": "أوعية مع مادة التباين",
  "volume.ct_skin": "الجلد",
  "volume.mr": "رنين مغناطيسي",
  "volume.general": "عام",
  "volume.mip": "MIP",
};
