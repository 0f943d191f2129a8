//! What the network sees of a point: its coordinates and simple functions of them.

use serde::{Deserialize, Serialize};

/// A function of a point (x1, x2), and an input of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Feature {
    /// x₁.
    #[serde(rename = "x1")]
    X1,
    /// x₂.
    #[serde(rename = "x2")]
    X2,
    /// x₁².
    #[serde(rename = "x1^2")]
    Square1,
    /// x₂².
    #[serde(rename = "x2^2")]
    Square2,
    /// x₁ x₂.
    #[serde(rename = "x1*x2")]
    Product,
    /// sin x₁.
    #[serde(rename = "sin(x1)")]
    Sine1,
    /// sin x₂.
    #[serde(rename = "sin(x2)")]
    Sine2,
}

impl Feature {
    /// Every feature, in the order in which they follow each other.
    pub const ALL: [Self; 7] =
        [Self::X1, Self::X2, Self::Square1, Self::Square2, Self::Product, Self::Sine1, Self::Sine2];

    /// The name that a description has.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X1 => "x1",
            Self::X2 => "x2",
            Self::Square1 => "x1^2",
            Self::Square2 => "x2^2",
            Self::Product => "x1*x2",
            Self::Sine1 => "sin(x1)",
            Self::Sine2 => "sin(x2)",
        }
    }

    /// The name in an address, of characters that no program rewrites.
    pub const fn word(self) -> &'static str {
        match self {
            Self::X1 => "x1",
            Self::X2 => "x2",
            Self::Square1 => "x1x1",
            Self::Square2 => "x2x2",
            Self::Product => "x1x2",
            Self::Sine1 => "sin1",
            Self::Sine2 => "sin2",
        }
    }

    /// The feature of either name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.name() == name || feature.word() == name)
    }

    /// The value at a point.
    pub fn value(self, [x1, x2]: [f32; 2]) -> f32 {
        match self {
            Self::X1 => x1,
            Self::X2 => x2,
            Self::Square1 => x1 * x1,
            Self::Square2 => x2 * x2,
            Self::Product => x1 * x2,
            Self::Sine1 => x1.sin(),
            Self::Sine2 => x2.sin(),
        }
    }

    /// The largest magnitude within the square of the page.
    pub const fn bound(self) -> f32 {
        match self {
            Self::X1 | Self::X2 => 6.0,
            Self::Square1 | Self::Square2 | Self::Product => 36.0,
            Self::Sine1 | Self::Sine2 => 1.0,
        }
    }

    /// The value as an expression of WGSL.
    pub const fn wgsl(self) -> &'static str {
        match self {
            Self::X1 => "p.x",
            Self::X2 => "p.y",
            Self::Square1 => "p.x * p.x",
            Self::Square2 => "p.y * p.y",
            Self::Product => "p.x * p.y",
            Self::Sine1 => "sin(p.x)",
            Self::Sine2 => "sin(p.y)",
        }
    }
}

/// The features of points, `[points, features]`.
pub fn inputs(features: &[Feature], points: impl Iterator<Item = [f32; 2]>) -> Vec<f32> {
    points.flat_map(|point| features.iter().map(move |feature| feature.value(point))).collect()
}

/// The middles of the `size` × `size` cells of the page's square, row after row: x1 from −6 to 6, x2
/// from 6 at the top to −6.
pub fn square(size: usize) -> impl Iterator<Item = [f32; 2]> {
    let at = move |i: usize| 12.0 * (i as f32 + 0.5) / size as f32 - 6.0;
    (0..size * size).map(move |i| [at(i % size), -at(i / size)])
}
