//! Numbers: f32 and f64 under one trait, casts that may lose something, checks of slices, the CPU's
//! matrix product, and the seeded generator.

mod cast;
mod check;
mod product;
mod random;
mod real;
pub(crate) mod tile;
pub(crate) mod vector;

pub(crate) use cast::*;
pub(crate) use check::{check_finite, check_shape, with_room};
pub(crate) use product::{Matrix, product};
pub(crate) use random::Random;
pub use real::Real;
