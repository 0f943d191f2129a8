//! The constants of an ONNX file.

use super::proto::{Tensor, data_type};

/// A constant array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Array {
    /// The elements of a tensor; what is wrong with it otherwise.
    pub fn of(tensor: &Tensor) -> Result<Self, String> {
        if tensor.data_location != 0 {
            return Err("lies in another file: save the model with its weights inside".into());
        }
        let shape: Option<Vec<usize>> =
            tensor.dims.iter().map(|side| usize::try_from(*side).ok()).collect();
        let shape = shape.ok_or_else(|| format!("has the shape {:?}", tensor.dims))?;
        let raw = &tensor.raw_data;
        let values: Vec<f64> = match tensor.data_type {
            data_type::FLOAT if raw.is_empty() => {
                tensor.float_data.iter().copied().map(f64::from).collect()
            }
            data_type::DOUBLE if raw.is_empty() => tensor.double_data.clone(),
            data_type::INT64 if raw.is_empty() => {
                tensor.int64_data.iter().map(|value| *value as f64).collect()
            }
            // Halves lie in the low bits of whole numbers.
            data_type::FLOAT16 if raw.is_empty() => {
                let half = |bits: &i32| half::f16::from_bits(*bits as u16).to_f64();
                tensor.int32_data.iter().map(half).collect()
            }
            data_type::BFLOAT16 if raw.is_empty() => {
                let half = |bits: &i32| half::bf16::from_bits(*bits as u16).to_f64();
                tensor.int32_data.iter().map(half).collect()
            }
            data_type::FLOAT => raw_values(raw, |bytes| f64::from(f32::from_le_bytes(bytes)))?,
            data_type::DOUBLE => raw_values(raw, f64::from_le_bytes)?,
            data_type::INT64 => raw_values(raw, |bytes| i64::from_le_bytes(bytes) as f64)?,
            data_type::FLOAT16 => raw_values(raw, |b| half::f16::from_le_bytes(b).to_f64())?,
            data_type::BFLOAT16 => raw_values(raw, |b| half::bf16::from_le_bytes(b).to_f64())?,
            other => {
                return Err(format!("is of ONNX's type {other}; floating-point numbers are read"));
            }
        };
        let needed = shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side));
        if needed != Some(values.len()) {
            return Err(format!("has {} elements, which is not the shape {shape:?}", values.len()));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(format!(
                "holds {} at element {at}; only finite numbers are allowed",
                values[at]
            ));
        }
        Ok(Self { shape, values })
    }

    /// The only element of an array of one.
    pub fn number(&self) -> Option<f64> {
        if let [number] = self.values[..] { Some(number) } else { None }
    }

    /// A matrix with its axes exchanged.
    pub fn transposed(&self) -> Option<Self> {
        let [rows, columns] = self.shape[..] else { return None };
        let values = (0..rows * columns).map(|i| self.values[i % rows * columns + i / rows]);
        Some(Self { shape: vec![columns, rows], values: values.collect() })
    }
}

fn raw_values<const N: usize>(
    raw: &[u8],
    value: impl Fn([u8; N]) -> f64,
) -> Result<Vec<f64>, String> {
    let (whole, rest) = raw.as_chunks::<N>();
    if rest.is_empty() {
        return Ok(whole.iter().map(|bytes| value(*bytes)).collect());
    }
    Err(format!("has {} bytes, which are no whole elements of {N}", raw.len()))
}
