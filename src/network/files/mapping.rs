//! Which tensors of a file are which layer's.

use std::fmt;

/// What a file may hold beside, or instead of, what a network demands. By default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Tensors that no layer takes are left out. They are an error otherwise, since they may be
    /// what the network lacks.
    pub extra_tensors: bool,
    /// A layer without a bias in the file has zeros. It is an error otherwise.
    pub zero_biases: bool,
    /// Axes of length 1 do not count: `[1, 16]` or `[16, 1, 1]` is read for `[16]`.
    pub squeeze: bool,
}

/// The tensors of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerMap {
    /// The name of the weight.
    pub weight: String,
    /// The name of the bias. `None`: the layer has none, or its bias is zeros.
    pub bias: Option<String>,
    /// Whether the weight is stored as `[inputs, units]`.
    pub transposed: bool,
    /// The weight's shape in the file; empty where the application wrote the map.
    pub shape: Vec<usize>,
}

/// Which tensors of a file are which layer's. [`Weights::map`](crate::weights::Weights::map)
/// finds one; where names and shapes leave a doubt, an application writes it.
///
/// ```
/// use wgrad::weights::WeightMap;
/// // Two square layers, of which the second is stored transposed.
/// let map = WeightMap::new().layer("encoder", "encoder_b").layer("head", None).transposed();
/// assert_eq!(map.to_string(), "\
/// layer 0: encoder, encoder_b
/// layer 1: head (transposed), no bias");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WeightMap {
    /// The names of the grids' tables, for each grid of the network in order.
    pub tables: Vec<String>,
    /// The tensors of each layer.
    pub layers: Vec<LayerMap>,
    /// The tensors that no layer takes, as [`Weights::map`](crate::weights::Weights::map) found them.
    pub left_out: Vec<String>,
    /// What the file may hold beside.
    pub options: ReadOptions,
}

impl WeightMap {
    /// A map of no layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next layer's weight, stored as `[units, inputs]`, and its bias. With `None` for a bias,
    /// a layer that has one gets zeros.
    #[must_use]
    pub fn layer<'n>(mut self, weight: &str, bias: impl Into<Option<&'n str>>) -> Self {
        self.layers.push(LayerMap {
            weight: weight.into(),
            bias: bias.into().map(Into::into),
            transposed: false,
            shape: Vec::new(),
        });
        self
    }

    /// Says that the weight of the layer that was added last is stored as `[inputs, units]`.
    #[must_use]
    pub fn transposed(mut self) -> Self {
        if let Some(layer) = self.layers.last_mut() {
            layer.transposed = true;
        }
        self
    }

    /// The tables `[entries, features]` of the next grid among the network's encodings.
    #[must_use]
    pub fn grid(mut self, tables: &str) -> Self {
        self.tables.push(tables.into());
        self
    }

    /// What the file may hold beside.
    #[must_use]
    pub const fn options(mut self, options: ReadOptions) -> Self {
        self.options = options;
        self
    }

    /// All names of the map.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let layers = self.layers.iter().flat_map(|layer| {
            [Some(&layer.weight), layer.bias.as_ref()].into_iter().flatten().map(String::as_str)
        });
        self.tables.iter().map(String::as_str).chain(layers)
    }
}

impl fmt::Display for WeightMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> =
            self.tables.iter().enumerate().map(|(i, name)| format!("grid {i}: {name}")).collect();
        for (index, layer) in self.layers.iter().enumerate() {
            let mut line = format!("layer {index}: {}", layer.weight);
            if !layer.shape.is_empty() {
                line += &format!(" {:?}", layer.shape);
            }
            if layer.transposed {
                line += " (transposed)";
            }
            line += &layer.bias.as_ref().map_or(", no bias".into(), |bias| format!(", {bias}"));
            lines.push(line);
        }
        if !self.left_out.is_empty() {
            lines.push(format!("left out: {}", self.left_out.join(", ")));
        }
        write!(f, "{}", lines.join("\n"))
    }
}
