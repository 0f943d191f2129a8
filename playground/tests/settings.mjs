// What runs and by which rule.
import assert from 'node:assert/strict';
import { click, description, learn, losses, near, parameters, playground, sameAddress, set } from './common.mjs';

export default async function ({ test, noGpu }) {
  const page = await playground(await noGpu(), 'layers=3');
  const step = () => page.evaluate(() => playground.lab.step);
  const shownStep = async () => Number((await page.text('#step-count')).replace(/\D/g, ''));

  await test('a step is one step, and the epoch follows', async () => {
    await click(page, '#step');
    assert.equal(await step(), 1);
    await learn(page, 49);
    assert.equal(await shownStep(), 50);
    const epoch = await page.evaluate(() => playground.lab.epoch);
    near(epoch, 2, 0.01, '50 steps of 10 of 250 rows');
    near(Number(await page.text('#epoch')), 2, 0.05);
  });
  await test('reset draws the same parameters again', async () => {
    const before = await parameters(page);
    await click(page, '#reset');
    assert.equal(await step(), 0);
    const first = await parameters(page);
    assert.notDeepEqual(first, before);
    await learn(page, 50);
    assert.deepEqual(await parameters(page), before);
  });
  await test('another seed draws other parameters', async () => {
    await set(page, '#seed', 7);
    const seven = await parameters(page);
    await click(page, '#seed-next');
    assert.equal((await description(page)).seed, 8);
    assert.notDeepEqual(await parameters(page), seven);
    await sameAddress(page);
  });

  /** What 100 steps from the same start come to with a setting. */
  async function after(selector, value) {
    await set(page, selector, value);
    await click(page, '#reset');
    await learn(page, 100);
    await sameAddress(page);
    return parameters(page);
  }
  const size = values => Math.hypot(...values);

  await test('the learning rate says how far a step goes', async () => {
    const slow = await after('#rate', '0.0001'), fast = await after('#rate', '0.1');
    await click(page, '#reset');
    const first = await parameters(page);
    const gone = values => size(values.map((v, i) => v - first[i]));
    assert.ok(gone(fast) > 20 * gone(slow), `${gone(fast)} and ${gone(slow)}`);
    await set(page, '#rate', '0.03');
  });
  await test('each optimizer learns, and each its own way', async () => {
    const names = await page.evaluate(() => playground.engine.names().optimizers), seen = new Set();
    for (const name of names) {
      const values = await after('#optimizer', name);
      assert.equal((await description(page)).optimizer, name);
      seen.add(values.map(v => v.toFixed(6)).join());
      assert.ok((await losses(page)).train < 0.5, name);
    }
    assert.ok(seen.size >= names.length - 1, 'optimizers are alike');
    await set(page, '#optimizer', 'sgd');
    await set(page, '#rate', '0.03');
  });
  for (const [id, what] of [['#l1', 'L1'], ['#l2', 'L2']]) {
    await test(`${what} makes the weights smaller`, async () => {
      const without = await after(id, '0'), with_ = await after(id, '0.1');
      assert.ok(size(with_) < 0.9 * size(without), `${size(with_)} and ${size(without)}`);
      await set(page, id, '0');
    });
  }
  await test('a rate is changed under way, and the steps go on', async () => {
    await learn(page, 30);
    const before = await step();
    await set(page, '#rate', '0.01');
    assert.equal(await step(), before);
  });
  await test('the pace: a step and an epoch a frame', async () => {
    for (const [pace, most] of [['step', 400], ['epoch', 20000]]) {
      await set(page, '#pace', pace);
      await click(page, '#reset');
      await page.click('#play');
      await page.until(() => playground.lab.step > 0, { say: 'a step' });
      await click(page, '#play');
      const taken = await step();
      assert.ok(taken > 0 && taken < most, `${pace}: ${taken} steps`);
      if (pace === 'epoch') assert.equal(taken % 25, 0);
    }
    await set(page, '#pace', 'fast');
  });
  await test('regression instead of classes', async () => {
    await set(page, '#task', 'regression');
    const d = await description(page);
    assert.deepEqual([d.task, d.data], ['regression', 'plane']);
    await sameAddress(page);
    const before = await losses(page);
    await learn(page, 300);
    assert.ok((await losses(page)).train < 0.5 * before.train);
    assert.equal(before.train_accuracy, undefined);
    await set(page, '#task', 'classification');
    assert.equal((await description(page)).data, 'circles');
  });
  await test('a seed that is none is refused on the page', async () => {
    const before = await description(page);
    await set(page, '#seed', '-5');
    assert.deepEqual(await description(page), before);
    assert.ok(await page.evaluate(() => !document.querySelector('#problem').hidden));
    await set(page, '#seed', '1');
    assert.ok(await page.evaluate(() => document.querySelector('#problem').hidden), 'the message stays');
  });
  await test('no error in the console while settings were changed', () => assert.deepEqual(page.errors, []));
  await page.close();
}
