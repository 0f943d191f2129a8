//! How a network learns: loss, optimizer, schedule, batches, data, the trait of all trainers and
//! what they return. Pure data.

mod batch;
#[cfg(feature = "safetensors")]
mod checkpoint;
#[cfg(feature = "json")]
mod config;
mod custom;
mod data;
mod description;
mod domain;
mod health;
pub(crate) mod loss;
mod metrics;
pub(crate) mod optimizer;
mod rates;
mod schedule;
mod shard;
mod straight_through;
mod train;

pub use batch::Batch;
pub(crate) use batch::{Cursor, half_bits};
#[cfg(feature = "safetensors")]
pub use checkpoint::Checkpoint;
#[cfg(feature = "safetensors")]
pub(crate) use checkpoint::Progress;
#[cfg(feature = "json")]
pub use config::{Config, ConfigReader};
pub(crate) use custom::Widths;
pub use custom::{CustomLoss, CustomRow};
pub use data::{Data, DataShape, Dataset};
pub(crate) use data::{check_sets, check_shape_of};
pub use description::{Strategy, Training};
pub(crate) use domain::SUM_TOLERANCE;
pub use domain::{DataFaults, DataReport, Domain};
pub use health::{Health, LayerHealth};
pub use loss::{Argument, Loss, Mean, Targets};
pub use metrics::{Classes, Metrics};
pub(crate) use optimizer::Hyper;
pub use optimizer::{Adam, AdamW, Momentum, Nesterov, Optimizer, Sgd};
pub use rates::Part;
pub use schedule::Schedule;
pub use shard::Shard;
pub use straight_through::StraightThrough;
pub use train::{Gradients, Losses, Train, TrainAsync, TrainBase};
pub(crate) use train::{Sealed, all_diverged, check_ema, check_optimizer, check_same, train_async};
