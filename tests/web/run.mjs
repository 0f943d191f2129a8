// Runs the tests that run.sh has built.
//   node run.mjs SITE chromium     in a page of headless Chromium, on SwiftShader
//   node run.mjs SITE dawn         in this Node, on Chrome's WebGPU and whatever Vulkan driver it finds
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [site, where] = process.argv.slice(2);
const SECONDS = Number(process.env.WGRAD_WEB_SECONDS ?? 900);
setTimeout(() => finish(`no end after ${SECONDS} s`), 1e3 * SECONDS).unref();
let clean = () => {};

function finish(result) {
  clean();
  if (result !== '0') console.log(`the tests failed: ${result}`);
  process.exit(result === '0' ? 0 : 1);
}

if (where === 'dawn') await inNode(); else await inChromium();

async function inNode() {
  const { create, globals } = await import('./dawn/node_modules/webgpu/index.js');
  // What wgpu looks for: a worker's global object. It must live as long as its devices.
  Object.assign(globalThis, globals, { WorkerGlobalScope: Object });
  const navigator = { gpu: create([]) };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  process.on('uncaughtException', error => finish(error.stack));
  process.on('unhandledRejection', error => finish(error?.stack ?? error));
  const { all } = await import(pathToFileURL(resolve(site, 'tests.mjs')));
  const read = name => readFileSync(join(site, name));
  finish(String(await all(read('wgrad_web_tests_bg.wasm'), JSON.parse(read('cases.json')))));
}

async function inChromium() {
  const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
  const server = createServer((request, reply) => {
    if (request.method === 'POST') {
      let text = '';
      request.on('data', part => { text += part; }).on('end', () => {
        reply.end();
        if (request.url === '/done') finish(text); else console.log(text);
      });
      return;
    }
    const file = request.url === '/' ? 'index.html' : request.url.slice(1);
    const path = join(site, file);
    if (!/^[\w.]+$/.test(file) || !existsSync(path)) return reply.writeHead(404).end();
    reply.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
    createReadStream(path).pipe(reply);
  });
  await new Promise(listening => server.listen(0, '127.0.0.1', listening));
  const profile = mkdtempSync(join(tmpdir(), 'wgrad-chromium-'));
  const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome'].filter(Boolean);
  const found = names.map(name => name.includes('/') ? name : which(name)).find(path => path && existsSync(path));
  if (!found) finish(`none of ${names.join(', ')} is here; CHROMIUM names another`);
  const browser = spawn(found, [
    '--headless=new', '--no-sandbox', `--user-data-dir=${profile}`, '--no-first-run', '--disable-extensions',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--window-size=800,600', '--disable-backgrounding-occluded-windows',
    // WebGPU on SwiftShader. Without the flags of ANGLE and Vulkan a canvas loses the device.
    '--enable-unsafe-webgpu', '--use-gl=angle', '--use-angle=swiftshader', '--enable-features=Vulkan',
    '--use-vulkan=swiftshader', '--ignore-gpu-blocklist', '--disable-gpu-watchdog',
    `http://127.0.0.1:${server.address().port}/`,
  ], { stdio: 'ignore' });
  clean = () => {
    browser.removeAllListeners('exit');
    browser.kill('SIGKILL');
    try { rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }); } catch { /* Chromium still writes to it. */ }
  };
  browser.on('exit', code => finish(`Chromium ended with ${code}`));
  browser.on('error', error => finish(error.message));
}

function which(name) {
  return process.env.PATH.split(':').map(folder => join(folder, name)).find(existsSync);
}
