// Tests of the parts of the page that need no browser: node --test playground/units.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activations, backward, count, flat, forward, gradient, inputs, loss, moved, network } from './js/article-math.js';
import { navigate } from './js/picture-view.js';
import { serve } from './serve.mjs';

const description = { task: 'classification', features: ['x1', 'x2', 'x1*x2'], layers: [{ units: 3, activation: 'sigmoid' }, { units: 2, activation: 'relu' }] };
const parameters = Float32Array.from({ length: count([3, 3, 2, 1]) }, (_, i) => Math.sin(3.7 * i + 1));

test('the layers of a description and back', () => {
  const layers = network(description, parameters);
  assert.deepEqual(layers.map(l => [l.weights.length, l.weights[0].length, l.activation]), [[3, 3, 'sigmoid'], [2, 3, 'relu'], [1, 2, 'tanh']]);
  assert.deepEqual(flat(layers), parameters);
  assert.equal(count([2, 3, 1]), 13);
});

test('the slope of each activation is that of its differences', () => {
  for (const [name, { of, slope }] of Object.entries(activations)) {
    for (const z of [-2.1, -0.3, 0.4, 1.7]) {
      const difference = (of(z + 1e-5) - of(z - 1e-5)) / 2e-5;
      assert.ok(Math.abs(slope(z, of(z)) - difference) < 1e-8, `${name} at ${z}`);
    }
  }
});

test('the backward pass is that of differences', () => {
  const layers = network(description, parameters), x = inputs(description, 1.2, -0.7), target = 1;
  const slopes = backward(layers, x, forward(layers, x), target).flatMap(l => [...l.weights.flat(), ...l.biases]);
  const at = values => loss(forward(network(description, values), x).at(-1).a[0], target);
  slopes.forEach((slope, i) => {
    const [up, down] = [1e-5, -1e-5].map(h => at(Array.from(parameters, (v, k) => k === i ? v + h : v)));
    assert.ok(Math.abs(slope - (up - down) / 2e-5) < 1e-8, `parameter ${i}`);
  });
});

test('a step against the gradient makes the loss smaller', () => {
  const rows = [1, 2, 1, -1, 0.5, -1, 2, -2, 1], layers = network(description, parameters);
  const first = gradient(description, layers, rows);
  const next = gradient(description, moved(layers, first.gradient, 0.05), rows);
  assert.ok(next.loss < first.loss);
});

test('a view stays within the picture and enlarges around a place', () => {
  let changes = 0;
  const view = navigate({ addEventListener() {}, dataset: {} }, () => { changes++; });
  view.enlarge(4, [0.25, 0.5]);
  assert.equal(view.zoom, 4);
  // The place under the pointer stays: 0.25 of all is 0.25 of what is in sight.
  assert.ok(Math.abs(view.x + (0.25 - 0.5) / 4 - 0.25) < 1e-12);
  view.move(-100, 100);
  assert.deepEqual([view.x, view.y], [0.125, 0.875]);
  view.enlarge(1e9);
  assert.equal(view.zoom, 64);
  view.enlarge(1e-9);
  assert.deepEqual([view.x, view.y, view.zoom], [0.5, 0.5, 1]);
  view.reset();
  assert.ok(changes >= 5);
});

test('the server gives files of the page and no others', async () => {
  const server = await serve(0), origin = `http://127.0.0.1:${server.address().port}`;
  try {
    assert.equal((await fetch(`${origin}/`)).status, 200);
    assert.equal((await fetch(`${origin}/nothing.html`)).status, 404);
    for (const path of ['/../Cargo.toml', '/..%2fCargo.toml', '/%2e%2e/%2e%2e/Cargo.toml', '/%']) assert.equal((await fetch(origin + path)).status, 404, path);
    assert.match((await fetch(`${origin}/pkg/first_bg.wasm`)).headers.get('content-type'), /wasm/);
    assert.equal((await fetch(`${origin}/`, { method: 'POST' })).status, 405);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
