//! The parameters of a population in a storage of fewer bytes.

use crate::error::{Error, Result};
use crate::network::storage::{Places, from_byte, scaled, to_byte, to_half, words_of};
use crate::network::{Mlp, Parameters, Storage};
use half::f16;

/// The parameters of a population in a [`Storage`]: what [`Parameters::pack`] makes. An exported
/// function and an inference read its words as they are.
///
/// ```
/// use wgrad::{Activation, Init, Mlp, Storage};
/// let mlp = Mlp::new(2).layer(16, Activation::Relu).layer(3, Activation::Sigmoid);
/// let parameters = Init::Auto.sample(&mlp, 1, 0)?;
/// let packed = parameters.pack(Storage::F16)?;
/// assert!(packed.bytes().len() < 3 * parameters.values().len());
/// let text = packed.wgsl("field").text()?; // reads `packed.bytes()` from its binding
/// assert!(text.contains("unpack2x16float"));
/// // What it computes is what these parameters compute.
/// assert_eq!(packed.parameters().values().len(), parameters.values().len());
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    pub(super) mlp: Mlp,
    pub(super) models: usize,
    pub(super) storage: Storage,
    pub(super) words: Vec<u32>,
}

impl Packed {
    /// The network.
    pub const fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    /// The number of models.
    pub const fn models(&self) -> usize {
        self.models
    }

    /// How the parameters are stored.
    pub const fn storage(&self) -> Storage {
        self.storage
    }

    /// The content of the buffer that an exported function reads, model after model: a multiple of 16
    /// bytes.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    /// The parameters that are stored: those that were packed, rounded.
    pub fn parameters(&self) -> Parameters {
        let places = Places::new(&self.mlp, self.storage);
        let p = self.mlp.parameters();
        let mut values = vec![0.0; self.models * p];
        let scaled = if self.storage == Storage::Snorm8 { scaled(&self.mlp) } else { Vec::new() };
        for (bytes, values) in self.bytes().chunks(places.model()).zip(values.chunks_mut(p)) {
            for (level, range) in scaled.iter().enumerate() {
                let scale = bytemuck::pod_read_unaligned(&bytes[places.scale(level)]);
                let bytes: &[i8] = bytemuck::cast_slice(&bytes[places.table(range)]);
                for (value, byte) in values[range.clone()].iter_mut().zip(bytes) {
                    *value = from_byte(*byte, scale);
                }
            }
            for at in scaled.last().map_or(0, |last| last.end)..p {
                let bytes = &bytes[places.of(at)];
                values[at] = match self.storage {
                    Storage::F32 => bytemuck::pod_read_unaligned(bytes),
                    _ => f16::from_bits(bytemuck::pod_read_unaligned(bytes)).to_f32(),
                };
            }
        }
        Parameters::of_values(self.mlp.clone(), self.models, values)
    }

    /// Takes the bytes of all models, as [`Packed::bytes`] gives them.
    ///
    /// # Errors
    /// A scale or a half that is not finite.
    #[cfg(feature = "safetensors")]
    pub(super) fn new(mlp: Mlp, models: usize, storage: Storage, words: Vec<u32>) -> Result<Self> {
        let packed = Self { mlp, models, storage, words };
        crate::numeric::check_finite("the parameters", packed.parameters().values())?;
        Ok(packed)
    }

    /// The parameters with the layers of others of the same network, whose tables do not count.
    ///
    /// # Errors
    /// Another network or number of models; the errors of [`Parameters::pack`].
    pub fn with_layers(&self, parameters: &Parameters) -> Result<Self> {
        if *parameters.mlp() != self.mlp || parameters.models() != self.models {
            let of = |mlp: &Mlp, models| format!("{models} of {mlp}");
            let found = of(parameters.mlp(), parameters.models());
            return Err(Error::argument("the network", found, of(&self.mlp, self.models)));
        }
        let (mut packed, other) = (self.clone(), parameters.pack(self.storage)?);
        let places = Places::new(&self.mlp, self.storage);
        let first = places.of(self.mlp.encoding_parameters()).start / 4;
        let blocks = packed.words.chunks_mut(places.model() / 4);
        for (to, from) in blocks.zip(other.words.chunks(places.model() / 4)).take(self.models) {
            to[first..].copy_from_slice(&from[first..]);
        }
        Ok(packed)
    }
}

impl Parameters {
    /// The parameters in a storage of fewer bytes, each rounded to the nearest value that it has.
    ///
    /// # Errors
    /// [`Error::Argument`] where a parameter is beyond ±65,504 and would be an f16.
    pub fn pack(&self, storage: Storage) -> Result<Packed> {
        let (mlp, models) = (self.mlp().clone(), self.models());
        let places = Places::new(&mlp, storage);
        let p = mlp.parameters();
        let mut words = words_of(&mlp, models, storage);
        let scaled = if storage == Storage::Snorm8 { scaled(&mlp) } else { Vec::new() };
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        for (bytes, values) in bytes.chunks_mut(places.model()).zip(self.values().chunks(p)) {
            for (level, range) in scaled.iter().enumerate() {
                let scale = values[range.clone()].iter().fold(0.0_f32, |most, v| most.max(v.abs()));
                bytes[places.scale(level)].copy_from_slice(&scale.to_le_bytes());
                let bytes: &mut [i8] = bytemuck::cast_slice_mut(&mut bytes[places.table(range)]);
                for (byte, value) in bytes.iter_mut().zip(&values[range.clone()]) {
                    *byte = to_byte(*value, scale);
                }
            }
            for at in scaled.last().map_or(0, |last| last.end)..p {
                let to = &mut bytes[places.of(at)];
                if storage == Storage::F32 {
                    to.copy_from_slice(&values[at].to_le_bytes());
                    continue;
                }
                let half = to_half(values[at]);
                if !half.is_finite() {
                    let allowed = format!("at most {}, the largest f16", f16::MAX);
                    let what = "the magnitude of a parameter";
                    return Err(Error::argument(what, values[at].abs(), allowed));
                }
                to.copy_from_slice(&half.to_le_bytes());
            }
        }
        Ok(Packed { mlp, models, storage, words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::encoding::Grid;
    use crate::network::storage::{SMALLEST, STEPS};
    use crate::network::{Activation, Init};

    fn networks() -> [Mlp; 3] {
        let grid = Grid { levels: 3, log2_hashmap_size: 7, ..Grid::default() };
        [
            Mlp::new(3).layer(5, Activation::Relu).layer(2, Activation::Identity),
            Mlp::new(2).layer_without_bias(4, Activation::Relu).layer(1, Activation::Identity),
            Mlp::new(3).encode(2, grid).encode(1, grid).layer(7, Activation::Relu),
        ]
    }

    /// What was packed is packed to the same words again, and is as near as the storage allows.
    #[test]
    fn packing_rounds_once() {
        for mlp in networks() {
            let parameters = Init::Auto.sample(&mlp, 3, 1).unwrap();
            for storage in [Storage::F32, Storage::F16, Storage::Snorm8] {
                let packed = parameters.pack(storage).unwrap();
                let rounded = packed.parameters();
                assert_eq!(rounded.pack(storage).unwrap(), packed, "{mlp} {storage:?}");
                assert_eq!(packed.bytes().len() % 16, 0);
                let tables = mlp.encoding_parameters();
                let all = parameters.values().iter().zip(rounded.values()).enumerate();
                for (i, (v, r)) in all {
                    let bound = match storage {
                        Storage::F32 => 0.0,
                        _ if i % mlp.parameters() >= tables => v.abs() / 2048.0 + SMALLEST / 2.0,
                        Storage::F16 => SMALLEST / 2.0,
                        // Tables are sampled from ±1e-4.
                        Storage::Snorm8 => 0.5 * 1e-4 / STEPS * 1.001,
                    };
                    assert!((v - r).abs() <= bound, "{mlp} {storage:?} {i}: {v} is {r}");
                }
            }
        }
    }

    #[test]
    fn what_no_half_holds_is_refused() {
        let mlp = Mlp::new(1).layer(1, Activation::Identity);
        let of = |value| Parameters::new(mlp.clone(), 1, vec![value, 0.0]).unwrap();
        assert!(of(65_519.0).pack(Storage::F16).is_ok());
        let message = of(-65_520.0).pack(Storage::F16).unwrap_err().to_string();
        assert!(message.starts_with("the magnitude of a parameter is 65520"), "{message}");
        for (value, expected) in [(3.0e-5, 0.0), (3.1e-5, SMALLEST), (-6.0e-5, -SMALLEST)] {
            let rounded = of(value).pack(Storage::F16).unwrap().parameters();
            assert_eq!(rounded.values()[0], expected);
        }
    }

    #[test]
    fn a_level_has_its_own_scale() {
        let mlp = &networks()[2];
        let mut values = vec![0.0; mlp.parameters()];
        let levels = scaled(mlp);
        values[levels[1].start] = -2.0;
        values[levels[1].start + 1] = 0.5;
        values[levels[4].end - 1] = 1e-6;
        let parameters = Parameters::new(mlp.clone(), 1, values).unwrap();
        let rounded = parameters.pack(Storage::Snorm8).unwrap().parameters();
        assert_eq!(rounded.values()[levels[1].start], -2.0);
        assert!((rounded.values()[levels[1].start + 1] - 0.5).abs() <= 1.0 / 127.0);
        assert_eq!(rounded.values()[levels[4].end - 1], 1e-6);
        assert_eq!(rounded.values().iter().filter(|v| **v != 0.0).count(), 3);
    }
}
