// Out and in: the address, the exports, the imports.
import assert from 'node:assert/strict';
import { click, description, learn, losses, near, parameters, playground, sameAddress, set } from './common.mjs';

export default async function ({ test, noGpu }) {
  const browser = await noGpu(), page = await playground(browser);

  await test('the address is restored in a new tab', async () => {
    await page.evaluate(() => playground.edit(d => {
      Object.assign(d, { data: 'spiral', noise: 15, train: 0.7, data_seed: 3, rows: 300, features: ['x1', 'x2', 'sin(x1)'], batch: 0, optimizer: 'adam', rate: 0.01, l1: 0.0001, l2: 0.001, seed: 42, discretize: true, show_test: true });
      d.layers = [{ units: 7, activation: 'relu' }, { units: 5, activation: 'gelu' }, { units: 3, activation: 'tanh' }];
    }));
    const address = await page.evaluate(() => location.hash);
    assert.ok(address.length > 20);
    const other = await playground(browser, address);
    assert.deepEqual(await description(other), await description(page));
    for (const one of [page, other]) { await click(one, '#reset'); await learn(one, 100); }
    const [a, b] = [await losses(page), await losses(other)];
    assert.deepEqual(a, b);
    assert.equal(await other.evaluate(() => document.querySelector('#optimizer').value + document.querySelector('#noise').value + document.querySelector('#seed').value), 'adam1542');
    assert.ok(await other.evaluate(() => document.querySelector('#discretize').checked && document.querySelector('#show-test').checked));
    assert.deepEqual(other.errors, []);
    await other.close();
  });
  await test('another hash in the address bar is read', async () => {
    await page.evaluate(() => { location.hash = '#data=xor'; });
    await page.until(() => playground.description.data === 'xor', { say: 'xor' });
  });
  await test('an address that cannot be read is said, in a new tab and on the way', async () => {
    const other = await playground(browser, 'data=sheep');
    assert.match(await other.evaluate(() => playground.problem), /address/i);
    assert.equal((await description(other)).data, 'circles');
    await learn(other, 10);
    await other.close();
    const before = await description(page);
    await page.evaluate(() => { location.hash = '#rate=fast'; });
    await page.until(() => /address/i.test(playground.problem), { say: 'a message' });
    assert.deepEqual(await description(page), before);
  });
  await test('the copy of the address is said', async () => {
    await click(page, '#copy-address');
    await page.until(() => document.querySelector('#take-message').textContent.length > 10, { say: 'a message' });
  });

  await playground(null, '', { page });
  await learn(page, 400);
  /** Clicks on an export and catches the file that is saved. */
  async function saved(format) {
    await page.evaluate(() => {
      globalThis.caught = new Promise(done => {
        const make = URL.createObjectURL;
        URL.createObjectURL = blob => { URL.createObjectURL = make; done(blob.arrayBuffer().then(b => [...new Uint8Array(b)])); return make.call(URL, blob); };
      });
      HTMLAnchorElement.prototype.click = function () { globalThis.savedName = this.download; };
    });
    await page.click(`#export-${format}`);
    const bytes = await page.evaluate(() => caught);
    assert.equal(await page.evaluate(() => savedName), `network.${format}`);
    return Buffer.from(bytes);
  }
  await test('the WGSL function is saved and shown', async () => {
    const text = (await saved('wgsl')).toString();
    assert.match(text, /fn network\b/);
    await page.until(() => !document.querySelector('#export-text').hidden, { say: 'the text' });
    assert.equal(await page.evaluate(() => document.querySelector('#export-text').textContent), text);
  });
  for (const format of ['safetensors', 'onnx']) {
    await test(`${format} is saved, and read again where it is dropped and where it is chosen`, async () => {
      const bytes = await saved(format), values = await parameters(page), before = await losses(page);
      for (const selector of ['#import-drop', '#import-file']) {
        await click(page, '#reset');
        assert.ok(Math.abs((await losses(page)).train - before.train) > 1e-3);
        await page.file(selector, `mine.${format}`, bytes);
        await page.until(() => /mine/.test(document.querySelector('#take-message').textContent), { say: 'the message' });
        assert.deepEqual(await parameters(page), values);
        near(Number(await page.text('#loss-train')), before.train, 0.0011);
      }
    });
  }
  await test('a file that is none is refused where it was dropped, and the page goes on', async () => {
    const values = await parameters(page);
    for (const [name, bytes] of [['cat.onnx', 'meow'], ['cat.safetensors', 'x'], ['cat.jpg', 'meow']]) {
      await page.file('#import-drop', name, Buffer.from(bytes));
      await page.until(file => document.querySelector('#take-problem').textContent.includes(file), { say: name, values: [name] });
    }
    assert.deepEqual(await parameters(page), values);
    await learn(page, 5);
  });
  await test('a file of another network is refused with what was found', async () => {
    const bytes = await saved('safetensors');
    await click(page, '#layer-0-add');
    await page.file('#import-drop', 'other.safetensors', bytes);
    await page.until(() => /other\.safetensors.*\d/.test(document.querySelector('#take-problem').textContent), { say: 'the message' });
  });
  await test('the address stays that of the page after all this', async () => { await set(page, '#noise', 5); await sameAddress(page); });
  await test('no error in the console while files came and went', () => assert.deepEqual(page.errors, []));
  await page.close();
}
