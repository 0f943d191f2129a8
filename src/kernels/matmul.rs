//! The batched matrix product `C[m] = f(op(A[m]) · op(B[m]) + bias[m])`.

use super::{Dispatch, Kernel, MAX_WORK, Slot, Variant, kernel, matmul_subgroup, matmul_tiled};
use crate::cast::{to_u32, wide};
use crate::error::check_shape;
use crate::wgsl::{
    PRODUCT_A_FOURS, PRODUCT_A_HALVES, PRODUCT_A_WORDS, PRODUCT_B_FOURS, PRODUCT_B_HALVES,
    PRODUCT_B_WORDS, PRODUCT_C_FOURS, PRODUCT_C_WORDS, Wgsl, halves, stored,
};
use crate::{Activation, Error, Gpu, Real, Result, Target};
use half::f16;

/// `shaders/matmul.wgsl`.
pub const KERNEL: Kernel = kernel!("matmul", 64, Parameters, [PRODUCT, PRODUCT_BLOCKS], SLOTS);

/// What every form of the product binds.
pub(super) const SLOTS: &[Slot] = &[
    Slot::uniform("params"),
    Slot::read("a"),
    Slot::read("b"),
    Slot::read("extra"),
    Slot::write("c"),
];

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

/// Who computes a tile of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// One invocation 4 × 4: `shaders/matmul.wgsl`. On any device.
    Registers,
    /// A subgroup of 8 invocations 32 × 32: `shaders/matmul_subgroup.wgsl`. Where every subgroup has
    /// 8 invocations.
    Subgroup,
    /// A workgroup of 128 invocations 64 × 64, through workgroup memory: `shaders/matmul_tiled.wgsl`.
    Tiled,
}

/// Tiles of 64 × 64 below which a GPU would be mostly idle. The smallest hardware has about as many
/// multiprocessors, and a tile of 4 × 4 gives 8 times the invocations.
const FILLING: u64 = 8;

impl Form {
    /// Every form.
    pub const ALL: &[Self] = &[Self::Registers, Self::Subgroup, Self::Tiled];

    /// The kernel.
    pub const fn kernel(self) -> &'static Kernel {
        match self {
            Self::Registers => &KERNEL,
            Self::Subgroup => &matmul_subgroup::KERNEL,
            Self::Tiled => &matmul_tiled::KERNEL,
        }
    }

    /// Whether `target` can run it.
    pub fn runs_on(self, target: &Target) -> bool {
        match self {
            Self::Registers => true,
            Self::Subgroup => target.subgroup == Some(matmul_subgroup::LANES),
            Self::Tiled => {
                target.max_workgroup() >= matmul_tiled::KERNEL.workgroup
                    && target.limits.max_compute_workgroup_storage_size >= matmul_tiled::SHARED
            }
        }
    }

    /// Rows and columns of a tile.
    const fn side(self) -> u32 {
        match self {
            Self::Registers => 4,
            Self::Subgroup => matmul_subgroup::TILE,
            Self::Tiled => matmul_tiled::TILE,
        }
    }

    /// Tiles of all results. Only 4 × 4 takes the column of ones for one of its columns.
    fn tiles(self, p: &Parameters) -> u64 {
        let columns = if self == Self::Registers { p.columns } else { p.columns - p.ones_column };
        u64::from(p.rows.div_ceil(self.side()))
            * u64::from(columns.div_ceil(self.side()))
            * u64::from(p.splits.max(1))
            * u64::from(p.models)
    }

    /// Results computed, those over the edges included.
    fn results(self, p: &Parameters) -> u64 {
        self.tiles(p).saturating_mul(u64::from(self.side() * self.side()))
    }

    /// The one that suits the product `p` on `target`: the larger tile where it is not wasted on
    /// results over the edges. A larger tile is about four times as fast, result for result: on
    /// llvmpipe by measurement, on GPUs because it loads a sixteenth as much.
    fn of(p: &Parameters, target: &Target) -> Self {
        let large = if target.software { Self::Subgroup } else { Self::Tiled };
        let fills = target.software || large.tiles(p) >= FILLING;
        let pays = large.results(p) < 4 * Self::Registers.results(p);
        if large.runs_on(target) && fills && pays { large } else { Self::Registers }
    }
}

impl Epilogue {
    fn variant(
        self,
        form: Form,
        p: &Parameters,
        inner: usize,
        half: bool,
        target: &Target,
    ) -> Variant {
        let (number, activation, save) = match self {
            Self::Sum => (0.0, Activation::Identity, 0.0),
            Self::Activation(activation, save) => (1.0, activation, f64::from(u8::from(save))),
            Self::Gradient(activation) => (2.0, activation, 0.0),
        };
        let mut glue = activation.glue();
        let mut constants = vec![("EPILOGUE", number), ("SAVE", save)];
        let mut aligned = self.aligned(p, inner);
        if form == Form::Registers && !(aligned[0] && aligned[1]) {
            // Term by term, four terms side by side are of no use.
            aligned[0] &= p.a_inner != 1;
            aligned[1] &= p.b_inner != 1;
        }
        // One by one, all but a workgroup load the same in both directions: fewer forms to compile.
        let directed = |aligned: bool| aligned || form == Form::Tiled;
        let ones = if form == Form::Registers { 0 } else { p.ones_column };
        for (name, value) in [
            ("A_ALONG_INNER", (directed(aligned[0]) && p.a_inner == 1).into()),
            ("B_ALONG_INNER", (directed(aligned[1]) && p.b_inner == 1).into()),
            ("ONES", ones),
        ] {
            constants.push((name, f64::from(value)));
        }
        if form == Form::Subgroup {
            glue = format!("{glue}\n{}", matmul_subgroup::unrolled());
        }
        let mut pieces = vec![activation.wgsl()];
        let [a, b, c] = [0, 1, 2].map(|i| BUFFERS[i][usize::from(aligned[i])]);
        if half {
            pieces.extend([&PRODUCT_A_HALVES, &PRODUCT_B_HALVES, c, halves(target)]);
        } else {
            pieces.extend([a, b, c]);
        }
        if aligned[2] || (!half && aligned.contains(&true)) {
            pieces.push(stored(target));
        }
        Variant { pieces, glue, constants, ..Variant::default() }
    }

    /// Whether every vector of four of A, of B, and of C with what is read beside it, that a large
    /// tile reads or writes begins at a multiple of four words and lies within its line.
    fn aligned(self, p: &Parameters, inner: usize) -> [bool; 3] {
        let fours = |numbers: &[u32]| numbers.iter().all(|n| n.is_multiple_of(4));
        let model = |stride| if p.models > 1 { stride } else { 0 };
        let columns = p.columns - p.ones_column;
        let terms = inner.is_multiple_of(4) && p.chunk.is_multiple_of(4);
        let operand = |offset, model, inner_stride, line_stride, lines| {
            let side_by_side = match (inner_stride, line_stride) {
                (1, _) => fours(&[line_stride]),
                (_, 1) => fours(&[inner_stride, lines]),
                _ => false,
            };
            terms && side_by_side && fours(&[offset, model])
        };
        let mut c = vec![p.c_offset, p.c_row, columns, model(p.c_model)];
        if p.splits > 1 {
            c.push(p.c_split);
        }
        if p.ones_column == 1 {
            c.extend([p.ones_offset, p.rows]);
        }
        if self != Self::Sum {
            c.extend([p.extra_offset, p.extra_row, model(p.extra_model)]);
        }
        if matches!(self, Self::Activation(_, true)) {
            c.push(p.saved_offset);
        }
        [
            operand(p.a_offset, model(p.a_model), p.a_inner, p.a_row, p.rows),
            operand(p.b_offset, model(p.b_model), p.b_inner, p.b_column, columns),
            fours(&c) && (self == Self::Sum || p.extra_column == 1),
        ]
    }
}

/// A's, B's and C's buffers as words and as fours.
const BUFFERS: [[&Wgsl; 2]; 3] = [
    [&PRODUCT_A_WORDS, &PRODUCT_A_FOURS],
    [&PRODUCT_B_WORDS, &PRODUCT_B_FOURS],
    [&PRODUCT_C_WORDS, &PRODUCT_C_FOURS],
];

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
    stored_dispatches(p, inner, epilogue, false, target)
}

/// The same of operands in f16, where `half`: then in fours, both of them.
fn stored_dispatches(
    p: Parameters,
    inner: usize,
    epilogue: Epilogue,
    half: bool,
    target: &Target,
) -> Result<Vec<Dispatch>> {
    let splits = p.splits.max(1);
    let chunk = if splits == 1 { inner } else { p.chunk as usize };
    let form = target.product.unwrap_or_else(|| Form::of(&p, target));
    if !form.runs_on(target) {
        let why = "one that the device can run";
        return Err(Error::argument("the form of a matrix product", format!("{form:?}"), why));
    }
    let tiles = form.tiles(&p);
    to_u32("the number of tiles of a matrix product", tiles)?;
    let area = u64::from(form.side() * form.side());
    let mut result = Vec::new();
    let mut begin = 0;
    while begin < inner {
        // A split sum is short enough already: the plan chooses its chunk.
        let end = if splits == 1 { inner.min(begin + MAX_INNER) } else { inner };
        let terms = wide(chunk.min(end - begin));
        let most = (MAX_WORK / (area * terms)).max(1);
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
            let results = area * u64::from(part.tiles);
            let share = |elements: u64| elements * u64::from(part.tiles) / tiles;
            let (rows, columns) = (u64::from(p.rows), u64::from(p.columns));
            let models = u64::from(p.models);
            let operand = |model: u32, size: u64| if model == 0 { size } else { models * size };
            let extra = match epilogue {
                Epilogue::Sum => 0,
                Epilogue::Activation(..) => models * columns,
                Epilogue::Gradient(_) => models * rows * columns,
            };
            let operands = operand(p.a_model, rows * wide(end - begin))
                + operand(p.b_model, columns * wide(end - begin));
            let read = if half { operands / 2 } else { operands } + extra;
            let copies = if matches!(epilogue, Epilogue::Activation(_, true)) { 2 } else { 1 };
            let written = copies * models * u64::from(splits) * rows * columns;
            let operations = 2 * models * rows * columns * wide(end - begin);
            let ending = if last { epilogue } else { Epilogue::Sum };
            let groups = match form {
                Form::Registers => u64::from(part.tiles.div_ceil(KERNEL.workgroup)),
                Form::Subgroup | Form::Tiled => part.tiles.into(),
            };
            let dispatch = Dispatch::new(form.kernel(), &part, groups)
                .with(ending.variant(form, &part, end - begin, half, target))
                .costing(share(read), share(written), share(operations).min(2 * results * terms));
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
    half: bool,
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

    /// A and B are stored as f16, two in a word of 32 bits: half the bytes. Products, sums, the bias
    /// and C stay f32. The terms have to be multiples of four, and so have the rows of a transposed A
    /// and the columns of a B that is not transposed. No feature of the device is needed.
    #[must_use]
    pub const fn half_operands(mut self) -> Self {
        self.half = true;
        self
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

    /// The dispatches, in order; slots `a`, `b`, `extra` (the bias, or where there is none any
    /// buffer of 16 bytes or more that is not `c`) and `c`.
    ///
    /// # Errors
    /// A size of 0, or one that a shader cannot count; operands in f16 whose sides are not the
    /// multiples of four that [`Matmul::half_operands`] asks for.
    pub fn dispatches(&self, target: &Target) -> Result<Vec<Dispatch>> {
        let [a, b, bias, _] = self.shapes().map(|shape| shape.iter().product());
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
        let epilogue = self.activation.map_or(Epilogue::Sum, |f| Epilogue::Activation(f, false));
        if self.half && epilogue.aligned(&parameters, self.inner)[..2] != [true; 2] {
            let sides = format!("{rows} x {inner} and {inner} x {columns}");
            let allowed =
                "terms, and lines of an operand that are not along them, in multiples of 4";
            return Err(Error::argument("a matrix product of operands in f16", sides, allowed));
        }
        stored_dispatches(parameters, self.inner, epilogue, self.half, target)
    }

    /// C, computed on the GPU from slices. `bias` is empty where there is no epilogue. Operands that
    /// are stored as f16 are rounded to it here.
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
    pub async fn run_async(
        &self,
        gpu: &Gpu,
        a: &[f32],
        b: &[f32],
        bias: &[f32],
    ) -> Result<Vec<f32>> {
        self.check(a.len(), b.len(), bias.len())?;
        let dispatches = self.dispatches(gpu.target())?;
        let bytes = |values: &[f32]| bytemuck::cast_slice::<f32, u8>(values).to_vec();
        let bias = if bias.is_empty() { bytes(&[0.0; 4]) } else { bytes(bias) };
        let operand = |values: &[f32]| match self.half {
            false => bytes(values),
            true => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
        };
        let length = self.models * self.rows * self.columns;
        let mut slots = [operand(a), operand(b), bias, vec![0; 4 * length]];
        gpu.run_async(&dispatches, &mut slots).await?;
        Ok(bytemuck::pod_collect_to_vec(&slots[3]))
    }

    /// C by the same formula on the CPU, from operands as they are given: none is rounded to f16.
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
        assert_eq!(
            Matmul::new(4, 4, MAX_INNER + 1).dispatches(&Target::default()).unwrap().len(),
            2
        );
        let much = Matmul::new(4096, 4096, 4096).dispatches(&Target::default()).unwrap();
        assert_eq!(much.len(), 8);
        assert_eq!(much.iter().map(|d| d.work().operations).sum::<u64>(), 2 * 4096_u64.pow(3));
    }

    /// The kernel that the product of `rows` × `columns` × 64 in `models` models takes on `target`.
    fn chosen(rows: usize, columns: usize, models: usize, target: &Target) -> &'static str {
        let product = Matmul::new(rows, columns, 64).models(models);
        product.dispatches(target).unwrap()[0].kernel().name
    }

    #[test]
    fn each_product_takes_the_form_that_suits_it() {
        let gpu = Target::default();
        let cpu = Target { software: true, subgroup: Some(8), ..Target::default() };
        for (rows, columns, models, on_gpu, on_cpu) in [
            (1, 1, 1, "matmul", "matmul"),
            (16_384, 3, 1, "matmul", "matmul"),
            (16_384, 10, 1, "matmul", "matmul_subgroup"),
            (12, 12, 64, "matmul", "matmul"),
            (16, 17, 1, "matmul", "matmul_subgroup"),
            (128, 256, 1, "matmul_tiled", "matmul_subgroup"),
            (128, 128, 1, "matmul", "matmul_subgroup"),
            (128, 128, 2, "matmul_tiled", "matmul_subgroup"),
            (512, 512, 1, "matmul_tiled", "matmul_subgroup"),
        ] {
            let case = format!("{rows} x {columns}, {models} models");
            assert_eq!(chosen(rows, columns, models, &gpu), on_gpu, "{case}");
            assert_eq!(chosen(rows, columns, models, &cpu), on_cpu, "{case}");
        }
        // Other subgroups, or less than WebGPU's defaults: the form that runs anywhere.
        let mut other = Target { subgroup: Some(4), ..cpu };
        assert_eq!(chosen(512, 512, 1, &other), "matmul");
        other = gpu;
        other.limits.max_compute_invocations_per_workgroup = 64;
        assert_eq!(chosen(512, 512, 1, &other), "matmul");
        other.product = Some(Form::Tiled);
        assert!(Matmul::new(512, 512, 64).dispatches(&other).is_err());
        other.product = Some(Form::Subgroup);
        assert!(Matmul::new(512, 512, 64).dispatches(&other).is_err());
    }

    /// A vector of four must neither begin between two words of the buffer's fours nor leave its line.
    #[test]
    fn fours_of_words_need_multiples_of_four() {
        let target = |form| Target { product: Some(form), subgroup: Some(8), ..Target::default() };
        let fours = |product: Matmul, form| {
            let variant = &product.dispatches(&target(form)).unwrap()[0].variant;
            let has = |wanted: &Wgsl| variant.pieces.iter().any(|piece| piece.name == wanted.name);
            BUFFERS.map(|[_, fours]| has(fours))
        };
        for form in [Form::Subgroup, Form::Tiled] {
            let all = Matmul::new(5, 8, 12);
            assert_eq!(fours(all, form), [true; 3]);
            assert_eq!(fours(all.models(3).epilogue(Activation::Tanh), form), [true; 3]);
            assert_eq!(fours(all.transposed_b(), form), [true; 3]);
            // Four rows side by side, of five.
            assert_eq!(fours(all.transposed_a(), form), [false, true, true]);
            assert_eq!(fours(Matmul::new(8, 8, 12).transposed_a(), form), [true; 3]);
            assert_eq!(fours(Matmul::new(5, 7, 12), form), [true, false, false]);
            assert_eq!(fours(Matmul::new(5, 7, 12).transposed_b(), form), [true, true, false]);
            assert_eq!(fours(Matmul::new(5, 8, 13), form), [false, false, true]);
        }
        // Term by term where only one operand is in fours, and then only across the terms.
        let registers = |product| fours(product, Form::Registers);
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
        assert!(Matmul::new(0, 1, 1).dispatches(&Target::default()).is_err());
        assert!(Matmul::new(1, 1, 0).dispatches(&Target::default()).is_err());
        assert!(Matmul::new(1 << 17, 1 << 17, 1).dispatches(&Target::default()).is_err());
        assert!(Matmul::new(2, 2, 2).reference(&[0.0; 3], &[0.0; 4], &[]).is_err());
        assert!(Matmul::new(2, 2, 2).reference(&[0.0; 4], &[0.0; 4], &[0.0; 2]).is_err());
        for (product, fits) in [
            (Matmul::new(3, 4, 4), true),
            (Matmul::new(4, 4, 3), false),
            (Matmul::new(4, 3, 4), false),
            (Matmul::new(4, 3, 4).transposed_b(), true),
            (Matmul::new(3, 4, 4).transposed_a(), false),
        ] {
            for form in [Form::Registers, Form::Tiled] {
                let target = Target { product: Some(form), ..Target::default() };
                assert_eq!(
                    product.half_operands().dispatches(&target).is_ok(),
                    fits,
                    "{product:?}"
                );
            }
        }
        let layer = Matmul::new(2, 2, 2).epilogue(Activation::Relu);
        assert!(layer.reference(&[0.0; 4], &[0.0; 4], &[0.0; 2]).is_ok());
    }
}
