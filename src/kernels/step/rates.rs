//! The learning rates of a network's parts, as the kernels read them.

use crate::network::Mlp;
use crate::network::encoding::encoding_ranges;
use crate::numeric::to_f32;
use crate::training::Part;
use crate::wgsl::{Writer, literal};
use std::ops::Range;

/// Consecutive parameters of a model whose learning rates have one factor. A range begins where the
/// one before it ends. The last one reaches to the end of the model. No range at all means a factor
/// of 1 for every parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateRange {
    /// The index behind its last parameter.
    pub end: usize,
    /// The factor of the learning rate. Parameters with a factor of 0 are frozen: they and their
    /// optimizer states keep their bits.
    pub factor: f64,
}

impl RateRange {
    /// The ranges of one model of `mlp`. The last factor that `rates` has for a part counts. A
    /// factor that is 0 in f32 is 0.
    pub(crate) fn all(mlp: &Mlp, rates: &[(Part, f64)]) -> Vec<Self> {
        let factor = |part: Part| {
            let last = rates.iter().rev().find(|(of, _)| *of == part);
            last.map_or(1.0, |(_, factor)| if to_f32(*factor) == 0.0 { 0.0 } else { *factor })
        };
        let tables = encoding_ranges(mlp).into_iter().enumerate();
        let tables = tables
            .filter(|(_, range)| !range.tables.is_empty())
            .map(|(i, range)| Self { end: range.tables.end, factor: factor(Part::Encoding(i)) });
        let layers = mlp.ranges().into_iter().enumerate();
        let layers =
            layers.map(|(i, range)| Self { end: range.bias.end, factor: factor(Part::Layer(i)) });
        Self::merged(tables.chain(layers))
    }

    /// The ranges with a factor of 0 for frozen parameters and 1 for all others.
    pub(super) fn frozen(ranges: &[Self]) -> Vec<Self> {
        let all = ranges
            .iter()
            .map(|range| Self { factor: if range.factor == 0.0 { 0.0 } else { 1.0 }, ..*range });
        Self::merged(all)
    }

    /// Neighbours of one factor as one range; none where every factor is 1.
    fn merged(ranges: impl Iterator<Item = Self>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for range in ranges {
            match all.last_mut() {
                Some(last) if last.factor == range.factor => last.end = range.end,
                _ => all.push(range),
            }
        }
        if matches!(all[..], [Self { factor: 1.0, .. }]) { Vec::new() } else { all }
    }

    /// The parameters of each range in a model of `parameters`, and their factor.
    pub(crate) fn parts(ranges: &[Self], parameters: usize) -> Vec<(Range<usize>, f64)> {
        let mut begin = 0;
        let mut all: Vec<_> = ranges
            .iter()
            .map(|range| {
                let end = range.end.clamp(begin, parameters.max(begin));
                let part = (begin..end, range.factor);
                begin = end;
                part
            })
            .collect();
        match all.last_mut() {
            Some((range, _)) => range.end = parameters.max(range.start),
            None => all.push((0..parameters, 1.0)),
        }
        all
    }

    /// WGSL function `rate_factor(i)`: the factor of parameter `i` of a model.
    pub(crate) fn splice(ranges: &[Self]) -> String {
        let mut w = Writer::default();
        w.function("rate_factor(i: u32) -> f32", |w| search(w, ranges));
        w.finish()
    }
}

/// Writes a binary search. It is as deep as the logarithm of the number of ranges.
fn search(w: &mut Writer, ranges: &[RateRange]) {
    let (low, high) = ranges.split_at(ranges.len() / 2);
    if let Some(last) = low.last() {
        w.block(format_args!("if (i < {}u)", last.end), |w| search(w, low));
        return search(w, high);
    }
    let factor = high.first().map_or(1.0, |range| range.factor);
    w.line(format_args!("return {};", literal(to_f32(factor))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Activation;
    use crate::network::encoding::{Frequency, Grid};

    fn mlp() -> Mlp {
        let grid = Grid { levels: 1, log2_hashmap_size: 4, ..Grid::default() };
        Mlp::new(7)
            .encode(2, grid)
            .encode(2, Frequency { frequencies: 2 })
            .encode(3, grid)
            .layer(5, Activation::Tanh)
            .layer(3, Activation::Tanh)
            .layer(1, Activation::Identity)
    }

    #[test]
    fn ranges_are_the_parts() {
        let mlp = mlp();
        let tables = encoding_ranges(&mlp);
        let layers = mlp.ranges();
        let of = |rates: &[(Part, f64)]| {
            RateRange::all(&mlp, rates).iter().map(|r| (r.end, r.factor)).collect::<Vec<_>>()
        };
        let p = mlp.parameters();
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[(Part::Layer(1), 0.0), (Part::Layer(1), 1.0)]), []);
        let (first, second) = (tables[0].tables.end, tables[2].tables.end);
        assert_eq!(of(&[(Part::Encoding(0), 0.5)]), [(first, 0.5), (p, 1.0)]);
        assert_eq!(of(&[(Part::Encoding(2), 1e-60)]), [(first, 1.0), (second, 0.0), (p, 1.0)]);
        let all = of(&[(Part::Layer(2), 3.0), (Part::Layer(0), 2.0), (Part::Layer(1), 2.0)]);
        assert_eq!(all, [(second, 1.0), (layers[1].bias.end, 2.0), (p, 3.0)]);
    }

    #[test]
    fn the_last_range_reaches_to_the_end() {
        let ranges = [(3, 2.0), (5, 0.0)].map(|(end, factor)| RateRange { end, factor });
        assert_eq!(RateRange::parts(&ranges, 9), [(0..3, 2.0), (3..9, 0.0)]);
        assert_eq!(RateRange::parts(&ranges, 2), [(0..2, 2.0), (2..2, 0.0)]);
        assert_eq!(RateRange::parts(&[], 9), [(0..9, 1.0)]);
        assert_eq!(RateRange::frozen(&ranges).len(), 2);
        assert_eq!(RateRange::frozen(&ranges[..1]), []);
    }

    #[test]
    fn the_text_is_a_search() {
        let ranges = [(3, 2.0), (5, 0.0), (9, 0.5)].map(|(end, factor)| RateRange { end, factor });
        let text = "fn rate_factor(i: u32) -> f32 {\n    if (i < 3u) {\n        return 2.0f;\n    \
                    }\n    if (i < 5u) {\n        return 0.0f;\n    }\n    return 0.5f;\n}\n";
        assert_eq!(RateRange::splice(&ranges), text);
        assert!(RateRange::splice(&[]).contains("{\n    return 1.0f;\n}"));
    }
}
