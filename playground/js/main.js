// The playground's page: it loads the engine and puts the parts together.
//
// Every control has an id that stays. `?device=cpu` or `?device=gpu` before the `#` chooses the device.
//
// Run       #play (aria-pressed says whether it runs) #step #reset; they show #epoch #step-count
//           #pace (fast, epoch, step: how many steps a frame)
// Settings  #task #activation (of all layers) #optimizer #rate #l1 #l2 #seed #seed-next: selects, but for the seed
// Data      #data-NAME (radio buttons: #data-circles … #data-own) #noise #train #batch (index 0 is all rows)
//           #rows #data-next (another seed of the data); shown: #noise-value #train-value #batch-value
//           #data-message (what to do for points of one's own)
// Own       #own-panel #own-class #own-target #own-text #own-read #own-copy #own-undo #own-clear
//           #own-file #own-drop #own-message
// Network   #feature-N (0 to 6 in the order of `names().features`, aria-pressed) #layer-add #layer-remove #layer-count
//           #layer-L-add #layer-L-remove (units of hidden layer L, from 0) #layer-L-delete (the whole layer)
//           #layer-L-insert (a layer before L) #layer-L-count #layer-L-activation
//           #unit-L-U (a heat map; L from 0, the output is the last layer) #unit-L-U-remove
//           #weight-L-U-I (a slider: input I of unit U of layer L, the output layer is the last; inputs are the
//           chosen features or units before) #bias-L-U #show-numbers (on the weights); #value shows the number under the mouse or the focus
// Output    #output-map (a canvas of 96 x 96 cells) #output-points (its points; a click sets one of your own)
//           #show-test #discretize #map-value #loss-train #loss-test #accuracy-train #accuracy-test
//           #curves #curve-log
// Device    #device-gpu #device-cpu (aria-pressed) #device (its name) #live-speed #speed (measures both) #speed-result
//           #check #check-copy #check-progress #check-now #check-message #check-text #device-problem
// Many      #models #model #model-best #mosaic #mosaic-sorted #mosaic-back #mosaic-on #mosaic-page #mosaic-text
//           #histogram #histogram-text #population #population-problem
// Health    #health (a table, a row a layer) #gradients-layer #gradients-run #gradients (a table) #gradients-error
// Take      #export-wgsl #export-safetensors #export-onnx #export-text #copy-address #import-file #import-drop
//           #take-message #take-problem
// Page      #theme #problem (what failed) #notice (what happened) #notice-close #live (for screen readers)
//
// window.playground: { ready, lab, description, device, playing, model, problem, engine, step(n), play(), pause(),
//   losses(), parameters(), edit(f), idle() }. `edit(d => { d.rate = 0.1 })` changes the description; `idle()`
//   resolves when nothing waits in the queue.

import { announce, byId, say } from './say.js';
import { startTheme } from './theme.js';
import { Trainer } from './trainer.js';
import { Controls } from './controls.js';
import { Network } from './network.js';
import { OutputMap } from './output.js';
import { Curves } from './curves.js';
import { OwnPoints } from './own.js';
import { DevicePanel } from './device.js';
import { Population } from './population.js';
import { Health } from './health.js';
import { Files } from './files.js';

let settled;
const ready = new Promise((resolve, reject) => { settled = { resolve, reject }; });
ready.catch(() => {});
window.playground = { ready };

async function start() {
  const engine = await import('../pkg/engine.js');
  await engine.default();
  const trainer = new Trainer(engine);
  const parts = [
    new Controls(trainer), new Network(trainer), new OutputMap(trainer), new Curves(trainer), new OwnPoints(trainer),
    new DevicePanel(trainer), new Population(trainer), new Health(trainer), new Files(trainer),
  ];
  startTheme(() => trainer.emit('theme'));
  expose(trainer, parts);

  addEventListener('hashchange', () => trainer.readAddress(location.hash));
  byId('notice-close').addEventListener('click', () => say('notice'));
  await trainer.start(location.hash, new URLSearchParams(location.search).get('device'));
  for (const id of ['reset', 'play', 'step']) byId(id).disabled = false;
  byId('loading')?.remove();
  announce('The network is ready.');
}

function expose(trainer, parts) {
  Object.defineProperties(window.playground, {
    lab: { get: () => trainer.lab },
    description: { get: () => structuredClone(trainer.description) },
    device: { get: () => trainer.lab?.kind },
    playing: { get: () => trainer.playing },
    model: { get: () => trainer.model },
    problem: { get: () => byId('problem').hidden ? '' : byId('problem').textContent },
  });
  Object.assign(window.playground, {
    engine: trainer.engine, trainer, parts,
    step: n => trainer.steps(n),
    play: () => trainer.play(),
    pause: () => trainer.pause(),
    losses: () => trainer.run(lab => lab.losses(trainer.model)),
    parameters: () => trainer.run(lab => lab.parameters(trainer.model)),
    edit: f => trainer.edit(f),
    idle: () => trainer.idle(),
  });
}

startTheme();
start().then(settled.resolve, error => {
  say('problem', `The playground cannot start: ${error.message}`);
  settled.reject(error);
});
