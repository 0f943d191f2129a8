// What the page shows of a network: losses, maps and parameters, as often and as fine as there is time for.

const OUTPUT = 96;      // points of a side of the output map
const MAPS = 30;        // milliseconds that maps may take while it learns

export class Look {
  #next = 0;
  #fine = 1;
  #others = [];

  constructor(trainer) { this.trainer = trainer; }

  /** Whether it is time to look again. */
  get due() { return performance.now() >= this.#next; }

  /** Adds what else is looked at: `(lab) => Promise`, called one after the other. */
  add(other) { this.#others.push(other); }

  async take() {
    const { trainer } = this;
    const began = performance.now();
    const { lab, model, description } = trainer;
    const units = description.layers.reduce((sum, layer) => sum + layer.units, 0);
    trainer.scores = await lab.losses(model);
    trainer.maps = await this.#maps(lab, units <= 48 ? 32 : units <= 400 ? 16 : 8);
    const values = await lab.parameters(model);
    if (!trainer.touched) trainer.values = values;
    trainer.last = { description: { ...description, models: 1 }, parameters: values, step: lab.step, epochs: lab.epoch };
    trainer.emit('frame');
    for (const other of this.#others) await other(lab);
    // Looking takes half of the time at most.
    const took = performance.now() - began;
    this.#next = performance.now() + (trainer.playing ? Math.min(took, 400) : 0);
  }

  /** The maps, as fine as there is time for while it learns. */
  async #maps(lab, side) {
    const { playing, model } = this.trainer;
    const fine = playing ? this.#fine : 1;
    const sides = [Math.max(6, Math.round(side * fine)), Math.round(OUTPUT * fine)];
    const began = performance.now();
    const maps = await lab.maps(model, ...sides);
    const took = performance.now() - began;
    if (playing && lab.kind === 'cpu') this.#fine = Math.max(0.25, Math.min(1, fine * Math.sqrt(MAPS / took)));
    return { side: sides[0], outputSide: sides[1], ...maps };
  }
}
