//! The description of a network.

use crate::error::{Error, Result};
use crate::network::encoding::{Encoding, EncodingPart};
use crate::network::{Activation, CustomActivation};
use crate::numeric::check_shape;
use std::ops::Range;

/// One layer: Y = f(X Wᵀ + 1 bᵀ), or f(X Wᵀ) without a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Layer {
    /// The number of units, 1 or more.
    pub units: usize,
    /// The function f.
    pub activation: Activation,
    /// Whether there is a bias b.
    pub bias: bool,
}

/// A multilayer perceptron: the number of inputs, their encodings, and the layers. Pure data.
///
/// ```
/// use wgrad::{Activation, Mlp};
/// // The article's network: two inputs, three hidden units, one output.
/// let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
/// assert_eq!(mlp.parameters(), 13);
/// assert_eq!(mlp.to_string(), "2-3-1, sigmoid, sigmoid");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Mlp {
    /// The number of inputs, 1 or more.
    pub inputs: usize,
    /// The encodings between the inputs and the first layer: one for all inputs, several for some
    /// inputs each, whose outputs follow each other, or none.
    pub encoding: Vec<EncodingPart>,
    /// One or more layers, in the order of the forward pass.
    pub layers: Vec<Layer>,
}

/// The ranges of a layer's parameters in a model's flat buffer, in elements.
///
/// The weight is `[units, inputs of the layer]`, row-major; the bias `[units]` follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerRange {
    /// The weight's elements.
    pub weight: Range<usize>,
    /// The bias's elements; none where the layer has no bias.
    pub bias: Range<usize>,
    /// The weight's shape: units, inputs of the layer.
    pub shape: [usize; 2],
}

impl Mlp {
    /// A network without layers.
    pub fn new(inputs: usize) -> Self {
        Self { inputs, encoding: Vec::new(), layers: Vec::new() }
    }

    /// Encodes the next `inputs` inputs. The encodings must cover all inputs in the end.
    ///
    /// ```
    /// use wgrad::encoding::{Grid, Identity, OneBlob, TriangleWave};
    /// use wgrad::{Activation, Mlp};
    /// let picture = Mlp::new(2)
    ///     .encode(2, Grid { log2_hashmap_size: 15, per_level_scale: 1.5, ..Grid::default() })
    ///     .layer(64, Activation::Relu)
    ///     .layer(3, Activation::Identity);
    /// assert_eq!(picture.layer_inputs(0), 32);
    /// // Radiance at a position on a surface, and one input that passes through.
    /// let composite = Mlp::new(9)
    ///     .encode(3, TriangleWave { frequencies: 12 })
    ///     .encode(5, OneBlob { bins: 4 })
    ///     .encode(1, Identity::default())
    ///     .layer(3, Activation::Identity);
    /// assert_eq!(composite.layer_inputs(0), 36 + 20 + 1);
    /// ```
    #[must_use]
    pub fn encode(self, inputs: usize, encoding: impl Into<Encoding>) -> Self {
        let first = self.encoding.last().map_or(0, |part| part.first.saturating_add(part.inputs));
        self.encode_at(first, inputs, encoding)
    }

    /// Encodes `inputs` inputs from input `first` on. Encodings may share inputs, and must cover all
    /// of them in the end.
    ///
    /// ```
    /// use wgrad::encoding::Grid;
    /// use wgrad::{Activation, Mlp};
    /// // The planes of a cube: xy and yz.
    /// let plane = Grid { levels: 8, ..Grid::default() };
    /// let mlp = Mlp::new(3).encode_at(0, 2, plane).encode_at(1, 2, plane);
    /// assert_eq!(mlp.layer(1, Activation::Identity).layer_inputs(0), 32);
    /// ```
    #[must_use]
    pub fn encode_at(mut self, first: usize, inputs: usize, encoding: impl Into<Encoding>) -> Self {
        self.encoding.push(EncodingPart { first, inputs, encoding: encoding.into() });
        self
    }

    /// Whether two encodings share inputs. All inputs are encoded.
    pub(crate) fn shares_inputs(&self) -> bool {
        let all = self.encoding.iter().fold(0, |sum: usize, p| sum.saturating_add(p.inputs));
        all > self.inputs
    }

    /// The number of inputs from the first one on that are encoded without a gap.
    fn covered_inputs(&self) -> usize {
        let mut ranges: Vec<_> = self.encoding.iter().map(|p| (p.first, p.inputs)).collect();
        ranges.sort_unstable();
        ranges.iter().fold(0, |end, (first, inputs)| {
            if *first <= end { end.max(first.saturating_add(*inputs)) } else { end }
        })
    }

    /// Adds a layer at the end.
    #[must_use]
    pub fn layer(mut self, units: usize, activation: impl Into<Activation>) -> Self {
        self.layers.push(Layer { units, activation: activation.into(), bias: true });
        self
    }

    /// Adds a layer without a bias at the end.
    ///
    /// ```
    /// use wgrad::{Activation, Mlp};
    /// let mlp = Mlp::new(2).layer_without_bias(3, Activation::Relu).layer(1, Activation::Identity);
    /// assert_eq!(mlp.parameters(), 6 + 4);
    /// assert_eq!(mlp.to_string(), "2-3-1, relu (no bias), identity");
    /// ```
    #[must_use]
    pub fn layer_without_bias(mut self, units: usize, activation: impl Into<Activation>) -> Self {
        self.layers.push(Layer { units, activation: activation.into(), bias: false });
        self
    }

    /// The number of outputs: the last layer's units.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(self.inputs, |layer| layer.units)
    }

    /// The last layer's activation.
    pub fn last_activation(&self) -> Activation {
        self.layers.last().map_or(Activation::Identity, |layer| layer.activation)
    }

    /// The number of inputs of layer `index`. The first layer's inputs are the encodings' outputs. It
    /// is 0 where there is no such layer.
    pub fn layer_inputs(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            _ if index >= self.layers.len().max(1) => 0,
            Some(below) => self.layers[below].units,
            None if self.encoding.is_empty() => self.inputs,
            None => {
                let outputs = self.encoding.iter().map(|part| part.encoding.outputs(part.inputs));
                outputs.fold(0, usize::saturating_add)
            }
        }
    }

    /// The width of the widest layer, including its inputs and outputs.
    pub(crate) fn widest(&self) -> usize {
        self.layers.iter().map(|layer| layer.units).fold(self.layer_inputs(0), usize::max)
    }

    /// The number of parameters of the encodings. Their tables come first in a model.
    pub fn encoding_parameters(&self) -> usize {
        let tables = self.encoding.iter().map(|part| part.encoding.parameters(part.inputs));
        tables.fold(0, usize::saturating_add)
    }

    /// The number of parameters P of one model.
    pub fn parameters(&self) -> usize {
        self.ranges().last().map_or(0, |range| range.bias.end)
    }

    /// The ranges of the layers' parameters. They follow the parameters of the encodings, layer
    /// after layer, weight before bias.
    ///
    /// ```
    /// use wgrad::{Activation, Mlp};
    /// let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity);
    /// let ranges = mlp.ranges();
    /// assert_eq!((ranges[0].weight.clone(), ranges[0].bias.clone()), (0..6, 6..9));
    /// assert_eq!((ranges[1].weight.clone(), ranges[1].bias.clone()), (9..12, 12..13));
    /// ```
    pub fn ranges(&self) -> Vec<LayerRange> {
        let mut start = self.encoding_parameters();
        (0..self.layers.len())
            .map(|index| {
                let shape = [self.layers[index].units, self.layer_inputs(index)];
                let weight = start..start.saturating_add(shape[0].saturating_mul(shape[1]));
                let biases = if self.layers[index].bias { shape[0] } else { 0 };
                let bias = weight.end..weight.end.saturating_add(biases);
                start = bias.end;
                LayerRange { weight, bias, shape }
            })
            .collect()
    }

    /// The network of the first `layers` layers, behind the same encodings: its outputs are the units
    /// of the last of them. [`Parameters::up_to`](crate::Parameters::up_to) has its parameters.
    ///
    /// # Errors
    /// [`Error::Argument`] where there are no layers or fewer than that.
    pub fn up_to(&self, layers: usize) -> Result<Self> {
        if !(1..=self.layers.len()).contains(&layers) {
            let allowed = format!("1 to {}", self.layers.len());
            return Err(Error::argument("the number of first layers", layers, allowed));
        }
        Ok(Self { layers: self.layers[..layers].to_vec(), ..self.clone() })
    }

    /// Checks that the network can be built.
    ///
    /// # Errors
    /// [`Error::Argument`] where there is no layer, a width is 0, the number of parameters does not
    /// fit in `u32`, or the encodings do not cover all inputs; the errors of [`Encoding::check`].
    pub fn check(&self) -> Result<()> {
        if self.layers.is_empty() {
            return Err(Error::argument("the number of layers", 0, "1 or more"));
        }
        if self.inputs == 0 {
            return Err(Error::argument("the number of inputs", 0, "1 or more"));
        }
        if let Some(index) = self.layers.iter().position(|layer| layer.units == 0) {
            return Err(Error::argument(format!("layer {index}'s units"), 0, "1 or more"));
        }
        // Two functions of one name would be one in a shader. The crate's own names are its own.
        let mut customs: Vec<CustomActivation> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let Activation::Custom(custom) = layer.activation else { continue };
            match customs.iter().find(|known| known.name() == custom.name()) {
                None => customs.push(custom),
                Some(known) if *known == custom => {}
                Some(_) => {
                    let what = format!("layer {index}'s activation");
                    let found = format!("another function of the name {}", custom.name());
                    return Err(Error::argument(
                        what,
                        found,
                        "one function of a name in a network",
                    ));
                }
            }
        }
        for part in &self.encoding {
            part.encoding.check(part.inputs)?;
        }
        let encoded = self.covered_inputs();
        if !self.encoding.is_empty() && encoded != self.inputs {
            let allowed = format!("all {} or none", self.inputs);
            return Err(Error::argument("the number of encoded inputs", encoded, allowed));
        }
        crate::numeric::to_u32(
            "the number of parameters",
            crate::numeric::wide(self.parameters()),
        )?;
        Ok(())
    }

    /// Checks that `found` is the number of elements of the parameters of `models` models.
    pub(crate) fn check_parameters(&self, found: usize, models: usize) -> Result<()> {
        check_shape("the parameters", found, &[models, self.parameters()])
    }
}

impl std::fmt::Display for Mlp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.inputs)?;
        if !self.encoding.is_empty() {
            let names: Vec<_> = self.encoding.iter().map(|part| part.encoding.name()).collect();
            write!(f, " ({}) {}", names.join(", "), self.layer_inputs(0))?;
        }
        for layer in &self.layers {
            write!(f, "-{}", layer.units)?;
        }
        for layer in &self.layers {
            write!(f, ", {}", layer.activation.name())?;
            if !layer.bias {
                write!(f, " (no bias)")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::encoding::OneBlob;

    #[test]
    fn networks_that_cannot_be_are_refused() {
        let layer = Mlp::new(2).layer(3, Activation::Relu);
        assert_eq!(layer.check(), Ok(()));
        for (mlp, words) in [
            (Mlp::new(2), "the number of layers is 0"),
            (Mlp::new(0).layer(1, Activation::Relu), "the number of inputs is 0"),
            (layer.clone().layer(0, Activation::Relu), "layer 1's units is 0"),
            (Mlp::new(1 << 20).layer(1 << 20, Activation::Relu), "the number of parameters is"),
            (Mlp::new(usize::MAX).layer(9, Activation::Relu), "the number of parameters is"),
            (
                Mlp::new(3).encode(2, OneBlob::default()).layer(1, Activation::Relu),
                "the number of encoded inputs is 2; allowed: all 3 or none",
            ),
            (
                Mlp::new(2).encode(2, OneBlob { bins: 0 }).layer(1, Activation::Relu),
                "the bins of the encoding one_blob is 0",
            ),
        ] {
            let message = mlp.check().unwrap_err().to_string();
            assert!(message.starts_with(words), "{message}");
        }
    }
}
