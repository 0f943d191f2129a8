// The article: its figures use the same engine as the playground, on the CPU, where networks so small are fastest.
import init, * as engine from '../pkg/engine.js';
import { descent } from './article-descent.js';
import { startGraphs } from './article-graph.js';
import { dying, vanishing } from './article-health.js';
import { cost, ways } from './article-ways.js';
import { byId } from './say.js';
import { startTheme } from './theme.js';

function problem(error) {
  byId('status').textContent = `A figure cannot go on: ${error?.message ?? error}`;
  byId('status').classList.add('bad');
}

let redraw = () => {};
startTheme(() => redraw());
try {
  await init();
  const small = await startGraphs(engine);
  cost(engine, problem);
  await ways(engine, problem);
  const figures = [
    descent(engine, byId('figure-rings'), { data: 'circles', seed: 3, rate: 1, name: 'two rings', problem }),
    descent(engine, byId('figure-xor'), { data: 'xor', seed: 1, rate: 1, name: 'XOR', problem }),
    vanishing(engine, byId('figure-vanishing'), { problem }),
    dying(engine, byId('figure-dying'), { problem }),
  ];
  redraw = () => { small.show(); for (const figure of figures) figure.redraw(); };
  await Promise.all(figures.map(figure => figure.queue(() => {})));
  document.documentElement.dataset.ready = 'yes';
} catch (error) {
  problem(error);
}
