//! Compact parameters in files: halves and bytes as they are.

use crate::error::{Error, Result};
use crate::network::encoding::encoding_ranges;
use crate::network::files::format::{StoredTensor, metadata, network_of, of_part, serialize};
use crate::network::files::read::tensors_of;
use crate::network::files::weights::{Tensor, Weights};
use crate::network::storage::{Places, words_of};
use crate::network::{Encoding, Mlp, Packed, Storage, check_models};
use safetensors::Dtype;
use std::ops::Range;
use std::path::Path;

/// A tensor of a packed file: its name, its type, its shape, and the bytes of one model that it holds.
struct Part {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<Range<usize>>,
}

impl Part {
    /// The bytes of a model in the file.
    fn len(&self) -> usize {
        self.bytes.iter().map(ExactSizeIterator::len).sum()
    }
}

fn parts_of(mlp: &Mlp, storage: Storage) -> Vec<Part> {
    let places = Places::new(mlp, storage);
    let tables = mlp.encoding_parameters();
    let tensors = tensors_of(mlp).into_iter().map(|tensor| {
        let dtype = match storage {
            Storage::F32 => Dtype::F32,
            Storage::Snorm8 if tensor.range.start < tables => Dtype::I8,
            _ => Dtype::F16,
        };
        let bytes = tensor.range.map(|at| places.of(at)).collect();
        Part { name: tensor.name, dtype, shape: tensor.shape, bytes }
    });
    let mut parts: Vec<_> = tensors.collect();
    if storage != Storage::Snorm8 {
        return parts;
    }
    let mut level = 0;
    for (index, place) in encoding_ranges(mlp).into_iter().enumerate() {
        let Encoding::Grid(grid) = place.encoding else { continue };
        let own = level..level + grid.scales();
        level = own.end;
        let name = format!("encoding.{index}.scales");
        let shape = vec![own.len()];
        let bytes = own.map(|level| places.scale(level)).collect();
        parts.push(Part { name, dtype: Dtype::F32, shape, bytes });
    }
    parts
}

impl Packed {
    /// The bytes of a safetensors file, as small as the storage: the tensors of
    /// [`Parameters::to_safetensors`](crate::Parameters::to_safetensors) in F16, and a grid's tables of
    /// [`Storage::Snorm8`] in I8 with the levels' scales as `encoding.0.scales`. The metadata hold
    /// `storage` beside the network.
    ///
    /// # Errors
    /// [`Error::File`] where the safetensors library refuses the tensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let model = Places::new(self.mlp(), self.storage()).model();
        let models = (self.models() > 1).then_some(self.models());
        let tensors = parts_of(self.mlp(), self.storage()).into_iter().map(|part| {
            let blocks = self.bytes().chunks(model).take(self.models());
            let bytes = blocks
                .flat_map(|block| part.bytes.iter().flat_map(|at| &block[at.clone()]))
                .copied()
                .collect();
            let shape = models.into_iter().chain(part.shape).collect();
            StoredTensor { name: part.name, dtype: part.dtype, shape, bytes }
        });
        let tensors: Vec<_> = tensors.collect();
        let storage = serde_json::to_string(&self.storage()).map_err(of_part("storage"))?;
        let mut metadata = metadata(self.mlp())?;
        metadata.insert("storage".into(), storage);
        serialize(&tensors, metadata)
    }

    /// Reads what [`Packed::to_safetensors`] has written.
    ///
    /// # Errors
    /// [`Error::File`]: the file is cut off, is no packed one, or lacks a tensor; a scale or a half that
    /// is not finite.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        Self::of_weights(&Weights::from_bytes(bytes)?)
    }

    /// Writes the file that [`Packed::to_safetensors`] describes. Where it cannot be written, a file of
    /// that name stays as it was.
    ///
    /// # Errors
    /// [`Error::File`] with the path where it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        super::write(path.as_ref(), &self.to_safetensors()?)
    }

    /// Reads the file that [`Packed::save`] has written.
    ///
    /// # Errors
    /// The errors of [`Packed::from_safetensors`], with the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::of_weights(&Weights::load(path)?)
    }

    fn of_weights(weights: &Weights<'_>) -> Result<Self> {
        let problem = "is no packed file; `Parameters::open` reads others";
        let storage =
            weights.metadata("storage").ok_or_else(|| weights.error("storage", problem))?;
        let storage: Storage = serde_json::from_str(storage)
            .map_err(|error| weights.of_file(of_part("storage")(error)))?;
        let mlp = network_of(&weights.metadata).map_err(|error| weights.of_file(error))?;
        let models = match weights.tensor("layers.0.weight").map(Tensor::shape) {
            Some([models, _, _]) => *models,
            _ => 1,
        };
        check_models(&mlp, models).map_err(|error| weights.of_file(error))?;
        // An element has a byte or more: a network of more than the file's own size is not laid out.
        if models.saturating_mul(mlp.parameters()) > weights.bytes.len() {
            let problem = format!("has fewer bytes than its network {mlp} has parameters");
            return Err(weights.of_file(Error::file("file", problem)));
        }
        let parts = parts_of(&mlp, storage);
        if let Some(other) = weights.tensors().find(|t| parts.iter().all(|p| p.name != t.name)) {
            return Err(weights.error(&other.name, "not a tensor of the packed network"));
        }
        // All tensors first: what is allocated then has the size of the file's own data.
        let mut found = Vec::new();
        for part in &parts {
            let missing = || weights.error(&part.name, "missing from the file");
            let tensor = weights.tensor(&part.name).ok_or_else(missing)?;
            let shape: Vec<_> =
                (models > 1).then_some(models).into_iter().chain(part.shape.clone()).collect();
            let dtype = format!("{:?}", part.dtype);
            if tensor.shape != shape || tensor.element_type() != dtype {
                let problem = format!("is {tensor}, not {shape:?} {dtype}");
                return Err(weights.error(&part.name, problem));
            }
            let bytes = weights.bytes.get(tensor.bytes.clone());
            let bytes = bytes.filter(|bytes| bytes.len() == models * part.len());
            found.push(bytes.ok_or_else(|| weights.error(&part.name, "is cut off"))?);
        }
        let mut words = words_of(&mlp, models, storage);
        let model = Places::new(&mlp, storage).model();
        let blocks = bytemuck::cast_slice_mut::<_, u8>(&mut words).chunks_mut(model).take(models);
        for (m, block) in blocks.enumerate() {
            for (part, from) in parts.iter().zip(&found) {
                let mut from = &from[m * part.len()..];
                for at in &part.bytes {
                    let (element, rest) = from.split_at(at.len());
                    block[at.clone()].copy_from_slice(element);
                    from = rest;
                }
            }
        }
        Self::new(mlp, models, storage, words).map_err(|error| weights.of_file(error))
    }
}
