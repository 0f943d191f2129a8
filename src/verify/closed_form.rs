//! The gradient of the article's single-unit network in closed form.

use crate::error::{Error, Result};
use crate::network::{Activation, Mlp, Parameters};
use crate::numeric::{Real, count};
use crate::training::Data;

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
        data.check_shape(&Self::mlp(), 1)?;
        let mut sums = vec![0.0; 4];
        for (x, t) in data.x().iter().zip(data.t()) {
            let Self { w1, b1, w2, b2 } = self.gradient(x.to_f64(), t.to_f64());
            for (sum, g) in sums.iter_mut().zip([w1, b1, w2, b2]) {
                *sum += g / count(data.rows());
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
