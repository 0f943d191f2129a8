//! The tensors of a file, whoever has written it.

use crate::error::{Error, Result};
use crate::network::Mlp;
use crate::network::Parameters;
use crate::network::files::mapping::{ReadOptions, WeightMap};
use crate::network::files::names::natural;
use crate::numeric::Real;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

/// How the elements of a tensor are stored. All are little-endian.
#[cfg_attr(not(feature = "safetensors"), allow(dead_code))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ElementType {
    F16,
    Bf16,
    F32,
    F64,
    /// A type that no weight has, by its name in the file.
    Other(String),
}

impl ElementType {
    /// The bytes of an element; 0 where they are not read.
    pub const fn size(&self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Other(_) => 0,
        }
    }

    const fn name(&self) -> &str {
        match self {
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::F32 => "F32",
            Self::F64 => "F64",
            Self::Other(name) => name.as_str(),
        }
    }
}

/// A tensor of a file: its name, its shape and the type of its elements.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) element_type: ElementType,
    /// Its bytes among those of the file.
    pub(crate) bytes: Range<usize>,
}

impl Tensor {
    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its shape. The elements are in row-major order.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type of its elements: `F16`, `BF16`, `F32` or `F64`, which are read, or another one's
    /// name.
    pub const fn element_type(&self) -> &str {
        self.element_type.name()
    }

    /// Whether its elements are numbers that a network may have.
    pub(crate) const fn is_float(&self) -> bool {
        self.element_type.size() > 0
    }

    /// The elements that its shape demands.
    pub(crate) fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side))
    }
}

impl std::fmt::Display for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.name, self.shape, self.element_type())
    }
}

/// The tensors of a file: safetensors, or NumPy's `.npz` with the feature `npz`.
///
/// Nothing is asked of the names. [`Weights::map`] finds which tensor belongs to which layer,
/// and [`Weights::read`] takes the values.
///
/// ```
/// use wgrad::weights::{ReadOptions, Weights};
/// use wgrad::{Activation, Init, Mlp, Parameters};
/// let mlp = Mlp::new(2).layer(16, Activation::Tanh).layer(1, Activation::Identity);
/// // What `safetensors.torch.save_file(torch.nn.Sequential(…).state_dict(), path)` writes.
/// let bytes = Init::Auto.sample(&mlp, 1, 0)?.to_pytorch()?;
/// let weights = Weights::from_bytes(&bytes)?; // or `Weights::load(path)`
/// let map = weights.map(&mlp, &ReadOptions::default())?;
/// assert_eq!(map.to_string(), "\
/// layer 0: 0.weight [16, 2], 0.bias
/// layer 1: 2.weight [1, 16], 2.bias");
/// let parameters: Parameters = weights.read(&mlp, 1, &map)?;
/// # assert_eq!(parameters.values().len(), 65);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Weights<'a> {
    /// The path, or `file`: what errors begin with.
    pub(crate) origin: String,
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Sorted by name.
    tensors: Vec<Tensor>,
    pub(crate) metadata: HashMap<String, String>,
}

impl<'a> Weights<'a> {
    /// Takes tensors that lie in `bytes`, each checked against its shape.
    pub(crate) fn new(
        origin: &str,
        bytes: Cow<'a, [u8]>,
        mut tensors: Vec<Tensor>,
        metadata: HashMap<String, String>,
    ) -> Result<Self> {
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(Error::file(origin, format!("holds two tensors {}", pair[0].name)));
        }
        for tensor in &tensors {
            let needed = tensor.elements().and_then(|n| n.checked_mul(tensor.element_type.size()));
            let found = bytes.get(tensor.bytes.clone()).map(<[u8]>::len);
            if tensor.is_float() && (found.is_none() || needed != found) {
                let shape = &tensor.shape;
                let problem = match found {
                    Some(found) => format!("has {found} bytes, which is not the shape {shape:?}"),
                    None => "lies beyond the end of the file".into(),
                };
                return Err(Error::file(format!("{origin}: {}", tensor.name), problem));
            }
        }
        Ok(Self { origin: origin.into(), bytes, tensors, metadata })
    }

    /// Tensors that an application has read by itself: each with its name, its shape and its
    /// elements in row-major order.
    ///
    /// # Errors
    /// [`Error::File`] where a tensor has another number of elements than its shape, or two have
    /// one name.
    pub fn from_tensors<'t, T: Real>(
        tensors: impl IntoIterator<Item = (&'t str, &'t [usize], &'t [T])>,
    ) -> Result<Weights<'static>> {
        let (mut bytes, mut all) = (Vec::new(), Vec::new());
        for (name, shape, values) in tensors {
            let start = bytes.len();
            bytes.extend(values.iter().flat_map(|value| value.to_f64().to_le_bytes()));
            all.push(Tensor {
                name: name.into(),
                shape: shape.to_vec(),
                element_type: ElementType::F64,
                bytes: start..bytes.len(),
            });
        }
        Weights::new("tensors", Cow::Owned(bytes), all, HashMap::new())
    }

    /// Reads a file: safetensors, or NumPy's `.npz`. Which of them it is, its content says.
    ///
    /// # Errors
    /// [`Error::File`] with the path. The file cannot be read, is cut off, or is something else:
    /// the error says what, as far as its first bytes tell.
    pub fn load(path: impl AsRef<Path>) -> Result<Weights<'static>> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let bytes = super::read(path)?;
        Weights::parse(&name, Cow::Owned(bytes))
    }

    /// Reads the bytes of a file as [`Weights::load`] does.
    ///
    /// # Errors
    /// The errors of [`Weights::load`], with `file` in the place of a path.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        Self::parse("file", Cow::Borrowed(bytes))
    }

    fn parse(origin: &str, bytes: Cow<'a, [u8]>) -> Result<Self> {
        if let Some(what) = super::identify::foreign(&bytes) {
            return Err(Error::file(origin, what));
        }
        #[cfg(feature = "npz")]
        if bytes.starts_with(b"PK") {
            return super::npz::read(origin, &bytes);
        }
        #[cfg(not(feature = "npz"))]
        if bytes.starts_with(b"PK") {
            return Err(Error::file(origin, "is a zip file; NumPy's .npz needs the feature `npz`"));
        }
        #[cfg(feature = "safetensors")]
        return super::safetensors::read(origin, bytes);
        #[cfg(not(feature = "safetensors"))]
        Err(Error::file(origin, "safetensors files need the feature `safetensors`"))
    }

    /// The tensors, ordered by their names.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &Tensor> {
        self.tensors.iter()
    }

    /// The tensor `name`.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        let found = self.tensors.binary_search_by(|tensor| tensor.name.as_str().cmp(name));
        found.ok().map(|index| &self.tensors[index])
    }

    /// The file's remarks: safetensors' metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// The elements of the tensor `name`, in row-major order.
    ///
    /// # Errors
    /// [`Error::File`]: there is no such tensor, its elements are no floating-point numbers, or one
    /// is not finite in `T`.
    pub fn values<T: Real>(&self, name: &str) -> Result<Vec<T>> {
        let tensor = self.tensor(name).ok_or_else(|| self.error(name, "missing from the file"))?;
        let elements = self.floats(tensor)?;
        let mut values = crate::numeric::with_room("the values", elements)?;
        values.resize(elements, T::ZERO);
        self.copy(tensor, values.iter_mut().enumerate())?;
        Ok(values)
    }

    /// Finds the tensors of each layer of `mlp`, by names and shapes.
    ///
    /// The crate's own names come first. Of others, the last word says what a tensor is: `weight`
    /// `[units, inputs]`, `kernel` `[inputs, units]`, `w`, `weights` (in either way), and `bias`,
    /// `biases` or `b`. What is left of the name is the layer's: `net.0`, `net.2`; `fc1`, `fc2`;
    /// `Dense_0`; `dense`, `dense_1`. Layers follow each other by their numbers, 2 before 10. Arrays
    /// whose names say nothing (`arr_0`, `arr_1`) are taken in their order.
    ///
    /// # Errors
    /// [`Error::File`] lists the file's tensors where no assignment fits, or more than one: two
    /// branches of one shape, names without numbers, a square weight that may be transposed.
    /// Give a [`WeightMap`] of your own then. Other errors name a tensor that [`ReadOptions`] might
    /// allow.
    pub fn map(&self, mlp: &Mlp, options: &ReadOptions) -> Result<WeightMap> {
        mlp.check()?;
        super::assign::find(self, mlp, options)
    }

    /// The parameters of `models` models of `mlp`, by a map that [`Weights::map`] has found or
    /// the application has written. With several models each tensor has the models as leading axis.
    ///
    /// # Errors
    /// [`Error::File`] names the tensor. It is missing, has another shape, its elements are no
    /// floating-point numbers, or one is not finite. A tensor that the map does not name is an
    /// error, too, if the map does not allow it ([`WeightMap::options`]), and so is a grid
    /// whose box in the file is another than the network's.
    pub fn read<T: Real>(
        &self,
        mlp: &Mlp,
        models: usize,
        map: &WeightMap,
    ) -> Result<Parameters<T>> {
        super::read::read(self, mlp, models, map)
    }

    /// An error about one of the file's tensors.
    pub(crate) fn error(&self, tensor: &str, problem: impl Into<String>) -> Error {
        // A reader of bytes knows which file it reads.
        let place = if self.origin == "file" {
            tensor.to_owned()
        } else {
            format!("{}: {tensor}", self.origin)
        };
        Error::file(place, problem)
    }

    /// An error about the file, with its path.
    #[cfg(feature = "safetensors")]
    pub(crate) fn of_file(&self, error: Error) -> Error {
        match error {
            Error::File { tensor, problem, source } if self.origin != "file" => {
                let place = if tensor == "file" { String::new() } else { format!(": {tensor}") };
                Error::File { tensor: self.origin.clone() + &place, problem, source }
            }
            other => other,
        }
    }

    /// The number of elements of a tensor that must be floating-point numbers.
    pub(crate) fn floats(&self, tensor: &Tensor) -> Result<usize> {
        match tensor.elements() {
            Some(elements) if tensor.is_float() => Ok(elements),
            _ => {
                let found = tensor.element_type();
                let problem = format!("is of type {found}; F16, BF16, F32 and F64 are read");
                Err(self.error(&tensor.name, problem))
            }
        }
    }

    /// Writes the elements of a tensor of floating-point numbers to their places: pairs of an
    /// element's index in the file and its place.
    pub(crate) fn copy<'t, T: Real>(
        &self,
        tensor: &Tensor,
        to: impl Iterator<Item = (usize, &'t mut T)>,
    ) -> Result<()> {
        let data = self.bytes.get(tensor.bytes.clone()).unwrap_or_default();
        let size = tensor.element_type.size();
        for (index, to) in to {
            let Some(bytes) = data.get(index * size..(index + 1) * size) else {
                return Err(Error::Internal(format!("{} has no element {index}", tensor.name)));
            };
            // Elements of a file may be unaligned.
            *to = T::of(match tensor.element_type {
                ElementType::F16 => {
                    half::f16::from_bits(bytemuck::pod_read_unaligned(bytes)).to_f64()
                }
                ElementType::Bf16 => {
                    half::bf16::from_bits(bytemuck::pod_read_unaligned(bytes)).to_f64()
                }
                ElementType::F32 => f64::from(bytemuck::pod_read_unaligned::<f32>(bytes)),
                ElementType::F64 => bytemuck::pod_read_unaligned(bytes),
                ElementType::Other(_) => return self.floats(tensor).map(|_| ()),
            });
            if !to.is_finite() {
                let value = to.to_f64();
                let problem =
                    format!("holds {value} at element {index}; only finite numbers are allowed");
                return Err(self.error(&tensor.name, problem));
            }
        }
        Ok(())
    }

    /// The tensors in a list for an error: a line each, by the numbers in their names.
    pub(crate) fn list(&self) -> String {
        const SHOWN: usize = 60;
        let mut tensors: Vec<&Tensor> = self.tensors.iter().collect();
        tensors.sort_by_cached_key(|tensor| natural(&tensor.name));
        let mut lines: Vec<String> =
            tensors.iter().take(SHOWN).map(|tensor| format!("  {tensor}")).collect();
        if tensors.len() > SHOWN {
            lines.push(format!("  and {} more", tensors.len() - SHOWN));
        }
        lines.join("\n")
    }
}
