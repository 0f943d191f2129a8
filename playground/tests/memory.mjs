// A play that lasts: neither the heap nor the engine's memory grows.
//   PLAYGROUND_MINUTES=10 makes it ten minutes for each page.
import assert from 'node:assert/strict';
import { playground } from './common.mjs';

const SECONDS = process.env.PLAYGROUND_MINUTES ? 60 * Number(process.env.PLAYGROUND_MINUTES) : 20;
const mb = bytes => (bytes / 1e6).toFixed(1);

/** Measures after a fifth of the time, when everything has been used (`warm` sees to that), and at its end. */
async function grows(page, again, warm = async () => {}) {
  await warm();
  const end = Date.now() + 1e3 * SECONDS, pass = async until => { while (Date.now() < until) { await again(); await new Promise(done => setTimeout(done, 100)); } };
  await pass(end - 800 * SECONDS);
  const before = await page.memory();
  await pass(end);
  const after = await page.memory();
  console.log(`      heap ${mb(before.heap)} MB, then ${mb(after.heap)} MB; engine ${mb(before.wasm)} MB, then ${mb(after.wasm)} MB in ${SECONDS} s`);
  assert.ok(after.heap < 1.15 * before.heap + 1e6, 'the heap grows');
  assert.ok(after.wasm < 1.1 * before.wasm + 2e6, 'the memory of the engine grows');
  assert.deepEqual(page.errors, []);
}

export default async function ({ test, noGpu }) {
  const browser = await noGpu();
  await test(`memory does not grow in ${SECONDS} s of play and edits`, async () => {
    const page = await playground(browser);
    await page.click('#play');
    let round = 0;
    await grows(page, async () => {
      round++;
      if (round % 8 === 0) await page.evaluate(n => playground.edit(d => { d.layers[0].units = 3 + n % 3; d.rate = n % 2 ? 0.03 : 0.01; }), round / 8);
      if (round % 20 === 0) await page.click('#reset');
      if (round % 50 === 0) await page.evaluate(() => document.querySelector('#gradients-run').click());
    });
    await page.until(() => playground.playing && playground.lab.step > 100, { say: 'it still plays' });
    await page.close();
  });
  await test(`memory does not grow in ${SECONDS} s of a population of 100`, async () => {
    const page = await playground(browser, 'models=100');
    await page.evaluate(async () => { if (playground.description.models !== 100) await playground.edit(d => { d.models = 100; }); });
    await page.click('#play');
    await grows(page, async () => {});
    await page.close();
  });
  await test(`memory does not grow in ${SECONDS} s of the picture`, async () => {
    const page = await browser.open('picture.html');
    await page.until(() => globalThis.playground?.state.picture?.step > 0, { say: 'it learns' });
    let round = 0;
    const start = async () => {
      const before = await page.evaluate(() => playground.state.epoch);
      await page.click('#again');
      await page.until(epoch => playground.state.epoch > epoch && playground.state.picture.step > 0, { say: 'a new start', values: [before] });
    };
    await grows(page, async () => { if (++round % 60 === 0) await start(); }, async () => { for (let i = 0; i < 4; i++) await start(); });
    await page.close();
  });
}
