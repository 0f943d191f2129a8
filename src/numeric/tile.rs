//! Products on tiles: matrices whose lines are padded to whole lines of the cache.
//!
//! A tile holds some rows of a batch as `[units, stride]`: each unit's values of all rows lie side by
//! side. The loops over rows are vectors, and everything stays in the cache.

use crate::numeric::Real;
use crate::numeric::vector::{Vector, splat};
use fearless_simd::{Simd, SimdBase, SimdFloat};
use std::ops::Range;

/// c = start + a · b for `a` `[m, k]`, `c` `[m, columns]` and `b` `[k, columns]`, whose lines are
/// `a_row`, `c_row` and `b_row` elements apart. The lines of `b` are whole vectors, also where
/// `columns` is none.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a, T> {
    pub m: usize,
    pub k: usize,
    pub columns: usize,
    pub a: &'a [T],
    pub a_row: usize,
    pub b: &'a [T],
    pub b_row: usize,
    pub c_row: usize,
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, T> {
    Zero,
    /// A number for each line.
    Bias(&'a [T]),
    /// What the result held.
    Add,
}

/// Terms of a sum that are computed at a time: their part of two vectors of `b` stays in the nearest
/// cache, while `a` streams by.
const TERMS: usize = 256;
/// Elements of `b` that stay in the nearest cache. Where sums have few terms, a panel of many columns
/// fits, and the results are stored along their lines.
const PANEL: usize = 6 << 10;
/// Lines of a block of the result. With two vectors each they fill 12 of 16 registers.
const LINES: usize = 6;

impl<T: Real> Product<'_, T> {
    /// Computes the product.
    pub fn run<S: Simd>(&self, simd: S, start: Start<'_, T>, c: &mut [T]) {
        let width = Vector::<T, S>::LEN;
        simd.vectorize(
            #[inline(always)]
            || {
                for term in (0..self.k).step_by(TERMS) {
                    let start = if term == 0 { start } else { Start::Add };
                    let terms = TERMS.min(self.k - term);
                    let panel = (PANEL / terms / (2 * width)).max(1) * 2 * width;
                    for first in (0..self.columns).step_by(panel) {
                        let end = (first + panel).min(self.columns);
                        self.panel(simd, term, first..end, start, c);
                    }
                }
            },
        );
    }

    /// Some terms of some columns of all lines.
    #[inline(always)]
    fn panel<S: Simd>(
        &self,
        simd: S,
        term: usize,
        columns: Range<usize>,
        start: Start<'_, T>,
        c: &mut [T],
    ) {
        for line in (0..self.m).step_by(LINES) {
            let (at, columns) = ([term, line], columns.clone());
            match self.m - line {
                1 => self.lines::<S, 1>(simd, at, columns, start, c),
                2 => self.lines::<S, 2>(simd, at, columns, start, c),
                3 => self.lines::<S, 3>(simd, at, columns, start, c),
                4 => self.lines::<S, 4>(simd, at, columns, start, c),
                5 => self.lines::<S, 5>(simd, at, columns, start, c),
                _ => self.lines::<S, LINES>(simd, at, columns, start, c),
            }
        }
    }

    /// Some terms of some columns of M lines.
    #[inline(always)]
    fn lines<S: Simd, const M: usize>(
        &self,
        simd: S,
        [term, line]: [usize; 2],
        columns: Range<usize>,
        start: Start<'_, T>,
        c: &mut [T],
    ) {
        let width = Vector::<T, S>::LEN;
        let end = columns.end;
        for column in columns.step_by(2 * width) {
            if end - column > width {
                self.block::<S, M, 2>(simd, [term, column], line, start, c);
            } else {
                self.block::<S, M, 1>(simd, [term, column], line, start, c);
            }
        }
    }

    /// Some terms of N vectors of M lines.
    #[inline(always)]
    fn block<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        [term, column]: [usize; 2],
        line: usize,
        start: Start<'_, T>,
        c: &mut [T],
    ) {
        let width = Vector::<T, S>::LEN;
        let (terms, columns) = (TERMS.min(self.k - term), self.columns - column);
        let b = &self.b[term * self.b_row + column..];
        let a: [&[T]; M] = std::array::from_fn(|i| {
            let first = (line + i) * self.a_row + term;
            &self.a[first..first + terms]
        });
        let c = &mut c[line * self.c_row + column..];
        let mut sums = [[splat::<T, S>(simd, T::ZERO); N]; M];
        if let Start::Bias(bias) = start {
            for (sums, bias) in sums.iter_mut().zip(&bias[line..]) {
                *sums = [splat(simd, *bias); N];
            }
        }
        for k in 0..terms {
            let line = &b[k * self.b_row..][..N * width];
            let b: [Vector<T, S>; N] = std::array::from_fn(|j| {
                Vector::<T, S>::from_slice(simd, &line[j * width..(j + 1) * width])
            });
            for (sums, a) in sums.iter_mut().zip(a) {
                let a = splat::<T, S>(simd, a[k]);
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = a.mul_add(b, *sum);
                }
            }
        }
        let adds = matches!(start, Start::Add);
        for (i, sums) in sums.iter().enumerate() {
            let line = &mut c[i * self.c_row..][..columns.min(N * width)];
            for (sum, part) in sums.iter().zip(line.chunks_mut(width)) {
                if part.len() == width {
                    let sum =
                        if adds { *sum + Vector::<T, S>::from_slice(simd, part) } else { *sum };
                    sum.store_slice(part);
                } else {
                    for (c, sum) in part.iter_mut().zip(sum.as_slice()) {
                        *c = if adds { *c + *sum } else { *sum };
                    }
                }
            }
        }
    }
}

/// Adds Σ over rows of d · x to `weight` `[units, inputs]`, for `d` `[units, stride]` and `x`
/// `[inputs, stride]` of few inputs: the sums lie along the rows.
pub(crate) fn add_products<T: Real, S: Simd>(
    simd: S,
    stride: usize,
    d: &[T],
    x: &[T],
    weight: &mut [T],
) {
    let [units, inputs] = [d.len() / stride, x.len() / stride];
    simd.vectorize(
        #[inline(always)]
        || {
            for unit in (0..units).step_by(4) {
                for input in (0..inputs).step_by(2) {
                    let (d, x) = (&d[unit * stride..], &x[input * stride..]);
                    let to = &mut weight[unit * inputs + input..];
                    match ((units - unit).min(4), inputs - input) {
                        (1, 1) => sums::<T, S, 1, 1>(simd, stride, d, x, to, inputs),
                        (2, 1) => sums::<T, S, 2, 1>(simd, stride, d, x, to, inputs),
                        (3, 1) => sums::<T, S, 3, 1>(simd, stride, d, x, to, inputs),
                        (_, 1) => sums::<T, S, 4, 1>(simd, stride, d, x, to, inputs),
                        (1, _) => sums::<T, S, 1, 2>(simd, stride, d, x, to, inputs),
                        (2, _) => sums::<T, S, 2, 2>(simd, stride, d, x, to, inputs),
                        (3, _) => sums::<T, S, 3, 2>(simd, stride, d, x, to, inputs),
                        _ => sums::<T, S, 4, 2>(simd, stride, d, x, to, inputs),
                    }
                }
            }
        },
    );
}

/// A block of [`add_products`]: U units, I inputs.
#[inline(always)]
fn sums<T: Real, S: Simd, const U: usize, const I: usize>(
    simd: S,
    stride: usize,
    d: &[T],
    x: &[T],
    weight: &mut [T],
    inputs: usize,
) {
    let width = Vector::<T, S>::LEN;
    let d: [&[T]; U] = std::array::from_fn(|u| &d[u * stride..(u + 1) * stride]);
    let x: [&[T]; I] = std::array::from_fn(|i| &x[i * stride..(i + 1) * stride]);
    let mut sums = [[splat::<T, S>(simd, T::ZERO); I]; U];
    for row in (0..stride).step_by(width) {
        let x: [Vector<T, S>; I] =
            std::array::from_fn(|i| Vector::<T, S>::from_slice(simd, &x[i][row..row + width]));
        for (sums, d) in sums.iter_mut().zip(d) {
            let d = Vector::<T, S>::from_slice(simd, &d[row..row + width]);
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = d.mul_add(x, *sum);
            }
        }
    }
    for (u, sums) in sums.iter().enumerate() {
        for (i, sum) in sums.iter().enumerate() {
            weight[u * inputs + i] += sum.reduce_sum();
        }
    }
}

/// Adds the sums of the lines of `d` `[units, stride]` to `bias`.
pub(crate) fn add_lines<T: Real, S: Simd>(simd: S, stride: usize, d: &[T], bias: &mut [T]) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (d, bias) in d.chunks_exact(stride).zip(bias) {
                let mut sums = [splat::<T, S>(simd, T::ZERO); 2];
                for (i, d) in d.chunks_exact(Vector::<T, S>::LEN).enumerate() {
                    sums[i % 2] += Vector::<T, S>::from_slice(simd, d);
                }
                *bias += (sums[0] + sums[1]).reduce_sum();
            }
        },
    );
}

/// `to` `[rows, to_row]` becomes the transpose of `from` `[lines, from_row]`, of which `rows` columns
/// count. Both have whole cache lines in a row, and what is beyond `lines` in a row of `to` stays.
pub(crate) fn transpose<T: Real, S: Simd>(
    simd: S,
    [lines, rows]: [usize; 2],
    (from, from_row): (&[T], usize),
    (to, to_row): (&mut [T], usize),
) {
    let width = Vector::<T, S>::LEN;
    let whole = |size: usize| size / width * width;
    simd.vectorize(
        #[inline(always)]
        || {
            for line in (0..whole(lines)).step_by(width) {
                for row in (0..whole(rows)).step_by(width) {
                    let zero = splat::<T, S>(simd, T::ZERO);
                    let (mut square, mut next) = ([zero; 16], [zero; 16]);
                    for (i, vector) in square[..width].iter_mut().enumerate() {
                        let first = (line + i) * from_row + row;
                        *vector = Vector::<T, S>::from_slice(simd, &from[first..first + width]);
                    }
                    // Each round moves one bit of the line's number to the row's.
                    for _ in 0..width.ilog2() {
                        for i in 0..width / 2 {
                            (next[2 * i], next[2 * i + 1]) =
                                square[i].interleave(square[i + width / 2]);
                        }
                        square = next;
                    }
                    for (i, vector) in square[..width].iter().enumerate() {
                        let first = (row + i) * to_row + line;
                        vector.store_slice(&mut to[first..first + width]);
                    }
                }
            }
        },
    );
    for line in 0..lines {
        let done = if line < whole(lines) { whole(rows) } else { 0 };
        for row in done..rows {
            to[row * to_row + line] = from[line * from_row + row];
        }
    }
}
