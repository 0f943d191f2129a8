// Drives the built playground in a real browser.
//   node playground/test.mjs [WORD]...     only the themes whose names contain a word
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';

const root = fileURLToPath(new URL('.', import.meta.url));
const themes = ['engine', 'network', 'settings', 'data', 'output', 'many', 'files', 'devices', 'keyboard', 'pages', 'memory', 'looks', 'speed'];
const words = process.argv.slice(2);
const SECONDS = Number(process.env.PLAYGROUND_SECONDS ?? 470 + 240 * Number(process.env.PLAYGROUND_MINUTES ?? 0));
const begun = Date.now(), failures = [], browsers = new Map();
let passed = 0, skipped = 0;

const seconds = since => `${((Date.now() - since) / 1e3).toFixed(1)} s`;

/** A browser with WebGPU or without it, started once. */
function browser(gpu) {
  if (!browsers.has(gpu)) browsers.set(gpu, launch({ gpu }));
  return browsers.get(gpu);
}

async function test(name, run) {
  const start = Date.now();
  let timer;
  try {
    await Promise.race([run(), new Promise((_, fail) => { timer = setTimeout(() => fail(new Error('no end after 120 s')), 120e3 + 60e3 * Number(process.env.PLAYGROUND_MINUTES ?? 0)); })]);
    passed++;
    console.log(`ok    ${name} (${seconds(start)})`);
  } catch (error) {
    failures.push(name);
    console.log(`FAIL  ${name} (${seconds(start)})\n      ${String(error?.message ?? error).trim().split('\n').slice(0, 12).join('\n      ')}`);
  } finally {
    clearTimeout(timer);
  }
}

function skip(name, why) {
  skipped++;
  console.log(`skip  ${name}: ${why}`);
}

async function end() {
  for (const one of browsers.values()) await (await one.catch(() => null))?.close();
  console.log(`${passed} passed, ${failures.length} failed, ${skipped} skipped in ${seconds(begun)}`);
  for (const name of failures) console.log(`  failed: ${name}`);
  process.exit(failures.length || !passed ? 1 : 0);
}

setTimeout(() => { failures.push(`no end after ${SECONDS} s`); end(); }, 1e3 * SECONDS).unref();
/** Runs the tests of a theme. */
async function theme(name) {
  try {
    const { default: run } = await import(`./tests/${name}.mjs`);
    await run({ test, skip, root, gpu: () => browser(true), noGpu: () => browser(false) });
  } catch (error) {
    failures.push(`${name} could not go on`);
    console.log(`FAIL  ${name}: ${error.stack}`);
  }
}

for (const name of themes) {
  if (words.length && !words.some(word => name.includes(word))) continue;
  console.log(`== ${name}`);
  const before = failures.length;
  await theme(name);
  if (failures.length === before) continue;
  // A machine that does other work can be late once. What fails twice has failed.
  console.log(`== ${name}, once more in new browsers; before: ${failures.splice(before).join('; ')}`);
  for (const one of browsers.values()) await (await one.catch(() => null))?.close();
  browsers.clear();
  await theme(name);
}
await end();
