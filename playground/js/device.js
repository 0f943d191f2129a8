// Where it runs, what a step costs, and the self-check.
import { announce, byId, copy, count, make, say, sentence } from './say.js';

export class DevicePanel {
  constructor(trainer) {
    this.trainer = trainer;
    for (const kind of ['gpu', 'cpu']) byId(`device-${kind}`).addEventListener('click', () => trainer.kind === kind || trainer.use(kind));
    byId('speed').addEventListener('click', () => this.speed());
    byId('check').addEventListener('click', () => this.check());
    byId('check-copy').addEventListener('click', async () => {
      const done = await copy(byId('check-text').textContent);
      say('check-message', done ? 'The report is on the clipboard.' : 'The browser does not allow it. Mark the text and copy it.');
    });
    trainer.on('devices', gpu => this.show(gpu));
    trainer.on('lab', () => this.show(trainer.found));
    trainer.on('frame', () => this.live());
    trainer.on('playing', playing => playing || this.live());
  }

  show(gpu) {
    const { lab, kind } = this.trainer;
    byId('device').textContent = lab.device;
    byId('device-gpu').setAttribute('aria-pressed', kind === 'gpu');
    byId('device-cpu').setAttribute('aria-pressed', kind === 'cpu');
    byId('device-cpu').disabled = byId('speed').disabled = false;
    byId('device-gpu').disabled = gpu ? !gpu.found : true;
    byId('check').disabled = gpu ? !gpu.found : true;
    if (gpu && !gpu.found) {
      byId('device-gpu').title = sentence(gpu.text);
      say('check-message', sentence(gpu.text));
    }
  }

  live() {
    const { pace: { cost }, playing, description } = this.trainer;
    if (!playing || !cost) return;
    const now = performance.now();
    if (now < (this.next ?? 0)) return;
    this.next = now + 500;
    byId('live-speed').textContent = `It takes ${count(1000 / cost)} steps a second${description.models > 1 ? `, each of ${count(description.models)} networks` : ''}.`;
  }

  /** Measures this training on both devices. */
  async speed() {
    const { trainer } = this;
    const button = byId('speed');
    button.disabled = true;
    byId('speed-result').replaceChildren(make('li', {}, 'It measures…'));
    const found = [];
    for (const kind of trainer.found?.found ? ['gpu', 'cpu'] : ['cpu']) {
      try {
        found.push(await trainer.run(async lab => {
          const own = lab.kind === kind;
          const other = own ? lab : await trainer.engine.create(trainer.description, kind);
          try {
            const { microseconds } = await other.speed(250);
            return `${other.device}: ${microseconds < 1000 ? `${microseconds.toFixed(1)} µs` : `${(microseconds / 1000).toFixed(2)} ms`} a step, ${count(1e6 / microseconds)} steps a second`;
          } finally {
            if (!own) other.free();
          }
        }));
      } catch (error) {
        found.push(`${kind.toUpperCase()}: ${error.message}`);
      }
      byId('speed-result').replaceChildren(...found.map(text => make('li', {}, text)));
    }
    button.disabled = false;
  }

  async check() {
    const button = byId('check');
    const progress = byId('check-progress');
    button.disabled = true;
    progress.hidden = false;
    progress.removeAttribute('value');
    say('check-message', 'It checks. This can take some minutes. The network can learn meanwhile.');
    try {
      let failed = 0;
      const { text, passed } = await this.trainer.engine.self_check((done, name, right) => {
        failed += !right;
        byId('check-now').textContent = `${done} done${failed ? `, ${failed} failed` : ''}: ${name}`;
      });
      byId('check-text').textContent = text;
      byId('check-text').hidden = byId('check-copy').hidden = false;
      say('check-message', passed ? 'This GPU passes: it computes what the CPU computes.' : 'This GPU does not pass. Please copy the report into a bug report.');
      announce(byId('check-message').textContent);
    } catch (error) {
      say('check-message', `The check did not end: ${sentence(error.message)}`);
    }
    byId('check-now').textContent = '';
    progress.hidden = true;
    button.disabled = false;
  }
}
