//! Three ways to a gradient: analytical, numerical, back-propagated; and their comparison.

use crate::cast::to_f32;
use crate::kernels::finite;
use crate::model::{Buffers, find, make_buffers, prepare, record};
use crate::plan::{Buffer, Copies};
use crate::{
    Activation, CpuTrainer, Data, Error, Gpu, Loss, Mlp, Parameters, Real, Result, Train, Trainer,
    Training,
};
use std::fmt;
use std::time::{Duration, Instant};

/// The losses of a population and their gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients<T = f32> {
    /// One loss a model.
    pub losses: Vec<T>,
    /// `[models, P]`, laid out as the parameters.
    pub values: Vec<T>,
}

/// How a numerical gradient is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// (L(w + h) − L(w)) / h, the article's: P + 1 forward passes, an error of the order of h.
    Forward,
    /// (L(w + h) − L(w − h)) / 2h: 2 P forward passes, an error of the order of h².
    Central,
}

impl Difference {
    /// Forward passes for `parameters` parameters.
    pub const fn forward_passes(self, parameters: usize) -> usize {
        match self {
            Self::Forward => parameters + 1,
            Self::Central => 2 * parameters,
        }
    }

    /// The step h at 1, from the relative error `noise` of a loss: where the errors of rounding
    /// and of the formula are about the same (Press et al., "Numerical Recipes", section 5.7).
    fn step(self, noise: f64) -> f64 {
        match self {
            Self::Forward => noise.sqrt(),
            Self::Central => noise.cbrt(),
        }
    }

    /// What each parameter is replaced by: upwards, and downwards or itself.
    fn replaced<T: Real>(self, noise: f64, base: &[T]) -> [Vec<T>; 2] {
        let h = |w: T| T::of(self.step(noise) * w.to_f64().abs().max(1.0));
        let up = base.iter().map(|w| *w + h(*w)).collect();
        let down =
            base.iter().map(|w| if self == Self::Central { *w - h(*w) } else { *w }).collect();
        [up, down]
    }
}

/// (L₊ − L₋) / (w₊ − w₋): with the distance that rounding has left, not the one intended.
fn quotient(losses: (f64, f64), values: (f64, f64)) -> f64 {
    (losses.0 - losses.1) / (values.0 - values.1)
}

/// `Ok` for a population of one.
fn one_model(models: usize) -> Result<()> {
    if models == 1 {
        return Ok(());
    }
    Err(Error::argument("the models of a numerical gradient", models, "1"))
}

impl<T: Real> CpuTrainer<T> {
    /// The gradient on the next step's batch by differences, one forward pass after another. What the
    /// loss's gradient takes for a constant ([`Loss::holds_divisor`]) is one here.
    ///
    /// # Errors
    /// A population of more than one.
    pub fn numerical_gradient(&self, difference: Difference) -> Result<Vec<T>> {
        one_model(self.training().models)?;
        // A loss in T is right to a few units of its last place.
        let noise = if size_of::<T>() == 4 { 1e-7 } else { 2e-16 };
        let mut values = self.values().to_vec();
        let [up, down] = difference.replaced(noise, &values);
        let (here, held) = self.loss_at(&values, None)?;
        let here = here.to_f64();
        let loss = |values: &[T]| Ok::<_, Error>(self.loss_at(values, Some(&held))?.0.to_f64());
        let mut gradient = Vec::with_capacity(values.len());
        for i in 0..values.len() {
            let kept = std::mem::replace(&mut values[i], up[i]);
            let above = loss(&values)?;
            let below = if difference == Difference::Forward {
                here
            } else {
                values[i] = down[i];
                loss(&values)?
            };
            values[i] = kept;
            gradient.push(T::of(quotient((above, below), (up[i].to_f64(), down[i].to_f64()))));
        }
        Ok(gradient)
    }
}

impl Trainer {
    /// The gradient on the next step's batch by differences: a population of copies of the model,
    /// each with one parameter changed, evaluated side by side, in slices where they are many.
    ///
    /// # Errors
    /// A population of more than one; a loss that holds a divisor ([`Loss::holds_divisor`]), whose gradient
    /// no difference gives; [`Error::TooLarge`]; a lost device.
    #[cfg(not(target_family = "wasm"))]
    pub fn numerical_gradient(&mut self, difference: Difference) -> Result<Vec<f32>> {
        pollster::block_on(self.numerical_gradient_async(difference))
    }

    /// The same without blocking.
    ///
    /// # Errors
    /// The same.
    pub async fn numerical_gradient_async(&mut self, difference: Difference) -> Result<Vec<f32>> {
        one_model(self.training().models)?;
        let loss = self.training().loss;
        if loss.holds_divisor() {
            let what = "the loss of a numerical gradient on the GPU";
            let allowed = "one whose gradient is the derivative of its value";
            return Err(Error::argument(what, loss.name(), allowed));
        }
        let base = self.parameters_async().await?.values().to_vec();
        // Sums of many rows in f32 leave some more of their last places to chance than one.
        let [up, down] = difference.replaced(4e-7, &base);
        let [inputs, targets] = self.batch_buffers()?;
        let (mlp, loss) = (self.mlp().clone(), self.training().loss);
        let gpu = self.gpu().clone();
        let plan = Copies::new(&mlp, loss, self.plan().batch(), gpu.target())?;
        let mut buffers = Buffers::from([(Buffer::Inputs, inputs), (Buffer::Targets, targets)]);
        make_buffers(&gpu, &plan.buffers, &mut buffers)?;
        let forward = prepare(&gpu, &plan.forward.iter().collect::<Vec<_>>(), &buffers)?;
        let get = |name| find(&buffers, name).map(|part| &part.buffer);
        gpu.write(get(Buffer::Base)?, 0, bytemuck::cast_slice(&base))?;
        let marks = vec![finite::NONE; plan.models];
        gpu.write(get(Buffer::Status)?, 16, bytemuck::cast_slice(&marks))?;
        let losses = async |replaced: &[f32], count: usize| {
            gpu.write(get(Buffer::Replaced)?, 0, bytemuck::cast_slice(replaced))?;
            let mut losses = Vec::with_capacity(count);
            for first in (0..count).step_by(plan.models) {
                let perturb = prepare(&gpu, &[&plan.perturb(&mlp, first)?], &buffers)?;
                gpu.submit(|encoder| {
                    record(encoder, &perturb, 1);
                    record(encoder, &forward, 1);
                })?;
                let now = plan.models.min(count - first);
                let bytes = gpu.read(get(Buffer::Losses)?, 0, 4 * crate::cast::wide(now))?.await?;
                losses.extend(bytemuck::pod_collect_to_vec::<u8, f32>(&bytes));
            }
            Ok::<_, Error>(losses)
        };
        let above = losses(&up, base.len()).await?;
        let below = match difference {
            Difference::Central => losses(&down, base.len()).await?,
            Difference::Forward => vec![losses(&base, 1).await?[0]; base.len()],
        };
        let wide = f64::from;
        Ok((0..base.len())
            .map(|i| {
                let losses = (wide(above[i]), wide(below[i]));
                to_f32(quotient(losses, (wide(up[i]), wide(down[i]))))
            })
            .collect())
    }
}

/// The article's single-unit network x → h → y with sigmoids and L = ½ (y − t)², whose gradient
/// has a closed form.
///
/// ```
/// use wgrad::SingleUnit;
/// let network = SingleUnit { w1: 0.5, b1: 0.1, w2: -0.3, b2: 0.2 };
/// let gradient = network.gradient(1.5, 1.0);
/// // ∂L/∂b₂ = (y − t) y (1 − y)
/// let y = network.output(1.5);
/// assert!((gradient.b2 - (y - 1.0) * y * (1.0 - y)).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SingleUnit {
    /// From the input to the hidden unit.
    pub w1: f64,
    /// The hidden unit's bias.
    pub b1: f64,
    /// From the hidden unit to the output.
    pub w2: f64,
    /// The output's bias.
    pub b2: f64,
}

impl SingleUnit {
    /// The network as an [`Mlp`].
    pub fn mlp() -> Mlp {
        Mlp::new(1).layer(1, Activation::Sigmoid).layer(1, Activation::Sigmoid)
    }

    /// From the four parameters in the order of [`Mlp::ranges`].
    ///
    /// # Errors
    /// Parameters of another network.
    pub fn from_parameters<T: Real>(parameters: &Parameters<T>) -> Result<Self> {
        check_single(parameters.mlp())?;
        let v: Vec<f64> = parameters.values().iter().map(|v| v.to_f64()).collect();
        match v[..] {
            [w1, b1, w2, b2] => Ok(Self { w1, b1, w2, b2 }),
            _ => Err(Error::argument("the number of models", parameters.models(), "1")),
        }
    }

    /// y at `x`.
    pub fn output(&self, x: f64) -> f64 {
        let h = Activation::Sigmoid.value(x * self.w1 + self.b1);
        Activation::Sigmoid.value(h * self.w2 + self.b2)
    }

    /// ∂L/∂w₁, ∂L/∂b₁, ∂L/∂w₂ and ∂L/∂b₂ at one point, written out.
    ///
    /// With E₂ = e^−(h w₂ + b₂) and E₁ = e^−(x w₁ + b₁), the article's
    /// ∂L/∂w₂ = h · E₂ / (1 + E₂)² · (1 / (1 + E₂) − t), and by the same steps
    /// ∂L/∂w₁ = x · E₁ / (1 + E₁)² · w₂ · E₂ / (1 + E₂)² · (1 / (1 + E₂) − t).
    /// E / (1 + E)² is even in its exponent, so it is taken at e^−|·|, which cannot overflow.
    pub fn gradient(&self, x: f64, t: f64) -> Self {
        let bell = |z: f64| {
            let e = (-z.abs()).exp();
            e / ((1.0 + e) * (1.0 + e))
        };
        let z1 = x * self.w1 + self.b1;
        let h = Activation::Sigmoid.value(z1);
        let z2 = h * self.w2 + self.b2;
        let b2 = bell(z2) * (Activation::Sigmoid.value(z2) - t);
        let b1 = bell(z1) * self.w2 * b2;
        Self { w1: x * b1, b1, w2: h * b2, b2 }
    }

    /// The mean of the gradients at all points of `data`, in the order of [`Mlp::ranges`].
    ///
    /// # Errors
    /// Data of other widths than 1 and 1.
    pub fn mean_gradient<T: Real>(&self, data: &Data<T>) -> Result<Vec<f64>> {
        data.check(&Self::mlp(), 1)?;
        let mut sums = vec![0.0; 4];
        for (x, t) in data.x().iter().zip(data.t()) {
            let Self { w1, b1, w2, b2 } = self.gradient(x.to_f64(), t.to_f64());
            for (sum, g) in sums.iter_mut().zip([w1, b1, w2, b2]) {
                *sum += g / crate::cast::count(data.rows());
            }
        }
        Ok(sums)
    }
}

fn check_single(mlp: &Mlp) -> Result<()> {
    if *mlp == SingleUnit::mlp() {
        return Ok(());
    }
    Err(Error::argument("the network of the closed form", mlp, SingleUnit::mlp().to_string()))
}

/// One way to the gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Its name.
    pub name: &'static str,
    /// The device that it ran on.
    pub device: String,
    /// Forward passes over the batch.
    pub forward_passes: usize,
    /// The time that it took, once.
    pub time: Duration,
    /// The largest deviation from back-propagation in f64, as a share of that gradient's largest
    /// element.
    pub deviation: f64,
}

/// The ways to one gradient, side by side. Prints as a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The network.
    pub mlp: Mlp,
    /// Rows of the batch.
    pub rows: usize,
    /// The ways; the first is back-propagation on the CPU in f64, which the others are held to.
    pub ways: Vec<Way>,
    /// The largest deviation of all.
    pub largest_deviation: f64,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} parameters, {} rows", self.mlp, self.mlp.parameters(), self.rows)?;
        writeln!(
            f,
            "{:28} {:>14} {:>12} {:>11}  device",
            "way", "forward passes", "time", "deviation"
        )?;
        for way in &self.ways {
            writeln!(
                f,
                "{:28} {:>14} {:>9.3} ms {:>11.1e}  {}",
                way.name,
                way.forward_passes,
                way.time.as_secs_f64() * 1e3,
                way.deviation,
                way.device
            )?;
        }
        writeln!(f, "largest deviation {:.1e}", self.largest_deviation)
    }
}

/// |a − b| as a share of the largest |b|; infinite where an element is not finite.
pub(crate) fn deviation<T: Real>(found: &[T], expected: &[f64]) -> f64 {
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |scale, e| scale.max(e.abs()));
    let mut largest = if found.len() == expected.len() { 0.0_f64 } else { f64::INFINITY };
    for (f, e) in found.iter().zip(expected) {
        let error = (f.to_f64() - e).abs() / scale;
        largest = largest.max(if error.is_finite() { error } else { f64::INFINITY });
    }
    largest
}

/// Compares every way to the gradient of `loss` at `parameters` on `data`: back-propagation and
/// differences on the CPU in f64, the same on `gpu` if there is one, and the closed form where the
/// network is that of [`SingleUnit`] under [`Loss::HalfSquaredError`].
///
/// Differences are taken up to `most_numerical` parameters: their cost grows with the square.
///
/// # Errors
/// A loss or data that do not fit the network; what the device refuses.
#[cfg(not(target_family = "wasm"))]
pub fn compare_gradients(
    parameters: &Parameters,
    loss: Loss,
    data: &Data,
    gpu: Option<&Gpu>,
    most_numerical: usize,
) -> Result<Comparison> {
    let mlp = parameters.mlp();
    one_model(parameters.models())?;
    let training = Training::new(loss, crate::Optimizer::sgd(1.0));
    let p = mlp.parameters();
    let mut cpu = CpuTrainer::<f64>::new(mlp, &training, &data.cast()?)?;
    cpu.restart(&parameters.cast()?)?;
    let device = cpu.device();
    let start = Instant::now();
    let (exact, _) = cpu.back_propagate(false)?;
    let exact = exact.values;
    let mut ways = Vec::new();
    let mut way = |name, device: &str, forward_passes, start: Instant, found: &[f64]| {
        let deviation = deviation(found, &exact);
        ways.push(Way {
            name,
            device: device.into(),
            forward_passes,
            time: start.elapsed(),
            deviation,
        });
    };
    way("back-propagation", &device, 1, start, &exact);
    if *mlp == SingleUnit::mlp() && loss == Loss::HalfSquaredError {
        let start = Instant::now();
        let found = SingleUnit::from_parameters(parameters)?.mean_gradient(data)?;
        way("closed form", &device, 1, start, &found);
    }
    let numerical = [
        (Difference::Central, "central differences"),
        (Difference::Forward, "forward differences"),
    ];
    if p <= most_numerical {
        for (difference, name) in numerical {
            let start = Instant::now();
            let found = cpu.numerical_gradient(difference)?;
            way(name, &device, difference.forward_passes(p), start, &found);
        }
    }
    if let Some(gpu) = gpu {
        let mut trainer = Trainer::new(gpu, mlp, &training, data)?;
        trainer.restart(parameters)?;
        // Compiled once before, so that the time is that of the gradient.
        trainer.gradients()?;
        let start = Instant::now();
        let found: Vec<f64> = trainer.gradients()?.values.into_iter().map(f64::from).collect();
        way("back-propagation", &gpu.to_string(), 1, start, &found);
        if p <= most_numerical {
            for (difference, name) in numerical {
                let start = Instant::now();
                let found: Vec<f64> =
                    trainer.numerical_gradient(difference)?.into_iter().map(f64::from).collect();
                way(name, &gpu.to_string(), difference.forward_passes(p), start, &found);
            }
        }
    }
    let largest_deviation = ways.iter().fold(0.0_f64, |largest, way| largest.max(way.deviation));
    Ok(Comparison { mlp: mlp.clone(), rows: data.rows(), ways, largest_deviation })
}
