// Orange for negative, blue for positive, and the ground between.
import { theme } from './theme.js';

const scales = {
  light: [[214, 104, 8], [245, 163, 72], [240, 241, 244], [76, 155, 214], [4, 88, 158]],
  dark: [[255, 158, 60], [176, 95, 22], [34, 37, 44], [24, 98, 158], [74, 170, 240]],
};
const tables = {};
const size = 256;

function table(name) {
  const colors = scales[name];
  const words = new Uint32Array(size);
  const bytes = new Uint8ClampedArray(words.buffer);
  for (let i = 0; i < size; i++) {
    const at = i / (size - 1) * (colors.length - 1);
    const low = Math.min(Math.floor(at), colors.length - 2);
    for (let c = 0; c < 3; c++) bytes[4 * i + c] = colors[low][c] + (at - low) * (colors[low + 1][c] - colors[low][c]);
    bytes[4 * i + 3] = 255;
  }
  return words;
}

const current = () => tables[theme()] ??= table(theme());
const place = value => value >= 1 ? size - 1 : value <= -1 ? 0 : Math.round((value + 1) / 2 * (size - 1)) || 0;

/** The color of a value between -1 and 1, as CSS takes it. */
export function colour(value) {
  const bytes = new Uint8Array(current().buffer, 4 * place(Number.isNaN(value) ? 0 : value), 3);
  return `rgb(${bytes.join()})`;
}

/** Draws `side` x `side` values into a canvas of that size; `range` is what full color means. */
export function drawMap(canvas, values, side, { range = 1, discretize = false } = {}) {
  if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext('2d');
  context.putImageData(image(values, side, range, discretize), 0, 0);
}

/** The values as an image. */
export function image(values, side, range = 1, discretize = false) {
  const words = new Uint32Array(side * side);
  const colors = current();
  const middle = size / 2;
  for (let i = 0; i < words.length; i++) {
    const value = values[i];
    if (Number.isNaN(value)) words[i] = 0xff808080;
    else if (discretize) words[i] = colors[value >= 0 ? Math.round(middle * 1.7) : Math.round(middle * 0.3)];
    else words[i] = colors[place(value / range)];
  }
  return new ImageData(new Uint8ClampedArray(words.buffer), side, side);
}

/** A canvas as large as it is shown; gives the context and its size in CSS pixels. */
export function fitted(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
