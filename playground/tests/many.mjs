// A population: many networks at once.
import assert from 'node:assert/strict';
import { click, description, idle, learn, losses, near, parameters, playground, repaints, sameAddress, set, shown } from './common.mjs';

export default async function ({ test, noGpu }) {
  const page = await playground(await noGpu());
  const model = () => page.evaluate(() => playground.model);

  await test('1,000 networks learn at once: the mosaic and the histogram change', async () => {
    await learn(page, 1);
    await set(page, '#models', '1000');
    assert.equal((await description(page)).models, 1000);
    assert.ok(await shown(page, '#mosaic') && await shown(page, '#histogram'));
    await sameAddress(page);
    const histogram = await page.pixels('#histogram');
    await repaints(page, '#mosaic', () => learn(page, 60));
    assert.notEqual(await page.pixels('#histogram'), histogram);
  });
  await test('each of them has a seed of its own, and the first is the network of the page', async () => {
    const [train, one] = await page.evaluate(async () => [[...(await playground.lab.population()).train], (await playground.lab.losses(0)).train]);
    assert.equal(train.length, 1000);
    assert.ok(new Set(train.map(v => v.toFixed(5))).size > 900);
    near(train[0], one, 1e-6);
  });
  await test('they learn: the median of the losses falls', async () => {
    const median = () => page.evaluate(async () => [...(await playground.lab.population()).train].sort((a, b) => a - b)[500]);
    const before = await median();
    await learn(page, 100);
    assert.ok(await median() < before - 0.02);
  });
  await test('one is picked by number, by the mouse, and the best by a button', async () => {
    await set(page, '#model', '17');
    await page.until(() => playground.model === 17, { say: 'number 17' });
    await page.click('#mosaic', [0.5, 0.5]);
    await page.until(() => playground.model !== 17, { say: 'another one' });
    await click(page, '#model-best');
    await idle(page);
    const [loss, best] = await page.evaluate(async () => [(await playground.losses()).train, Math.min(...(await playground.lab.population()).train)]);
    near(loss, best, 1e-6);
    near(Number(await page.text('#loss-train')), best, 0.0011);
  });
  await test('the mosaic is sorted by the losses', async () => {
    await repaints(page, '#mosaic', () => click(page, '#mosaic-sorted'));
    await click(page, '#mosaic-sorted');
  });
  await test('keys go through the mosaic', async () => {
    await page.focus('#mosaic');
    const before = await model();
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowRight', 'Enter']) await page.press(key);
    await page.until(old => playground.model !== old, { say: 'another one', values: [before], seconds: 5 });
  });
  await test('the picked one goes on alone', async () => {
    await click(page, '#model-best');
    await idle(page);
    const [values, { train }] = [await parameters(page), await losses(page)];
    await set(page, '#models', '1');
    assert.deepEqual(await parameters(page), values);
    near((await losses(page)).train, train, 1e-6);
    assert.equal(await shown(page, '#mosaic'), false);
  });
  await test('10,000 have pages', async () => {
    await set(page, '#models', '10000');
    await page.until(() => !document.querySelector('#mosaic-on').disabled, { say: 'the button is free' });
    const text = await page.text('#mosaic-page');
    await click(page, '#mosaic-on');
    assert.notEqual(await page.text('#mosaic-page'), text);
    await click(page, '#mosaic-back');
    assert.equal(await page.text('#mosaic-page'), text);
    await set(page, '#models', '1');
  });
  await test('no error in the console while many learnt', () => assert.deepEqual(page.errors, []));
  await page.close();
}
