//! The loss, and the number of rows that are classified right, from the last layer's pre-activations
//! z: partial sums over a slice of the rows.

use crate::error::Result;
use crate::kernels::step::loss::LossGradient;
use crate::kernels::{Capabilities, Dispatch, Kernel, Slot, Variant, check_positive, volume};
use crate::numeric::{Real, count, to_f32, to_u32, wide};
use crate::wgsl::shader_struct;

pub use crate::training::Classes;

/// `shaders/measure/evaluate.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "evaluate" in "measure/evaluate",
    Parameters,
    [FINITE, LOSS_ROW, WORKGROUP_SUM],
    [
        Slot::read("z"),
        Slot::read("targets"),
        Slot::write("partial"),
        Slot::read("inputs"),
    ]
);

shader_struct! {
    /// `z` is `[models, rows, width]`. `targets` and `inputs` hold slices of rows, one behind the
    /// other, each `[sets, rows, width]` or `[sets, rows, inputs]`. `partial` is `[models, line]`
    /// losses and, where there are classes, `[models, line]` numbers of rows.
    pub Parameters {
        /// Rows of a model. Where outputs do not depend on each other, each output is a row.
        rows: u32,
        /// Elements of a row.
        width: u32,
        /// The number of models.
        models: u32,
        /// The number of partial sums of a model in this dispatch.
        groups: u32,
        /// The place of the first of them in the line of a model.
        first_group: u32,
        /// The number of partial sums of a model in all dispatches.
        line: u32,
        /// The index of the first target.
        first_target: u32,
        /// Elements from one model's targets to the next's; 0 where all models share them.
        target_model: u32,
        /// The index of the first input.
        first_input: u32,
        /// Elements of a row of inputs.
        input_width: u32,
        /// The weight of a row in the mean.
        scale: f32,
        /// The number of rows of an invocation.
        run: u32,
        /// The pre-activation between two classes.
        threshold: f32,
        /// The target between two classes.
        target_threshold: f32,
    }
}

/// The iterations outside of the rows: the last test of their loop, and the halvings of two sums.
const ONCE: u64 = 1 + 7 + 7;

/// Describes the evaluation of a slice of rows.
#[derive(Debug, Clone, Copy)]
pub struct Evaluate {
    /// The loss after the last layer, of the rows of the slice.
    pub loss: LossGradient,
    /// How classes are told.
    pub classes: Classes,
    /// The slice's first row.
    pub first: usize,
    /// Rows of all slices: the loss is the mean over these.
    pub all: usize,
    /// The number of partial sums of a model in the slices before this one.
    pub first_group: usize,
    /// The number of partial sums of a model in all slices.
    pub line: usize,
}

impl Evaluate {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// Those of [`LossGradient::dispatch`]; a place that does not fit in the shader's `u32`.
    pub fn dispatch(&self, capabilities: &Capabilities) -> Result<Dispatch> {
        let LossGradient { loss, activation, models, own_targets, batch, outputs, inputs } =
            self.loss;
        self.loss.check()?;
        check_positive("an evaluation's number of rows", self.all)?;
        let n = |value: usize| to_u32("a size of an evaluation", wide(value));
        let (rows, width) = self.loss.rows();
        let groups = self.loss.groups(capabilities);
        let sets = if own_targets { models } else { 1 };
        let before = self.first.saturating_mul(sets);
        let (threshold, target_threshold) = match self.classes {
            Classes::Threshold { logit, target } => (to_f32(logit), to_f32(target)),
            _ => (0.0, 0.0),
        };
        let run = self.loss.run(capabilities);
        let p = Parameters {
            rows: n(rows)?,
            width: n(width)?,
            models: n(models)?,
            groups: n(groups)?,
            first_group: n(self.first_group)?,
            line: n(self.line)?,
            first_target: n(before.saturating_mul(outputs))?,
            target_model: if own_targets { n(rows * width)? } else { 0 },
            first_input: n(before.saturating_mul(inputs))?,
            input_width: n(inputs)?,
            scale: to_f32(loss.scale(self.all, outputs)),
            run: n(run)?,
            threshold,
            target_threshold,
        };
        for (elements, of) in [
            (volume(&[sets, self.all, outputs]), "targets"),
            (volume(&[sets, self.all, inputs]), "inputs"),
            (volume(&[2, models, self.line]), "partial sums"),
        ] {
            to_u32(&format!("the number of {of} of an evaluation"), elements)?;
        }
        let elements = volume(&[models, rows, width]);
        let targets = volume(&[sets, rows, width]);
        let read = if loss.reads_inputs() { volume(&[sets, batch, inputs]) } else { 0 };
        let sums = wide(models) * wide(groups);
        let alone = self.loss.is_alone(capabilities);
        let iterations = wide(run).saturating_mul(self.loss.iterations()).saturating_add(ONCE);
        let workgroups = if alone { sums.div_ceil(KERNEL.workgroup.into()) } else { sums };
        let kind = match self.classes {
            Classes::None => 0.0,
            Classes::Threshold { .. } => 1.0,
            Classes::Largest => 2.0,
        };
        Ok(Dispatch::new(&KERNEL, &p, workgroups, iterations)
            .with(Variant {
                pieces: vec![loss.wgsl(self.loss.widths()), activation.wgsl()],
                generated: loss.splice(activation, self.loss.widths()),
                overrides: vec![("ALONE", f64::from(u8::from(alone))), ("CLASSES", kind)],
                ..Variant::default()
            })
            .costing(elements + targets + read, 2 * sums, elements))
    }

    /// The slice's part of one model's loss, and the number of its rows that are right, on the CPU.
    /// `z` and `targets` are `[batch, outputs]`, `inputs` `[batch, inputs]` where the loss reads
    /// them.
    pub fn reference<T: Real>(&self, z: &[T], [inputs, targets]: [&[T]; 2]) -> [T; 2] {
        let outputs = self.loss.outputs.max(1);
        let whole = LossGradient { batch: self.all, ..self.loss };
        let mut delta = vec![T::ZERO; targets.len()];
        let loss = whole.detached_reference([z, z], [inputs, targets], &mut delta);
        let rows = z.chunks(outputs).zip(targets.chunks(outputs));
        let right = rows.filter(|(z, t)| self.classes.is_right(z, t)).count();
        [loss, T::of(count(right))]
    }
}
