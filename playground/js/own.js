// Points of the reader's own: pasted, or from a CSV.
import { byId, say, sentence } from './say.js';

export class OwnPoints {
  constructor(trainer) {
    this.trainer = trainer;
    byId('own-read').addEventListener('click', () => this.read(byId('own-text').value));
    byId('own-copy').addEventListener('click', () => this.copy());
    byId('own-undo').addEventListener('click', () => this.points(points => points.slice(0, -3)));
    byId('own-clear').addEventListener('click', () => this.points(() => []));
    byId('own-file').addEventListener('change', event => this.file(event.target.files[0]));
    droppable([byId('own-drop'), byId('map')], file => this.file(file));
    trainer.on('draw', () => {
      say('data-message', 'Click on the output map. Your first point takes the place of these.');
    });
    trainer.on('description', of => this.show(of));
    trainer.on('started', () => this.show(trainer.description));
  }

  show({ task, data, points }) {
    say('data-message');
    const classes = task === 'classification';
    byId('own-target-label').hidden = classes;
    byId('own-class').parentElement.hidden = !classes;
    for (const id of ['own-undo', 'own-clear']) byId(id).disabled = data !== 'own' || !points.length;
    if (data === 'own' && points.length < 12) this.say('Set a few more points: a part of them is for the test.');
  }

  say(message) { byId('own-message').textContent = message; }

  points(f) {
    this.say('');
    const { trainer } = this;
    return trainer.edit(next => {
      next.points = f(next.points);
      // Without a point there is nothing to learn.
      next.data = next.points.length ? 'own' : trainer.names[next.task][0];
      if (!next.points.length) this.say('All points are removed. Click on the output map to set the first one.');
    });
  }

  async file(file) {
    if (!file) return;
    if (file.size > 20e6) return this.say(`${file.name} has more than 20 MB. Take a part of it.`);
    try {
      await this.read(await file.text(), file.name);
    } catch (error) {
      this.say(`${file.name} cannot be read: ${error.message}`);
    }
  }

  async read(text, name = '') {
    let table;
    try {
      table = this.trainer.engine.read_points(text);
    } catch (error) {
      return this.say(`${name ? `${name}: ` : ''}${sentence(error.message)}`);
    }
    await this.trainer.edit(next => {
      next.task = table.task;
      next.data = 'own';
      next.points = [...table.points];
    });
    this.say(sentence(table.message || `${table.points.length / 3} points are read`));
  }

  /** The points in sight become the reader's own. */
  copy() {
    const { points } = this.trainer;
    const round = value => Math.round(value * 100) / 100;
    const rows = [...points.train, ...points.test].map((value, i) => i % 3 < 2 ? Math.max(-6, Math.min(6, round(value))) : round(value));
    return this.trainer.edit(next => {
      if (next.task === 'classification') rows.forEach((value, i) => { if (i % 3 === 2) rows[i] = value < 0 ? -1 : 1; });
      next.data = 'own';
      next.points = rows;
    });
  }
}

/** Lets a file be dropped on elements. */
export function droppable(elements, take) {
  for (const element of elements) {
    element.addEventListener('dragover', event => { event.preventDefault(); element.classList.add('over'); });
    element.addEventListener('dragleave', () => element.classList.remove('over'));
    element.addEventListener('drop', event => {
      event.preventDefault();
      event.stopPropagation();
      element.classList.remove('over');
      if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
    });
  }
}
