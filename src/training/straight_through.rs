//! Training from rounded parameters.

use super::Train;
use crate::error::{Error, Result};
use crate::network::Parameters;
use crate::numeric::Real;

/// A training that knows how its parameters will be stored. The steps see them rounded; what a step
/// changes is added to the exact parameters, which this object keeps, as if rounding had the derivative 1
/// (Bengio, Léonard and Courville, "Estimating or Propagating Gradients Through Stochastic Neurons for
/// Conditional Computation", 2013). So changes smaller than a step of the storage add up, and the
/// network learns to bear the rounding.
///
/// What rounds is a function of all parameters: [`Parameters::pack`] to halves or bytes, or what a block
/// compression leaves of them. Where it cannot give many values near to a parameter, the exact parameters
/// should come to it: [`StraightThrough::commitment`].
///
/// ```
/// use wgrad::encoding::Grid;
/// use wgrad::{
///     Activation, CpuTrainer, Dataset, Loss, Mlp, Optimizer, Storage, StraightThrough, Train, Training,
/// };
/// let grid = Grid { levels: 4, log2_hashmap_size: 8, ..Grid::default() };
/// let grid = grid.in_box([-4.0; 2], [4.0; 2]);
/// let mlp = Mlp::new(2).encode(2, grid).layer(8, Activation::Relu).layer(1, Activation::Sigmoid);
/// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.01));
/// let mut trainer = CpuTrainer::<f32>::new(&mlp, &training, &Dataset::Moons.sample(100, 0)?)?;
/// trainer.train(50)?;
/// let mut rounding = StraightThrough::new(&mut trainer)?;
/// for _ in 0..50 {
///     rounding.train(&mut trainer, 1, |exact| Ok(exact.pack(Storage::Snorm8)?.parameters()))?;
/// }
/// rounding.finish(&mut trainer, |exact| Ok(exact.pack(Storage::Snorm8)?.parameters()))?;
/// let packed = trainer.parameters()?.pack(Storage::Snorm8)?;
/// assert_eq!(packed.parameters(), trainer.parameters()?);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StraightThrough<T = f32> {
    exact: Parameters<T>,
    commitment: T,
}

impl<T: Real> StraightThrough<T> {
    /// Begins with a trainer's parameters.
    ///
    /// # Errors
    /// [`Train::parameters`]'s.
    pub fn new<R: Train<Scalar = T> + ?Sized>(trainer: &mut R) -> Result<Self> {
        Ok(Self { exact: trainer.parameters()?, commitment: T::ZERO })
    }

    /// At each rounding the exact parameters go this share of the way to the rounded ones, 0 to 1 (after the
    /// commitment of van den Oord, Vinyals and Kavukcuoglu, "Neural Discrete Representation Learning",
    /// 2017). 0 unless it is given; 0.05 to 0.1 helps where few values are near, as in block compression.
    ///
    /// # Errors
    /// A share that is not within 0 to 1.
    pub fn commitment(self, share: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::argument("the commitment", share, "0 to 1"));
        }
        Ok(Self { commitment: T::of(share), ..self })
    }

    /// The exact parameters.
    pub const fn parameters(&self) -> &Parameters<T> {
        &self.exact
    }

    /// Trains `steps` steps from the parameters as `round` gives them. With 1, every step begins with
    /// rounded parameters; with a few, the rounding, which passes through the host, costs less. Optimizer
    /// state and step counter go on. Afterwards the trainer's parameters are not rounded.
    ///
    /// # Errors
    /// Those of `round`; parameters of another network; [`Train::train`]'s.
    pub fn train<R: Train<Scalar = T> + ?Sized>(
        &mut self,
        trainer: &mut R,
        steps: u32,
        round: impl FnOnce(&Parameters<T>) -> Result<Parameters<T>>,
    ) -> Result<()> {
        let rounded = round(&self.exact)?;
        trainer.set_parameters(&rounded)?;
        trainer.train(steps)?;
        let moved = trainer.parameters()?;
        let changes = moved.values().iter().zip(rounded.values());
        let values =
            self.exact.values().iter().zip(changes).map(|(exact, (new, old))| {
                *exact + self.commitment * (*old - *exact) + (*new - *old)
            });
        let (mlp, models) = (self.exact.mlp().clone(), self.exact.models());
        self.exact = Parameters::new(mlp, models, values.collect())?;
        Ok(())
    }

    /// Leaves the rounded parameters in the trainer.
    ///
    /// # Errors
    /// Those of `round`; parameters of another network.
    pub fn finish<R: Train<Scalar = T> + ?Sized>(
        self,
        trainer: &mut R,
        round: impl FnOnce(&Parameters<T>) -> Result<Parameters<T>>,
    ) -> Result<()> {
        trainer.set_parameters(&round(&self.exact)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::CpuTrainer;
    use crate::network::{Activation, Mlp};
    use crate::training::{Dataset, Loss, Optimizer, TrainBase, Training};

    fn trainer(rate: f64) -> CpuTrainer<f64> {
        let mlp = Mlp::new(2).layer(6, Activation::Tanh).layer(1, Activation::Sigmoid);
        let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(rate)).seed(3);
        let data = Dataset::Moons.sample(100, 0).unwrap().cast().unwrap();
        CpuTrainer::new(&mlp, &training, &data).unwrap()
    }

    /// Multiples of `step`.
    fn multiples(step: f64, exact: &Parameters<f64>) -> Result<Parameters<f64>> {
        let values = exact.values().iter().map(|v| (v / step).round() * step);
        Parameters::new(exact.mlp().clone(), exact.models(), values.collect())
    }

    #[test]
    fn without_rounding_it_is_the_training() {
        let [mut plain, mut rounded] = [trainer(0.5), trainer(0.5)];
        plain.train(12).unwrap();
        let mut exact = StraightThrough::new(&mut rounded).unwrap();
        for steps in [1, 4, 7] {
            exact.train(&mut rounded, steps, |exact| Ok(exact.clone())).unwrap();
        }
        let expected = plain.parameters().unwrap();
        for (found, expected) in exact.parameters().values().iter().zip(expected.values()) {
            assert!((found - expected).abs() <= 1e-12, "{found} {expected}");
        }
        assert_eq!(rounded.losses().unwrap().values.len(), 12);
    }

    /// No step moves a parameter to the next multiple; together they do, and the rounded network is better
    /// than the training's, rounded after it.
    #[test]
    fn small_changes_add_up() {
        let round = |exact: &Parameters<f64>| multiples(1.0, exact);
        let mut knowing = trainer(0.3);
        let mut exact = StraightThrough::new(&mut knowing).unwrap();
        let first = round(exact.parameters()).unwrap();
        for _ in 0..600 {
            exact.train(&mut knowing, 1, round).unwrap();
        }
        exact.finish(&mut knowing, round).unwrap();
        let last = knowing.parameters().unwrap();
        assert_eq!(multiples(1.0, &last).unwrap(), last);
        let moved = first.values().iter().zip(last.values()).filter(|(a, b)| a != b).count();
        assert!(moved > 5, "{moved} of {}", first.values().len());
        let mut plain = trainer(0.3);
        plain.train(600).unwrap();
        let rounded = multiples(1.0, &plain.parameters().unwrap()).unwrap();
        plain.set_parameters(&rounded).unwrap();
        let [knowing, plain] = [knowing, plain].map(|mut trainer| {
            trainer.train(1).unwrap();
            trainer.losses().unwrap().last()[0]
        });
        assert!(knowing < 0.8 * plain, "{knowing} {plain}");
    }

    /// With nothing to learn, the exact parameters halve their way to the rounded ones.
    #[test]
    fn a_commitment_goes_to_the_rounded_parameters() {
        let mut still = trainer(1e-30);
        let exact = StraightThrough::new(&mut still).unwrap();
        let begin = exact.parameters().clone();
        let mut exact = exact.commitment(0.5).unwrap();
        for _ in 0..2 {
            exact.train(&mut still, 1, |exact| multiples(1.0, exact)).unwrap();
        }
        let rounded = multiples(1.0, &begin).unwrap();
        let three = exact.parameters().values().iter().zip(begin.values()).zip(rounded.values());
        for ((found, begin), rounded) in three {
            let expected = rounded + 0.25 * (begin - rounded);
            assert!((found - expected).abs() <= 1e-12, "{found} {expected}");
        }
        for share in [-0.1, 1.1, f64::NAN] {
            assert!(StraightThrough::new(&mut still).unwrap().commitment(share).is_err());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut trainer = trainer(0.1);
        let mut exact = StraightThrough::new(&mut trainer).unwrap();
        let other = Mlp::new(2).layer(1, Activation::Sigmoid);
        let other = Parameters::new(other, 1, vec![0.0; 3]).unwrap();
        assert!(exact.train(&mut trainer, 1, |_| Ok(other.clone())).is_err());
        assert!(exact.finish(&mut trainer, |_| Ok(other)).is_err());
    }
}
