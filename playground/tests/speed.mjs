// How fast it is here: printed, but for the bounds of the first page.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';

const thousands = n => Math.round(n).toLocaleString('en');

export default async function ({ test, noGpu }) {
  const browser = await noGpu();
  await test('the first page: its bytes and its first paint', async () => {
    const page = await browser.open('index.html');
    await page.until(() => !!globalThis.playground?.ready);
    await page.evaluate(() => playground.ready);
    const [paint, files] = await page.evaluate(() => [performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
      [location.pathname, ...performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)]]);
    let bytes = 0;
    for (const file of new Set(files.filter(f => !f.startsWith('data:')))) {
      const reply = await fetch(new URL(file, browser.origin));
      bytes += gzipSync(Buffer.from(await reply.arrayBuffer()), { level: 9 }).length;
    }
    console.log(`      first paint ${paint?.toFixed(0)} ms; ${(bytes / 1e3).toFixed(0)} KB compressed in ${new Set(files).size} files`);
    assert.ok(bytes < 400e3, `${bytes} bytes`);
    await page.close();
  });

  await test('steps a second of 2-8-8-1 on 500 rows, on the CPU', async () => {
    const page = await browser.open('article.html');
    await page.until(() => document.documentElement.dataset.ready === 'yes');
    const results = await page.evaluate(async () => {
      const engine = await import('/pkg/engine.js'), out = {};
      // 500 rows to train on, and as few to test on as there can be.
      const base = { ...engine.describe(''), layers: [{ units: 8, activation: 'tanh' }, { units: 8, activation: 'tanh' }], rows: 556, train: 0.9 };
      out.rows = engine.points(base).train.length / 3;
      for (const [name, batch, steps] of [['full batches', 0, 500], ['batches of ten', 10, 20000]]) {
        for (const losses of [false, true]) {
          const lab = await engine.create({ ...base, batch }, 'cpu');
          await lab.train(100);
          let best = Infinity;
          for (let round = 0; round < 4; round++) {
            const start = performance.now();
            if (!losses) await lab.train(steps);
            else for (let i = 0; i < steps; i += batch ? 50 : 1) { await lab.train(batch ? 50 : 1); await lab.losses(0); }
            best = Math.min(best, performance.now() - start);
          }
          out[`${name}${losses ? ', both losses each epoch' : ''}`] = steps / best * 1e3;
          lab.free();
        }
      }
      const lab = await engine.create({ ...base, batch: 10, models: 1000 }, 'cpu');
      const start = performance.now();
      for (let i = 0; i < 10; i++) await lab.train(100);
      out.population = (performance.now() - start) / 1e3;
      lab.free();
      return out;
    });
    for (const [name, value] of Object.entries(results)) {
      if (name === 'rows') assert.ok(Math.abs(value - 500) < 2, `${value} rows`);
      else console.log(`      ${name === 'population' ? `1,000 networks × 1,000 steps of ten rows: ${value.toFixed(1)} s` : `${name}: ${thousands(value)} steps a second`}`);
    }
    await page.close();
  });
}
