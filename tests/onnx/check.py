"""Runs each NAME.onnx of a folder in ONNX Runtime on `x` of NAME.safetensors, and compares with `y`.

Where PyTorch is installed, NAME.pytorch is loaded there, too.

Then each file is rewritten by onnx's own helpers (MatMul and Add in the place of Gemm, data as lists of
floats, another operator set), for the crate to read.
"""
import importlib.util, pathlib, sys
import numpy as np, onnx, onnxruntime
from onnx import helper, numpy_helper, version_converter
from safetensors.numpy import load_file


def run(model, x):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["x"], session.get_inputs()
    assert session.get_inputs()[0].shape == ["rows", x.shape[1]], session.get_inputs()[0].shape
    return session.run(["y"], {"x": x.astype(np.float32)})[0]


def rewrite(model):
    """MatMul and Add for Gemm; lists of floats for raw data."""
    graph, nodes = model.graph, []
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type != "Gemm":
            nodes.append(node)
            continue
        constants[node.input[1]] = constants[node.input[1]].T.copy()
        product = node.output[0] + "_product" if len(node.input) == 3 else node.output[0]
        nodes.append(helper.make_node("MatMul", node.input[:2], [product]))
        if len(node.input) == 3:
            nodes.append(helper.make_node("Add", [node.input[2], product], node.output))
    initializers = [
        helper.make_tensor(name, onnx.TensorProto.FLOAT, a.shape, a.flatten().tolist())
        for name, a in constants.items()
        if a.dtype == np.float32
    ]
    initializers += [numpy_helper.from_array(a, n) for n, a in constants.items() if a.dtype != np.float32]
    new = helper.make_graph(nodes, graph.name, graph.input, graph.output, initializers)
    return helper.make_model(new, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def check_pytorch(path, data):
    """load_state_dict takes NAME.pytorch into the Sequential that its metadata say."""
    import torch
    from safetensors import safe_open

    class Sine(torch.nn.Module):
        def forward(self, z):
            return torch.sin(z)

    with safe_open(path, "pt") as file:
        modules = file.metadata()["sequential"].replace("<sine>", "Sine()")
        state = {name: file.get_tensor(name) for name in file.keys()}
    net = eval(f"torch.nn.Sequential({modules})", {**vars(torch.nn), "torch": torch, "Sine": Sine})
    net.load_state_dict(state, strict=True)
    with torch.no_grad():
        y = net(torch.from_numpy(data["x"]).float()).numpy()
    error = (np.abs(y - data["y"]) / np.maximum(1, np.abs(data["y"]))).max()
    print(f"{path.stem:16} in PyTorch, error {error:.1e}: {modules}")
    assert error <= 1e-6, path.name


has_torch = importlib.util.find_spec("torch") is not None
worst = 0.0
folder = pathlib.Path(sys.argv[1])
paths = sorted(folder.glob("*.onnx"))
assert paths, "no files"
for path in paths:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    data = load_file(path.with_suffix(".safetensors"))
    y = run(path.read_bytes(), data["x"])
    assert y.shape == data["y"].shape, (path.name, y.shape)
    error = np.abs(y - data["y"]) / np.maximum(1, np.abs(data["y"]))
    print(f"{path.stem:16} {len(model.graph.node):3} nodes, error {error.max():.1e}")
    assert error.max() <= 1e-6, path.name
    if has_torch and path.with_suffix(".pytorch").exists():
        check_pytorch(path.with_suffix(".pytorch"), data)
    # One row, and none that is special.
    assert np.allclose(run(path.read_bytes(), data["x"][:1]), y[:1], rtol=0, atol=1e-6), path.name
    worst = max(worst, float(error.max()))
    changed = rewrite(model)
    onnx.checker.check_model(changed, full_check=True)
    changed = version_converter.convert_version(changed, 18)
    assert np.allclose(run(changed.SerializeToString(), data["x"]), y, rtol=0, atol=1e-6), path.name
    onnx.save(changed, path)
print(f"{len(paths)} files agree with ONNX Runtime {onnxruntime.__version__}; the largest error is {worst:.1e}")
