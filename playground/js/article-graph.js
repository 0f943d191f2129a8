// The network of 2-3-1 as a drawing, the forward pass in numbers, and the chain rule link by link.
import { backward, flat, forward, inputs, loss, moved, network } from './article-math.js';
import { colour } from './colour.js';
import { byId } from './say.js';

/** Where the units are, on a wide page and on a narrow one: across, and the radius of a unit. */
const wide = { size: [760, 330], across: [70, 310, 550, 695], r: 30 };
const narrow = { size: [430, 350], across: [38, 172, 300, 388], r: 27 };
const layout = ({ across: [x, h, y, l], r }) => ({ r, end: l, x: [[x, 100], [x, 230]], h: [[h, 55], [h, 165], [h, 275]], y: [[y, 165]], l: [[l, 165]] });
const columns = ['x', 'h', 'y'];
const sub = i => '₀₁₂₃'[i];
export const number = (value, digits = 2) => {
  const size = Math.abs(value);
  const text = size && size < 0.5 * 10 ** -digits ? value.toExponential(1) : value.toFixed(digits);
  return text.replace('-', '−');
};

function element(name, attributes, text) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** Draws the network. `lines[layer](unit, input)`, `units[column](i)` give { text, value, lit, faint }. */
function draw(svg, { lines, units, names }) {
  svg.replaceChildren();
  const form = svg.getBoundingClientRect().width < 520 ? narrow : wide, at = layout(form);
  svg.setAttribute('viewBox', `0 0 ${form.size.join(' ')}`);
  const plates = [];
  for (const [layer, of] of lines.entries()) {
    const from = at[columns[layer]], to = at[columns[layer + 1]];
    to.forEach((end, u) => from.forEach((start, i) => {
      const { text, value, faint } = of(u, i);
      const paint = colour(Math.sign(value) * Math.min(1, 0.35 + Math.abs(value)));
      svg.append(element('line', { x1: start[0], y1: start[1], x2: end[0], y2: end[1], stroke: paint, 'stroke-width': Math.min(9, 1 + 2.2 * Math.abs(value)), class: faint ? 'faint' : '' }));
      if (text === undefined) return;
      const share = layer ? 0.5 : u === 2 - 2 * i ? 0.62 : 0.36, x = start[0] + share * (end[0] - start[0]), y = start[1] + share * (end[1] - start[1]);
      plates.push(element('rect', { x: x - 25, y: y - 10, width: 50, height: 19, rx: 5, class: 'plate' }), element('text', { x, y: y + 4, class: faint ? 'faint' : '' }, text));
    }));
  }
  svg.append(element('line', { x1: at.y[0][0] + at.r, y1: 165, x2: at.end - at.r, y2: 165, stroke: 'currentColor', 'stroke-width': 1.5, 'stroke-dasharray': '4 4' }), ...plates);
  for (const [column, of] of Object.entries(units)) {
    at[column].forEach(([x, y], i) => {
      const { text, below, lit, faint } = of(i);
      svg.append(element('circle', { cx: x, cy: y, r: at.r, class: lit ? 'lit' : '' }), element('text', { x, y: y + 5, class: faint ? 'faint' : '' }, text));
      svg.append(element('text', { x, y: y - 37 < 12 ? 12 : y - 37, class: 'soft' }, names[column](i)));
      if (below && form === narrow) {
        below.split(', ').forEach((line, n) => svg.append(element('text', { x, y: y + 42 + 14 * n, class: 'soft' }, line)));
      } else if (below) svg.append(element('text', { x, y: y + 46, class: 'soft' }, below));
    });
  }
}

/** The small network that the first two figures share: its parameters are the engine's. */
export class Small {
  constructor(engine) {
    this.engine = engine;
    this.seed = 2;
    this.point = [1.5, -1];
    this.target = 1;
    this.link = 0;
  }

  get description() {
    return { ...this.engine.describe(''), layers: [{ units: 3, activation: 'sigmoid' }], seed: this.seed, batch: 0, rate: 1 };
  }

  async renew() {
    this.lab?.free();
    this.lab = await this.engine.create(this.description, 'cpu');
    await this.read();
  }

  async read() {
    this.layers = network(this.description, await this.lab.parameters(0));
    this.show();
  }

  async step(rate) {
    const x = inputs(this.description, ...this.point), values = forward(this.layers, x);
    const all = backward(this.layers, x, values, this.target).flatMap(({ weights, biases }) => [...weights.flat(), ...biases]);
    await this.lab.set_parameters(0, flat(moved(this.layers, all, rate)));
    await this.read();
  }

  show() {
    const x = inputs(this.description, ...this.point), values = forward(this.layers, x);
    const back = backward(this.layers, x, values, this.target);
    showForward(this, x, values);
    showChain(this, x, values, back);
    byId('forward-link').href = `index.html#${this.engine.address(this.description).replace('#', '')}`;
  }
}

const names = { x: i => `x${sub(i + 1)}`, h: i => `h${sub(i + 1)}`, y: () => 'y', l: () => 'loss L' };

function showForward({ layers, point, target }, x, [hidden, out]) {
  byId('x1-value').textContent = number(point[0], 1);
  byId('x2-value').textContent = number(point[1], 1);
  const y = out.a[0], sum = out.z[0];
  draw(byId('graph'), {
    names,
    lines: layers.map(({ weights }) => (u, i) => ({ text: number(weights[u][i]), value: weights[u][i] })),
    units: {
      x: i => ({ text: number(x[i], 1) }), h: i => ({ text: number(hidden.a[i]), below: `z = ${number(hidden.z[i])}, b = ${number(layers[0].biases[i])}` }),
      y: () => ({ text: number(y), below: `z = ${number(sum)}, b = ${number(layers[1].biases[0])}` }), l: () => ({ text: number(loss(y, target), 3), below: `t = ${number(target, 0)}` }),
    },
  });
  const parts = hidden.a.map((h, j) => `${number(layers[1].weights[0][j])} · ${number(h)}`).join(' + ');
  byId('graph-text').textContent = `y = tanh(${parts} + ${number(layers[1].biases[0])}) = tanh(${number(sum)}) = ${number(y)}; L = ½ (${number(y)} − ${number(target, 0)})² = ${number(loss(y, target), 3)}`.replaceAll('+ −', '− ');
}

const links = 6;

function showChain({ layers, link, target }, x, [hidden, out], [first, last]) {
  const y = out.a[0], delta = last.z[0];
  const list = (values, digits = 3) => values.map(v => number(v, digits)).join(', ');
  const texts = [
    `∂L/∂y = y − t = ${number(y)} − ${number(target, 0)} = ${number(last.a[0], 3)}`.replace('− −', '+ '),
    `δ = ∂L/∂z = ∂L/∂y · (1 − y²) = ${number(last.a[0], 3)} · ${number(1 - y * y, 3)} = ${number(delta, 3)}`,
    `∂L/∂vⱼ = δ · hⱼ: ${list(last.weights[0])}; ∂L/∂c = δ`,
    `∂L/∂hⱼ = δ · vⱼ: ${list(first.a)}`,
    `δⱼ = ∂L/∂hⱼ · hⱼ (1 − hⱼ): ${list(first.z)}`,
    `∂L/∂wⱼᵢ = δⱼ · xᵢ: ${list(first.weights.flat())}; ∂L/∂bⱼ = δⱼ`,
  ];
  byId('chain-steps').replaceChildren(...texts.map((text, i) => {
    const item = document.createElement('li');
    item.textContent = `${i + 1}.  ${i <= link ? text : text.split(/ = |: /)[0]}`;
    if (i === link) item.setAttribute('aria-current', 'step');
    else if (i > link) item.className = 'later';
    return item;
  }));
  byId('chain-text').textContent = `Link ${link + 1} of ${links}: ${texts[link]}`;
  byId('chain-back').disabled = link === 0;
  byId('chain-next').disabled = link === links - 1;
  const known = [link >= 5, link >= 2];
  const gradients = [first.weights, last.weights];
  draw(byId('chain-graph'), {
    names: { x: names.x, h: i => link >= 4 ? `δ${sub(i + 1)}` : link === 3 ? `∂L/∂h${sub(i + 1)}` : names.h(i), y: () => link >= 1 ? 'δ' : '∂L/∂y', l: names.l },
    lines: layers.map(({ weights }, l) => (u, i) => known[l]
      ? { text: number(gradients[l][u][i], 3), value: gradients[l][u][i] * 4 }
      : { text: l === 1 && link >= 3 ? number(weights[u][i]) : undefined, value: weights[u][i], faint: true }),
    units: {
      x: i => ({ text: number(x[i], 1), lit: link === 5, faint: link < 5 }),
      h: i => link < 3 ? { text: number(hidden.a[i]), lit: link === 2, faint: link < 2 } : { text: number(link === 3 ? first.a[i] : first.z[i], 3), lit: true },
      y: () => ({ text: number(link === 0 ? last.a[0] : delta, 3), lit: link < 4 }),
      l: () => ({ text: number(loss(y, target), 3), lit: link === 0 }),
    },
  });
}

/** Makes the controls of both figures work. */
export async function startGraphs(engine) {
  const small = new Small(engine);
  await small.renew();
  for (const [i, id] of ['x1', 'x2'].entries()) {
    byId(id).addEventListener('input', event => { small.point[i] = Number(event.target.value); small.show(); });
  }
  new ResizeObserver(() => small.show()).observe(byId('graph'));
  byId('target').addEventListener('change', event => { small.target = Number(event.target.value); small.show(); });
  byId('forward-new').addEventListener('click', () => { small.seed++; small.renew(); });
  byId('chain-back').addEventListener('click', () => { small.link = Math.max(0, small.link - 1); small.show(); });
  byId('chain-next').addEventListener('click', () => { small.link = Math.min(links - 1, small.link + 1); small.show(); });
  byId('chain-step').addEventListener('click', async () => {
    const x = inputs(small.description, ...small.point), now = () => loss(forward(small.layers, x).at(-1).a[0], small.target);
    const before = now();
    await small.step(Number(byId('chain-rate').value));
    byId('chain-loss').textContent = `The loss of this point went from ${number(before, 4)} to ${number(now(), 4)}.`;
  });
  return small;
}
