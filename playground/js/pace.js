// How many steps a frame takes.

const BUDGET = 12;      // milliseconds of training in a frame
const RAMP = 250;       // milliseconds in which the steps of a frame grow e times: the first steps can be seen
const MOST = 20000;     // steps of a frame

export class Pace {
  /** `fast`, `epoch` or `step`. */
  choice = 'fast';
  /** Milliseconds of a step, lately. */
  cost = 0;
  #burst = 1;
  /** When the last frame began, and what the last ones took: a step, and all of it. */
  #began = 0;
  #lately = [];

  /** The steps of the next frame; `epoch` is those of an epoch. */
  next(epoch) {
    if (this.choice === 'step') return 1;
    return this.choice === 'epoch' ? epoch : Math.max(1, Math.floor(this.#burst));
  }

  /** Learns from a frame. The quickest of the last ones says what a step costs: in the others the device had
   *  something else to do, such as to paint the page. */
  learn(began, took, steps, kind) {
    took = Math.max(took, 0.05);
    this.cost = this.cost ? 0.9 * this.cost + 0.1 * took / steps : took / steps;
    const grown = Math.exp(Math.min(began - this.#began, 500) / RAMP);
    this.#began = began;
    this.#lately = [...this.#lately.slice(-11), [took / steps, took]];
    const least = column => Math.min(...this.#lately.map(row => row[column]));
    // What a call to the GPU costs without any step is no reason to take fewer of them.
    const budget = kind === 'gpu' ? Math.max(BUDGET, 1.5 * least(1)) : BUDGET;
    this.#burst = Math.max(1, Math.min(this.#burst * grown + 0.1, budget / least(0), MOST));
  }

  /** Another network: what was learnt of the old one says nothing. */
  forget() {
    this.#burst = Math.min(this.#burst, 8);
    this.#lately = [];
    this.cost = 0;
  }

  /** A new start, whose first steps are to be seen. */
  restart() { this.#burst = 1; }
}
