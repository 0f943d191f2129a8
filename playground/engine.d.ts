// What the engine gives to the page: `import init, { … } from './pkg/engine.js'`. Written by hand: it is the
// contract between `src/` (Rust) and the scripts. All arrays are row-major, copied, and belong to the caller.
// Every function throws an `Error` whose message can be shown as it is. Its `name` says what it is:
// `DeviceError` (there is no GPU, or it is lost: go on with the CPU), `DivergedError` (every model has
// diverged: its last finite parameters are kept) or `Error`.
//
// There are two WebAssembly modules. `init` loads the small one, which trains on the CPU. The other comes by
// itself when it is needed: `create` on the GPU, `export`, `import`, `self_check`, `create_picture`.

/** Loads the first module. */
export default function init(wasm?: unknown): Promise<unknown>;

// ---- What a training is. The address (the part after `#`) holds all of it.

export interface Description {
  task: "classification" | "regression";
  /** circles, xor, gaussians, spiral, moons for a classification; plane, hills for a regression; own for both. */
  data: string;
  /** Own points: x1, x2, target in turn (targets -1 and 1 for a classification). Empty otherwise. */
  points: number[];
  /** How many points are drawn, 500 unless the address says otherwise; 2 to 100,000. */
  rows: number;
  /** 0 to 50, per cent, as in TensorFlow's playground. */
  noise: number;
  /** The share of the rows to train on, 0.1 to 0.9. */
  train: number;
  /** The seed of the data. */
  data_seed: number;
  /** x1, x2, x1^2, x2^2, x1*x2, sin(x1), sin(x2): at least one, in this order. */
  features: string[];
  /** The hidden layers; may be empty. Up to 32 of up to 256 units. */
  layers: { units: number; activation: string }[];
  /** The rows of a step; 0 is all of them, and so is a number larger than that of the training rows. */
  batch: number;
  optimizer: string;          // a name of `names().optimizers`
  rate: number;
  l1: number;
  l2: number;
  /** The seed of the parameters. */
  seed: number;
  /** The models of the population; 1 is the ordinary page. */
  models: number;
  /** How the page looks: kept in the address, without a meaning for the engine. */
  discretize: boolean;
  show_test: boolean;
}
/** Reads an address, with or without `#`; what it does not name has its default. Throws on what it cannot read. */
export function describe(address: string): Description;
/** The shortest address of a description: defaults are left out. `describe(address(d))` equals `d`. */
export function address(description: Description): string;
/** All names that a description can hold, in the order in which the page should offer them. */
export function names(): {
  activations: string[]; optimizers: string[]; features: string[];
  classification: string[]; regression: string[];
};
/** The points of a description, [rows, 3] each: x1, x2 (within -6 and 6), target. */
export function points(description: Description): { train: Float32Array; test: Float32Array };
/** Reads a CSV of points (x1, x2, label; header or not; comma, semicolon or tab): scaled to -6..6 where it is not within. */
export function read_points(text: string): { task: string; points: number[]; message: string };

// ---- A training that runs.

/** `gpu` rejects where the browser has no WebGPU (`DeviceError`). The parameters of `from`, if given, are carried over to the
 *  units, features and layers that both networks have: new units start so that the outputs stay as they are
 *  (new layers nearly). Steps and epochs go on. Models that `from` does not have are drawn from the seed.
 *  `from` may run on the other device. It must not have been freed before the promise is kept.
 *  `keep` says where each hidden unit of the new network was before, for each layer: [layer, unit] or null;
 *  without it, units stay where they are. */
export function create(description: Description, device: "gpu" | "cpu", from?: Lab,
  keep?: ([number, number] | null)[][]): Promise<Lab>;

export class Lab {
  free(): void;
  /** `GPU: vendor, name` or `CPU: n threads`, to be shown. */
  readonly device: string;
  readonly kind: "gpu" | "cpu";
  /** Steps taken since the parameters were drawn. */
  readonly step: number;
  /** Passes over the training rows. */
  readonly epoch: number;
  /** The length of a model's parameters. */
  readonly length: number;
  /** Takes steps. Rejects if the device is lost, and where every model has diverged. Calls of a `Lab` are worked
   *  off one after another, in the order in which they were made. */
  train(steps: number): Promise<void>;
  /** Both losses (and accuracies of a classification) of one model by the parameters as they are. The losses are
   *  those of TensorFlow's playground: half the mean squared error. NaN where there are no test rows. */
  losses(model: number): Promise<{ train: number; test: number; train_accuracy?: number; test_accuracy?: number }>;
  /** The parameters of one model, layer after layer, each: weights [units, inputs], then biases [units]. */
  parameters(model: number): Promise<Float32Array>;
  /** Replaces them (a weight was dragged). */
  set_parameters(model: number, values: Float32Array): Promise<void>;
  /** Drawn anew from the description's seed; the step is 0 again. */
  restart(): Promise<void>;
  /** Takes over what can be changed under way without a new training: rate, l1, l2, the data where the number of
   *  training rows stays, the seed (for the next `restart`), and how the page looks. Returns false where `create`
   *  with `from` is needed. */
  change(description: Description): Promise<boolean>;
  /** Maps of one model: its features, every hidden unit, its output, over a square of `size` x `size` points
   *  (x1 from -6 to 6 left to right, x2 from 6 at the top to -6). `features`: [F, size, size]; `units`: one array
   *  a hidden layer, [units, size, size]; `output`: [output_size, output_size]. */
  maps(model: number, size: number, output_size: number): Promise<{
    features: Float32Array; units: Float32Array[]; output: Float32Array }>;
  /** The gradient's health by layer, of one model, on all training rows. `ratio` is the rate times the gradient's
   *  norm over the weights' norm; `dead` counts the units that are saturated (or inactive) on every row, and
   *  `saturated` is the share of pairs of a row and a unit that are. The last layer is the output. */
  health(model: number): Promise<{ layer: number; activation: string; gradient_norm: number; weight_norm: number;
    ratio: number; dead: number; saturated: number; units: number; verdict: "" | "vanishing" | "exploding" | "dead units" }[]>;
  /** The article's three gradients of one model for the parameters of one layer (0 is the first hidden one, the last
   *  is the output), on all training rows; of up to 4,096 parameters. `largest_error` is the largest deviation from
   *  the differences, as a share of the largest element: back-propagation (on this device),
   *  central differences and, for a network of a single hidden layer or none, the formula by hand (otherwise null). */
  gradients(model: number, layer: number): Promise<{ names: string[]; backprop: Float32Array;
    differences: Float64Array; by_hand: Float64Array | null; largest_error: number }>;
  /** Of a population: output maps of models `first` to `first + count`, [count, size, size]. */
  mosaic(first: number, count: number, size: number): Promise<{ maps: Float32Array }>;
  /** Of all models: the losses on the training and the test rows, [models] each. */
  population(): Promise<{ train: Float32Array; test: Float32Array }>;
  /** Microseconds a step of this description on this device, by training another one of the kind for about
   *  `milliseconds`. */
  speed(milliseconds: number): Promise<{ microseconds: number; steps: number }>;
  /** One model in a format: `wgsl` (text of the functions `network` of the features and `network_at` of a point),
   *  `safetensors` (bytes), `onnx` (bytes). */
  export(model: number, format: "wgsl" | "safetensors" | "onnx"): Promise<Uint8Array>;
  /** Reads a file that `export` or another program wrote (safetensors, ONNX), of this network. Rejects with a
   *  message that shows what was found. The training begins anew from it: the step is 0. A file of one model
   *  becomes model 0. */
  import(bytes: Uint8Array, name: string): Promise<void>;
  /** The points that it learns, as `points` gives them. */
  points(): Promise<{ train: Float32Array; test: Float32Array }>;
  /** Begins anew from the parameters of all models, or of the first ones: what `import` calls. The step is 0. */
  replace(values: Float32Array): Promise<void>;
  /** What `create` goes on from: `parameters` are those of all models. */
  origin(): Promise<{ description: Description; parameters: Float32Array; step: number; epochs: number }>;
  /** Destroys the device: what a test calls to see how the page takes it. No effect on the CPU. All trainings and
   *  pictures of a page share one device; what is made afterwards gets a new one. */
  lose_device(): void;
}

/** The self-check of this browser's GPU; the report is text to be copied into a bug report. `progress` is called after
 *  each check: how many are done, the name of the last and whether it passed. */
export function self_check(progress: (done: number, name: string, passed: boolean) => void): Promise<{ text: string; passed: boolean }>;
/** Whether there is a GPU, and which: what `create` would take. Never throws. `text` is `GPU: vendor, architecture`,
 *  or why there is none. */
export function gpu(): Promise<{ found: boolean; text: string }>;

// ---- The picture page.

/** Learns a picture of RGBA bytes with a hash grid of two dimensions and draws it through the exported function. */
export function create_picture(rgba: Uint8Array, width: number, height: number, device: "gpu" | "cpu"): Promise<Picture>;
export class Picture {
  free(): void;
  readonly device: string;
  readonly step: number;
  readonly parameters: number;
  /** Attaches a canvas (WebGPU context, made by the engine: it must have no other); the CPU draws by `pixels`, and
   *  there `attach` and `draw` do nothing. */
  attach(canvas: HTMLCanvasElement): Promise<void>;
  train(steps: number): Promise<{ loss: number }>;
  /** Draws into the attached canvas: the square of the picture around (x, y) in 0..1, `zoom` times enlarged. */
  draw(x: number, y: number, zoom: number): Promise<void>;
  /** RGBA bytes of the same view, [height, width, 4]: what the CPU shows, and what a test reads. */
  pixels(x: number, y: number, zoom: number, width: number, height: number): Promise<Uint8Array>;
  /** Peak signal-to-noise ratio over all pixels, in dB. */
  psnr(): Promise<number>;
  wgsl(): Promise<string>;
  lose_device(): void;
}
