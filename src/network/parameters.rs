//! The parameters of a population.

use crate::error::{Error, Result};
use crate::network::Mlp;
use crate::numeric::{Real, check_finite};

/// The parameters of `models` models of one network: `[models, P]`, each model in the layout of
/// [`Mlp::ranges`].
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters<T = f32> {
    mlp: Mlp,
    models: usize,
    values: Vec<T>,
}

/// Checks that there are 1 or more models of `mlp` and that their parameters can be counted in
/// `u32`.
pub(crate) fn check_models(mlp: &Mlp, models: usize) -> Result<()> {
    if models == 0 {
        return Err(Error::argument("the number of models", 0, "1 or more"));
    }
    let all = crate::numeric::wide(mlp.parameters()).saturating_mul(crate::numeric::wide(models));
    crate::numeric::to_u32("the number of parameters of all models", all)?;
    Ok(())
}

impl<T: Real> Parameters<T> {
    /// Takes `values`, `[models, P]`.
    ///
    /// # Errors
    /// The network is not valid, there are 0 models, the length differs, or a value is not finite.
    pub fn new(mlp: Mlp, models: usize, values: Vec<T>) -> Result<Self> {
        mlp.check()?;
        check_models(&mlp, models)?;
        mlp.check_parameters(values.len(), models)?;
        check_finite("the parameters", &values)?;
        Ok(Self { mlp, models, values })
    }

    /// Takes values of the right number, which have been checked or will be.
    pub(super) const fn of_values(mlp: Mlp, models: usize, values: Vec<T>) -> Self {
        Self { mlp, models, values }
    }

    /// The network.
    pub const fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    /// The number of models.
    pub const fn models(&self) -> usize {
        self.models
    }

    /// All values, `[models, P]`.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// One model's parameters, as a population of 1.
    ///
    /// # Errors
    /// [`Error::Argument`] where no such model exists.
    pub fn model(&self, index: usize) -> Result<Self> {
        if index >= self.models {
            return Err(Error::argument(
                "the model's index",
                index,
                format!("less than {}", self.models),
            ));
        }
        let p = self.mlp.parameters();
        let values = self.values[index * p..(index + 1) * p].to_vec();
        Ok(Self { mlp: self.mlp.clone(), models: 1, values })
    }

    /// The parameters of the network of the first `layers` layers ([`Mlp::up_to`]), of all models: what
    /// it predicts are the units of the last of these layers.
    ///
    /// ```
    /// use wgrad::{Activation, Init, Mlp};
    /// let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity);
    /// let parameters = Init::Auto.sample(&mlp, 10, 0)?;
    /// let units = parameters.up_to(1)?.predict(&[0.5, -0.5])?;
    /// assert_eq!(units.len(), 10 * 3); // three hidden units of ten models, at one point
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] where there are no layers or fewer than that.
    pub fn up_to(&self, layers: usize) -> Result<Self> {
        let mlp = self.mlp.up_to(layers)?;
        let of_models = self.values.chunks(self.mlp.parameters());
        let values = of_models.flat_map(|model| &model[..mlp.parameters()]).copied().collect();
        Ok(Self { mlp, models: self.models, values })
    }

    /// Converts the parameters to another precision.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where a value is too large for `U`.
    pub fn cast<U: Real>(&self) -> Result<Parameters<U>> {
        let values = self.values.iter().map(|v| U::of(v.to_f64())).collect();
        Parameters::new(self.mlp.clone(), self.models, values)
    }
}
