//! Parameters as safetensors files (feature `safetensors`).

use crate::error::{Error, Result};
use crate::network::parameters::check_models;
use crate::network::{Encoding, Mlp, Parameters};
use crate::numeric::{Real, with_room};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

/// What the names of tensors begin with that are a training's, not a network's.
pub(crate) const PREFIX: &str = "training.";

/// The version of the format, which newer readers will count up.
const VERSION: u32 = 1;

/// A tensor of a file.
pub(crate) struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// The bytes of a file of these tensors.
pub(crate) fn serialize(tensors: &[Tensor], metadata: HashMap<String, String>) -> Result<Vec<u8>> {
    let views = tensors.iter().map(|Tensor { name, dtype, shape, bytes }| {
        let view = TensorView::new(*dtype, shape.clone(), bytes)
            .map_err(|error| Error::file_because(name, error.to_string(), error))?;
        Ok((name, view))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    safetensors::serialize(views, Some(metadata.into_iter().collect()))
        .map_err(|error| Error::file_because("file", error.to_string(), error))
}

/// The file of these bytes.
pub(crate) fn parse(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes).map_err(|error| {
        let problem = format!("not a whole safetensors file: {error}");
        Error::file_because("file", problem, error)
    })
}

/// The metadata of a file, whose format is not newer than this crate.
pub(crate) fn read_metadata(bytes: &[u8]) -> Result<HashMap<String, String>> {
    let metadata = SafeTensors::read_metadata(bytes).ok();
    let metadata = metadata.and_then(|(_, header)| header.metadata().clone()).unwrap_or_default();
    let metadata: HashMap<_, _> = metadata.into_iter().collect();
    let version = metadata.get("wgrad").map(|version| version.parse::<u32>());
    match version {
        None | Some(Ok(0..=VERSION)) => Ok(metadata),
        Some(Ok(newer)) => {
            let problem = format!("of the format {newer}; this version reads {VERSION} and older");
            Err(Error::file("file", problem))
        }
        Some(Err(error)) => {
            Err(Error::file_because("file", format!("of no known format: {error}"), error))
        }
    }
}

/// What the metadata say of a network: the format's version, the network, and the box of each grid.
pub(crate) fn metadata(mlp: &Mlp) -> Result<HashMap<String, String>> {
    let network = serde_json::to_string(mlp)
        .map_err(|error| Error::file_because("network", error.to_string(), error))?;
    let own = [("wgrad".into(), VERSION.to_string()), ("network".into(), network)];
    Ok(boxes_of(mlp).into_iter().chain(own).collect())
}

/// The network that the metadata describe.
pub(crate) fn network_of(metadata: &HashMap<String, String>) -> Result<Mlp> {
    let Some(network) = metadata.get("network") else {
        let problem = "does not describe its network; load it into a network of your own";
        return Err(Error::file("file", problem));
    };
    let mlp: Mlp = serde_json::from_str(network)
        .map_err(|error| Error::file_because("network", error.to_string(), error))?;
    mlp.check()?;
    Ok(mlp)
}

/// An error that names the path.
fn of_path(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::file_because(path.display().to_string(), error.to_string(), error)
}

/// Writes a file as a whole: beside its place, then into it. Where that fails, what was there stays.
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

/// The safetensors type of `T`.
const fn dtype<T: Real>() -> Dtype {
    if size_of::<T>() == 4 { Dtype::F32 } else { Dtype::F64 }
}

impl<T: Real> Parameters<T> {
    /// The bytes of a safetensors file. Its tensors are `layers.0.weight`, `layers.0.bias`, …, and
    /// `encoding.0.tables` `[entries, features]` for a grid among the encodings. A population of
    /// more than one model has the models as leading axis. The metadata hold the network's
    /// description as JSON, `network`, and each grid's box, `encoding.0.box`.
    ///
    /// # Errors
    /// [`Error::File`] where the safetensors library refuses the tensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        serialize(&self.to_tensors(), metadata(self.mlp())?)
    }

    /// The tensors of the file.
    pub(crate) fn to_tensors(&self) -> Vec<Tensor> {
        let p = self.mlp().parameters();
        let tensor = |(name, part, shape): (String, Range<usize>, Vec<usize>)| {
            let of_models = (0..self.models())
                .flat_map(|m| &self.values()[m * p + part.start..m * p + part.end]);
            let bytes = of_models.flat_map(|v| bytemuck::bytes_of(v).iter().copied()).collect();
            Tensor { name, dtype: dtype::<T>(), shape: self.shape(&shape), bytes }
        };
        tensors_of(self.mlp()).into_iter().map(tensor).collect()
    }

    /// Reads the bytes of a file as the parameters of `models` models of `mlp`. Either precision
    /// reads f32 and f64 files.
    ///
    /// # Errors
    /// [`Error::File`] names the tensor. It is missing, is not part of the network, has another
    /// shape or type, or contains a value that is not finite. A truncated file is an error too, and
    /// so is a grid whose box in the file is another than the network's.
    pub fn from_safetensors(bytes: &[u8], mlp: &Mlp, models: usize) -> Result<Self> {
        mlp.check()?;
        check_models(mlp, models)?;
        let file = parse(bytes)?;
        let metadata = read_metadata(bytes)?;
        for (name, own) in boxes_of(mlp) {
            if let Some(found) = metadata.get(&name).filter(|found| **found != own) {
                return Err(Error::file(name, format!("is {found}, but the network's is {own}")));
            }
        }
        // A layer has one tensor or two. A file of fewer is told before the network's are listed.
        let biases = mlp.layers.iter().filter(|layer| layer.bias).count();
        if file.len() < mlp.layers.len() + biases {
            let missing = |name: &String| file.tensor(name).is_err();
            let parts = |bias| if bias { &["weight", "bias"][..] } else { &["weight"] };
            let names = mlp.layers.iter().enumerate().flat_map(|(l, layer)| {
                parts(layer.bias).iter().map(move |part| format!("layers.{l}.{part}"))
            });
            let name = names.into_iter().find(missing).unwrap_or_else(|| "file".into());
            return Err(Error::file(name, "missing from the file"));
        }
        // All shapes first: what is allocated then has the size of the file's own data.
        let mut tensors = Vec::new();
        for (name, part, shape) in tensors_of(mlp) {
            let shape = if models == 1 { shape } else { [vec![models], shape].concat() };
            tensors.push((find_tensor(&file, &name, &shape)?, name, part));
        }
        let expected: HashSet<&str> = tensors.iter().map(|(_, name, _)| name.as_str()).collect();
        let foreign = |name: &&str| !expected.contains(name) && !name.starts_with(PREFIX);
        if let Some(name) = file.names().into_iter().find(foreign) {
            return Err(Error::file(name, format!("not a tensor of the network {mlp}")));
        }
        let p = mlp.parameters();
        let mut values = with_room("the parameters", models * p)?;
        values.resize(models * p, T::ZERO);
        for (tensor, name, part) in tensors {
            let of_models = values.chunks_mut(p).flat_map(|model| &mut model[part.clone()]);
            read_tensor(&tensor, &name, of_models)?;
        }
        Self::new(mlp.clone(), models, values)
    }

    /// Writes the file that [`Parameters::to_safetensors`] describes. Where it cannot be written, a
    /// file of that name stays as it was.
    ///
    /// # Errors
    /// [`Error::File`] with the path where it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), &self.to_safetensors()?)
    }

    /// Reads a file as [`Parameters::from_safetensors`] does.
    ///
    /// # Errors
    /// The errors of [`Parameters::from_safetensors`], and [`Error::File`] with the path where the
    /// file cannot be read.
    pub fn load(path: impl AsRef<Path>, mlp: &Mlp, models: usize) -> Result<Self> {
        Self::from_safetensors(&read(path.as_ref())?, mlp, models)
    }

    /// Reads a file that describes its network, as [`Parameters::save`] and
    /// [`Checkpoint::save`](crate::Checkpoint::save) write it.
    ///
    /// # Errors
    /// Those of [`Parameters::load`]; the file does not describe its network, or the network has an
    /// activation of an application's own that has not been defined.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let bytes = read(path.as_ref())?;
        let mlp = network_of(&read_metadata(&bytes)?)?;
        let weight = parse(&bytes)?.tensor("layers.0.weight").map(|tensor| tensor.shape().to_vec());
        // A population of more than one model has the models as leading axis.
        let models = match weight.as_deref() {
            Ok([models, _, _]) => *models,
            _ => 1,
        };
        Self::from_safetensors(&bytes, &mlp, models)
    }

    /// A tensor's shape in the file, with the models as leading axis if there are several.
    fn shape(&self, shape: &[usize]) -> Vec<usize> {
        if self.models() == 1 { shape.to_vec() } else { [&[self.models()], shape].concat() }
    }
}

/// The box of each grid: a name for the metadata, and its corners.
fn boxes_of(mlp: &Mlp) -> Vec<(String, String)> {
    let ranges = crate::network::encoding::encoding_ranges(mlp).into_iter().enumerate();
    let grids = ranges.filter_map(|(index, place)| match place.encoding {
        Encoding::Grid(grid) => {
            let [lower, upper] =
                [grid.lower, grid.upper].map(|corner| corner[..place.inputs.len()].to_vec());
            Some((format!("encoding.{index}.box"), format!("{lower:?} to {upper:?}")))
        }
        _ => None,
    });
    grids.collect()
}

/// The tensors of one model: name, range of elements, shape.
fn tensors_of(mlp: &Mlp) -> Vec<(String, Range<usize>, Vec<usize>)> {
    let mut tensors = Vec::new();
    for (index, place) in crate::network::encoding::encoding_ranges(mlp).into_iter().enumerate() {
        if let Encoding::Grid(grid) = place.encoding {
            let features = grid.features_per_level as usize;
            let shape = vec![place.tables.len() / features, features];
            tensors.push((format!("encoding.{index}.tables"), place.tables, shape));
        }
    }
    for (index, range) in mlp.ranges().into_iter().enumerate() {
        let units = vec![range.shape[0]];
        tensors.push((format!("layers.{index}.weight"), range.weight, range.shape.to_vec()));
        if !range.bias.is_empty() {
            tensors.push((format!("layers.{index}.bias"), range.bias, units));
        }
    }
    tensors
}

/// The tensor `name` of the file, checked to be numbers in `shape`.
fn find_tensor<'a>(file: &SafeTensors<'a>, name: &str, shape: &[usize]) -> Result<TensorView<'a>> {
    let tensor = file.tensor(name).map_err(|_| Error::file(name, "missing from the file"))?;
    if tensor.shape() != shape {
        let problem = format!("has the shape {:?}, not {shape:?}", tensor.shape());
        return Err(Error::file(name, problem));
    }
    match tensor.dtype() {
        Dtype::F32 | Dtype::F64 => Ok(tensor),
        other => Err(Error::file(name, format!("is of type {other:?}; F32 and F64 are read"))),
    }
}

/// Reads a tensor's elements, converted to `T`, into `to`.
fn read_tensor<'a, T: Real>(
    tensor: &TensorView<'_>,
    name: &str,
    to: impl Iterator<Item = &'a mut T>,
) -> Result<()> {
    let size = if tensor.dtype() == Dtype::F32 { 4 } else { 8 };
    for (index, (to, bytes)) in to.zip(tensor.data().chunks_exact(size)).enumerate() {
        // Elements of a file may be unaligned.
        *to = T::of(match size {
            4 => f64::from(bytemuck::pod_read_unaligned::<f32>(bytes)),
            _ => bytemuck::pod_read_unaligned(bytes),
        });
        if !to.is_finite() {
            let value = to.to_f64();
            let problem =
                format!("holds {value} at element {index}; only finite numbers are allowed");
            return Err(Error::file(name, problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::encoding::{Grid, Identity};
    use crate::network::{Activation, Init};

    fn mlp() -> Mlp {
        Mlp::new(3).layer(4, Activation::Tanh).layer(2, Activation::Identity)
    }

    #[test]
    fn files_give_back_the_same_bits() {
        for models in [1, 3] {
            let parameters = Init::Auto.sample(&mlp(), models, 1).unwrap();
            let bytes = parameters.to_safetensors().unwrap();
            assert_eq!(
                Parameters::from_safetensors(&bytes, &mlp(), models),
                Ok(parameters.clone())
            );
            let wide = parameters.cast::<f64>().unwrap();
            let bytes = wide.to_safetensors().unwrap();
            assert_eq!(Parameters::from_safetensors(&bytes, &mlp(), models), Ok(parameters));
        }
        let bytes = Init::Auto.sample(&mlp(), 3, 1).unwrap().to_safetensors().unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.names().len(), 4);
        assert_eq!(file.tensor("layers.0.weight").unwrap().shape(), [3, 4, 3]);
        assert_eq!(file.tensor("layers.1.bias").unwrap().shape(), [3, 2]);
    }

    #[test]
    fn tables_are_a_tensor_of_their_own() {
        let grid =
            Grid { levels: 2, log2_hashmap_size: 5, features_per_level: 4, ..Grid::default() };
        let mlp = Mlp::new(3)
            .encode(1, Identity::default())
            .encode(2, grid)
            .layer(2, Activation::Identity);
        for models in [1, 2] {
            let parameters = Init::Auto.sample(&mlp, models, 1).unwrap();
            let bytes = parameters.to_safetensors().unwrap();
            assert_eq!(Parameters::from_safetensors(&bytes, &mlp, models), Ok(parameters.clone()));
            let file = SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(file.names().len(), 3);
            let tables = file.tensor("encoding.1.tables").unwrap();
            let shape = [models, 64, 4];
            assert_eq!(tables.shape(), if models == 1 { &shape[1..] } else { &shape });
            let first: Vec<f32> =
                tables.data().chunks(4).map(bytemuck::pod_read_unaligned).collect();
            assert_eq!(first[..256], parameters.values()[..256]);
            assert!(first.iter().all(|v| v.abs() <= 1e-4));
            // Another grid with as many entries has another shape.
            let other = Grid { features_per_level: 2, log2_hashmap_size: 6, ..grid };
            let other = Mlp::new(3)
                .encode(1, Identity::default())
                .encode(2, other)
                .layer(2, Activation::Identity);
            let error = Parameters::<f32>::from_safetensors(&bytes, &other, models).unwrap_err();
            assert!(error.to_string().starts_with("encoding.1.tables: has the shape"), "{error}");
            // The same tables over another box are another network.
            let boxed = Grid { upper: [1.0, 2.0, 9.0], ..grid };
            let boxed = Mlp::new(3)
                .encode(1, Identity::default())
                .encode(2, boxed)
                .layer(2, Activation::Identity);
            let error = Parameters::<f32>::from_safetensors(&bytes, &boxed, models).unwrap_err();
            let words = "encoding.1.box: is [0.0, 0.0] to [1.0, 1.0], but the network's is [0.0, 0.0] to [1.0, 2.0]";
            assert_eq!(error.to_string(), words);
        }
    }

    /// Nothing is allocated for a network that the file does not hold.
    #[test]
    fn a_small_file_of_a_huge_network_is_refused_by_its_tensors() {
        let bytes = Init::Auto.sample(&mlp(), 1, 1).unwrap().to_safetensors().unwrap();
        let huge = Mlp::new(60_000).layer(60_000, Activation::Tanh);
        let two = huge.clone().layer(9, Activation::Tanh);
        let deep = (0..1 << 20).fold(Mlp::new(1), |mlp, _| mlp.layer(1, Activation::Tanh));
        for (mlp, models) in [(huge, 1), (two, 1), (deep, 1), (mlp(), 100_000_000)] {
            let error = Parameters::<f64>::from_safetensors(&bytes, &mlp, models).unwrap_err();
            assert!(matches!(error, Error::File { .. }), "{error}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let bytes = Init::Auto.sample(&mlp(), 1, 1).unwrap().to_safetensors().unwrap();
        for end in 0..bytes.len() {
            let error = Parameters::<f32>::from_safetensors(&bytes[..end], &mlp(), 1);
            assert!(matches!(error, Err(Error::File { .. })), "cut at {end}: {error:?}");
        }
    }

    #[test]
    fn wrong_files_are_refused_by_the_tensors_name() {
        let f32s = |n: usize| vec![0_u8; 4 * n];
        let nan: Vec<u8> = [0.0, f32::NAN].iter().flat_map(|v| v.to_le_bytes()).collect();
        type Tensors = Vec<(&'static str, Dtype, Vec<usize>, Vec<u8>)>;
        let file = |change: &dyn Fn(&mut Tensors)| {
            let mut tensors = vec![
                ("layers.0.weight", Dtype::F32, vec![4, 3], f32s(12)),
                ("layers.0.bias", Dtype::F32, vec![4], f32s(4)),
                ("layers.1.weight", Dtype::F32, vec![2, 4], f32s(8)),
                ("layers.1.bias", Dtype::F32, vec![2], f32s(2)),
            ];
            change(&mut tensors);
            let views =
                tensors.iter().map(|(n, d, s, b)| (*n, TensorView::new(*d, s.clone(), b).unwrap()));
            let bytes = safetensors::serialize(views, None).unwrap();
            Parameters::<f32>::from_safetensors(&bytes, &mlp(), 1)
        };
        assert!(file(&|_| ()).is_ok());
        let message = |result: Result<Parameters>| result.unwrap_err().to_string();
        assert_eq!(
            message(file(&|t| {
                t.remove(1);
            })),
            "layers.0.bias: missing from the file"
        );
        assert_eq!(
            message(file(&|t| t[2].2 = vec![4, 2])),
            "layers.1.weight: has the shape [4, 2], not [2, 4]"
        );
        assert!(
            message(file(&|t| t[3].3.clone_from(&nan)))
                .starts_with("layers.1.bias: holds NaN at element 1")
        );
        assert!(
            message(file(&|t| t[1].1 = Dtype::I32)).starts_with("layers.0.bias: is of type I32")
        );
        assert!(
            message(file(&|t| t.push(("layers.2.weight", Dtype::F32, vec![1], f32s(1)))))
                .starts_with("layers.2.weight: not a tensor of")
        );
    }
}
