// Which way a frame takes to the screen: decoded here, unpacked by the server, or drawn by the server.
import type { FrameEntry } from '@voxcast/client';
import type { Coding } from '../decode/job';
import type { FrameHeader } from '../dicom/frame';

/**
 * `stream`: its bytes come by the session and are decoded in a worker.
 * `native`: the server unpacks it, and sends the stored values.
 * `picture`: the server draws it: palettes, floating point, lossy colour and what else is rare.
 * `plane`: it is cut out of others here.
 */
export type Route = { kind: 'stream' | 'native'; coding: Coding } | { kind: 'picture' } | { kind: 'plane' };

const HTJ2K = new Set(['1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.202', '1.2.840.10008.1.2.4.203']);
const NATIVE = '1.2.840.10008.1.2.1';

export function routeOf(header: FrameHeader, entry: FrameEntry): Route {
  const isGrey = header.photometricInterpretation.startsWith('MONOCHROME') || header.photometricInterpretation === '';
  const isWhole = header.bitsAllocated === 8 || header.bitsAllocated === 16;
  // Numbers of segments are drawn in the segments' colours.
  const isRare = header.modality === 'SEG' || header.isFloat || !isWhole || header.hasSupplementalPalette || header.hasPresentationLut || header.bitsStored > 16;
  if (isRare || header.samplesPerPixel !== (isGrey ? 1 : 3)) return { kind: 'picture' };
  const { rows, columns, samplesPerPixel, bitsAllocated, bitsStored, highBit, isSigned, planarConfiguration } = header;
  const same = { rows, columns, samplesPerPixel, bitsAllocated, bitsStored, highBit, isSigned, planarConfiguration };
  const { photometricInterpretation } = entry;
  if (HTJ2K.has(entry.transferSyntaxUid)) {
    // What a pack holds are the values themselves; a stored code stream has what the modality put into its cells.
    const isMade = entry.bits > 0;
    const isDrawn = isGrey || photometricInterpretation === 'RGB' || photometricInterpretation.startsWith('YBR_RCT') || photometricInterpretation.startsWith('YBR_ICT');
    if (!isDrawn) return { kind: 'picture' };
    return {
      kind: 'stream',
      coding: { ...same, form: 'htj2k', bitsStored: bitsStored, isMasked: !isMade, photometricInterpretation: isGrey ? 'MONOCHROME2' : 'RGB' },
    };
  }
  const isPlain = isGrey || photometricInterpretation === 'RGB' || photometricInterpretation === 'YBR_FULL';
  if (entry.transferSyntaxUid === NATIVE && isPlain) {
    return { kind: 'stream', coding: { ...same, form: 'native', isMasked: true, photometricInterpretation } };
  }
  if (!isGrey) return { kind: 'picture' };
  return { kind: 'native', coding: { ...same, form: 'native', isMasked: true, photometricInterpretation } };
}

/** By the server, for a frame whose bytes could not be decoded here. */
export function otherRoute(header: FrameHeader, entry: FrameEntry): Route {
  const found = routeOf(header, { ...entry, transferSyntaxUid: '' });
  return found.kind === 'stream' ? { kind: 'picture' } : found;
}
