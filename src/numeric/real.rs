//! The two number types of the CPU path.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// `f32` or `f64`: what the CPU path and the kernels' references compute in.
///
/// The trait is sealed.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + bytemuck::Pod
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + sealed::Sealed
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The largest finite number.
    const MAX: Self;
    /// The nearest number.
    fn of(value: f64) -> Self;
    /// The number as `f64`, exactly.
    fn to_f64(self) -> f64;
    /// Neither NaN nor infinite.
    fn is_finite(self) -> bool;
    /// |x|.
    fn abs(self) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// eˣ − 1.
    fn exp_m1(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// ln(1 + x).
    fn ln_1p(self) -> Self;
    /// √x.
    fn sqrt(self) -> Self;
    /// sin x.
    fn sin(self) -> Self;
    /// cos x.
    fn cos(self) -> Self;
    /// tanh x.
    fn tanh(self) -> Self;
    /// The largest whole number that is not larger.
    fn floor(self) -> Self;
    /// The smaller one; `other` where `self` is NaN.
    fn min(self, other: Self) -> Self;
    /// The larger one; `other` where `self` is NaN.
    fn max(self, other: Self) -> Self;

    /// `c = a · b + beta · c` on one core, with `(row, column)` strides in elements.
    ///
    /// # Safety
    /// Each pointer must be valid for every element that its sizes and strides reach, `c` for
    /// writing too, and no two elements of `c` may share a place.
    #[doc(hidden)]
    #[allow(clippy::too_many_arguments)]
    unsafe fn gemm(
        m: usize,
        k: usize,
        n: usize,
        a: *const Self,
        a_strides: (isize, isize),
        b: *const Self,
        b_strides: (isize, isize),
        beta: Self,
        c: *mut Self,
        c_strides: (isize, isize),
    );
}

mod sealed {
    pub trait Sealed: crate::numeric::vector::Lane {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

macro_rules! real {
    ($t:ident, $gemm:ident) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const MAX: Self = $t::MAX;
            fn of(value: f64) -> Self {
                value as $t
            }
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
            fn abs(self) -> Self {
                $t::abs(self)
            }
            fn exp(self) -> Self {
                $t::exp(self)
            }
            fn exp_m1(self) -> Self {
                $t::exp_m1(self)
            }
            fn ln(self) -> Self {
                $t::ln(self)
            }
            fn ln_1p(self) -> Self {
                $t::ln_1p(self)
            }
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            fn sin(self) -> Self {
                $t::sin(self)
            }
            fn cos(self) -> Self {
                $t::cos(self)
            }
            fn tanh(self) -> Self {
                $t::tanh(self)
            }
            fn floor(self) -> Self {
                $t::floor(self)
            }
            fn min(self, other: Self) -> Self {
                $t::min(self, other)
            }
            fn max(self, other: Self) -> Self {
                $t::max(self, other)
            }
            unsafe fn gemm(
                m: usize,
                k: usize,
                n: usize,
                a: *const Self,
                (a_row, a_column): (isize, isize),
                b: *const Self,
                (b_row, b_column): (isize, isize),
                beta: Self,
                c: *mut Self,
                (c_row, c_column): (isize, isize),
            ) {
                // SAFETY: the caller's promise is the library's own.
                unsafe {
                    matrixmultiply::$gemm(
                        m, k, n, 1.0, a, a_row, a_column, b, b_row, b_column, beta, c, c_row,
                        c_column,
                    );
                }
            }
        }
    };
}

real!(f32, sgemm);
real!(f64, dgemm);
