//! Gathers the rows of one mini-batch, sampled by the permutation of [`crate::Batch`].

use crate::error::Result;
use crate::kernels::storage::lanes;
use crate::kernels::{
    Capabilities, Dispatch, Kernel, LONGEST_WALK, Slot, Variant, check_positive, volume,
};
use crate::numeric::{check_shape, to_u32, wide};
use crate::training::{Batch, Cursor, half_bits};
use crate::wgsl::shader_struct;

/// `shaders/step/gather.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "gather" in "step/gather",
    Parameters,
    [PERMUTATION],
    [
        Slot::STATUS_READ,
        Slot::read("inputs").with_type("array<Stored>"),
        Slot::read("targets"),
        Slot::write("batch_inputs").with_type("array<Stored>"),
        Slot::write("batch_targets"),
    ]
);

shader_struct! {
    /// `inputs` is `[sets, rows, inputs]` and `batch_inputs` `[sets, batch, inputs]`; the targets
    /// likewise.
    pub Parameters {
        /// The number of data sets: 1, or one for each model.
        sets: u32,
        /// Rows of a data set.
        rows: u32,
        /// Rows of the mini-batch, at most `rows`.
        batch: u32,
        /// Inputs of a row.
        inputs: u32,
        /// Targets of a row.
        outputs: u32,
        /// Half the bits of the permutation's Feistel network; 0 where the rows stay in order.
        half_bits: u32,
        /// The permutations' seed.
        seed: u32,
    }
}

/// Describes the gathering of one mini-batch.
#[derive(Debug, Clone, Copy)]
pub struct Gather {
    /// The number of data sets: 1, or one for each model.
    pub sets: usize,
    /// Rows of a data set.
    pub rows: usize,
    /// Rows of the mini-batch, at most `rows`.
    pub batch: usize,
    /// Inputs of a row.
    pub inputs: usize,
    /// Targets of a row.
    pub outputs: usize,
    /// The permutations' seed; `None` where the rows stay in order.
    pub seed: Option<u32>,
}

impl Gather {
    /// Checks that the rows of the mini-batch are among the data's.
    fn check_batch(&self) -> Result<()> {
        Batch::Sequential { size: self.batch }.size(self.rows).map(|_| ())
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// The rows of the mini-batch are none or more than the data's, a row has no elements, or their
    /// number does not fit in the shader's `u32`.
    pub fn dispatch(&self, capabilities: &Capabilities) -> Result<Dispatch> {
        let Self { sets, rows, batch, inputs, outputs, seed } = *self;
        let n = |value: usize| to_u32("a size of a mini-batch", wide(value));
        check_positive("the inputs and targets of a row", inputs.saturating_add(outputs))?;
        self.check_batch()?;
        let width = inputs.saturating_add(outputs);
        let elements = volume(&[sets, batch, width]);
        to_u32("the number of elements of a mini-batch", elements)?;
        let p = Parameters {
            sets: n(sets)?,
            rows: n(rows)?,
            batch: n(batch)?,
            inputs: n(inputs)?,
            outputs: n(outputs)?,
            half_bits: half_bits(n(rows)?, seed),
            seed: seed.unwrap_or(0),
        };
        let vec4 = inputs.is_multiple_of(4);
        let accesses = (inputs / if vec4 { 4 } else { 1 }).saturating_add(outputs);
        let variant = Variant { pieces: lanes(vec4, capabilities), ..Variant::default() };
        Ok(Dispatch::over(&KERNEL, &p, volume(&[sets, batch, accesses]), LONGEST_WALK)
            .with(variant)
            .costing(elements, elements, 0))
    }

    /// The rows of one mini-batch on the CPU, starting at `epoch` and `position`, from `values`
    /// `[sets, rows, width]`.
    ///
    /// # Errors
    /// The errors of [`Gather::dispatch`]; values of another shape.
    pub fn reference<T: Copy>(
        &self,
        epoch: u32,
        position: u32,
        width: usize,
        values: &[T],
    ) -> Result<Vec<T>> {
        let rows = to_u32("rows", wide(self.rows))?;
        let batch = to_u32("batch", wide(self.batch))?;
        self.check_batch()?;
        let set = self.rows.saturating_mul(width);
        check_positive("the elements of a data set", set)?;
        check_shape("the values", values.len(), &[values.len() / set, self.rows, width])?;
        let position = position.min(rows - 1);
        let cursor = Cursor { epoch, position };
        let sampled: Vec<usize> =
            (0..batch).map(|i| cursor.row(i, rows, self.seed) as usize).collect();
        Ok(values
            .chunks(set)
            .flat_map(|set| {
                sampled.iter().flat_map(move |row| &set[row * width..(row + 1) * width])
            })
            .copied()
            .collect())
    }
}
