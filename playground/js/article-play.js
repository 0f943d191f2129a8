// A figure that runs: it plays while it is in sight, and its buttons play, step and start again.
import { make } from './say.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** Buttons for a figure. `step(n)` learns, `show()` draws, `restart(next)` begins anew, by the next seed if asked. */
export function player(figure, { step, show, restart, address, each = 2, auto = false, most = 6000, problem }) {
  const id = figure.id.replace('figure-', '');
  let running = false, steps = 0, busy = Promise.resolve();
  const play = make('button', { type: 'button', id: `${id}-play`, class: 'primary', 'aria-pressed': 'false' }, 'Play');
  const one = make('button', { type: 'button', id: `${id}-step` }, 'One step');
  const again = make('button', { type: 'button', id: `${id}-again` }, 'Start again');
  const other = make('button', { type: 'button', id: `${id}-new` }, 'Other weights');
  const link = make('a', { class: 'playground', id: `${id}-link`, href: 'index.html' }, 'Open it in the playground');
  figure.append(make('div', { class: 'bar' }, play, one, again, other, link));

  /** One thing after another: a click waits for the round of steps that runs. */
  function queue(work) {
    busy = busy.then(work).catch(error => { set(false); problem(error); });
    return busy;
  }

  function set(on) {
    if (on === running) return;
    running = on;
    play.textContent = on ? 'Pause' : 'Play';
    play.setAttribute('aria-pressed', on);
    if (on) run();
  }

  async function run() {
    while (running) {
      await queue(async () => { await step(each); steps += each; await show(); });
      if (steps >= most) set(false);
      await new Promise(done => requestAnimationFrame(done));
    }
  }

  const begin = next => queue(async () => { steps = 0; await restart(next); await show(); link.href = `index.html#${address().replace('#', '')}`; });
  let touched = false;
  play.addEventListener('click', () => { touched = true; if (!running && steps >= most) steps = 0; set(!running); });
  one.addEventListener('click', () => { touched = true; set(false); queue(async () => { await step(1); steps++; await show(); }); });
  again.addEventListener('click', () => begin(false));
  other.addEventListener('click', () => begin(true));
  // A figure that nobody sees costs nothing.
  let held = false;
  new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting && running) { held = true; set(false); } else if (entry.isIntersecting && (held || (auto && !touched && !calm.matches))) { held = false; touched = true; set(true); }
  }, { threshold: 0.15 }).observe(figure);
  return { begin, queue, redraw: () => queue(show) };
}
