//! Parameters in files: this crate's own, and what other projects write.
//!
//! `weights` holds the tensors of any file, `assign` finds which belongs to which layer (by
//! `names` and shapes), `mapping` is what it found, and `read` takes the values.

mod assign;
#[cfg(feature = "safetensors")]
mod format;
mod identify;
#[cfg(feature = "json")]
mod json;
mod mapping;
mod names;
#[cfg(feature = "npz")]
mod npz;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "safetensors")]
mod packed;
mod read;
#[cfg(feature = "safetensors")]
mod safetensors;
#[cfg(all(test, feature = "safetensors"))]
mod tests;
mod tiny_cuda_nn;
mod weights;

#[cfg(feature = "safetensors")]
pub(crate) use format::{
    StoredTensor, dtype, metadata, network_of, of_part, parse, read_metadata, serialize,
};
pub use mapping::{LayerMap, ReadOptions, WeightMap};
pub use weights::{Tensor, Weights};

use crate::error::{Error, Result};
use crate::network::{Mlp, Parameters, check_models};
use crate::numeric::Real;
#[cfg(any(feature = "safetensors", feature = "onnx"))]
use std::fs::File;
#[cfg(any(feature = "safetensors", feature = "onnx"))]
use std::io::Write as _;
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

/// What the names of tensors begin with that are a training's, not a network's.
pub(crate) const PREFIX: &str = "training.";

/// An error that names the path.
fn of_path(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::file_because(path.display().to_string(), error.to_string(), error)
}

/// Writes a file as a whole: beside its place, then into it. Where that fails, what was there stays.
#[cfg(any(feature = "safetensors", feature = "onnx"))]
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(name);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        // On the disk before the name points to it.
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    written.map_err(|error| {
        drop(std::fs::remove_file(&beside));
        of_path(path)(error)
    })
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(of_path(path))
}
