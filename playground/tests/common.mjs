// What the themes share: the page opened at an address, and what it shows.
import assert from 'node:assert/strict';

let visits = 0;

/** Opens index.html (a new tab, or in `page`), and waits until it is ready. */
export async function playground(browser, hash = '', { device = 'cpu', page, ...look } = {}) {
  const path = `index.html?device=${device}&visit=${++visits}${hash ? `#${hash.replace('#', '')}` : ''}`;
  if (page) await page.goto(path); else page = await browser.open(path, look);
  await page.until(() => !!globalThis.playground?.ready, { say: 'playground.ready' });
  await page.evaluate(async () => { await playground.ready; await playground.idle(); });
  return page;
}

/** Waits until the page has nothing to do. */
export const idle = page => page.evaluate(async () => {
  // A click that asks for an edit may put it into the queue a moment later.
  for (let i = 0; i < 3; i++) { await new Promise(done => setTimeout(done, 0)); await playground.idle(); }
});

export const description = page => page.evaluate(() => playground.description);
export const losses = page => page.evaluate(() => playground.losses());
export const parameters = page => page.evaluate(async () => [...await playground.parameters()]);
export const learn = (page, steps) => page.evaluate(n => playground.step(n), steps);

/** The description that the address in the address bar has. */
export const ofAddress = page => page.evaluate(() => playground.engine.describe(location.hash));

/** The address holds what the page has. */
export async function sameAddress(page) {
  assert.deepEqual(await ofAddress(page), await description(page), 'the address holds something else than the page');
}

/** Clicks and waits. */
export async function click(page, selector) {
  await page.click(selector);
  await idle(page);
}

export async function set(page, selector, value) {
  await page.set(selector, value);
  await idle(page);
}

export function near(a, b, most, what = 'values') {
  assert.ok(Math.abs(a - b) <= most, `${what}: ${a} and ${b} differ by more than ${most}`);
}

/** Runs `act` and demands that a canvas shows something else then. */
export async function repaints(page, selector, act) {
  const before = await page.pixels(selector);
  await act();
  await page.until(async (css, old) => {
    const canvas = document.querySelector(css), copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
    copy.drawImage(canvas, 0, 0);
    let sum = 2166136261;
    for (const byte of copy.getImageData(0, 0, canvas.width, canvas.height).data) sum = Math.imul(sum ^ byte, 16777619);
    return (sum >>> 0) !== old;
  }, { seconds: 8, say: `${selector} shows something else`, values: [selector, before] });
}

export const shown = (page, selector) => page.evaluate(css => {
  const element = document.querySelector(css);
  return !!element && element.getClientRects().length > 0;
}, selector);
