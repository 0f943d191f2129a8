// The training behind the page: one call at a time, edits between frames, the CPU where the GPU fails.
import { announce, say, sentence } from './say.js';
import { Look } from './look.js';
import { Pace } from './pace.js';

export class Trainer extends EventTarget {
  lab = null;
  description = null;
  playing = false;
  model = 0;
  kind = 'cpu';
  pace = new Pace();
  looking = new Look(this);
  /** The parameters of the shown model in the last frame. */
  values = null;
  scores = null;
  maps = null;
  #tail = Promise.resolve();
  #frame = 0;

  constructor(engine) {
    super();
    this.engine = engine;
    this.names = engine.names();
  }

  /** Calls the listeners of an event. */
  emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
  on(type, listener) { this.addEventListener(type, event => listener(event.detail)); }

  async start(hash, wish) {
    this.description = this.engine.describe('');
    let bad;
    try { this.description = this.engine.describe(hash); } catch (error) { bad = error; }
    // The CPU is there at once; the GPU takes over when it is.
    await this.#turn(async () => { await this.#replace(this.description, 'cpu'); });
    if (bad) say('problem', `${sentence(`This address cannot be read: ${bad.message}`)} The page shows its defaults.`);
    this.emit('started');
    await this.look();
    const gpu = await this.engine.gpu();
    this.found = gpu;
    this.emit('devices', gpu);
    if (wish !== 'cpu') {
      if (gpu.found) await this.use('gpu');
      else say('notice', `${sentence(gpu.text)} The network learns on the CPU.`);
    }
  }

  /** Puts a task behind all others. */
  #turn(task) {
    const turn = this.#tail.then(task);
    this.#tail = turn.catch(() => {});
    return turn;
  }

  /** Resolves when nothing waits. */
  async idle() {
    let tail;
    do { tail = this.#tail; await tail; } while (tail !== this.#tail);
  }

  /** Calls `f` with the lab when its turn comes; goes on with the CPU where the device is lost. */
  run(f) {
    return this.#turn(async () => {
      try {
        return await f(this.lab);
      } catch (error) {
        if (!await this.#rescued(error)) throw error;
        return f(this.lab);
      }
    });
  }

  /** After a lost device: the CPU, with the parameters of the last frame. Says whether it came to that. */
  async #rescued(error) {
    if (this.kind !== 'gpu' || error.name !== 'DeviceError') return false;
    // What the lost device held is gone; the last frame's weights are here, of the shown network.
    const from = this.last && { origin: async () => this.last };
    this.model = 0;
    await this.#replace(this.description, 'cpu', from);
    this.rescues = (this.rescues ?? 0) + 1;
    const message = `The GPU is lost. The CPU goes on with the weights of the last frame${this.description.models > 1 ? ', the other networks begin anew' : ''}.`;
    say('device-problem', message);
    say('notice', message);
    this.emit('devices', this.found);
    await this.#look();
    return true;
  }

  /** Makes a lab of a description and frees the one before. */
  async #replace(description, kind, from, keep) {
    const lab = await this.engine.create(description, kind, from ?? undefined, keep);
    this.lab?.free();
    this.lab = lab;
    this.description = description;
    this.kind = kind;
    this.model = Math.min(this.model, description.models - 1);
    this.pace.forget();
    this.#points();
    this.emit('lab');
  }

  /** Changes the description: `f` gets a copy to change, and returns where units were if it moves some.
   *  `fresh` draws new parameters. */
  edit(f, { fresh = false } = {}) {
    return this.#turn(async () => {
      const next = structuredClone(this.description);
      let keep;
      try {
        keep = f(next);
        const address = this.engine.address(next);
        try {
          await this.#apply(next, keep, fresh);
        } catch (error) {
          if (!await this.#rescued(error)) throw error;
          await this.#apply(next, keep, fresh);
        }
        history.replaceState(null, '', `${location.pathname}${location.search}${address ? `#${address}` : ''}`);
        say('problem');
      } catch (error) {
        say('problem', sentence(error.message));
      }
      this.emit('description', this.description);
      await this.#look();
    }).catch(error => this.#fail(error));
  }

  async #apply(next, keep, fresh) {
    const before = this.description;
    const shape = fresh || next.models !== before.models || next.seed !== before.seed;
    if (!keep && !shape) {
      if (sameBut(before, next, ['discretize', 'show_test'])) { this.description = next; return; }
      if (await this.lab.change(next)) {
        this.description = next;
        this.#points();
        return;
      }
    }
    if (!shape) return this.#replace(next, this.kind, this.lab, keep ?? undefined);
    // One network goes on as the one that was picked; more of them begin anew.
    const picked = next.models === 1 && before.models > 1 ? await this.lab.parameters(this.model) : null;
    await this.#replace(next, this.kind);
    if (picked?.length === this.lab.length) await this.lab.set_parameters(0, picked);
    this.emit('restart');
  }

  /** The points of the description, and what full color means for their targets. */
  #points() {
    const { task, data, points, rows, noise, train, data_seed } = this.description;
    const key = JSON.stringify([task, data, points, rows, noise, train, data_seed]);
    if (key === this.pointsKey) return;
    this.pointsKey = key;
    this.points = this.engine.points(this.description);
    const largest = [...this.points.train, ...this.points.test].reduce((most, value, i) => i % 3 === 2 ? Math.max(most, Math.abs(value)) : most, 0);
    this.range = task === 'regression' && largest > 1 ? largest : 1;
    this.emit('points');
  }

  /** Reads an address that came from outside. */
  readAddress(hash) {
    return this.edit(next => {
      let read;
      try { read = this.engine.describe(hash); } catch (error) {
        throw new Error(`${sentence(`this address cannot be read: ${error.message}`)} The page stays as it was.`);
      }
      Object.assign(next, read);
    }, { fresh: true });
  }

  /** Moves the training to a device. */
  use(kind) {
    return this.#turn(async () => {
      say('device-problem');
      try {
        await this.#replace(this.description, kind, this.lab);
        say('notice');
        announce(`The network learns on the ${kind.toUpperCase()}.`);
      } catch (error) {
        const message = `${sentence(error.message)} The network learns on the CPU.`;
        if (!await this.#rescued(error)) { say('device-problem', message); say('notice', message); }
      }
      this.emit('devices', this.found);
      await this.#look();
    }).catch(error => this.#fail(error));
  }

  play() {
    if (this.playing) return;
    this.playing = true;
    this.emit('playing', true);
    announce('The network learns.');
    this.#schedule();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.#frame);
    this.emit('playing', false);
    // What was shown in part or coarsely is shown in full.
    this.look();
    announce(`It pauses at step ${this.lab.step}.`);
  }

  #schedule() {
    this.#frame = requestAnimationFrame(() => this.#turn(() => this.#once()).catch(error => this.#fail(error)));
  }

  /** One frame of learning. */
  async #once() {
    if (!this.playing) return;
    const steps = this.pace.next(this.epochSteps());
    const began = performance.now();
    try {
      await this.lab.train(steps);
      this.pace.learn(began, performance.now() - began, steps, this.kind);
      if (this.looking.due) await this.#look();
    } catch (error) {
      if (!await this.#rescued(error)) return this.#fail(error);
    }
    if (this.playing) this.#schedule();
  }

  /** The steps of an epoch. */
  epochSteps() {
    const { batch } = this.description;
    const rows = Math.max(1, (this.points?.train.length ?? 0) / 3);
    return batch === 0 || batch >= rows ? 1 : Math.max(1, Math.round(rows / batch));
  }

  /** Takes steps and shows what came of them. */
  steps(n = 1) {
    return this.#turn(async () => {
      try { await this.lab.train(n); } catch (error) {
        if (!await this.#rescued(error)) { this.#fail(error); throw error; }
        await this.lab.train(n);
      }
      await this.#look();
    });
  }

  restart() {
    return this.#turn(async () => {
      try {
        await this.lab.restart();
      } catch (error) {
        if (!await this.#rescued(error)) throw error;
        await this.lab.restart();
      }
      this.pace.restart();
      this.emit('restart');
      announce('The network starts again.');
      await this.#look();
    }).catch(error => this.#fail(error));
  }

  /** Shows the network as it is, without a step. */
  look() { return this.#turn(() => this.#look()).catch(error => this.#fail(error)); }

  show(model) {
    this.model = Math.max(0, Math.min(model, this.description.models - 1)) || 0;
    this.emit('model', this.model);
    return this.look();
  }

  /** Replaces a parameter of the shown model. */
  set(index, value) {
    if (!this.values) return;
    this.values[index] = value;
    this.touched = true;
    if (this.setting) return;
    this.setting = true;
    this.#turn(async () => {
      this.setting = false;
      await this.lab.set_parameters(this.model, this.values);
      this.touched = false;
      await this.#look();
    }).catch(error => this.#fail(error));
  }

  async #look() {
    try {
      await this.looking.take();
    } catch (error) {
      if (!await this.#rescued(error)) throw error;
    }
  }

  #fail(error) {
    this.pause();
    const advice = error.name === 'DivergedError' ? ' Try a smaller learning rate, then reset.' : '';
    say('problem', sentence(error.message) + advice);
  }
}

function sameBut(a, b, names) {
  const strip = of => JSON.stringify({ ...of, ...Object.fromEntries(names.map(name => [name, null])) });
  return strip(a) === strip(b);
}
