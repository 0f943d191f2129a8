// The network: a heat map in every unit, curves for the weights, small squares for the biases.
import { announce, byId, featureText, make, short } from './say.js';
import { drawMap } from './colour.js';
import { Links } from './links.js';

const MANY = 16; // units of a column that stand one below the other

export class Network {
  constructor(trainer) {
    this.trainer = trainer;
    this.links = new Links(this);
    byId('layer-add').addEventListener('click', () => this.addLayer(trainer.description.layers.length));
    byId('layer-remove').addEventListener('click', () => this.deleteLayer(trainer.description.layers.length - 1));
    trainer.on('started', () => this.build());
    trainer.on('description', () => this.build());
    trainer.on('frame', () => this.draw());
    trainer.on('theme', () => this.draw());
  }

  /** Edits the hidden layers; `f` changes a list of layers whose units know where they were. */
  edit(f) {
    return this.trainer.edit(next => {
      const layers = next.layers.map((layer, l) => ({
        activation: layer.activation, units: Array.from({ length: layer.units }, (_, u) => [l, u]),
      }));
      f(layers);
      next.layers = layers.map(({ activation, units }) => ({ activation, units: units.length }));
      return layers.map(({ units }) => units);
    });
  }

  addLayer(place) {
    announce('A hidden layer is added.');
    return this.edit(layers => {
      const beside = layers[place - 1] ?? layers[place];
      const units = Array.from({ length: beside?.units.length ?? 2 }, () => null);
      layers.splice(place, 0, { activation: beside?.activation ?? 'tanh', units });
    });
  }

  deleteLayer(place) {
    announce('A hidden layer is removed.');
    return this.edit(layers => { layers.splice(place, 1); });
  }

  addUnit(layer) { return this.edit(layers => { layers[layer].units.push(null); }); }

  removeUnit(layer, unit) {
    return this.edit(layers => { if (layers[layer].units.length > 1) layers[layer].units.splice(unit, 1); });
  }

  toggleFeature(name) {
    const { trainer } = this;
    trainer.edit(next => {
      const chosen = new Set(next.features);
      if (!chosen.delete(name)) chosen.add(name);
      next.features = trainer.names.features.filter(feature => chosen.has(feature));
    });
  }

  /** Makes the columns anew where the shape is another one. */
  build() {
    const { trainer } = this;
    const { features, layers } = trainer.description;
    const shape = JSON.stringify([features, layers.map(layer => layer.units)]);
    byId('layer-count').textContent = layers.length === 1 ? '1 hidden layer' : `${layers.length} hidden layers`;
    byId('layer-remove').disabled = !layers.length;
    if (shape !== this.shape) {
      this.shape = shape;
      const focus = document.activeElement?.id;
      byId('columns').replaceChildren(this.featureColumn(), ...layers.map((layer, l) => this.layerColumn(layer, l)), this.outputColumn());
      this.links.build();
      // The control that made the change keeps the focus.
      if (focus && document.activeElement === document.body) byId(focus)?.focus({ preventScroll: true });
    }
    layers.forEach((layer, l) => { byId(`layer-${l}-activation`).value = layer.activation; });
    trainer.names.features.forEach((name, i) => {
      const on = features.includes(name);
      byId(`feature-${i}`).setAttribute('aria-pressed', on);
      byId(`feature-${i}`).parentElement.classList.toggle('off', !on);
    });
    this.draw();
  }

  featureColumn() {
    const units = this.trainer.names.features.map((name, i) => make('div', { class: 'unit feature' },
      make('span', { class: 'name', 'aria-hidden': 'true' }, featureText(name)),
      make('button', {
        type: 'button', class: 'face', id: `feature-${i}`, 'aria-pressed': 'false', 'aria-label': `Feature ${featureText(name)}`,
        title: `Feature ${featureText(name)}: a click takes it or leaves it`, onclick: () => this.toggleFeature(name),
      }, make('canvas', { width: 32, height: 32 }))));
    return make('div', { class: 'column', role: 'group', 'aria-label': 'Features' },
      make('div', { class: 'column-head' }, make('strong', {}, 'Features')), make('div', { class: 'units' }, ...units));
  }

  layerColumn({ units }, l) {
    const many = units > MANY;
    const list = make('div', { class: 'units' }, ...Array.from({ length: units }, (_, u) => this.unit(l, u, units > 1 && !many)));
    if (many) list.style.gridTemplateColumns = `repeat(${Math.ceil(units / MANY)}, auto)`;
    list.style.setProperty('--unit', units <= 8 ? '2.5rem' : units <= MANY ? '1.9rem' : '1.3rem');
    if (many) list.style.gap = '0.5rem';
    const button = (what, text, label, action) =>
      make('button', { type: 'button', id: `layer-${l}-${what}`, 'aria-label': `${label} layer ${l + 1}`, title: `${label} layer ${l + 1}`, onclick: action }, text);
    const select = make('select', { id: `layer-${l}-activation`, 'aria-label': `Activation of layer ${l + 1}` },
      ...this.trainer.names.activations.map(name => make('option', { value: name }, name)));
    select.addEventListener('change', () => this.trainer.edit(next => { next.layers[l].activation = select.value; }));
    const minus = button('remove', '−', 'Remove the last unit of', () => this.removeUnit(l, this.trainer.description.layers[l].units - 1));
    minus.disabled = units === 1;
    return make('div', { class: 'column layer', role: 'group', 'aria-label': `Hidden layer ${l + 1}` },
      make('div', { class: 'column-head' },
        make('div', { class: 'stepper' }, minus, button('add', '+', 'Add a unit to', () => this.addUnit(l))),
        make('span', { id: `layer-${l}-count` }, units === 1 ? '1 unit' : `${units} units`), select,
        make('div', { class: 'stepper' },
          button('insert', '⇤', 'Insert a layer before', () => this.addLayer(l)),
          button('delete', '×', 'Remove', () => this.deleteLayer(l)))),
      list);
  }

  outputColumn() {
    const l = this.trainer.description.layers.length;
    return make('div', { class: 'column', role: 'group', 'aria-label': 'Output' },
      make('div', { class: 'column-head' }, make('strong', {}, 'Output')),
      make('div', { class: 'units' }, this.unit(l, 0, false)));
  }

  unit(l, u, removable) {
    const name = this.unitName(l, u);
    const face = make('button', { type: 'button', class: 'face', id: `unit-${l}-${u}`, 'aria-label': name, title: `${name}: a click shows only its weights`, 'aria-pressed': 'false' },
      make('canvas', { width: 32, height: 32 }));
    face.addEventListener('click', () => this.links.only(l, u));
    const parts = [face, make('span', {
      class: 'bias', id: `bias-${l}-${u}`, role: 'slider', tabindex: u ? '-1' : '0', 'aria-label': `Bias of ${name}`,
      'aria-orientation': 'vertical', 'aria-valuenow': '0', 'data-layer': l, 'data-unit': u,
    })];
    if (removable) {
      parts.push(make('button', { type: 'button', class: 'remove', id: `unit-${l}-${u}-remove`, tabindex: '-1', 'aria-label': `Remove ${name}`, title: `Remove ${name}`, onclick: () => this.removeUnit(l, u) }, '×'));
      face.addEventListener('keydown', event => { if (event.key === 'Delete') this.removeUnit(l, u); });
      face.setAttribute('aria-description', 'The delete key removes it.');
    }
    return make('div', { class: 'unit' }, ...parts);
  }

  unitName(l, u) {
    const { layers, features } = this.trainer.description;
    if (l < 0) return featureText(features[u]);
    return l === layers.length ? 'the output' : `unit ${u + 1} of layer ${l + 1}`;
  }

  draw() {
    const { trainer, trainer: { maps, description: { features, layers, discretize, task } } } = this;
    if (!maps || maps.units.length !== layers.length) return;
    const { side } = maps;
    const cells = side * side;
    const of = (values, i) => values.subarray(i * cells, (i + 1) * cells);
    features.forEach((name, i) => {
      const face = byId(`feature-${trainer.names.features.indexOf(name)}`);
      // A feature such as x1 is between -6 and 6; its map shows half of that as full color.
      if ((i + 1) * cells <= maps.features.length) drawMap(face.firstElementChild, of(maps.features, i), side, { range: name.startsWith('sin') ? 1 : /\^|\*/.test(name) ? 12 : 5 });
    });
    this.drawOthers(side);
    layers.forEach((layer, l) => {
      if (maps.units[l].length !== layer.units * cells) return;
      for (let u = 0; u < layer.units; u++) {
        const canvas = byId(`unit-${l}-${u}`)?.firstElementChild;
        if (canvas) drawMap(canvas, of(maps.units[l], u), side, { discretize });
      }
    });
    const output = byId(`unit-${layers.length}-0`)?.firstElementChild;
    if (output) drawMap(output, maps.output, maps.outputSide, { discretize, range: task === 'regression' ? trainer.range ?? 1 : 1 });
    this.links.draw();
  }

  /** The maps of features that the network does not see. */
  drawOthers(side) {
    const { names, description: { features } } = this.trainer;
    names.features.forEach((name, f) => {
      if (features.includes(name)) return;
      const values = new Float32Array(side * side);
      for (let i = 0; i < values.length; i++) {
        const x1 = -6 + 12 * (i % side) / (side - 1);
        const x2 = 6 - 12 * Math.floor(i / side) / (side - 1);
        values[i] = { x1: x1 / 5, x2: x2 / 5, 'x1^2': x1 * x1 / 12, 'x2^2': x2 * x2 / 12, 'x1*x2': x1 * x2 / 12, 'sin(x1)': Math.sin(x1), 'sin(x2)': Math.sin(x2) }[name] ?? 0;
      }
      drawMap(byId(`feature-${f}`).firstElementChild, values, side);
    });
  }

  /** Says a parameter. */
  tell(text, value) { byId('value').textContent = text ? `${text}: ${short(value, 4)}` : 'Point at a weight to read it. Drag it to change it.'; }
}
