//! Training data, and seeded datasets of two classes.

use crate::error::{Error, Result};
use crate::network::Mlp;
use crate::numeric::{Random, Real, check_finite, check_shape, to_u32, wide, with_room};
use crate::training::{Domain, Targets, Training};

/// Inputs and targets: one data set that all models of a population share, or one for each model.
///
/// The elements are `f32` unless said otherwise: [`Data::new_f64`], [`Data::cast`].
#[derive(Debug, Clone, PartialEq)]
pub struct Data<T = f32> {
    sets: usize,
    rows: usize,
    inputs: usize,
    outputs: usize,
    x: Vec<T>,
    t: Vec<T>,
}

impl Data {
    /// One data set with `x` `[rows, inputs]` and `t` `[rows, outputs]`, row-major.
    ///
    /// ```
    /// let (x, t) = (vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], vec![0.0, 1.0, 1.0, 1.0]);
    /// let or = wgrad::Data::new(2, 1, x, t)?;
    /// assert_eq!(or.rows(), 4);
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// A width is 0, there are no rows, the lengths do not match, or an element is not finite.
    pub fn new(inputs: usize, outputs: usize, x: Vec<f32>, t: Vec<f32>) -> Result<Self> {
        Self::of_sets(1, inputs, outputs, x, t)
    }

    /// One data set for each of `sets` models, with `x` `[sets, rows, inputs]` and `t`
    /// `[sets, rows, outputs]`.
    ///
    /// # Errors
    /// The errors of [`Data::new`].
    pub fn for_each_model(
        sets: usize,
        inputs: usize,
        outputs: usize,
        x: Vec<f32>,
        t: Vec<f32>,
    ) -> Result<Self> {
        Self::of_sets(sets, inputs, outputs, x, t)
    }
}

impl Data<f64> {
    /// [`Data::new`] in f64, for [`CpuTrainer<f64>`](crate::CpuTrainer).
    ///
    /// # Errors
    /// The errors of [`Data::new`].
    pub fn new_f64(inputs: usize, outputs: usize, x: Vec<f64>, t: Vec<f64>) -> Result<Self> {
        Self::of_sets(1, inputs, outputs, x, t)
    }

    /// [`Data::for_each_model`] in f64.
    ///
    /// # Errors
    /// The errors of [`Data::new`].
    pub fn for_each_model_f64(
        sets: usize,
        inputs: usize,
        outputs: usize,
        x: Vec<f64>,
        t: Vec<f64>,
    ) -> Result<Self> {
        Self::of_sets(sets, inputs, outputs, x, t)
    }
}

impl<T: Real> Data<T> {
    fn of_sets(sets: usize, inputs: usize, outputs: usize, x: Vec<T>, t: Vec<T>) -> Result<Self> {
        for (what, size) in [("sets", sets), ("inputs", inputs), ("outputs", outputs)] {
            if size == 0 {
                return Err(Error::argument(
                    format!("the data's number of {what}"),
                    0,
                    "1 or more",
                ));
            }
        }
        let rows = x.len() / sets / inputs;
        if rows == 0 {
            return Err(Error::argument("the data's number of rows", 0, "1 or more"));
        }
        check_shape("x", x.len(), &[sets, rows, inputs])?;
        check_shape("t", t.len(), &[sets, rows, outputs])?;
        check_finite("x", &x)?;
        check_finite("t", &t)?;
        Ok(Self { sets, rows, inputs, outputs, x, t })
    }

    /// The number of data sets and their rows.
    pub const fn shape(&self) -> DataShape {
        DataShape { sets: self.sets, rows: self.rows }
    }

    /// The number of data sets: 1 where the models share the data, otherwise the number of models.
    pub const fn sets(&self) -> usize {
        self.sets
    }

    /// Rows of one data set.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs of a row.
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Targets of a row.
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// The data of some of the models: their own sets, or the shared one.
    #[cfg(all(feature = "safetensors", not(target_family = "wasm")))]
    pub(crate) fn of_models(&self, models: &std::ops::Range<usize>) -> std::borrow::Cow<'_, Self> {
        use std::borrow::Cow;
        if self.sets == 1 {
            return Cow::Borrowed(self);
        }
        let part = |values: &[T], width: usize| {
            let each = self.rows * width;
            values[models.start * each..models.end * each].to_vec()
        };
        let (x, t) = (part(&self.x, self.inputs), part(&self.t, self.outputs));
        Cow::Owned(Self { sets: models.len(), x, t, ..*self })
    }

    /// The inputs, `[sets, rows, inputs]`.
    pub fn x(&self) -> &[T] {
        &self.x
    }

    /// The targets, `[sets, rows, outputs]`.
    pub fn t(&self) -> &[T] {
        &self.t
    }

    /// Converts the data to another precision.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where a value is too large for `U`.
    pub fn cast<U: Real>(&self) -> Result<Data<U>> {
        let cast = |values: &[T]| values.iter().map(|v| U::of(v.to_f64())).collect();
        let Self { sets, inputs, outputs, .. } = *self;
        Data::of_sets(sets, inputs, outputs, cast(&self.x), cast(&self.t))
    }

    /// Checks that the data fit `mlp` and `training`: their shape, the inputs that the encodings know
    /// and the targets that the loss knows.
    pub(crate) fn check(&self, mlp: &Mlp, training: &Training) -> Result<()> {
        self.check_shape(mlp, training.models)?;
        let why = "the box of the encoding in front; a grid's is set by `lower` and `upper`";
        Domain::of_inputs(mlp).check("the input", &self.x, self.inputs, why)?;
        let help = match training.loss.targets() {
            Targets::Any => "",
            Targets::Fractions => " (classes of −1 and 1 are 0 and 1 here)",
            Targets::Distributions => " (a class is 1 in its column and 0 in the others)",
        };
        let why = format!("what the loss {} is made for{help}", training.loss.name());
        let targets = Domain::of_targets(training.loss, self.outputs);
        targets.check("the target", &self.t, self.outputs, &why)
    }

    /// Checks that the data fit `models` models of `mlp`.
    pub(crate) fn check_shape(&self, mlp: &Mlp, models: usize) -> Result<()> {
        if self.inputs != mlp.inputs {
            return Err(Error::argument(
                "the data's inputs a row",
                self.inputs,
                format!("the network's {}", mlp.inputs),
            ));
        }
        if self.outputs != mlp.outputs() {
            return Err(Error::argument(
                "the data's targets a row",
                self.outputs,
                format!("the network's {}", mlp.outputs()),
            ));
        }
        check_sets(self.sets, models)
    }
}

/// Checks that `data` have the shape of those that they replace.
pub(crate) fn check_shape_of<T: Real>(data: &Data<T>, now: DataShape) -> Result<()> {
    for (what, found, now) in [
        ("the data's number of rows", data.rows, now.rows),
        ("the data's number of sets", data.sets, now.sets),
    ] {
        if found != now {
            return Err(Error::argument(what, found, format!("{now}, as before")));
        }
    }
    Ok(())
}

/// Checks that `models` models can have so many data sets.
pub(crate) fn check_sets(sets: usize, models: usize) -> Result<()> {
    if sets != 1 && sets != models {
        return Err(Error::argument(
            "the data's number of sets",
            sets,
            format!("1, or one for each of {models} models"),
        ));
    }
    Ok(())
}

/// The number of data sets and of their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataShape {
    /// The number of data sets: 1 where the models share the data, otherwise the number of models.
    pub sets: usize,
    /// Rows of one data set.
    pub rows: usize,
}

impl DataShape {
    /// One data set of `rows` rows that all models share.
    pub const fn shared(rows: usize) -> Self {
        Self { sets: 1, rows }
    }
}

/// Two-dimensional points of two classes: the article's datasets and a few more.
///
/// The class is 1 for the first half of the rows and 0 for the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dataset {
    /// The article's dataset: a disc of radius 0 to 0.5 inside a ring of radius 0.6 to 1. Radius
    /// and angle are uniform.
    Circles,
    /// The article's dataset: normal blobs of standard deviation 0.15 around the corners of a
    /// square of side ½. (¼, ¾) and (¾, ¼) are class 1; (¼, ¼) and (¾, ¾) are class 0.
    Xor,
    /// Two interleaved half circles of radius 1, with normal noise of standard deviation 0.1.
    Moons,
    /// Two arms of one and three quarter turns, with normal noise of standard deviation 0.02.
    Spiral,
    /// Normal blobs of standard deviation 0.4 around (1, 1), class 1, and (−1, −1), class 0.
    Gaussians,
}

impl Dataset {
    /// Every dataset.
    pub const ALL: &[Self] =
        &[Self::Circles, Self::Xor, Self::Moons, Self::Spiral, Self::Gaussians];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Circles => "circles",
            Self::Xor => "xor",
            Self::Moons => "moons",
            Self::Spiral => "spiral",
            Self::Gaussians => "gaussians",
        }
    }

    /// The dataset whose [`Dataset::name`] is `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dataset| dataset.name() == name)
    }

    /// Samples `rows` points. A seed always gives the same points.
    ///
    /// # Errors
    /// [`Error::Argument`] where `rows` is 0 or not a multiple of the number of blobs: 4 for
    /// [`Dataset::Xor`], 2 for the others, or does not fit in `u32`; [`Error::OutOfMemory`].
    ///
    /// ```
    /// use wgrad::Dataset;
    /// let data = Dataset::Circles.sample(1000, 0)?;
    /// assert_eq!((data.rows(), data.inputs(), data.outputs()), (1000, 2, 1));
    /// assert_eq!((data.t()[0], data.t()[999]), (1.0, 0.0));
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    pub fn sample(self, rows: usize, seed: u64) -> Result<Data> {
        use std::f64::consts::{PI, TAU};
        let parts = if self == Self::Xor { 4 } else { 2 };
        if rows == 0 || !rows.is_multiple_of(parts) {
            return Err(Error::argument(
                format!("the number of points of {}", self.name()),
                rows,
                format!("a multiple of {parts}, {parts} or more"),
            ));
        }
        to_u32(&format!("the number of points of {}", self.name()), wide(rows))?;
        let n = rows / parts;
        let mut random = Random::new(seed);
        let mut x = with_room("the points", 2 * rows)?;
        for part in 0..parts {
            // Coordinate after coordinate, in the order in which the article samples its arrays.
            let (first, second): (Vec<f64>, Vec<f64>) = match self {
                Self::Circles => {
                    let (low, high) = if part == 0 { (0.0, 0.5) } else { (0.6, 1.0) };
                    let radius: Vec<f64> = (0..n).map(|_| random.uniform(low, high)).collect();
                    let angle: Vec<f64> = (0..n).map(|_| random.uniform(0.0, TAU)).collect();
                    let at = |f: fn(f64) -> f64| {
                        radius.iter().zip(&angle).map(|(r, a)| r * f(*a)).collect()
                    };
                    (at(f64::cos), at(f64::sin))
                }
                Self::Xor | Self::Gaussians => {
                    let ((a, b), deviation) = match (self, part) {
                        (Self::Xor, 0) => ((0.25, 0.75), 0.15),
                        (Self::Xor, 1) => ((0.75, 0.25), 0.15),
                        (Self::Xor, 2) => ((0.25, 0.25), 0.15),
                        (Self::Xor, _) => ((0.75, 0.75), 0.15),
                        (_, 0) => ((1.0, 1.0), 0.4),
                        _ => ((-1.0, -1.0), 0.4),
                    };
                    let mut blob = |mean| (0..n).map(|_| random.normal(mean, deviation)).collect();
                    (blob(a), blob(b))
                }
                Self::Moons => (0..n)
                    .map(|_| {
                        let angle = random.uniform(0.0, PI);
                        let (u, v) = (angle.cos(), angle.sin());
                        let (u, v) = if part == 0 { (u, v) } else { (1.0 - u, 0.5 - v) };
                        (random.normal(u, 0.1), random.normal(v, 0.1))
                    })
                    .unzip(),
                Self::Spiral => (0..n)
                    .map(|i| {
                        let along = (crate::numeric::count(i) + 0.5) / crate::numeric::count(n);
                        let turn = if part == 0 { 0.0 } else { PI };
                        let angle = 1.75 * TAU * along + turn;
                        (
                            random.normal(along * angle.sin(), 0.02),
                            random.normal(along * angle.cos(), 0.02),
                        )
                    })
                    .unzip(),
            };
            x.extend(first.iter().zip(&second).flat_map(|(a, b)| [f32::of(*a), f32::of(*b)]));
        }
        let t = (0..rows).map(|row| if row < rows / 2 { 1.0 } else { 0.0 }).collect();
        Data::new(2, 1, x, t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn circles_and_xor_are_the_articles() {
        let circles = Dataset::Circles.sample(1000, 3).unwrap();
        for (i, point) in circles.x().chunks(2).enumerate() {
            let radius = point[0].hypot(point[1]);
            let range = if i < 500 { 0.0..0.500_001 } else { 0.599_999..1.000_001 };
            assert!(range.contains(&radius), "point {i}: {radius}");
        }
        let xor = Dataset::Xor.sample(1000, 3).unwrap();
        for (blob, centre) in
            xor.x().chunks(500).zip([[0.25, 0.75], [0.75, 0.25], [0.25, 0.25], [0.75, 0.75]])
        {
            for (axis, centre) in centre.into_iter().enumerate() {
                let values: Vec<f64> =
                    blob.iter().skip(axis).step_by(2).map(|v| f64::from(*v)).collect();
                let mean = values.iter().sum::<f64>() / 250.0;
                let deviation =
                    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 250.0).sqrt();
                assert_abs_diff_eq!(mean, centre, epsilon = 0.04);
                assert_abs_diff_eq!(deviation, 0.15, epsilon = 0.03);
            }
        }
    }

    #[test]
    fn every_dataset_is_seeded_and_half_of_each_class() {
        for dataset in Dataset::ALL {
            let data = dataset.sample(40, 1).unwrap();
            assert_eq!(data, dataset.sample(40, 1).unwrap());
            assert_ne!(data.x(), dataset.sample(40, 2).unwrap().x());
            assert_eq!(data.t().iter().sum::<f32>(), 20.0);
            assert_eq!(Dataset::from_name(dataset.name()), Some(*dataset));
            for rows in [0, 1, 41] {
                assert!(dataset.sample(rows, 1).is_err(), "{} {rows}", dataset.name());
            }
        }
        assert!(Dataset::Xor.sample(42, 1).is_err());
    }

    #[test]
    fn bad_data_are_refused_by_name() {
        for (result, words) in [
            (Data::new(2, 1, vec![], vec![]), "the data's number of rows is 0"),
            (Data::new(0, 1, vec![1.0], vec![1.0]), "the data's number of inputs is 0"),
            (Data::new(2, 1, vec![1.0_f32; 3], vec![1.0]), "x has 3 elements"),
            (Data::new(2, 1, vec![1.0; 4], vec![1.0; 3]), "t has 3 elements"),
            (Data::new(1, 1, vec![1.0, f32::NAN], vec![1.0; 2]), "x holds NaN at element 1"),
            (Data::new(1, 1, vec![1.0; 2], vec![f32::INFINITY; 2]), "t holds inf at element 0"),
        ] {
            let message = result.unwrap_err().to_string();
            assert!(message.starts_with(words), "{message}");
        }
    }
}
