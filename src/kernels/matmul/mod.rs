//! The batched matrix product `C[m] = f(op(A[m]) · op(B[m]) + bias[m])`.

mod epilogue;
mod launch;
mod parameters;
#[doc(hidden)]
pub mod registers;
#[doc(hidden)]
pub mod split;
#[doc(hidden)]
pub mod subgroup;
#[doc(hidden)]
pub mod tiled;
mod tiling;

pub(crate) use epilogue::Epilogue;
pub(crate) use launch::{dispatches_of_rows, dispatches_over_rows, max_chunk};
pub(crate) use parameters::Parameters;
pub use tiling::Tiling;

use crate::error::{Error, Result};
use crate::kernels::{Capabilities, Dispatch, volume};
use crate::network::Activation;
use crate::numeric::{Matrix, Real, check_shape, narrow, product, to_u32, wide};
use launch::stored_dispatches;

/// Describes a batched matrix product: `models` products of op(A) `[rows, inner]` and op(B)
/// `[inner, columns]`, all row-major.
///
/// ```no_run
/// use wgrad::{Activation, Gpu, kernels::Matmul};
/// let gpu = Gpu::new()?;
/// // Eight products that share B, as in a layer of eight networks: tanh(A · Bᵀ + bias).
/// let layer = Matmul::new(100, 16, 3).models(8).shared_b().transposed_b();
/// let layer = layer.epilogue(Activation::Tanh);
/// let (a, b, bias) = (vec![0.5; 8 * 100 * 3], vec![0.1; 16 * 3], vec![0.0; 8 * 16]);
/// assert_eq!(layer.run(&gpu, &a, &b, &bias)?.len(), 8 * 100 * 16);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matmul {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) inner: usize,
    pub(crate) models: usize,
    transpose: [bool; 2],
    shared: [bool; 2],
    activation: Option<Activation>,
    pub(crate) half: bool,
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
            half: false,
        }
    }

    /// Stores A and B as f16, two in 32 bits: half the bytes. Products, sums, the bias and C stay
    /// f32. The number of terms must be a multiple of four. So must the rows of a transposed A and
    /// the columns of a B that is not transposed. The device needs no optional feature.
    #[must_use]
    pub const fn half_operands(mut self) -> Self {
        self.half = true;
        self
    }

    /// Computes `models` products side by side.
    #[must_use]
    pub const fn models(mut self, models: usize) -> Self {
        self.models = models;
        self
    }

    /// Stores A transposed, `[inner, rows]`.
    #[must_use]
    pub const fn transposed_a(mut self) -> Self {
        self.transpose[0] = true;
        self
    }

    /// Stores B transposed, `[columns, inner]`.
    #[must_use]
    pub const fn transposed_b(mut self) -> Self {
        self.transpose[1] = true;
        self
    }

    /// Shares one A among all models: its batch stride is 0.
    #[must_use]
    pub const fn shared_a(mut self) -> Self {
        self.shared[0] = true;
        self
    }

    /// Shares one B among all models: its batch stride is 0.
    #[must_use]
    pub const fn shared_b(mut self) -> Self {
        self.shared[1] = true;
        self
    }

    /// Computes C = activation(A · B + bias), with a bias of `[models, columns]`.
    #[must_use]
    pub const fn epilogue(mut self, activation: Activation) -> Self {
        self.activation = Some(activation);
        self
    }

    /// The shapes of A, B, bias and C.
    fn shapes(&self) -> [Vec<usize>; 4] {
        let models = |shared: bool| if shared { 1 } else { self.models };
        let pair = |swap: bool, r: usize, c: usize| if swap { [c, r] } else { [r, c] };
        let [a, b] = [
            pair(self.transpose[0], self.rows, self.inner),
            pair(self.transpose[1], self.inner, self.columns),
        ];
        let bias =
            if self.activation.is_some() { self.models.saturating_mul(self.columns) } else { 0 };
        [
            [&[models(self.shared[0])], &a[..]].concat(),
            [&[models(self.shared[1])], &b[..]].concat(),
            vec![bias],
            vec![self.models, self.rows, self.columns],
        ]
    }

    /// Checks that the sizes are 1 or more and that the lengths fit.
    ///
    /// # Errors
    /// [`Error::Argument`] for a size that is 0 or does not fit in `u32`; [`Error::Shape`] for a
    /// length.
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
            to_u32("the number of elements of a matrix product's operand", volume(shape))?;
        }
        check_shape("A", a, &shape_a)?;
        check_shape("B", b, &shape_b)?;
        check_shape("the bias", bias, &shape_bias)
    }

    /// The dispatches, in order. Their slots are `a`, `b`, `extra` and `c`. `extra` is the bias;
    /// without a bias it is any buffer of 16 bytes or more that is not `c`.
    ///
    /// # Errors
    /// A size is 0 or does not fit in `u32`, or the sides of f16 operands are not the multiples of
    /// four that [`Matmul::half_operands`] requires.
    pub fn dispatches(&self, capabilities: &Capabilities) -> Result<Vec<Dispatch>> {
        let [a, b, bias, _] = self.shapes().map(|shape| narrow(volume(&shape)));
        self.check(a, b, bias)?;
        let n = |value: usize| to_u32("a size of a matrix product", wide(value));
        let [rows, columns, inner] = [n(self.rows)?, n(self.columns)?, n(self.inner)?];
        let stride = |swap: bool, length: u32| if swap { (1, length) } else { (length, 1) };
        let (a_row, a_inner) =
            stride(self.transpose[0], if self.transpose[0] { rows } else { inner });
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
        let epilogue = self.activation.map_or(Epilogue::Sum, |of| Epilogue::Activation {
            of,
            save: false,
            bias: true,
        });
        if self.half && epilogue.aligned(&parameters, self.inner)[..2] != [true; 2] {
            let sides = format!("{rows} x {inner} and {inner} x {columns}");
            let allowed =
                "terms, and lines of an operand that are not along them, in multiples of 4";
            return Err(Error::argument("a matrix product of operands in f16", sides, allowed));
        }
        stored_dispatches(parameters, self.inner, epilogue, self.half, capabilities)
    }

    /// C by the same formula on the CPU. No operand is rounded to f16.
    ///
    /// # Errors
    /// The errors of [`Matmul::check`].
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::{assert_close, numbers};
    use launch::MAX_INNER;

    /// Compares the library's product with three nested loops.
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
        assert_eq!(
            Matmul::new(4, 4, MAX_INNER).dispatches(&Capabilities::default()).unwrap().len(),
            1
        );
        assert_eq!(
            Matmul::new(4, 4, MAX_INNER + 1).dispatches(&Capabilities::default()).unwrap().len(),
            2
        );
        let much = Matmul::new(4096, 4096, 4096).dispatches(&Capabilities::default()).unwrap();
        assert_eq!(much.len(), 8);
        assert_eq!(much.iter().map(|d| d.work().operations).sum::<u64>(), 2 * 4096_u64.pow(3));
    }

    /// The name of the kernel that computes `rows` × `columns` × 64 in `models` models on a device.
    fn chosen(
        rows: usize,
        columns: usize,
        models: usize,
        capabilities: &Capabilities,
    ) -> &'static str {
        let product = Matmul::new(rows, columns, 64).models(models);
        product.dispatches(capabilities).unwrap()[0].kernel().name
    }

    #[test]
    fn each_product_takes_the_tiling_that_suits_it() {
        let gpu = Capabilities::default();
        let cpu = Capabilities { software: true, subgroup: Some(8), ..Capabilities::default() };
        for (rows, columns, models, on_gpu, on_cpu) in [
            (1, 1, 1, "matmul_registers", "matmul_registers"),
            (16_384, 3, 1, "matmul_split", "matmul_registers"),
            (16_384, 10, 1, "matmul_split", "matmul_subgroup"),
            (12, 12, 64, "matmul_split", "matmul_registers"),
            (16, 17, 1, "matmul_split", "matmul_subgroup"),
            (128, 256, 1, "matmul_split", "matmul_subgroup"),
            (128, 128, 2, "matmul_split", "matmul_subgroup"),
            (512, 512, 1, "matmul_split", "matmul_subgroup"),
            (1024, 512, 1, "matmul_tiled", "matmul_subgroup"),
            (200_000, 3, 1, "matmul_registers", "matmul_registers"),
        ] {
            let case = format!("{rows} x {columns}, {models} models");
            assert_eq!(chosen(rows, columns, models, &gpu), on_gpu, "{case}");
            assert_eq!(chosen(rows, columns, models, &cpu), on_cpu, "{case}");
        }
        // Another subgroup size, or less than WebGPU's defaults, leaves the tiling that runs
        // anywhere.
        let mut other = Capabilities { subgroup: Some(4), ..cpu };
        assert_eq!(chosen(512, 512, 1, &other), "matmul_registers");
        other = gpu;
        other.limits.max_compute_invocations_per_workgroup = 64;
        assert_eq!(chosen(512, 512, 1, &other), "matmul_registers");
        for form in [Tiling::Tiled, Tiling::Split, Tiling::Subgroup] {
            other.product = Some(form);
            assert!(Matmul::new(512, 512, 64).dispatches(&other).is_err());
        }
    }

    /// A vector of four must begin at a multiple of four elements and must not leave its line.
    #[test]
    fn vec4_needs_multiples_of_four() {
        let capabilities = |form| Capabilities {
            product: Some(form),
            software: form == Tiling::Subgroup,
            subgroup: Some(8),
            ..Capabilities::default()
        };
        let fours = |product: Matmul, form| {
            let variant = &product.dispatches(&capabilities(form)).unwrap()[0].variant;
            let kind =
                |slot| variant.kinds.iter().find(|(name, _)| *name == slot).unwrap().1.as_ref();
            ["a", "b", "c"].map(|slot| kind(slot) == "array<Stored>")
        };
        for form in [Tiling::Subgroup, Tiling::Tiled] {
            let all = Matmul::new(5, 8, 12);
            assert_eq!(fours(all, form), [true; 3]);
            assert_eq!(fours(all.models(3).epilogue(Activation::Tanh), form), [true; 3]);
            assert_eq!(fours(all.transposed_b(), form), [true; 3]);
            // Five rows: a vector of four adjacent rows would leave its line.
            assert_eq!(fours(all.transposed_a(), form), [false, true, true]);
            assert_eq!(fours(Matmul::new(8, 8, 12).transposed_a(), form), [true; 3]);
            assert_eq!(fours(Matmul::new(5, 7, 12), form), [true, false, false]);
            assert_eq!(fours(Matmul::new(5, 7, 12).transposed_b(), form), [true, true, false]);
            assert_eq!(fours(Matmul::new(5, 8, 13), form), [false, false, true]);
        }
        // Where only one operand is in vectors, this tiling advances term by term and needs
        // adjacent lines.
        let registers = |product| fours(product, Tiling::Registers);
        assert_eq!(registers(Matmul::new(8, 8, 8)), [true; 3]);
        assert_eq!(registers(Matmul::new(8, 8, 8).transposed_a().transposed_b()), [true; 3]);
        assert_eq!(registers(Matmul::new(8, 7, 8)), [false; 3]);
        assert_eq!(registers(Matmul::new(8, 7, 8).transposed_a()), [true, false, false]);
        assert_eq!(registers(Matmul::new(7, 8, 8).transposed_a()), [false, true, true]);
        assert_eq!(
            registers(Matmul::new(7, 8, 8).transposed_a().transposed_b()),
            [false, false, true]
        );
    }

    #[test]
    fn sizes_and_lengths_that_do_not_fit_are_refused() {
        assert!(Matmul::new(0, 1, 1).dispatches(&Capabilities::default()).is_err());
        assert!(Matmul::new(1, 1, 0).dispatches(&Capabilities::default()).is_err());
        assert!(Matmul::new(1 << 17, 1 << 17, 1).dispatches(&Capabilities::default()).is_err());
        assert!(Matmul::new(2, 2, 2).reference(&[0.0; 3], &[0.0; 4], &[]).is_err());
        assert!(Matmul::new(2, 2, 2).reference(&[0.0; 4], &[0.0; 4], &[0.0; 2]).is_err());
        for (product, fits) in [
            (Matmul::new(3, 4, 4), true),
            (Matmul::new(4, 4, 3), false),
            (Matmul::new(4, 3, 4), false),
            (Matmul::new(4, 3, 4).transposed_b(), true),
            (Matmul::new(3, 4, 4).transposed_a(), false),
        ] {
            for form in [Tiling::Registers, Tiling::Tiled] {
                let capabilities = Capabilities { product: Some(form), ..Capabilities::default() };
                assert_eq!(
                    product.half_operands().dispatches(&capabilities).is_ok(),
                    fits,
                    "{product:?}"
                );
            }
        }
        let layer = Matmul::new(2, 2, 2).epilogue(Activation::Relu);
        assert!(layer.reference(&[0.0; 4], &[0.0; 4], &[0.0; 2]).is_ok());
    }
}
