// What the page shows of a network: the output, the curves, the health of the gradient, the three gradients.
import assert from 'node:assert/strict';
import { click, description, idle, learn, playground, repaints, sameAddress, set } from './common.mjs';

export default async function ({ test, noGpu }) {
  const page = await playground(await noGpu());
  await learn(page, 400);

  await test('test points are shown and hidden', async () => {
    await repaints(page, '#output-points', () => click(page, '#show-test'));
    assert.equal((await description(page)).show_test, true);
    await sameAddress(page);
    await repaints(page, '#output-points', () => click(page, '#show-test'));
  });
  await test('two colours only', async () => {
    await repaints(page, '#output-map', () => click(page, '#discretize'));
    const colours = await page.evaluate(() => {
      const canvas = document.querySelector('#output-map');
      return new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
    });
    assert.equal(colours, 2);
    await sameAddress(page);
    await click(page, '#discretize');
  });
  await test('the map is blue where the network says 1, orange where it says −1', async () => {
    const [wrong, cells] = await page.evaluate(async () => {
      const canvas = document.querySelector('#output-map'), { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const { output } = await playground.lab.maps(0, 8, canvas.width);
      let wrong = 0, cells = 0;
      output.forEach((value, i) => {
        if (Math.abs(value) < 0.3) return;
        cells++;
        if ((data[4 * i + 2] > data[4 * i]) !== value > 0) wrong++;
      });
      return [wrong, cells];
    });
    assert.ok(cells > 2000, `${cells} clear cells`);
    assert.equal(wrong, 0);
  });
  await test('the value under the mouse', async () => {
    await page.hover('#output-points', [0.5, 0.5]);
    await page.until(() => /\d/.test(document.querySelector('#map-value').textContent), { say: 'a value', seconds: 3 });
  });
  await test('the curves on a logarithmic scale', () => repaints(page, '#curves', () => click(page, '#curve-log')));
  await test('the health of each layer is in the table', async () => {
    await page.until(() => document.querySelectorAll('#health tbody tr').length === 3, { say: 'three rows' });
    const first = await page.text('#health tbody');
    await learn(page, 300);
    await page.until(old => document.querySelector('#health tbody').textContent.trim() !== old, { say: 'other numbers', values: [first] });
  });
  await test('vanishing gradients and dead units are called by their names', async () => {
    await page.evaluate(() => playground.edit(d => { d.layers = Array.from({ length: 8 }, () => ({ units: 6, activation: 'sigmoid' })); d.seed = 1; d.batch = 0; }));
    await click(page, '#reset');
    await page.until(() => /vanishing/.test(document.querySelector('#health').textContent), { say: 'vanishing' });
    await page.evaluate(() => playground.edit(d => { d.layers = [{ units: 12, activation: 'relu' }, { units: 12, activation: 'relu' }]; d.rate = 3; d.batch = 10; }));
    await click(page, '#reset');
    await learn(page, 500);
    await page.until(() => /dead/.test(document.querySelector('#health tbody').textContent), { say: 'dead units' });
  });
  await test('the three gradients agree', async () => {
    await playground(null, '', { page });
    await page.evaluate(() => playground.edit(d => { d.layers = [{ units: 3, activation: 'tanh' }]; }));
    for (const [layer, rows] of [['0', 9], ['1', 4]]) {
      await set(page, '#gradients-layer', layer);
      await click(page, '#gradients-run');
      await page.until(n => document.querySelectorAll('#gradients tbody tr').length === n, { say: `${rows} rows`, values: [rows] });
      const cells = await page.evaluate(() => [...document.querySelectorAll('#gradients tbody tr')].map(row => [...row.querySelectorAll('td')].map(cell => Number(cell.textContent.replace('−', '-')))));
      for (const [a, b, c] of cells) assert.ok(Math.abs(a - b) < 2e-5 && Math.abs(b - c) < 2e-5, String([a, b, c]));
      assert.ok(cells.some(([a]) => Math.abs(a) > 1e-4));
    }
  });
  await test('by hand there is a formula for one hidden layer only', async () => {
    await click(page, '#layer-add');
    await click(page, '#gradients-run');
    await page.until(() => document.querySelector('#gradients tbody tr td:last-child')?.textContent === '–', { say: 'a dash' });
  });
  await test('a training that explodes says so, and the page goes on', async () => {
    await playground(null, 'task=regression&data=plane', { page });
    await page.evaluate(() => playground.edit(d => { d.rate = 10; d.layers = [{ units: 8, activation: 'identity' }, { units: 8, activation: 'identity' }]; }));
    await page.evaluate(() => playground.play());
    await page.until(() => playground.problem || !playground.playing, { say: 'a message', seconds: 10 });
    await page.evaluate(() => playground.pause());
    await page.evaluate(() => playground.edit(d => { d.rate = 0.01; }));
    await click(page, '#reset');
    await learn(page, 50);
    assert.ok(Number.isFinite((await page.evaluate(() => playground.losses())).train));
  });
  await test('light and dark are changed by the button and kept', async () => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await ground();
    await repaints(page, '#output-map', () => page.click('#theme'));
    assert.notEqual(await ground(), before);
    const changed = await ground();
    await playground(null, '', { page });
    assert.equal(await ground(), changed);
    await page.evaluate(() => localStorage.removeItem('theme'));
  });
  await test('no error in the console while the page was looked at', async () => { await idle(page); assert.deepEqual(page.errors, []); });
  await page.close();
}
