// The three ways to a gradient side by side, and what each costs as the network grows.
import { number } from './article-graph.js';
import { count } from './article-math.js';
import { byId, count as thousands, featureText, make } from './say.js';

/** The table of the three gradients. */
export async function ways(engine, problem) {
  let lab, seed = 0;
  const begin = async () => {
    lab?.free();
    lab = await engine.create({ ...engine.describe(''), batch: 0, rate: 0.3, seed, layers: [{ units: 3, activation: 'sigmoid' }] }, 'cpu');
  };

  async function show() {
    const { names, backprop, differences, by_hand: hand, largest_error: error } = await lab.gradients(0, Number(byId('ways-layer').value));
    const cell = value => make('td', {}, value === undefined ? '–' : value.toFixed(9).replace('-', '−'));
    const head = ['Parameter', 'By hand', 'By differences', 'By back-propagation'];
    byId('ways-table').replaceChildren(
      make('thead', {}, make('tr', {}, ...head.map(text => make('th', { scope: 'col' }, text)))),
      make('tbody', {}, ...names.map((name, i) => make('tr', {}, make('th', { scope: 'row' }, name.replace(/x[12]/g, featureText)), cell(hand?.[i]), cell(differences[i]), cell(backprop[i])))),
      make('tfoot', {}, make('tr', {}, make('th', { scope: 'row' }, 'Passes for all 13'), make('td', {}, 'a formula each'), make('td', {}, '26 forward'), make('td', {}, '1 forward, 1 backward'))),
    );
    byId('ways-text').textContent = `Step ${lab.step}. The largest deviation is ${error.toExponential(1).replace('-', '−')} of the largest slope: back-propagation runs in single precision here.`;
  }

  const act = work => async () => { try { await work(); await show(); } catch (error) { problem(error); } };
  byId('ways-layer').addEventListener('change', act(async () => {}));
  byId('ways-train').addEventListener('click', act(() => lab.train(50)));
  byId('ways-new').addEventListener('click', act(() => { seed++; return begin(); }));
  await begin();
  await show();
}

/** The bars of the costs. */
export function cost(engine, problem) {
  const layers = byId('cost-layers'), units = byId('cost-units');
  const shape = () => ({ depth: Number(layers.value), width: [1, 2, 3, 4, 8, 16, 32, 64, 128, 316, 1000][Number(units.value)] });

  function show() {
    const { depth, width } = shape(), parameters = count([2, ...Array(depth).fill(width), 1]);
    byId('cost-layers-value').textContent = depth;
    byId('cost-units-value').textContent = thousands(width);
    const rows = [['Central differences', 2 * parameters], ['One-sided differences', parameters + 1], ['Back-propagation', 2]];
    const most = Math.max(...rows.map(([, passes]) => passes)), decades = Math.max(1, Math.ceil(Math.log10(most)));
    byId('cost-bars').style.setProperty('--mark', `${100 / decades}%`);
    byId('cost-bars').replaceChildren(...rows.flatMap(([name, passes]) => {
      const bar = make('i', { 'aria-hidden': 'true' });
      bar.style.setProperty('--share', `${100 * Math.log10(passes) / decades}%`);
      return [make('span', {}, name), make('b', {}, thousands(passes)), bar];
    }));
    byId('cost-text').textContent = `${thousands(parameters)} parameters. Differences take ${thousands(parameters)} times as many passes as back-propagation, which takes one forward and one backward.`;
  }

  for (const input of [layers, units]) input.addEventListener('input', show);
  byId('cost-measure').addEventListener('click', async () => {
    const button = byId('cost-measure'), { depth, width } = shape();
    button.disabled = true;
    try {
      const lab = await engine.create({ ...engine.describe(''), batch: 0, layers: Array.from({ length: depth }, () => ({ units: Math.min(width, 128), activation: 'sigmoid' })) }, 'cpu');
      const { microseconds } = await lab.speed(300);
      const length = lab.length;
      lab.free();
      const time = us => us < 1e3 ? `${number(us, 0)} µs` : us < 1e6 ? `${number(us / 1e3, 1)} ms` : us < 6e7 ? `${number(us / 1e6, 1)} s` : `${number(us / 6e7, 1)} minutes`;
      const narrowed = width > 128 ? ' (with 128 units a layer, so that you need not wait)' : '';
      // A step is a forward pass and a backward pass, which is about two forward passes' work.
      byId('cost-text').textContent = `A step of back-propagation takes ${time(microseconds)} here${narrowed}, on 250 points. By central differences it would be about ${time(microseconds * 2 * length / 3)}.`;
    } catch (error) {
      problem(error);
    } finally {
      button.disabled = false;
    }
  });
  show();
}
