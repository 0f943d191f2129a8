//! What a user holds: a trainer that records steps, a model, an inference, a frame budget, a snapshot.

#[cfg(not(target_family = "wasm"))]
mod blocking;
mod budget;
#[cfg(feature = "safetensors")]
mod checkpoint;
pub(crate) mod clock;
mod data;
mod evaluation;
mod health;
mod inference;
mod log;
mod model;
mod passes;
mod predictor;
mod profile;
mod rows;
mod snapshot;
mod train_async;
mod trainer;
mod waiting;

pub use budget::{FrameBudget, FrameReport};
pub use data::DataBuffers;
pub use evaluation::Evaluation;
pub use inference::{Inference, Output};
pub use model::Model;
pub use passes::{PassBuffers, Passes};
pub use rows::Rows;
pub use snapshot::Snapshot;
pub use trainer::Trainer;
pub use waiting::WarmUp;
