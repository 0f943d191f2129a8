//! Advances the step counter and the mini-batches' cursor by many steps at once.

use crate::error::Result;
use crate::kernels::step::Status;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::numeric::{to_u32, wide};
use crate::training::{Batch, Cursor};
use crate::wgsl::shader_struct;

/// `shaders/step/advance.wgsl`.
pub const KERNEL: Kernel =
    kernel!("advance" in "step/advance", Parameters, [CURSOR], [Slot::STATUS]);

shader_struct! {
    /// The sizes that the cursor depends on.
    pub Parameters {
        /// Steps, at most 59,999.
        steps: u32,
        /// Rows of the data.
        rows: u32,
        /// Rows of a batch.
        batch: u32,
        /// The number of steps in the loss history, a ring.
        history: u32,
    }
}

/// Describes an advance by some steps.
#[derive(Debug, Clone, Copy)]
pub struct Advance {
    /// Steps, at most 59,999.
    pub steps: u32,
    /// Rows of the data.
    pub rows: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// The number of steps in the loss history.
    pub history: usize,
}

impl Advance {
    fn parameters(&self) -> Result<Parameters> {
        Batch::Sequential { size: self.batch }.size(self.rows)?;
        Ok(Parameters {
            steps: self.steps,
            rows: to_u32("the rows", wide(self.rows))?,
            batch: to_u32("the rows of a batch", wide(self.batch))?,
            history: to_u32("the steps of the loss history", wide(self.history.max(1)))?,
        })
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// The rows of a batch are none or more than the data's, or a size does not fit in the shader's
    /// `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        Ok(Dispatch::new(&KERNEL, &self.parameters()?, 1, u64::from(self.steps) + 1)
            .costing(4, 4, 0))
    }

    /// The counters on the CPU after these steps.
    ///
    /// # Errors
    /// The rows of a batch are none or more than the data's, or a size does not fit in the shader's
    /// `u32`.
    pub fn reference(&self, now: Status) -> Result<Status> {
        let Parameters { steps, rows, batch, history } = self.parameters()?;
        let mut cursor = Cursor { epoch: now.epoch, position: now.position.min(rows) };
        for _ in 0..steps {
            cursor.advance(batch, rows);
        }
        let (step, carry) = now.step.overflowing_add(steps);
        let slot = u64::from(now.slot) + u64::from(steps);
        let step_high = now.step_high.wrapping_add(u32::from(carry));
        Ok(Status {
            step,
            updates: step,
            epoch: cursor.epoch,
            position: cursor.position,
            step_high,
            updates_high: step_high,
            slot: to_u32("the slot", slot % u64::from(history))?,
            run: now.run,
        })
    }
}
