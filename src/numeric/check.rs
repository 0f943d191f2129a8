//! Checks of slices that every room makes.

use crate::error::{Error, Result};
use crate::numeric::Real;

/// Checks that a slice has exactly the elements of `shape`.
pub(crate) fn check_shape(what: &str, found: usize, shape: &[usize]) -> Result<()> {
    let expected = shape.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
    if expected == Some(found) {
        return Ok(());
    }
    Err(Error::Shape { what: what.into(), found, shape: shape.to_vec() })
}

/// An empty vector with room for exactly `elements`.
pub(crate) fn with_room<T>(what: &str, elements: usize) -> Result<Vec<T>> {
    let mut values = Vec::new();
    let bytes = crate::numeric::wide(elements).saturating_mul(crate::numeric::wide(size_of::<T>()));
    let refused = |_| Error::OutOfMemory(format!("{what}: {bytes} bytes"));
    values.try_reserve_exact(elements).map_err(refused)?;
    Ok(values)
}

/// Checks that every value is finite.
pub(crate) fn check_finite<T: Real>(what: &str, values: &[T]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => {
            Err(Error::NotFinite { what: what.into(), index, value: values[index].to_f64() })
        }
    }
}
