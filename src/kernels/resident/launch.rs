//! How a resident training is launched: the size of the workgroup, the data that it keeps, and the
//! reduction of its sums.

use super::share::Share;
use super::{MAX_PARAMETERS, MAX_WIDTH, Shape, UNROLLED, operations};
use crate::error::{Error, Result};
use crate::kernels::{
    Capabilities, LONGEST_WALK, MAX_ITERATIONS, MAX_OPERATIONS, WALK, check_compiler, check_needs,
    check_positive,
};
use crate::numeric::{narrow, to_u32, wide};
use crate::training::{Batch, Widths};

/// How the sums of a workgroup's invocations are reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    /// The workgroup is one subgroup: subgroup operations alone.
    Subgroup,
    /// The workgroup has several subgroups of this many invocations.
    Subgroups(u32),
    /// Workgroup memory alone.
    Memory,
}

/// The launch configuration: the sizes that are written into the shader.
pub(super) struct LaunchConfig {
    pub width: u32,
    pub reduction: Reduction,
    pub share: Share,
    pub batch: usize,
    /// The iterations of the loops of one row's loss.
    pub of_loss: usize,
    /// Whether the code of a block's four rows is unrolled.
    pub unrolled: bool,
    /// Whether the rows of a step are sampled.
    pub samples: bool,
    /// The length of a feature's array in workgroup memory, in vectors of four rows; 0 where a step
    /// reads its rows from the buffers. One of few lengths, since it is written into the shader.
    pub held_rows: usize,
}

const fn quads(rows: usize) -> usize {
    rows.div_ceil(4)
}

/// The largest number of dispatches of one step.
const MAX_DISPATCHES: u64 = 1 << 12;

/// The length of an array that holds `needed` elements: the next power of two, or `most` where that
/// is less. 0 where `most` is less than `needed`.
fn class(needed: usize, most: usize) -> usize {
    if needed > most { 0 } else { needed.next_power_of_two().min(most) }
}

impl LaunchConfig {
    pub fn new(shape: Shape<'_>, capabilities: &Capabilities) -> Result<Self> {
        let Shape { mlp, rows, batch, .. } = shape;
        for (here, what) in [
            (!mlp.encoding.is_empty(), "an encoding"),
            (shape.averaged, "an average of the parameters"),
            (shape.clipped, "a clipped gradient"),
        ] {
            if here {
                let strategy = "the strategy of a training";
                let found = format!("resident, with {what}");
                return Err(Error::argument(strategy, found, "fused or layered"));
            }
        }
        mlp.check()?;
        for (what, found) in [("models", shape.models), ("rows", rows)] {
            check_positive(&format!("the number of {what}"), found)?;
        }
        check_needs(
            "resident",
            [
                ("the parameters of a model", wide(mlp.parameters()), wide(MAX_PARAMETERS)),
                ("the widest layer", wide(mlp.widest()), wide(MAX_WIDTH)),
                ("the rows of a data set", wide(rows), u32::MAX.into()),
            ],
        )?;
        check_compiler("resident", mlp, capabilities)?;
        let full = batch == Batch::Full;
        let batch = batch.size(rows)?;
        let limits = &capabilities.limits;
        let most = capabilities.max_workgroup();
        let wanted = u32::try_from(quads(batch).next_power_of_two()).unwrap_or(256).min(256);
        let lanes = capabilities.subgroup.filter(|size| (8..=64).contains(size));
        let lanes = lanes.filter(|size| size.is_power_of_two());
        let share = if capabilities.software {
            Share::alone(mlp)
        } else {
            Share::of(mlp, lanes.map(|size| size as usize))
        };
        let shared = wanted.saturating_mul(to_u32("the parts of a row", wide(share.parts))?);
        let mut width = shared.min(256).clamp(32, most.max(32));
        let reduction = match lanes {
            // On a CPU each further subgroup is a coroutine, and workgroup memory is slow.
            Some(size) if capabilities.software => {
                width = size;
                Reduction::Subgroup
            }
            Some(size) => {
                width = width.max(size);
                let one = width == size && share.parts == 1;
                if one { Reduction::Subgroup } else { Reduction::Subgroups(size) }
            }
            None => {
                if capabilities.software {
                    width = 8;
                }
                Reduction::Memory
            }
        };
        let of_loss = shape.loss.iterations_of_row(Widths::of(mlp)).min(narrow(MAX_ITERATIONS));
        let mut launch = Self {
            width,
            reduction,
            share,
            batch,
            of_loss,
            unrolled: mlp.parameters() <= UNROLLED,
            samples: !full,
            held_rows: 0,
        };
        let room = u64::from(limits.max_compute_workgroup_storage_size);
        // A smaller workgroup where the sums of all subgroups would not fit.
        while launch.shared() > room && launch.width > 32 {
            launch.width /= 2;
            if launch.reduction == Reduction::Subgroups(launch.width) && launch.share.parts == 1 {
                launch.reduction = Reduction::Subgroup;
            }
        }
        if full {
            let free = room.saturating_sub(launch.shared()) / 16;
            let most = narrow(free) / (mlp.inputs + mlp.outputs()).max(1);
            launch.held_rows = class(launch.blocks() * launch.quads(), most);
        }
        let cost = operations(mlp, launch.batch);
        let once = launch.iterations_once(mlp.inputs + mlp.outputs());
        let storage = limits.max_storage_buffers_per_shader_stage;
        check_needs(
            "resident",
            [
                ("the bytes of workgroup memory", launch.shared(), room),
                ("the invocations of a workgroup", u64::from(launch.width), u64::from(most)),
                ("the storage buffers of a kernel", 6, u64::from(storage)),
                (
                    "the iterations of a step",
                    launch.iterations().saturating_add(once),
                    MAX_ITERATIONS,
                ),
                ("the operations of a step", cost, MAX_OPERATIONS),
                (
                    "the operations of a step of all models",
                    cost.saturating_mul(wide(shape.models)),
                    MAX_DISPATCHES * MAX_OPERATIONS,
                ),
            ],
        )?;
        Ok(launch)
    }

    /// The number of sums that each invocation holds after the reduction.
    pub fn slots(&self) -> usize {
        self.share.values().div_ceil(self.width as usize)
    }

    /// The blocks of four rows that the workgroup computes at a time.
    pub const fn quads(&self) -> usize {
        self.width as usize / self.share.parts
    }

    /// Bytes of workgroup memory, without the rows.
    fn shared(&self) -> u64 {
        let (width, values) = (self.width as usize, self.share.values());
        let all = 4 * wide(self.slots() * width) + 8;
        16 + match self.reduction {
            Reduction::Subgroup => 0,
            Reduction::Subgroups(size) => {
                let size = size as usize;
                all + 4 * wide(width / size * values.next_multiple_of(size))
            }
            Reduction::Memory => 2 * all + 4 * wide((self.share.in_memory().max(8) + 1) * width),
        }
    }

    pub const fn blocks(&self) -> usize {
        quads(self.batch).div_ceil(self.quads())
    }

    /// The iterations of all loops in one step, with the final test of each.
    pub fn iterations(&self) -> u64 {
        // A block's own iteration, its four rows, their losses, and the walks of four sampled rows.
        let rows = if self.unrolled { 0 } else { 5 };
        let sampled = if self.samples { 4 * WALK } else { 0 };
        wide(self.blocks()) * (1 + rows + 4 * wide(self.of_loss) + sampled) + 2
    }

    /// The iterations of all loops of a dispatch outside of its steps, with the final test of each.
    pub fn iterations_once(&self, features: usize) -> u64 {
        // Loading and storing the parameters, and loading the rows that stay.
        let own = 2 * (wide(self.slots()) + 1);
        let rows =
            if self.held_rows > 0 { wide(features * self.blocks()) * (1 + 5) + 1 } else { 0 };
        own + rows + LONGEST_WALK + 1
    }
}
