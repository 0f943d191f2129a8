//! safetensors files: reading any, writing the crate's own names and PyTorch's.

use crate::error::{Error, Result};
use crate::network::files::PREFIX;
use crate::network::files::format::{
    StoredTensor, check_version, dtype, metadata, network_of, serialize,
};
use crate::network::files::read::{Named, tensors_of};
use crate::network::files::weights::{ElementType, Tensor, Weights};
use crate::network::{Mlp, Parameters};
use crate::numeric::Real;
use safetensors::{Dtype, SafeTensors};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// Reads a file's header. The values stay where they are.
pub(super) fn read<'a>(origin: &str, bytes: Cow<'a, [u8]>) -> Result<Weights<'a>> {
    let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| {
        // The header's length comes first: what lies behind a whole header is cut off or too much.
        let problem = format!("not a whole safetensors file: {error}");
        Error::file_because(origin, problem, error)
    })?;
    let first = header.saturating_add(8);
    let tensors = metadata.tensors().into_iter().map(|(name, info)| {
        let (start, end) = info.data_offsets;
        Tensor {
            name,
            shape: info.shape.clone(),
            element_type: match info.dtype {
                Dtype::F16 => ElementType::F16,
                Dtype::BF16 => ElementType::Bf16,
                Dtype::F32 => ElementType::F32,
                Dtype::F64 => ElementType::F64,
                other => ElementType::Other(format!("{other:?}")),
            },
            bytes: first.saturating_add(start)..first.saturating_add(end),
        }
    });
    let tensors = tensors.collect();
    let remarks = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
    let weights = Weights::new(origin, bytes, tensors, remarks)?;
    check_version(&weights.metadata).map_err(|error| weights.of_file(error))?;
    Ok(weights)
}

impl<T: Real> Parameters<T> {
    /// The bytes of a safetensors file. Its tensors are `layers.0.weight`, `layers.0.bias`, …, and
    /// `encoding.0.tables` `[entries, features]` for a grid among the encodings. A layer without a
    /// bias has no such tensor. A population of more than one model has the models as leading axis.
    /// The metadata hold the network's description as JSON, `network`, and each grid's box,
    /// `encoding.0.box`.
    ///
    /// # Errors
    /// [`Error::File`] where the safetensors library refuses the tensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        serialize(&self.to_tensors(), metadata(self.mlp())?)
    }

    /// The bytes of a safetensors file in PyTorch's names: the `state_dict` of a
    /// `torch.nn.Sequential` of the layers with the activations between, `0.weight`, `0.bias`,
    /// `2.weight`, … An identity has no module. The metadata say the modules, as
    /// `sequential`:
    ///
    /// ```python
    /// net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    /// net.load_state_dict(safetensors.torch.load_file(path))
    /// ```
    ///
    /// PyTorch has no module for the sine and for activations of the application's own: their
    /// place in the row is a module of one's own, without parameters. Encodings without tables
    /// are the caller's, too: the first `Linear` takes their outputs.
    ///
    /// # Errors
    /// [`Error::Argument`] where there are several models (take one by [`Parameters::model`]), or a
    /// grid's tables, which no module of PyTorch has.
    pub fn to_pytorch(&self) -> Result<Vec<u8>> {
        let mlp = self.mlp();
        if self.models() != 1 {
            return Err(Error::argument(
                "the number of models",
                self.models(),
                "1 in PyTorch's names",
            ));
        }
        if mlp.encoding_parameters() > 0 {
            let found = mlp.encoding_parameters();
            let allowed = "0 in PyTorch's names: no module of PyTorch has a grid's tables";
            return Err(Error::argument("the number of a grid's parameters", found, allowed));
        }
        let (mut modules, mut tensors) = (Vec::new(), Vec::new());
        let named = tensors_of(mlp);
        for (index, (layer, range)) in mlp.layers.iter().zip(mlp.ranges()).enumerate() {
            let (own, theirs) = (format!("layers.{index}."), format!("{}.", modules.len()));
            for tensor in named.iter().filter(|tensor| tensor.name.starts_with(&own)) {
                let name = tensor.name.replace(&own, &theirs);
                tensors.push(Named { name, ..tensor.clone() });
            }
            let [units, inputs] = range.shape;
            let bias = if range.bias.is_empty() { ", bias=False" } else { "" };
            modules.push(format!("Linear({inputs}, {units}{bias})"));
            modules.extend(module(layer.activation.name()));
        }
        let sequential = ("sequential".to_owned(), modules.join(", "));
        let mut metadata = HashMap::from([("format".to_owned(), "pt".to_owned()), sequential]);
        if !mlp.encoding.is_empty() {
            let parts = mlp.encoding.iter().map(|part| format!("{:?}", part.encoding));
            metadata.insert("encoding".into(), parts.collect::<Vec<_>>().join(", "));
        }
        serialize(&self.stored(tensors), metadata)
    }

    /// The tensors of the crate's own file.
    pub(crate) fn to_tensors(&self) -> Vec<StoredTensor> {
        self.stored(tensors_of(self.mlp()))
    }

    fn stored(&self, tensors: Vec<Named>) -> Vec<StoredTensor> {
        let p = self.mlp().parameters();
        let dtype = dtype::<T>();
        let models = (self.models() > 1).then_some(self.models());
        let tensor = |Named { name, range, shape }: Named| {
            let of_models = (0..self.models())
                .flat_map(|m| &self.values()[m * p + range.start..m * p + range.end]);
            let bytes = of_models.flat_map(|v| bytemuck::bytes_of(v).iter().copied()).collect();
            StoredTensor { name, dtype, shape: models.into_iter().chain(shape).collect(), bytes }
        };
        tensors.into_iter().map(tensor).collect()
    }

    /// Reads the bytes of a safetensors file as the parameters of `models` models of `mlp`: the crate's
    /// own names, or others' where [`Weights::map`] finds which tensor is which. Either precision
    /// reads F16, BF16, F32 and F64.
    ///
    /// # Errors
    /// The errors of [`Weights::from_bytes`], [`Weights::map`] and [`Weights::read`], without options.
    pub fn from_safetensors(bytes: &[u8], mlp: &Mlp, models: usize) -> Result<Self> {
        mlp.check()?;
        crate::network::check_models(mlp, models)?;
        Self::of_weights(&Weights::from_bytes(bytes)?, mlp, models)
    }

    /// Writes the file that [`Parameters::to_safetensors`] describes. Where it cannot be written, a
    /// file of that name stays as it was.
    ///
    /// # Errors
    /// [`Error::File`] with the path where it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        super::write(path.as_ref(), &self.to_safetensors()?)
    }

    /// Reads a file that describes its network, as [`Parameters::save`] and
    /// [`Checkpoint::save`](crate::Checkpoint::save) write it. Of a checkpoint they are the last
    /// parameters, not their average.
    ///
    /// # Errors
    /// Those of [`Parameters::load`]; the file does not describe its network, or the network has an
    /// activation of an application's own that has not been defined.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::described(&Weights::load(path)?)
    }

    /// Those that predict: of a checkpoint the average, where the training keeps one.
    pub(crate) fn open_for_inference(path: impl AsRef<Path>) -> Result<Self> {
        let weights = Weights::load(path)?;
        let last = Self::described(&weights)?;
        let average = format!("{PREFIX}ema");
        if weights.tensor(&average).is_none() {
            return Ok(last);
        }
        Self::new(last.mlp().clone(), last.models(), weights.values(&average)?)
    }

    fn described(weights: &Weights<'_>) -> Result<Self> {
        let mlp = network_of(&weights.metadata).map_err(|error| weights.of_file(error))?;
        // A population of more than one model has the models as leading axis.
        let models = match weights.tensor("layers.0.weight").map(Tensor::shape) {
            Some([models, _, _]) => *models,
            _ => 1,
        };
        Self::of_weights(weights, &mlp, models)
    }

    /// Writes the file that [`Parameters::to_pytorch`] describes.
    ///
    /// # Errors
    /// The errors of [`Parameters::to_pytorch`], and [`Error::File`] with the path where it cannot
    /// be written.
    pub fn save_pytorch(&self, path: impl AsRef<Path>) -> Result<()> {
        super::write(path.as_ref(), &self.to_pytorch()?)
    }
}

/// The module of `torch.nn` that computes an activation; none for the identity.
fn module(activation: &str) -> Option<String> {
    Some(match activation {
        "identity" => return None,
        "sigmoid" => "Sigmoid()".into(),
        "tanh" => "Tanh()".into(),
        "relu" => "ReLU()".into(),
        "leaky_relu" => "LeakyReLU(0.01)".into(),
        "gelu" => "GELU(approximate='tanh')".into(),
        "silu" => "SiLU()".into(),
        "softplus" => "Softplus()".into(),
        "sharp_softplus" => "Softplus(beta=10)".into(),
        other => format!("<{other}>"),
    })
}
