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

    /// Converts the parameters to another precision.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where a value is too large for `U`.
    pub fn cast<U: Real>(&self) -> Result<Parameters<U>> {
        let values = self.values.iter().map(|v| U::of(v.to_f64())).collect();
        Parameters::new(self.mlp.clone(), self.models, values)
    }
}
