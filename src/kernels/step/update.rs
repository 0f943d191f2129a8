//! One step of an [`Optimizer`] for all parameters, in one dispatch.

use super::RateRange;
use crate::error::Result;
use crate::kernels::storage::lanes;
use crate::kernels::{Capabilities, Dispatch, Kernel, Slot, Variant, runs, stride};
use crate::numeric::{Real, to_u32, wide};
use crate::training::Optimizer;
use crate::wgsl::shader_struct;

/// `shaders/step/update.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "update" in "step/update",
    Parameters,
    [CURSOR, FINITE, MARK_DIVERGED, SCHEDULE, RUNS],
    [
        Slot::HYPER,
        Slot::write("gradient").with_type("array<Stored>"),
        Slot::write("parameters").with_type("array<Stored>"),
        Slot::write("states").with_type("array<Stored>"),
        Slot::STATUS_ATOMIC,
    ]
);

shader_struct! {
    /// `gradient` and `parameters` are `[models, parameters]`. `states` holds such an array for
    /// each state, `state_stride` elements apart.
    pub Parameters {
        /// Parameters of a model.
        parameters: u32,
        /// The number of models.
        models: u32,
        /// Rows of the data.
        rows: u32,
        /// Rows of a batch.
        batch: u32,
        /// Elements from one state to the next.
        state_stride: u32,
        /// The number of a model's first parameters that belong to an encoding's tables.
        tables: u32,
        /// The number of steps in the loss history, a ring.
        history: u32,
    }
}

/// Describes one update of all parameters.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Parameters of a model.
    pub parameters: usize,
    /// The number of models.
    pub models: usize,
    /// Rows of the data.
    pub rows: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// The number of a model's first parameters that belong to an encoding's tables.
    pub tables: usize,
    /// The number of steps in the loss history.
    pub history: usize,
    /// Whether the learning rate follows a schedule.
    pub scheduled: bool,
    /// The factors of the learning rate.
    pub rates: &'a [RateRange],
    /// Whether every buffer is padded to a multiple of four elements, and each state within its
    /// buffer.
    pub padded: bool,
}

impl Update<'_> {
    /// Elements from one state to the next.
    pub fn state_stride(&self) -> usize {
        stride(self.parameters.saturating_mul(self.models), self.padded)
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self, capabilities: &Capabilities) -> Result<Dispatch> {
        let n = |value: usize| to_u32("a size of an update", wide(value));
        let elements = wide(self.parameters).saturating_mul(wide(self.models));
        to_u32("the number of parameters of all models", elements)?;
        n(self.state_stride().saturating_mul(self.optimizer.states()))?;
        let p = Parameters {
            parameters: n(self.parameters)?,
            models: n(self.models)?,
            rows: n(self.rows)?,
            batch: n(self.batch)?,
            state_stride: n(self.state_stride())?,
            tables: n(self.tables)?,
            history: n(self.history)?,
        };
        let states = wide(self.optimizer.states());
        let vec4 = self.padded || elements.is_multiple_of(4);
        let invocations = elements.div_ceil(if vec4 { 4 } else { 1 });
        let runs = runs(capabilities);
        // Its values, and the loop over their elements that are not finite.
        let iterations = 5 * u64::from(runs) + 2;
        Ok(Dispatch::over(&KERNEL, &p, invocations.div_ceil(runs.into()), iterations)
            .with(Variant {
                pieces: [vec![self.optimizer.wgsl()], lanes(vec4, capabilities)].concat(),
                generated: self.optimizer.splice() + &RateRange::splice(self.rates),
                overrides: vec![
                    ("ONE_MODEL", f64::from(u8::from(self.models == 1))),
                    ("RATES", f64::from(u8::from(!self.rates.is_empty()))),
                    ("RUNS", f64::from(runs)),
                    ("SCHEDULED", f64::from(u8::from(self.scheduled))),
                ],
                ..Variant::default()
            })
            .costing(elements * (2 + states), elements * (1 + states), elements * (2 + 4 * states)))
    }

    /// Updates one model on the CPU and returns whether everything stayed finite. An element that
    /// would not be finite stays as it was. `states` is `[2, elements]`; `t` counts updates from 1.
    pub fn reference<T: Real>(
        &self,
        t: u64,
        gradient: &[T],
        parameters: &mut [T],
        states: &mut [T],
    ) -> bool {
        let (first, second) = states.split_at_mut(parameters.len());
        let by = self.optimizer.corrections(t).map(T::of);
        // What is frozen is left out.
        let parts: Vec<_> = RateRange::parts(self.rates, parameters.len())
            .into_iter()
            .filter(|(_, factor)| *factor != 0.0)
            .map(|(part, factor)| (part, self.optimizer.at_rate(self.optimizer.rate() * factor)))
            .collect();
        // Updates some elements, of which the first has the index `begin`.
        let some = |begin: usize, parameters: &mut [T], gradient: &[T], states: [&mut [T]; 2]| {
            let [first, second] = states;
            let mut finite = true;
            for (part, optimizer) in &parts {
                let within = |index: usize| index.saturating_sub(begin).min(parameters.len());
                let part = within(part.start)..within(part.end);
                let states = first[part.clone()].iter_mut().zip(&mut second[part.clone()]);
                let values = parameters[part.clone()].iter_mut().zip(&gradient[part.clone()]);
                for (i, ((parameter, gradient), (m, v))) in part.zip(values.zip(states)) {
                    let is_table = begin + i < self.tables;
                    if is_table && optimizer.is_lazy() && *gradient == T::ZERO {
                        continue;
                    }
                    let gradient = optimizer.regularized(*gradient, *parameter, is_table);
                    let mut state = [*m, *v];
                    let value = optimizer.update_by(by, *parameter, gradient, &mut state);
                    if value.is_finite() && state.iter().all(|s| s.is_finite()) {
                        *parameter = value;
                        [*m, *v] = state;
                    } else {
                        finite = false;
                    }
                }
            }
            finite
        };
        #[cfg(feature = "threads")]
        if parameters.len() >= PARALLEL {
            use rayon::prelude::*;
            let states =
                first.par_chunks_mut(PARALLEL / 4).zip(second.par_chunks_mut(PARALLEL / 4));
            let values =
                parameters.par_chunks_mut(PARALLEL / 4).zip(gradient.par_chunks(PARALLEL / 4));
            let chunk = |(i, ((values, gradient), (first, second)))| {
                some(i * (PARALLEL / 4), values, gradient, [first, second])
            };
            return values.zip(states).enumerate().map(chunk).reduce(|| true, |a, b| a && b);
        }
        some(0, parameters, gradient, [first, second])
    }
}

/// The number of elements above which the update runs on several cores.
#[cfg(feature = "threads")]
const PARALLEL: usize = 1 << 15;
