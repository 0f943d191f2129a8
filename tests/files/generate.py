"""Small files of networks as PyTorch, flax, Keras and NumPy write them, and what these networks compute.

Run:  pip install numpy torch onnx onnxscript onnxruntime jax flax keras safetensors && python generate.py

Every network of a readable file has 2 inputs, layers of 6, 6 and 1 units, tanh and tanh, no activation at the end.
expected.safetensors: x [5, 2], and for each file its outputs, NAME [5, 1]. onnx/NAME.onnx has x and y in
onnx/NAME.safetensors. The files beside (`sequential`, `fc`, `flax`, …) are in the same projects' formats.
"""
import os, pathlib, pickle

os.environ["KERAS_BACKEND"] = "jax"
import jax, jax.numpy as jnp, numpy as np, onnx, onnxruntime, torch
import flax.linen, flax.nnx, flax.traverse_util, keras
import safetensors.flax, safetensors.numpy, safetensors.torch
from torch import nn

here = pathlib.Path(__file__).parent
(here / "onnx").mkdir(exist_ok=True)
torch.manual_seed(0)
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).uniform(-1, 1, (5, 2)).astype(np.float32)
expected = {"x": x}


def outputs(name, y):
    expected[name] = np.asarray(y, np.float32).reshape(5, 1)


def sequential():
    return nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 1))


def save_torch(name, net, state=None, of=lambda y: y):
    state = state or net.state_dict()
    safetensors.torch.save_file(state, here / f"{name}.safetensors")
    with torch.no_grad():
        outputs(name, of(net(torch.from_numpy(x))))


net = sequential()
save_torch("torch_sequential", net)
parallel = sequential()
save_torch("torch_data_parallel", parallel, {f"module.net.{k}": v for k, v in parallel.state_dict().items()})


class Heads(nn.Module):
    """A body and two heads, of which the second has 3 outputs."""

    def __init__(self, value=1, policy=3):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh())
        self.value, self.policy = nn.Linear(6, value), nn.Linear(6, policy)

    def forward(self, x):
        return self.value(self.body(x))


save_torch("torch_heads", Heads())
# Which head it is nobody knows.
save_torch("torch_heads_alike", Heads(policy=1))
half = sequential()
save_torch("torch_half", half, {k: v.half() for k, v in half.state_dict().items()})


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(2, 6, 1), nn.Tanh(), nn.Conv1d(6, 6, 1), nn.Tanh(), nn.Conv1d(6, 1, 1))

    def forward(self, x):
        return self.layers(x[:, :, None])[:, :, 0]


save_torch("torch_convolutions", Convolutions())
normed = nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 1))
save_torch("torch_batch_norm", normed.eval())
# What runs code when it is read.
torch.save(net.state_dict(), here / "torch_save.pt")
(here / "pickle.pkl").write_bytes(pickle.dumps({"0.weight": [[0.0]]}))


class Dense(flax.linen.Module):
    @flax.linen.compact
    def __call__(self, x):
        for units in (6, 6):
            x = jnp.tanh(flax.linen.Dense(units)(x))
        return flax.linen.Dense(1)(x)


dense = Dense()
variables = dense.init(jax.random.key(0), x)
flat = flax.traverse_util.flatten_dict(variables, sep=".")
safetensors.flax.save_file(flat, here / "flax_linen.safetensors")
outputs("flax_linen", dense.apply(variables, x))

model = keras.Sequential([keras.layers.Input((2,)), *[keras.layers.Dense(6, "tanh", name=f"dense_{9 + i}") for i in (0, 1)], keras.layers.Dense(1, name="dense_11")])
for weight in model.weights:
    weight.assign(np.random.default_rng(len(weight.path)).normal(size=weight.shape) * 0.7)
safetensors.numpy.save_file({w.path: np.array(w.value) for w in model.weights}, here / "keras_paths.safetensors")
outputs("keras_paths", model(x))
np.savez(here / "keras_get_weights.npz", *[np.array(w) for w in model.get_weights()])

arrays = {k: v.numpy() for k, v in net.state_dict().items()}
np.savez(here / "numpy_torch.npz", **arrays)
outputs("numpy_torch", expected["torch_sequential"])
np.savez_compressed(here / "numpy_compressed.npz", **{k: v.astype(">f8") for k, v in arrays.items()})
outputs("numpy_compressed", expected["torch_sequential"])
# Kernels, stored column by column as numpy's transpose is.
columns = {k.replace("weight", "kernel"): v.T if v.ndim == 2 else v for k, v in arrays.items()}
assert columns["0.kernel"].flags.f_contiguous
np.savez(here / "numpy_columns.npz", **columns)
outputs("numpy_columns", expected["torch_sequential"])
np.savez(here / "numpy_integers.npz", epoch=np.int64(7), **arrays)
outputs("numpy_integers", expected["torch_sequential"])
np.save(here / "numpy_single.npy", arrays["0.weight"])

# ONNX as PyTorch exports it, in both of its ways.
activations = {
    "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh(), "relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(0.01),
    "gelu": nn.GELU(approximate="tanh"), "silu": nn.SiLU(), "softplus": nn.Softplus(),
}
wrong = {"gelu_erf": nn.GELU(), "leaky_relu_0.2": nn.LeakyReLU(0.2)}
for dynamo in (True, False):
    for name, activation in {**activations, **wrong}.items():
        net = nn.Sequential(nn.Linear(2, 6), activation, nn.Linear(6, 6, bias=name != "silu"), activation, nn.Linear(6, 3)).eval()
        name = f"torch_{'dynamo' if dynamo else 'script'}_{name}"
        folder = here / "onnx" / ("refused" if name.endswith(("erf", "0.2")) else "")
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.onnx"
        # `rows` is dynamic.
        if dynamo:
            axes = {"dynamic_shapes": ({0: torch.export.Dim("rows")},), "external_data": False, "verbose": False}
        else:
            axes = {"dynamic_axes": {"x": {0: "rows"}, "y": {0: "rows"}}}
        torch.onnx.export(net, (torch.from_numpy(x),), path, dynamo=dynamo, input_names=["x"], output_names=["y"], **axes)
        # Without the stack traces, which name this machine's files.
        plain = onnx.load(path)
        for part in [plain, plain.graph, *plain.graph.node, *plain.graph.value_info, *plain.graph.initializer, *plain.graph.input, *plain.graph.output]:
            del part.metadata_props[:]
        onnx.save(plain, path)
        session = onnxruntime.InferenceSession(path.read_bytes())
        y = session.run(None, {session.get_inputs()[0].name: x})[0]
        safetensors.numpy.save_file({"x": x.astype(np.float64), "y": y.astype(np.float64)}, path.with_suffix(".safetensors"))

safetensors.numpy.save_file(expected, here / "expected.safetensors")
