// A tab: what a reader does in it, and what a test reads from it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const keys = {
  Enter: [13, '\r'], Tab: [9], Escape: [27], ' ': [32, ' '], ArrowLeft: [37], ArrowUp: [38], ArrowRight: [39],
  ArrowDown: [40], Home: [36], End: [35], PageUp: [33], PageDown: [34], Delete: [46], Backspace: [8], '+': [187, '+'], '-': [189, '-'],
};

/** A tab of the browser. */
export class Page {
  constructor(browser, session, target) {
    Object.assign(this, { browser, session, target, errors: [], lines: [], loaded: () => {} });
  }

  send(method, params) { return this.browser.send(method, params, this.session); }

  event(method, params) {
    if (method === 'Page.loadEventFired') this.loaded();
    if (method === 'Runtime.exceptionThrown') {
      const { exception, text } = params.exceptionDetails;
      this.errors.push(`uncaught: ${exception?.description ?? exception?.value ?? text}`);
    }
    if (method === 'Runtime.consoleAPICalled') {
      const line = params.args.map(value => value.description ?? String(value.value)).join(' ');
      this.lines.push(`${params.type}: ${line}`);
      if (params.type === 'error' || params.type === 'assert') this.errors.push(`console: ${line}`);
    }
    if (method === 'Log.entryAdded' && params.entry.level === 'error') {
      this.errors.push(`browser: ${params.entry.text} ${params.entry.url ?? ''}`);
    }
  }

  /** The size of the window, and what the reader prefers. */
  async look({ width, height, dark = false, touch = false, scale = 1 }) {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile: touch });
    await this.send('Emulation.setTouchEmulationEnabled', { enabled: touch });
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
  }

  async goto(path) {
    const loaded = new Promise(done => { this.loaded = done; });
    const { errorText } = await this.send('Page.navigate', { url: new URL(path, this.browser.origin).href });
    if (errorText) throw new Error(`${path}: ${errorText}`);
    // Another hash of the same page is no new page.
    await Promise.race([loaded, pause(15e3)]);
  }

  async reload() {
    const loaded = new Promise(done => { this.loaded = done; });
    await this.send('Page.reload');
    await loaded;
  }

  /** The value of a function (its text is sent, with its arguments as JSON) or of an expression, awaited. */
  async evaluate(what, ...values) {
    const expression = typeof what === 'function' ? `(${what})(${values.map(v => JSON.stringify(v)).join(', ')})` : what;
    const { result, exceptionDetails: bad } = await this.send('Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true, userGesture: true });
    if (bad) throw new Error(bad.exception?.description ?? String(bad.exception?.value ?? bad.text));
    return result.value;
  }

  /** Waits until a function of the page says yes; its value is returned. */
  async until(what, { seconds = 20, say = String(what).slice(0, 120), values = [] } = {}) {
    const end = Date.now() + 1e3 * seconds;
    for (;;) {
      const value = await this.evaluate(what, ...values);
      if (value) return value;
      if (Date.now() > end) throw new Error(`not within ${seconds} s: ${say}`);
      await pause(50);
    }
  }

  /** Waits until a value of the page stays for 300 ms as it is, and returns it. */
  async still(what, { seconds = 20, values = [] } = {}) {
    const end = Date.now() + 1e3 * seconds;
    for (let last; ;) {
      const value = await this.evaluate(what, ...values);
      if (value === last) return value;
      if (Date.now() > end) throw new Error(`it changed for ${seconds} s: ${what}`);
      last = value;
      await pause(300);
    }
  }

  /** Waits until a canvas shows something else than `before`, which `pixels` gave. */
  async redrawn(selector, before, seconds = 20) {
    const end = Date.now() + 1e3 * seconds;
    while (await this.pixels(selector) === before) {
      if (Date.now() > end) throw new Error(`not drawn again within ${seconds} s: ${selector}`);
      await pause(50);
    }
  }

  async see(selector, seconds = 20) {
    await this.until(css => !!document.querySelector(css), { seconds, say: selector, values: [selector] });
  }

  text(selector) { return this.evaluate(css => document.querySelector(css)?.textContent.trim(), selector); }

  /** Where an element is in the window, scrolled into sight; `at` is a share of its width and height. */
  async place(selector, at = [0.5, 0.5]) {
    const place = await this.evaluate((css, [x, y]) => {
      const element = document.querySelector(css);
      if (!element) return null;
      element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
      const box = element.getBoundingClientRect();
      return box.width && box.height ? [box.left + x * box.width, box.top + y * box.height] : 'hidden';
    }, selector, at);
    if (!Array.isArray(place)) throw new Error(`${selector} is ${place ?? 'not there'}`);
    return place;
  }

  async mouse(type, [x, y], more = {}) {
    await this.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1, ...more });
  }

  async click(selector, at) {
    const place = await this.place(selector, at);
    await this.mouse('mouseMoved', place, { button: 'none' });
    await this.mouse('mousePressed', place);
    await this.mouse('mouseReleased', place);
  }

  async hover(selector, at) { await this.mouse('mouseMoved', await this.place(selector, at), { button: 'none' }); }

  async drag(selector, from, to) {
    const box = await this.evaluate(css => { const b = document.querySelector(css).getBoundingClientRect(); return [b.width, b.height]; }, selector);
    const start = await this.place(selector, from);
    const point = share => start.map((v, i) => v + share * (to[i] - from[i]) * box[i]);
    await this.mouse('mouseMoved', start, { button: 'none' });
    await this.mouse('mousePressed', start);
    for (const share of [0.25, 0.5, 0.75, 1]) await this.mouse('mouseMoved', point(share), { buttons: 1 });
    await this.mouse('mouseReleased', point(1));
  }

  async wheel(selector, deltaY, at) {
    await this.mouse('mouseWheel', await this.place(selector, at), { button: 'none', deltaX: 0, deltaY });
  }

  async press(key, modifiers = 0) {
    const [code, text] = keys[key] ?? [key.toUpperCase().charCodeAt(0), key];
    const event = { key, code: key.length === 1 && /[a-z]/i.test(key) ? `Key${key.toUpperCase()}` : key === ' ' ? 'Space' : key, windowsVirtualKeyCode: code, modifiers };
    await this.send('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', text, ...event });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  async focus(selector) { await this.evaluate(css => document.querySelector(css).focus(), selector); }

  /** Types into an element in place of what is in it. */
  async type(selector, text) {
    await this.evaluate(css => { const e = document.querySelector(css); e.focus(); e.select?.(); }, selector);
    await this.send('Input.insertText', { text });
  }

  /** Chooses an option or moves a slider as a reader does: the value, then `input` and `change`. */
  async set(selector, value) {
    await this.evaluate((css, to) => {
      const e = document.querySelector(css);
      if (!e) throw new Error(`${css} is not there`);
      if (e.type === 'checkbox') { if (e.checked !== to) e.click(); return; }
      if (e.tagName === 'SELECT' && ![...e.options].some(o => o.value === String(to))) throw new Error(`${css} has no option ${to}`);
      e.focus();
      e.value = to;
      for (const name of ['input', 'change']) e.dispatchEvent(new Event(name, { bubbles: true }));
    }, selector, value);
  }

  /** Drops a file on an element, or gives it to a file input. */
  async file(selector, name, bytes, type = 'application/octet-stream') {
    await this.evaluate((css, label, base64, kind) => {
      const target = document.querySelector(css);
      if (!target) throw new Error(`${css} is not there`);
      const content = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], label, { type: kind }));
      if (target.type === 'file') {
        target.files = transfer.files;
        target.dispatchEvent(new Event('change', { bubbles: true }));
      } else {
        for (const event of ['dragenter', 'dragover', 'drop']) {
          target.dispatchEvent(new DragEvent(event, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }
      }
    }, selector, name, Buffer.from(bytes).toString('base64'), type);
  }

  /** A number that is another one as soon as a pixel of a canvas of two dimensions is. */
  pixels(selector) {
    return this.evaluate(async css => {
      const canvas = document.querySelector(css);
      if (!canvas) throw new Error(`${css} is not there`);
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
      copy.drawImage(canvas, 0, 0);
      const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
      let sum = 2166136261;
      for (const byte of data) sum = Math.imul(sum ^ byte, 16777619);
      return sum >>> 0;
    }, selector);
  }

  async screenshot(file, { whole = false } = {}) {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole });
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.from(data, 'base64'));
  }

  /** Bytes of the heap after its garbage was collected, and of the engine's memory. */
  async memory() {
    await this.send('HeapProfiler.collectGarbage');
    const { usedSize } = await this.send('Runtime.getHeapUsage');
    const wasm = await this.evaluate(async () => {
      let bytes = 0;
      const files = performance.getEntriesByType('resource').map(entry => entry.name).filter(name => /\/pkg\/\w+\.js$/.test(name));
      for (const file of new Set(files)) {
        const engine = await (await import(file)).default?.();
        bytes += engine?.memory?.buffer.byteLength ?? 0;
      }
      return bytes;
    });
    return { heap: usedSize, wasm };
  }

  async close() {
    this.browser.pages.delete(this.session);
    await this.browser.send('Target.closeTarget', { targetId: this.target });
  }
}

export const pause = milliseconds => new Promise(done => setTimeout(done, milliseconds));
