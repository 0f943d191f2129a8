//! Advances the step counter and the mini-batches' cursor by many steps at once.

use crate::error::Result;
use crate::kernels::step::Status;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::numeric::{to_u32, wide};
use crate::training::Cursor;
use crate::wgsl::shader_struct;

/// `shaders/step/advance.wgsl`.
pub const KERNEL: Kernel =
    kernel!("advance" in "step/advance", Parameters, [CURSOR], [Slot::STATUS]);

shader_struct! {
    /// The sizes that the cursor depends on.
    pub Parameters {
        /// Steps, at most 65,535.
        steps: u32,
        /// Rows of the data.
        rows: u32,
        /// Rows of a batch.
        batch: u32,
    }
}

/// Describes an advance by some steps.
#[derive(Debug, Clone, Copy)]
pub struct Advance {
    /// Steps, at most 65,535.
    pub steps: u32,
    /// Rows of the data.
    pub rows: usize,
    /// Rows of a batch.
    pub batch: usize,
}

impl Advance {
    fn parameters(&self) -> Result<Parameters> {
        Ok(Parameters {
            steps: self.steps,
            rows: to_u32("the rows", wide(self.rows))?,
            batch: to_u32("the rows of a batch", wide(self.batch))?,
        })
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        Ok(Dispatch::new(&KERNEL, &self.parameters()?, 1).costing(4, 4, 0))
    }

    /// The counters on the CPU after these steps.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn reference(&self, now: Status) -> Result<Status> {
        let Parameters { steps, rows, batch } = self.parameters()?;
        let mut cursor = Cursor { epoch: now.epoch, position: now.position };
        for _ in 0..steps {
            cursor.advance(batch, rows);
        }
        let step = now.step + steps;
        Ok(Status { step, updates: step, epoch: cursor.epoch, position: cursor.position })
    }
}
