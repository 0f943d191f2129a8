//! What the benchmarks share: the workloads, the device's floor, networks in a fragment shader.

pub mod floor;
pub mod fragment;
pub mod inference;
#[path = "../../tests/common/random.rs"]
pub mod random;
#[path = "../../examples/common/submit.rs"]
pub mod submit;
pub mod workloads;

/// A result whose error is only ever printed.
pub type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The median of some values, NaN of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    let half = values.len() / 2;
    if values.len().is_multiple_of(2) {
        (at(half.wrapping_sub(1)) + at(half)) / 2.0
    } else {
        at(half)
    }
}
