//! Learning rates of their own for parts of a network.

use crate::error::{Error, Result};
use crate::network::Mlp;

/// A part of a network that can have a learning rate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Part {
    /// The tables of an encoding, by its index in [`Mlp::encoding`].
    Encoding(usize),
    /// The weights and biases of a layer, by its index in [`Mlp::layers`].
    Layer(usize),
}

impl Part {
    /// Checks that `mlp` has this part, and that the part has parameters.
    ///
    /// # Errors
    /// There is no such layer or encoding, or the encoding has no tables.
    pub fn check(self, mlp: &Mlp) -> Result<()> {
        let refuse = |allowed: String| {
            Err(Error::argument("a part with a rate of its own", format!("{self:?}"), allowed))
        };
        match self {
            Self::Layer(index) if index >= mlp.layers.len() => {
                return refuse(format!("a layer below {}", mlp.layers.len()));
            }
            Self::Encoding(index) if index >= mlp.encoding.len() => {
                return refuse(match mlp.encoding.len() {
                    0 => "a layer, as the network has no encoding".into(),
                    count => format!("an encoding below {count}"),
                });
            }
            Self::Encoding(index) => {
                let part = &mlp.encoding[index];
                if part.encoding.parameters(part.inputs) == 0 {
                    let name = part.encoding.name();
                    return refuse(format!("an encoding with tables, which {name} has not"));
                }
            }
            Self::Layer(_) => {}
        }
        Ok(())
    }
}
