//! What the benchmarks share: the workloads, the device's floor, networks in a fragment shader.

pub mod floor;
pub mod fragment;
#[path = "../../tests/common/random.rs"]
pub mod random;
#[path = "../../examples/common/submit.rs"]
pub mod submit;
pub mod workloads;

/// A result whose error is only ever printed.
pub type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;
