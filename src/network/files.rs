//! Parameters as safetensors files (feature `safetensors`).

use crate::error::{Error, Result};
use crate::network::parameters::check_models;
use crate::network::{Encoding, Mlp, Parameters};
use crate::numeric::Real;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::ops::Range;
use std::path::Path;

/// The safetensors type of `T`.
const fn dtype<T: Real>() -> Dtype {
    if size_of::<T>() == 4 { Dtype::F32 } else { Dtype::F64 }
}

impl<T: Real> Parameters<T> {
    /// The bytes of a safetensors file. Its tensors are `layers.0.weight`, `layers.0.bias`, …, and
    /// `encoding.0.tables` `[entries, features]` for a grid among the encodings. A population of
    /// more than one model has the models as leading axis.
    ///
    /// # Errors
    /// [`Error::File`] where the safetensors library refuses the tensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let p = self.mlp().parameters();
        let mut tensors = Vec::new();
        for (name, part, shape) in tensors_of(self.mlp()) {
            let bytes: Vec<u8> = (0..self.models())
                .flat_map(|m| &self.values()[m * p + part.start..m * p + part.end])
                .flat_map(|v| bytemuck::bytes_of(v).iter().copied())
                .collect();
            tensors.push((name, self.shape(&shape), bytes));
        }
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                let view = TensorView::new(dtype::<T>(), shape.clone(), bytes)
                    .map_err(|error| Error::file_because(name, error.to_string(), error))?;
                Ok((name.as_str(), view))
            })
            .collect::<Result<Vec<_>>>()?;
        safetensors::serialize(views, None)
            .map_err(|error| Error::file_because("file", error.to_string(), error))
    }

    /// Reads the bytes of a file as the parameters of `models` models of `mlp`. Either precision
    /// reads f32 and f64 files.
    ///
    /// # Errors
    /// [`Error::File`] names the tensor. It is missing, is not part of the network, has another
    /// shape or type, or contains a value that is not finite. A truncated file is an error too.
    pub fn from_safetensors(bytes: &[u8], mlp: &Mlp, models: usize) -> Result<Self> {
        mlp.check()?;
        check_models(mlp, models)?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| {
            let problem = format!("not a whole safetensors file: {error}");
            Error::file_because("file", problem, error)
        })?;
        let p = mlp.parameters();
        let mut values = vec![T::ZERO; models * p];
        let mut expected = Vec::new();
        for (name, part, shape) in tensors_of(mlp) {
            let shape = if models == 1 { shape } else { [vec![models], shape].concat() };
            let read = read_tensor::<T>(&file, &name, &shape)?;
            for (m, chunk) in read.chunks(part.len()).enumerate() {
                values[m * p + part.start..m * p + part.end].copy_from_slice(chunk);
            }
            expected.push(name);
        }
        if let Some(name) =
            file.names().into_iter().find(|name| !expected.iter().any(|e| e == name))
        {
            return Err(Error::file(name, format!("not a tensor of the network {mlp}")));
        }
        Self::new(mlp.clone(), models, values)
    }

    /// Writes the file that [`Parameters::to_safetensors`] describes.
    ///
    /// # Errors
    /// [`Error::File`] with the path where it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        std::fs::write(path, self.to_safetensors()?).map_err(|error| {
            Error::file_because(path.display().to_string(), error.to_string(), error)
        })
    }

    /// Reads a file as [`Parameters::from_safetensors`] does.
    ///
    /// # Errors
    /// The errors of [`Parameters::from_safetensors`], and [`Error::File`] with the path where the
    /// file cannot be read.
    pub fn load(path: impl AsRef<Path>, mlp: &Mlp, models: usize) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| {
            Error::file_because(path.display().to_string(), error.to_string(), error)
        })?;
        Self::from_safetensors(&bytes, mlp, models)
    }

    /// A tensor's shape in the file, with the models as leading axis if there are several.
    fn shape(&self, shape: &[usize]) -> Vec<usize> {
        if self.models() == 1 { shape.to_vec() } else { [&[self.models()], shape].concat() }
    }
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
        tensors.push((format!("layers.{index}.bias"), range.bias, units));
    }
    tensors
}

/// Reads a tensor's elements, converted to `T`.
fn read_tensor<T: Real>(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<T>> {
    let tensor = file.tensor(name).map_err(|_| Error::file(name, "missing from the file"))?;
    if tensor.shape() != shape {
        let problem = format!("has the shape {:?}, not {shape:?}", tensor.shape());
        return Err(Error::file(name, problem));
    }
    // Elements of a file may be unaligned.
    let values: Vec<f64> = match tensor.dtype() {
        Dtype::F32 => tensor
            .data()
            .chunks_exact(4)
            .map(|b| f64::from(bytemuck::pod_read_unaligned::<f32>(b)))
            .collect(),
        Dtype::F64 => tensor.data().chunks_exact(8).map(bytemuck::pod_read_unaligned).collect(),
        other => {
            return Err(Error::file(name, format!("is of type {other:?}; F32 and F64 are read")));
        }
    };
    let values: Vec<T> = values.into_iter().map(T::of).collect();
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values),
        Some(index) => Err(Error::file(
            name,
            format!(
                "holds {} at element {index}; only finite numbers are allowed",
                values[index].to_f64()
            ),
        )),
    }
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
