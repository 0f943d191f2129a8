//! What is computed: a multilayer perceptron, its encodings, its activations, its parameters, and
//! files of them. Pure data.

pub(crate) mod activation;
mod custom;
pub mod encoding;
pub(crate) mod files;
mod grid_passes;
pub(crate) mod grid_text;
mod init;
mod latent;
pub(crate) mod level;
mod mlp;
mod packed;
mod parameters;
mod storage;

pub use activation::{Activation, Saved};
pub use custom::CustomActivation;
pub use encoding::Encoding;
pub use init::Init;
pub use latent::TextureMips;
pub(crate) use latent::{check_texture, texture_channels};
pub use mlp::{Layer, LayerRange, Mlp};
pub use packed::Packed;
pub use parameters::Parameters;
pub(crate) use parameters::check_models;
pub(crate) use storage::Packing;
pub use storage::Storage;
