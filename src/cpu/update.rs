//! The optimizers' updates over vectors: [`Update::reference`] with the same operations in the same
//! order, so that all bits are equal.

use super::compiled::compiled;
use crate::kernels::step::RateRange;
use crate::kernels::step::update::Update;
use crate::numeric::Real;
use crate::numeric::vector::{Vector, choose, splat};
use crate::training::{Adam, AdamW, Momentum, Nesterov, Optimizer, Sgd};
use fearless_simd::{Level, Simd, SimdBase, SimdFloat, SimdMask};
use std::ops::Range;

/// The number of elements of a part that a thread updates.
#[cfg(feature = "threads")]
const BLOCK: usize = 1 << 14;

/// Some parameters, their gradient and their states.
pub struct Elements<'a, T> {
    parameters: &'a mut [T],
    gradient: &'a [T],
    states: [&'a mut [T]; 2],
}

impl<T: Real> Elements<'_, T> {
    fn part(&mut self, range: Range<usize>) -> Elements<'_, T> {
        let [first, second] = &mut self.states;
        Elements {
            parameters: &mut self.parameters[range.clone()],
            gradient: &self.gradient[range.clone()],
            states: [&mut first[range.clone()], &mut second[range]],
        }
    }
}

/// A part of a model that has one rate, all of it in tables or none, and how it is updated.
pub struct Part<T> {
    range: Range<usize>,
    optimizer: Optimizer,
    /// The corrections of Adam's moments.
    by: [T; 2],
    is_table: bool,
}

/// [`Update::reference`], on all threads where there are many parameters.
pub fn update<T: Real>(
    of: &Update<'_>,
    t: u64,
    gradient: &[T],
    parameters: &mut [T],
    states: &mut [T],
) -> bool {
    let (first, second) = states.split_at_mut(parameters.len());
    let by = of.optimizer.corrections(t).map(T::of);
    let (level, run) = (Level::new(), compiled::<T>().update);
    let parts = RateRange::parts(of.rates, parameters.len());
    // What is frozen is left out.
    let parts = parts.iter().filter(|(_, factor)| *factor != 0.0).flat_map(|(range, factor)| {
        let optimizer = of.optimizer.at_rate(of.optimizer.rate() * factor);
        let border = of.tables.clamp(range.start, range.end);
        let part = |range, is_table| Part { range, optimizer, by, is_table };
        [part(range.start..border, true), part(border..range.end, false)]
    });
    let parts: Vec<_> = parts.filter(|part| !part.range.is_empty()).collect();
    let block = |begin: usize, mut elements: Elements<'_, T>| {
        let mut finite = true;
        for part in &parts {
            let within = |index: usize| index.saturating_sub(begin).min(elements.parameters.len());
            let range = within(part.range.start)..within(part.range.end);
            finite &= run(level, part, elements.part(range));
        }
        finite
    };
    #[cfg(feature = "threads")]
    if parameters.len() > 2 * BLOCK {
        use rayon::prelude::*;
        let states = first.par_chunks_mut(BLOCK).zip(second.par_chunks_mut(BLOCK));
        let values = parameters.par_chunks_mut(BLOCK).zip(gradient.par_chunks(BLOCK));
        return values
            .zip(states)
            .enumerate()
            .map(|(i, ((parameters, gradient), (first, second)))| {
                block(i * BLOCK, Elements { parameters, gradient, states: [first, second] })
            })
            .reduce(|| true, |a, b| a && b);
    }
    block(0, Elements { parameters, gradient, states: [first, second] })
}

/// m / (√v + ε) of [`Adam`], with its moments.
#[inline(always)]
fn direction<T: Real, S: Simd>(
    simd: S,
    adam: Adam,
    by: [T; 2],
    g: Vector<T, S>,
    [m, v]: [Vector<T, S>; 2],
) -> (Vector<T, S>, [Vector<T, S>; 2]) {
    let number = |value: f64| splat::<T, S>(simd, T::of(value));
    let m = number(adam.beta1) * m + number(1.0 - adam.beta1) * g;
    let v = number(adam.beta2) * v + number(1.0 - adam.beta2) * g * g;
    let root = (v / splat::<T, S>(simd, by[1])).sqrt();
    ((m / splat::<T, S>(simd, by[0])) / (root + T::of(adam.epsilon)), [m, v])
}

/// Updates elements of a part.
pub fn run<T: Real, S: Simd>(simd: S, part: &Part<T>, elements: Elements<'_, T>) -> bool {
    simd.vectorize(
        #[inline(always)]
        || {
            let by = part.by;
            let rate = T::of(part.optimizer.rate());
            match part.optimizer {
                Optimizer::Sgd(Sgd { .. }) => {
                    each::<T, S, 0>(simd, part, elements, |p, g, states| (p - g * rate, states))
                }
                Optimizer::Momentum(Momentum { momentum, .. }) => {
                    each::<T, S, 1>(simd, part, elements, |p, g, [v, w]| {
                        let v = v * T::of(momentum) + g;
                        (p - v * rate, [v, w])
                    })
                }
                Optimizer::Nesterov(Nesterov { momentum, .. }) => {
                    each::<T, S, 1>(simd, part, elements, |p, g, [v, w]| {
                        let v = v * T::of(momentum) + g;
                        (p - (g + v * T::of(momentum)) * rate, [v, w])
                    })
                }
                Optimizer::Adam(adam) => each::<T, S, 2>(simd, part, elements, |p, g, states| {
                    let (direction, states) = direction(simd, adam, by, g, states);
                    (p - direction * rate, states)
                }),
                Optimizer::AdamW(AdamW { beta1, beta2, epsilon, weight_decay, .. }) => {
                    let adam = Adam { beta1, beta2, epsilon, ..Adam::default() };
                    each::<T, S, 2>(simd, part, elements, |p, g, states| {
                        let (direction, states) = direction(simd, adam, by, g, states);
                        (p - (direction + p * T::of(weight_decay)) * rate, states)
                    })
                }
            }
        },
    )
}

/// Values of a magnitude of `clip` at most, where this is not 0. What is not finite stays.
#[inline(always)]
fn clipped<T: Real, S: Simd>(simd: S, g: Vector<T, S>, clip: T) -> Vector<T, S> {
    if clip == T::ZERO {
        return g;
    }
    let infinity = T::of(f64::INFINITY);
    let above = choose::<T, S>(g.simd_lt(infinity), splat(simd, clip), g);
    let below = choose::<T, S>(g.simd_gt(-infinity), splat(simd, -clip), g);
    let g = choose::<T, S>(g.simd_gt(clip), above, g);
    choose::<T, S>(g.simd_lt(-clip), below, g)
}

/// Updates vector after vector by `f`, and the rest by the optimizer itself. What would not be finite
/// stays as it was.
#[inline(always)]
fn each<T: Real, S: Simd, const STATES: usize>(
    simd: S,
    part: &Part<T>,
    elements: Elements<'_, T>,
    f: impl Fn(Vector<T, S>, Vector<T, S>, [Vector<T, S>; 2]) -> (Vector<T, S>, [Vector<T, S>; 2]),
) -> bool {
    let Elements { parameters, gradient, states: [first, second] } = elements;
    let (width, zero) = (Vector::<T, S>::LEN, splat::<T, S>(simd, T::ZERO));
    let Part { optimizer, by, is_table, .. } = part;
    let (l1, l2) = (T::of(optimizer.l1()), T::of(optimizer.l2()));
    // What the layers' parameters add to their gradient; a table's add nothing.
    let penalized = |g: Vector<T, S>, p: Vector<T, S>| {
        if *is_table {
            return g;
        }
        if l1 == T::ZERO {
            return g + p * l2;
        }
        let below = choose::<T, S>(p.simd_lt(T::ZERO), splat(simd, -l1), zero);
        g + (choose::<T, S>(p.simd_gt(T::ZERO), splat(simd, l1), below) + p * l2)
    };
    let lazy = *is_table && optimizer.is_lazy();
    let clip = T::of(optimizer.clip());
    let whole = parameters.len() / width * width;
    let mut finite = zero.simd_eq(zero);
    for at in (0..whole).step_by(width) {
        let [p, g] = [&*parameters, gradient]
            .map(|of| Vector::<T, S>::from_slice(simd, &of[at..at + width]));
        let mut states = [zero; 2];
        for (state, of) in states.iter_mut().zip([&*first, &*second]).take(STATES) {
            *state = Vector::<T, S>::from_slice(simd, &of[at..at + width]);
        }
        let (value, new) = f(p, clipped::<T, S>(simd, penalized(g, p), clip), states);
        let is_finite = |v: Vector<T, S>| v.abs().simd_le(T::MAX);
        let mut ok = is_finite(value);
        for state in new.iter().take(STATES) {
            ok &= is_finite(*state);
        }
        // An element that a lazy rule leaves alone is neither updated nor checked.
        let kept = g.simd_eq(T::ZERO);
        let kept = if lazy { kept } else { zero.simd_ne(zero) };
        finite &= ok | kept;
        let takes = ok & !kept;
        // Nearly always all are taken, and no store needs a mask.
        if takes.all_true() {
            value.store_slice(&mut parameters[at..at + width]);
            for (new, of) in new.iter().zip([&mut *first, &mut *second]).take(STATES) {
                new.store_slice(&mut of[at..at + width]);
            }
        } else if !kept.all_true() {
            choose::<T, S>(takes, value, p).store_slice(&mut parameters[at..at + width]);
            for ((new, old), of) in
                new.iter().zip(states).zip([&mut *first, &mut *second]).take(STATES)
            {
                choose::<T, S>(takes, *new, old).store_slice(&mut of[at..at + width]);
            }
        }
    }
    let mut all = finite.all_true();
    for at in whole..parameters.len() {
        let gradient = gradient[at];
        if lazy && gradient == T::ZERO {
            continue;
        }
        let mut state = [first[at], second[at]];
        let gradient = optimizer.regularized(gradient, parameters[at], *is_table);
        let value = optimizer.update_by(*by, parameters[at], gradient, &mut state);
        if value.is_finite() && state.iter().all(|s| s.is_finite()) {
            parameters[at] = value;
            [first[at], second[at]] = state;
        } else {
            all = false;
        }
    }
    all
}
