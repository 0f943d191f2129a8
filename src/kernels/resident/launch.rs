//! How a resident training is launched: the size of the workgroup, the data that it keeps, and the
//! reduction of its sums.

use super::{MAX_PARAMETERS, MAX_WIDTH, Shape, UNROLLED};
use crate::error::{Error, Result};
use crate::kernels::{Capabilities, MAX_ITERATIONS, check_needs};
use crate::numeric::wide;
use crate::training::Batch;

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
    pub batch: usize,
    /// The number of outputs that a loss loops over; 0 where they do not depend on each other.
    pub coupled: usize,
    /// Whether the code of a block's four rows is unrolled.
    pub unrolled: bool,
    /// Whether the rows of a step are sampled.
    pub samples: bool,
    /// Whether a full batch stays in workgroup memory.
    pub holds: bool,
}

const fn quads(rows: usize) -> usize {
    rows.div_ceil(4)
}

impl LaunchConfig {
    pub fn new(shape: Shape<'_>, capabilities: &Capabilities) -> Result<Self> {
        let Shape { mlp, rows, batch, .. } = shape;
        for (here, what) in [
            (!mlp.encoding.is_empty(), "an encoding"),
            (shape.averaged, "an average of the parameters"),
        ] {
            if here {
                let strategy = "the strategy of a training";
                let found = format!("resident, with {what}");
                return Err(Error::argument(strategy, found, "fused or layered"));
            }
        }
        let full = batch == Batch::Full;
        let batch = batch.size(rows)?;
        let limits = &capabilities.limits;
        let most = capabilities.max_workgroup();
        let wanted = u32::try_from(quads(batch).next_power_of_two()).unwrap_or(256).min(256);
        let mut width = wanted.clamp(32, most.max(32));
        let reduction = match capabilities.subgroup {
            // On a CPU each further subgroup is a coroutine, and workgroup memory is slow.
            Some(size @ 8..=64) if capabilities.software && size.is_power_of_two() => {
                width = size;
                Reduction::Subgroup
            }
            Some(size @ 4..=64) if !capabilities.software && size.is_power_of_two() => {
                width = width.max(size);
                if width == size { Reduction::Subgroup } else { Reduction::Subgroups(size) }
            }
            _ => {
                if capabilities.software {
                    width = 8;
                }
                Reduction::Memory
            }
        };
        let coupled = if shape.loss.couples_outputs() { mlp.outputs() } else { 0 };
        let mut launch = Self {
            width,
            reduction,
            batch,
            coupled,
            unrolled: mlp.parameters() <= UNROLLED,
            samples: !full,
            holds: false,
        };
        let values = mlp.parameters() + 1;
        let room = u64::from(limits.max_compute_workgroup_storage_size);
        // A smaller workgroup where the sums of all subgroups would not fit.
        while launch.shared(values) > room && launch.width > 32 {
            launch.width /= 2;
            if launch.reduction == Reduction::Subgroups(launch.width) {
                launch.reduction = Reduction::Subgroup;
            }
        }
        let held = 16 * wide((mlp.inputs + mlp.outputs()) * launch.held_rows());
        launch.holds = full && launch.shared(values) + held <= room;
        let storage = limits.max_storage_buffers_per_shader_stage;
        check_needs(
            "resident",
            [
                ("the parameters of a model", wide(mlp.parameters()), wide(MAX_PARAMETERS)),
                ("the widest layer", wide(mlp.widest()), wide(MAX_WIDTH)),
                ("the bytes of workgroup memory", launch.shared(values), room),
                ("the invocations of a workgroup", u64::from(launch.width), u64::from(most)),
                ("the storage buffers of a kernel", 6, u64::from(storage)),
                ("the rows of a step", wide(launch.iterations()), wide(MAX_ITERATIONS)),
            ],
        )?;
        Ok(launch)
    }

    /// The number of sums that each invocation holds after the reduction.
    pub fn slots(&self, values: usize) -> usize {
        values.div_ceil(self.width as usize)
    }

    /// Bytes of workgroup memory, without the rows.
    fn shared(&self, values: usize) -> u64 {
        let width = self.width as usize;
        let all = 4 * wide(self.slots(values) * width) + 8;
        16 + match self.reduction {
            Reduction::Subgroup => 0,
            Reduction::Subgroups(size) => {
                let size = size as usize;
                all + 4 * wide(width / size * values.next_multiple_of(size))
            }
            Reduction::Memory => 2 * all + 4 * wide(9 * width),
        }
    }

    pub const fn blocks(&self) -> usize {
        quads(self.batch).div_ceil(self.width as usize)
    }

    /// The number of vectors of four rows for one feature: one for each invocation and block.
    pub const fn held_rows(&self) -> usize {
        self.blocks() * self.width as usize
    }

    /// The iterations of all loops in one step, including the final tests. They are a block's own
    /// iteration, its four rows, the two loops of a coupled loss over its outputs, and the
    /// permutation's cycle walking, with four rounds for each try.
    pub const fn iterations(&self) -> usize {
        let rows = if self.unrolled { 0 } else { 5 };
        let coupled = if self.coupled > 0 { 4 * 2 * (self.coupled + 1) } else { 0 };
        let drawn = if self.samples { 4 * 6 * 6 } else { 0 };
        self.blocks() * (1 + rows + coupled + drawn) + 2
    }
}
