//! Which part of a network an invocation computes.
//!
//! One invocation holds every parameter and as many sums. Where that is more than a GPU has registers
//! for, neighbours share their rows: of a group of `parts` invocations each computes as many of every
//! hidden layer's units, and the output layer's terms that those units bring. They exchange what the
//! units of the next layer need. So an invocation holds a part of the parameters. All run the same
//! text, in an order of inputs that begins with their own units.

use crate::network::{LayerRange, Mlp};

/// The parameters of an invocation up to which a GPU's registers hold them and their sums. Where subgroups
/// may be small an invocation has 128 registers.
const fn most(lanes: Option<usize>) -> usize {
    if matches!(lanes, Some(32..)) { 64 } else { 40 }
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
    /// The whole of `mlp`.
    pub fn alone(mlp: &Mlp) -> Self {
        Self::new(mlp, 1, 1)
    }

    /// The fewest parts that leave an invocation few enough parameters, or the most that divide the hidden
    /// layers' units. `lanes` invocations share a subgroup for certain, if shaders may use its operations.
    pub fn of(mlp: &Mlp, lanes: Option<usize>) -> Self {
        let hidden = &mlp.layers[..mlp.layers.len() - 1];
        let divides = |parts: &usize| hidden.iter().all(|layer| layer.units % parts == 0);
        let shared = [2, 4].into_iter().filter(|parts| !hidden.is_empty() && divides(parts));
        let mut share = Self::alone(mlp);
        for parts in shared {
            if share.parameters() > most(lanes) {
                // Through memory, eight sums are reduced at a time.
                share = Self::new(mlp, parts, lanes.map_or(8, |lanes| lanes / parts));
            }
        }
        share
    }

    /// Shares `mlp` among `parts` invocations, of which each reduces a multiple of `together` sums.
    fn new(mlp: &Mlp, parts: usize, together: usize) -> Self {
        let last = mlp.layers.len() - 1;
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
        let stride = (first + 1).next_multiple_of(together);
        Self { parts, layers, stride }
    }

    /// The number of an invocation's parameters.
    pub fn parameters(&self) -> usize {
        self.layers.last().map_or(0, LayerShare::end)
    }

    /// The number of all invocations' sums.
    pub const fn values(&self) -> usize {
        self.parts * self.stride
    }

    /// The most values that an invocation sends in one exchange.
    pub fn exchanged(&self) -> usize {
        let gathers = self.layers.iter().filter(|layer| layer.gathers);
        gathers.map(|layer| layer.inputs / self.parts * (self.parts - 1)).max().unwrap_or(0)
    }

    /// Values of an invocation in workgroup memory where the exchanges go through it: of two exchanges and of
    /// the outputs' sums.
    pub fn in_memory(&self) -> usize {
        let sums = self.layers.iter().filter(|layer| layer.sums).map(|layer| layer.units);
        2 * self.exchanged() + sums.sum::<usize>()
    }
}
