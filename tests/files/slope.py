"""Writes slope.safetensors: losses on the slope of sine networks, and their gradients by jax.

    pip install "jax[cpu]" numpy safetensors
    python tests/files/slope.py tests/files/slope.safetensors

For each network NAME: NAME.x [rows, inputs], NAME.seed [rows, outputs], NAME.parameters (each layer's weight
[units, inputs], then its bias), and of the loss mean((|p| - 1)^2 + 0.3 |y|^2 + sin(p_0)), where p is the
gradient of seed . y with respect to x: NAME.loss, NAME.slope, NAME.gradient of the parameters and
NAME.input_gradient. All in float64.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)

NETWORKS = {"one": [3, 8, 8, 1], "three": [2, 16, 7, 5, 3], "shallow": [4, 1]}
ROWS = 9


def layers(sizes, parameters):
    at = 0
    for inputs, units in zip(sizes, sizes[1:]):
        weight = parameters[at : at + units * inputs].reshape(units, inputs)
        bias = parameters[at + units * inputs : at + units * (inputs + 1)]
        at += units * (inputs + 1)
        yield weight, bias


def network(sizes, parameters, x):
    for i, (weight, bias) in enumerate(layers(sizes, parameters)):
        x = weight @ x + bias
        if i + 2 < len(sizes):
            x = jnp.sin(x)
    return x


def slope(sizes, parameters, x, seed):
    return jax.grad(lambda x: jnp.dot(seed, network(sizes, parameters, x)))(x)


def loss(sizes, parameters, x, seed):
    def of_row(x, seed):
        p = slope(sizes, parameters, x, seed)
        y = network(sizes, parameters, x)
        return (jnp.sqrt(jnp.sum(p * p)) - 1) ** 2 + 0.3 * jnp.sum(y * y) + jnp.sin(p[0])

    return jnp.mean(jax.vmap(of_row)(x, seed))


tensors = {}
random = np.random.default_rng(5)
for name, sizes in NETWORKS.items():
    count = sum(units * (inputs + 1) for inputs, units in zip(sizes, sizes[1:]))
    # What f32 holds, so that a test reads the same numbers.
    draw = lambda *shape: random.uniform(-1, 1, shape).astype(np.float32).astype(np.float64)
    parameters, x, seed = draw(count), draw(ROWS, sizes[0]), draw(ROWS, sizes[-1])
    value, (of_parameters, of_x) = jax.value_and_grad(lambda p, x: loss(sizes, p, x, seed), (0, 1))(parameters, x)
    tensors |= {
        f"{name}.x": x,
        f"{name}.seed": seed,
        f"{name}.parameters": parameters,
        f"{name}.sizes": np.array(sizes, np.int64),
        f"{name}.loss": np.array([value]),
        f"{name}.slope": np.asarray(jax.vmap(lambda x, s: slope(sizes, parameters, x, s))(x, seed)),
        f"{name}.gradient": np.asarray(of_parameters),
        f"{name}.input_gradient": np.asarray(of_x),
    }
save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, sys.argv[1])
