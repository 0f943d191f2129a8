//! Files as other projects write them: `tests/files/generate.py` made most of them.

use crate::{message, network, path, small};
use wgrad::weights::{ReadOptions, Weights};
use wgrad::{Activation, Mlp, Parameters};

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
    let map = wgrad::weights::WeightMap::new().layer("arr_0", "arr_1").transposed();
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
