// What is said of volumes.

import type { Text } from "../index.js";

export const volume = {
  "act.volume": "3D",
  "volume.group": "Volume",
  "volume.presets": "Presets",
  "volume.turn": "Turn",
  "volume.from": "Seen from {side}",
  "volume.home": "As at first",
  "volume.more": "Opacity and cuts",
  "volume.close": "Back to images",
  "volume.shift": "Shift",
  "volume.stretch": "Width",
  "volume.cut": "Cut at {side}",
  "volume.title": "Volume rendering, {preset}",
  "volume.title_cut": "Volume rendering, {preset}, cut",
  "volume.ct_bone": "Bone",
  "volume.ct_muscle": "Soft tissue",
  "volume.ct_lung": "Lung",
  "volume.ct_vessels": "Vessels with contrast",
  "volume.ct_skin": "Skin",
  "volume.mr": "MR",
  "volume.general": "General",
  "volume.mip": "MIP",
} satisfies Record<string, Text>;
