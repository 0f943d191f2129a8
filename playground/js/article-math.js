// A network written out in plain numbers: what the article shows step by step, and what tests hold the engine to.

const sigmoid = z => 1 / (1 + Math.exp(-z));
/** Each activation: its value at z, and its derivative at z where its value is a. */
export const activations = {
  sigmoid: { of: sigmoid, slope: (z, a) => a * (1 - a) },
  tanh: { of: Math.tanh, slope: (z, a) => 1 - a * a },
  relu: { of: z => Math.max(0, z), slope: z => z > 0 ? 1 : 0 },
  identity: { of: z => z, slope: () => 1 },
};

const functions = {
  x1: x => x, x2: (x, y) => y, 'x1^2': x => x * x, 'x2^2': (x, y) => y * y, 'x1*x2': (x, y) => x * y,
  'sin(x1)': x => Math.sin(x), 'sin(x2)': (x, y) => Math.sin(y),
};
/** What a network of this description sees of a point. */
export const inputs = (description, x1, x2) => description.features.map(name => functions[name](x1, x2));

/** The layers of a description with the parameters: weights [unit][input] and biases [unit]. */
export function network(description, parameters) {
  const last = description.task === 'classification' ? 'tanh' : 'identity';
  let width = description.features.length, at = 0;
  const take = count => Array.from(parameters.slice(at, at += count));
  return [...description.layers, { units: 1, activation: last }].map(({ units, activation }) => {
    const weights = Array.from({ length: units }, () => take(width));
    const biases = take(units);
    width = units;
    return { activation, weights, biases };
  });
}

/** The parameters of layers as one list, as the engine has them. */
export const flat = layers => Float32Array.from(layers.flatMap(({ weights, biases }) => [...weights.flat(), ...biases]));

/** The number of parameters of a network of these widths, inputs and output included. */
export const count = widths => widths.slice(1).reduce((sum, units, i) => sum + units * (widths[i] + 1), 0);

/** The forward pass of one point: z and a of each layer. */
export function forward(layers, x) {
  let before = x;
  return layers.map(({ activation, weights, biases }) => {
    const z = weights.map((row, u) => row.reduce((sum, w, i) => sum + w * before[i], biases[u]));
    const a = z.map(activations[activation].of);
    before = a;
    return { z, a };
  });
}

export const loss = (y, target) => 0.5 * (y - target) ** 2;

/** The backward pass of one point: for each layer the derivatives of the loss by a, z, weights and biases. */
export function backward(layers, x, values, target) {
  const result = [];
  let byA = [values.at(-1).a[0] - target];
  for (let l = layers.length - 1; l >= 0; l--) {
    const { slope } = activations[layers[l].activation], { z, a } = values[l];
    const before = l ? values[l - 1].a : x;
    const byZ = byA.map((d, u) => d * slope(z[u], a[u]));
    result[l] = { a: byA, z: byZ, weights: byZ.map(d => before.map(v => d * v)), biases: byZ };
    byA = before.map((_, i) => byZ.reduce((sum, d, u) => sum + d * layers[l].weights[u][i], 0));
  }
  return result;
}

/** The mean gradient and loss over rows [x1, x2, target]. */
export function gradient(description, layers, rows) {
  const sum = new Float64Array(layers.reduce((n, l) => n + l.weights.flat().length + l.biases.length, 0));
  let total = 0;
  for (let row = 0; row < rows.length; row += 3) {
    const x = inputs(description, rows[row], rows[row + 1]), target = rows[row + 2];
    const values = forward(layers, x);
    total += loss(values.at(-1).a[0], target);
    let at = 0;
    for (const { weights, biases } of backward(layers, x, values, target)) {
      for (const d of weights) for (const one of d) sum[at++] += one;
      for (const d of biases) sum[at++] += d;
    }
  }
  const points = rows.length / 3;
  return { loss: total / points, gradient: sum.map(d => d / points) };
}

/** Layers after a step against a gradient. */
export function moved(layers, gradient, rate) {
  let at = 0;
  return layers.map(({ activation, weights, biases }) => ({
    activation,
    weights: weights.map(row => row.map(w => w - rate * gradient[at++])),
    biases: biases.map(b => b - rate * gradient[at++]),
  }));
}
