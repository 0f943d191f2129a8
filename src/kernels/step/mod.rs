//! The kernels of a training step, except its matrix products.

pub mod advance;
pub mod ema;
pub mod gather;
pub mod loss;
pub mod reduce;
mod status;
pub mod update;

pub use status::Status;
