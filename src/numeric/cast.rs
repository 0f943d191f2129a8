//! All numeric casts that may lose something, in one place.

use crate::error::{Error, Result};

/// `value` as the `u32` in which shaders count.
pub(crate) fn to_u32(what: &str, value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::argument(what, value, format!("at most {}", u32::MAX)))
}

/// A count as `u64`; `usize` is never wider here.
pub(crate) const fn wide(value: usize) -> u64 {
    value as u64
}

/// A size in memory as `usize`, saturating where the machine's pointers are narrower.
pub(crate) fn narrow(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// The nearest `f32`.
pub(crate) const fn to_f32(value: f64) -> f32 {
    value as f32
}

/// A count as a number to divide by; exact below 2⁵³.
pub(crate) const fn count(value: usize) -> f64 {
    value as f64
}

/// A number of steps in a formula; exact below 2⁵³.
pub(crate) const fn steps(count: u64) -> f64 {
    count as f64
}

/// A time in nanoseconds.
pub(crate) const fn nanoseconds(time: std::time::Duration) -> f64 {
    time.as_nanos() as f64
}

/// Nanoseconds, 0 or more, as a time.
pub(crate) const fn duration(nanoseconds: f64) -> std::time::Duration {
    std::time::Duration::from_nanos(nanoseconds as u64)
}

/// Ticks of a GPU's clock; exact below 2⁵³.
pub(crate) const fn ticks(count: u64) -> f64 {
    count as f64
}

/// The whole part, saturating.
pub(crate) const fn whole(value: f64) -> u32 {
    value as u32
}
