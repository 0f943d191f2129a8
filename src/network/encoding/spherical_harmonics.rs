//! Real spherical harmonics as polynomials of a direction: Sloan, "Stupid Spherical Harmonics (SH)
//! Tricks", 2008.

use super::{DIMENSIONS, Pointwise};
use crate::error::{Error, Result};
use crate::numeric::Real;

/// Real spherical harmonics of a direction v, up to degree 8: degree² outputs for three inputs. The
/// inputs are (v + 1) / 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct SphericalHarmonics {
    /// The degree, 1 to 8.
    pub degree: u32,
}

impl Default for SphericalHarmonics {
    fn default() -> Self {
        Self { degree: 4 }
    }
}

/// The factors of 1, z², z⁴ and z⁶ for each band l and order m from 0 to l, in the row number
/// ½ l (l + 1) + m. They are those of (−1)ᵐ K dᵐ Pₗ(z) / dzᵐ, divided by z where l − m is odd, with
/// Legendre's polynomial Pₗ and the norm K = √((2 l + 1) (l − m)! / (4π (l + m)!)), times √2 where
/// m > 0. The shader has the same numbers; the tests compute them by a recurrence.
#[rustfmt::skip]
const COEFFICIENTS: [[f64; 4]; 36] = [
    [0.282_094_791_773_878_14, 0.0, 0.0, 0.0],
    [0.488_602_511_902_919_9, 0.0, 0.0, 0.0],
    [-0.488_602_511_902_919_9, 0.0, 0.0, 0.0],
    [-0.315_391_565_252_52, 0.946_174_695_757_56, 0.0, 0.0],
    [-1.092_548_430_592_079_2, 0.0, 0.0, 0.0],
    [0.546_274_215_296_039_6, 0.0, 0.0, 0.0],
    [-1.119_528_997_770_346_2, 1.865_881_662_950_577, 0.0, 0.0],
    [0.457_045_799_464_465_7, -2.285_228_997_322_328_8, 0.0, 0.0],
    [1.445_305_721_320_277_1, 0.0, 0.0, 0.0],
    [-0.590_043_589_926_643_5, 0.0, 0.0, 0.0],
    [0.317_356_640_745_612_93, -3.173_566_407_456_129, 3.702_494_142_032_150_7, 0.0],
    [2.007_139_630_671_867_6, -4.683_325_804_901_024, 0.0, 0.0],
    [-0.473_087_347_878_78, 3.311_611_435_151_460_3, 0.0, 0.0],
    [-1.770_130_769_779_930_4, 0.0, 0.0, 0.0],
    [0.625_835_735_449_176_1, 0.0, 0.0, 0.0],
    [1.754_254_836_801_354, -8.186_522_571_739_651, 7.367_870_314_565_686, 0.0],
    [-0.452_946_651_195_696_94, 6.341_253_116_739_757, -9.511_879_675_109_636, 0.0],
    [-2.396_768_392_486_662, 7.190_305_177_459_986, 0.0, 0.0],
    [0.489_238_299_435_250_4, -4.403_144_694_917_254, 0.0, 0.0],
    [2.075_662_314_881_041, 0.0, 0.0, 0.0],
    [-0.656_382_056_840_170_1, 0.0, 0.0, 0.0],
    [-0.317_846_011_338_142_1, 6.674_766_238_100_985, -20.024_298_714_302_954, 14.684_485_723_822_167],
    [-2.913_106_812_593_657, 17.478_640_875_561_943, -19.226_504_963_118_135, 0.0],
    [0.460_602_629_757_461_75, -8.290_847_335_634_31, 15.199_886_781_996_238, 0.0],
    [2.763_615_778_544_770_6, -10.133_257_854_664_159, 0.0, 0.0],
    [-0.504_564_900_728_724_2, 5.550_213_908_015_966, 0.0, 0.0],
    [-2.366_619_162_231_752, 0.0, 0.0, 0.0],
    [0.683_184_105_191_914_3, 0.0, 0.0, 0.0],
    [-2.389_949_691_920_173, 21.509_547_227_281_56, -47.321_003_900_019_43, 29.293_954_795_250_12],
    [0.451_658_037_912_586_6, -12.194_767_023_639_837, 44.714_145_753_346_074, -38.752_259_652_899_93],
    [3.318_995_193_337_37, -24.339_298_084_474_045, 31.641_087_509_816_26, 0.0],
    [-0.469_376_801_586_882_1, 10.326_289_634_911_406, -22.373_627_542_308_046, 0.0],
    [-3.113_493_472_321_562, 13.491_805_046_726_768, 0.0, 0.0],
    [0.518_915_578_720_260_3, -6.745_902_523_363_384, 0.0, 0.0],
    [2.645_960_661_801_9, 0.0, 0.0, 0.0],
    [-0.707_162_732_524_596_2, 0.0, 0.0, 0.0],
];

/// Harmonic `k`, a polynomial of x, y, z, and its derivatives: a polynomial of z times the real or,
/// for a negative order, the imaginary part of (x + i y)ᵐ.
fn harmonic<T: Real>([x, y, z]: [T; DIMENSIONS], k: usize) -> (T, [T; DIMENSIONS]) {
    let l = k.isqrt();
    let (center, base) = (l * l + l, l * (l + 1) / 2);
    let (negative, m) = (k < center, k.abs_diff(center));
    let c = COEFFICIENTS[base + m].map(T::of);
    let n = |value: usize| T::of(value as f64);
    let q = z * z;
    let even = c[0] + q * (c[1] + q * (c[2] + q * c[3]));
    let slope = z * (n(2) * c[1] + q * (n(4) * c[2] + q * n(6) * c[3]));
    let odd = (l - m) % 2 == 1;
    let (along, along_slope) = if odd { (z * even, even + z * slope) } else { (even, slope) };
    // (x + i y)ᵐ⁻¹ and (x + i y)ᵐ.
    let (mut below, mut power) = ([T::ZERO; 2], [T::ONE, T::ZERO]);
    for _ in 0..m {
        below = power;
        power = [power[0] * x - power[1] * y, power[0] * y + power[1] * x];
    }
    let [dx, dy] = if negative { [below[1], below[0]] } else { [below[0], -below[1]] };
    let around = power[usize::from(negative)];
    let each = along * n(m);
    (along * around, [each * dx, each * dy, along_slope * around])
}

/// The second derivatives of harmonic `k`, times `v`.
fn bend<T: Real>([x, y, z]: [T; DIMENSIONS], k: usize, v: [T; DIMENSIONS]) -> [T; DIMENSIONS] {
    let l = k.isqrt();
    let (center, base) = (l * l + l, l * (l + 1) / 2);
    let (negative, m) = (k < center, k.abs_diff(center));
    let c = COEFFICIENTS[base + m].map(T::of);
    let n = |value: usize| T::of(value as f64);
    let q = z * z;
    // The polynomial of z and its two derivatives.
    let even = c[0] + q * (c[1] + q * (c[2] + q * c[3]));
    let slope = z * (n(2) * c[1] + q * (n(4) * c[2] + q * n(6) * c[3]));
    let second = n(2) * c[1] + q * (n(12) * c[2] + q * n(30) * c[3]);
    let [along, along_slope, along_second] = if (l - m) % 2 == 1 {
        [z * even, even + z * slope, n(2) * slope + z * second]
    } else {
        [even, slope, second]
    };
    // (x + i y)ᵐ⁻², (x + i y)ᵐ⁻¹ and (x + i y)ᵐ: real and imaginary part.
    let (mut low, mut below, mut power) = ([T::ZERO; 2], [T::ZERO; 2], [T::ONE, T::ZERO]);
    for _ in 0..m {
        low = below;
        below = power;
        power = [power[0] * x - power[1] * y, power[0] * y + power[1] * x];
    }
    // Along x a power loses one, along y it is multiplied by i, too.
    let part = |of: [T; 2]| of[usize::from(negative)];
    let turned = |of: [T; 2]| part([-of[1], of[0]]);
    let (first, twice) = (n(m), n(m * m.saturating_sub(1)));
    let [xx, xy] = [along * twice * part(low), along * twice * turned(low)];
    let [xz, yz] = [along_slope * first * part(below), along_slope * first * turned(below)];
    let zz = along_second * part(power);
    [
        xx * v[0] + xy * v[1] + xz * v[2],
        xy * v[0] - xx * v[1] + yz * v[2],
        xz * v[0] + yz * v[1] + zz * v[2],
    ]
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
        if !(1..=8).contains(&self.degree) {
            let what = "the degree of the encoding spherical_harmonics";
            return Err(Error::argument(what, self.degree, "1 to 8"));
        }
        Ok(())
    }

    fn value<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> T {
        harmonic(direction(p), k).0
    }

    fn derivative<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> [T; DIMENSIONS] {
        harmonic(direction(p), k).1.map(|s| T::of(2.0) * s)
    }

    fn second_derivative<T: Real>(
        &self,
        p: [T; DIMENSIONS],
        k: usize,
        v: [T; DIMENSIONS],
    ) -> [T; DIMENSIONS] {
        bend(direction(p), k, v).map(|s| T::of(4.0) * s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The harmonics at a direction by the recurrence of the associated Legendre functions, from the
    /// angles: (l − m) Pₗ = (2 l − 1) z Pₗ₋₁ − (l + m − 1) Pₗ₋₂, Pₘ₊₁ = (2 m + 1) z Pₘ and
    /// Pₘ = −(2 m − 1) r Pₘ₋₁ for l = m.
    fn by_recurrence(v: [f64; 3], k: usize) -> f64 {
        let l = k.isqrt();
        let (order, m) = (k as f64 - (l * l + l) as f64, k.abs_diff(l * l + l));
        let r = v[0].hypot(v[1]);
        let angle = v[1].atan2(v[0]);
        let mut p = (1..=m).fold(1.0, |p, i| -(2.0 * i as f64 - 1.0) * r * p);
        let mut last = 0.0;
        for i in m + 1..=l {
            let next = ((2 * i - 1) as f64 * v[2] * p - (i + m - 1) as f64 * last) / (i - m) as f64;
            (last, p) = (p, next);
        }
        let ratio: f64 = (l - m + 1..=l + m).map(|i| i as f64).product();
        let norm = ((2 * l + 1) as f64 / (4.0 * std::f64::consts::PI * ratio)).sqrt();
        let turn = m as f64 * angle;
        let around = match order {
            0.0 => 1.0,
            o if o > 0.0 => std::f64::consts::SQRT_2 * turn.cos(),
            _ => std::f64::consts::SQRT_2 * turn.sin(),
        };
        norm * p * around
    }

    #[test]
    fn they_are_those_of_the_recurrence() {
        for i in 0..200 {
            // A spiral from pole to pole.
            let z = 1.0 - (f64::from(i) + 0.5) / 100.0;
            let (r, angle) = ((1.0 - z * z).sqrt(), 2.4 * f64::from(i));
            let v = [r * angle.cos(), r * angle.sin(), z];
            for k in 0..64 {
                let (found, expected) = (harmonic(v, k).0, by_recurrence(v, k));
                assert!((found - expected).abs() <= 1e-12, "{k} at {v:?}: {found}, {expected}");
            }
        }
    }

    /// The shader's numbers are these, to a unit in the last place of f32.
    #[test]
    fn the_shader_has_the_same_factors() {
        let text = include_str!("../../../shaders/encoding/spherical_harmonics.wgsl");
        let row = |line: &'static str| line.strip_prefix("    vec4<f32>(")?.strip_suffix("),");
        let numbers = |row: &str| row.split(", ").map(|number| number.parse().unwrap()).collect();
        let found: Vec<Vec<f32>> = text.lines().filter_map(row).map(numbers).collect();
        assert_eq!(found.len(), COEFFICIENTS.len());
        for (found, expected) in found.iter().zip(COEFFICIENTS) {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected.map(|v| v as f32)) {
                let error = (found - expected).abs();
                assert!(error <= expected.abs() * f32::EPSILON, "{found}, not {expected}");
            }
        }
    }

    /// The mean over the sphere of a product of two harmonics is 1 / 4π or 0. The quadrature is
    /// exact for polynomials of degree 14: Gauss-Legendre with 8 points in z, 16 evenly spaced
    /// angles around it.
    #[test]
    fn they_are_orthonormal() {
        let nodes = [
            (0.183_434_642_495_649_8, 0.362_683_783_378_362),
            (0.525_532_409_916_329, 0.313_706_645_877_887_27),
            (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
            (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
        ];
        for (i, j) in (0..64).flat_map(|i| (0..64).map(move |j| (i, j))) {
            let mut sum = 0.0;
            for (z, weight) in nodes.iter().flat_map(|(z, w)| [(*z, *w), (-*z, *w)]) {
                for turn in 0..16 {
                    let angle = (f64::from(turn) + 0.3) * std::f64::consts::TAU / 16.0;
                    let r = (1.0 - z * z).sqrt();
                    let v = [r * angle.cos(), r * angle.sin(), z];
                    sum += weight / 32.0 * harmonic(v, i).0 * harmonic(v, j).0;
                }
            }
            let expected = if i == j { 1.0 / (4.0 * std::f64::consts::PI) } else { 0.0 };
            assert!((sum - expected).abs() <= 1e-12, "{i} {j}: {sum}");
        }
    }
}
