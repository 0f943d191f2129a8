// The page without a mouse, and for a screen reader.
import assert from 'node:assert/strict';
import { idle, playground } from './common.mjs';

/** What has no name for a screen reader, and what is wrong with the structure. */
function faults() {
  const wrong = [];
  const name = e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim() || (e.getAttribute('aria-labelledby') ?? '').split(' ').map(id => document.getElementById(id)?.textContent).join('').trim() || e.textContent.trim() || e.title;
  for (const e of document.querySelectorAll('button, input, select, textarea, a[href], [role="slider"], [role="img"], [role="application"], canvas:not([aria-hidden="true"])')) {
    if (e.tagName === 'CANVAS' && !e.hasAttribute('role')) { if (!e.closest('button, [role="img"], [aria-hidden="true"]')) wrong.push(`canvas ${e.id} has no role`); continue; }
    if (!name(e)) wrong.push(`${e.tagName} ${e.id} has no name`);
  }
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) wrong.push(`two elements have the id ${id}`);
  if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');
  if (!document.documentElement.lang) wrong.push('no language');
  if (document.querySelectorAll('main').length !== 1) wrong.push('not one main');
  for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) wrong.push(`${e.id} has a tabindex above 0`);
  return wrong;
}

export default async function ({ test, noGpu }) {
  const browser = await noGpu();
  for (const path of ['index.html', 'picture.html', 'article.html']) {
    await test(`${path}: everything has a name and an order`, async () => {
      const page = path === 'index.html' ? await playground(browser) : await browser.open(path);
      if (path !== 'index.html') await page.until(() => document.documentElement.dataset.ready || globalThis.playground?.state?.picture, { say: 'the page is ready' });
      assert.deepEqual(await page.evaluate(faults), []);
      await page.close();
    });
  }

  const page = await playground(browser);
  await test('the tab key reaches the controls, and the focus can be seen', async () => {
    await page.evaluate(() => document.activeElement.blur());
    const seen = [];
    for (let i = 0; i < 60; i++) {
      await page.press('Tab');
      const { id, visible } = await page.evaluate(() => {
        const e = document.activeElement, style = getComputedStyle(e), drawn = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
        return { id: e.id, visible: drawn || style.boxShadow !== 'none' || e.matches('path, .hit') || e === document.body };
      });
      seen.push(id);
      assert.ok(visible, `the focus on ${id} cannot be seen`);
    }
    for (const id of ['theme', 'reset', 'play', 'step', 'optimizer', 'rate', 'noise', 'layer-add', 'feature-0', 'unit-0-0', 'layer-0-add']) assert.ok(seen.includes(id), `${id} is not reached: ${seen.join(' ')}`);
  });
  await test('space starts and stops', async () => {
    await page.evaluate(() => document.activeElement.blur());
    await page.press(' ');
    await page.until(() => playground.playing && playground.lab.step > 5, { say: 'it plays' });
    await page.press(' ');
    await page.until(() => !playground.playing, { say: 'it pauses' });
  });
  await test('enter and space work on a button that has the focus', async () => {
    await page.focus('#play');
    await page.press('Enter');
    await page.until(() => playground.playing, { say: 'it plays' });
    await page.press(' ');
    await page.until(() => !playground.playing, { say: 'it pauses' });
    await page.focus('#feature-2');
    await page.press('Enter');
    await idle(page);
    assert.ok(await page.evaluate(() => playground.description.features.includes('x1^2')));
    assert.equal(await page.evaluate(() => document.activeElement.id), 'feature-2', 'the focus is lost');
  });
  await test('the delete key removes a unit', async () => {
    await page.focus('#unit-0-1');
    await page.press('Delete');
    await idle(page);
    assert.equal(await page.evaluate(() => playground.description.layers[0].units), 3);
  });
  await test('a point is set by keys', async () => {
    await page.focus('#output-points');
    for (const key of ['ArrowRight', 'ArrowUp', 'Enter']) await page.press(key);
    await idle(page);
    assert.equal(await page.evaluate(() => playground.description.data), 'own');
  });
  await test('the page says what happens', async () => {
    await page.focus('#play');
    await page.press('Enter');
    await page.until(() => /learns/.test(document.querySelector('#live').textContent), { say: 'the live region' });
    await page.press('Enter');
  });
  await test('no error in the console while keys were pressed', () => assert.deepEqual(page.errors, []));
  await page.close();
}
