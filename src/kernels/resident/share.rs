//! Which part of a network an invocation computes.
//!
//! One invocation holds every parameter and as many sums. Where that is more than a GPU has registers
//! for, neighbours share their rows: of a group of `parts` invocations each computes as many of every
//! hidden layer's units, and the output layer's terms that those units bring. They exchange what the
//! units of the next layer need by shuffles. So an invocation holds a part of the parameters. All
//! run the same text, in an order of inputs that begins with their own units.

use crate::network::{LayerRange, Mlp};

/// The parameters of an invocation up to which a GPU's registers hold them and their sums. Where subgroups
/// may be small an invocation has 128 registers.
const fn most(lanes: usize) -> usize {
    if lanes < 32 { 40 } else { 64 }
}

/// A layer's part in an invocation.
pub(super) struct LayerShare {
    /// The first of its parameters in the invocation: weights, unit after unit, then biases.
    pub first: usize,
    /// The units that the invocation computes.
    pub units: usize,
    /// The inputs that it has weights of.
    pub inputs: usize,
    /// Whether the inputs begin with the invocation's own units, behind which those of the others follow:
    /// block e belongs to the neighbour whose number differs by `^ e`.
    pub gathers: bool,
    /// Whether a unit's sum is the sum over all invocations of the group.
    pub sums: bool,
    bias: bool,
}

impl LayerShare {
    /// The place of a weight among the invocation's parameters.
    pub const fn weight(&self, unit: usize, input: usize) -> usize {
        self.first + unit * self.inputs + input
    }

    /// The place of a unit's bias, if it has one.
    pub fn bias(&self, unit: usize) -> Option<usize> {
        self.bias.then_some(self.first + self.units * self.inputs + unit)
    }

    /// The place behind its parameters.
    pub const fn end(&self) -> usize {
        self.first + self.units * (self.inputs + self.bias as usize)
    }
}

/// The part of a network that an invocation computes.
pub(super) struct Share {
    /// The invocations that share a row.
    pub parts: usize,
    /// The layers.
    pub layers: Vec<LayerShare>,
    /// The places from one invocation's parameters to the next one's.
    pub stride: usize,
}

impl Share {
    /// Shares `mlp` among `parts` invocations, of which `lanes` reduce their sums together. `None` where a
    /// hidden layer's units are no multiple of the parts.
    pub fn new(mlp: &Mlp, parts: usize, lanes: usize) -> Option<Self> {
        let last = mlp.layers.len() - 1;
        let hidden = &mlp.layers[..last];
        if parts > 1 && (hidden.is_empty() || hidden.iter().any(|l| l.units % parts != 0)) {
            return None;
        }
        let mut first = 0;
        let share = |(l, range): (usize, &LayerRange)| {
            let [units, inputs] = range.shape;
            let layer = LayerShare {
                first,
                units: if l < last { units / parts } else { units },
                inputs: if l == last { inputs / parts } else { inputs },
                gathers: parts > 1 && l > 0 && l < last,
                sums: parts > 1 && l == last,
                bias: mlp.layers[l].bias,
            };
            first = layer.end();
            layer
        };
        let layers = mlp.ranges().iter().enumerate().map(share).collect();
        // Behind the parameters lies the loss.
        let stride =
            if parts > 1 { (first + 1).next_multiple_of(lanes / parts) } else { first + 1 };
        Some(Self { parts, layers, stride })
    }

    /// The whole of `mlp`.
    pub fn alone(mlp: &Mlp) -> Self {
        Self::new(mlp, 1, 1).unwrap_or_else(|| unreachable!())
    }

    /// The fewest parts that leave an invocation few enough parameters, on a device with that many lanes
    /// that may exchange values.
    pub fn of(mlp: &Mlp, lanes: usize) -> Self {
        let parts = [1, 2, 4].into_iter().filter(|parts| *parts <= lanes);
        let mut all: Vec<_> = parts.filter_map(|parts| Self::new(mlp, parts, lanes)).collect();
        let enough = all.iter().position(|share| share.parameters() <= most(lanes));
        all.swap_remove(enough.unwrap_or(all.len() - 1))
    }

    /// The number of an invocation's parameters.
    pub fn parameters(&self) -> usize {
        self.layers.last().map_or(0, LayerShare::end)
    }

    /// The number of all invocations' sums.
    pub const fn values(&self) -> usize {
        self.parts * self.stride
    }

    /// The value of the neighbour whose number differs by `^ block`, in WGSL. A quad's swap is one
    /// instruction where a shuffle computes addresses.
    pub fn exchanged(value: &str, block: usize) -> String {
        let function = ["", "quadSwapX", "quadSwapY", "quadSwapDiagonal"][block];
        format!("{function}({value})")
    }

    /// The blocks whose values, added one after the other, make the sum over the group.
    pub fn halves(&self) -> impl Iterator<Item = usize> {
        [1, 2].into_iter().filter(|block| *block < self.parts)
    }
}
