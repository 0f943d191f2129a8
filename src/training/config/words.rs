//! The words of tiny-cuda-nn and instant-ngp.

use crate::network::Activation;

/// The activations' names there. Softplus and squareplus are scaled by 10 there.
pub(super) const ACTIVATIONS: &[(&str, Activation)] = &[
    ("None", Activation::Identity),
    ("ReLU", Activation::Relu),
    ("LeakyReLU", Activation::LeakyRelu),
    ("SiLU", Activation::Silu),
    ("Exponential", Activation::Exponential),
    ("Sigmoid", Activation::Sigmoid),
    ("Sine", Activation::Sine),
    ("Squareplus", Activation::Squareplus),
    ("Softplus", Activation::SharpSoftplus),
    ("Tanh", Activation::Tanh),
];

/// Keys, and what they belong to. A key that is left over is named with it.
const OWNERS: &[(&str, &[&str])] = &[
    ("the encoding Identity", &["scale", "offset"]),
    ("the encodings OneBlob and NRC", &["n_bins"]),
    ("the encodings Frequency, TriangleWave and NRC", &["n_frequencies"]),
    ("the encoding SphericalHarmonics", &["degree"]),
    (
        "the encodings Grid, HashGrid, TiledGrid and DenseGrid",
        &[
            "type",
            "n_levels",
            "n_features",
            "n_grid_features",
            "n_features_per_level",
            "log2_hashmap_size",
            "base_resolution",
            "per_level_scale",
            "finest_resolution",
            "interpolation",
            "edge",
            "hash",
            "stochastic_interpolation",
            "fixed_point_pos",
            "n_pos_dims",
        ],
    ),
    ("the encoding Composite", &["reduction"]),
    ("an encoding in a Composite", &["n_dims_to_encode", "dims_to_encode_begin"]),
    ("the encoding Takikawa, which is not supported", &["starting_level", "sum_instead_of_concat"]),
    ("a network", &["activation", "output_activation", "n_neurons", "n_hidden_layers"]),
    ("the network FullyFusedMLP", &["feedback_alignment"]),
    ("the network CutlassResNet, which is not supported", &["n_blocks", "n_matrices_per_block"]),
    ("the optimizers Adam and SGD", &["learning_rate", "l2_reg"]),
    (
        "the optimizer Adam",
        &[
            "beta1",
            "beta2",
            "epsilon",
            "relative_decay",
            "absolute_decay",
            "adabound",
            "clipping_magnitude",
            "gradient_clipping_magnitude",
            "non_matrix_learning_rate_factor",
            "non_matrix_l2_reg",
            "optimize_matrix_params",
            "optimize_non_matrix_params",
            "skip_zero_grad_non_matrix_params",
        ],
    ),
    ("the optimizer EMA", &["decay", "full_precision"]),
    (
        "the optimizer ExponentialDecay",
        &["decay_base", "decay_start", "decay_interval", "decay_end"],
    ),
    ("the encoding Composite, or an optimizer around another", &["nested"]),
    (
        "the optimizer Shampoo, which is not supported",
        &["beta3", "beta_shampoo", "identity", "cg_on_momentum", "frobenius_normalization"],
    ),
    ("the optimizer Average, which is not supported", &["n_samples"]),
    ("the optimizer Batched, which is not supported", &["batch_size_multiplier"]),
    ("the optimizer Lookahead, which is not supported", &["alpha", "n_steps"]),
    (
        "the other networks of instant-ngp's radiance fields",
        &["dir_encoding", "rgb_network", "density_network", "distortion_map", "envmap"],
    ),
    ("a configuration's root", &["encoding", "network", "loss", "optimizer", "parent"]),
    ("a part of a configuration, as its type", &["otype"]),
];

/// What a key belongs to; `None` where neither project has it.
pub(super) fn owner(key: &str) -> Option<&'static str> {
    OWNERS.iter().find(|(_, keys)| keys.contains(&key)).map(|(owner, _)| *owner)
}

/// The configuration that instant-ngp begins with. A file's objects replace those of it. Its `network`
/// has a key that no network reads, so that there are the five hidden layers of the default.
pub(super) const INSTANT_NGP: &str = r#"{
    "loss": { "otype": "L2" },
    "optimizer": { "otype": "Adam", "learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.99,
                   "epsilon": 1e-15, "l2_reg": 1e-6 },
    "encoding": { "otype": "HashGrid", "n_levels": 16, "n_features_per_level": 2,
                  "log2_hashmap_size": 19, "base_resolution": 16 },
    "network": { "otype": "FullyFusedMLP", "n_neurons": 64, "activation": "ReLU",
                 "output_activation": "None" }
}"#;
