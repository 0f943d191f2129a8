// The gradient's health by layer, and the three gradients side by side.
import { byId, make, say, sentence, short } from './say.js';

const EVERY = 600;  // milliseconds
const ROWS = 400;

export class Health {
  constructor(trainer) {
    this.trainer = trainer;
    this.next = 0;
    trainer.looking.add(lab => this.look(lab));
    new IntersectionObserver(entries => { this.visible = entries.at(-1).isIntersecting; }).observe(byId('health'));
    byId('gradients-run').addEventListener('click', () => this.gradients());
    for (const name of ['started', 'description']) trainer.on(name, () => this.layers());
  }

  layers() {
    const { layers } = this.trainer.description;
    const select = byId('gradients-layer');
    const { value } = select;
    select.replaceChildren(...layers.map((_, l) => make('option', { value: l }, `Hidden layer ${l + 1}`)), make('option', { value: layers.length }, 'Output'));
    if (Number(value) <= layers.length) select.value = value || 0;
    byId('gradients-run').disabled = false;
  }

  async look(lab) {
    const { playing, model } = this.trainer;
    const now = performance.now();
    if (playing && (!this.visible || now < this.next)) return;
    try {
      const rows = await lab.health(model);
      this.next = performance.now() + Math.max(EVERY, 4 * (performance.now() - now));
      say('health-problem');
      byId('health').tBodies[0].replaceChildren(...rows.map(row => {
        const verdict = make('td', row.verdict ? { class: 'bad' } : {}, row.verdict || 'well');
        const name = row.layer === rows.length - 1 ? 'Output' : `${row.layer + 1}`;
        return make('tr', {}, make('th', { scope: 'row' }, `${name}, ${row.activation}`), cell(brief(row.gradient_norm)), cell(brief(row.ratio)),
          cell(`${row.dead}/${row.units}`), cell(`${Math.round(100 * row.saturated)} %`), verdict);
      }));
    } catch (error) {
      if (error.name === 'DeviceError') throw error;
      say('health-problem', sentence(error.message));
    }
  }

  async gradients() {
    say('gradients-problem');
    const { trainer } = this;
    const layer = Number(byId('gradients-layer').value);
    try {
      const { names, backprop, differences, by_hand, largest_error } = await trainer.run(lab => lab.gradients(trainer.model, layer));
      say('gradients-error', `The largest error between them is ${largest_error.toExponential(2)}${names.length > ROWS ? `; the first ${ROWS} of ${names.length} rows are shown` : ''}.`);
      byId('gradients-box').hidden = false;
      byId('gradients').tBodies[0].replaceChildren(...names.slice(0, ROWS).map((name, i) => make('tr', {}, make('th', { scope: 'row' }, name),
        cell(digits(backprop[i])), cell(digits(differences[i])), cell(by_hand ? digits(by_hand[i]) : '–'))));
    } catch (error) {
      say('gradients-problem', sentence(error.message));
    }
  }
}

const cell = text => make('td', {}, text);
const digits = value => value.toFixed(6).replace('-', '−');
const brief = value => value === 0 ? '0' : value >= 0.001 && value < 1e4 ? short(value, 4) : value.toExponential(1);
