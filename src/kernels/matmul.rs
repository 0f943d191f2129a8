//! The batched matrix product `C[m] = f(op(A[m]) · op(B[m]) + bias[m])`.

use super::{Dispatch, Kernel, Slot, Variant, kernel};
use crate::cast::{to_u32, wide};
use crate::error::check_shape;
use crate::{Activation, Error, Gpu, Real, Result, Target};

/// `shaders/matmul.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "matmul",
    Parameters,
    [],
    [
        Slot::uniform("params"),
        Slot::read("a"),
        Slot::read("b"),
        Slot::read("extra"),
        Slot::write("c"),
    ]
);

parameters! {
    /// Sizes, and where each operand's elements lie: element (m, i, k) of op(A) is
    /// `a[a_offset + m · a_model + i · a_row + k · a_inner]`, and so for the others.
    Parameters {
        /// Rows of C.
        rows: u32,
        /// Columns of C, the one of ones included.
        columns: u32,
        /// Models.
        models: u32,
        /// The first term of the sums.
        inner_begin: u32,
        /// One past the last term.
        inner_end: u32,
        /// Into how many partial sums each sum is cut.
        splits: u32,
        /// Terms of a partial sum.
        chunk: u32,
        /// The first tile of this dispatch.
        first_tile: u32,
        /// Tiles of this dispatch.
        tiles: u32,
        /// A's first element.
        a_offset: u32,
        /// From model to model of A; 0 shares it.
        a_model: u32,
        /// From row to row of op(A).
        a_row: u32,
        /// From column to column of op(A).
        a_inner: u32,
        /// B's first element.
        b_offset: u32,
        /// From model to model of B; 0 shares it.
        b_model: u32,
        /// From row to row of op(B).
        b_inner: u32,
        /// From column to column of op(B).
        b_column: u32,
        /// The first element of the bias, or of what was saved.
        extra_offset: u32,
        /// From model to model of it.
        extra_model: u32,
        /// From row to row of it.
        extra_row: u32,
        /// From column to column of it.
        extra_column: u32,
        /// C's first element.
        c_offset: u32,
        /// From model to model of C.
        c_model: u32,
        /// From partial sum to partial sum of C.
        c_split: u32,
        /// From row to row of C.
        c_row: u32,
        /// From an element of C to its saved pre-activation.
        saved_offset: u32,
        /// 1 where op(B) has one more column, of ones: the sums of op(A)'s rows.
        ones_column: u32,
        /// Where those sums go, from C's first element.
        ones_offset: u32,
        /// 1 where C's values are added to.
        accumulate: u32,
    }
}

/// Terms of a sum in one dispatch: llvmpipe ends an invocation's loops after 65,535 iterations.
const MAX_INNER: usize = 32_768;

/// Multiply-adds of one dispatch: a tenth of a second on a GPU of 0.2 TFLOP/s, far from the two
/// seconds after which drivers reset a GPU.
const MAX_WORK: u64 = 1 << 33;

/// What becomes of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epilogue {
    /// Nothing.
    Sum,
    /// f(sum + bias), the sum itself kept as well or not.
    Activation(Activation, bool),
    /// sum · f′, from what the forward pass saved.
    Gradient(Activation),
}

impl Epilogue {
    fn variant(self) -> Variant {
        let (number, activation, save) = match self {
            Self::Sum => (0.0, Activation::Identity, 0.0),
            Self::Activation(activation, save) => (1.0, activation, f64::from(u8::from(save))),
            Self::Gradient(activation) => (2.0, activation, 0.0),
        };
        Variant {
            pieces: vec![activation.wgsl()],
            glue: activation.glue(),
            constants: vec![("EPILOGUE", number), ("SAVE", save)],
            ..Variant::default()
        }
    }
}

/// The dispatches of one product: several where a sum is long or the work is much.
///
/// `p` gives the operands; the fields that say which part of the work a dispatch does are filled
/// in here. `chunk` is 0 where the sums are not split.
pub(crate) fn dispatches(
    p: Parameters,
    inner: usize,
    epilogue: Epilogue,
    target: &Target,
) -> Result<Vec<Dispatch>> {
    let _ = target;
    let splits = p.splits.max(1);
    let chunk = if splits == 1 { inner } else { p.chunk as usize };
    let tiles = u64::from(p.rows.div_ceil(4))
        * u64::from(p.columns.div_ceil(4))
        * u64::from(splits)
        * u64::from(p.models);
    to_u32("the number of tiles of a matrix product", tiles)?;
    let mut result = Vec::new();
    let mut begin = 0;
    while begin < inner {
        // A split sum is short enough already: the plan chooses its chunk.
        let end = if splits == 1 { inner.min(begin + MAX_INNER) } else { inner };
        let terms = wide(chunk.min(end - begin));
        let most = (MAX_WORK / (16 * terms)).max(1);
        let last = end == inner;
        let mut first_tile = 0;
        while first_tile < tiles {
            let part = Parameters {
                inner_begin: to_u32("terms", wide(begin))?,
                inner_end: to_u32("terms", wide(end))?,
                splits,
                chunk: to_u32("terms", wide(chunk))?,
                first_tile: to_u32("tiles", first_tile)?,
                tiles: to_u32("tiles", most.min(tiles - first_tile))?,
                accumulate: u32::from(begin > 0),
                ..p
            };
            let results = 16 * u64::from(part.tiles);
            let share = |elements: u64| elements * u64::from(part.tiles) / tiles;
            let (rows, columns) = (u64::from(p.rows), u64::from(p.columns));
            let models = u64::from(p.models);
            let operand = |model: u32, size: u64| if model == 0 { size } else { models * size };
            let extra = match epilogue {
                Epilogue::Sum => 0,
                Epilogue::Activation(..) => models * columns,
                Epilogue::Gradient(_) => models * rows * columns,
            };
            let read = operand(p.a_model, rows * wide(end - begin))
                + operand(p.b_model, columns * wide(end - begin))
                + extra;
            let copies = if matches!(epilogue, Epilogue::Activation(_, true)) { 2 } else { 1 };
            let written = copies * models * u64::from(splits) * rows * columns;
            let dispatch = Dispatch::over(&KERNEL, &part, u64::from(part.tiles))
                .with(if last { epilogue } else { Epilogue::Sum }.variant())
                .costing(
                    share(read),
                    share(written),
                    share(2 * models * rows * columns * wide(end - begin)).min(2 * results * terms),
                );
            result.push(dispatch);
            first_tile += most;
        }
        begin = end;
    }
    Ok(result)
}

/// A batched matrix product, described: `models` products of op(A) `[rows, inner]` and op(B)
/// `[inner, columns]`, all row-major.
///
/// ```no_run
/// use wgrad::{Activation, Gpu, kernels::Matmul};
/// let gpu = Gpu::new()?;
/// // Eight products that share B, as a layer of eight networks would: tanh(A · Bᵀ + bias).
/// let layer = Matmul::new(100, 16, 3).models(8).shared_b().transposed_b().epilogue(Activation::Tanh);
/// let (a, b, bias) = (vec![0.5; 8 * 100 * 3], vec![0.1; 16 * 3], vec![0.0; 8 * 16]);
/// assert_eq!(layer.run(&gpu, &a, &b, &bias)?.len(), 8 * 100 * 16);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matmul {
    rows: usize,
    columns: usize,
    inner: usize,
    models: usize,
    transpose: [bool; 2],
    shared: [bool; 2],
    activation: Option<Activation>,
}

impl Matmul {
    /// One product C `[rows, columns]` = A `[rows, inner]` · B `[inner, columns]`.
    pub const fn new(rows: usize, columns: usize, inner: usize) -> Self {
        Self {
            rows,
            columns,
            inner,
            models: 1,
            transpose: [false; 2],
            shared: [false; 2],
            activation: None,
        }
    }

    /// As many products, side by side.
    #[must_use]
    pub const fn models(mut self, models: usize) -> Self {
        self.models = models;
        self
    }

    /// A is stored transposed, `[inner, rows]`.
    #[must_use]
    pub const fn transposed_a(mut self) -> Self {
        self.transpose[0] = true;
        self
    }

    /// B is stored transposed, `[columns, inner]`.
    #[must_use]
    pub const fn transposed_b(mut self) -> Self {
        self.transpose[1] = true;
        self
    }

    /// All models share one A: its batch stride is 0.
    #[must_use]
    pub const fn shared_a(mut self) -> Self {
        self.shared[0] = true;
        self
    }

    /// All models share one B: its batch stride is 0.
    #[must_use]
    pub const fn shared_b(mut self) -> Self {
        self.shared[1] = true;
        self
    }

    /// C = activation(A · B + bias), with a bias of `[models, columns]`.
    #[must_use]
    pub const fn epilogue(mut self, activation: Activation) -> Self {
        self.activation = Some(activation);
        self
    }

    /// The lengths of A, B, bias and C.
    fn shapes(&self) -> [Vec<usize>; 4] {
        let models = |shared: bool| if shared { 1 } else { self.models };
        let pair = |swap: bool, r: usize, c: usize| if swap { [c, r] } else { [r, c] };
        let [a, b] = [
            pair(self.transpose[0], self.rows, self.inner),
            pair(self.transpose[1], self.inner, self.columns),
        ];
        let bias = if self.activation.is_some() { self.models * self.columns } else { 0 };
        [
            [&[models(self.shared[0])], &a[..]].concat(),
            [&[models(self.shared[1])], &b[..]].concat(),
            vec![bias],
            vec![self.models, self.rows, self.columns],
        ]
    }

    /// `Ok` if the sizes are 1 or more and the lengths fit.
    ///
    /// # Errors
    /// [`Error::Argument`] for a size of 0 or too large to count, [`Error::Shape`] for a length.
    pub fn check(&self, a: usize, b: usize, bias: usize) -> Result<()> {
        for (what, size) in [
            ("rows", self.rows),
            ("columns", self.columns),
            ("inner", self.inner),
            ("models", self.models),
        ] {
            if size == 0 {
                return Err(Error::argument(format!("a matrix product's {what}"), 0, "1 or more"));
            }
        }
        let [shape_a, shape_b, shape_bias, shape_c] = self.shapes();
        for shape in [&shape_a, &shape_b, &shape_c] {
            let size = shape.iter().fold(1_u64, |size, side| size.saturating_mul(wide(*side)));
            to_u32("the number of elements of a matrix product's operand", size)?;
        }
        check_shape("A", a, &shape_a)?;
        check_shape("B", b, &shape_b)?;
        check_shape("the bias", bias, &shape_bias)
    }

    /// The dispatches, in order; slots `a`, `b`, `extra` (the bias, or any buffer that is not `c`
    /// where there is none) and `c`.
    ///
    /// # Errors
    /// A size of 0, or one that a shader cannot count.
    pub fn dispatches(&self, target: &Target) -> Result<Vec<Dispatch>> {
        let [a, b, bias, _] = self.shapes().map(|shape| shape.iter().product());
        self.check(a, b, bias)?;
        let n = |value: usize| to_u32("a size of a matrix product", wide(value));
        let [rows, columns, inner] = [n(self.rows)?, n(self.columns)?, n(self.inner)?];
        let stride = |swap: bool, length: u32| if swap { (1, length) } else { (length, 1) };
        let (a_row, a_inner) = stride(self.transpose[0], if self.transpose[0] { rows } else { inner });
        let (b_inner, b_column) =
            stride(self.transpose[1], if self.transpose[1] { inner } else { columns });
        let model = |shared: bool, size: usize| if shared { Ok(0) } else { n(size / self.models) };
        let parameters = Parameters {
            rows,
            columns,
            models: n(self.models)?,
            a_model: model(self.shared[0], a)?,
            a_row,
            a_inner,
            b_model: model(self.shared[1], b)?,
            b_inner,
            b_column,
            extra_model: columns,
            extra_column: 1,
            c_model: n(self.rows * self.columns)?,
            c_row: columns,
            ..Parameters::default()
        };
        let epilogue = self.activation.map_or(Epilogue::Sum, |f| Epilogue::Activation(f, false));
        dispatches(parameters, self.inner, epilogue, target)
    }

    /// C, computed on the GPU from slices. `bias` is empty where there is no epilogue.
    ///
    /// # Errors
    /// Those of [`Matmul::check`] and [`Dispatch::run`].
    #[cfg(not(target_family = "wasm"))]
    pub fn run(&self, gpu: &Gpu, a: &[f32], b: &[f32], bias: &[f32]) -> Result<Vec<f32>> {
        pollster::block_on(self.run_async(gpu, a, b, bias))
    }

    /// The same without blocking.
    ///
    /// # Errors
    /// The same.
    pub async fn run_async(&self, gpu: &Gpu, a: &[f32], b: &[f32], bias: &[f32]) -> Result<Vec<f32>> {
        self.check(a.len(), b.len(), bias.len())?;
        let dispatches = self.dispatches(gpu.target())?;
        let bytes = |values: &[f32]| bytemuck::cast_slice::<f32, u8>(values).to_vec();
        let bias = if bias.is_empty() { bytes(&[0.0]) } else { bytes(bias) };
        let length = self.models * self.rows * self.columns;
        let mut slots = [bytes(a), bytes(b), bias, vec![0; 4 * length]];
        gpu.run_async(&dispatches, &mut slots).await?;
        Ok(bytemuck::pod_collect_to_vec(&slots[3]))
    }

    /// C by the same formula on the CPU.
    ///
    /// # Errors
    /// Those of [`Matmul::check`].
    pub fn reference<T: Real>(&self, a: &[T], b: &[T], bias: &[T]) -> Result<Vec<T>> {
        self.check(a.len(), b.len(), bias.len())?;
        let size = self.rows * self.columns;
        let mut c = vec![T::ZERO; self.models * size];
        let part = |shared: bool, all: usize, m: usize| {
            let each = if shared { all } else { all / self.models };
            if shared { 0..each } else { m * each..(m + 1) * each }
        };
        let model = |(m, c): (usize, &mut [T])| {
            let a = Matrix {
                values: &a[part(self.shared[0], a.len(), m)],
                rows: self.rows,
                columns: self.inner,
                transposed: self.transpose[0],
            };
            let b = Matrix {
                values: &b[part(self.shared[1], b.len(), m)],
                rows: self.inner,
                columns: self.columns,
                transposed: self.transpose[1],
            };
            product(a, b, false, c);
            if let Some(activation) = self.activation {
                let bias = &bias[m * self.columns..(m + 1) * self.columns];
                for row in c.chunks_mut(self.columns) {
                    for (c, bias) in row.iter_mut().zip(bias) {
                        *c = activation.value(*c + *bias);
                    }
                }
            }
        };
        #[cfg(feature = "threads")]
        {
            use rayon::prelude::*;
            c.par_chunks_mut(size).enumerate().for_each(model);
        }
        #[cfg(not(feature = "threads"))]
        c.chunks_mut(size).enumerate().for_each(model);
        Ok(c)
    }
}

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
            c.par_chunks_mut(panel * n).enumerate().for_each(|(i, c)| rows(a, b, add, i * panel, c));
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

/// The most terms that a partial sum may have in one dispatch.
pub(crate) const fn max_chunk() -> usize {
    MAX_INNER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::{assert_close, numbers};

    /// The library's product against three loops.
    #[test]
    fn reference_is_the_formula() {
        for (m, k, n) in [(1, 1, 1), (2, 3, 4), (17, 5, 9), (70, 65, 64), (64, 300, 33)] {
            for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
                let mut expected = vec![0.0; m * n];
                for i in 0..m {
                    for j in 0..n {
                        for l in 0..k {
                            let at = if ta { a[l * m + i] } else { a[i * k + l] };
                            let bt = if tb { b[j * k + l] } else { b[l * n + j] };
                            expected[i * n + j] += at * bt;
                        }
                    }
                }
                let mut matmul = Matmul::new(m, n, k);
                matmul.transpose = [ta, tb];
                let found = matmul.reference(&a, &b, &[]).unwrap();
                assert_close("C", &found, &expected, 1e-13);
            }
        }
    }

    #[test]
    fn long_sums_and_much_work_become_several_dispatches() {
        assert_eq!(Matmul::new(4, 4, MAX_INNER).dispatches(&Target::default()).unwrap().len(), 1);
        assert_eq!(Matmul::new(4, 4, MAX_INNER + 1).dispatches(&Target::default()).unwrap().len(), 2);
        let much = Matmul::new(4096, 4096, 4096).dispatches(&Target::default()).unwrap();
        assert_eq!(much.len(), 8);
        assert_eq!(much.iter().map(|d| d.work().operations).sum::<u64>(), 2 * 4096_u64.pow(3));
    }

    #[test]
    fn sizes_and_lengths_that_do_not_fit_are_refused() {
        assert!(Matmul::new(0, 1, 1).dispatches(&Target::default()).is_err());
        assert!(Matmul::new(1, 1, 0).dispatches(&Target::default()).is_err());
        assert!(Matmul::new(1 << 17, 1 << 17, 1).dispatches(&Target::default()).is_err());
        assert!(Matmul::new(2, 2, 2).reference(&[0.0; 3], &[0.0; 4], &[]).is_err());
        assert!(Matmul::new(2, 2, 2).reference(&[0.0; 4], &[0.0; 4], &[0.0; 2]).is_err());
        let layer = Matmul::new(2, 2, 2).epilogue(Activation::Relu);
        assert!(layer.reference(&[0.0; 4], &[0.0; 4], &[0.0; 2]).is_ok());
    }
}
