// The output over the plane, with the points; a click or the enter key sets points of the reader's own.
import { announce, byId, short } from './say.js';
import { colour, drawMap, fitted } from './colour.js';

export class OutputMap {
  constructor(trainer) {
    this.trainer = trainer;
    this.cross = null;
    for (const name of ['points', 'description', 'theme', 'started']) trainer.on(name, () => { this.points(); this.draw(); });
    trainer.on('frame', () => this.draw());
    const canvas = byId('output-points');
    new ResizeObserver(() => this.points()).observe(canvas);
    canvas.addEventListener('click', event => {
      // Keyboard clicks have no place.
      if (event.detail) this.add(...this.place(event), event.shiftKey);
    });
    canvas.addEventListener('pointermove', event => this.tell(...this.place(event)));
    canvas.addEventListener('pointerleave', () => { byId('map-value').textContent = '\u00a0'; });
    canvas.addEventListener('keydown', event => this.key(event));
    canvas.addEventListener('blur', () => { this.cross = null; this.points(); });
  }

  draw() {
    const { maps, description: { task, discretize }, range = 1, scores } = this.trainer;
    if (!maps) return;
    drawMap(byId('output-map'), maps.output, maps.outputSide, { discretize, range });
    byId('scale-low').textContent = short(-range, range === 1 ? 0 : 2);
    byId('scale-high').textContent = short(range, range === 1 ? 0 : 2);
    if (scores) {
      byId('loss-train').textContent = short(scores.train, 4);
      byId('loss-test').textContent = Number.isNaN(scores.test) ? '–' : short(scores.test, 4);
      const classes = task === 'classification';
      for (const [id, value] of [['accuracy-train', scores.train_accuracy], ['accuracy-test', scores.test_accuracy]]) {
        byId(`${id}-box`).hidden = !classes;
        byId(id).textContent = Number.isFinite(value) ? `${(100 * value).toFixed(1)} %` : '–';
      }
      byId('output-map').setAttribute('aria-label', `Output of the network over the plane, x₁ to the right and x₂ upwards, both from −6 to 6. Training loss ${short(scores.train)}, test loss ${short(scores.test)}.`);
    }
    if (this.cross && document.activeElement === byId('output-points')) this.tell(...this.cross);
  }

  /** Draws the points: test points are hollow. */
  points() {
    const { points, description, range = 1 } = this.trainer;
    if (!points || !description) return;
    const { context, width } = fitted(byId('output-points'));
    const size = Math.max(2.2, width / 110);
    const at = (x1, x2) => [(x1 + 6) / 12 * width, (6 - x2) / 12 * width];
    const draw = (values, test) => {
      for (let i = 0; i < values.length; i += 3) {
        const [x, y] = at(values[i], values[i + 1]);
        context.beginPath();
        context.arc(x, y, size, 0, 2 * Math.PI);
        const color = colour(values[i + 2] / range);
        context.fillStyle = test ? '#fff' : color;
        context.strokeStyle = test ? color : '#fffc';
        context.lineWidth = size * (test ? 0.7 : 0.35);
        context.fill();
        if (test) { context.strokeStyle = '#000a'; context.lineWidth = size; context.stroke(); context.strokeStyle = color; context.lineWidth = size * 0.65; }
        context.stroke();
      }
    };
    if (description.show_test) draw(points.test, true);
    draw(points.train, false);
    if (this.cross) {
      const [x, y] = at(...this.cross);
      for (const [style, line] of [['#fff', 4], ['#000', 1.6]]) {
        context.strokeStyle = style;
        context.lineWidth = line;
        context.beginPath();
        context.moveTo(x - 10, y); context.lineTo(x + 10, y);
        context.moveTo(x, y - 10); context.lineTo(x, y + 10);
        context.stroke();
      }
    }
  }

  /** The point of the plane under the mouse. */
  place(event) {
    const box = byId('output-points').getBoundingClientRect();
    const within = value => Math.max(-6, Math.min(6, value));
    return [within((event.clientX - box.left) / box.width * 12 - 6), within(6 - (event.clientY - box.top) / box.height * 12)];
  }

  tell(x1, x2) {
    const { maps } = this.trainer;
    if (!maps) return;
    const side = maps.outputSide;
    const cell = value => Math.round(Math.max(0, Math.min(1, value)) * (side - 1));
    const value = maps.output[cell((6 - x2) / 12) * side + cell((x1 + 6) / 12)];
    byId('map-value').textContent = `x₁ ${short(x1, 1)}, x₂ ${short(x2, 1)}: ${short(value)}`;
  }

  key(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (move) {
      const size = 0.5;
      const from = this.cross ?? [0, 0];
      this.cross = from.map((value, i) => Math.max(-6, Math.min(6, value + size * move[i])));
      this.points();
      this.tell(...this.cross);
      announce(byId('map-value').textContent);
    } else if (event.key === 'Enter') this.add(...(this.cross ?? [0, 0]), event.shiftKey);
    else if (event.key === 'Escape') { this.cross = null; this.points(); } else return;
    event.preventDefault();
  }

  /** Sets a point. Other data than the reader's own give way to an empty plane first. */
  add(x1, x2, other) {
    const { trainer } = this;
    const classes = trainer.description.task === 'classification';
    const chosen = classes ? Number(byId('own-class').value) : Number(byId('own-target').value);
    if (!Number.isFinite(chosen)) return;
    const target = other ? -chosen : chosen;
    const round = value => Math.round(value * 100) / 100;
    trainer.edit(next => {
      if (next.data !== 'own') {
        next.data = 'own';
        next.points = [];
      }
      next.points = [...next.points, round(x1), round(x2), target];
    });
    announce(`A point of ${target} is set at ${round(x1)}, ${round(x2)}.`);
  }
}
