// The engine of the page. `first.js` is small, and trains on the CPU; `whole.js` comes when it is needed:
// for the GPU, for files, for the self-check and the picture. See engine.d.ts.
import init, * as first from './first.js';

let whole;

/** The whole module, loaded once; after a failure the next call tries again. */
function more() {
  whole ??= import('./whole.js').then(async module => {
    await module.default();
    equip(module.Lab);
    return module;
  }).catch(error => {
    whole = undefined;
    throw new Error(`the engine's second part cannot be loaded: ${error.message}`);
  });
  return whole;
}

/** Adds to a class of trainings what files need. */
function equip(Lab) {
  Lab.prototype.export = async function (model, format) {
    const [{ write_network }, { description }, values] = await Promise.all([more(), this.origin(), this.parameters(model)]);
    return write_network(description, values, format);
  };
  Lab.prototype.import = async function (bytes, name) {
    const [{ read_network }, { description }] = await Promise.all([more(), this.origin()]);
    return this.replace(read_network(description, bytes, name));
  };
}
equip(first.Lab);

export default init;
export const { describe, address, names, points, read_points, gpu, Lab } = first;

export async function create(description, device, from, keep) {
  const module = device === 'gpu' ? await more() : first;
  return module.create(description, device, await from?.origin(), keep);
}

export const self_check = async progress => (await more()).self_check(progress);
export const create_picture = async (...picture) => (await more()).create_picture(...picture);
