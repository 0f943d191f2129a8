// The other two pages: the picture and the article.
import assert from 'node:assert/strict';
import { deflateSync, crc32 } from 'node:zlib';

const seen = (page, id) => page.evaluate(name => document.getElementById(name).textContent, id);
const number = text => Number(text.replaceAll('−', '-').replace(/[^\d.e+-]/g, ''));

/** A PNG of bars in colours. */
function picture(width, height) {
  const crc = data => { let c = -1; for (const b of data) { c ^= b; for (let k = 0; k < 8; k++) c = c & 1 ? c >>> 1 ^ 0xedb88320 : c >>> 1; } return ~c >>> 0; };
  const part = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data]), out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length);
    body.copy(out, 4);
    out.writeUInt32BE(crc32 ? crc32(body) : crc(body), body.length + 4);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.concat(Array.from({ length: height }, (_, y) => Buffer.from([0, ...Array.from({ length: width }, (_, x) => x < width / 2 ? [220, 30, 30] : [20, 40, y < height / 2 ? 230 : 90]).flat()])));
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), part('IHDR', head), part('IDAT', deflateSync(rows)), part('IEND', Buffer.alloc(0))]);
}

export default async function ({ test, gpu, noGpu }) {
  await pictures({ test, gpu, noGpu });
  await article({ test, noGpu });
}

async function pictures({ test, gpu, noGpu }) {
  const page = await (await noGpu()).open('picture.html');
  const psnr = () => page.evaluate(() => playground.state.picture.psnr());
  const click = id => page.click(`#${id}`);
  await test('the picture is learnt by the CPU, and the page says so', async () => {
    await page.until(() => playground.state.history.length > 0, { say: 'a PSNR', seconds: 30 });
    assert.match(await seen(page, 'device'), /CPU/);
    assert.match(await seen(page, 'status'), /CPU/);
    const before = await psnr();
    await page.until(() => playground.state.picture.step > 60, { say: '60 steps', seconds: 30 });
    const after = await psnr();
    assert.ok(after > before && after > 14, `${before} dB, then ${after} dB`);
    assert.ok(number(await seen(page, 'steps')) > 0 && number(await seen(page, 'loss')) > 0 && number(await seen(page, 'psnr')) > 5);
  });
  await test('the canvas shows what the network says', async () => {
    const difference = await page.evaluate(() => {
      const bytes = id => { const c = new OffscreenCanvas(64, 48), x = c.getContext('2d'); x.drawImage(document.getElementById(id), 0, 0, 64, 48); return x.getImageData(0, 0, 64, 48).data; };
      const [a, b] = [bytes('learnt'), bytes('original')];
      return a.reduce((sum, v, i) => sum + Math.abs(v - b[i]), 0) / a.length;
    });
    assert.ok(difference < 25, `the two differ by ${difference} on average`);
  });
  const still = () => page.still(() => playground.state.picture.step);
  await test('pause and learn', async () => {
    await click('play');
    const step = await still();
    assert.equal(await seen(page, 'play'), 'Learn');
    await page.evaluate(() => document.activeElement.blur());
    await page.press(' ');
    await page.until(old => playground.state.picture.step > old, { say: 'it goes on', values: [step] });
    await page.press(' ');
    await still();
  });
  await test('zoom by buttons, wheel and keys; both canvases follow', async () => {
    const zoom = () => page.evaluate(() => playground.view.zoom), original = await page.pixels('#original'), learnt = await page.pixels('#learnt');
    await click('zoom-in');
    assert.equal(await zoom(), 1.5);
    await page.wheel('#learnt', -300, [0.25, 0.25]);
    await page.until(() => playground.view.zoom > 2.5, { say: 'the wheel' });
    const { x, y } = await page.evaluate(() => playground.view);
    assert.ok(x < 0.5 && y < 0.5, 'it does not enlarge around the mouse');
    await page.focus('#stage');
    await page.press('+');
    await page.until(() => playground.view.zoom > 3.3, { say: 'the key' });
    await page.redrawn('#original', original);
    await page.redrawn('#learnt', learnt);
    const before = await zoom();
    await click('zoom-out');
    assert.ok(await zoom() < before);
  });
  await test('pan by the mouse and by keys; the whole picture by a button', async () => {
    const at = () => page.evaluate(() => playground.view.x), before = await at();
    await page.drag('#learnt', [0.7, 0.5], [0.3, 0.5]);
    assert.ok(await at() > before + 0.05);
    const dragged = await at();
    await page.focus('#stage');
    await page.press('ArrowLeft');
    assert.ok(await at() < dragged);
    await click('whole');
    assert.deepEqual(await page.evaluate(() => [playground.view.x, playground.view.y, playground.view.zoom]), [0.5, 0.5, 1]);
    assert.match(await seen(page, 'zoom'), /^1 ×/);
  });
  await test('another picture is dropped, and one is chosen', async () => {
    await page.file('#stage', 'bars.png', picture(48, 32), 'image/png');
    await page.until(() => playground.state.image.width === 48 && playground.state.picture.step > 40, { say: 'the bars are learnt', seconds: 20 });
    assert.match(await seen(page, 'status'), /bars\.png/);
    assert.match(await seen(page, 'size'), /48 × 32/);
    assert.ok(await psnr() > 18);
    await page.file('#choose', 'wide.png', picture(64, 20), 'image/png');
    await page.until(() => playground.state.image.width === 64, { say: 'the wide one' });
    assert.ok(await page.evaluate(() => document.querySelector('#veil').hidden));
  });
  await test('a file that is no picture is refused, and the picture stays', async () => {
    await page.file('#stage', 'cat.txt', Buffer.from('meow'), 'text/plain');
    await page.until(() => /cat\.txt.*no picture/.test(document.querySelector('#status').textContent), { say: 'the message' });
    assert.equal(await page.evaluate(() => playground.state.image.width), 64);
  });
  await test('the built-in picture, and a new start', async () => {
    await click('builtin');
    await page.until(() => playground.state.image.width === 512, { say: 'the built-in one' });
    await page.until(() => playground.state.picture.step > 5, { say: 'steps' });
    const old = await page.evaluate(() => playground.state.epoch);
    await click('again');
    await page.until(epoch => playground.state.epoch > epoch && playground.state.history.length === 0, { say: 'a new start', values: [old] });
  });
  await test('the function in WGSL', async () => {
    await click('code > summary');
    await page.until(() => /fn network\b/.test(document.querySelector('#wgsl').textContent), { say: 'the text', seconds: 15 });
    await click('copy');
    await page.until(() => document.querySelector('#copied').textContent.length > 5, { say: 'a message' });
  });
  await test('no error in the console of the picture', () => assert.deepEqual(page.errors, []));
  await page.close();

  const other = await (await gpu()).open('picture.html?device=gpu');
  await test('the GPU draws the picture; when it is lost the CPU begins anew', async () => {
    // SwiftShader takes half a minute to compile it.
    await other.until(() => globalThis.playground?.state.picture?.step > 0, { say: 'a step on the GPU', seconds: 110 });
    assert.match(await seen(other, 'device'), /GPU/);
    await other.evaluate(() => playground.state.picture.lose_device());
    await other.until(() => /CPU/.test(document.querySelector('#device').textContent), { say: 'the CPU', seconds: 30 });
    assert.match(await seen(other, 'status'), /GPU.*CPU/s);
    await other.until(() => playground.state.picture.step > 3, { say: 'it learns on' });
  });
  await other.close();
}

async function article({ test, noGpu }) {
  const page = await (await noGpu()).open('article.html');
  await page.until(() => document.documentElement.dataset.ready === 'yes', { say: 'the article is ready' });
  const text = id => seen(page, id), click = id => page.click(`#${id}`);
  await test('forward: the numbers follow the point, the target and the weights', async () => {
    const before = await text('graph-text');
    await page.set('#x1', '-3');
    const moved = await text('graph-text');
    assert.notEqual(moved, before);
    await page.set('#target', '-1');
    assert.notEqual(await text('graph-text'), moved);
    const svg = await page.evaluate(() => document.querySelector('#graph').innerHTML);
    await click('forward-new');
    await page.until(old => document.querySelector('#graph').innerHTML !== old, { say: 'another drawing', values: [svg] });
    const [y, z] = [...(await text('graph-text')).matchAll(/tanh\((−?[\d.]+)\) = (−?[\d.]+)/g)].map(m => [number(m[2]), number(m[1])])[0];
    assert.ok(Math.abs(Math.tanh(z) - y) < 0.011, `tanh ${z} is not ${y}`);
    assert.match(await page.evaluate(() => document.querySelector('#forward-link').hash), /sigmoid|seed/);
  });
  await test('the chain rule: six links, and a step makes the loss of the point smaller', async () => {
    for (let i = 0; i < 5; i++) {
      assert.equal(await page.evaluate(() => [...document.querySelectorAll('#chain-steps li')].findIndex(e => e.hasAttribute('aria-current'))), i);
      await click('chain-next');
    }
    assert.ok(await page.evaluate(() => document.querySelector('#chain-next').disabled));
    await click('chain-back');
    await click('chain-step');
    await page.until(() => /from/.test(document.querySelector('#chain-loss').textContent), { say: 'the losses' });
    const [before, after] = [...(await text('chain-loss')).matchAll(/\d[\d.e−]*\d/g)].map(m => number(m[0]));
    assert.ok(after < before, `${before}, then ${after}`);
  });
  await test('three ways: they agree, for both layers, before and after learning', async () => {
    for (const [layer, rows] of [['0', 9], ['1', 4]]) {
      await page.set('#ways-layer', layer);
      await page.until(n => document.querySelectorAll('#ways-table tbody tr').length === n, { say: `${rows} rows`, values: [rows] });
      const cells = await page.evaluate(() => [...document.querySelectorAll('#ways-table tbody tr')].map(r => [...r.querySelectorAll('td')].map(c => Number(c.textContent.replace('−', '-')))));
      for (const [a, b, c] of cells) assert.ok(Math.abs(a - b) < 1e-6 && Math.abs(b - c) < 1e-6, String([a, b, c]));
    }
    const table = await text('ways-table');
    await click('ways-train');
    await page.until(old => document.querySelector('#ways-table').textContent !== old, { say: 'another table', values: [table] });
    await click('ways-new');
    await page.until(() => /Step 0/.test(document.querySelector('#ways-text').textContent), { say: 'step 0' });
  });
  await test('the costs grow with the network, and a step is measured', async () => {
    assert.match(await text('cost-text'), /^13 parameters/);
    await page.set('#cost-layers', '2');
    await page.set('#cost-units', '7');
    assert.equal(number((await text('cost-text')).split(' parameters')[0]), 2 * 64 + 64 + 64 * 64 + 64 + 65);
    await click('cost-measure');
    await page.until(() => /µs|ms/.test(document.querySelector('#cost-text').textContent), { say: 'a time' });
  });
  for (const [id, most] of [['rings', 0.1], ['xor', 0.25]]) {
    await test(`descent on ${id}: it plays, the loss falls, it steps and starts again`, async () => {
      await page.evaluate(name => document.getElementById(`figure-${name}`).scrollIntoView({ block: 'center', behavior: 'instant' }), id);
      const loss = async () => Number((await text(`${id}-text`)).match(/loss ([\d.]+)/)[1]);
      if (!await page.evaluate(name => document.getElementById(`${name}-play`).getAttribute('aria-pressed') === 'true', id)) await click(`${id}-play`);
      await page.until((name, limit) => Number(document.getElementById(`${name}-text`).textContent.match(/loss ([\d.]+)/)[1]) < limit, { say: `a loss below ${most}`, seconds: 30, values: [id, most] });
      await click(`${id}-step`);
      await page.still(name => document.getElementById(`${name}-text`).textContent, { values: [id] });
      const map = await page.pixels(`#figure-${id} .map canvas`);
      await click(`${id}-again`);
      await page.until(name => /Step 0/.test(document.getElementById(`${name}-text`).textContent), { say: 'step 0', values: [id] });
      assert.ok(await loss() > most);
      await page.redrawn(`#figure-${id} .map canvas`, map);
      await click(`${id}-new`);
      await page.until((name, old) => document.getElementById(`${name}-link`).href !== old, { say: 'another address', values: [id, ''] });
    });
  }
  await test('gradients vanish in ten sigmoid layers and not in one of tanh', async () => {
    const first = async () => number((await page.evaluate(() => document.querySelector('#vanishing-bars b').textContent)).split(',')[0]);
    await page.set('#vanishing-depth', '10');
    await page.until(() => document.querySelectorAll('#vanishing-bars b').length === 11, { say: '11 layers' });
    assert.match(await page.evaluate(() => document.querySelector('#vanishing-bars').textContent), /vanishing/);
    const deep = await first();
    await page.set('#vanishing-activation', 'tanh');
    await page.set('#vanishing-depth', '1');
    await page.until(() => document.querySelectorAll('#vanishing-bars b').length === 2, { say: '2 layers' });
    assert.ok(await first() > 1000 * deep);
    await click('vanishing-step');
    await page.until(() => /Step 1,/.test(document.querySelector('#vanishing-text').textContent), { say: 'step 1' });
  });
  await test('units die at a high rate, and a leaky one does not', async () => {
    await click('dying-play');
    await page.until(() => document.querySelectorAll('#figure-dying .dead').length > 2, { say: 'dead units', seconds: 30 });
    await page.set('#dying-activation', 'leaky_relu');
    await page.until(() => /leaky/.test(document.querySelector('#dying-text').textContent), { say: 'leaky units' });
    assert.equal(await page.evaluate(() => document.querySelectorAll('#figure-dying .dead').length), 0);
  });
  await test('the addresses of the figures can be read, and the pages are linked', async () => {
    const bad = await page.evaluate(async () => {
      const engine = await import('/pkg/engine.js'), bad = [];
      for (const link of document.querySelectorAll('a.playground')) { try { engine.describe(link.hash); if (link.hash.length < 5) bad.push(link.id); } catch (error) { bad.push(`${link.id}: ${error.message}`); } }
      for (const link of document.querySelectorAll('a[href$=".html"]')) if (!(await fetch(link.href)).ok) bad.push(link.href);
      return bad;
    });
    assert.deepEqual(bad, []);
  });
  await test('no error in the console of the article', () => assert.deepEqual(page.errors, []));
  await page.close();
}
