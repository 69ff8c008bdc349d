// Opacities and colours that readers know by name: of CT in Hounsfield units, of everything else in parts of its range.
import type { FrameHeader } from '../dicom/frame';
import type { Preset } from './look';

const BONE: Preset['colour'] = [[100, 150, 80, 50], [250, 220, 175, 125], [600, 245, 230, 205], [1500, 255, 252, 245]];

const CT: readonly Preset[] = [
  { name: 'ct_bone', method: 'light', isShaded: true, isRelative: false, opacity: [[120, 0], [220, 0.12], [400, 0.55], [1500, 0.9]], colour: BONE },
  {
    name: 'ct_muscle', method: 'light', isShaded: true, isRelative: false,
    opacity: [[-10, 0], [30, 0.1], [90, 0.3], [250, 0.45], [900, 0.9]],
    colour: [[-10, 150, 60, 45], [60, 190, 80, 62], [120, 205, 110, 85], [250, 235, 205, 170], [900, 255, 250, 240]],
  },
  {
    name: 'ct_lung', method: 'light', isShaded: true, isRelative: false,
    opacity: [[-930, 0], [-880, 0.008], [-780, 0.02], [-600, 0.05], [-400, 0.015], [-250, 0]],
    colour: [[-930, 40, 60, 120], [-800, 120, 160, 215], [-600, 225, 190, 190], [-250, 250, 225, 215]],
  },
  {
    name: 'ct_vessels', method: 'light', isShaded: true, isRelative: false,
    opacity: [[130, 0], [180, 0.08], [300, 0.5], [700, 0.8]],
    colour: [[130, 120, 15, 10], [220, 205, 50, 35], [350, 240, 170, 130], [700, 255, 245, 230]],
  },
  {
    name: 'ct_skin', method: 'light', isShaded: true, isRelative: false,
    opacity: [[-500, 0], [-300, 0.3], [-100, 0.8], [500, 0.95]],
    colour: [[-500, 190, 135, 105], [-100, 226, 178, 148], [500, 244, 214, 190]],
  },
  { name: 'mip', method: 'largest', isShaded: false, isRelative: false, opacity: [[-200, 1], [900, 1]], colour: [[-200, 0, 0, 0], [900, 255, 255, 255]] },
];

const MR: readonly Preset[] = [
  {
    name: 'mr', method: 'light', isShaded: true, isRelative: true,
    opacity: [[0.12, 0], [0.3, 0.03], [0.55, 0.12], [1, 0.45]],
    colour: [[0.12, 60, 45, 45], [0.4, 165, 130, 115], [0.7, 225, 200, 180], [1, 255, 250, 240]],
  },
  { name: 'mip', method: 'largest', isShaded: false, isRelative: true, opacity: [[0.1, 1], [1.5, 1]], colour: [[0.1, 0, 0, 0], [1.5, 255, 255, 255]] },
];

/** PET, ultrasound, cone beams without units. */
const OTHERS: readonly Preset[] = MR.map((preset) => (preset.name === 'mr' ? { ...preset, name: 'general' } : preset));

/** Those of a series; the first is shown at first. */
export function volumePresets(header: FrameHeader): readonly Preset[] {
  const isHounsfield = header.modality === 'CT' && header.isRescaled && (header.rescaleType === '' || header.rescaleType === 'HU');
  return isHounsfield ? CT : header.modality === 'MR' ? MR : OTHERS;
}
