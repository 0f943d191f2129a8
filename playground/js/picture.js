// The picture page: a network learns a picture, and its exported function draws it.
import init, * as engine from '../pkg/engine.js';
import { drawCurve, fit } from './picture-curve.js';
import { scene } from './picture-scene.js';
import { navigate } from './picture-view.js';
import { startTheme } from './theme.js';

const $ = id => document.getElementById(id);
/** The longest side that is learnt, by device. */
const LONGEST = { gpu: 1024, cpu: 512 };
/** How long a round of steps may take before the page draws again, in milliseconds. */
const ROUND = 60;

const state = {
  kind: 'cpu', picture: null, source: null, image: null, running: false, epoch: 0,
  steps: 4, detail: 160, history: [], checked: 0, checkCost: 0,
};
const view = navigate($('stage'), () => { showZoom(); redraw(); });

function say(text, bad = false) {
  $('status').textContent = text;
  $('status').classList.toggle('bad', bad);
}

function message(error) { return error?.message ?? String(error); }

/** The picture of a source at the size that is learnt. */
function imageOf(source, longest) {
  const [w, h] = [source.width, source.height];
  const scale = Math.min(1, longest / Math.max(w, h));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale)));
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Begins anew with the chosen picture on the chosen device. */
async function begin() {
  const epoch = ++state.epoch;
  const image = imageOf(state.source, LONGEST[state.kind]);
  const { width, height } = image;
  const rgba = new Uint8Array(image.getContext('2d').getImageData(0, 0, width, height).data.buffer);
  let picture;
  const compiles = 'The GPU compiles the network…';
  if (state.kind === 'gpu' && !$('status').textContent) say(compiles);
  try {
    picture = await engine.create_picture(rgba, width, height, state.kind);
  } catch (error) {
    if (epoch !== state.epoch) return;
    if (state.kind === 'gpu') return toCpu(`The GPU cannot be used: ${message(error)}.`);
    return say(message(error), true);
  }
  if (epoch !== state.epoch) return picture.free();
  state.picture?.free();
  Object.assign(state, { picture, image, steps: 1, history: [], checked: performance.now(), checkCost: 0 });
  $('stage').style.setProperty('--aspect', `${width} / ${height}`);
  $('stage').style.setProperty('--ratio', width / height);
  // A canvas that a GPU has drawn into cannot be drawn into otherwise.
  const canvas = $('learnt').cloneNode();
  $('learnt').replaceWith(canvas);
  fit(canvas);
  $('size').textContent = `${width} × ${height} pixels`;
  $('parameters').textContent = picture.parameters.toLocaleString('en');
  $('device').textContent = picture.device;
  $('on-gpu').setAttribute('aria-pressed', state.kind === 'gpu');
  $('on-cpu').setAttribute('aria-pressed', state.kind === 'cpu');
  for (const id of ['loss', 'psnr', 'speed']) $(id).textContent = '–';
  $('steps').textContent = '0';
  $('wgsl').textContent = '';
  if ($('code').open) showCode();
  curve();
  try {
    if (state.kind === 'gpu') await picture.attach(canvas);
    await draw();
  } catch (error) {
    return failed(error, epoch);
  }
  if ($('status').textContent === compiles) say('');
  loop(epoch);
}

/** Goes on with the CPU, and says why. */
function toCpu(why) {
  state.kind = 'cpu';
  say(`${why} The CPU begins anew with the same picture.`, true);
  return begin();
}

function failed(error, epoch) {
  if (epoch !== state.epoch) return;
  if (state.kind === 'gpu') return toCpu(`The GPU is gone: ${message(error)}.`);
  setRunning(false);
  say(message(error), true);
}

/** Learns, draws and measures for as long as this picture is the page's. */
async function loop(epoch) {
  try {
    while (epoch === state.epoch && state.running) {
      const { picture } = state;
      const steps = state.steps, start = performance.now();
      const { loss } = await picture.train(steps);
      const spent = performance.now() - start;
      if (epoch !== state.epoch) return;
      state.steps = Math.max(1, Math.min(512, Math.round(steps * Math.min(2, ROUND / Math.max(spent, 1)))));
      $('steps').textContent = picture.step.toLocaleString('en');
      $('loss').textContent = loss.toPrecision(3);
      $('speed').textContent = `${(spent / steps).toPrecision(2)} ms`;
      await draw();
      // Measuring may take a tenth of the time.
      if (performance.now() - state.checked > Math.max(500, 10 * state.checkCost)) await measure(epoch);
      await new Promise(done => requestAnimationFrame(done));
    }
  } catch (error) {
    failed(error, epoch);
  }
}

async function measure(epoch) {
  const { picture } = state, step = picture.step, start = performance.now();
  const psnr = await picture.psnr();
  if (epoch !== state.epoch) return;
  state.checked = performance.now();
  state.checkCost = state.checked - start;
  state.history.push([step, psnr]);
  if (state.history.length > 400) state.history = state.history.filter((_, i) => i % 2);
  $('psnr').textContent = `${psnr.toFixed(1)} dB`;
  curve();
}

let drawing = false, stale = false;
/** Draws unless it draws already: then once more after that. */
async function redraw() {
  stale = true;
  if (drawing || !state.picture) return;
  drawing = true;
  const epoch = state.epoch;
  try {
    while (stale) { stale = false; await draw(); }
  } catch (error) {
    failed(error, epoch);
  } finally {
    drawing = false;
  }
}

async function draw() {
  const { picture, image } = state, canvas = $('learnt'), original = $('original');
  const { x, y, zoom } = view;
  for (const one of [canvas, original]) fit(one);
  const context = original.getContext('2d');
  context.imageSmoothingEnabled = original.width > image.width * 1.5 ? false : true;
  const [w, h] = [image.width / zoom, image.height / zoom];
  context.drawImage(image, x * image.width - w / 2, y * image.height - h / 2, w, h, 0, 0, original.width, original.height);
  if (state.kind === 'gpu') return picture.draw(x, y, zoom);
  // The CPU draws as many points as it can in a fifth of a second.
  const wide = Math.min(state.detail, canvas.width);
  const high = Math.max(1, Math.round(wide * canvas.height / canvas.width));
  const start = performance.now();
  const bytes = await picture.pixels(x, y, zoom, wide, high);
  const spent = performance.now() - start;
  state.detail = Math.round(Math.min(1024, Math.max(64, wide * Math.sqrt(Math.min(2, (state.running ? 100 : 250) / Math.max(1, spent))))));
  if (picture !== state.picture) return;
  const small = new OffscreenCanvas(wide, high);
  small.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(bytes.buffer, bytes.byteOffset, bytes.length), wide, high), 0, 0);
  const target = canvas.getContext('2d');
  target.imageSmoothingEnabled = true;
  target.drawImage(small, 0, 0, canvas.width, canvas.height);
}

const curve = () => drawCurve($('curve'), state.history);

function showZoom() {
  $('zoom').textContent = `${view.zoom < 10 ? view.zoom.toFixed(view.zoom % 1 ? 1 : 0) : Math.round(view.zoom)} ×`;
}

function setRunning(running) {
  const before = state.running;
  state.running = running;
  $('play').textContent = running ? 'Pause' : 'Learn';
  $('play').setAttribute('aria-pressed', running);
  if (running && !before && state.picture) loop(state.epoch);
}

async function showCode() {
  try {
    $('wgsl').textContent = await state.picture.wgsl();
  } catch (error) {
    say(message(error), true);
  }
}

async function learnFile(file) {
  if (!file) return;
  let source;
  try {
    source = await createImageBitmap(file);
  } catch {
    return say(`“${file.name}” is no picture that this browser can read. The picture stays as it is.`, true);
  }
  state.source = source;
  view.reset();
  say(`“${file.name}”, ${source.width} × ${source.height}, is learnt${Math.max(source.width, source.height) > LONGEST[state.kind] ? `, made smaller to ${LONGEST[state.kind]} pixels` : ''}.`);
  setRunning(true);
  begin();
}

$('play').onclick = () => setRunning(!state.running);
$('again').onclick = () => { say(''); begin(); };
$('builtin').onclick = () => { state.source = scene(); view.reset(); say('The built-in picture is learnt.'); begin(); };
$('choose').onchange = event => { learnFile(event.target.files[0]); event.target.value = ''; };
$('zoom-in').onclick = () => view.enlarge(1.5);
$('zoom-out').onclick = () => view.enlarge(1 / 1.5);
$('whole').onclick = () => view.reset();
$('code').ontoggle = () => { if ($('code').open && state.picture && !$('wgsl').textContent) showCode(); };
for (const kind of ['gpu', 'cpu']) {
  $(`on-${kind}`).onclick = () => {
    if (kind === state.kind && state.picture) return;
    state.kind = kind;
    say(`The ${kind.toUpperCase()} begins anew with the same picture.`);
    begin();
  };
}
$('copy').onclick = async () => {
  try {
    if (!$('wgsl').textContent) await showCode();
    await navigator.clipboard.writeText($('wgsl').textContent);
    $('copied').textContent = 'The function is in the clipboard.';
  } catch {
    getSelection().selectAllChildren($('wgsl'));
    $('copied').textContent = 'The browser keeps the clipboard from the page. The text is selected: copy it by key.';
  }
};
addEventListener('keydown', event => {
  const free = !event.target.closest('button, input, summary, a, pre, label');
  if (event.key === ' ' && free) { event.preventDefault(); setRunning(!state.running); }
});

let over = 0;
const carries = event => event.dataTransfer?.types.includes('Files');
addEventListener('dragenter', event => { if (carries(event)) { over++; $('veil').hidden = false; } });
addEventListener('dragleave', event => { if (carries(event) && --over <= 0) { over = 0; $('veil').hidden = true; } });
addEventListener('dragover', event => { if (carries(event)) event.preventDefault(); });
addEventListener('drop', event => {
  if (!carries(event)) return;
  event.preventDefault();
  over = 0;
  $('veil').hidden = true;
  learnFile(event.dataTransfer.files[0]);
});
addEventListener('paste', event => { if (event.clipboardData?.files.length) learnFile(event.clipboardData.files[0]); });
new ResizeObserver(() => { redraw(); curve(); }).observe($('stage'));
startTheme(curve);

/** For the console and the tests. */
globalThis.playground = { state, view };

try {
  await init();
  const found = await engine.gpu();
  // A GPU that is a program is slower than the program that needs none.
  const software = /swiftshader|llvmpipe|lavapipe|basic render/i.test(found.text);
  const asked = new URLSearchParams(location.search).get('device');
  state.kind = found.found && (!software || asked === 'gpu') && asked !== 'cpu' ? 'gpu' : 'cpu';
  if (!found.found) say(`The CPU learns here: ${found.text}.`);
  else if (software && state.kind === 'cpu') say(`The CPU learns here, because this GPU is a program: ${found.text}.`);
  $('on-gpu').disabled = !found.found;
  state.source = scene();
  setRunning(true);
  await begin();
} catch (error) {
  say(`The engine cannot be loaded: ${message(error)}`, true);
}
