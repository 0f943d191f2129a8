//! Seeded initial parameters.

use crate::error::Result;
use crate::network::{Activation, Mlp, Parameters};
use crate::numeric::{Random, Real, with_room};

/// The bound of a grid's initial features: Müller et al., 2022, section 4.
const TABLE: f64 = 1e-4;

/// How the initial weights of a layer are sampled. Biases start at 0, and a grid's features are
/// uniform in ±10⁻⁴.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Init {
    /// Chooses by the layer's activation: [`Init::HeNormal`] for the rectifier family (ReLU, leaky
    /// ReLU, GELU, SiLU, softplus, squareplus), [`Init::GlorotUniform`] for the others.
    #[default]
    Auto,
    /// N(0, 1), as in the article.
    StandardNormal,
    /// N(0, 2 / inputs). He et al., "Delving Deep into Rectifiers", 2015.
    HeNormal,
    /// Uniform in ±√(6 / (inputs + units)). Glorot and Bengio, "Understanding the Difficulty of
    /// Training Deep Feedforward Neural Networks", 2010.
    GlorotUniform,
    /// For networks of sine layers with inputs in ±1. The first layer is uniform in ±30 / inputs,
    /// the other sine layers in ±√(6 / inputs), and layers that are no sine in a thirtieth of that.
    /// Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", 2020,
    /// section 3.2, with its ω₀ = 30 in the weights.
    Siren,
}

impl Init {
    /// Samples the parameters of `models` models of `mlp`. A seed gives one result on every device.
    /// The parameters of model m do not depend on how many models follow it.
    ///
    /// # Errors
    /// The errors of [`Mlp::check`], 0 models, or [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn sample(self, mlp: &Mlp, models: usize, seed: u64) -> Result<Parameters> {
        mlp.check()?;
        crate::network::parameters::check_models(mlp, models)?;
        let mut random = Random::new(seed);
        let mut values = with_room("the parameters", models.saturating_mul(mlp.parameters()))?;
        for _ in 0..models {
            values.extend(
                (0..mlp.encoding_parameters()).map(|_| f32::of(random.uniform(-TABLE, TABLE))),
            );
            for (index, (layer, range)) in mlp.layers.iter().zip(mlp.ranges()).enumerate() {
                let [units, inputs] = range.shape.map(crate::numeric::count);
                values.extend(range.weight.map(|_| {
                    f32::of(match self.for_activation(layer.activation) {
                        Self::StandardNormal | Self::Auto => random.normal(0.0, 1.0),
                        Self::HeNormal => random.normal(0.0, (2.0 / inputs).sqrt()),
                        Self::GlorotUniform => {
                            let bound = (6.0 / (inputs + units)).sqrt();
                            random.uniform(-bound, bound)
                        }
                        Self::Siren => {
                            let hidden = (6.0 / inputs).sqrt();
                            let bound = match (index, layer.activation) {
                                (0, Activation::Sine) => 30.0 / inputs,
                                (_, Activation::Sine) => hidden,
                                _ => hidden / 30.0,
                            };
                            random.uniform(-bound, bound)
                        }
                    })
                }));
                values.extend(range.bias.map(|_| 0.0));
            }
        }
        Parameters::new(mlp.clone(), models, values)
    }

    const fn for_activation(self, activation: Activation) -> Self {
        match (self, activation) {
            (
                Self::Auto,
                Activation::Relu
                | Activation::LeakyRelu
                | Activation::Gelu
                | Activation::Silu
                | Activation::Softplus
                | Activation::SharpSoftplus
                | Activation::Squareplus,
            ) => Self::HeNormal,
            (Self::Auto, _) => Self::GlorotUniform,
            (chosen, _) => chosen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_seed_and_have_the_right_spread() {
        let mlp = Mlp::new(100).layer(200, Activation::Relu);
        for (init, deviation) in [
            (Init::StandardNormal, 1.0),
            (Init::HeNormal, 0.02_f64.sqrt()),
            (Init::Auto, 0.02_f64.sqrt()),
            (Init::GlorotUniform, (2.0_f64 / 300.0).sqrt()),
            (Init::Siren, 0.06_f64.sqrt() / 30.0 / 3.0_f64.sqrt()),
        ] {
            let sampled = init.sample(&mlp, 1, 1).unwrap();
            assert_eq!(sampled, init.sample(&mlp, 1, 1).unwrap());
            assert_ne!(sampled, init.sample(&mlp, 1, 2).unwrap());
            let weights = &sampled.values()[..20_000];
            let mean: f64 = weights.iter().map(|w| f64::from(*w)).sum::<f64>() / 2e4;
            let square: f64 = weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / 2e4;
            assert!(mean.abs() <= 4.0 * deviation / 141.0, "{init:?} {mean}");
            assert!((square.sqrt() / deviation - 1.0).abs() <= 0.02, "{init:?} {square}");
            assert!(sampled.values()[20_000..].iter().all(|b| *b == 0.0));
        }
    }

    #[test]
    fn a_model_is_the_same_in_a_larger_population() {
        let mlp = Mlp::new(2).layer(3, Activation::Tanh);
        let one = Init::Auto.sample(&mlp, 1, 5).unwrap();
        let three = Init::Auto.sample(&mlp, 3, 5).unwrap();
        assert_eq!(one.values(), &three.values()[..9]);
        assert_ne!(one.values(), &three.values()[9..18]);
    }
}
