//! What a tensor's name says: which layer, and what of it.

/// A part of a name: letters or digits. Numbers come in their own order, before words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    Number(u64),
    Word(String),
}

/// The words and the numbers of a name, without what stands between them.
///
/// As a sort key it puts `fc2` before `fc10`.
pub(super) fn natural(name: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digit = |c: char| c.is_ascii_digit();
        let same = |c: char| digit(c) == digit(first) && c.is_alphanumeric();
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end.max(first.len_utf8()));
        rest = after;
        if digit(first) {
            // What is no u64 is the largest one: such names are told apart as texts.
            parts.push(Part::Number(part.parse().unwrap_or(u64::MAX)));
        } else if first.is_alphanumeric() {
            parts.push(Part::Word(part.into()));
        }
    }
    parts
}

/// What a tensor is to its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A weight. Projects that call it so store it `[inputs, units]` (`Some(true)`), `[units,
    /// inputs]` (`Some(false)`), or either way (`None`).
    Weight(Option<bool>),
    Bias,
}

impl Role {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            // PyTorch, candle, burn.
            "weight" => Self::Weight(Some(false)),
            // flax, Keras.
            "kernel" => Self::Weight(Some(true)),
            // Haiku stores `w` as `[inputs, units]`, equinox `weight` as PyTorch; others as they like.
            "w" | "W" | "weights" | "Weights" => Self::Weight(None),
            "bias" | "biases" | "Biases" | "b" | "B" => Self::Bias,
            _ => return None,
        })
    }
}

/// The layer that a tensor belongs to, as its name says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// The words of the name: those of a row of layers are alike.
    pub words: Vec<String>,
    /// The numbers of the name: the order in that row. `dense` comes before `dense_1`.
    pub numbers: Vec<u64>,
}

impl Place {
    pub fn of(parts: Vec<Part>) -> Self {
        let mut place = Self { words: Vec::new(), numbers: Vec::new() };
        for part in parts {
            match part {
                Part::Word(word) => place.words.push(word),
                Part::Number(number) => place.numbers.push(number),
            }
        }
        place
    }
}

/// The role that the last word of a name gives a tensor, and the place that is left of the name.
pub(super) fn parse(name: &str) -> Option<(Role, Place)> {
    // TensorFlow's names end with the number of an operation's output.
    let name = name.strip_suffix(":0").unwrap_or(name);
    let mut parts = natural(name);
    let last = parts.iter().rposition(|part| matches!(part, Part::Word(_)))?;
    let Part::Word(word) = &parts[last] else { return None };
    let role = Role::of(word)?;
    parts.remove(last);
    Some((role, Place::of(parts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_a_layer_and_a_role() {
        let (in_order, weight) = (Some(false), Role::Weight);
        for (name, role, words, numbers) in [
            ("0.weight", weight(in_order), "", vec![0]),
            ("net.0.bias", Role::Bias, "net", vec![0]),
            ("fc1.weight", weight(in_order), "fc", vec![1]),
            ("module.layers.2.weight", weight(in_order), "module layers", vec![2]),
            ("params.Dense_0.kernel", weight(Some(true)), "params Dense", vec![0]),
            ("dense/kernel:0", weight(Some(true)), "dense", vec![]),
            ("dense_1/bias:0", Role::Bias, "dense", vec![1]),
            ("mlp/~/linear_10.w", weight(None), "mlp linear", vec![10]),
            ("layers[3].weight", weight(in_order), "layers", vec![3]),
            ("W1", weight(None), "", vec![1]),
            ("b1", Role::Bias, "", vec![1]),
            ("weights.0", weight(None), "", vec![0]),
            ("fc_2_b", Role::Bias, "fc", vec![2]),
            ("größe.7.weight", weight(in_order), "größe", vec![7]),
        ] {
            let place =
                Place { words: words.split_whitespace().map(Into::into).collect(), numbers };
            assert_eq!(parse(name), Some((role, place)), "{name}");
        }
        for name in ["", "epoch", "0.weight_g", "0.running_mean", "arr_0", "....", "12"] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_are_in_their_own_order() {
        let mut names = ["fc10", "fc2", "fc", "fc1", "a.2.b", "a.10.b", "99999999999999999999999"];
        names.sort_by_key(|name| natural(name));
        let sorted = ["99999999999999999999999", "a.2.b", "a.10.b", "fc", "fc1", "fc2", "fc10"];
        assert_eq!(names, sorted);
    }
}
