// A headless Chromium for the tests, driven over its DevTools protocol on two pipes: no library is needed.
//   const browser = await launch({ gpu: true });
//   const page = await browser.open('index.html', { width: 390, height: 844, dark: true });
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from './serve.mjs';
import { Page, pause } from './tests/page.mjs';

const always = [
  '--headless=new', '--no-sandbox', '--no-first-run', '--disable-extensions', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-backgrounding-occluded-windows', '--disable-dev-shm-usage',
  '--disable-renderer-backgrounding', '--disable-background-timer-throttling', '--hide-scrollbars',
  '--remote-debugging-pipe', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];
// WebGPU on SwiftShader. Without the flags of ANGLE and Vulkan a canvas loses the device.
const withGpu = [
  '--enable-unsafe-webgpu', '--use-gl=angle', '--use-angle=swiftshader', '--enable-features=Vulkan',
  '--use-vulkan=swiftshader', '--ignore-gpu-blocklist', '--disable-gpu-watchdog',
];
const withoutGpu = ['--disable-gpu', '--disable-features=WebGPU', '--disable-blink-features=WebGPU'];

function which(name) {
  return process.env.PATH.split(':').map(folder => join(folder, name)).find(existsSync);
}

/** The program of the browser; nothing where there is none. */
export function chromium() {
  const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome'].filter(Boolean);
  return names.map(name => name.includes('/') ? name : which(name)).find(path => path && existsSync(path));
}

/** Starts the server of the page and a browser; `gpu: false` is a browser that has no WebGPU. */
export async function launch({ gpu = true } = {}) {
  const program = chromium();
  if (!program) throw new Error('no Chromium is here; CHROMIUM names one');
  const server = await serve(0);
  const profile = mkdtempSync(join(tmpdir(), 'playground-'));
  const child = spawn(program, [...always, ...(gpu ? withGpu : withoutGpu), `--user-data-dir=${profile}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const browser = new Browser(child, server, profile);
  await browser.send('Browser.getVersion');
  return browser;
}

class Browser {
  constructor(child, server, profile) {
    Object.assign(this, { child, server, profile, waiting: new Map(), pages: new Map(), last: 0 });
    this.origin = `http://127.0.0.1:${server.address().port}/`;
    let rest = [];
    child.stdio[4].on('data', part => {
      let start = 0;
      for (let end; (end = part.indexOf(0, start)) >= 0; start = end + 1) {
        rest.push(part.subarray(start, end));
        this.receive(JSON.parse(Buffer.concat(rest).toString()));
        rest = [];
      }
      rest.push(part.subarray(start));
    });
    child.stdio[3].on('error', () => {});
    child.on('exit', code => {
      for (const { fail } of this.waiting.values()) fail(new Error(`Chromium ended with ${code}`));
      this.waiting.clear();
    });
  }

  receive(message) {
    if (message.id) {
      const { done, fail } = this.waiting.get(message.id) ?? {};
      this.waiting.delete(message.id);
      if (message.error) fail?.(new Error(message.error.message)); else done?.(message.result);
    } else {
      this.pages.get(message.sessionId)?.event(message.method, message.params);
    }
  }

  send(method, params = {}, sessionId) {
    const id = ++this.last;
    this.child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0');
    return new Promise((done, fail) => this.waiting.set(id, { done, fail }));
  }

  /** Opens a page of the playground in a new tab. */
  async open(path, { width = 1280, height = 800, dark = false, touch = false } = {}) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    this.pages.set(sessionId, page);
    await Promise.all(['Page', 'Runtime', 'Log'].map(domain => page.send(`${domain}.enable`)));
    await page.send('Emulation.setFocusEmulationEnabled', { enabled: true });
    await page.look({ width, height, dark, touch });
    await page.goto(path);
    return page;
  }

  async close() {
    this.child.removeAllListeners('exit');
    const ended = new Promise(done => this.child.once('exit', done));
    this.child.kill('SIGKILL');
    await ended;
    this.server.closeAllConnections();
    this.server.close();
    try { rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }); } catch { /* still written to */ }
  }
}

export { pause };
