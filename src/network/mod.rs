//! What is computed: a multilayer perceptron, its encodings, its activations, its parameters, and
//! files of them. Pure data.

pub(crate) mod activation;
mod custom;
pub mod encoding;
pub(crate) mod files;
mod init;
pub(crate) mod level;
mod mlp;
mod parameters;
mod storage;

pub use activation::{Activation, Saved};
pub use custom::CustomActivation;
pub use encoding::Encoding;
pub use init::Init;
pub use mlp::{Layer, LayerRange, Mlp};
pub use parameters::Parameters;
pub(crate) use parameters::check_models;
pub use storage::{Packed, Storage, TextureMips};
pub(crate) use storage::{Packing, check_texture};
