//! The second stage of a step's sums: gradient = Σ over the splits, loss = Σ over the workgroups,
//! each in a fixed order. It marks a model whose loss or gradient is not finite with the step.

use crate::error::Result;
use crate::kernels::storage::lanes;
use crate::kernels::{
    Capabilities, Dispatch, Kernel, MAX_ITERATIONS, Slot, Variant, check_positive, runs, stride,
    volume,
};
use crate::numeric::{Real, to_u32, wide};
use crate::wgsl::{SHARED_SUM, Writer, shader_struct};

/// `shaders/step/reduce.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "reduce" in "step/reduce",
    Parameters,
    [FINITE, MARK_DIVERGED, RUNS, WORKGROUP_SUM],
    [
        Slot::read("partial_gradient").with_type("array<Stored>"),
        Slot::read("partial_loss"),
        Slot::write("gradient").with_type("array<Stored>"),
        Slot::write("losses"),
        Slot::STATUS_ATOMIC,
    ]
);

shader_struct! {
    /// `partial_gradient` is `[splits, models, parameters]` where there are splits. `gradient` is
    /// `[models, tables + parameters]`; the kernel does not touch the tables. `partial_loss` is
    /// `[models, loss_groups]` and `losses` a ring of rows `[models]`.
    pub Parameters {
        /// Parameters of a model; 0 where only the loss is computed.
        parameters: u32,
        /// The number of models.
        models: u32,
        /// Partial sums of the gradient.
        splits: u32,
        /// Elements from partial sum to partial sum.
        split_stride: u32,
        /// Workgroups that sum the gradient.
        gradient_groups: u32,
        /// Partial sums of a model's loss.
        loss_groups: u32,
        /// The number of elements in front of each model's gradient.
        tables: u32,
        /// 1 where a model whose loss or gradient is not finite is marked.
        marks: u32,
    }
}

/// Describes the sums of one step.
#[derive(Debug, Clone, Copy)]
pub struct Reduce {
    /// Parameters of a model; 0 where only the loss is computed.
    pub parameters: usize,
    /// The number of models.
    pub models: usize,
    /// Partial sums of the gradient; 0 where the gradient is complete and only checked.
    pub splits: usize,
    /// Partial sums of a model's loss.
    pub loss_groups: usize,
    /// The number of elements in front of each model's gradient, a multiple of four: an encoding's
    /// tables.
    pub tables: usize,
    /// Whether every buffer is padded to a multiple of four elements, and each partial gradient
    /// within its buffer.
    pub padded: bool,
    /// Whether a model whose loss or gradient is not finite is marked as diverged.
    pub marks: bool,
    /// Whether the gradient is added to what `gradient` holds. Then the loss is not summed, and no
    /// step ends.
    pub adds: bool,
}

/// The largest number of partial sums of the gradient, so that one invocation can add them up.
pub(crate) const MAX_SPLITS: usize = 29_000;

/// The number of partial sums of a value from which on eight invocations share it on a GPU.
const SHARED: usize = 16;

/// The workgroup memory that they then need, with that of a loss's sum.
const SHARED_BYTES: u32 = 64 * 16 + 64 * 4;

/// The largest number of partial losses that one invocation adds up. A workgroup adds up as many in
/// each of its 64 invocations.
const ALONE: usize = 29_000;

/// The largest number of partial losses of a model.
pub(super) const MAX_LOSS_GROUPS: usize = 64 * ALONE;

/// The iterations of the loop over the elements that are not finite, for one value of four elements.
const MARKING: u64 = 4;

impl Reduce {
    /// Elements from one partial gradient to the next.
    pub fn split_stride(&self) -> usize {
        stride(self.parameters.saturating_mul(self.models), self.padded)
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// There are no models, or a size does not fit in the shader's `u32`.
    pub fn dispatch(&self, capabilities: &Capabilities) -> Result<Dispatch> {
        let n = |value: usize| to_u32("a size of a step's sums", wide(value));
        check_positive("the number of models of a step's sums", self.models)?;
        n(self.splits)?;
        n(self.loss_groups)?;
        let elements = self.parameters.saturating_mul(self.models);
        n(elements.saturating_mul(self.splits.max(1)))?;
        n(self.models.saturating_mul(self.loss_groups))?;
        n(self.models.saturating_mul(self.tables.saturating_add(self.parameters)))?;
        // A vector of four must lie within one model where tables lie between the models'
        // gradients.
        let whole = self.tables == 0
            || (self.tables.is_multiple_of(4)
                && (self.models == 1 || self.parameters.is_multiple_of(4)));
        let vec4 = whole && (self.padded || elements.is_multiple_of(4));
        let each = if vec4 { 4 } else { 1 };
        // The iterations for one value: its own, its marks, and a loop over its splits.
        let value = 1 + MARKING + if self.splits > 0 { wide(self.splits) + 1 } else { 0 };
        // Fewer values of an invocation where there are many splits.
        let runs = runs(capabilities)
            .min(u32::try_from(MAX_ITERATIONS / 2 / value).unwrap_or(u32::MAX))
            .max(1);
        let memory = capabilities.limits.max_compute_workgroup_storage_size;
        let shared = !capabilities.software && self.splits >= SHARED && memory >= SHARED_BYTES;
        let values = if shared { 8 } else { (runs * KERNEL.workgroup) as usize };
        let gradient_groups = elements.div_ceil(each).div_ceil(values);
        let alone = capabilities.software && self.loss_groups <= ALONE;
        let p = Parameters {
            parameters: n(self.parameters)?,
            models: n(self.models)?,
            splits: n(self.splits)?,
            split_stride: n(self.split_stride())?,
            gradient_groups: n(gradient_groups)?,
            loss_groups: n(self.loss_groups)?,
            tables: n(self.tables)?,
            marks: u32::from(self.marks),
        };
        let mut pieces = lanes(vec4, capabilities);
        let mut generated = String::new();
        if shared {
            pieces.push(&SHARED_SUM);
        } else {
            // Its workgroup memory is not needed.
            let mut w = Writer::default();
            w.function("shared_sum(i: u32, elements: u32, local: u32) -> Lanes", |w| {
                w.line("return Lanes();");
            });
            generated = w.finish();
        }
        let groups = wide(self.loss_groups);
        let sum = if alone { groups } else { groups.div_ceil(64) + 7 };
        let of_value = if shared { wide(self.splits).div_ceil(64) + 1 + MARKING } else { value };
        let iterations = u64::from(runs).saturating_mul(of_value) + 2 + sum + 1;
        let read =
            volume(&[elements, self.splits.max(1)]) + volume(&[self.models, self.loss_groups]);
        let written = if self.splits > 0 { wide(elements) } else { 0 } + wide(self.models);
        let of_losses = if self.adds { 0 } else { wide(self.models) };
        Ok(Dispatch::new(&KERNEL, &p, wide(gradient_groups) + of_losses, iterations)
            .with(Variant {
                pieces,
                generated,
                overrides: vec![
                    ("ALONE", f64::from(u8::from(alone))),
                    ("SHARED", f64::from(u8::from(shared))),
                    ("SPLIT", f64::from(u8::from(self.splits > 0))),
                    ("ADDS", f64::from(u8::from(self.adds))),
                    ("RUNS", f64::from(runs)),
                ],
                ..Variant::default()
            })
            .costing(read, written, read))
    }

    /// The sums of the gradient on the CPU, in the order of the GPU.
    pub fn reference<T: Real>(&self, partial: &[T]) -> Vec<T> {
        let elements = partial.len() / self.splits.max(1);
        (0..elements)
            .map(|i| {
                let (mut sum, mut part) = (T::ZERO, T::ZERO);
                for (split, value) in partial.iter().skip(i).step_by(elements).enumerate() {
                    part += *value;
                    if split % 16 == 15 {
                        sum += part;
                        part = T::ZERO;
                    }
                }
                sum += part;
                sum
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight invocations share a value on a GPU that has the workgroup memory, where there are many
    /// splits.
    #[test]
    fn what_is_shared_fits_the_device() {
        let is_shared = |splits, capabilities: &Capabilities| {
            let reduce = Reduce {
                parameters: 100,
                models: 1,
                splits,
                loss_groups: 1,
                tables: 0,
                padded: true,
                marks: true,
                adds: false,
            };
            let dispatch = reduce.dispatch(capabilities).unwrap();
            let text = dispatch.wgsl();
            let shared = dispatch.overrides().contains(&("SHARED", 1.0));
            assert_eq!(text.contains("var<workgroup> shares"), shared);
            shared
        };
        let gpu = Capabilities::default();
        assert!(is_shared(SHARED, &gpu) && !is_shared(SHARED - 1, &gpu));
        assert!(!is_shared(SHARED, &Capabilities { software: true, ..gpu.clone() }));
        for (bytes, shared) in [(SHARED_BYTES, true), (SHARED_BYTES - 1, false)] {
            let mut small = gpu.clone();
            small.limits.max_compute_workgroup_storage_size = bytes;
            assert_eq!(is_shared(SHARED, &small), shared);
        }
    }
}
