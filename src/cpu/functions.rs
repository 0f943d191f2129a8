//! Activations and losses over vectors. The formulas are those of `network/activation/` and
//! `training/loss/`, which the tests compare.

use crate::network::Activation;
use crate::numeric::Real;
use crate::numeric::vector::{Vector, choose, exp, ln, ln_1p, logistic, sin, splat, tanh};
use crate::training::Loss;
use crate::training::loss::relative_l2_luminance::{HALVES, counted};
use fearless_simd::{Simd, SimdBase, SimdFloat};

/// Replaces each value by f of it, and of the other line's value.
#[inline(always)]
fn map<T: Real, S: Simd>(
    simd: S,
    values: &mut [T],
    others: &[T],
    f: impl Fn(Vector<T, S>, Vector<T, S>) -> Vector<T, S>,
) {
    let width = Vector::<T, S>::LEN;
    simd.vectorize(
        #[inline(always)]
        || {
            for (v, o) in values.chunks_exact_mut(width).zip(others.chunks_exact(width)) {
                let [a, o] = [&*v, o].map(|part| Vector::<T, S>::from_slice(simd, part));
                f(a, o).store_slice(v);
            }
        },
    );
}

/// [`map`] of one argument.
#[inline(always)]
fn map_one<T: Real, S: Simd>(simd: S, values: &mut [T], f: impl Fn(Vector<T, S>) -> Vector<T, S>) {
    simd.vectorize(
        #[inline(always)]
        || {
            for v in values.chunks_exact_mut(Vector::<T, S>::LEN) {
                f(Vector::<T, S>::from_slice(simd, v)).store_slice(v);
            }
        },
    );
}

/// 2u of GELU and its derivative; beyond ±20 nothing changes.
#[inline(always)]
fn gate<T: Real, S: Simd>(simd: S, z: Vector<T, S>) -> [Vector<T, S>; 2] {
    let (root, cube) = (2.0 * 0.797_884_560_802_865_4, 0.044_715);
    let c = choose::<T, S>(z.simd_lt(T::of(-20.0)), splat(simd, T::of(-20.0)), z);
    let c = choose::<T, S>(c.simd_gt(T::of(20.0)), splat(simd, T::of(20.0)), c);
    let square = c * c;
    [
        c * T::of(root) * (square * T::of(cube) + T::ONE),
        (square * T::of(3.0 * cube) + T::ONE) * T::of(root),
    ]
}

/// Replaces each pre-activation by the activation's value.
pub fn activate<T: Real, S: Simd>(simd: S, f: Activation, values: &mut [T]) {
    let zero = splat::<T, S>(simd, T::ZERO);
    match f {
        Activation::Identity => {}
        Activation::Sigmoid => map_one(simd, values, |z| logistic::<T, S>(simd, z)[0]),
        Activation::Tanh => map_one(simd, values, |z| tanh::<T, S>(simd, z)),
        // The comparison keeps a NaN a NaN. The sum changes nothing but that the choice is not stored by a
        // mask.
        Activation::Relu => {
            map_one(simd, values, |z| choose::<T, S>(z.simd_le(T::ZERO), zero, z) + zero);
        }
        Activation::LeakyRelu => map_one(simd, values, |z| {
            z * choose::<T, S>(z.simd_gt(T::ZERO), splat(simd, T::ONE), splat(simd, T::of(0.01)))
        }),
        Activation::Gelu => {
            map_one(simd, values, |z| z * logistic::<T, S>(simd, gate::<T, S>(simd, z)[0])[0])
        }
        Activation::Silu => map_one(simd, values, |z| z * logistic::<T, S>(simd, z)[0]),
        Activation::Softplus => map_one(simd, values, |z| {
            let e = exp::<T, S>(simd, -z.abs());
            choose::<T, S>(z.simd_le(T::ZERO), zero, z) + ln_1p::<T, S>(simd, e)
        }),
        Activation::Sine => map_one(simd, values, |z| sin::<T, S>(simd, z, false)),
        Activation::Exponential => map_one(simd, values, |z| {
            let most = T::of(88.0);
            exp::<T, S>(simd, choose::<T, S>(z.simd_gt(most), splat(simd, most), z))
        }),
        Activation::Squareplus => map_one(simd, values, |z| {
            let half = splat::<T, S>(simd, T::of(0.5));
            let root = (z * z + T::of(0.04)).sqrt();
            let root = half * choose::<T, S>(z.abs().simd_gt(T::of(1e9)), z.abs(), root);
            let low = splat::<T, S>(simd, T::of(0.01)) / (root - half * z);
            choose::<T, S>(z.simd_lt(T::ZERO), low, root + half * z)
        }),
        Activation::SharpSoftplus => map_one(simd, values, |z| {
            let e = exp::<T, S>(simd, -tenfold::<T, S>(simd, z).abs());
            let log = ln_1p::<T, S>(simd, e) * T::of(0.1);
            choose::<T, S>(z.simd_le(T::ZERO), zero, z) + log
        }),
        custom @ Activation::Custom(_) => values.iter_mut().for_each(|z| *z = custom.value(*z)),
    }
}

/// Multiplies each gradient by the activation's derivative, from what the forward pass saved.
pub fn derive<T: Real, S: Simd>(simd: S, f: Activation, delta: &mut [T], saved: &[T]) {
    let (zero, one) = (splat::<T, S>(simd, T::ZERO), splat::<T, S>(simd, T::ONE));
    match f {
        Activation::Identity => {}
        Activation::Sigmoid => map(simd, delta, saved, |d, y| d * (y * (one - y))),
        Activation::Tanh => map(simd, delta, saved, |d, y| d * ((one - y) * (y + T::ONE))),
        // A product, since a gradient that is not finite must not become 0.
        Activation::Relu => {
            map(simd, delta, saved, |d, y| d * choose::<T, S>(y.simd_gt(T::ZERO), one, zero))
        }
        Activation::LeakyRelu => map(simd, delta, saved, |d, y| {
            d * choose::<T, S>(y.simd_gt(T::ZERO), one, splat(simd, T::of(0.01)))
        }),
        Activation::Gelu => map(simd, delta, saved, |d, z| {
            let [u, inner] = gate::<T, S>(simd, z);
            let [on, off] = both_sides::<T, S>(simd, u);
            d * (on + z * (on * off * inner))
        }),
        Activation::Silu => map(simd, delta, saved, |d, z| {
            let [on, off] = both_sides::<T, S>(simd, z);
            d * (on + z * (on * off))
        }),
        Activation::Softplus => map(simd, delta, saved, |d, z| d * logistic::<T, S>(simd, z)[0]),
        Activation::Sine => map(simd, delta, saved, |d, z| d * sin::<T, S>(simd, z, true)),
        Activation::Exponential => map(simd, delta, saved, |d, y| d * y),
        Activation::Squareplus => map(simd, delta, saved, |d, y| {
            let square = y * y;
            d * choose::<T, S>(y.simd_gt(T::of(1e9)), one, square / (square + T::of(0.01)))
        }),
        Activation::SharpSoftplus => {
            map(simd, delta, saved, |d, z| d * logistic::<T, S>(simd, tenfold::<T, S>(simd, z))[0])
        }
        custom @ Activation::Custom(_) => {
            delta.iter_mut().zip(saved).for_each(|(d, z)| *d *= custom.derivative(*z));
        }
    }
}

/// 10 z, finite: from ±1000 on no function of it changes.
#[inline(always)]
fn tenfold<T: Real, S: Simd>(simd: S, z: Vector<T, S>) -> Vector<T, S> {
    let far = T::of(100.0);
    let z = choose::<T, S>(z.simd_gt(far), splat(simd, far), z);
    choose::<T, S>(z.simd_lt(-far), splat(simd, -far), z) * T::of(10.0)
}

/// σ(z) and σ(−z), by one exponential. Neither cancels.
#[inline(always)]
fn both_sides<T: Real, S: Simd>(simd: S, z: Vector<T, S>) -> [Vector<T, S>; 2] {
    let [on, e] = logistic::<T, S>(simd, z);
    let bottom = choose::<T, S>(z.simd_lt(T::ZERO), splat(simd, T::ONE), e);
    [on, bottom / (e + T::ONE)]
}

/// −1, 0 or 1.
#[inline(always)]
fn sign<T: Real, S: Simd>(simd: S, d: Vector<T, S>) -> Vector<T, S> {
    let [zero, one] = [T::ZERO, T::ONE].map(|value| splat::<T, S>(simd, value));
    let below = choose::<T, S>(d.simd_lt(T::ZERO), -one, zero);
    choose::<T, S>(d.simd_gt(T::ZERO), one, below)
}

/// At most 0.88 times the largest number: see `training/loss/`.
#[inline(always)]
fn bounded<T: Real, S: Simd>(simd: S, value: Vector<T, S>) -> Vector<T, S> {
    let most = T::of(0.88) * T::MAX;
    choose::<T, S>(value.simd_gt(most), splat(simd, most), value)
}

/// A tile of outputs for a loss: `[outputs, stride]`, of which `rows` columns count.
pub struct Outputs<'a, T> {
    pub stride: usize,
    pub rows: usize,
    /// What a row counts in the mean.
    pub scale: T,
    /// The loss's arguments: logits or outputs.
    pub arguments: &'a [T],
    pub targets: &'a [T],
}

impl<T: Real> Outputs<'_, T> {
    /// The tile's loss. `delta` becomes the gradient of the arguments, 0 beyond the rows. `None` for a
    /// custom loss.
    pub fn loss<S: Simd>(&self, simd: S, loss: Loss, delta: &mut [T]) -> Option<T> {
        let [half, two] = [0.5, 2.0].map(|value| splat::<T, S>(simd, T::of(value)));
        let one = splat::<T, S>(simd, T::ONE);
        Some(match loss {
            Loss::MeanSquaredError => {
                self.each(simd, delta, |y, t| [(y - t) * (y - t), two * (y - t)])
            }
            Loss::HalfSquaredError => {
                self.each(simd, delta, |y, t| [half * (y - t) * (y - t), y - t])
            }
            Loss::BinaryCrossEntropy => self.each(simd, delta, |z, t| {
                let [on, e] = logistic::<T, S>(simd, z);
                let positive = choose::<T, S>(z.simd_gt(T::ZERO), z * (one - t), -(z * t));
                [bounded::<T, S>(simd, positive) + ln_1p::<T, S>(simd, e), on - t]
            }),
            Loss::MeanAbsoluteError => {
                self.each(simd, delta, |y, t| [(y - t).abs(), sign::<T, S>(simd, y - t)])
            }
            Loss::Huber => self.each(simd, delta, |y, t| {
                let d = y - t;
                let far = d.abs().simd_gt(T::ONE);
                let value = choose::<T, S>(far, d.abs() - T::of(0.5), half * d * d);
                [value, choose::<T, S>(far, sign::<T, S>(simd, d), d)]
            }),
            Loss::RelativeL2 => self.each(simd, delta, |y, t| {
                let root = (y * y + T::of(0.01)).sqrt();
                let root = choose::<T, S>(y.abs().simd_gt(T::of(1e9)), y.abs(), root);
                let ratio = two * ((half * y - half * t) / root);
                [ratio * ratio, two * ratio / root]
            }),
            Loss::RelativeL2Luminance => self.luminance(simd, delta),
            Loss::Mape => self.each(simd, delta, |y, t| {
                let weight = one / (t.abs() + T::of(0.01));
                [(y - t).abs() * weight, sign::<T, S>(simd, y - t) * weight]
            }),
            Loss::Smape => self.each(simd, delta, |y, t| {
                let quarter = T::of(0.25);
                let denominator = y.abs() * quarter + t.abs() * quarter + T::of(0.005);
                let value = (half * y - half * t).abs() / denominator;
                [value, half * sign::<T, S>(simd, y - t) / denominator]
            }),
            Loss::OutputGradient => self.each(simd, delta, |y, g| {
                let zero = splat::<T, S>(simd, T::ZERO);
                [choose::<T, S>(g.simd_eq(T::ZERO), zero, y * g), g]
            }),
            Loss::SoftmaxCrossEntropy => self.softmax(simd, delta),
            Loss::Custom(_) => return None,
        })
    }

    /// A loss whose elements do not depend on each other: `f(argument, target)` is its value and its
    /// derivative.
    #[inline(always)]
    fn each<S: Simd>(
        &self,
        simd: S,
        delta: &mut [T],
        f: impl Fn(Vector<T, S>, Vector<T, S>) -> [Vector<T, S>; 2],
    ) -> T {
        let (width, stride) = (Vector::<T, S>::LEN, self.stride);
        simd.vectorize(
            #[inline(always)]
            || {
                let mut sum = splat::<T, S>(simd, T::ZERO);
                let lines =
                    self.arguments.chunks_exact(stride).zip(self.targets.chunks_exact(stride));
                for ((a, t), delta) in lines.zip(delta.chunks_exact_mut(stride)) {
                    for row in (0..stride).step_by(width) {
                        let [a, t] =
                            [a, t].map(|v| Vector::<T, S>::from_slice(simd, &v[row..row + width]));
                        let values = f(a, t).map(|v| self.counted(simd, row, v * self.scale));
                        sum += values[0];
                        values[1].store_slice(&mut delta[row..row + width]);
                    }
                }
                sum.reduce_sum()
            },
        )
    }

    /// The vector with zeros beyond the rows.
    #[inline(always)]
    fn counted<S: Simd>(&self, simd: S, row: usize, vector: Vector<T, S>) -> Vector<T, S> {
        if row + Vector::<T, S>::LEN <= self.rows {
            return vector;
        }
        Vector::<T, S>::from_fn(simd, |i| if row + i < self.rows { vector[i] } else { T::ZERO })
    }

    /// (y − t)² over the squared luminance of each row, in vectors of rows.
    #[inline(always)]
    fn luminance<S: Simd>(&self, simd: S, delta: &mut [T]) -> T {
        let (width, stride) = (Vector::<T, S>::LEN, self.stride);
        let counted = counted(self.arguments.len() / stride);
        let at = |from: &[T], first: usize| {
            Vector::<T, S>::from_slice(simd, &from[first..first + width])
        };
        simd.vectorize(
            #[inline(always)]
            || {
                let (zero, half) = (splat::<T, S>(simd, T::ZERO), T::of(0.5));
                let mut all = zero;
                for row in (0..stride).step_by(width) {
                    let lines = || (row..self.arguments.len()).step_by(stride);
                    let mut luminance = zero;
                    for (i, line) in lines().take(counted).enumerate() {
                        luminance += at(self.arguments, line) * T::of(HALVES[i % 3]);
                    }
                    let far = luminance.abs().simd_gt(T::of(1e9));
                    let root = (luminance * luminance + T::of(0.0025)).sqrt();
                    let root = choose::<T, S>(far, luminance.abs(), root);
                    for line in lines() {
                        let [y, t] = [self.arguments, self.targets].map(|from| at(from, line));
                        let ratio = (y * half - t * half) / root;
                        let delta = &mut delta[line..line + width];
                        self.counted(simd, row, ratio / root * self.scale).store_slice(delta);
                        all += self.counted(simd, row, ratio * ratio * self.scale);
                    }
                }
                all.reduce_sum()
            },
        )
    }

    /// −Σ t ln softmax(z) of each row, in vectors of rows.
    fn softmax<S: Simd>(&self, simd: S, delta: &mut [T]) -> T {
        let (width, stride) = (Vector::<T, S>::LEN, self.stride);
        let at = |from: &[T], first: usize| {
            Vector::<T, S>::from_slice(simd, &from[first..first + width])
        };
        simd.vectorize(
            #[inline(always)]
            || {
                let zero = splat::<T, S>(simd, T::ZERO);
                let mut all = zero;
                for row in (0..stride).step_by(width) {
                    let lines = || (row..self.arguments.len()).step_by(stride);
                    let mut most = splat::<T, S>(simd, -T::MAX);
                    for line in lines() {
                        let z = at(self.arguments, line);
                        most = choose::<T, S>(z.simd_le(most), most, z);
                    }
                    let (mut sum, mut targets) = (zero, zero);
                    for line in lines() {
                        let e = exp::<T, S>(simd, at(self.arguments, line) - most);
                        sum += e;
                        targets += at(self.targets, line);
                        e.store_slice(&mut delta[line..line + width]);
                    }
                    let (log, weight) = (ln::<T, S>(simd, sum), targets / sum);
                    for line in lines() {
                        let [z, t] = [self.arguments, self.targets].map(|from| at(from, line));
                        let delta = &mut delta[line..line + width];
                        let slope = Vector::<T, S>::from_slice(simd, delta) * weight - t;
                        self.counted(simd, row, slope * self.scale).store_slice(delta);
                        let value = log + bounded::<T, S>(simd, most - z);
                        all += self.counted(simd, row, t * self.scale * value);
                    }
                }
                all.reduce_sum()
            },
        )
    }
}
