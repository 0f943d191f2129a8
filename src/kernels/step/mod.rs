//! The kernels of a training step, except its matrix products.

pub mod activate;
pub mod advance;
pub mod clip;
pub mod count_rows;
pub mod curvature;
pub mod eikonal;
pub mod ema;
pub mod gather;
pub mod loss;
mod rates;
pub mod reduce;
mod status;
pub mod tangent;
pub mod update;

pub use rates::RateRange;
pub use status::Status;
