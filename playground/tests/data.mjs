// The points: the sets, noise, the split, the batch, and points of the reader's own.
import assert from 'node:assert/strict';
import { click, description, idle, learn, losses, near, playground, repaints, sameAddress, set } from './common.mjs';

export default async function ({ test, noGpu }) {
  const page = await playground(await noGpu());
  const points = () => page.evaluate(() => { const { train, test } = playground.engine.points(playground.description); return { train: [...train], test: [...test] }; });

  await test('each data set is drawn and learnt', async () => {
    for (const task of ['classification', 'regression']) {
      await set(page, '#task', task);
      for (const name of (await page.evaluate(kind => playground.engine.names()[kind], task)).filter(n => n !== 'own').reverse()) {
        const dots = await page.pixels('#output-points');
        await page.click(`#data-${name}`);
        await idle(page);
        assert.equal((await description(page)).data, name);
        assert.notEqual(await page.pixels('#output-points'), dots, `the points of ${name}`);
        const before = await losses(page);
        await learn(page, 150);
        assert.notEqual((await losses(page)).train, before.train);
        await sameAddress(page);
      }
    }
    await set(page, '#task', 'classification');
  });
  await test('noise moves the points and raises the loss', async () => {
    await playground(null, 'data=gaussians', { page });
    await learn(page, 500);
    const before = await losses(page);
    await repaints(page, '#output-points', () => set(page, '#noise', 50));
    assert.equal((await description(page)).noise, 50);
    assert.match(await page.text('#noise-value'), /50/);
    assert.ok((await losses(page)).train > before.train + 0.01);
    await sameAddress(page);
  });
  await test('the split and the number of points', async () => {
    await set(page, '#train', 80);
    let all = await points();
    assert.deepEqual([all.train.length / 3, all.test.length / 3], [400, 100]);
    await set(page, '#rows', 200);
    all = await points();
    assert.deepEqual([all.train.length / 3, all.test.length / 3], [160, 40]);
    await sameAddress(page);
  });
  await test('new points of the same kind', async () => {
    const before = await points();
    await click(page, '#data-next');
    assert.notDeepEqual(await points(), before);
    await sameAddress(page);
  });
  await test('the rows of a step: ten, and all of them', async () => {
    await set(page, '#batch', 0);
    assert.equal((await description(page)).batch, 0);
    assert.match(await page.text('#batch-value'), /all/);
    await click(page, '#reset');
    await learn(page, 7);
    near(await page.evaluate(() => playground.lab.epoch), 7, 1e-6, 'each step is an epoch');
    await set(page, '#batch', 20);
    await sameAddress(page);
  });
  await test('points of one\'s own are asked for where there is none', async () => {
    const before = await description(page);
    await click(page, '#data-own');
    assert.deepEqual((await description(page)).points, before.points);
    assert.ok(await page.evaluate(() => ['data-message', 'own-message'].some(id => (document.getElementById(id)?.textContent ?? '').length > 10)));
  });
  await test('own points are pasted', async () => {
    await page.evaluate(() => { document.querySelector('#own-panel').open = true; });
    const rows = Array.from({ length: 40 }, (_, i) => `${(i % 8) - 3.5},${Math.floor(i / 8) - 2},${i % 8 < 4 ? 1 : -1}`).join('\n');
    await page.type('#own-text', rows);
    await repaints(page, '#output-points', () => click(page, '#own-read'));
    const d = await description(page);
    assert.deepEqual([d.data, d.points.length], ['own', 120]);
    await sameAddress(page);
    await learn(page, 400);
    assert.ok((await losses(page)).train < 0.1, 'two halves are not learnt');
  });
  await test('a click on the map sets a point, with the shift key one of the other class', async () => {
    const count = async () => (await description(page)).points.length / 3, before = await count();
    await click(page, '#output-points');
    assert.equal(await count(), before + 1);
    const { points: all } = await description(page);
    near(all.at(-3), 0, 0.2);
    near(all.at(-2), 0, 0.2);
    assert.equal(all.at(-1), 1);
    const place = await page.place('#output-points', [0.25, 0.25]);
    await page.mouse('mousePressed', place, { modifiers: 8 });
    await page.mouse('mouseReleased', place, { modifiers: 8 });
    await idle(page);
    const next = (await description(page)).points.slice(-3);
    near(next[0], -3, 0.2);
    near(next[1], 3, 0.2);
    assert.equal(next[2], -1);
    await set(page, '#own-class', '-1');
    await page.click('#output-points', [0.75, 0.25]);
    await idle(page);
    assert.equal((await description(page)).points.at(-1), -1);
    await sameAddress(page);
  });
  await test('the last point is removed, and then all', async () => {
    const before = (await description(page)).points.length;
    await click(page, '#own-undo');
    assert.equal((await description(page)).points.length, before - 3);
    await click(page, '#own-clear');
    assert.equal((await description(page)).data, 'circles');
  });
  await test('the points in sight are taken over', async () => {
    const before = await points();
    await click(page, '#own-copy');
    const d = await description(page);
    assert.equal(d.data, 'own');
    assert.equal(d.points.length, before.train.length + before.test.length);
  });
  await test('a CSV is dropped, and one is chosen', async () => {
    const csv = `a;b;label\n${Array.from({ length: 30 }, (_, i) => `${i * 10};${(i % 5) * 10};${i < 15 ? 1 : -1}`).join('\n')}`;
    await page.file('#own-drop', 'points.csv', Buffer.from(csv), 'text/csv');
    await page.until(() => playground.description.points.length === 90, { say: '30 points' });
    const d = await description(page);
    assert.ok(d.points.every(v => Math.abs(v) <= 6));
    await page.file('#own-file', 'more.csv', Buffer.from(`${csv}\n5;5;1`), 'text/csv');
    await page.until(() => playground.description.points.length === 93, { say: '31 points' });
    await idle(page);
    await sameAddress(page);
  });
  await test('a CSV that is none is refused beside the field, and nothing changes', async () => {
    const before = await description(page);
    await page.file('#own-drop', 'cat.csv', Buffer.from('meow'), 'text/csv');
    await page.until(() => /cat\.csv/.test(document.querySelector('#own-message').textContent), { say: 'the message' });
    assert.deepEqual(await description(page), before);
  });
  await test('own numbers make a regression', async () => {
    await page.type('#own-text', Array.from({ length: 30 }, (_, i) => `${i / 5 - 3},1,${(i * i / 300 - 1).toFixed(3)}`).join('\n'));
    await click(page, '#own-read');
    const d = await description(page);
    assert.deepEqual([d.task, d.data, d.points.length], ['regression', 'own', 90]);
    await set(page, '#own-target', '0.5');
    await click(page, '#output-points');
    near((await description(page)).points.at(-1), 0.5, 1e-6);
  });
  await test('no error in the console while points were changed', () => assert.deepEqual(page.errors, []));
  await page.close();
}
