// The settings of a training: what they show, and what they change.
import { announce, byId, count, make, say, sentence } from './say.js';
import { colour } from './colour.js';

const RATES = [0.00001, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const PENALTIES = [0, 0.00001, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
/** Optimizers that take a smaller rate than plain descent. */
const ADAPTIVE = /adam|rms|ada/i;

export class Controls {
  constructor(trainer) {
    this.trainer = trainer;
    const { names } = trainer;
    fill('activation', names.activations);
    fill('optimizer', names.optimizers);
    this.buttons();
    this.settings();
    this.data();
    trainer.on('description', () => this.show());
    trainer.on('started', () => this.show());
    trainer.on('playing', playing => this.playing(playing));
    trainer.on('frame', () => this.counts());
    trainer.on('theme', () => this.thumbnails());
    trainer.on('points', () => this.offered === trainer.description.task && this.thumbnails(['own']));
  }

  buttons() {
    const { trainer } = this;
    byId('play').addEventListener('click', () => trainer.playing ? trainer.pause() : trainer.play());
    byId('step').addEventListener('click', () => { trainer.pause(); trainer.steps(1).catch(() => {}); });
    byId('reset').addEventListener('click', () => trainer.restart());
    byId('pace').addEventListener('change', event => { trainer.pace.choice = event.target.value; });
    // Space starts and stops where no control takes it.
    addEventListener('keydown', event => {
      if (event.key === ' ' && event.target === document.body) { event.preventDefault(); byId('play').click(); }
    });
  }

  playing(playing) {
    const play = byId('play');
    play.setAttribute('aria-pressed', playing);
    play.setAttribute('aria-label', playing ? 'Pause' : 'Play');
    play.firstElementChild.textContent = playing ? '⏸\ufe0e' : '▶';
    document.body.classList.toggle('playing', playing);
  }

  counts() {
    const { lab } = this.trainer;
    byId('epoch').textContent = lab.epoch < 1e4 && lab.epoch % 1 ? lab.epoch.toFixed(1) : count(lab.epoch);
    byId('step-count').textContent = count(lab.step);
  }

  settings() {
    const { trainer } = this;
    const changed = (id, f, options) => byId(id).addEventListener('change', event => {
      const { value, validity } = event.target;
      if (validity && !validity.valid) {
        say('problem', `${sentence(event.target.validationMessage)} Nothing was changed.`);
        return this.show();
      }
      trainer.edit(next => f(next, value), options);
    });
    changed('task', (next, task) => {
      next.task = task;
      if (next.data !== 'own') next.data = trainer.names[task][0];
      else if (task === 'classification') next.points = next.points.map((x, i) => i % 3 < 2 ? x : x < 0 ? -1 : 1);
    });
    changed('activation', (next, activation) => { for (const layer of next.layers) layer.activation = activation; });
    changed('optimizer', (next, optimizer) => {
      // A rate that suits one kind of rule is far off for the other.
      if (ADAPTIVE.test(optimizer) !== ADAPTIVE.test(next.optimizer)) next.rate = ADAPTIVE.test(optimizer) ? 0.01 : 0.03;
      next.optimizer = optimizer;
    });
    for (const id of ['rate', 'l1', 'l2']) changed(id, (next, value) => { next[id] = Number(value); });
    changed('seed', (next, value) => { next.seed = Number(value); });
    byId('seed-next').addEventListener('click', () => trainer.edit(next => { next.seed = (next.seed + 1) % 2 ** 32; }));
    changed('rows', (next, value) => { next.rows = Number(value); });
    byId('data-next').addEventListener('click', () => trainer.edit(next => { next.data_seed = (next.data_seed + 1) % 2 ** 32; }));
    const slides = (id, f, text) => {
      byId(id).addEventListener('input', event => { byId(`${id}-value`).textContent = text(Number(event.target.value)); });
      changed(id, (next, value) => f(next, Number(value)));
    };
    slides('noise', (next, value) => { next.noise = value; }, value => `${value} %`);
    slides('train', (next, value) => { next.train = value / 100; }, value => `${value} %`);
    slides('batch', (next, value) => { next.batch = value; }, value => value ? String(value) : 'all');
    byId('show-test').addEventListener('change', event => trainer.edit(next => { next.show_test = event.target.checked; }));
    byId('discretize').addEventListener('change', event => trainer.edit(next => { next.discretize = event.target.checked; }));
  }

  /** The radio buttons of the data sets. */
  data() {
    const { trainer } = this;
    byId('data').addEventListener('change', event => {
      const data = event.target.value;
      // There is nothing to learn before the first point.
      if (data === 'own') return trainer.emit('draw');
      trainer.edit(next => {
        next.data = data;
        next.points = [];
      });
      announce(`The data are ${data}.`);
    });
  }

  show() {
    const { description: of, names } = this.trainer;
    byId('task').value = of.task;
    const kinds = new Set(of.layers.map(layer => layer.activation));
    choose('activation', kinds.size === 1 ? [...kinds][0] : '', 'mixed');
    choose('optimizer', of.optimizer);
    numbers('rate', RATES, of.rate);
    numbers('l1', PENALTIES, of.l1);
    numbers('l2', PENALTIES, of.l2);
    byId('seed').value = of.seed;
    byId('rows').value = of.rows;
    byId('rows').disabled = of.data === 'own';
    byId('data-next').disabled = of.data === 'own';
    byId('noise').value = of.noise;
    byId('noise').disabled = of.data === 'own';
    byId('noise-value').textContent = `${of.noise} %`;
    byId('train').value = of.train * 100;
    byId('train-value').textContent = `${Math.round(of.train * 100)} %`;
    byId('batch').max = Math.max(30, of.batch);
    byId('batch').value = of.batch;
    byId('batch-value').textContent = of.batch ? of.batch : 'all';
    byId('show-test').checked = of.show_test;
    byId('discretize').checked = of.discretize;
    if (this.offered !== of.task) {
      this.offered = of.task;
      byId('data').replaceChildren(...names[of.task].map(name => make('label', {},
        make('input', { type: 'radio', name: 'data', value: name, id: `data-${name}` }),
        make('canvas', { width: 48, height: 48, 'aria-hidden': 'true', id: `thumbnail-${name}` }), name)));
      this.thumbnails();
    }
    byId(`data-${of.data}`).checked = true;
  }

  /** A small picture of each data set. */
  thumbnails(which = this.trainer.names[this.offered] ?? []) {
    const { engine, description } = this.trainer;
    for (const data of which) {
      const canvas = byId(`thumbnail-${data}`);
      const context = canvas.getContext('2d');
      context.clearRect(0, 0, 48, 48);
      const own = data === 'own';
      const points = own ? null : engine.points({ ...engine.describe(`#data=${data}`), rows: 120, seed: 1 }).train;
      const values = own ? description.points : points;
      for (let i = 0; i < values.length; i += 3) {
        context.fillStyle = colour(values[i + 2]);
        context.fillRect((values[i] + 6) / 12 * 44 + 1, (6 - values[i + 1]) / 12 * 44 + 1, 2.5, 2.5);
      }
      if (own && !values?.length) {
        context.font = '30px sans-serif';
        context.fillStyle = getComputedStyle(canvas).color;
        context.textAlign = 'center';
        context.fillText('✎', 24, 35);
      }
    }
  }
}

function fill(id, values) {
  byId(id).replaceChildren(...values.map(value => make('option', { value }, value)));
}

/** Shows a value of a select; one that is not on offer is put there. */
function choose(id, value, text = value) {
  const select = byId(id);
  select.querySelector('[data-extra]')?.remove();
  if (![...select.options].some(option => option.value === value)) {
    select.prepend(make('option', { value, 'data-extra': true }, text));
  }
  select.value = value;
}

function numbers(id, values, value) {
  const select = byId(id);
  if (!select.options.length) fill(id, values);
  choose(id, String(value));
}
