// Compiles shaders with Chrome's own WGSL compiler.
//   node check.mjs DIRECTORY      a folder that the program `shaders` of wgrad-bench has written
// Dawn is Chrome's WebGPU. Its null back end has every feature and needs no driver: it reads, checks
// and specializes each shader as Chrome does, and runs none.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const directory = process.argv[2];
const shaders = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'));
// An instance that is collected takes its devices along.
const gpu = globalThis.gpu = create(['backend=null']);
const adapter = await gpu.requestAdapter();
const requiredFeatures = ['subgroups', 'shader-f16'];
const device = await adapter.requestDevice({ requiredFeatures });
device.lost.then(({ reason, message }) => {
  if (reason !== 'destroyed') { console.log(`lost: ${message}`); process.exit(1); }
});

const seen = new Set();

// What the compiler says of a shader; nothing if it takes it.
async function refusal({ file, entry, overrides, enable }) {
  const enables = enable.map(name => `enable ${name}; `).join('');
  const code = enables + readFileSync(join(directory, file), 'utf8');
  const key = JSON.stringify([code, overrides]);
  if (seen.has(key)) return;
  seen.add(key);
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  if (/@compute/.test(code)) {
    // A pipeline may name only the overrides that its shader has.
    const known = Object.entries(overrides).filter(([name]) => RegExp(`override ${name}\\b`).test(code));
    const constants = Object.fromEntries(known);
    device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: entry, constants } });
  } else {
    const target = { format: 'rgba8unorm' };
    device.createRenderPipeline({
      layout: 'auto', vertex: { module }, fragment: { module, entryPoint: entry, targets: [target] },
    });
  }
  const error = await device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  const said = messages.find(({ type }) => type === 'error');
  return said ? `${file}:${said.lineNum}: ${said.message}` : error && `${file}: ${error.message}`;
}

// The compiler must refuse what naga lets through, or this check checks nothing.
const wrong = `var<private> p: u32;
  @compute @workgroup_size(2) fn main(@builtin(local_invocation_index) i: u32) {
    p = i;
    if (p > 0u) { return; }
    workgroupBarrier();
  }`;
device.pushErrorScope('validation');
device.createShaderModule({ code: wrong });
if (!await device.popErrorScope()) throw new Error('a barrier in non-uniform control flow is accepted');

const refused = [];
for (const shader of shaders) refused.push(await refusal(shader));
const all = refused.filter(Boolean);
all.forEach(message => console.log(message));
console.log(`${shaders.length} shaders, ${seen.size} different ones, ${all.length} refused by Chrome's compiler`);
device.destroy();
process.exit(all.length || !shaders.length ? 1 : 0);
