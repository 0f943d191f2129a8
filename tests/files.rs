//! Files of other projects: each kind is read, or refused by an error that says what to do.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "weights/projects.rs"]
mod projects;

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

fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result.unwrap_err() {
        error @ Error::File { .. } => error.to_string(),
        other => panic!("{other:?}"),
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
