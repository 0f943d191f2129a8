//! Input encodings. Each has a file in `src/network/encoding/`, a file in `shaders/encoding/`, and
//! a row in the table below.
//!
//! An encoding maps a network's inputs to the first layer's inputs. Names, constants and the order
//! of the outputs are those of tiny-cuda-nn's documentation, without its padding.

use crate::error::{Error, Result};
use crate::network::Mlp;
pub(crate) use crate::network::grid_passes::LevelGradient;
use crate::network::grid_text::GRID3;
use crate::network::level::Level;
use crate::numeric::Real;
use crate::wgsl::{Piece, Writer, piece};
use std::ops::Range;

mod grid;
pub(crate) use grid::GRID_DIMENSIONS;
pub use grid::{Axis, Edge, Grid, GridKind, Interpolation};

/// The largest number of inputs of one point of an encoding without tables.
pub(crate) const DIMENSIONS: usize = 3;

/// An encoding without parameters. It maps points of one or three inputs to outputs, each point by
/// itself.
trait Pointwise {
    /// The number of inputs of a point.
    const DIMENSIONS: usize;
    /// The number of outputs of a point.
    fn outputs(&self) -> usize;
    /// The encoding's two constants, which the shader reads.
    fn constants(&self) -> [f64; 2];
    /// Checks that the constants are in range.
    fn check(&self) -> Result<()>;
    /// Output `k` at the point `p`.
    fn value<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> T;
    /// The inputs that the encoding is made for; `None` where these are all numbers.
    const RANGE: Option<[f64; 2]> = None;
    /// The derivatives of output `k` with respect to `p`.
    fn derivative<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> [T; DIMENSIONS];
    /// How these derivatives change along `v`: the matrix of second derivatives times `v`.
    fn second_derivative<T: Real>(
        &self,
        p: [T; DIMENSIONS],
        k: usize,
        v: [T; DIMENSIONS],
    ) -> [T; DIMENSIONS];
}

mod frequency;
mod identity;
mod one_blob;
mod spherical_harmonics;
mod triangle_wave;

pub use frequency::Frequency;
pub use identity::Identity;
pub use one_blob::OneBlob;
pub use spherical_harmonics::SphericalHarmonics;
pub use triangle_wave::TriangleWave;

macro_rules! encodings {
    ($($(#[$doc:meta])* $variant:ident => $module:ident needs [$($common:ident),*],)*) => {
        /// Maps a network's inputs to the first layer's inputs.
        #[derive(Debug, Clone, Copy, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
        #[non_exhaustive]
        pub enum Encoding {
            $($(#[$doc])* $variant($variant),)*
            /// See [`Grid`].
            Grid(Grid),
        }

        $(impl From<$variant> for Encoding {
            fn from(encoding: $variant) -> Self {
                Self::$variant(encoding)
            }
        })*

        impl Encoding {
            /// One encoding of each kind, with its default constants.
            pub fn all() -> Vec<Self> {
                vec![$($variant::default().into(),)* Grid::default().into()]
            }

            /// The name in messages and shaders.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($module),)*
                    Self::Grid(_) => "grid",
                }
            }

            /// The number of inputs of a point; `None` for a grid, which takes 1 to 4.
            pub(crate) const fn dimensions(&self) -> Option<usize> {
                match self {
                    $(Self::$variant(_) => Some(<$variant as Pointwise>::DIMENSIONS),)*
                    Self::Grid(_) => None,
                }
            }

            /// The values of its input `d` that the encoding is made for; `None` where these are all
            /// numbers.
            pub(crate) fn range(&self, d: usize) -> Option<[f64; 2]> {
                match self {
                    $(Self::$variant(_) => <$variant as Pointwise>::RANGE,)*
                    Self::Grid(grid) => Some(grid.range(d)),
                }
            }

            /// The number of outputs of a point.
            pub(crate) fn of_point(&self) -> usize {
                match self {
                    $(Self::$variant(encoding) => encoding.outputs(),)*
                    Self::Grid(grid) => grid.outputs(),
                }
            }

            /// The encoding's two constants, which the shader reads.
            pub(crate) fn constants(&self) -> [f64; 2] {
                match self {
                    $(Self::$variant(encoding) => encoding.constants(),)*
                    Self::Grid(_) => [0.0; 2],
                }
            }

            fn check_numbers(&self, inputs: usize) -> Result<()> {
                match self {
                    $(Self::$variant(encoding) => encoding.check(),)*
                    Self::Grid(grid) => grid.check(inputs),
                }
            }

            /// The outputs of a point; nothing for a grid, whose outputs depend on its tables.
            #[inline(always)]
            fn values_at<T: Real>(&self, p: [T; DIMENSIONS], y: &mut [T]) {
                match self {
                    $(Self::$variant(encoding) => {
                        y.iter_mut().enumerate().for_each(|(k, y)| *y = encoding.value(p, k));
                    })*
                    Self::Grid(_) => {}
                }
            }

            /// The derivatives of output `k` of a point; 0 for a grid.
            fn derivative_at<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> [T; DIMENSIONS] {
                match self {
                    $(Self::$variant(encoding) => encoding.derivative(p, k),)*
                    Self::Grid(_) => [T::ZERO; DIMENSIONS],
                }
            }

            /// The matrix of second derivatives of output `k` of a point, times `v`; 0 for a grid.
            pub(crate) fn second_derivative_at<T: Real>(
                &self,
                p: [T; DIMENSIONS],
                k: usize,
                v: [T; DIMENSIONS],
            ) -> [T; DIMENSIONS] {
                match self {
                    $(Self::$variant(encoding) => encoding.second_derivative(p, k, v),)*
                    Self::Grid(_) => [T::ZERO; DIMENSIONS],
                }
            }

            /// The WGSL functions `NAME_value(p, k, numbers)`, `NAME_derivative(p, k, numbers)` and
            /// `NAME_second_derivative(p, k, numbers, v)`, or a grid's functions.
            pub(crate) const fn wgsl(&self) -> &'static Piece {
                match self {
                    $(Self::$variant(_) => {
                        const PIECE: &Piece =
                            &piece!(concat!("encoding/", stringify!($module)), [$(&crate::wgsl::$common),*]);
                        PIECE
                    })*
                    Self::Grid(_) => &GRID3,
                }
            }
        }
    };
}

encodings! {
    /// See [`Identity`].
    Identity => identity needs [],
    /// See [`Frequency`].
    Frequency => frequency needs [QUARTER_TURNS],
    /// See [`TriangleWave`].
    TriangleWave => triangle_wave needs [],
    /// See [`OneBlob`].
    OneBlob => one_blob needs [FINITE],
    /// See [`SphericalHarmonics`].
    SphericalHarmonics => spherical_harmonics needs [],
}

/// The largest number of outputs of one encoding.
pub const MAX_OUTPUTS: usize = 4096;

impl Encoding {
    /// The number of outputs for `inputs` inputs.
    ///
    /// ```
    /// use wgrad::encoding::{Encoding, Frequency, Grid, SphericalHarmonics};
    /// assert_eq!(Encoding::from(Frequency { frequencies: 12 }).outputs(2), 48);
    /// assert_eq!(Encoding::from(SphericalHarmonics { degree: 4 }).outputs(3), 16);
    /// let grid = Grid { levels: 16, features_per_level: 2, ..Grid::default() };
    /// assert_eq!(Encoding::from(grid).outputs(2), 32);
    /// ```
    pub fn outputs(&self, inputs: usize) -> usize {
        let points = self.dimensions().map_or(1, |dimensions| inputs / dimensions);
        points.saturating_mul(self.of_point())
    }

    /// The number of parameters: the size of a grid's tables, otherwise 0, and 0 for a grid that
    /// [`Encoding::check`] refuses.
    pub fn parameters(&self, inputs: usize) -> usize {
        match self {
            Self::Grid(grid) => grid.parameters(inputs),
            _ => 0,
        }
    }

    /// Checks that the encoding can encode `inputs` inputs.
    ///
    /// # Errors
    /// [`Error::Argument`]: a constant is out of range, or the encoding does not take so many
    /// inputs.
    pub fn check(&self, inputs: usize) -> Result<()> {
        let what = format!("the inputs of the encoding {}", self.name());
        match self.dimensions() {
            Some(dimensions) if inputs == 0 || !inputs.is_multiple_of(dimensions) => {
                let allowed = match dimensions {
                    1 => "1 or more".to_owned(),
                    _ => format!("a multiple of {dimensions}"),
                };
                return Err(Error::argument(what, inputs, allowed));
            }
            None if !(1..=GRID_DIMENSIONS).contains(&inputs) => {
                let allowed = format!("1 to {GRID_DIMENSIONS}");
                return Err(Error::argument(what, inputs, allowed));
            }
            _ => {}
        }
        self.check_numbers(inputs)?;
        let outputs = self.outputs(inputs);
        if outputs > MAX_OUTPUTS {
            let what = format!("the outputs of the encoding {}", self.name());
            return Err(Error::argument(what, outputs, format!("at most {MAX_OUTPUTS}")));
        }
        Ok(())
    }

    /// Whether it is a texture with mip levels.
    pub(crate) const fn has_mips(&self) -> bool {
        matches!(self, Self::Grid(grid) if grid.mips)
    }

    /// WGSL functions `encoding_value` and `encoding_derivative` that call this encoding's own.
    pub(crate) fn splice(&self) -> String {
        let name = self.name();
        let mut w = Writer::default();
        let arguments = "p: vec3<f32>, k: u32, numbers: vec2<f32>";
        w.function(format_args!("encoding_value({arguments}) -> f32"), |w| {
            w.line(format_args!("return {name}_value(p, k, numbers);"));
        });
        w.function(format_args!("encoding_derivative({arguments}) -> vec3<f32>"), |w| {
            w.line(format_args!("return {name}_derivative(p, k, numbers);"));
        });
        w.line(format_args!("const DIMENSIONS: u32 = {}u;", self.dimensions().unwrap_or(1)));
        w.finish()
    }
}

/// The iterations of the loops of one value or one derivative of a pointwise encoding, at most.
pub(crate) const LOOPS_OF_VALUE: usize = 8;

/// One encoding of a network, and the number of inputs that it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EncodingPart {
    /// The first of its inputs. Encodings may share inputs.
    pub first: usize,
    /// The number of inputs.
    pub inputs: usize,
    /// The encoding of these inputs.
    pub encoding: Encoding,
}

/// The ranges of one encoding in a network's inputs, outputs and parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EncodingRange {
    pub encoding: Encoding,
    /// Columns of the network's inputs.
    pub inputs: Range<usize>,
    /// Columns of the first layer's inputs.
    pub outputs: Range<usize>,
    /// The tables' elements among a model's parameters.
    pub tables: Range<usize>,
}

/// The ranges of a network's encodings, in order.
pub(crate) fn encoding_ranges(mlp: &Mlp) -> Vec<EncodingRange> {
    let (mut output, mut table) = (0_usize, 0_usize);
    let next = |at: &mut usize, count: usize| {
        let first = *at;
        *at = first.saturating_add(count);
        first..*at
    };
    mlp.encoding
        .iter()
        .map(|part| EncodingRange {
            encoding: part.encoding,
            inputs: part.first..part.first.saturating_add(part.inputs),
            outputs: next(&mut output, part.encoding.outputs(part.inputs)),
            tables: next(&mut table, part.encoding.parameters(part.inputs)),
        })
        .collect()
}

/// The ranges of a network's encodings, each with a grid's levels.
fn with_levels(mlp: &Mlp) -> Vec<(EncodingRange, Vec<Level>)> {
    let levels = |place: &EncodingRange| match place.encoding {
        Encoding::Grid(grid) => grid.levels(place.inputs.len()),
        _ => Vec::new(),
    };
    encoding_ranges(mlp).into_iter().map(|place| (place.clone(), levels(&place))).collect()
}

/// The inputs of a point, padded with zeros.
fn point<T: Real>(row: &[T]) -> [T; DIMENSIONS] {
    let mut p = [T::ZERO; DIMENSIONS];
    p[..row.len()].copy_from_slice(row);
    p
}

/// Calls `f(row, y)` for each row of `x` (`inputs` wide) and of `y` (`outputs` wide), on all cores
/// where there are many rows.
fn each_row<T: Real>(
    x: &[T],
    inputs: usize,
    y: &mut [T],
    outputs: usize,
    f: impl Fn(usize, &[T], &mut [T]) + Sync,
) {
    #[cfg(feature = "threads")]
    if y.len() >= 1 << 14 {
        use rayon::prelude::*;
        let rows = 256;
        let chunks = y.par_chunks_mut(rows * outputs).zip(x.par_chunks(rows * inputs));
        return chunks.enumerate().for_each(|(i, (y, x))| {
            let parts = x.chunks(inputs).zip(y.chunks_mut(outputs)).enumerate();
            parts.for_each(|(row, (x, y))| f(i * rows + row, x, y));
        });
    }
    let parts = x.chunks(inputs).zip(y.chunks_mut(outputs)).enumerate();
    parts.for_each(|(row, (x, y))| f(row, x, y));
}

/// A network's encodings, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Encoder(Vec<(EncodingRange, Vec<Level>)>);

impl Encoder {
    pub fn new(mlp: &Mlp) -> Self {
        Self(with_levels(mlp))
    }

    /// Adds the outputs of some rows to the lines of `y`, which have `line` elements. `x` gives a row.
    #[inline(always)]
    pub fn rows<'a, T: Real>(
        &self,
        parameters: &[T],
        x: impl Fn(usize) -> &'a [T],
        (y, line): (&mut [T], usize),
    ) {
        for (place, levels) in &self.0 {
            let x = |row| &x(row)[place.inputs.clone()];
            if let Encoding::Grid(grid) = &place.encoding {
                let tables = &parameters[place.tables.clone()];
                let x = (x, place.inputs.len());
                grid.values(levels, tables, x, (y, line, place.outputs.start));
                continue;
            }
            let encoding = &place.encoding;
            for (row, y) in y.chunks_exact_mut(line).enumerate() {
                let (x, y) = (x(row), &mut y[place.outputs.clone()]);
                let (dimensions, of_point) = (x.len().min(DIMENSIONS), encoding.of_point());
                let dimensions = encoding.dimensions().unwrap_or(dimensions);
                for (p, y) in x.chunks(dimensions).zip(y.chunks_mut(of_point)) {
                    encoding.values_at(point(p), y);
                }
            }
        }
    }
}

/// The first layer's inputs `[rows, width]` from `x` `[rows, inputs]` and a model's parameters.
pub(crate) fn encode<T: Real>(mlp: &Mlp, parameters: &[T], x: &[T]) -> Vec<T> {
    let (inputs, width, encoder) = (mlp.inputs, mlp.layer_inputs(0), Encoder::new(mlp));
    let mut encoded = vec![T::ZERO; x.len() / inputs * width];
    each_row(x, inputs, &mut encoded, width, |_, x, y| {
        encoder.rows(parameters, |_| x, (y, width));
    });
    encoded
}

/// Adds the gradient of the tables for the gradient `delta` `[rows, width]` of the first layer's inputs.
/// `add` is [`LevelGradient::add`], compiled for a processor; the levels share the cores.
pub(crate) fn table_gradient<T: Real>(
    mlp: &Mlp,
    [x, delta]: [&[T]; 2],
    mut tables: &mut [T],
    add: impl Fn(&mut LevelGradient<'_, T>, [(&[T], usize); 2]) + Sync,
) {
    let (inputs, places) = (mlp.inputs, with_levels(mlp));
    let mut parts = Vec::new();
    for (place, levels) in &places {
        let (own, later) = tables.split_at_mut(place.tables.len());
        tables = later;
        if let Encoding::Grid(grid) = &place.encoding {
            parts.extend(grid.parts(levels, place, (x, inputs), own));
        }
    }
    let of = [(x, inputs), (delta, mlp.layer_inputs(0))];
    #[cfg(feature = "threads")]
    {
        use rayon::prelude::*;
        parts.par_iter_mut().with_max_len(1).for_each(|part| add(part, of));
    }
    #[cfg(not(feature = "threads"))]
    parts.iter_mut().for_each(|part| add(part, of));
}

/// The vjp of the encodings for the gradient `delta` `[rows, width]` of the first layer's inputs.
/// Adds the tables' gradient to `tables`. Returns the gradient of `x`.
pub(crate) fn back_propagate<T: Real>(
    mlp: &Mlp,
    parameters: &[T],
    x: &[T],
    delta: &[T],
    tables: &mut [T],
) -> Vec<T> {
    table_gradient(mlp, [x, delta], tables, |part, of| part.add(of));
    input_gradient(mlp, parameters, x, delta)
}

/// The gradient of `x` for the gradient `delta` `[rows, width]` of the first layer's inputs.
pub(crate) fn input_gradient<T: Real>(mlp: &Mlp, parameters: &[T], x: &[T], delta: &[T]) -> Vec<T> {
    let (inputs, width, places) = (mlp.inputs, mlp.layer_inputs(0), with_levels(mlp));
    let mut gradient = vec![T::ZERO; x.len()];
    each_row(x, inputs, &mut gradient, inputs, |row, x, gradient| {
        let delta = &delta[row * width..(row + 1) * width];
        for (place, levels) in &places {
            let (x, dy) = (&x[place.inputs.clone()], &delta[place.outputs.clone()]);
            let dx = &mut gradient[place.inputs.clone()];
            match &place.encoding {
                Encoding::Grid(grid) => {
                    grid.vjp(levels, &parameters[place.tables.clone()], x, dy, dx);
                }
                encoding => {
                    let dimensions = encoding.dimensions().unwrap_or(1);
                    let points = x.chunks(dimensions).zip(dx.chunks_mut(dimensions));
                    for ((p, dx), dy) in points.zip(dy.chunks(encoding.of_point())) {
                        for (k, dy) in dy.iter().enumerate() {
                            for (dx, derivative) in
                                dx.iter_mut().zip(encoding.derivative_at(point(p), k))
                            {
                                *dx += *dy * derivative;
                            }
                        }
                    }
                }
            }
        }
    });
    gradient
}

/// The tangent `[rows, width]` of the first layer's inputs, for the tangent `v` `[rows, inputs]` of `x`.
pub(crate) fn tangent<T: Real>(mlp: &Mlp, parameters: &[T], x: &[T], v: &[T]) -> Vec<T> {
    let (inputs, width, places) = (mlp.inputs, mlp.layer_inputs(0), with_levels(mlp));
    let mut tangent = vec![T::ZERO; x.len() / inputs * width];
    each_row(x, inputs, &mut tangent, width, |row, x, y| {
        let v = &v[row * inputs..(row + 1) * inputs];
        for (place, levels) in &places {
            let (x, v) = (&x[place.inputs.clone()], &v[place.inputs.clone()]);
            let y = &mut y[place.outputs.clone()];
            if let Encoding::Grid(grid) = &place.encoding {
                grid.tangent(levels, &parameters[place.tables.clone()], [x, v], y);
                continue;
            }
            let dimensions = place.encoding.dimensions().unwrap_or(1);
            let points = x.chunks(dimensions).zip(v.chunks(dimensions));
            for ((p, v), y) in points.zip(y.chunks_mut(place.encoding.of_point())) {
                for (k, y) in y.iter_mut().enumerate() {
                    let derivative = place.encoding.derivative_at(point(p), k);
                    for (v, derivative) in v.iter().zip(derivative) {
                        *y += *v * derivative;
                    }
                }
            }
        }
    });
    tangent
}

/// The vjp of the encodings and of their [`tangent`] along `v`, for the gradient of the first layer's
/// inputs and that of their tangent, `[rows, width]` each. Adds the tables' gradient to `tables`.
/// Returns the gradient of `x`.
pub(crate) fn back_propagate_tangent<T: Real>(
    mlp: &Mlp,
    parameters: &[T],
    [x, v]: [&[T]; 2],
    [delta, tangent_delta]: [&[T]; 2],
    tables: &mut [T],
) -> Vec<T> {
    let (inputs, width, places) = (mlp.inputs, mlp.layer_inputs(0), with_levels(mlp));
    let mut gradient = back_propagate(mlp, parameters, x, delta, tables);
    for (row, gradient) in gradient.chunks_mut(inputs).enumerate() {
        let [x, v] = [x, v].map(|of| &of[row * inputs..(row + 1) * inputs]);
        let delta = &tangent_delta[row * width..(row + 1) * width];
        for (place, levels) in &places {
            let [x, v] = [x, v].map(|of| &of[place.inputs.clone()]);
            let (dy, dx) = (&delta[place.outputs.clone()], &mut gradient[place.inputs.clone()]);
            if let Encoding::Grid(grid) = &place.encoding {
                let of = place.tables.clone();
                grid.vjp_of_tangent(
                    levels,
                    &parameters[of.clone()],
                    [x, v],
                    dy,
                    [dx, &mut tables[of]],
                );
                continue;
            }
            let dimensions = place.encoding.dimensions().unwrap_or(1);
            let points = x.chunks(dimensions).zip(v.chunks(dimensions));
            let points = points.zip(dx.chunks_mut(dimensions));
            for (((p, v), dx), dy) in points.zip(dy.chunks(place.encoding.of_point())) {
                for (k, dy) in dy.iter().enumerate() {
                    let bend = place.encoding.second_derivative_at(point(p), k, point(v));
                    for (dx, bend) in dx.iter_mut().zip(bend) {
                        *dx += *dy * bend;
                    }
                }
            }
        }
    }
    gradient
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second derivatives along random directions, by central differences of the first.
    #[test]
    fn second_derivatives_match_central_differences() {
        let mut encodings = Encoding::all();
        encodings.push(SphericalHarmonics { degree: 8 }.into());
        encodings.push(OneBlob { bins: 1 }.into());
        for encoding in encodings {
            let Some(dimensions) = encoding.dimensions() else { continue };
            for i in 0..200 {
                let p: [f64; 3] =
                    std::array::from_fn(|d| (f64::from(i) + 0.317 * d as f64) / 201.0 + 1.3e-3);
                let v = std::array::from_fn(|d| {
                    if d < dimensions { (f64::from(i) * 0.7 + d as f64).sin() } else { 0.0 }
                });
                for k in 0..encoding.of_point() {
                    let bend = encoding.second_derivative_at(p, k, v);
                    let h = 1e-7;
                    let at = |h: f64| {
                        encoding.derivative_at(std::array::from_fn(|d| p[d] + h * v[d]), k)
                    };
                    let (up, down) = (at(h), at(-h));
                    for d in 0..dimensions {
                        let difference = (up[d] - down[d]) / (2.0 * h);
                        let error = (bend[d] - difference).abs() / bend[d].abs().max(1.0);
                        // The highest frequency's differences are as good as that.
                        assert!(error <= 1e-3, "{} {k} at {p:?}: {error}", encoding.name());
                    }
                }
            }
        }
    }

    /// Central differences in f64, away from the kinks of piecewise encodings.
    #[test]
    fn derivatives_match_central_differences() {
        for encoding in Encoding::all() {
            let Some(dimensions) = encoding.dimensions() else { continue };
            for i in 0..200 {
                let p: [f64; 3] =
                    std::array::from_fn(|d| (f64::from(i) + 0.317 * d as f64) / 201.0 + 1.3e-3);
                for k in 0..encoding.of_point() {
                    let derivative = encoding.derivative_at(p, k);
                    for d in 0..dimensions {
                        let h = 1e-7;
                        let (mut up, mut down) = (p, p);
                        up[d] += h;
                        down[d] -= h;
                        let value = |p| {
                            let mut y = vec![0.0; encoding.of_point()];
                            encoding.values_at(p, &mut y);
                            y[k]
                        };
                        let difference = (value(up) - value(down)) / (2.0 * h);
                        let error =
                            (derivative[d] - difference).abs() / derivative[d].abs().max(1.0);
                        assert!(error <= 1e-4, "{encoding:?} at {p:?}, output {k}, input {d}");
                    }
                }
            }
        }
    }

    #[test]
    fn inputs_that_an_encoding_does_not_take_are_refused() {
        for (encoding, inputs, words) in [
            (SphericalHarmonics::default().into(), 4, "the inputs of the encoding spherical"),
            (Frequency::default().into(), 0, "the inputs of the encoding frequency is 0"),
            (Grid::default().into(), 0, "the inputs of the encoding grid is 0; allowed: 1 to 4"),
            (Grid::default().into(), 5, "the inputs of the encoding grid is 5"),
            (OneBlob { bins: 1000 }.into(), 5, "the outputs of the encoding one_blob is 5000"),
        ] {
            let encoding: Encoding = encoding;
            let message = encoding.check(inputs).unwrap_err().to_string();
            assert!(message.starts_with(words), "{message}");
        }
    }
}
