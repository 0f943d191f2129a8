"""A small picture learnt in jax: hash grid, ReLU network, relative L2, lazy Adam with L2 on the layers.

Shares nothing with the crate but the formulas: gradients are jax.grad's, the scatter is what it makes of a
gather. Positions come from the hash that the example `learn_image` draws with.

Run:  pip install numpy jax safetensors pillow && python picture.py PICTURE [--out FILE]

Tensors of the file:
  picture [height, width, 3]                   sRGB, 0 to 255, as f32
  init.encoding.0.tables [entries, features]   init.layers.L.weight, init.layers.L.bias
  losses [steps]                               before each update
  steps [n], psnr [n]                          dB over the pixels' middles, as sRGB values
Metadata key `spec` (JSON): the sizes and numbers below.
"""
import argparse, json
import numpy as np
import jax, jax.numpy as jnp
from PIL import Image
from safetensors.numpy import save_file

SPEC = {
    "width": 96, "height": 64, "steps": 1000, "batch": 1024, "seed": 5,
    "grid": {"levels": 8, "features": 2, "log2_table": 10, "base_resolution": 8, "growth": 1.5},
    "hidden": [32, 32],
    "adam": {"rate": 1e-2, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-15, "l2": 1e-6},
}


def to_linear(v):
    v = v / 255.0
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def to_srgb(light):
    v = np.clip(light, 0, 1)
    return 255.0 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)


def mix(x):
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def places(step):
    a = mix(np.arange(SPEC["batch"], dtype=np.uint32) ^ mix(np.full(1, step ^ SPEC["seed"], np.uint32)))
    b = mix(a + np.uint32(0x9E3779B9))
    return np.stack([a >> np.uint32(8), b >> np.uint32(8)], 1).astype(np.float32) / np.float32(1 << 24)


def sample(light, at):
    size = np.array([light.shape[1], light.shape[0]], np.float32)
    at = at * size - 0.5
    low = np.floor(at)
    share = (at - low)[:, :, None]
    p, q = (np.clip(v, 0, size - 1).astype(int) for v in (low, low + 1))
    above = light[p[:, 1], p[:, 0]] * (1 - share[:, 0]) + light[p[:, 1], q[:, 0]] * share[:, 0]
    below = light[q[:, 1], p[:, 0]] * (1 - share[:, 0]) + light[q[:, 1], q[:, 0]] * share[:, 0]
    return (above * (1 - share[:, 1]) + below * share[:, 1]).astype(np.float32)


def levels():
    grid, first, result = SPEC["grid"], 0, []
    for l in range(grid["levels"]):
        side = grid["base_resolution"] * grid["growth"] ** l
        resolution = int(np.ceil(side - 1)) + 1
        hashed = resolution**2 > 1 << grid["log2_table"]
        size = 1 << grid["log2_table"] if hashed else -(-(resolution**2) // 8) * 8
        size = min(size, 1 << grid["log2_table"])
        result.append((np.float32(side - 1), resolution, size, first, hashed))
        first += size
    return result, first


LEVELS, ENTRIES = levels()


def encode(tables, x):
    outputs = []
    for scale, resolution, size, first, hashed in LEVELS:
        at = x * scale
        cell = ((jnp.floor(2 * at).astype(jnp.uint32) + 1) >> 1)
        f = at + 0.5 - cell.astype(jnp.float32)
        sum_ = 0.0
        for dx in (0, 1):
            for dy in (0, 1):
                corner = jnp.minimum(cell + jnp.array([dx, dy], jnp.uint32), resolution - 1)
                if hashed:
                    index = (corner[:, 0] ^ (corner[:, 1] * jnp.uint32(2654435761))) & jnp.uint32(size - 1)
                else:
                    index = corner[:, 0] + resolution * corner[:, 1]
                weight = (f[:, 0] if dx else 1 - f[:, 0]) * (f[:, 1] if dy else 1 - f[:, 1])
                sum_ = sum_ + weight[:, None] * tables[first + index.astype(jnp.int32)]
        outputs.append(sum_)
    return jnp.concatenate(outputs, 1)


def network(params, x):
    y = encode(params["tables"], x)
    for i, (w, b) in enumerate(params["layers"]):
        y = y @ w.T + b
        if i + 1 < len(params["layers"]):
            y = jax.nn.relu(y)
    return y


def loss_of(params, x, t):
    y = network(params, x)
    return jnp.mean((y - t) ** 2 / (jax.lax.stop_gradient(y) ** 2 + 0.01))


@jax.jit
def step(params, state, x, t, count):
    a = SPEC["adam"]
    loss, grads = jax.value_and_grad(loss_of)(params, x, t)
    grads["layers"] = jax.tree.map(lambda g, p: g + a["l2"] * p, grads["layers"], params["layers"])
    lazy = {"tables": grads["tables"] != 0, "layers": jax.tree.map(lambda g: jnp.ones_like(g, bool), grads["layers"])}
    m = jax.tree.map(lambda m, g: a["beta1"] * m + (1 - a["beta1"]) * g, state[0], grads)
    v = jax.tree.map(lambda v, g: a["beta2"] * v + (1 - a["beta2"]) * g * g, state[1], grads)
    new = jax.tree.map(
        lambda p, m, v: p - a["rate"] * (m / (1 - a["beta1"] ** count)) / (jnp.sqrt(v / (1 - a["beta2"] ** count)) + a["epsilon"]),
        params, m, v)
    keep = lambda new, old: jax.tree.map(lambda k, n, o: jnp.where(k, n, o), lazy, new, old)
    return loss, keep(new, params), (keep(m, state[0]), keep(v, state[1]))


if __name__ == "__main__":
    args = argparse.ArgumentParser()
    args.add_argument("picture"); args.add_argument("--out", default="picture.safetensors")
    args = args.parse_args()
    size = (SPEC["width"], SPEC["height"])
    picture = np.asarray(Image.open(args.picture).convert("RGB").resize(size, Image.BICUBIC), np.float32)
    light = to_linear(picture.astype(np.float64)).astype(np.float32)
    rng = np.random.default_rng(SPEC["seed"])
    features = SPEC["grid"]["features"]
    widths = [SPEC["grid"]["levels"] * features, *SPEC["hidden"], 3]
    uniform = lambda bound, shape: jnp.array(rng.uniform(-bound, bound, shape), jnp.float32)
    params = {
        "tables": uniform(1e-4, (ENTRIES, features)),
        "layers": [(uniform(np.sqrt(6 / (i + o)), (o, i)), jnp.zeros(o, jnp.float32)) for i, o in zip(widths, widths[1:])],
    }
    out = {"picture": picture, "init.encoding.0.tables": np.array(params["tables"])}
    for i, (w, b) in enumerate(params["layers"]):
        out |= {f"init.layers.{i}.weight": np.array(w), f"init.layers.{i}.bias": np.array(b)}
    columns, rows = (np.arange(side) + 0.5 for side in size)
    middles = np.stack([np.tile(columns / size[0], size[1]), np.repeat(rows / size[1], size[0])], 1).astype(np.float32)
    state = (jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params))
    losses, looks, psnr = [], [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], []
    for count in range(1, SPEC["steps"] + 1):
        x = places(count - 1)
        loss, params, state = step(params, state, x, sample(light, x), jnp.float32(count))
        losses.append(float(loss))
        if count in looks:
            learnt = to_srgb(np.asarray(network(params, middles), np.float64)).reshape(picture.shape)
            psnr.append(10 * np.log10(255**2 / np.mean((learnt - picture) ** 2)))
            print(f"step {count:5} loss {loss:.6f} PSNR {psnr[-1]:.3f} dB")
    out |= {"losses": np.array(losses, np.float32), "steps": np.array(looks, np.float32), "psnr": np.array(psnr, np.float32)}
    spec = SPEC | {"source": f"jax {jax.__version__}, float32"}
    save_file({k: np.ascontiguousarray(v, np.float32) for k, v in out.items()}, args.out, metadata={"spec": json.dumps(spec)})
