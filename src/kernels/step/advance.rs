//! The step counter and the mini-batches' cursor, moved on by many steps at once.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::numeric::{to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/step/advance.wgsl`.
pub const KERNEL: Kernel =
    kernel!("advance" in "step/advance", Parameters, [CURSOR], [Slot::STATUS]);

shader_struct! {
    /// What lies between two steps.
    pub Parameters {
        /// Steps, at most 65,535.
        steps: u32,
        /// Rows of the data.
        rows: u32,
        /// Rows of a batch.
        batch: u32,
    }
}

/// The dispatch.
///
/// # Errors
/// A size that a shader cannot count.
pub fn dispatch(steps: u32, rows: usize, batch: usize) -> Result<Dispatch> {
    let p = Parameters {
        steps,
        rows: to_u32("the rows", wide(rows))?,
        batch: to_u32("the rows of a batch", wide(batch))?,
    };
    Ok(Dispatch::new(&KERNEL, &p, 1).costing(4, 4, 0))
}

/// The same on the CPU: step, epoch and position after `steps` steps.
pub fn reference(steps: u32, rows: u32, batch: u32, [step, epoch, position]: [u32; 3]) -> [u32; 3] {
    let mut cursor = crate::training::Cursor { epoch, position };
    for _ in 0..steps {
        cursor.advance(batch, rows);
    }
    [step + steps, cursor.epoch, cursor.position]
}
