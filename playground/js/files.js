// The network as a file: out and in.
import { byId, copy, say, sentence } from './say.js';
import { droppable } from './own.js';

const TYPES = { wgsl: 'text/plain', safetensors: 'application/octet-stream', onnx: 'application/octet-stream' };

export class Files {
  constructor(trainer) {
    this.trainer = trainer;
    for (const format of Object.keys(TYPES)) byId(`export-${format}`).addEventListener('click', () => this.export(format));
    byId('copy-address').addEventListener('click', async () => {
      const done = await copy(location.href);
      say('take-message', done ? 'The address is on the clipboard. It holds the settings, not the weights.' : `The browser does not allow it. Copy this: ${location.href}`);
    });
    byId('import-file').addEventListener('change', event => { this.import(event.target.files[0]); event.target.value = ''; });
    droppable([byId('import-drop')], file => this.import(file));
    // A file that misses its place does not replace the page.
    for (const type of ['dragover', 'drop']) addEventListener(type, event => event.preventDefault());
    trainer.on('started', () => {
      for (const id of [...Object.keys(TYPES).map(format => `export-${format}`), 'copy-address']) byId(id).disabled = false;
    });
  }

  async export(format) {
    const { trainer } = this;
    say('take-problem');
    try {
      const bytes = await trainer.run(lab => lab.export(trainer.model, format));
      const name = `network.${format}`;
      const url = URL.createObjectURL(new Blob([bytes], { type: TYPES[format] }));
      const link = Object.assign(document.createElement('a'), { href: url, download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
      const text = byId('export-text');
      text.hidden = format !== 'wgsl';
      if (format === 'wgsl') text.textContent = new TextDecoder().decode(bytes);
      say('take-message', `${name} is saved, ${bytes.length} bytes.`);
    } catch (error) {
      say('take-problem', sentence(error.message));
    }
  }

  async import(file) {
    if (!file) return;
    say('take-problem');
    say('take-message', '');
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      await this.trainer.run(lab => lab.import(bytes, file.name));
      await this.trainer.look();
      say('take-message', `The network has the weights of ${file.name}.`);
    } catch (error) {
      say('take-problem', error.message.startsWith(file.name) ? `${error.message.replace(/\.?$/, '')}.` : `${file.name}: ${sentence(error.message)}`);
    }
  }
}
