//! Vectors as wide as the processor's, chosen when the program runs.

use crate::numeric::Real;
use bytemuck::{Pod, Zeroable};
use fearless_simd::{Simd, SimdBase, SimdFloat, SimdFloatElement, SimdMask};
use std::ops::{Deref, DerefMut};

/// A vector of the processor's own width.
pub(crate) type Vector<T, S> = <T as SimdFloatElement>::Native<S>;

/// What the functions of a vector need of `f32` and `f64`.
pub trait Lane: SimdFloatElement {
    /// Bits of the fraction.
    const FRACTION: u32;
    /// The bits of 1.
    const ONE_BITS: Self::Bits;
    /// Bits that [`Lane::exponent`] subtracts, so that a fraction lies in √½ to √2.
    const ROOT_HALF_BITS: Self::Bits;
    /// 1.5 · 2^[`Lane::FRACTION`]: added to a number of moderate size, it rounds to an integer.
    const ROUNDER: Self;
    /// The least x for which eˣ is computed and not 0.
    const LOWEST: Self;
    /// ln 2 in two parts. The first has so few bits that its products with exponents are exact.
    const LN_2: [Self; 2];
    /// π/2 in three such parts.
    const HALF_PI: [Self; 3];
    /// The largest |x| whose sine is computed by those parts.
    const REDUCIBLE: Self;
    /// Terms of the Taylor series of eˣ on ±½ ln 2, of artanh on ±0.172, and of the sine on ±π/4.
    const TERMS: [usize; 3];
}

impl Lane for f32 {
    const FRACTION: u32 = 23;
    const ONE_BITS: u32 = 0x3f80_0000;
    const ROOT_HALF_BITS: u32 = 0x3f35_04f3;
    const ROUNDER: Self = 12_582_912.0;
    const LOWEST: Self = -87.0;
    const LN_2: [Self; 2] = [0.693_359_4, -2.121_944_4e-4];
    const HALF_PI: [Self; 3] = [1.570_312_5, 4.837_513e-4, 7.549_79e-8];
    const REDUCIBLE: Self = 4096.0;
    const TERMS: [usize; 3] = [7, 5, 5];
}

impl Lane for f64 {
    const FRACTION: u32 = 52;
    const ONE_BITS: u64 = 0x3ff0_0000_0000_0000;
    const ROOT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
    const ROUNDER: Self = 6_755_399_441_055_744.0;
    const LOWEST: Self = -708.0;
    const LN_2: [Self; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    const HALF_PI: [Self; 3] =
        [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];
    const REDUCIBLE: Self = 1_000_000.0;
    const TERMS: [usize; 3] = [14, 11, 9];
}

/// 1/k!.
const INVERSE_FACTORIALS: [f64; 20] = {
    let (mut all, mut k) = ([1.0; 20], 2);
    while k < all.len() {
        all[k] = all[k - 1] / crate::numeric::count(k);
        k += 1;
    }
    all
};

/// 2 / (2k + 1).
const ARTANH: [f64; 12] = {
    let (mut all, mut k) = ([2.0; 12], 1);
    while k < all.len() {
        all[k] = 2.0 / crate::numeric::count(2 * k + 1);
        k += 1;
    }
    all
};

/// Σ c(k) xᵏ for k below `terms`.
#[inline(always)]
fn series<T: Real, S: Simd>(
    simd: S,
    x: Vector<T, S>,
    terms: usize,
    c: impl Fn(usize) -> f64,
) -> Vector<T, S> {
    let mut sum = splat(simd, T::of(c(terms - 1)));
    for k in (0..terms - 1).rev() {
        sum = sum.mul_add(x, splat(simd, T::of(c(k))));
    }
    sum
}

#[inline(always)]
pub(crate) fn splat<T: Real, S: Simd>(simd: S, value: T) -> Vector<T, S> {
    Vector::<T, S>::splat(simd, value)
}

/// `yes` where the mask is set, else `no`. A choice that is stored where one of the two was loaded is
/// compiled to a masked store, which takes an AMD processor about twenty cycles.
#[inline(always)]
pub(crate) fn choose<T: Real, S: Simd>(
    mask: <Vector<T, S> as SimdBase<S>>::Mask,
    yes: Vector<T, S>,
    no: Vector<T, S>,
) -> Vector<T, S> {
    fearless_simd::Select::select(mask, yes, no)
}

/// 2ⁿ − 1 and 2ⁿ of x = n ln 2 + r, and eʳ − 1: what eˣ and eˣ − 1 are made of, for x ≤ 0.
#[inline(always)]
fn exp_parts<T: Real, S: Simd>(simd: S, x: Vector<T, S>) -> [Vector<T, S>; 2] {
    let tiny = x.simd_lt(T::LOWEST);
    let clamped = choose::<T, S>(tiny, splat(simd, T::LOWEST), x);
    let rounded = clamped.mul_add(T::of(std::f64::consts::LOG2_E), splat::<T, S>(simd, T::ROUNDER));
    let n = rounded - T::ROUNDER;
    let r = (-n).mul_add(T::LN_2[0], clamped);
    let r = (-n).mul_add(T::LN_2[1], r);
    // The integer n stands in the lowest bits of `rounded`.
    let power = (rounded.to_bits() << T::FRACTION) + T::ONE_BITS;
    let power = choose::<T, S>(tiny, splat(simd, T::ZERO), Vector::<T, S>::from_bits(power));
    let rest = series::<T, S>(simd, r, T::TERMS[0] - 1, |k| INVERSE_FACTORIALS[k + 2]);
    [power, (r * r).mul_add(rest, r)]
}

/// eˣ for x ≤ 0; 0 below [`Lane::LOWEST`].
#[inline(always)]
pub(crate) fn exp<T: Real, S: Simd>(simd: S, x: Vector<T, S>) -> Vector<T, S> {
    let [power, rest] = exp_parts::<T, S>(simd, x);
    rest.mul_add(power, power)
}

/// 1 / (1 + e⁻ᶻ), with e^−|z|, which it is made of.
#[inline(always)]
pub(crate) fn logistic<T: Real, S: Simd>(simd: S, z: Vector<T, S>) -> [Vector<T, S>; 2] {
    let e = exp::<T, S>(simd, -z.abs());
    let top = choose::<T, S>(z.simd_lt(T::ZERO), e, splat(simd, T::ONE));
    [top / (e + T::ONE), e]
}

/// tanh z, by e^(−2|z|) − 1, which does not cancel.
#[inline(always)]
pub(crate) fn tanh<T: Real, S: Simd>(simd: S, z: Vector<T, S>) -> Vector<T, S> {
    let [power, rest] = exp_parts::<T, S>(simd, z.abs() * T::of(-2.0));
    let e = rest.mul_add(power, power - T::ONE);
    (-e / (e + T::of(2.0))).copysign(z)
}

/// 2 artanh(top / below) for quotients of ±0.172.
#[inline(always)]
fn twice_artanh<T: Real, S: Simd>(simd: S, top: Vector<T, S>, below: Vector<T, S>) -> Vector<T, S> {
    let s = top / below;
    let square = s * s;
    let rest = series::<T, S>(simd, square, T::TERMS[1] - 1, |k| ARTANH[k + 1]);
    (s * square).mul_add(rest, s + s)
}

/// ln(1 + e) for e from 0 to 1.
#[inline(always)]
pub(crate) fn ln_1p<T: Real, S: Simd>(simd: S, e: Vector<T, S>) -> Vector<T, S> {
    // Beyond √2 it is ln 2 + ln((1 + e) / 2).
    let far = e.simd_gt(T::of(std::f64::consts::SQRT_2 - 1.0));
    let top = choose::<T, S>(far, e - T::ONE, e);
    let below = choose::<T, S>(far, e + T::of(3.0), e + T::of(2.0));
    let offset =
        choose::<T, S>(far, splat(simd, T::of(std::f64::consts::LN_2)), splat(simd, T::ZERO));
    offset + twice_artanh::<T, S>(simd, top, below)
}

/// ln x for finite x of 1 or more.
#[inline(always)]
pub(crate) fn ln<T: Real, S: Simd>(simd: S, x: Vector<T, S>) -> Vector<T, S> {
    let bits = x.to_bits();
    // A whole number n in the upper bits, so that x / 2ⁿ lies in √½ to √2.
    let n = (bits - T::ROOT_HALF_BITS) >> T::FRACTION;
    let fraction = Vector::<T, S>::from_bits(bits - (n << T::FRACTION));
    let rounder = splat::<T, S>(simd, T::ROUNDER);
    let n = Vector::<T, S>::from_bits(rounder.to_bits() + n) - rounder;
    let small = twice_artanh::<T, S>(simd, fraction - T::ONE, fraction + T::ONE);
    // A NaN stays one.
    n.mul_add(T::of(std::f64::consts::LN_2), small + x * T::ZERO)
}

/// sin z, or cos z.
#[inline(always)]
pub(crate) fn sin<T: Real, S: Simd>(simd: S, z: Vector<T, S>, cosine: bool) -> Vector<T, S> {
    if !z.abs().simd_le(T::REDUCIBLE).all_true() {
        // The library reduces any argument exactly.
        return Vector::<T, S>::from_fn(simd, |i| {
            if cosine { Real::cos(z[i]) } else { Real::sin(z[i]) }
        });
    }
    let rounder = splat::<T, S>(simd, T::ROUNDER);
    let mut n = z.mul_add(T::of(std::f64::consts::FRAC_2_PI), rounder) - rounder;
    let r = T::HALF_PI.iter().fold(z, |r, part| (-n).mul_add(*part, r));
    if cosine {
        n += T::ONE;
    }
    // n = 4 i + 2 negative + odd quarters of a turn.
    let half = (n * T::of(0.5)).floor();
    let odd = (n - (half + half)).simd_gt(T::ZERO);
    let quarter = (half * T::of(0.5)).floor();
    let negative = (half - (quarter + quarter)).simd_gt(T::ZERO);
    let square = -(r * r);
    let sine = r * series::<T, S>(simd, square, T::TERMS[2], |k| INVERSE_FACTORIALS[2 * k + 1]);
    let cosine = series::<T, S>(simd, square, T::TERMS[2] + 1, |k| INVERSE_FACTORIALS[2 * k]);
    let value = choose::<T, S>(odd, cosine, sine);
    choose::<T, S>(negative, -value, value)
}

/// 64 bytes: a line of the processor's cache, and its widest vector.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Numbers that begin where a line of the cache does.
#[derive(Clone, Default)]
pub(crate) struct Aligned<T> {
    lines: Vec<Line>,
    numbers: std::marker::PhantomData<T>,
}

impl<T: Real> Aligned<T> {
    /// Numbers of a line. Rows of a tile are padded to whole lines.
    pub const LINE: usize = 64 / size_of::<T>();

    /// At least `count` zeros.
    pub fn zeros(count: usize) -> Self {
        let lines = vec![Line([0; 64]); count.div_ceil(Self::LINE)];
        Self { lines, numbers: std::marker::PhantomData }
    }
}

impl<T: Real> Deref for Aligned<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.lines)
    }
}

impl<T: Real> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }
}

impl<T> std::fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} lines", self.lines.len())
    }
}
