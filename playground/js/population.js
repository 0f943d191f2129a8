// Many networks at once: a mosaic of their maps, a histogram of their losses, and one that is picked.
import { announce, byId, count, say, sentence, short } from './say.js';
import { fitted, image } from './colour.js';
import { styled } from './theme.js';

const PAGE = 1000;  // maps of a page
const PART = 100;   // maps that are fetched at once
const BINS = 40;

export class Population {
  constructor(trainer) {
    this.trainer = trainer;
    this.first = 0;
    this.next = 0;
    this.cursor = 0;
    trainer.looking.add(lab => this.look(lab));
    trainer.on('description', () => this.show());
    trainer.on('started', () => this.show());
    trainer.on('restart', () => { this.maps = null; this.next = 0; });
    trainer.on('lab', () => { this.next = 0; });
    trainer.on('model', model => { byId('model').value = model; this.draw(); });
    trainer.on('theme', () => this.draw());
    byId('models').addEventListener('change', event => {
      trainer.model = event.target.value === '1' ? trainer.model : 0;
      this.first = 0;
      say('population-problem');
      trainer.edit(next => { next.models = Number(event.target.value); }).then(() => {
        if (!byId('problem').hidden) say('population-problem', byId('problem').textContent);
      });
    });
    byId('model').addEventListener('change', event => this.pick(Number(event.target.value)));
    byId('model-best').addEventListener('click', () => this.best());
    byId('mosaic-sorted').addEventListener('change', () => { this.sort(); this.draw(); });
    byId('mosaic-back').addEventListener('click', () => this.page(-1));
    byId('mosaic-on').addEventListener('click', () => this.page(1));
    this.mouse();
    new ResizeObserver(() => this.draw()).observe(byId('population'));
  }

  get models() { return this.trainer.description.models; }

  show() {
    const { models } = this;
    const many = models > 1;
    const select = byId('models');
    select.querySelector('[data-extra]')?.remove();
    if (![...select.options].some(option => Number(option.text) === models)) {
      const option = new Option(models, models);
      option.dataset.extra = '';
      select.add(option);
    }
    select.value = models;
    for (const id of ['population', 'model-label', 'model-best', 'mosaic-sorted-label']) byId(id).hidden = !many;
    byId('mosaic-pages').hidden = models <= PAGE;
    byId('model').max = models - 1;
    byId('model').value = this.trainer.model;
    if (!many || this.shown !== models) { this.maps = this.losses = null; this.first = 0; this.next = 0; }
    this.shown = models;
    this.count = Math.min(PAGE, models - this.first);
    this.side = models <= 100 ? 32 : 16;
    byId('mosaic-page').textContent = `${count(this.first)} to ${count(this.first + this.count - 1)}`;
    byId('mosaic-back').disabled = !this.first;
    byId('mosaic-on').disabled = this.first + PAGE >= models;
  }

  page(by) {
    this.first = Math.max(0, Math.min(this.first + by * PAGE, Math.floor((this.models - 1) / PAGE) * PAGE));
    this.maps = null;
    this.next = 0;
    this.show();
    this.trainer.look();
  }

  /** Fetches losses and a part of the maps; all of them where nothing is going on. */
  async look(lab) {
    if (this.models === 1) return;
    const began = performance.now();
    const { playing } = this.trainer;
    if (playing && began < this.next) return;
    this.losses = await lab.population();
    const { side, first, count: wanted } = this;
    const cells = side * side;
    const whole = !this.maps || this.maps.length !== wanted * cells || !playing;
    if (whole) { this.maps = new Float32Array(wanted * cells); this.part = 0; }
    do {
      const from = this.part;
      const n = Math.min(PART, wanted - from);
      const { maps } = await lab.mosaic(first + from, n, side);
      if (this.maps?.length !== wanted * cells) return;
      this.maps.set(maps, from * cells);
      this.part = from + n >= wanted ? 0 : from + n;
    } while (whole && this.part);
    this.sort();
    this.draw();
    this.next = performance.now() + Math.max(60, 1.5 * (performance.now() - began));
  }

  sort() {
    if (!this.losses) return;
    const order = Array.from({ length: this.count }, (_, i) => i);
    if (byId('mosaic-sorted').checked) {
      const { train } = this.losses;
      const of = i => Number.isFinite(train[this.first + i]) ? train[this.first + i] : Infinity;
      order.sort((a, b) => of(a) - of(b) || a - b);
    }
    this.order = order;
  }

  /** Columns and rows of the mosaic. */
  grid() {
    const wide = byId('population').clientWidth > 500;
    const columns = Math.min(this.count, Math.ceil(Math.sqrt(this.count * (wide ? 2.5 : 1))));
    return [columns, Math.ceil(this.count / columns)];
  }

  draw() {
    if (this.models === 1 || !this.maps || !this.order) return;
    const canvas = byId('mosaic');
    const [columns, rows] = this.grid();
    const { side } = this;
    const tile = side + 2;
    if (canvas.width !== columns * tile || canvas.height !== rows * tile) [canvas.width, canvas.height] = [columns * tile, rows * tile];
    const context = canvas.getContext('2d');
    context.fillStyle = styled('--panel');
    context.fillRect(0, 0, canvas.width, canvas.height);
    const { range = 1, description: { discretize }, model } = this.trainer;
    this.order.forEach((i, place) => {
      const [x, y] = [place % columns * tile + 1, Math.floor(place / columns) * tile + 1];
      const values = this.maps.subarray(i * side * side, (i + 1) * side * side);
      context.putImageData(image(values, side, range, discretize), x, y);
      if (i + this.first === model) frame(context, x, y, side, styled('--text'));
      if (place === this.cursor && document.activeElement === canvas) frame(context, x, y, side, styled('--accent'));
    });
    this.histogram();
  }

  histogram() {
    const losses = [...this.losses.train];
    const finite = losses.filter(loss => Number.isFinite(loss) && loss > 0);
    const { context, width, height } = fitted(byId('histogram'));
    if (!finite.length || !width) return;
    const low = Math.log10(finite.reduce((a, b) => Math.min(a, b)));
    const high = Math.max(Math.log10(finite.reduce((a, b) => Math.max(a, b))), low + 0.1);
    const bin = loss => Math.min(BINS - 1, Math.floor((Math.log10(loss) - low) / (high - low) * BINS));
    const bins = new Array(BINS).fill(0);
    for (const loss of finite) bins[bin(loss)]++;
    const most = Math.max(...bins);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const floor = height - 1.3 * rem;
    const shown = this.losses.train[this.trainer.model];
    bins.forEach((n, i) => {
      context.fillStyle = styled(shown > 0 && bin(shown) === i ? '--orange' : '--blue');
      const h = n / most * (floor - 2);
      context.fillRect(i / BINS * width + 0.5, floor - Math.max(h, n ? 1.5 : 0), width / BINS - 1, Math.max(h, n ? 1.5 : 0));
    });
    context.fillStyle = styled('--soft');
    context.font = `${0.72 * rem}px system-ui, sans-serif`;
    context.textBaseline = 'bottom';
    for (const [align, x, value] of [['left', 2, low], ['center', width / 2, (low + high) / 2], ['right', width - 2, high]]) {
      context.textAlign = align;
      context.fillText(short(10 ** value, 4), x, height - 1);
    }
    this.scale = { low, high };
    const sorted = finite.sort((a, b) => a - b);
    const text = `Training losses, on a logarithmic scale. Least ${short(sorted[0], 4)}, median ${short(sorted[sorted.length >> 1], 4)}, largest ${short(sorted.at(-1), 4)}${finite.length < losses.length ? `; ${count(losses.length - finite.length)} are zero or have no number` : ''}. The shown network is orange.`;
    byId('histogram-text').textContent = text;
    byId('histogram').setAttribute('aria-label', `Histogram. ${text}`);
  }

  mouse() {
    const canvas = byId('mosaic');
    const place = event => {
      const box = canvas.getBoundingClientRect();
      const [columns, rows] = this.grid();
      const x = Math.floor((event.clientX - box.left) / box.width * columns);
      return Math.floor((event.clientY - box.top) / box.height * rows) * columns + x;
    };
    canvas.addEventListener('click', event => { if (event.detail && this.order) this.choose(place(event)); });
    canvas.addEventListener('pointermove', event => this.order && this.tell(place(event)));
    canvas.addEventListener('focus', () => this.draw());
    canvas.addEventListener('blur', () => this.draw());
    canvas.addEventListener('keydown', event => {
      if (!this.order) return;
      const [columns] = this.grid();
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (by) {
        this.cursor = Math.max(0, Math.min(this.count - 1, this.cursor + by));
        this.tell(this.cursor);
        this.draw();
      } else if (event.key === 'Enter') this.choose(this.cursor);
      else return;
      event.preventDefault();
    });
    byId('histogram').addEventListener('click', event => {
      if (!this.scale) return;
      const box = event.target.getBoundingClientRect();
      const wanted = this.scale.low + (event.clientX - box.left) / box.width * (this.scale.high - this.scale.low);
      const distance = loss => loss > 0 ? Math.abs(Math.log10(loss) - wanted) : Infinity;
      let found = 0;
      this.losses.train.forEach((loss, i, all) => { if (distance(loss) < distance(all[found])) found = i; });
      this.pick(found);
    });
  }

  tell(place) {
    const i = this.order?.[place];
    if (i === undefined) return;
    const model = this.first + i;
    byId('mosaic-text').textContent = `Network ${model}: training loss ${short(this.losses.train[model], 4)}, test loss ${short(this.losses.test[model], 4)}`;
  }

  choose(place) {
    const i = this.order[place];
    if (i === undefined) return;
    this.cursor = place;
    this.pick(this.first + i);
  }

  pick(model) {
    if (!(model >= 0 && model < this.models)) return say('population-problem', sentence(`there is no network ${model}; there are 0 to ${this.models - 1}`));
    say('population-problem');
    announce(`Network ${model} is shown.`);
    return this.trainer.show(model);
  }

  best() {
    if (!this.losses) return;
    let found = 0;
    this.losses.train.forEach((loss, i, all) => { if (loss < all[found] || !Number.isFinite(all[found])) found = i; });
    return this.pick(found);
  }
}

function frame(context, x, y, side, color) {
  context.strokeStyle = color;
  context.lineWidth = 2;
  context.strokeRect(x, y, side, side);
}
