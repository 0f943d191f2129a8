//! Real spherical harmonics as polynomials of a direction: Sloan, "Stupid Spherical Harmonics (SH)
//! Tricks", 2008.

use super::{DIMENSIONS, Pointwise};
use crate::error::{Error, Result};
use crate::numeric::Real;

/// Real spherical harmonics of a direction v, up to degree 4: degree² outputs for three inputs. The
/// inputs are (v + 1) / 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct SphericalHarmonics {
    /// The degree, 1 to 4.
    pub degree: u32,
}

impl Default for SphericalHarmonics {
    fn default() -> Self {
        Self { degree: 4 }
    }
}

/// Harmonic `k`, a factor times a polynomial of x, y, z, and its derivatives.
fn harmonic<T: Real>([x, y, z]: [T; DIMENSIONS], k: usize) -> (T, [T; DIMENSIONS]) {
    let (o, c) = (T::ZERO, |value: f64| T::of(value));
    let (two, three) = (c(2.0), c(3.0));
    let (xx, yy, zz) = (x * x, y * y, z * z);
    let (factor, value, derivative) = match k {
        0 => (0.282_094_791_773_878_14, T::ONE, [o, o, o]),
        1 => (-0.488_602_511_902_919_9, y, [o, T::ONE, o]),
        2 => (0.488_602_511_902_919_9, z, [o, o, T::ONE]),
        3 => (-0.488_602_511_902_919_9, x, [T::ONE, o, o]),
        4 => (1.092_548_430_592_079_2, x * y, [y, x, o]),
        5 => (-1.092_548_430_592_079_2, y * z, [o, z, y]),
        6 => (0.315_391_565_252_520_05, three * zz - T::ONE, [o, o, c(6.0) * z]),
        7 => (-1.092_548_430_592_079_2, x * z, [z, o, x]),
        8 => (0.546_274_215_296_039_6, xx - yy, [two * x, -two * y, o]),
        9 => (
            0.590_043_589_926_643_5,
            y * (yy - three * xx),
            [c(-6.0) * x * y, three * (yy - xx), o],
        ),
        10 => (2.890_611_442_640_554, x * y * z, [y * z, x * z, x * y]),
        11 => {
            let q = T::ONE - c(5.0) * zz;
            (0.457_045_799_464_465_8, y * q, [o, q, c(-10.0) * y * z])
        }
        12 => (0.373_176_332_590_115_4, z * (c(5.0) * zz - three), [o, o, c(15.0) * zz - three]),
        13 => {
            let q = T::ONE - c(5.0) * zz;
            (0.457_045_799_464_465_8, x * q, [q, o, c(-10.0) * x * z])
        }
        14 => (1.445_305_721_320_277, z * (xx - yy), [two * x * z, -two * y * z, xx - yy]),
        _ => {
            (0.590_043_589_926_643_5, x * (three * yy - xx), [three * (yy - xx), c(6.0) * x * y, o])
        }
    };
    (c(factor) * value, derivative.map(|s| c(factor) * s))
}

/// 2 p − 1.
fn direction<T: Real>(p: [T; DIMENSIONS]) -> [T; DIMENSIONS] {
    p.map(|v| T::of(2.0) * v - T::ONE)
}

impl Pointwise for SphericalHarmonics {
    const DIMENSIONS: usize = 3;

    fn outputs(&self) -> usize {
        (self.degree as usize).saturating_mul(self.degree as usize)
    }

    fn constants(&self) -> [f64; 2] {
        [0.0; 2]
    }

    fn check(&self) -> Result<()> {
        if !(1..=4).contains(&self.degree) {
            let what = "the degree of the encoding spherical_harmonics";
            return Err(Error::argument(what, self.degree, "1 to 4"));
        }
        Ok(())
    }

    fn value<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> T {
        harmonic(direction(p), k).0
    }

    fn derivative<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> [T; DIMENSIONS] {
        harmonic(direction(p), k).1.map(|s| T::of(2.0) * s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean over the sphere of a product of two harmonics is 1 / 4π or 0. The quadrature is
    /// exact for polynomials of degree 6: Gauss-Legendre with 4 points in z, 8 evenly spaced
    /// angles around it.
    #[test]
    fn they_are_orthonormal() {
        let nodes = [
            (0.861_136_311_594_052_6, 0.347_854_845_137_453_85),
            (0.339_981_043_584_856_26, 0.652_145_154_862_546_1),
        ];
        for (i, j) in (0..16).flat_map(|i| (0..16).map(move |j| (i, j))) {
            let mut sum = 0.0;
            for (z, weight) in nodes.iter().flat_map(|(z, w)| [(*z, *w), (-*z, *w)]) {
                for turn in 0..8 {
                    let angle = (f64::from(turn) + 0.3) * std::f64::consts::TAU / 8.0;
                    let r = (1.0 - z * z).sqrt();
                    let v = [r * angle.cos(), r * angle.sin(), z];
                    sum += weight / 16.0 * harmonic(v, i).0 * harmonic(v, j).0;
                }
            }
            let expected = if i == j { 1.0 / (4.0 * std::f64::consts::PI) } else { 0.0 };
            assert!((sum - expected).abs() <= 1e-12, "{i} {j}: {sum}");
        }
    }
}
