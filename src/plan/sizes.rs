//! The sizes that determine every stage of a training's plan.

use super::builder::Builder;
use crate::error::{Error, Result};
use crate::kernels::step::RateRange;
use crate::kernels::step::gather::Gather;
use crate::kernels::step::update::Update;
use crate::kernels::{Capabilities, fused, resident};
use crate::network::Mlp;
use crate::training::{Batch, DataShape, Schedule, Strategy, Training, check_sets};

/// The largest size of the loss history, in bytes. It limits the number of steps.
const HISTORY_BYTES: usize = 16 << 20;

/// A training on data of a given shape, on a device.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    pub mlp: Mlp,
    pub training: Training,
    pub data: DataShape,
    pub capabilities: Capabilities,
    /// The factors of the learning rate.
    pub rates: Vec<RateRange>,
    /// Rows of a step.
    pub batch: usize,
    /// The number of steps whose losses the GPU keeps.
    pub history: usize,
}

impl Sizes {
    pub fn new(
        mlp: &Mlp,
        training: &Training,
        data: DataShape,
        capabilities: &Capabilities,
    ) -> Result<Self> {
        training.check(mlp)?;
        let DataShape { sets, rows } = data;
        check_sets(sets, training.models)?;
        if rows == 0 {
            return Err(Error::argument("the data's number of rows", 0, "1 or more"));
        }
        Ok(Self {
            mlp: mlp.clone(),
            training: training.clone(),
            data,
            capabilities: capabilities.clone(),
            rates: RateRange::all(mlp, &training.rates),
            batch: training.batch.size(data.rows)?,
            history: training.history.min((HISTORY_BYTES / 4 / training.models).max(1)),
        })
    }

    /// The requested strategy, or the one that is likely the fastest.
    pub fn strategy(&self) -> Strategy {
        match self.training.strategy {
            Strategy::Auto if resident::pays(self.resident(), &self.capabilities) => {
                Strategy::Resident
            }
            Strategy::Auto => self.single_step_strategy(self.fused()),
            asked => asked,
        }
    }

    /// The strategy of a step by itself, or of passes, which is not the resident kernel's: the
    /// requested one, or the one that is likely the faster. `fused` is what the fused kernel would do.
    pub fn single_step_strategy(&self, fused: fused::Shape<'_>) -> Strategy {
        match self.training.strategy {
            Strategy::Fused => Strategy::Fused,
            // On a CPU the layers' own products are faster than tiles in workgroup memory.
            Strategy::Auto
                if !self.capabilities.software
                    && fused::LaunchConfig::new(fused, &self.capabilities).is_ok() =>
            {
                Strategy::Fused
            }
            _ => Strategy::Layered,
        }
    }

    pub fn builder(&self) -> Builder<'_> {
        let Self { mlp, capabilities, training, data, batch, .. } = self;
        Builder::new(mlp, capabilities, training.models, data.sets, *batch)
    }

    /// Whether a step uses only some of the rows.
    pub fn is_mini_batch(&self) -> bool {
        self.training.batch != Batch::Full
    }

    /// Whether the learning rate follows a schedule.
    fn is_scheduled(&self) -> bool {
        self.training.schedule != Schedule::Constant
    }

    pub fn gather(&self) -> Gather {
        Gather {
            sets: self.data.sets,
            rows: self.data.rows,
            batch: self.batch,
            inputs: self.mlp.inputs,
            outputs: self.mlp.outputs(),
            seed: self.training.batch.seed(),
        }
    }

    pub fn update(&self) -> Update<'_> {
        Update {
            optimizer: self.training.optimizer,
            parameters: self.mlp.parameters(),
            models: self.training.models,
            rows: self.data.rows,
            batch: self.batch,
            tables: self.mlp.encoding_parameters(),
            history: self.history,
            scheduled: self.is_scheduled(),
            rates: &self.rates,
            padded: true,
        }
    }

    pub fn resident(&self) -> resident::Shape<'_> {
        resident::Shape {
            mlp: &self.mlp,
            loss: self.training.loss,
            optimizer: self.training.optimizer,
            models: self.training.models,
            sets: self.data.sets,
            rows: self.data.rows,
            batch: self.training.batch,
            history: self.history,
            scheduled: self.is_scheduled(),
            rates: &self.rates,
            clipped: self.training.clip_norm.is_some(),
            averaged: self.training.ema.is_some(),
        }
    }

    pub fn fused(&self) -> fused::Shape<'_> {
        fused::Shape {
            mlp: &self.mlp,
            loss: self.training.loss,
            models: self.training.models,
            sets: self.data.sets,
            own_targets: self.data.sets > 1,
            batch: self.batch,
            part: fused::Part::Step,
            input_gradient: false,
            slope: false,
        }
    }
}
