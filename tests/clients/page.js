// What a viewer made with cornerstone3D does, for tests to call: `await ready`, then the functions of `window.page`.
import {
  Enums,
  ProgressiveRetrieveImages,
  RenderingEngine,
  cache,
  eventTarget,
  imageLoader,
  init as initCore,
  setVolumesForViewports,
  volumeLoader,
} from '@cornerstonejs/core';
import { init as initLoader, wadors } from '@cornerstonejs/dicom-image-loader';

// Bundled by tests/bundling.py, opened by tests/integration/test_cornerstone.py.
const ready = Promise.all([initCore(), initLoader({ maxWebWorkers: 1 })]);

function base64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

async function imageIds(series) {
  await ready;
  const answer = await fetch(`${series}/metadata`, { headers: { Accept: 'application/dicom+json' } });
  const ids = [];
  for (const instance of await answer.json()) {
    const frames = instance['00280008']?.Value[0] ?? 1;
    for (let frame = 1; frame <= frames; frame++) {
      const id = `wadors:${series}/instances/${instance['00080018'].Value[0]}/frames/${frame}`;
      wadors.metaDataManager.add(id, instance);
      ids.push(id);
    }
  }
  return ids;
}

function described(image) {
  const pixels = image.getPixelData();
  return {
    rows: image.rows,
    columns: image.columns,
    kind: pixels.constructor.name,
    pixels: base64(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength)),
    syntax: image.transferSyntaxUID,
    quality: image.imageQualityStatus,
  };
}

// Every image of a series, as the loader decodes it.
async function load(series) {
  const ids = await imageIds(series);
  return Promise.all(ids.map(async (id) => described(await imageLoader.loadAndCacheImage(id))));
}

// Each state of the first image of a series, coarse first: the first bytes, then the rest of them.
async function progressive(series, retrieveOptions) {
  const [id] = await imageIds(series);
  cache.purgeCache();
  const states = [];
  const errors = [];
  const loading = ProgressiveRetrieveImages.createProgressive({
    stages: Object.keys(retrieveOptions).map((retrieveType) => ({ id: retrieveType, retrieveType })),
    retrieveOptions,
  });
  await loading.loadImages([id], {
    successCallback: (_, image) => states.push(described(image)),
    errorCallback: (_, permanent, reason) => errors.push(String(reason)),
    getLoaderImageOptions: () => ({ useRGBA: false }),
  });
  return { states, errors };
}

function engine() {
  const element = document.querySelector('#viewport');
  return [new RenderingEngine('engine'), element];
}

// The series as a stack; the image of this index in this window.
async function stack(series, index, lower, upper) {
  const ids = await imageIds(series);
  const [rendering, element] = engine();
  rendering.enableElement({ viewportId: 'one', type: Enums.ViewportType.STACK, element });
  const viewport = rendering.getViewport('one');
  await viewport.setStack(ids, index);
  viewport.setProperties({ voiRange: { lower, upper } });
  viewport.render();
  return ids.length;
}

// The series as a volume, cut from left to right: what no single image shows.
async function volume(series, lower, upper) {
  const ids = await imageIds(series);
  const [rendering, element] = engine();
  const loaded = new Promise((resolve) => {
    eventTarget.addEventListener(Enums.Events.IMAGE_VOLUME_LOADING_COMPLETED, resolve, { once: true });
  });
  rendering.enableElement({
    viewportId: 'one',
    type: Enums.ViewportType.ORTHOGRAPHIC,
    element,
    defaultOptions: { orientation: Enums.OrientationAxis.CORONAL },
  });
  const made = await volumeLoader.createAndCacheVolume('cornerstoneStreamingImageVolume:one', { imageIds: ids });
  made.load();
  await loaded;
  await setVolumesForViewports(rendering, [{ volumeId: made.volumeId }], ['one']);
  const viewport = rendering.getViewport('one');
  viewport.setProperties({ voiRange: { lower, upper } });
  viewport.render();
  return made.dimensions;
}

// A thumbnail, as a page of another origin shows one: fetched, drawn, read back.
async function thumbnail(address) {
  const answer = await fetch(address, { headers: { Accept: 'image/jpeg' } });
  const picture = await createImageBitmap(await answer.blob());
  return { type: answer.headers.get('Content-Type'), width: picture.width, height: picture.height };
}

window.page = { load, progressive, stack, volume, thumbnail };
