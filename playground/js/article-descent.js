// Gradient descent on a set of points: the map, the loss, and what each hidden unit sees.
import { number } from './article-graph.js';
import { player } from './article-play.js';
import { colour, drawMap, fitted } from './colour.js';
import { make } from './say.js';
import { styled } from './theme.js';

const SIZE = 64, SMALL = 32;

/** A figure with a network of three sigmoid units on the data of a name. */
export function descent(engine, figure, { data, seed, rate, name, problem }) {
  const map = make('canvas', { role: 'img', 'aria-label': `What the network says over the plane: ${name}` });
  const dots = make('canvas', { 'aria-hidden': 'true' });
  const curve = make('canvas', { class: 'curve', role: 'img', 'aria-label': 'Loss over the steps' });
  const units = [0, 1, 2].map(i => make('canvas', { role: 'img', 'aria-label': `Hidden unit ${i + 1}` }));
  const text = make('p', { class: 'math-line', id: `${figure.id.replace('figure-', '')}-text` });
  figure.append(make('div', { class: 'two' },
    make('div', { class: 'map' }, map, dots),
    make('div', {}, text, curve, make('div', { class: 'three' }, ...units.map((canvas, i) => make('div', {}, canvas, `unit ${i + 1}`))))));
  let lab, points, losses = [];
  const description = () => ({ ...engine.describe(''), data, rate, seed, batch: 0, noise: data === 'xor' ? 10 : 5, layers: [{ units: 3, activation: 'sigmoid' }] });

  async function show() {
    const [{ output, units: all }, now] = await Promise.all([lab.maps(0, SMALL, SIZE), lab.losses(0)]);
    drawMap(map, output, SIZE);
    // A sigmoid lies between 0 and 1: its middle is the ground.
    units.forEach((canvas, i) => drawMap(canvas, all[0].slice(i * SMALL ** 2, (i + 1) * SMALL ** 2).map(v => 2 * v - 1), SMALL));
    if (!losses.length || losses.at(-1)[0] < lab.step) losses.push([lab.step, now.train]);
    if (losses.length > 600) losses = losses.filter((_, i) => i % 2 === 0 || i === losses.length - 1);
    text.textContent = `Step ${lab.step}: loss ${number(now.train, 4)}, ${(100 * now.train_accuracy).toFixed(1)} % of the points right.`;
    drawDots();
    drawCurve();
  }

  function drawDots() {
    const { context, width } = fitted(dots);
    for (let i = 0; i < points.length; i += 3) {
      context.beginPath();
      context.arc((points[i] + 6) / 12 * width, (6 - points[i + 1]) / 12 * width, Math.max(2, width / 140), 0, 7);
      context.fillStyle = colour(points[i + 2] * 0.95);
      context.strokeStyle = styled('--panel');
      context.fill();
      context.stroke();
    }
  }

  function drawCurve() {
    const { context, width, height } = fitted(curve);
    const last = Math.max(1, losses.at(-1)[0]), left = 34, bottom = height - 18, top = Math.max(0.5, ...losses.map(([, l]) => l));
    context.fillStyle = styled('--soft');
    context.font = '12px system-ui, sans-serif';
    context.textAlign = 'right';
    for (const level of [0, top / 2, top]) {
      const y = bottom - (bottom - 8) * level / top;
      context.fillText(level.toFixed(2), left - 6, y + 4);
      context.globalAlpha = 0.3;
      context.fillRect(left, y, width - left, 1);
      context.globalAlpha = 1;
    }
    context.fillText(`${last} steps`, width, height - 3);
    context.strokeStyle = styled('--accent');
    context.lineWidth = 2;
    context.beginPath();
    for (const [step, l] of losses) context.lineTo(left + (width - left - 2) * step / last, bottom - (bottom - 8) * l / top);
    context.stroke();
  }

  const play = player(figure, {
    each: 4, auto: true, most: 4000, problem, show,
    step: n => lab.train(n),
    address: () => engine.address(description()),
    restart: async next => {
      if (next) seed++;
      const fresh = await engine.create(description(), 'cpu');
      lab?.free();
      lab = fresh;
      points = engine.points(description()).train;
      losses = [];
    },
  });
  play.begin(false);
  new ResizeObserver(() => { if (points && losses.length) { drawDots(); drawCurve(); } }).observe(figure);
  return play;
}
