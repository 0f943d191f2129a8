// Gradients that vanish on the way back, and units that die.
import { number } from './article-graph.js';
import { forward, inputs, network } from './article-math.js';
import { player } from './article-play.js';
import { drawMap } from './colour.js';
import { count, make } from './say.js';

function choice(id, text, options, chosen) {
  const select = make('select', { id }, ...options.map(([value, label = value]) => make('option', { value, selected: String(value) === String(chosen) }, String(label))));
  return { select, label: make('label', { class: 'inline' }, text, select) };
}

/** A bar for each layer: the length of its gradient, on a logarithmic scale from 1e-10 to 1. */
export function vanishing(engine, figure, { problem }) {
  const depth = choice('vanishing-depth', 'Hidden layers', [1, 2, 4, 6, 8, 10].map(n => [n]), 8);
  const bend = choice('vanishing-activation', 'Activation', [['sigmoid'], ['tanh'], ['relu', 'rectifier']], 'sigmoid');
  const bars = make('div', { class: 'bars', id: 'vanishing-bars' }), text = make('p', { class: 'math-line', id: 'vanishing-text' });
  figure.append(make('div', { class: 'bar' }, depth.label, bend.label), bars, text);
  let lab, seed = 1;
  const description = () => ({ ...engine.describe(''), batch: 0, rate: 0.1, seed, layers: Array.from({ length: Number(depth.select.value) }, () => ({ units: 6, activation: bend.select.value })) });

  async function show() {
    const [layers, losses] = [await lab.health(0), await lab.losses(0)];
    const share = norm => Math.min(1, Math.max(0, 1 + Math.log10(Math.max(norm, 1e-10)) / 10));
    bars.style.setProperty('--mark', '10%');
    bars.replaceChildren(...layers.flatMap(({ gradient_norm: norm, verdict }, i) => {
      const bar = make('i', { 'aria-hidden': 'true' }), name = i + 1 < layers.length ? `Layer ${i + 1}` : 'Output';
      bar.style.setProperty('--share', `${100 * share(norm)}%`);
      if (verdict) bar.style.setProperty('--fill', 'var(--orange)');
      return [make('span', { class: verdict ? 'bad' : '' }, name), make('b', {}, `${norm.toExponential(1).replaceAll('-', '−')}${verdict ? `, ${verdict}` : ''}`), bar];
    }));
    const [first, last] = [layers[0].gradient_norm, layers.at(-1).gradient_norm], times = last / first;
    const compared = times > 1 ? `${(times < 10 ? number(times, 1) : count(times))} times shorter than` : `${number(1 / times, 1)} times as long as`;
    text.textContent = `Step ${lab.step}, loss ${number(losses.train, 3)}: the gradient of the first layer is ${compared} that of the output.`;
  }

  const play = player(figure, {
    each: 5, most: 3000, problem, show,
    step: n => lab.train(n),
    address: () => engine.address(description()),
    restart: async next => {
      if (next) seed++;
      const fresh = await engine.create(description(), 'cpu');
      lab?.free();
      lab = fresh;
    },
  });
  for (const { select } of [depth, bend]) select.addEventListener('change', () => play.begin(false));
  play.begin(false);
  return play;
}

const SIZE = 24;

/** The maps of all units of two layers of rectifiers; those that no point opens are marked. */
export function dying(engine, figure, { problem }) {
  const rates = choice('dying-rate', 'Learning rate', [0.03, 0.3, 1, 2, 3, 5].map(n => [n]), 3);
  const bend = choice('dying-activation', 'Activation', [['relu', 'rectifier'], ['leaky_relu', 'leaky rectifier']], 'relu');
  const grids = [1, 2].map(i => make('div', { class: 'unit-maps', role: 'group', 'aria-label': `Units of layer ${i}` }));
  const text = make('p', { class: 'math-line', id: 'dying-text' });
  figure.append(make('div', { class: 'bar' }, rates.label, bend.label), ...grids, text);
  let lab, seed = 1, points;
  const description = () => ({ ...engine.describe(''), batch: 10, rate: Number(rates.select.value), seed, layers: [12, 12].map(units => ({ units, activation: bend.select.value })) });
  const canvases = grids.map(grid => Array.from({ length: 12 }, (_, i) => {
    const canvas = make('canvas', { role: 'img', 'aria-label': `unit ${i + 1}` });
    grid.append(make('div', {}, canvas));
    return canvas;
  }));

  /** Whether each unit is shut for every training point. */
  function shut(parameters) {
    const layers = network({ ...description(), layers: [12, 12].map(units => ({ units, activation: 'relu' })) }, parameters);
    const open = [new Set(), new Set()];
    for (let i = 0; i < points.length; i += 3) {
      forward(layers, inputs(description(), points[i], points[i + 1])).slice(0, 2).forEach(({ z }, l) => z.forEach((v, u) => { if (v > 0) open[l].add(u); }));
    }
    return (layer, unit) => !open[layer].has(unit);
  }

  async function show() {
    const { units } = await lab.maps(0, SIZE, 2), losses = await lab.losses(0);
    const parameters = await lab.parameters(0), broken = !Number.isFinite(losses.train);
    const dead = bend.select.value === 'relu' && !broken ? shut(parameters) : () => false;
    let lost = 0;
    units.forEach((maps, l) => canvases[l].forEach((canvas, u) => {
      const map = maps.slice(u * SIZE ** 2, (u + 1) * SIZE ** 2);
      drawMap(canvas, map, SIZE, { range: Math.max(1e-6, ...map.map(Math.abs)) });
      const gone = dead(l, u);
      if (gone) lost++;
      canvas.parentElement.className = gone ? 'dead' : '';
      canvas.setAttribute('aria-label', `unit ${u + 1}${gone ? ', dead' : ''}`);
    }));
    const state = broken ? 'The loss has left the range of numbers' : bend.select.value === 'relu' ? `${lost} of 24 units are dead` : 'A leaky unit is never quite shut, so none dies';
    text.textContent = `Step ${lab.step}, loss ${number(losses.train, 3)}. ${state}.`;
  }

  const play = player(figure, {
    each: 5, most: 1500, problem, show,
    step: n => lab.train(n),
    address: () => engine.address(description()),
    restart: async next => {
      if (next) seed++;
      const fresh = await engine.create(description(), 'cpu');
      lab?.free();
      lab = fresh;
      points = engine.points(description()).train;
    },
  });
  for (const { select } of [rates, bend]) select.addEventListener('change', () => play.begin(false));
  play.begin(false);
  return play;
}
