//! Files of other projects: each kind is read, or refused by an error that says what to do.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use safetensors::{Dtype, tensor::TensorView};
use std::path::PathBuf;
use wgrad::weights::{ReadOptions, WeightMap, Weights};
use wgrad::{Activation, Error, Init, Mlp, Parameters};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

/// The network of the small files.
fn small() -> Mlp {
    Mlp::new(2).layer(16, Activation::Tanh).layer(1, Activation::Identity)
}

/// The values of a file by the names that `expected` gives, row by row of `[units, inputs]`.
fn by_hand(file: &Weights<'_>, layers: &[(&str, Option<&str>, bool)], mlp: &Mlp) -> Vec<f32> {
    let mut all = Vec::new();
    for ((weight, bias, transposed), range) in layers.iter().zip(mlp.ranges()) {
        let [units, inputs] = range.shape;
        let weight: Vec<f32> = file.values(weight).unwrap();
        for unit in 0..units {
            for input in 0..inputs {
                all.push(
                    weight[if *transposed { input * units + unit } else { unit * inputs + input }],
                );
            }
        }
        match bias {
            Some(bias) => all.extend(file.values::<f32>(bias).unwrap()),
            None => all.extend(vec![0.0; units]),
        }
    }
    all
}

fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result.unwrap_err() {
        error @ Error::File { .. } => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_files_of_other_projects_are_read() {
    let default = ReadOptions::default();
    let (extra, zero) = (
        ReadOptions { extra_tensors: true, ..default },
        ReadOptions { zero_biases: true, ..default },
    );
    let own = [
        ("layers.0.weight", Some("layers.0.bias"), false),
        ("layers.1.weight", Some("layers.1.bias"), false),
    ];
    let cases = [
        (
            "sequential",
            default,
            [("0.weight", Some("0.bias"), false), ("2.weight", Some("2.bias"), false)],
        ),
        (
            "fc",
            default,
            [("fc1.weight", Some("fc1.bias"), false), ("fc2.weight", Some("fc2.bias"), false)],
        ),
        (
            "layers_with_activations",
            default,
            [
                ("layers.0.weight", Some("layers.0.bias"), false),
                ("layers.2.weight", Some("layers.2.bias"), false),
            ],
        ),
        (
            "flax",
            default,
            [
                ("params.Dense_0.kernel", Some("params.Dense_0.bias"), true),
                ("params.Dense_1.kernel", Some("params.Dense_1.bias"), true),
            ],
        ),
        (
            "keras",
            default,
            [
                ("dense/kernel", Some("dense/bias"), true),
                ("dense_1/kernel", Some("dense_1/bias"), true),
            ],
        ),
        ("layers_f16", default, own),
        ("layers_bf16", default, own),
        ("layers_extra", extra, own),
        (
            "layers_no_bias",
            zero,
            [("layers.0.weight", None, false), ("layers.1.weight", None, false)],
        ),
    ];
    for (name, options, layers) in cases {
        let file = path(&format!("{name}.safetensors"));
        let weights = Weights::load(&file).unwrap();
        let map = weights.map(&small(), &options).unwrap();
        let found: Vec<_> = map
            .layers
            .iter()
            .map(|l| (l.weight.as_str(), l.bias.as_deref(), l.transposed))
            .collect();
        // A kernel of one unit is the same both ways.
        for (found, expected) in found.iter().zip(layers) {
            assert_eq!((found.0, found.1), (expected.0, expected.1), "{name}");
        }
        let parameters: Parameters = weights.read(&small(), 1, &map).unwrap();
        assert_eq!(parameters.values(), by_hand(&weights, &layers, &small()), "{name}");
        assert!(parameters.values().iter().any(|value| *value != 0.0));
        let loaded = Parameters::<f32>::load(&file, &small(), 1);
        if options == default {
            assert_eq!(loaded, Ok(parameters), "{name}");
        } else {
            let error = message(loaded);
            assert!(error.starts_with(&file.display().to_string()), "{error}");
            assert!(error.contains("ReadOptions::"), "{error}");
        }
    }
}

/// The same network in 11 and in 8 bits.
#[test]
fn halves_are_the_nearest_of_the_whole() {
    let load = |name: &str| {
        let file = path(&format!("{name}.safetensors"));
        Parameters::<f64>::load(file, &small(), 1).unwrap()
    };
    let whole = load("sequential");
    for (name, bits) in [("layers_f16", 11), ("layers_bf16", 8)] {
        for (half, whole) in load(name).values().iter().zip(whole.values()) {
            let error = (half - whole).abs();
            assert!(error <= whole.abs() * f64::from(-bits).exp2(), "{name}: {half} for {whole}");
        }
    }
}

/// The outputs of one row.
fn forward(parameters: &Parameters<f64>, x: &[f64]) -> Vec<f64> {
    let mlp = parameters.mlp();
    let mut row = x.to_vec();
    for (layer, range) in mlp.layers.iter().zip(mlp.ranges()) {
        let weight = &parameters.values()[range.weight];
        let bias = &parameters.values()[range.bias];
        let next = weight.chunks(range.shape[1]).enumerate().map(|(unit, weight)| {
            let dot: f64 = weight.iter().zip(&row).map(|(w, x)| w * x).sum();
            layer.activation.value(dot + bias.get(unit).copied().unwrap_or(0.0))
        });
        row = next.collect();
    }
    row
}

/// `tests/files/generate.py` says what each file is and what its network computes.
#[test]
fn the_projects_own_files_compute_what_they_computed_there() {
    let mlp = Mlp::new(2).layer(6, Activation::Tanh).layer(6, Activation::Tanh);
    let mlp = mlp.layer(1, Activation::Identity);
    let strict = ReadOptions::default();
    let extra = ReadOptions { extra_tensors: true, ..strict };
    let squeeze = ReadOptions { squeeze: true, ..strict };
    let expected = Weights::load(path("expected.safetensors")).unwrap();
    let x: Vec<f64> = expected.values("x").unwrap();
    let mut files = vec![
        ("torch_sequential.safetensors", strict, 1e-6),
        ("torch_data_parallel.safetensors", strict, 1e-6),
        ("torch_heads.safetensors", extra, 1e-6),
        ("torch_half.safetensors", strict, 2e-3),
        ("torch_convolutions.safetensors", squeeze, 1e-6),
        ("flax_linen.safetensors", strict, 1e-6),
        ("keras_paths.safetensors", strict, 1e-6),
    ];
    if cfg!(feature = "npz") {
        files.extend([
            ("numpy_torch.npz", strict, 1e-6),
            ("numpy_compressed.npz", strict, 1e-6),
            ("numpy_columns.npz", strict, 1e-6),
            ("numpy_integers.npz", extra, 1e-6),
        ]);
    }
    for (file, options, bound) in files {
        let weights = Weights::load(path(file)).unwrap();
        let map = weights.map(&mlp, &options).unwrap_or_else(|error| panic!("{error}"));
        let parameters: Parameters<f64> = weights.read(&mlp, 1, &map).unwrap();
        let name = file.split('.').next().unwrap();
        let y: Vec<f64> = expected.values(name).unwrap();
        assert!(y.iter().any(|value| value.abs() > 0.01), "{file}");
        for (x, y) in x.chunks(2).zip(&y) {
            let error = (forward(&parameters, x)[0] - y).abs();
            assert!(error <= bound, "{file}: {error}\n{map}");
        }
        // Strictly, only what needs no option is read.
        let loaded = Parameters::<f64>::load(path(file), &mlp, 1);
        assert_eq!(loaded.is_ok(), options == strict, "{file}: {loaded:?}");
    }
    for (file, words) in [
        ("torch_heads_alike.safetensors", "policy.weight fit, and so do"),
        (
            "torch_batch_norm.safetensors",
            "1.bias: not a tensor of the network 2-6-6-1, tanh, tanh, identity, but its name stands",
        ),
        ("torch_save.pt", "is a PyTorch file (a zip with a pickle), which may run code"),
        ("pickle.pkl", "is a Python pickle, which may run code"),
        ("numpy_single.npy", "is a single NumPy array"),
    ] {
        let error = message(Parameters::<f64>::load(path(file), &mlp, 1));
        assert!(error.starts_with(&path(file).display().to_string()), "{error}");
        assert!(error.contains(words), "{error}");
    }
    // A normalisation is not left out, whatever the options: the outputs would be others.
    let free = ReadOptions { extra_tensors: true, zero_biases: true, ..strict };
    for file in ["torch_batch_norm.safetensors", "layers_extra.safetensors"] {
        let mlp = if file.starts_with("torch") { mlp.clone() } else { network(&[2, 16]) };
        let error = message(Weights::load(path(file)).unwrap().map(&mlp, &free));
        assert!(error.contains("the file's network has another layer"), "{error}");
    }
}

/// What Keras's `get_weights` gives has no names: a square kernel may be transposed.
#[cfg(feature = "npz")]
#[test]
fn numpys_arrays_without_names_ask_for_a_map() {
    let mlp = network(&[2, 6, 6, 1]);
    let file = path("keras_get_weights.npz");
    let error = message(Parameters::<f32>::load(&file, &mlp, 1));
    assert!(error.contains("arr_2 is square"), "{error}");
    assert!(error.contains("\n  arr_0 [2, 6] F32\n  arr_1 [6] F32\n"), "{error}");
    let weights = Weights::load(&file).unwrap();
    let map = WeightMap::new().layer("arr_0", "arr_1").transposed();
    let map = map.layer("arr_2", "arr_3").transposed().layer("arr_4", "arr_5").transposed();
    let read: Parameters = weights.read(&mlp, 1, &map).unwrap();
    let first: Vec<f32> = weights.values("arr_0").unwrap();
    assert_eq!(read.values()[..4], [first[0], first[6], first[1], first[7]]);
    // A zip cut anywhere, or changed, is an error or the same.
    let whole = std::fs::read(&file).unwrap();
    for end in 0..whole.len() {
        assert!(Weights::from_bytes(&whole[..end]).is_err(), "cut at {end}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        if let Ok(weights) = Weights::from_bytes(&bytes) {
            let _ = weights.map(&mlp, &ReadOptions::default()).is_ok();
        }
    }
}

/// A safetensors file of tensors of rising numbers.
fn file_of(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let mut next = 0.0_f32;
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, shape)| {
            let values = (0..shape.iter().product::<usize>()).map(|_| {
                next += 1.0;
                next
            });
            values.flat_map(f32::to_le_bytes).collect()
        })
        .collect();
    let views = tensors.iter().zip(&data).map(|((name, shape), data)| {
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), data).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// What the map of a file says, in one line.
fn map_of(tensors: &[(&str, &[usize])], mlp: &Mlp, options: ReadOptions) -> Result<String, Error> {
    let bytes = file_of(tensors);
    let weights = Weights::from_bytes(&bytes)?;
    let map = weights.map(mlp, &options)?;
    weights.read::<f64>(mlp, 1, &map)?;
    Ok(map.to_string().replace('\n', "; "))
}

fn network(widths: &[usize]) -> Mlp {
    widths[1..].iter().fold(Mlp::new(widths[0]), |mlp, units| mlp.layer(*units, Activation::Relu))
}

#[test]
fn names_and_shapes_find_the_layers() {
    let strict = ReadOptions::default();
    let free = ReadOptions { extra_tensors: true, zero_biases: true, squeeze: true };
    type Tensors<'a> = &'a [(&'a str, &'a [usize])];
    let cases: [(Tensors<'_>, &[usize], ReadOptions, &str); 17] = [
        // A prefix of DataParallel, numbers beyond nine.
        (
            &[
                ("module.layers.2.weight", &[8, 3]),
                ("module.layers.2.bias", &[8]),
                ("module.layers.10.weight", &[2, 8]),
                ("module.layers.10.bias", &[2]),
            ],
            &[3, 8, 2],
            strict,
            "layer 0: module.layers.2.weight [8, 3], module.layers.2.bias; layer 1: module.layers.10.weight [2, 8], module.layers.10.bias",
        ),
        // Square layers under a name that says how they are stored.
        (
            &[("0.weight", &[4, 4]), ("0.bias", &[4]), ("2.weight", &[4, 4]), ("2.bias", &[4])],
            &[4, 4, 4],
            strict,
            "layer 0: 0.weight [4, 4], 0.bias; layer 1: 2.weight [4, 4], 2.bias",
        ),
        (
            &[
                ("d/kernel:0", &[4, 4]),
                ("d/bias:0", &[4]),
                ("d_1/kernel:0", &[4, 2]),
                ("d_1/bias:0", &[2]),
            ],
            &[4, 4, 2],
            strict,
            "layer 0: d/kernel:0 [4, 4] (transposed), d/bias:0; layer 1: d_1/kernel:0 [4, 2] (transposed), d_1/bias:0",
        ),
        // `weight` as `[inputs, units]`, where no layer is square.
        (
            &[("0.weight", &[3, 8]), ("0.bias", &[8]), ("2.weight", &[8, 2]), ("2.bias", &[2])],
            &[3, 8, 2],
            strict,
            "layer 0: 0.weight [3, 8] (transposed), 0.bias; layer 1: 2.weight [8, 2] (transposed), 2.bias",
        ),
        // Names of NumPy's tutorials, and none.
        (
            &[("W1", &[3, 8]), ("b1", &[8]), ("W2", &[8, 2]), ("b2", &[2])],
            &[3, 8, 2],
            strict,
            "layer 0: W1 [3, 8] (transposed), b1; layer 1: W2 [8, 2] (transposed), b2",
        ),
        (
            &[
                ("weights.0", &[8, 3]),
                ("biases.0", &[8]),
                ("weights.1", &[2, 8]),
                ("biases.1", &[2]),
            ],
            &[3, 8, 2],
            strict,
            "layer 0: weights.0 [8, 3], biases.0; layer 1: weights.1 [2, 8], biases.1",
        ),
        (
            &[("arr_0", &[3, 8]), ("arr_1", &[8]), ("arr_2", &[8, 2]), ("arr_3", &[2])],
            &[3, 8, 2],
            strict,
            "layer 0: arr_0 [3, 8] (transposed), arr_1; layer 1: arr_2 [8, 2] (transposed), arr_3",
        ),
        // Rows of different names in the order that the shapes allow.
        (
            &[
                ("head.weight", &[1, 8]),
                ("head.bias", &[1]),
                ("hidden.0.weight", &[8, 8]),
                ("hidden.0.bias", &[8]),
                ("hidden.1.weight", &[8, 8]),
                ("hidden.1.bias", &[8]),
                ("stem.weight", &[8, 3]),
                ("stem.bias", &[8]),
            ],
            &[3, 8, 8, 8, 1],
            strict,
            "layer 0: stem.weight [8, 3], stem.bias; layer 1: hidden.0.weight [8, 8], hidden.0.bias; layer 2: hidden.1.weight [8, 8], hidden.1.bias; layer 3: head.weight [1, 8], head.bias",
        ),
        // Two heads, of which one fits.
        (
            &[
                ("body.0.weight", &[8, 3]),
                ("body.0.bias", &[8]),
                ("policy.weight", &[2, 8]),
                ("policy.bias", &[2]),
                ("value.weight", &[1, 8]),
                ("value.bias", &[1]),
            ],
            &[3, 8, 1],
            free,
            "layer 0: body.0.weight [8, 3], body.0.bias; layer 1: value.weight [1, 8], value.bias; left out: policy.bias, policy.weight",
        ),
        // Convolutions of 1 × 1, biases as columns.
        (
            &[
                ("0.weight", &[8, 3, 1, 1]),
                ("0.bias", &[1, 8]),
                ("2.weight", &[2, 8, 1, 1]),
                ("2.bias", &[2, 1, 1]),
            ],
            &[3, 8, 2],
            free,
            "layer 0: 0.weight [8, 3, 1, 1], 0.bias; layer 1: 2.weight [2, 8, 1, 1], 2.bias",
        ),
        // No biases.
        (
            &[("0.weight", &[8, 3]), ("2.weight", &[2, 8])],
            &[3, 8, 2],
            free,
            "layer 0: 0.weight [8, 3], no bias; layer 1: 2.weight [2, 8], no bias",
        ),
        // What cannot be decided.
        (
            &[
                ("body.weight", &[8, 3]),
                ("body.bias", &[8]),
                ("a.weight", &[1, 8]),
                ("a.bias", &[1]),
                ("b.weight", &[1, 8]),
                ("b.bias", &[1]),
            ],
            &[3, 8, 1],
            free,
            "body.weight, a.weight fit, and so do body.weight, b.weight. Give a",
        ),
        (
            &[("w1", &[4, 4]), ("b1", &[4]), ("w2", &[4, 2]), ("b2", &[2])],
            &[4, 4, 2],
            strict,
            "w1 is square: nothing says whether it is transposed",
        ),
        (
            &[("w1", &[4, 4]), ("b1", &[4]), ("w2", &[4, 4]), ("b2", &[4])],
            &[4, 4, 4],
            strict,
            "w1, w2 fit as they are and transposed",
        ),
        // `weight` as no project stores it, and a square one beside it.
        (
            &[("0.weight", &[3, 8]), ("0.bias", &[8]), ("2.weight", &[8, 8]), ("2.bias", &[8])],
            &[3, 8, 8],
            strict,
            "2.weight is square",
        ),
        // Names without an order.
        (
            &[
                ("in.weight", &[4, 4]),
                ("in.bias", &[4]),
                ("out.weight", &[4, 4]),
                ("out.bias", &[4]),
            ],
            &[4, 4, 4],
            strict,
            "in.weight, out.weight fit, and so do out.weight, in.weight",
        ),
        // PyTorch's weight norm: the weight itself is not there.
        (
            &[("0.weight_g", &[8, 1]), ("0.weight_v", &[8, 3]), ("0.bias", &[8])],
            &[3, 8],
            free,
            "the file has 0 weights by name and shape, the network 1 layers",
        ),
    ];
    for (tensors, widths, options, words) in cases {
        match map_of(tensors, &network(widths), options) {
            Ok(map) => assert_eq!(map, words),
            Err(error) => {
                let error = message(Err::<(), _>(error));
                assert!(error.contains(words), "{words}\n{error}");
                // The user sees what there is, and what to do.
                assert!(error.starts_with("file: no assignment"), "{error}");
                assert!(error.contains("`weights::WeightMap`"), "{error}");
                for (name, shape) in tensors {
                    assert!(error.contains(&format!("  {name} {shape:?} F32")), "{error}");
                }
            }
        }
    }
}

#[test]
fn what_an_option_would_allow_is_said() {
    let strict = ReadOptions::default();
    type Tensors<'a> = &'a [(&'a str, &'a [usize])];
    let cases: [(Tensors<'_>, &str); 5] = [
        (
            &[("0.weight", &[8, 3]), ("0.bias", &[8]), ("1.running_mean", &[8])],
            "1.running_mean: not a tensor of the network 3-8, relu; `ReadOptions::extra_tensors`",
        ),
        (
            &[("0.weight", &[8, 3])],
            "the bias of 0.weight: missing from the file; `ReadOptions::zero_biases`",
        ),
        (
            &[("0.weight", &[8, 3]), ("0.bias", &[1, 8])],
            "0.bias: has the shape [1, 8], not [8]; `ReadOptions::squeeze` would read it",
        ),
        (
            &[("0.weight", &[8, 3]), ("1.bias", &[8])],
            "0.weight has no bias beside it, 1.bias no weight",
        ),
        (&[("0.weight", &[8, 3]), ("0_weight", &[8, 3])], "may be the same layer's"),
    ];
    for (tensors, words) in cases {
        let error = message(map_of(tensors, &network(&[3, 8]), strict));
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_map_of_ones_own_decides() {
    let tensors: [(&str, &[usize]); 5] =
        [("a", &[2, 2]), ("b", &[2]), ("c", &[2, 2]), ("d", &[3, 2]), ("e", &[3])];
    let bytes = file_of(&tensors);
    let weights = Weights::from_bytes(&bytes).unwrap();
    let mlp = network(&[2, 2, 3]);
    assert!(weights.map(&mlp, &ReadOptions::default()).is_err());
    let extra = ReadOptions { extra_tensors: true, ..Default::default() };
    let map = WeightMap::new().layer("c", "b").transposed().layer("d", None).options(extra);
    let read: Parameters = weights.read(&mlp, 1, &map).unwrap();
    let expected = [7., 9., 8., 10., 5., 6., 11., 12., 13., 14., 15., 16., 0., 0., 0.];
    assert_eq!(read.values(), expected);
    let layer = |weight, bias| WeightMap::new().layer("a", "b").layer(weight, bias);
    for (map, words) in [
        (layer("d", Some("e")), "c: not a tensor of the network"),
        (layer("x", None), "x: missing from the file"),
        (layer("c", None), "c: has the shape [2, 2], not [3, 2]"),
        (layer("d", Some("b")), "b: has the shape [2], not [3]"),
        (layer("d", None).transposed(), "d: has the shape [3, 2], not [2, 3]"),
    ] {
        let error = message(weights.read::<f32>(&mlp, 1, &map));
        assert!(error.starts_with(words), "{error}");
    }
    let error = weights.read::<f32>(&mlp, 1, &WeightMap::new().layer("a", "b")).unwrap_err();
    assert_eq!(error.to_string(), "the number of layers of the map is 1; allowed: 2");
    // Tensors that were read by someone else.
    let values: Vec<f64> = (1..=4).map(f64::from).collect();
    let own: [(&str, &[usize], &[f64]); 2] =
        [("w", &[1, 3], &values[..3]), ("b", &[1], &values[3..])];
    let weights = Weights::from_tensors(own).unwrap();
    let map = weights.map(&network(&[3, 1]), &ReadOptions::default()).unwrap();
    let read: Parameters = weights.read(&network(&[3, 1]), 1, &map).unwrap();
    assert_eq!(read.values(), [1., 2., 3., 4.]);
    let wrong: [(&str, &[usize], &[f64]); 1] = [("w", &[2, 3], &values)];
    assert!(message(Weights::from_tensors(wrong)).starts_with("tensors: w: has 32 bytes"));
}

#[test]
fn a_file_that_is_something_else_is_named() {
    let folder = std::env::temp_dir().join(format!("wgrad-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let whole = std::fs::read(path("sequential.safetensors")).unwrap();
    for (name, bytes, words) in [
        ("empty.safetensors", &b""[..], "is empty"),
        (
            "pointer",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n",
            "is a Git LFS pointer",
        ),
        ("model.pkl", b"\x80\x04\x95\x10\0\0\0\0\0\0\0}.", "is a Python pickle"),
        ("model.json", b"{\"a\": 1}", "looks like JSON"),
        ("page.html", b"<html></html>", "looks like HTML"),
        ("cut.safetensors", &whole[..whole.len() - 1], "not a whole safetensors file"),
        ("long.safetensors", &[&whole[..], b"x"].concat(), "not a whole safetensors file"),
    ] {
        let file = folder.join(name);
        std::fs::write(&file, bytes).unwrap();
        let error = message(Parameters::<f32>::load(&file, &small(), 1));
        assert!(error.starts_with(&format!("{}: {words}", file.display())), "{error}");
    }
    let error = message(Parameters::<f32>::load(folder.join("none"), &small(), 1));
    assert!(error.starts_with(&format!("{}: ", folder.join("none").display())), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn layers_without_a_bias_need_none() {
    let mlp = Mlp::new(2).layer_without_bias(16, Activation::Tanh);
    let mlp = mlp.layer_without_bias(1, Activation::Identity);
    let read = Parameters::<f32>::load(path("layers_no_bias.safetensors"), &mlp, 1).unwrap();
    assert_eq!(read.values().len(), 48);
    let bytes = read.to_pytorch().unwrap();
    let weights = Weights::from_bytes(&bytes).unwrap();
    assert_eq!(weights.tensors().len(), 2);
    let modules = "Linear(2, 16, bias=False), Tanh(), Linear(16, 1, bias=False)";
    assert_eq!(weights.metadata("sequential"), Some(modules));
    assert_eq!(Parameters::from_safetensors(&bytes, &mlp, 1), Ok(read));
    // A bias that the network lacks is not dropped.
    for file in ["sequential", "layers_f16"] {
        let file = Weights::load(path(&format!("{file}.safetensors"))).unwrap();
        let free = ReadOptions { extra_tensors: true, zero_biases: true, squeeze: true };
        let error = message(file.map(&mlp, &free));
        assert!(error.contains("bias: is a bias, but layer 0 of the network has none"), "{error}");
    }
}

#[test]
fn other_names_hold_one_model_and_finite_numbers() {
    let file = path("sequential.safetensors");
    let error = message(Parameters::<f32>::load(&file, &small(), 2));
    assert!(error.contains("0.weight: has the shape [16, 2], not [2, 16, 2]"), "{error}");
    let values = [1.0_f64, f64::NAN, 2.0];
    let tensors: [(&str, &[usize], &[f64]); 2] =
        [("0.weight", &[1, 2], &values[..2]), ("0.bias", &[1], &values[2..])];
    let weights = Weights::from_tensors(tensors).unwrap();
    let map = weights.map(&network(&[2, 1]), &ReadOptions::default()).unwrap();
    let error = message(weights.read::<f32>(&network(&[2, 1]), 1, &map));
    assert!(error.contains("0.weight: holds NaN at element 1; only finite"), "{error}");
}

#[test]
fn pytorchs_names_are_written_and_read() {
    let mlp = Mlp::new(3)
        .layer(4, Activation::Gelu)
        .layer(5, Activation::Identity)
        .layer(5, Activation::Sine)
        .layer(2, Activation::LeakyRelu);
    let parameters = Init::Auto.sample(&mlp, 1, 3).unwrap();
    let bytes = parameters.to_pytorch().unwrap();
    let weights = Weights::from_bytes(&bytes).unwrap();
    let names: Vec<&str> = weights.tensors().map(wgrad::weights::Tensor::name).collect();
    let expected =
        ["0.bias", "0.weight", "2.bias", "2.weight", "3.bias", "3.weight", "5.bias", "5.weight"];
    assert_eq!(names, expected);
    assert_eq!(
        weights.metadata("sequential"),
        Some(
            "Linear(3, 4), GELU(approximate='tanh'), Linear(4, 5), Linear(5, 5), <sine>, Linear(5, 2), LeakyReLU(0.01)"
        )
    );
    assert_eq!(Parameters::from_safetensors(&bytes, &mlp, 1), Ok(parameters));
    let error = Init::Auto.sample(&mlp, 2, 3).unwrap().to_pytorch().unwrap_err();
    assert_eq!(error.to_string(), "the number of models is 2; allowed: 1 in PyTorch's names");
    let grid =
        mlp.clone().encode(3, wgrad::encoding::Grid { log2_hashmap_size: 4, ..Default::default() });
    assert!(Init::Auto.sample(&grid, 1, 3).unwrap().to_pytorch().is_err());
}
