// The pages at three sizes, light and dark: nothing is wider than the window, and a picture of each is kept.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { learn, playground } from './common.mjs';

const sizes = [[390, 844], [1280, 800], [3840, 2160]];

export default async function ({ test, noGpu, root }) {
  const browser = await noGpu();
  for (const [width, height] of sizes) {
    for (const dark of [false, true]) {
      await test(`${width} × ${height}, ${dark ? 'dark' : 'light'}`, async () => {
        for (const name of ['index', 'picture', 'article']) {
          const look = { width, height, dark, touch: width < 500 };
          const page = name === 'index' ? await playground(browser, '', look) : await browser.open(`${name}.html`, look);
          if (name === 'index') await learn(page, 300);
          if (name === 'picture') await page.until(() => globalThis.playground?.state.picture?.step > 10, { say: 'it learns', seconds: 40 });
          if (name === 'article') await page.until(() => document.documentElement.dataset.ready === 'yes', { say: 'it is ready' });
          const [wide, ground] = await page.evaluate(() => [document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]);
          assert.ok(wide <= width, `${name} is ${wide} pixels wide`);
          const [r] = ground.match(/\d+/g).map(Number);
          assert.ok(dark ? r < 80 : r > 180, `${name} has the ground ${ground}`);
          const small = await page.evaluate(narrow => [...document.querySelectorAll('button, select, input[type="checkbox"]')].filter(e => {
            const box = e.getBoundingClientRect();
            return narrow && box.width && !e.matches('.remove, .face') && Math.min(box.width, box.height) < 16;
          }).map(e => e.id), width < 500);
          assert.deepEqual(small, [], `${name}: too small for a finger`);
          await page.screenshot(join(root, 'target/screenshots', `${name}-${width}x${height}-${dark ? 'dark' : 'light'}.png`));
          if (width < 3000) await page.screenshot(join(root, 'target/screenshots', `${name}-${width}x${height}-${dark ? 'dark' : 'light'}-whole.png`), { whole: true });
          assert.deepEqual(page.errors, []);
          await page.close();
        }
      });
    }
  }
}
