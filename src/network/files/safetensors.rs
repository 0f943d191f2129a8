//! safetensors files: reading any, writing the crate's own names and PyTorch's.

use crate::error::{Error, Result};
use crate::network::files::read::{Named, boxes_of, tensors_of};
use crate::network::files::weights::{ElementType, Tensor, Weights};
use crate::network::{Mlp, Parameters};
use crate::numeric::Real;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
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
    let remarks = metadata.metadata().clone().unwrap_or_default();
    Weights::new(origin, bytes, tensors, remarks.into_iter().collect())
}

impl<T: Real> Parameters<T> {
    /// The bytes of a safetensors file. Its tensors are `layers.0.weight`, `layers.0.bias`, …, and
    /// `encoding.0.tables` `[entries, features]` for a grid among the encodings. A layer without a
    /// bias has no such tensor. A population of more than one model has the models as leading axis.
    /// The metadata hold each grid's box, as `encoding.0.box`.
    ///
    /// # Errors
    /// [`Error::File`] where the safetensors library refuses the tensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let boxes = boxes_of(self.mlp());
        self.serialize(&tensors_of(self.mlp()), boxes.into_iter().collect())
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
            return Err(Error::argument("the number of models", self.models(), "1 in PyTorch's names"));
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
        self.serialize(&tensors, metadata)
    }

    fn serialize(&self, tensors: &[Named], metadata: HashMap<String, String>) -> Result<Vec<u8>> {
        let p = self.mlp().parameters();
        let dtype = if size_of::<T>() == 4 { Dtype::F32 } else { Dtype::F64 };
        let mut data = Vec::new();
        for Named { name, range, shape } in tensors {
            let bytes: Vec<u8> = (0..self.models())
                .flat_map(|m| &self.values()[m * p + range.start..m * p + range.end])
                .flat_map(|v| bytemuck::bytes_of(v).iter().copied())
                .collect();
            let models = (self.models() > 1).then_some(self.models());
            data.push((name, models.into_iter().chain(shape.iter().copied()).collect(), bytes));
        }
        let refused = |name: &str, error: safetensors::SafeTensorError| {
            Error::file_because(name, error.to_string(), error)
        };
        let views = data.iter().map(|(name, shape, bytes): &(&String, Vec<usize>, Vec<u8>)| {
            let view = TensorView::new(dtype, shape.clone(), bytes);
            Ok((name.as_str(), view.map_err(|error| refused(name, error))?))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        let metadata = (!metadata.is_empty()).then(|| metadata.into_iter().collect());
        safetensors::serialize(views, metadata).map_err(|error| refused("file", error))
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

    /// Writes the file that [`Parameters::to_safetensors`] describes.
    ///
    /// # Errors
    /// [`Error::File`] with the path where it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        super::write(path.as_ref(), &self.to_safetensors()?)
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
        other => format!("<{other}>"),
    })
}
