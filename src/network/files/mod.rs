//! Parameters in files: this crate's own, and what other projects write.
//!
//! `weights` holds the tensors of any file, `assign` finds which belongs to which layer (by
//! `names` and shapes), `mapping` is what it found, and `read` takes the values.

mod assign;
mod identify;
#[cfg(feature = "json")]
mod json;
mod mapping;
mod names;
#[cfg(feature = "npz")]
mod npz;
#[cfg(feature = "onnx")]
mod onnx;
mod read;
#[cfg(feature = "safetensors")]
mod safetensors;
#[cfg(all(test, feature = "safetensors"))]
mod tests;
mod tiny_cuda_nn;
mod weights;

pub use mapping::{LayerMap, ReadOptions, WeightMap};
pub use weights::{Tensor, Weights};

use crate::error::{Error, Result};
use crate::network::{Mlp, Parameters, check_models};
use crate::numeric::Real;
use std::path::Path;

impl<T: Real> Parameters<T> {
    /// Reads a file as the parameters of `models` models of `mlp`: the crate's own names, or others'
    /// where [`Weights::map`] finds which tensor is which. Either precision reads F16, BF16, F32
    /// and F64.
    ///
    /// # Errors
    /// [`Error::File`] with the path: the errors of [`Weights::load`], [`Weights::map`] and
    /// [`Weights::read`], without options.
    pub fn load(path: impl AsRef<Path>, mlp: &Mlp, models: usize) -> Result<Self> {
        mlp.check()?;
        check_models(mlp, models)?;
        Self::of_weights(&Weights::load(path)?, mlp, models)
    }

    /// By the map that is found.
    fn of_weights(weights: &Weights<'_>, mlp: &Mlp, models: usize) -> Result<Self> {
        let map = weights.map(mlp, &ReadOptions::default())?;
        weights.read(mlp, models, &map)
    }
}

/// Writes a whole file.
#[cfg(any(feature = "safetensors", feature = "onnx"))]
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes)
        .map_err(|error| Error::file_because(path.display().to_string(), error.to_string(), error))
}
