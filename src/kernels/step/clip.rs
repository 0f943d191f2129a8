//! Clipping of the gradient by its norm: g ← g · min(1, max / ‖g‖₂) for each model, as
//! `optax.clip_by_global_norm` (Pascanu, Mikolov and Bengio, "On the difficulty of training
//! recurrent neural networks", 2013). Frozen parameters take no part.
//!
//! ‖g‖ is computed as 2ᵏ √Σ (2⁻ᵏ g)², where 2ᵏ is the largest power of two that is at most max |g|.
//! A power of two rounds nothing, and no sum overflows or vanishes where the norm does not.

use super::RateRange;
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, MAX_ITERATIONS, Slot, Variant, check_positive, volume};
use crate::numeric::{Real, narrow, to_f32, to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/step/clip.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "clip" in "step/clip",
    Parameters,
    [MAGNITUDE, WORKGROUP_MAX, WORKGROUP_SUM],
    [
        Slot::write("gradient"),
        Slot::write("partial_norm").with_type("array<vec2<u32>>"),
    ]
);

shader_struct! {
    /// `gradient` is `[models, parameters]`. `partial_norm` is `[models, groups, 2]`: the bits of a
    /// largest magnitude, and those of the sum of the squares of the scaled elements.
    pub Parameters {
        /// Parameters of a model.
        parameters: u32,
        /// The number of models.
        models: u32,
        /// Workgroups of a model.
        groups: u32,
        /// Elements of a workgroup.
        chunk: u32,
        /// The largest norm.
        max_norm: f32,
    }
}

/// The number of elements of a workgroup, where a model is small.
const CHUNK: usize = 1024;

/// The number of workgroups of a model, where each has enough elements. Every workgroup of the
/// second dispatch reads the partial results of all.
const GROUPS: usize = 512;

/// Describes the clipping of the gradient of each of `models` models.
#[derive(Debug, Clone, Copy)]
pub struct Clip<'a> {
    /// Parameters of a model.
    pub parameters: usize,
    /// The number of models.
    pub models: usize,
    /// The largest norm of a model's gradient.
    pub max_norm: f64,
    /// The factors of the learning rates, of which those of 0 freeze.
    pub rates: &'a [RateRange],
}

impl Clip<'_> {
    /// The number of partial results of a model.
    pub fn groups(&self) -> usize {
        // More where the loops of an invocation would be too long.
        let longest = narrow(MAX_ITERATIONS / 3) * KERNEL.workgroup as usize;
        let groups = self.parameters.div_ceil(CHUNK).clamp(1, GROUPS);
        groups.max(self.parameters.div_ceil(longest))
    }

    /// Describes the two dispatches: the partial results of the norms, and the scaling.
    ///
    /// # Errors
    /// There are no models, or a size does not fit in the shader's `u32`.
    pub fn dispatches(&self) -> Result<[Dispatch; 2]> {
        let n = |value: usize| to_u32("a size of a clipping", wide(value));
        check_positive("the number of models of a clipping", self.models)?;
        let (groups, width) = (self.groups(), KERNEL.workgroup as usize);
        let chunk = self.parameters.div_ceil(groups);
        // No index of a loop overflows.
        n(groups.saturating_mul(chunk).saturating_add(width))?;
        let p = Parameters {
            parameters: n(self.parameters)?,
            models: n(self.models)?,
            groups: n(groups)?,
            chunk: n(chunk)?,
            max_norm: to_f32(self.max_norm),
        };
        let elements = volume(&[self.models, self.parameters]);
        let partial = volume(&[self.models, groups]);
        to_u32("the number of parameters of all models", elements)?;
        to_u32("the workgroups of a clipping", partial)?;
        let generated = RateRange::splice(&RateRange::frozen(self.rates));
        let of = |scales: bool| {
            let (own, parts) = (wide(chunk.div_ceil(width)) + 1, wide(groups.div_ceil(width)) + 1);
            // Two loops for the largest magnitude and the sum, and the halvings of both.
            let norm = 2 * if scales { parts } else { own } + 2 * 7;
            let scaling = if scales { own } else { 0 };
            let [read, written, operations] = if scales {
                [elements + 2 * partial, elements, 2 * elements + 4 * partial]
            } else {
                [elements, 2 * partial, 3 * elements]
            };
            Dispatch::new(&KERNEL, &p, partial, norm + scaling)
                .with(Variant {
                    generated: generated.clone(),
                    overrides: vec![("SCALES", f64::from(u8::from(scales)))],
                    ..Variant::default()
                })
                .costing(read, written, operations)
        };
        Ok([of(false), of(true)])
    }

    /// Clips the gradient of one model on the CPU. A gradient that is not finite stays as it is.
    pub fn reference<T: Real>(&self, gradient: &mut [T]) {
        let parts = RateRange::parts(self.rates, gradient.len());
        let parts = || parts.iter().filter(|(_, factor)| *factor != 0.0).map(|(part, _)| part);
        let values = || parts().flat_map(|part| &gradient[part.clone()]).map(|g| g.to_f64());
        if values().any(|g| !g.is_finite()) {
            return;
        }
        let top = values().fold(0.0, |top: f64, g| top.max(g.abs()));
        if top == 0.0 {
            return;
        }
        let norm = values().map(|g| (g / top).powi(2)).sum::<f64>().sqrt();
        if norm > self.max_norm / top {
            for part in parts() {
                for g in &mut gradient[part.clone()] {
                    *g = T::of(g.to_f64() / top * (self.max_norm / norm));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(max_norm: f64, rates: &[RateRange]) -> Clip<'_> {
        Clip { parameters: 4, models: 1, max_norm, rates }
    }

    #[test]
    fn the_norm_is_at_most_the_largest() {
        let mut gradient = [3.0_f64, 0.0, -4.0, 0.0];
        clip(5.5, &[]).reference(&mut gradient);
        assert_eq!(gradient, [3.0, 0.0, -4.0, 0.0]);
        clip(1.0, &[]).reference(&mut gradient);
        approx::assert_abs_diff_eq!(gradient[..], [0.6, 0.0, -0.8, 0.0], epsilon = 1e-15);
        let mut huge = [1e300_f64, 1e300, f64::MIN_POSITIVE, 0.0];
        clip(2.0, &[]).reference(&mut huge);
        let half = 2.0_f64.sqrt();
        approx::assert_abs_diff_eq!(huge[..], [half, half, 0.0, 0.0], epsilon = 1e-15);
        let mut single = [f32::MAX; 4];
        clip(2.0, &[]).reference(&mut single);
        approx::assert_abs_diff_eq!(single[..], [1.0; 4], epsilon = 1e-6);
    }

    #[test]
    fn what_is_frozen_or_not_finite_stays() {
        let ranges = [(1, 0.0), (4, 0.5)].map(|(end, factor)| RateRange { end, factor });
        let mut gradient = [f64::NAN, 3.0, -4.0, 0.0];
        clip(1.0, &ranges).reference(&mut gradient);
        assert!(gradient[0].is_nan());
        approx::assert_abs_diff_eq!(gradient[1..], [0.6, -0.8, 0.0], epsilon = 1e-15);
        let mut infinite = [1.0, f64::INFINITY, 2.0, 3.0];
        clip(1.0, &[]).reference(&mut infinite);
        assert_eq!(infinite, [1.0, f64::INFINITY, 2.0, 3.0]);
    }

    #[test]
    fn many_parameters_have_bounded_loops() {
        for parameters in [1, 1024, 1025, 600_000, 1 << 30, (1 << 32) - (1 << 24)] {
            let clip = Clip { parameters, models: 1, max_norm: 1.0, rates: &[] };
            for dispatch in clip.dispatches().unwrap() {
                assert!(dispatch.iterations() <= MAX_ITERATIONS, "{parameters}");
                assert!(dispatch.grid(&wgpu::Limits::default()).is_ok(), "{parameters}");
            }
        }
        let clip = Clip { parameters: (1 << 32) - 1, models: 1, max_norm: 1.0, rates: &[] };
        assert!(clip.dispatches().is_err());
    }
}
