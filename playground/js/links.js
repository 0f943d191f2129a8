// The weights as curves and the biases as squares: to be read, dragged and changed by keys.
import { byId, short } from './say.js';
import { colour } from './colour.js';

const SVG = 'http://www.w3.org/2000/svg';
const MOST = 1200;  // curves that can be touched; more than that are only drawn

export class Links {
  constructor(network) {
    this.network = network;
    this.trainer = network.trainer;
    this.list = [];
    const svg = byId('links');
    const columns = byId('columns');
    for (const [root, kind] of [[svg, '.hit'], [columns, '.bias']]) {
      const of = event => event.target.closest?.(kind);
      root.addEventListener('pointerover', event => of(event) && this.tell(of(event)));
      root.addEventListener('pointerout', event => of(event) && !this.drag && this.tell(this.held));
      root.addEventListener('focusin', event => of(event) && this.focused(of(event)));
      root.addEventListener('focusout', event => of(event) && this.tell(this.held = null));
      root.addEventListener('keydown', event => of(event) && this.key(event, of(event)));
      root.addEventListener('pointerdown', event => of(event) && this.down(event, of(event)));
      root.addEventListener('pointermove', event => this.move(event));
      root.addEventListener('pointerup', () => { this.drag = null; });
      root.addEventListener('pointercancel', () => { this.drag = null; });
    }
    byId('show-numbers').addEventListener('change', event => {
      this.numbers = event.target.checked;
      this.build();
    });
    new ResizeObserver(() => this.place()).observe(columns);
    new ResizeObserver(() => this.place()).observe(byId('network'));
  }

  /** The sizes of all levels, the features first. */
  sizes() {
    const { features, layers } = this.trainer.description;
    return [features.length, ...layers.map(layer => layer.units), 1];
  }

  /** Where a weight stands among the parameters. */
  index(l, u, i) {
    const sizes = this.sizes();
    let start = 0;
    for (let k = 0; k < l; k++) start += sizes[k + 1] * (sizes[k] + 1);
    return i === null ? start + sizes[l + 1] * sizes[l] + u : start + u * sizes[l] + i;
  }

  build() {
    const sizes = this.sizes();
    const svg = byId('links');
    this.picked = this.held = this.told = null;
    const all = sizes.slice(1).reduce((sum, size, l) => sum + size * sizes[l], 0);
    this.many = all > MOST;
    this.list = [];
    svg.replaceChildren();
    if (this.many) return this.place();
    for (let l = 0; l + 1 < sizes.length; l++) {
      for (let u = 0; u < sizes[l + 1]; u++) for (let i = 0; i < sizes[l]; i++) this.list.push(this.link(l, u, i));
    }
    const numbers = this.numbers ? this.list.map(link => link.number) : [];
    svg.append(...this.list.map(link => link.curve), ...numbers, ...this.list.map(link => link.hit));
    this.place();
  }

  link(l, u, i) {
    const curve = document.createElementNS(SVG, 'path');
    curve.setAttribute('class', 'link');
    const hit = document.createElementNS(SVG, 'path');
    const attributes = {
      class: 'hit', id: `weight-${l}-${u}-${i}`, role: 'slider', tabindex: u || i ? '-1' : '0', 'aria-orientation': 'vertical',
      'aria-label': `Weight from ${this.network.unitName(l - 1, i)} to ${this.network.unitName(l, u)}`, 'aria-valuenow': '0',
    };
    for (const [name, value] of Object.entries(attributes)) hit.setAttribute(name, value);
    Object.assign(hit.dataset, { layer: l, unit: u, input: i });
    const number = document.createElementNS(SVG, 'text');
    number.setAttribute('class', 'number');
    return { l, u, i, curve, hit, number, index: this.index(l, u, i) };
  }

  /** The face of a unit of a level; level 0 holds the features. */
  face(level, i) {
    if (level > 0) return byId(`unit-${level - 1}-${i}`);
    const { names, description } = this.trainer;
    return byId(`feature-${names.features.indexOf(description.features[i])}`);
  }

  /** Lays the curves between the units. */
  place() {
    const network = byId('network');
    const frame = network.getBoundingClientRect();
    if (!frame.width || !this.trainer.description) return;
    const [width, height] = [network.scrollWidth, network.scrollHeight];
    const svg = byId('links');
    svg.setAttribute('width', width);
    svg.setAttribute('height', height);
    this.size = [width, height];
    const sizes = this.sizes();
    this.ends = sizes.map((size, level) => Array.from({ length: size }, (_, i) => {
      const face = this.face(level, i)?.getBoundingClientRect();
      return face && { left: face.left - frame.left, right: face.right - frame.left, y: face.top - frame.top + face.height / 2, h: face.height };
    }));
    for (const link of this.list) {
      const path = this.path(link.l, link.u, link.i);
      if (!path) continue;
      link.curve.setAttribute('d', path);
      link.hit.setAttribute('d', path);
      if (this.numbers) this.placeNumber(link);
    }
    this.draw();
  }

  /** Numbers stand on their curves, each at another place so that they do not cover each other. */
  placeNumber({ l, i, number, curve }) {
    const share = 0.56 + 0.36 * (i + 0.5) / this.ends[l].length;
    const { x, y } = curve.getPointAtLength(curve.getTotalLength() * share);
    number.setAttribute('x', r(x));
    number.setAttribute('y', r(y));
  }

  path(l, u, i) {
    const [from, to] = [this.ends[l]?.[i], this.ends[l + 1]?.[u]];
    if (!from || !to) return;
    const inputs = this.ends[l].length;
    // The ends are spread over the unit's edge, so that curves do not cover each other.
    const y = to.y + (inputs > 1 ? (i / (inputs - 1) - 0.5) * to.h * 0.7 : 0);
    const middle = (from.right + to.left) / 2;
    return `M${r(from.right)} ${r(from.y)}C${r(middle)} ${r(from.y)} ${r(middle)} ${r(y)} ${r(to.left)} ${r(y)}`;
  }

  draw() {
    const { values } = this.trainer;
    const canvas = byId('links-many');
    canvas.hidden = !this.many;
    if (!values || !this.ends) return;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const width = value => rem * Math.min(0.03 + 0.13 * Math.abs(value), 0.5);
    if (this.many) this.drawMany(canvas, values, width);
    for (const link of this.list) {
      const value = values[link.index] ?? 0;
      const on = !this.picked || (link.l === this.picked[0] && link.u === this.picked[1]) || (link.l - 1 === this.picked[0] && link.i === this.picked[1]);
      const state = `${value.toFixed(3)} ${on}`;
      if (link.state === state && link.look === this.look) continue;
      link.state = state;
      link.curve.style.strokeWidth = `${width(value).toFixed(2)}px`;
      link.curve.style.stroke = colour(tint(value));
      link.curve.style.opacity = on ? Math.min(0.35 + Math.abs(value), 1) : 0.06;
      if (this.numbers) {
        link.number.textContent = value.toFixed(2).replace('-', '−');
        link.number.style.opacity = on ? 1 : 0;
      }
      link.hit.setAttribute('aria-valuenow', value.toFixed(4));
      link.hit.setAttribute('aria-valuetext', short(value, 3));
    }
    const sizes = this.sizes();
    for (let l = 0; l + 1 < sizes.length; l++) for (let u = 0; u < sizes[l + 1]; u++) {
      const bias = byId(`bias-${l}-${u}`);
      const value = values[this.index(l, u, null)] ?? 0;
      if (!bias) continue;
      bias.style.background = colour(Math.tanh(value * 1.5));
      bias.setAttribute('aria-valuenow', value.toFixed(4));
      bias.setAttribute('aria-valuetext', short(value, 3));
    }
    if (this.told) this.tell(this.told);
  }

  /** Networks of too many weights: those of the picked unit, or the largest, on one canvas. */
  drawMany(canvas, values, width) {
    const [w, h] = this.size;
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, w, h);
    const sizes = this.sizes();
    const drawn = [];
    for (let l = 0; l + 1 < sizes.length; l++) for (let u = 0; u < sizes[l + 1]; u++) for (let i = 0; i < sizes[l]; i++) {
      const { picked } = this;
      if (picked && !(l === picked[0] && u === picked[1]) && !(l - 1 === picked[0] && i === picked[1])) continue;
      drawn.push([l, u, i, values[this.index(l, u, i)]]);
      if (drawn.length > 40000) break;
    }
    drawn.sort((a, b) => Math.abs(b[3]) - Math.abs(a[3]));
    for (const [l, u, i, value] of drawn.slice(0, 1500).reverse()) {
      const path = this.path(l, u, i);
      if (!path) continue;
      context.strokeStyle = colour(tint(value));
      context.globalAlpha = Math.min(0.25 + Math.abs(value), 0.9);
      context.lineWidth = width(value);
      context.stroke(new Path2D(path));
    }
  }

  /** Shows the weights of one unit; of all units at the second click. */
  only(l, u) {
    const same = this.picked?.[0] === l && this.picked[1] === u;
    if (this.picked) byId(`unit-${this.picked.join('-')}`)?.setAttribute('aria-pressed', 'false');
    document.querySelector('.unit.lit')?.classList.remove('lit');
    this.picked = same ? null : [l, u];
    if (!same) {
      byId(`unit-${l}-${u}`).setAttribute('aria-pressed', 'true');
      byId(`unit-${l}-${u}`).parentElement.classList.add('lit');
    }
    this.draw();
  }

  where({ dataset: { layer, unit, input } }) {
    return [Number(layer), Number(unit), input === undefined ? null : Number(input)];
  }

  tell(element) {
    this.told = element;
    if (!element) return this.network.tell('');
    this.network.tell(element.getAttribute('aria-label'), this.trainer.values?.[this.index(...this.where(element))]);
  }

  /** Of each layer, one weight is reached by the tab key: the last one that was there. */
  focused(element) {
    const [l, , i] = this.where(element);
    const kind = i === null ? `[id^="bias-${l}-"]` : `[id^="weight-${l}-"]`;
    for (const other of document.querySelectorAll(`${kind}[tabindex="0"]`)) other.setAttribute('tabindex', '-1');
    element.setAttribute('tabindex', '0');
    this.held = element;
    this.tell(element);
  }

  key(event, element) {
    const [l, u, i] = this.where(element);
    const index = this.index(l, u, i);
    const size = event.shiftKey ? 0.01 : 0.1;
    const step = { ArrowUp: size, ArrowDown: -size, PageUp: 1, PageDown: -1 }[event.key];
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) this.trainer.set(index, Math.fround(this.trainer.values[index] + step));
    else if (event.key === '0' || event.key === 'Home') this.trainer.set(index, 0);
    else if (move) {
      const of = [...document.querySelectorAll(i === null ? `[id^="bias-${l}-"]` : `[id^="weight-${l}-"]`)];
      of[(of.indexOf(element) + move + of.length) % of.length].focus();
    } else return;
    event.preventDefault();
    this.draw();
  }

  down(event, element) {
    if (event.button) return;
    // A finger that scrolls changes nothing: the first touch takes the weight, the next one drags it.
    if (event.pointerType === 'touch' && document.activeElement !== element) return element.focus({ preventScroll: true });
    const index = this.index(...this.where(element));
    this.drag = { index, y: event.clientY, value: this.trainer.values?.[index] ?? 0, element };
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    event.preventDefault();
  }

  move(event) {
    if (!this.drag) return;
    const { index, y, value, element } = this.drag;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.trainer.set(index, Math.fround(value + (y - event.clientY) / (3 * rem)));
    this.tell(element);
    this.draw();
  }
}

const r = x => x.toFixed(1);
/** Small weights keep a color that can be told from the ground. */
const tint = value => Math.sign(value) * (0.45 + 0.55 * Math.min(Math.abs(value), 1)) || 0;
