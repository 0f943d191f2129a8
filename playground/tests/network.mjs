// The network drawn: features, layers, units, weights and biases, changed by the mouse and by keys.
import assert from 'node:assert/strict';
import { click, description, idle, learn, losses, near, parameters, playground, repaints, sameAddress, set } from './common.mjs';

export default async function ({ test, noGpu }) {
  const page = await playground(await noGpu());
  const units = async () => (await description(page)).layers.map(layer => layer.units);

  /** An edit changes the shape and leaves the loss as it was. */
  async function keeps(act, check) {
    const before = await losses(page);
    await act();
    check(await description(page));
    near((await losses(page)).train, before.train, 1e-6, 'the training loss');
    await sameAddress(page);
  }

  await test('play learns: the loss falls, the maps and the curve change', async () => {
    const before = await losses(page), map = await page.pixels('#output-map'), unit = await page.pixels('#unit-0-0 canvas'), curve = await page.pixels('#curves');
    await click(page, '#play');
    assert.equal(await page.evaluate(() => document.querySelector('#play').getAttribute('aria-pressed')), 'true');
    await page.until(() => playground.lab.step > 2000, { say: '2,000 steps' });
    await page.click('#play');
    await idle(page);
    const after = await losses(page);
    assert.ok(after.train < before.train - 0.05, `${before.train} before, ${after.train} after`);
    assert.notEqual(await page.pixels('#output-map'), map);
    assert.notEqual(await page.pixels('#unit-0-0 canvas'), unit);
    assert.notEqual(await page.pixels('#curves'), curve);
    const step = await page.evaluate(() => playground.lab.step);
    await new Promise(done => setTimeout(done, 200));
    assert.equal(await page.evaluate(() => playground.lab.step), step, 'it learns although it pauses');
  });
  await test('the losses on the page are those of the engine', async () => {
    const { train, test: tested } = await losses(page);
    near(Number(await page.text('#loss-train')), train, 0.0011);
    near(Number(await page.text('#loss-test')), tested, 0.0011);
    assert.match(await page.text('#accuracy-train'), /\d/);
  });
  await test('a feature is added and taken away', async () => {
    await keeps(() => click(page, '#feature-4'), d => assert.deepEqual(d.features, ['x1', 'x2', 'x1*x2']));
    assert.equal(await page.evaluate(() => document.querySelector('#feature-4').getAttribute('aria-pressed')), 'true');
    await keeps(() => click(page, '#feature-4'), d => assert.deepEqual(d.features, ['x1', 'x2']));
  });
  await test('every feature can be chosen; the last one cannot be taken away', async () => {
    for (const i of [2, 3, 4, 5, 6]) await click(page, `#feature-${i}`);
    assert.equal((await description(page)).features.length, 7);
    for (const i of [6, 5, 4, 3, 2, 1, 0]) await click(page, `#feature-${i}`);
    assert.equal((await description(page)).features.length, 1);
    await playground(null, '', { page });
    await learn(page, 500);
  });
  await test('a unit is added without a change of what is learnt', () => keeps(() => click(page, '#layer-0-add'), d => assert.equal(d.layers[0].units, 5)));
  await test('the last unit of a layer is removed', async () => {
    const values = await parameters(page);
    await click(page, '#layer-0-remove');
    assert.deepEqual(await units(), [4, 2]);
    assert.ok((await parameters(page)).length < values.length);
  });
  await test('a unit that is chosen is removed, and the others keep their weights', async () => {
    const before = await parameters(page);
    await page.evaluate(() => document.querySelector('#unit-0-1-remove').click());
    await idle(page);
    assert.deepEqual(await units(), [3, 2]);
    const after = await parameters(page);
    near(after[0], before[0], 0);
    near(after[2], before[4], 0, 'the second unit is what the third was');
  });
  await test('a layer is added, inserted, removed', async () => {
    const act = async (selector, length) => { await click(page, selector); assert.equal((await units()).length, length); await sameAddress(page); };
    await act('#layer-add', 3);
    await act('#layer-0-insert', 4);
    await act('#layer-0-delete', 3);
    await act('#layer-remove', 2);
    assert.match(await page.text('#layer-count'), /^2 /);
  });
  await test('each layer has an activation of its own', async () => {
    const before = await losses(page);
    await set(page, '#layer-1-activation', 'relu');
    assert.deepEqual((await description(page)).layers.map(layer => layer.activation), ['tanh', 'relu']);
    assert.notEqual((await losses(page)).train, before.train);
  });
  await test('the activation of all layers', async () => {
    await set(page, '#activation', 'sigmoid');
    assert.ok((await description(page)).layers.every(layer => layer.activation === 'sigmoid'));
    await set(page, '#activation', 'tanh');
  });
  await test('a weight is read under the mouse and dragged', async () => {
    // A place on the curve itself: its box is mostly empty.
    const point = await page.evaluate(() => {
      const path = document.querySelector('#weight-0-0-0');
      path.scrollIntoView({ block: 'center', behavior: 'instant' });
      const { x, y } = path.getPointAtLength(path.getTotalLength() / 2), to = path.getScreenCTM();
      return [x * to.a + to.e, y * to.d + to.f];
    });
    const before = await parameters(page);
    await page.mouse('mouseMoved', point, { button: 'none' });
    await page.until(() => /\d/.test(document.querySelector('#value').textContent), { say: 'the value of the weight', seconds: 3 });
    await page.mouse('mousePressed', point);
    for (const up of [10, 20, 40]) await page.mouse('mouseMoved', [point[0], point[1] - up], { buttons: 1 });
    await page.mouse('mouseReleased', [point[0], point[1] - 40]);
    await idle(page);
    const after = await parameters(page);
    const moved = after.map((v, i) => v !== before[i] ? i : -1).filter(i => i >= 0);
    assert.equal(moved.length, 1, `${moved.length} parameters moved`);
    assert.ok(after[moved[0]] > before[moved[0]]);
  });
  await test('a weight and a bias are changed by keys', async () => {
    for (const id of ['#weight-0-0-0', '#bias-0-0']) {
      const before = await parameters(page);
      await page.focus(id);
      await page.press('ArrowUp');
      await idle(page);
      const after = await parameters(page);
      assert.equal(after.filter((v, i) => v !== before[i]).length, 1, id);
      assert.ok(Math.max(...after.map((v, i) => v - before[i])) > 0, id);
    }
    await page.focus('#weight-0-0-0');
    await page.press('0');
    await idle(page);
    assert.equal((await parameters(page))[0], 0);
  });
  await test('right goes from one weight to the next', async () => {
    await page.focus('#weight-0-0-0');
    await page.press('ArrowRight');
    assert.match(await page.evaluate(() => document.activeElement.id), /^weight-0-(?!0-0)/);
  });
  await test('a click on a unit shows only its weights', async () => {
    await page.click('#unit-0-0');
    assert.equal(await page.evaluate(() => document.querySelector('#unit-0-0').getAttribute('aria-pressed')), 'true');
    await page.click('#unit-0-0');
  });
  await test('the weights carry their numbers', async () => {
    await click(page, '#show-numbers');
    const numbers = () => page.evaluate(() => [...document.querySelectorAll('#links text')].map(e => e.textContent).filter(text => /\d/.test(text)));
    const before = await numbers(), { layers, features } = await description(page);
    assert.equal(before.length, features.length * layers[0].units + layers[0].units * layers[1].units + layers[1].units);
    await learn(page, 50);
    assert.notDeepEqual(await numbers(), before);
    await click(page, '#show-numbers');
    assert.equal((await numbers()).length, 0);
  });
  await test('a dragged weight repaints the output', () => repaints(page, '#output-map', async () => {
    await page.focus('#bias-1-0');
    for (let i = 0; i < 8; i++) await page.press('ArrowUp');
  }));
  await test('a network without hidden layers and one of five layers learn', async () => {
    while ((await units()).length) await click(page, '#layer-remove');
    await learn(page, 20);
    for (let i = 0; i < 5; i++) await click(page, '#layer-add');
    const before = await losses(page);
    await learn(page, 1500);
    assert.ok((await losses(page)).train < before.train);
    await sameAddress(page);
  });
  await test('no error in the console while the network was edited', () => assert.deepEqual(page.errors, []));
  await page.close();
}
