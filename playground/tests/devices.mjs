// Where it runs: GPU and CPU, a device that is lost, a browser without WebGPU.
import assert from 'node:assert/strict';
import { click, idle, learn, losses, near, parameters, playground, shown } from './common.mjs';

export default async function ({ test, gpu, noGpu }) {
  const device = page => page.evaluate(() => playground.device);
  const without = await playground(await noGpu(), '', { device: '' });
  await test('without WebGPU the CPU learns, and the page says so', async () => {
    assert.equal(await device(without), 'cpu');
    assert.match(await without.text('#device'), /CPU/);
    assert.match(await without.text('#notice'), /GPU.*CPU/s);
    assert.ok(await without.evaluate(() => document.querySelector('#device-gpu').disabled));
    await without.click('#notice-close');
    assert.ok(!await shown(without, '#notice'));
    const before = await losses(without);
    await learn(without, 500);
    assert.ok((await losses(without)).train < before.train);
    assert.deepEqual(without.errors, []);
  });
  await without.close();

  const page = await playground(await gpu(), '', { device: 'cpu' });
  await test('the GPU goes on where the CPU was', async () => {
    await learn(page, 100);
    const values = await parameters(page), { train } = await losses(page);
    await page.click('#device-gpu');
    await page.until(() => playground.device === 'gpu', { say: 'the GPU', seconds: 60 });
    await idle(page);
    assert.match(await page.text('#device'), /GPU/);
    assert.equal(await page.evaluate(() => document.querySelector('#device-gpu').getAttribute('aria-pressed')), 'true');
    assert.deepEqual(await parameters(page), values);
    near((await losses(page)).train, train, 1e-5);
    await learn(page, 50);
    assert.ok((await losses(page)).train < train);
  });
  await test('what a step costs on both', async () => {
    await page.click('#speed');
    await page.until(() => document.querySelectorAll('#speed-result li').length === 2 && !document.querySelector('#speed').disabled, { say: 'two lines', seconds: 40 });
    assert.match(await page.text('#speed-result'), /GPU.*step.*CPU.*step/s);
  });
  await test('1,000 networks on the GPU', async () => {
    await page.set('#models', '1000');
    await idle(page);
    await learn(page, 5);
    const train = await page.evaluate(async () => [...(await playground.lab.population()).train]);
    assert.equal(new Set(train.map(v => v.toFixed(5))).size > 900, true);
    await page.set('#models', '1');
    await idle(page);
    assert.equal(await device(page), 'gpu');
  });
  await test('a GPU that is lost under way: the CPU goes on with what was learnt', async () => {
    await playground(null, '', { page, device: 'gpu' });
    await page.until(() => playground.device === 'gpu', { say: 'the GPU', seconds: 60 });
    await learn(page, 300);
    const learnt = (await losses(page)).train;
    await page.click('#play');
    await page.evaluate(() => playground.lab.lose_device());
    await page.until(() => playground.device === 'cpu', { say: 'the CPU', seconds: 20 });
    await page.until(() => playground.lab.step > 200, { say: 'it goes on' });
    await page.click('#play');
    await idle(page);
    assert.ok(await shown(page, '#device-problem'));
    assert.match(await page.text('#device-problem'), /GPU.*CPU/s);
    assert.ok((await losses(page)).train < learnt + 0.02, 'what was learnt is gone');
  });
  await test('after that a click brings the GPU back', async () => {
    await page.click('#device-gpu');
    await page.until(() => playground.device === 'gpu', { say: 'the GPU', seconds: 60 });
    await idle(page);
    await learn(page, 3);
    await click(page, '#device-cpu');
    assert.equal(await device(page), 'cpu');
  });
  await test('a GPU that is lost while nothing runs is noticed by the next step', async () => {
    await page.click('#device-gpu');
    await page.until(() => playground.device === 'gpu', { say: 'the GPU', seconds: 60 });
    await idle(page);
    await page.evaluate(() => playground.lab.lose_device());
    await click(page, '#step');
    await page.until(() => playground.device === 'cpu', { say: 'the CPU', seconds: 20 });
    await learn(page, 3);
  });
  await test('the self-check of the GPU begins and tells what it has checked (with PLAYGROUND_MINUTES: its report)', async () => {
    await playground(null, '', { page, device: 'cpu' });
    await page.click('#check');
    // In software all of it takes minutes: with PLAYGROUND_MINUTES there is time for that.
    const seconds = process.env.PLAYGROUND_MINUTES ? 60 * Number(process.env.PLAYGROUND_MINUTES) : 0;
    await page.until(() => /^\d+ done: ./.test(document.querySelector('#check-now').textContent), { say: 'a check that is done', seconds: 90 });
    if (!seconds) return;
    await page.until(() => !document.querySelector('#check-text').hidden, { say: 'the report', seconds });
    assert.match(await page.text('#check-text'), /swiftshader|google/i);
    await click(page, '#check-copy');
    await page.until(() => /clipboard|copy/i.test(document.querySelector('#check-message').textContent), { say: 'a message' });
  });
  await test('no error in the console while devices changed', () => assert.deepEqual(page.errors.filter(error => !/lost|destroyed/i.test(error)), []));
  await page.close();
}
