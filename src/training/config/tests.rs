//! What is read, what is refused and in which words.

use super::*;
use crate::network::encoding::{
    Axis, Encoding, EncodingPart, Grid, GridKind, Interpolation, OneBlob, SphericalHarmonics,
    TriangleWave,
};
use crate::network::{Activation, Mlp};
use crate::training::{Adam, Part, Schedule, Sgd};

/// A configuration of a network with 2 inputs and 1 output.
fn of(text: &str) -> Config {
    Config::from_json(text, 2, 1).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(reader: &ConfigReader, text: &str, inputs: usize) -> String {
    reader.read(text, inputs, 1).err().unwrap_or_else(|| panic!("read: {text}")).to_string()
}

fn grid_of(reader: &ConfigReader, text: &str, inputs: usize) -> Grid {
    let text = format!(r#"{{ "encoding": {text} }}"#);
    let config = reader.read(&text, inputs, 1).unwrap_or_else(|error| panic!("{text}: {error}"));
    let Encoding::Grid(grid) = config.mlp.encoding[0].encoding else { panic!("{text}") };
    grid
}

#[test]
fn defaults_are_those_of_the_code() {
    let config = Config::from_json("{}", 2, 3).unwrap();
    assert_eq!(
        config.mlp.to_string(),
        "2 (one_blob) 32-128-128-128-128-128-3, relu, relu, relu, relu, relu, identity"
    );
    assert_eq!(config.training.loss, Loss::RelativeL2);
    let adam = Adam { l2: 1e-8, lazy: true, ..Adam::default() };
    assert_eq!(config.training.optimizer, adam.into());
    assert!(config.ignored.is_empty());
    assert!(config.mlp.layers.iter().all(|layer| layer.bias));
    let without = ConfigReader::new().without_biases().read("{}", 2, 3).unwrap().mlp;
    assert!(without.layers.iter().all(|layer| !layer.bias));
    let blob = Config::from_json(r#"{"encoding": {}}"#, 3, 1).unwrap().mlp.encoding;
    let bins = OneBlob { bins: 16 };
    assert_eq!(blob, [EncodingPart { first: 0, inputs: 3, encoding: bins.into() }]);
    let sgd = of(r#"{"optimizer": {"otype": "sgd"}}"#).training.optimizer;
    assert_eq!(sgd, Sgd { rate: 1e-3, l2: 1e-8, ..Sgd::default() }.into());
    let tcnn = ConfigReader::new();
    assert_eq!(grid_of(&tcnn, r#"{"otype": "Grid"}"#, 3), Grid::default());
    // A dense grid grows to 256 corners.
    let dense = grid_of(&tcnn, r#"{"otype": "DenseGrid", "n_levels": 5}"#, 2);
    assert_eq!((dense.kind, dense.base_resolution), (GridKind::Dense, 16));
    assert!((dense.per_level_scale - 2.0).abs() <= 1e-12, "{}", dense.per_level_scale);
}

#[test]
fn instant_ngps_defaults_are_its_own() {
    let reader = ConfigReader::instant_ngp(512.0);
    let config = reader.read("{}", 2, 3).unwrap();
    assert_eq!(
        config.mlp.to_string(),
        "2 (grid) 32-64-64-64-64-64-3, relu, relu, relu, relu, relu, identity"
    );
    assert_eq!(config.training.loss, Loss::MeanSquaredError);
    let adam = Adam { beta2: 0.99, epsilon: 1e-15, l2: 1e-6, lazy: true, ..Adam::default() };
    assert_eq!(config.training.optimizer, adam.into());
    // The growth is computed: 16 corners to 512 on 16 levels. Without a coarsest resolution a table
    // of 2^15 is full: 2^7 in two dimensions, 2^5 in three.
    for (text, inputs, base, scale) in [
        (r#"{"otype": "HashGrid", "base_resolution": 16}"#, 2, 16, 32_f64.powf(1.0 / 15.0)),
        (
            r#"{"otype": "HashGrid", "base_resolution": 16, "per_level_scale": 0}"#,
            2,
            16,
            32_f64.powf(1.0 / 15.0),
        ),
        (r#"{"otype": "HashGrid", "per_level_scale": 1.5}"#, 2, 128, 1.5),
        (r#"{"otype": "HashGrid", "n_levels": 3}"#, 2, 128, 2.0),
        (r#"{"otype": "HashGrid", "n_levels": 5}"#, 3, 32, 2.0),
        (r#"{"otype": "Grid", "log2_hashmap_size": 12, "n_levels": 3}"#, 3, 16, 32_f64.sqrt()),
        (r#"{"otype": "HashGrid", "base_resolution": 16, "n_levels": 1}"#, 2, 16, 1.0),
        // No level is coarser than the first.
        (r#"{"otype": "HashGrid", "base_resolution": 1024}"#, 2, 1024, 1.0),
    ] {
        let grid = grid_of(&reader, text, inputs);
        assert_eq!(grid.base_resolution, base, "{text}");
        assert!((grid.per_level_scale - scale).abs() <= 1e-12, "{text}: {}", grid.per_level_scale);
    }
    let bad = ConfigReader::instant_ngp(f64::NAN);
    assert!(refused(&bad, "{}", 2).contains("finest"), "{}", refused(&bad, "{}", 2));
}

#[test]
fn grids_are_read_in_all_forms() {
    let tcnn = ConfigReader::new();
    for (text, inputs, expected) in [
        (r#"{"otype": "TiledGrid"}"#, 2, Grid { kind: GridKind::Tiled, ..Grid::default() }),
        (
            r#"{"otype": "Grid", "type": "Tile"}"#,
            1,
            Grid { kind: GridKind::Tiled, ..Grid::default() },
        ),
        (r#"{"otype": "DenseGrid", "type": "hash"}"#, 4, Grid::default()),
        (
            r#"{"otype": "HashGrid", "n_features": 8, "interpolation": "Smoothstep"}"#,
            3,
            Grid { levels: 4, interpolation: Interpolation::Smoothstep, ..Grid::default() },
        ),
        (
            r#"{"otype": "HashGrid", "n_grid_features": 8, "n_features_per_level": 8, "edge": "wrap"}"#,
            3,
            Grid { levels: 1, features_per_level: 8, edge: Edge::Wrap, ..Grid::default() },
        ),
        (
            r#"{"otype": "HashGrid", "n_levels": 3, "finest_resolution": 64, "n_pos_dims": 2}"#,
            2,
            Grid { levels: 3, per_level_scale: 2.0, ..Grid::default() },
        ),
        (
            r#"{"otype": "HashGrid", "n_levels": 3, "base_resolution": [16, 9, 4], "finest_resolution": [64, 36, 4]}"#,
            3,
            Grid {
                levels: 3,
                axes: [
                    None,
                    Some(Axis { base_resolution: 9, per_level_scale: 2.0 }),
                    Some(Axis { base_resolution: 4, per_level_scale: 1.0 }),
                    None,
                ],
                ..Grid::default()
            },
        ),
    ] {
        assert_eq!(grid_of(&tcnn, text, inputs), expected, "{text}");
    }
    let wraps = ConfigReader::new().edge(Edge::Wrap);
    assert_eq!(grid_of(&wraps, r#"{"otype": "Grid"}"#, 2).edge, Edge::Wrap);
    assert_eq!(grid_of(&wraps, r#"{"otype": "Grid", "edge": "Clamp"}"#, 2).edge, Edge::Clamp);
}

#[test]
fn activations_and_losses_are_those_of_the_formulas() {
    let at_zero = |name: &str| {
        let text = format!(r#"{{ "network": {{ "output_activation": "{name}" }} }}"#);
        of(&text).mlp.last_activation().value(0.0_f64)
    };
    for (name, expected) in [
        ("Softplus", 2_f64.ln() / 10.0),
        ("Squareplus", 0.1),
        ("Exponential", 1.0),
        ("silu", 0.0),
        ("SIGMOID", 0.5),
        ("None", 0.0),
    ] {
        assert!((at_zero(name) - expected).abs() <= 1e-15, "{name}: {}", at_zero(name));
    }
    let loss = |name: &str, outputs| {
        let text = format!(r#"{{ "loss": {{ "otype": "{name}" }} }}"#);
        Config::from_json(&text, 2, outputs).map(|config| config.training.loss)
    };
    assert_eq!(loss("relativel2luminance", 3), Ok(Loss::RelativeL2Luminance));
    let message = loss("RelativeL2Luminance", 2).unwrap_err().to_string();
    assert!(message.starts_with("loss.otype is RelativeL2Luminance of 2 outputs"), "{message}");
}

#[test]
fn composites_share_the_inputs() {
    let text = r#"{"encoding": {"otype": "Composite", "nested": [
        {"n_dims_to_encode": 3, "otype": "TriangleWave", "n_frequencies": 6},
        {"otype": "Composite", "n_dims_to_encode": 4, "nested": [
            {"n_dims_to_encode": 1, "otype": "OneBlob", "n_bins": 4},
            {"n_dims_to_encode": 3, "otype": "SphericalHarmonics", "degree": 8}
        ]},
        {"otype": "Identity"}
    ]}}"#;
    let places = |text: &str, inputs| -> Vec<_> {
        let parts = Config::from_json(text, inputs, 1).unwrap().mlp.encoding;
        parts.iter().map(|p| (p.first, p.inputs, p.encoding.name())).collect()
    };
    #[rustfmt::skip]
    assert_eq!(places(text, 9), [
        (0, 3, "triangle_wave"), (3, 1, "one_blob"), (4, 3, "spherical_harmonics"), (7, 2, "identity"),
    ]);
    // Nothing is left for the last one.
    assert_eq!(places(text, 7).len(), 3);
    let message = Config::from_json(text, 6, 1).unwrap_err().to_string();
    assert!(message.starts_with("encoding.nested is 7 inputs in all, and 1"), "{message}");
    let overlap = r#"{"encoding": {"otype": "Composite", "nested": [
        {"dims_to_encode_begin": 1, "n_dims_to_encode": 2, "otype": "HashGrid"},
        {"n_dims_to_encode": 1, "otype": "Identity"},
        {"dims_to_encode_begin": 0, "n_dims_to_encode": 2, "otype": "HashGrid"}
    ]}}"#;
    assert_eq!(places(overlap, 4), [(1, 2, "grid"), (3, 1, "identity"), (0, 2, "grid")]);
    let message = Config::from_json(overlap, 3, 1).unwrap_err().to_string();
    assert!(
        message.starts_with("encoding.nested[1] is inputs 3 to 4; allowed: 0 to 3"),
        "{message}"
    );
    let message = Config::from_json(overlap, 5, 1).unwrap_err().to_string();
    assert_eq!(message, "the number of encoded inputs is 4; allowed: all 5 or none");
    let nrc = r#"{"encoding": {"otype": "NRC"}}"#;
    let expected = [(0, 3, "triangle_wave"), (3, 5, "one_blob"), (8, 2, "identity")];
    assert_eq!(places(nrc, 10), expected);
    assert_eq!(places(nrc, 8), expected[..2]);
    assert!(refused(&ConfigReader::new(), nrc, 7).starts_with("encoding.otype is NRC of 7"));
    let _ = (TriangleWave::default(), SphericalHarmonics::default());
}

#[test]
fn wrappers_of_optimizers_are_read() {
    let text = r#"{"optimizer": {"otype": "Ema", "decay": 0.95, "full_precision": true, "nested": {
        "otype": "ExponentialDecay", "decay_start": 20, "decay_interval": 5, "decay_base": 0.33,
        "nested": {"otype": "SGD", "learning_rate": 0.5, "l2_reg": 0}
    }}}"#;
    let training = of(text).training;
    assert_eq!(training.ema, Some(0.95));
    assert_eq!(training.optimizer, Optimizer::sgd(0.5));
    assert_eq!([19, 20, 25].map(|s| training.schedule.factor(s)), [1.0, 0.33, 0.33 * 0.33]);
    // A wrapper of nothing is one of Adam.
    let training = of(r#"{"optimizer": {"otype": "EMA"}}"#).training;
    assert_eq!((training.ema, training.optimizer.name()), (Some(0.99), "adam"));
    assert_eq!(of("{}").training.schedule, Schedule::Constant);
}

#[test]
fn adams_words_are_read() {
    let text = r#"{
        "optimizer": {"otype": "Adam", "gradient_clipping_magnitude": 0.5,
            "non_matrix_learning_rate_factor": 3, "optimize_matrix_params": false,
            "skip_zero_grad_non_matrix_params": false, "l2_reg": 1e-3},
        "encoding": {"otype": "HashGrid"}, "network": {"n_hidden_layers": 1}
    }"#;
    let training = of(text).training;
    let adam = Adam { clip: 0.5, l2: 1e-3, ..Adam::default() };
    assert_eq!(training.optimizer, adam.into());
    let expected = [(Part::Encoding(0), 3.0), (Part::Layer(0), 0.0), (Part::Layer(1), 0.0)];
    assert_eq!(training.rates, expected);
    let text = r#"{ "optimizer": {"optimize_non_matrix_params": false},
                    "encoding": {"otype": "HashGrid"} }"#;
    assert_eq!(of(text).training.rates, [(Part::Encoding(0), 0.0)]);
    assert_eq!(of(r#"{ "optimizer": {"optimize_non_matrix_params": false} }"#).training.rates, []);
}

#[test]
fn what_is_not_supported_is_named() {
    let long = format!(r#"{{"encoding": {{"otype": "Grid", "n_levels": {}}}}}"#, "9".repeat(400));
    for (text, words) in [
        ("", "the configuration is EOF"),
        ("[]", "the configuration is []; allowed: a JSON object"),
        ("{} {}", "the configuration is trailing"),
        ("{ /* }", "the comment that begins in line 1 is not closed"),
        (r#"{"network": {"n_neurons": 1,}}"#, "the configuration is trailing comma"),
        (r#"{"encodings": {}}"#, "a key of the configuration is encodings; allowed: encoding"),
        (r#"{"parent": "a.json"}"#, "parent is \"a.json\"; allowed: no parent in a text"),
        (
            r#"{"rgb_network": {}}"#,
            "rgb_network is a key of the other networks of instant-ngp's radiance fields; allowed: in the configuration: encoding",
        ),
        (r#"{"n_levels": 4}"#, "n_levels is a key of the encodings Grid, HashGrid, TiledGrid and"),
        (r#"{"encoding": []}"#, "encoding is []; allowed: a JSON object"),
        (r#"{"encoding": {"otype": "Wavelet"}}"#, "encoding.otype is \"Wavelet\"; allowed: Id"),
        (r#"{"encoding": {"otype": 3}}"#, "encoding.otype is 3; allowed: Id"),
        (r#"{"encoding": {"otype": "Grid", "type": "Sparse"}}"#, "encoding.type is \"Sparse\""),
        (r#"{"encoding": {"otype": "Grid", "n_level": 4}}"#, "a key of encoding is n_level"),
        (r#"{"encoding": {"otype": "Grid", "n_levels": -4}}"#, "encoding.n_levels is -4"),
        (r#"{"encoding": {"otype": "Grid", "n_levels": 4.5}}"#, "encoding.n_levels is 4.5"),
        (r#"{"encoding": {"otype": "Grid", "n_levels": 400}}"#, "the levels of the encoding"),
        (&long, "the configuration is number out of range"),
        (
            r#"{"encoding": {"otype": "Frequency", "n_frequencies": 8, "base_resolution": 16}}"#,
            "encoding.base_resolution is a key of the encodings Grid, HashGrid, TiledGrid and DenseGrid; allowed: in encoding: otype, n_frequencies",
        ),
        (
            r#"{"encoding": {"log2_hashmap_size": 14}}"#,
            "encoding.log2_hashmap_size is a key of the encodings Grid",
        ),
        (
            r#"{"encoding": {"otype": "Identity", "n_dims_to_encode": 2}}"#,
            "encoding.n_dims_to_encode is a key of an encoding in a Composite",
        ),
        (r#"{"encoding": {"otype": "HashGrid", "interpolation": "Nearest"}}"#, "encoding.inter"),
        (
            r#"{"encoding": {"otype": "HashGrid", "n_features": 7}}"#,
            "encoding.n_features is 7; allowed: a multiple of n_features_per_level, 2",
        ),
        (
            r#"{"encoding": {"otype": "HashGrid", "n_features": 8, "n_levels": 4}}"#,
            "encoding.n_features is given beside n_levels",
        ),
        (
            r#"{"encoding": {"otype": "HashGrid", "finest_resolution": 8, "per_level_scale": 4}}"#,
            "encoding.finest_resolution is given beside per_level_scale",
        ),
        (
            r#"{"encoding": {"otype": "HashGrid", "base_resolution": [8, 8, 8]}}"#,
            "encoding.base_resolution is [8,8,8]; allowed: a whole number, or one for each input (2)",
        ),
        (
            r#"{"encoding": {"otype": "HashGrid", "finest_resolution": -8}}"#,
            "encoding.finest_resolution is -8; allowed: 2 or more",
        ),
        (
            r#"{"encoding": {"otype": "HashGrid", "base_resolution": 0}}"#,
            "the base_resolution of the encoding grid is 0",
        ),
        (
            r#"{"encoding": {"otype": "HashGrid", "per_level_scale": 0.5}}"#,
            "the per_level_scale of the encoding grid is 0.5",
        ),
        (
            r#"{"encoding": {"otype": "DenseGrid", "finest_resolution": 5000}}"#,
            "the entries of level 15 of the encoding grid is 25000000; allowed: at most 16777216",
        ),
        (r#"{"encoding": {"otype": "HashGrid", "n_pos_dims": 3}}"#, "encoding.n_pos_dims is 3"),
        (r#"{"encoding": {"otype": "Composite"}}"#, "encoding.nested is missing"),
        (r#"{"encoding": {"otype": "Composite", "nested": []}}"#, "encoding.nested is missing"),
        (r#"{"encoding": {"otype": "Composite", "nested": [4]}}"#, "encoding.nested[0] is 4"),
        (
            r#"{"encoding": {"otype": "Composite", "nested": [{"dims_to_encode_begin": 0}]}}"#,
            "encoding.nested[0].dims_to_encode_begin is given without n_dims_to_encode",
        ),
        (
            r#"{"encoding": {"otype": "Composite", "nested": [{"n_dims_to_encode": 65536, "dims_to_encode_begin": 65536}]}}"#,
            "encoding.nested[0] is inputs 65536 to 131072; allowed: 0 to 2",
        ),
        (
            r#"{"encoding": {"otype": "Composite", "reduction": "Sum", "nested": [{}]}}"#,
            "encoding.reduction is \"Sum\"; allowed: Concatenation",
        ),
        (r#"{"network": {"activation": "Mish"}}"#, "network.activation is \"Mish\""),
        (r#"{"network": {"otype": "CutlassResNet"}}"#, "network.otype is \"CutlassResNet\""),
        (
            r#"{"network": {"n_blocks": 2}}"#,
            "network.n_blocks is a key of the network CutlassResNet, which",
        ),
        (r#"{"network": {"n_neurons": 1e9}}"#, "network.n_neurons is 1000000000"),
        (
            r#"{"network": {"otype": "CutlassMLP", "feedback_alignment": false}}"#,
            "network.feedback_alignment is a key of the network FullyFusedMLP",
        ),
        (r#"{"network": {"feedback_alignment": true}}"#, "network.feedback_alignment is true"),
        (r#"{"loss": {"otype": "Variance"}}"#, "loss.otype is \"Variance\""),
        (r#"{"loss": "L2"}"#, "loss is \"L2\"; allowed: a JSON object"),
        (r#"{"optimizer": {"otype": "Shampoo"}}"#, "optimizer.otype is \"Shampoo\""),
        (r#"{"optimizer": {"beta3": 0.9}}"#, "optimizer.beta3 is a key of the optimizer Shampoo"),
        (r#"{"optimizer": {"adabound": true}}"#, "optimizer.adabound is true; allowed: false"),
        (r#"{"optimizer": {"relative_decay": 0.1}}"#, "optimizer.relative_decay is 0.1"),
        (r#"{"optimizer": {"clipping_magnitude": 1}}"#, "optimizer.clipping_magnitude is 1"),
        (r#"{"optimizer": {"gradient_clipping_magnitude": -1}}"#, "adam clip is -1"),
        (
            r#"{"optimizer": {"non_matrix_learning_rate_factor": -1}}"#,
            "optimizer.non_matrix_learning_rate_factor is -1",
        ),
        (
            r#"{"optimizer": {"otype": "SGD", "epsilon": 1e-8}}"#,
            "optimizer.epsilon is a key of the optimizer Adam",
        ),
        (r#"{"optimizer": {"otype": "EMA", "decay": 1, "nested": {}}}"#, "the decay of the par"),
        (r#"{"optimizer": {"beta1": 1.5}}"#, "adam beta1 is 1.5"),
        (
            r#"{"optimizer": {"otype": "EMA", "nested": {"otype": "EMA", "nested": {}}}}"#,
            "optimizer.otype is EMA round an EMA",
        ),
        (
            r#"{"optimizer": {"otype": "ExponentialDecay", "nested": {"otype": "ExponentialDecay"}}}"#,
            "optimizer.otype is a decay round a decay",
        ),
    ] {
        let message = refused(&ConfigReader::new(), text, 2);
        assert!(message.starts_with(words), "{message}");
    }
}

/// Every prefix of a configuration, and every one with a character in another's place: an error or a
/// network, no panic.
#[test]
fn cut_and_broken_texts_are_refused() {
    let text = r#"{ // c
        "optimizer": { "otype": "EMA", "nested": { "l2_reg": 1e-6 } }, /* d */
        "encoding": { "otype": "Composite", "nested": [
            { "otype": "HashGrid", "n_dims_to_encode": 2, "base_resolution": [4, 5] }, {} ] },
        "network": { "n_neurons": 16, "n_hidden_layers": 1 }
    }"#;
    let reader = ConfigReader::instant_ngp(64.0);
    assert!(reader.read(text, 3, 1).is_ok());
    let characters: Vec<char> = text.chars().collect();
    for end in 0..characters.len() - 1 {
        let cut: String = characters[..end].iter().collect();
        assert!(reader.read(&cut, 3, 1).is_err(), "{cut}");
        for other in ['"', '{', ']', '-', '9', '/', '*', '\\', '\u{e9}', '\0'] {
            let mut broken = characters.clone();
            broken[end] = other;
            let broken: String = broken.into_iter().collect();
            drop(reader.read(&broken, 3, 1));
        }
    }
}

/// A folder of files for a test, removed in the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wgrad-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_parents_values_are_the_childs_where_it_says_nothing() {
    let folder = Folder::new("parents");
    let base = r#"{ // the base
        "loss": { "otype": "L2" },
        "optimizer": { "otype": "Ema", "decay": 0.9, "nested": { "learning_rate": 1e-2 } },
        "encoding": { "otype": "HashGrid", "n_levels": 4, "per_level_scale": 1.5 },
        "network": { "n_neurons": 16, "n_hidden_layers": 2 } }"#;
    folder.write("base.json", base);
    let small = folder.write(
        "inner/small.json",
        r#"{ "parent": "../base.json", "encoding": { "log2_hashmap_size": 14 },
             "optimizer": { "nested": { "beta2": 0.99 } }, "loss": null }"#,
    );
    let config = Config::load(&small, 2, 1).unwrap();
    let grid = Grid { levels: 4, per_level_scale: 1.5, log2_hashmap_size: 14, ..Grid::default() };
    assert_eq!(config.mlp.encoding[0].encoding, grid.into());
    let adam = Adam { rate: 1e-2, beta2: 0.99, l2: 1e-8, lazy: true, ..Adam::default() };
    assert_eq!((config.training.optimizer, config.training.ema), (adam.into(), Some(0.9)));
    // A null takes the parent's away.
    assert_eq!(config.training.loss, Loss::RelativeL2);
    // The grid's keys have no effect any more, and are listed.
    let other = folder.write(
        "inner/other.json",
        r#"{ "parent": "small.json", "encoding": { "otype": "Frequency", "n_frequencies": 4 } }"#,
    );
    let config = Config::load(&other, 2, 1).unwrap();
    assert_eq!(config.mlp.to_string(), "2 (frequency) 16-16-16-1, relu, relu, identity");
    let ignored = ["encoding.log2_hashmap_size", "encoding.n_levels", "encoding.per_level_scale"];
    assert_eq!(config.ignored, ignored);
    // A misspelt key belongs to nothing, in a child too.
    let wrong =
        folder.write("wrong.json", r#"{ "parent": "base.json", "network": { "n_units": 3 } }"#);
    let message = Config::load(&wrong, 2, 1).unwrap_err().to_string();
    assert_eq!(
        message.split_once("wrong.json: ").unwrap().1,
        "a key of network is n_units; allowed: otype, activation, output_activation, n_neurons, n_hidden_layers, feedback_alignment"
    );
}

#[test]
fn parents_that_cannot_be_read_are_named() {
    let folder = Folder::new("no-parents");
    folder.write("a.json", r#"{ "parent": "inner/b.json" }"#);
    folder.write("inner/b.json", r#"{ "parent": "./../inner/../a.json" }"#);
    folder.write("self.json", r#"{ "parent": "self.json" }"#);
    folder.write("lost.json", r#"{ "parent": "nowhere.json" }"#);
    folder.write("number.json", r#"{ "parent": 3 }"#);
    folder.write("folder.json", r#"{ "parent": "inner" }"#);
    folder.write("broken.json", "{ // no end");
    folder.write("child.json", r#"{ "parent": "broken.json" }"#);
    std::fs::write(folder.0.join("latin.json"), b"{ // \xe9\n}").unwrap();
    for i in 0..70 {
        folder.write(&format!("{i}.json"), &format!(r#"{{ "parent": "{}.json" }}"#, i + 1));
    }
    folder.write("70.json", "{}");
    for (name, path, words) in [
        ("a.json", "a.json: ", "the parent of"),
        ("self.json", "self.json: ", "is one of the files that it is a parent of"),
        ("lost.json", "nowhere.json: ", "cannot be read"),
        ("number.json", "number.json: ", "parent is 3; allowed: the path of a file"),
        ("folder.json", "inner: ", "the parent of"),
        ("child.json", "broken.json: ", "the configuration is EOF"),
        ("latin.json", "latin.json: ", "cannot be read"),
        ("0.json", "64.json: ", "is number 65 in a row"),
        ("no.json", "no.json: ", "the configuration cannot be read"),
    ] {
        let message = Config::load(folder.0.join(name), 2, 1).unwrap_err().to_string();
        assert!(message.contains(path) && message.contains(words), "{name}: {message}");
    }
    assert!(Config::load(folder.0.join("40.json"), 2, 1).is_ok());
}

/// What the files of `tests/files/config` give: small ones of each kind.
#[test]
fn files_are_read_as_the_projects_read_them() {
    let path = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/config");
        folder.join(name).with_extension("json")
    };
    let load = |name: &str, inputs| Config::load(path(name), inputs, 3);
    let read = |name: &str, inputs| load(name, inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
    let comments = read("comments", 2);
    assert_eq!(comments.mlp.to_string(), "2 (one_blob) 32-32-3, relu, identity");
    assert_eq!(read("parent_only", 2), comments);
    let part = read("parent_and_part", 2);
    assert_eq!(
        (&part.mlp, part.ignored),
        (&comments.mlp, vec!["encoding.log2_hashmap_size".into()])
    );
    // An object that is there has tiny-cuda-nn's default type in instant-ngp, too.
    let part = ConfigReader::instant_ngp(512.0).load(path("parent_and_part"), 2, 3).unwrap();
    assert_eq!((&part.mlp, part.ignored.len()), (&comments.mlp, 1));
    let message = load("left_over_key", 2).unwrap_err().to_string();
    assert!(
        message.contains("encoding.base_resolution is a key of the encodings Grid"),
        "{message}"
    );
    assert_eq!(read("no_loss", 2).training.loss, Loss::RelativeL2);
    assert_eq!(read("ema", 2).training.ema, Some(0.99));
    assert_eq!(read("no_ema", 2).training, Training { ema: None, ..read("ema", 2).training });
    let softplus = read("softplus", 2).mlp;
    assert_eq!(softplus.layers.len(), 1);
    assert!((softplus.last_activation().value(0.0_f64) - 0.069_314_718).abs() <= 1e-9);
    assert_eq!(read("silu", 2).mlp.layers[0].activation, Activation::Silu);
    let sgd = read("sgd_documented_default", 2).training.optimizer;
    assert_eq!(sgd, Sgd { rate: 1e-3, l2: 1e-8, ..Sgd::default() }.into());
    let overlap = read("overlap", 3).mlp;
    assert_eq!(
        overlap,
        Mlp {
            layers: overlap.layers.clone(),
            ..Mlp::new(3).encode_at(0, 2, Grid::default()).encode_at(1, 2, Grid::default())
        }
    );
}
