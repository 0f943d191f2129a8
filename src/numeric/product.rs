//! The CPU's matrix product, by `matrixmultiply`, on all cores where it pays.

use crate::numeric::Real;

/// A matrix of `rows` × `columns`, row-major; where `transposed`, its storage is that of the
/// transpose.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub values: &'a [T],
    pub rows: usize,
    pub columns: usize,
    pub transposed: bool,
}

impl<'a, T: Real> Matrix<'a, T> {
    pub const fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, transposed: false }
    }

    /// The matrix stored as `rows` × `columns`, transposed.
    pub const fn transposed(values: &'a [T], rows: usize, columns: usize) -> Self {
        Self { values, rows: columns, columns: rows, transposed: true }
    }

    fn strides(&self) -> (usize, usize) {
        if self.transposed { (1, self.rows) } else { (self.columns, 1) }
    }
}

/// Multiply-adds below which a product is not worth a second core.
#[cfg(feature = "threads")]
const PARALLEL: usize = 1 << 18;

/// `c` = a · b, or `c` + a · b; `c` is row-major, `a.rows` × `b.columns`. On all cores where it pays.
pub(crate) fn product<T: Real>(a: Matrix<'_, T>, b: Matrix<'_, T>, add: bool, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let fits = b.rows == k && a.values.len() == m * k && b.values.len() == k * n;
    assert!(fits && c.len() == m * n && m * k * n > 0, "the callers check the shapes");
    #[cfg(feature = "threads")]
    {
        let threads = rayon::current_num_threads();
        if threads > 1 && m > 1 && m.saturating_mul(k).saturating_mul(n) >= PARALLEL {
            use rayon::prelude::*;
            // Panels of rows: each result is computed by one core, in the same order as by one.
            let panel = m.div_ceil(threads).next_multiple_of(8);
            c.par_chunks_mut(panel * n)
                .enumerate()
                .for_each(|(i, c)| rows(a, b, add, i * panel, c));
            return;
        }
    }
    rows(a, b, add, 0, c);
}

/// The rows of a · b from `first` on that `c` has room for.
fn rows<T: Real>(a: Matrix<'_, T>, b: Matrix<'_, T>, add: bool, first: usize, c: &mut [T]) {
    let (k, n) = (a.columns, b.columns);
    let ((a_row, a_column), (b_row, b_column)) = (a.strides(), b.strides());
    let stride = |s: usize| s.cast_signed();
    let beta = if add { T::ONE } else { T::ZERO };
    // SAFETY: `product` checked that `a` holds rows × k elements, `b` k × n, both under the strides
    // given, and `c` holds whole rows of n; `first` plus those rows is at most the rows of `a`.
    unsafe {
        T::gemm(
            c.len() / n,
            k,
            n,
            a.values.as_ptr().add(first * a_row),
            (stride(a_row), stride(a_column)),
            b.values.as_ptr(),
            (stride(b_row), stride(b_column)),
            beta,
            c.as_mut_ptr(),
            (stride(n), 1),
        );
    }
}
