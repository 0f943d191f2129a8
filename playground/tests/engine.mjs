// The engine, called in a page as the page's own scripts call it.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import * as math from '../js/article-math.js';

const layers = (...all) => all.map(([units, activation]) => ({ units, activation }));
/** What differs from the default, of many kinds. */
const descriptions = [
  {}, { layers: layers([8, 'tanh'], [8, 'tanh']), batch: 0 }, { data: 'xor', features: ['x1', 'x2', 'x1*x2'], layers: layers([3, 'relu']) },
  { data: 'spiral', noise: 20, optimizer: 'adam', l1: 0.001 }, { data: 'moons', layers: layers([6, 'sigmoid'], [4, 'relu']), l2: 0.001, seed: 3 },
  { task: 'regression', data: 'plane', rate: 0.01, train: 0.7 }, { task: 'regression', data: 'hills', batch: 0, data_seed: 4, layers: [] },
];

export default async function ({ test, skip, gpu, root }) {
  const browser = await gpu();
  const page = await browser.open('pkg/engine.d.ts');
  page.errors.length = 0;
  await page.evaluate(async () => {
    globalThis.engine = await import('/pkg/engine.js');
    await engine.default();
  });
  const near = (a, b, most, what) => assert.ok(Math.abs(a - b) <= most, `${what}: ${a} and ${b} differ by more than ${most}`);

  await test('a description goes through the address and back', async () => {
    const wrong = await page.evaluate(() => {
      const wrong = [], base = engine.describe(''), names = engine.names();
      const edits = [
        {}, { task: 'regression', data: 'hills', rows: 77 }, { noise: 35, train: 0.8, data_seed: 12 }, { features: names.features },
        { layers: [] }, { layers: names.activations.map((activation, i) => ({ units: i + 1, activation })) },
        { batch: 0, l1: 0.003, l2: 0.1, rate: 0.00001 }, { seed: 4294967295, models: 1000 }, { discretize: true, show_test: true },
        { data: 'own', points: [1, 2, 1, -3, 0.5, -1, 2, 2, 1, -1, -1, -1] }, ...names.optimizers.map(optimizer => ({ optimizer })),
        ...names.classification.filter(d => d !== 'own').map(data => ({ data })),
      ];
      for (const edit of edits) {
        const before = { ...base, ...edit }, text = engine.address(before), after = engine.describe(text);
        if (JSON.stringify(after) !== JSON.stringify(before)) wrong.push([text, JSON.stringify(before), JSON.stringify(after)]);
      }
      if (engine.address(base).replace('#', '') !== '') wrong.push(['defaults are not left out', engine.address(base)]);
      return wrong;
    });
    assert.deepEqual(wrong, []);
  });

  await test('an address that cannot be read is an error with a message', async () => {
    const messages = await page.evaluate(() => ['layers=abc', 'rate=fast', 'data=sheep', 'features=', 'seed=-1'].map(text => {
      try { engine.describe(text); return `${text} is read`; } catch (error) { return error instanceof Error && error.message.length > 10 ? '' : `${text}: ${error}`; }
    }).filter(Boolean));
    assert.deepEqual(messages, []);
  });

  const losses = (address, steps, device) => page.evaluate(async (text, n, kind) => {
    const lab = await engine.create(engine.describe(text), kind);
    await lab.train(n);
    const result = await lab.losses(0);
    lab.free();
    return result;
  }, address, steps, device);

  const native = ['release', 'debug'].map(kind => join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), kind, 'losses')).find(existsSync);
  const known = await page.evaluate(list => list.map(edit => engine.address({ ...engine.describe(''), ...edit })), descriptions);
  for (const device of ['cpu', 'gpu']) {
    const name = `losses at step 100 are those of the native program, ${device.toUpperCase()}`;
    if (!native) { skip(name, 'the program `losses` is not built'); continue; }
    await test(name, async () => {
      for (const address of known) {
        const [, train, tested] = execFileSync(native, [address, '100']).toString().trim().split(' ').map(Number);
        const here = await losses(address, 100, device);
        near(here.train, train, 1e-5, `${address || 'the default'}, training`);
        near(here.test, tested, 1e-5, `${address || 'the default'}, test`);
      }
    });
  }

  await test('100 full batches give what a plain loop in JavaScript gives', async () => {
    const start = await page.evaluate(async () => {
      const description = { ...engine.describe(''), batch: 0, rate: 0.1, layers: [{ units: 5, activation: 'relu' }, { units: 4, activation: 'sigmoid' }, { units: 3, activation: 'tanh' }], features: ['x1', 'x2', 'x1*x2', 'sin(x1)'] };
      const { train } = engine.points(description);
      const lab = await engine.create(description, 'cpu');
      const parameters = await lab.parameters(0), before = await lab.losses(0);
      const { backprop } = await lab.gradients(0, 1);
      await lab.train(100);
      return { description, train: [...train], parameters: [...parameters], before, after: await lab.losses(0), backprop: [...backprop] };
    });
    const { description, train } = start;
    let layers = math.network(description, start.parameters);
    const first = math.gradient(description, layers, train);
    near(start.before.train, first.loss, 1e-6, 'the first loss');
    const from = 5 * 4 + 5;
    start.backprop.forEach((d, i) => near(d, first.gradient[from + i], 1e-6, `gradient ${i}`));
    for (let step = 0; step < 100; step++) layers = math.moved(layers, math.gradient(description, layers, train).gradient, 0.1);
    near(start.after.train, math.gradient(description, layers, train).loss, 1e-5, 'the loss at step 100');
    assert.ok(start.after.train < 0.9 * start.before.train, 'nothing was learnt');
  });

  await test('the three gradients agree', async () => {
    const { by_hand, error, count } = await page.evaluate(async () => {
      const lab = await engine.create({ ...engine.describe(''), layers: [{ units: 3, activation: 'sigmoid' }] }, 'cpu');
      await lab.train(20);
      const all = await lab.gradients(0, 0);
      return { by_hand: [...all.by_hand], error: all.largest_error, count: all.names.length };
    });
    assert.equal(count, 9);
    assert.ok(by_hand.some(d => Math.abs(d) > 1e-4) && error < 1e-4, `largest error ${error}`);
  });

  for (const format of ['safetensors', 'onnx']) {
    await test(`export and import of ${format} keep the losses`, async () => {
      const [before, other, after] = await page.evaluate(async kind => {
        const description = engine.describe(''), lab = await engine.create(description, 'cpu');
        await lab.train(200);
        const bytes = await lab.export(0, kind), before = await lab.losses(0);
        const copy = await engine.create({ ...description, seed: 5 }, 'cpu'), other = await copy.losses(0);
        await copy.import(bytes, `network.${kind}`);
        return [before.train, other.train, (await copy.losses(0)).train];
      }, format);
      assert.ok(Math.abs(other - before) > 1e-3);
      near(after, before, 1e-7, 'losses');
    });
  }

  await test('the WGSL export is a function of the network', async () => {
    const text = await page.evaluate(async () => new TextDecoder().decode(await (await engine.create(engine.describe(''), 'cpu')).export(0, 'wgsl')));
    assert.match(text, /fn network\b/);
  });

  await test('a file that is none is refused with a message', async () => {
    const message = await page.evaluate(async () => {
      const lab = await engine.create(engine.describe(''), 'cpu');
      try { await lab.import(new Uint8Array([1, 2, 3]), 'cat.onnx'); return 'it was read'; } catch (error) { return error instanceof Error ? error.message : 'no Error'; }
    });
    assert.ok(message.length > 12 && message !== 'it was read', message);
  });

  await test('an edited network keeps what it has learnt', async () => {
    const results = await page.evaluate(async () => {
      const description = engine.describe(''), lab = await engine.create(description, 'cpu');
      await lab.train(300);
      const before = (await lab.losses(0)).train, fresh = (await (await engine.create(description, 'cpu')).losses(0)).train, out = { before, fresh };
      const edits = {
        unit: { layers: [{ units: 6, activation: 'tanh' }, { units: 2, activation: 'tanh' }] },
        feature: { features: ['x1', 'x2', 'x1*x2'] }, rate: { rate: 0.1 },
      };
      for (const [name, edit] of Object.entries(edits)) out[name] = (await (await engine.create({ ...description, ...edit }, 'cpu', lab)).losses(0)).train;
      return out;
    });
    assert.ok(results.before < results.fresh - 0.01, JSON.stringify(results));
    for (const name of ['unit', 'feature', 'rate']) near(results[name], results.before, 1e-6, name);
  });

  await test('points pasted as CSV are read, nonsense is refused', async () => {
    const { good, bad } = await page.evaluate(() => {
      const good = engine.read_points('x1;x2;label\n1;2;1\n-3;0.5;-1\n2;2;1\n');
      let bad = '';
      try { engine.read_points('to be\nor not to be'); } catch (error) { bad = error.message; }
      return { good, bad };
    });
    assert.deepEqual([...good.points], [1, 2, 1, -3, 0.5, -1, 2, 2, 1]);
    assert.equal(good.task, 'classification');
    assert.ok(bad.length > 10);
  });

  await test('a lost device rejects, and the parameters go on with the CPU', async () => {
    const { message, before, after } = await page.evaluate(async () => {
      const description = engine.describe(''), lab = await engine.create(description, 'gpu');
      await lab.train(50);
      const before = (await lab.losses(0)).train;
      lab.lose_device();
      let message = '';
      for (let i = 0; i < 50 && !message; i++) {
        try { await lab.train(1); await new Promise(done => setTimeout(done, 20)); } catch (error) { message = error.message; }
      }
      const next = await engine.create(description, 'cpu');
      await next.train(50);
      const again = await engine.create(description, 'gpu');
      await again.train(50);
      return { message, before, after: [(await next.losses(0)).train, (await again.losses(0)).train] };
    });
    assert.match(message, /lost|device/i);
    for (const value of after) near(value, before, 1e-5, 'the losses of a new training');
  });

  await test('no error in the console of the engine\'s page', () => {
    // A page of plain text names no icon.
    assert.deepEqual(page.errors.filter(error => !error.includes('favicon')), []);
  });
  await page.close();
}
