//! The object `encoding`.

use super::object::{Object, whole_of};
use super::{ConfigReader, Keys, Words};
use crate::error::{Error, Result};
use crate::network::Encoding;
use crate::network::encoding::{
    Axis, Edge, EncodingPart, Frequency, GRID_DIMENSIONS, Grid, GridKind, Identity, Interpolation,
    OneBlob, SphericalHarmonics, TriangleWave,
};
use serde_json::Value;

const NAMES: &[&str] = &[
    "Identity",
    "Frequency",
    "OneBlob",
    "TriangleWave",
    "SphericalHarmonics",
    "Grid",
    "HashGrid",
    "TiledGrid",
    "DenseGrid",
    "Composite",
    "NRC",
    "OneBlobFrequency",
];

impl ConfigReader {
    /// The encodings of `inputs` inputs from input `first` on.
    pub(super) fn encoding(
        &self,
        path: &str,
        value: &Value,
        [first, inputs]: [usize; 2],
        keys: &mut Keys,
    ) -> Result<Vec<EncodingPart>> {
        let mut of = Object::new(path, value)?;
        if path.ends_with(']') {
            // In a composite, these give the inputs.
            of.knows(&["n_dims_to_encode", "dims_to_encode_begin"]);
        }
        let name = of.one_of("otype", "OneBlob", NAMES)?;
        let one: Encoding = match name {
            "Identity" => {
                let (scale, offset) = (of.number("scale", 1.0)?, of.number("offset", 0.0)?);
                Identity { scale, offset }.into()
            }
            "Frequency" => Frequency { frequencies: of.whole("n_frequencies", 12)? }.into(),
            "TriangleWave" => TriangleWave { frequencies: of.whole("n_frequencies", 12)? }.into(),
            "SphericalHarmonics" => SphericalHarmonics { degree: of.whole("degree", 4)? }.into(),
            "Grid" | "HashGrid" | "TiledGrid" | "DenseGrid" => {
                self.grid(&mut of, name, inputs)?.into()
            }
            "Composite" => {
                of.one_of("reduction", "Concatenation", &["Concatenation"])?;
                let parts = self.composite(&mut of, [first, inputs], keys)?;
                keys.end(&of)?;
                return Ok(parts);
            }
            "NRC" | "OneBlobFrequency" => {
                let frequencies = of.whole("n_frequencies", 12)?;
                let bins = of.whole("n_bins", 4)?;
                keys.end(&of)?;
                let Some(rest) = inputs.checked_sub(8) else {
                    return Err(of.refuse(
                        "otype",
                        format!("{name} of {inputs} inputs"),
                        "8 or more",
                    ));
                };
                let parts: [(usize, usize, Encoding); 3] = [
                    (first, 3, TriangleWave { frequencies }.into()),
                    (first + 3, 5, OneBlob { bins }.into()),
                    (first + 8, rest, Identity::default().into()),
                ];
                let parts = parts.into_iter().filter(|(_, inputs, _)| *inputs > 0);
                let part = |(first, inputs, encoding)| EncodingPart { first, inputs, encoding };
                return Ok(parts.map(part).collect());
            }
            _ => OneBlob { bins: of.whole("n_bins", 16)? }.into(),
        };
        keys.end(&of)?;
        one.check(inputs)?;
        Ok(vec![EncodingPart { first, inputs, encoding: one }])
    }

    fn grid(&self, of: &mut Object<'_>, name: &str, inputs: usize) -> Result<Grid> {
        let default = match name {
            "TiledGrid" => "Tiled",
            "DenseGrid" => "Dense",
            _ => "Hash",
        };
        let kind = match of.one_of("type", default, &["Hash", "Dense", "Tiled", "Tile"])? {
            "Hash" => GridKind::Hash,
            "Dense" => GridKind::Dense,
            _ => GridKind::Tiled,
        };
        of.one_of("hash", "CoherentPrime", &["CoherentPrime"])?;
        of.neutral("stochastic_interpolation", &Value::Bool(false))?;
        of.neutral("fixed_point_pos", &Value::Bool(false))?;
        let dimensions = of.count("n_pos_dims", inputs.try_into().unwrap_or(u32::MAX))?;
        if dimensions != inputs {
            return Err(of.refuse("n_pos_dims", dimensions, format!("{inputs}, the inputs")));
        }
        let interpolation = match of.one_of("interpolation", "Linear", &["Linear", "Smoothstep"])? {
            "Smoothstep" => Interpolation::Smoothstep,
            _ => Interpolation::Linear,
        };
        let edge = match (of.has("edge"), of.one_of("edge", "Clamp", &["Clamp", "Wrap"])?) {
            (false, _) => self.edge,
            (true, "Wrap") => Edge::Wrap,
            (true, _) => Edge::Clamp,
        };
        let features_per_level = of.whole("n_features_per_level", 2)?;
        let levels = levels(of, features_per_level)?;
        let has_log2 = of.has("log2_hashmap_size");
        let log2_hashmap_size = of.whole("log2_hashmap_size", 19)?;
        let mut grid = Grid {
            kind,
            levels,
            features_per_level,
            log2_hashmap_size,
            interpolation,
            edge,
            ..Grid::default()
        };
        let sides = inputs.clamp(1, GRID_DIMENSIONS);
        let coarsest = match self.words {
            // As instant-ngp computes it, where the file says nothing or 0.
            Words::InstantNgp { .. } if !of.is_given("base_resolution") => {
                of.take("base_resolution");
                let log2 = if has_log2 { log2_hashmap_size } else { 15 };
                vec![1_u32.checked_shl(log2 / sides as u32).unwrap_or(u32::MAX)]
            }
            _ => {
                let allowed = "a whole number, or one for each input";
                list(of, "base_resolution", sides, whole_of, allowed)?.unwrap_or(vec![16])
            }
        };
        let number = |value: &Value| value.as_f64();
        let allowed = "a number, or one for each input";
        let scales = match self.words {
            Words::InstantNgp { .. } if !of.is_given("per_level_scale") => {
                of.take("per_level_scale");
                None
            }
            _ => list(of, "per_level_scale", sides, number, allowed)?,
        };
        let finest = list(of, "finest_resolution", sides, number, allowed)?;
        if scales.is_some() && finest.is_some() {
            let what = "finest_resolution";
            return Err(of.refuse(what, "given beside per_level_scale", "one of them"));
        }
        let finest = finest.or(match (self.words, kind) {
            (Words::InstantNgp { finest_resolution }, _) => Some(vec![finest_resolution]),
            (Words::TinyCudaNn, GridKind::Dense) => Some(vec![256.0]),
            _ => None,
        });
        // Of a list of one number, every dimension has it.
        let axis = |d: usize| {
            let base_resolution = *coarsest.get(d).or(coarsest.first()).unwrap_or(&16);
            let of_d = |list: &[f64]| list.get(d).or(list.first()).copied();
            let scale = match (scales.as_deref().and_then(of_d), finest.as_deref().and_then(of_d)) {
                (Some(scale), _) => scale,
                // No smaller grid than the coarsest.
                (None, Some(finest)) => {
                    Axis::between(base_resolution.max(1), finest, levels).per_level_scale.max(1.0)
                }
                (None, None) => 2.0,
            };
            Axis { base_resolution, per_level_scale: scale }
        };
        if let Some(bad) = finest.iter().flatten().find(|finest| !(**finest >= 2.0)) {
            return Err(of.refuse("finest_resolution", bad, "2 or more"));
        }
        let all: Vec<Axis> = (0..sides).map(axis).collect();
        let Axis { base_resolution, per_level_scale } = all[0];
        (grid.base_resolution, grid.per_level_scale) = (base_resolution, per_level_scale);
        for (slot, axis) in grid.axes.iter_mut().zip(&all).filter(|(_, axis)| **axis != all[0]) {
            *slot = Some(*axis);
        }
        Ok(grid)
    }

    /// The nested encodings in order, as tiny-cuda-nn places them: each follows the one before, or
    /// begins at `dims_to_encode_begin`. The one that does not give its number of inputs takes what
    /// the others leave.
    fn composite(
        &self,
        of: &mut Object<'_>,
        [first, inputs]: [usize; 2],
        keys: &mut Keys,
    ) -> Result<Vec<EncodingPart>> {
        let what = of.what("nested");
        let nested = of.take("nested").and_then(Value::as_array);
        let nested = nested.filter(|nested| !nested.is_empty());
        let nested =
            nested.ok_or_else(|| Error::argument(&*what, "missing", "a list of encodings"))?;
        let mut places = Vec::new();
        for (i, value) in nested.iter().enumerate() {
            let mut of = Object::new(&format!("{what}[{i}]"), value)?;
            let given = of.has("n_dims_to_encode");
            let count = of.count("n_dims_to_encode", 0)?;
            let begins = of.has("dims_to_encode_begin");
            let begin = of.count("dims_to_encode_begin", 0)?;
            if begins && !given {
                let found = "given without n_dims_to_encode";
                return Err(of.refuse("dims_to_encode_begin", found, "both of them"));
            }
            places.push((given.then_some(count), begins.then_some(begin)));
        }
        let given: usize = places.iter().filter_map(|(count, _)| *count).sum();
        let open = places.iter().filter(|(count, _)| count.is_none()).count();
        let placed = places.iter().any(|(_, begin)| begin.is_some());
        let left = match inputs.checked_sub(given) {
            _ if placed && open == 0 => Some(0),
            Some(left) if !placed && (open == 1 || (open == 0 && left == 0)) => Some(left),
            _ => None,
        };
        let left = left.ok_or_else(|| {
            let found = format!("{given} inputs in all, and {open} encodings of what is left");
            let allowed =
                format!("the {inputs} inputs, at most one of what is left and none where one has dims_to_encode_begin");
            Error::argument(&*what, found, allowed)
        })?;
        let (mut parts, mut at) = (Vec::new(), 0_usize);
        for (i, (value, (count, begin))) in nested.iter().zip(places).enumerate() {
            let path = format!("{what}[{i}]");
            at = begin.unwrap_or(at);
            let count = count.unwrap_or(left);
            if at + count > inputs {
                let found = format!("inputs {at} to {}", at + count);
                return Err(Error::argument(path, found, format!("0 to {inputs}")));
            }
            if count > 0 {
                parts.extend(self.encoding(&path, value, [first + at, count], keys)?);
            }
            at += count;
        }
        Ok(parts)
    }
}

/// The levels, from `n_levels` or from all their features.
fn levels(of: &mut Object<'_>, features_per_level: u32) -> Result<u32> {
    let mut levels = None;
    for key in ["n_features", "n_grid_features"] {
        if !of.has(key) {
            of.knows(&[key]);
            continue;
        }
        let features = of.whole(key, 0)?;
        if of.has("n_levels") {
            return Err(of.refuse(key, "given beside n_levels", "one of them"));
        }
        if features_per_level == 0 || !features.is_multiple_of(features_per_level) {
            let allowed = format!("a multiple of n_features_per_level, {features_per_level}");
            return Err(of.refuse(key, features, allowed));
        }
        levels = levels.or(Some(features / features_per_level));
    }
    let given = of.whole("n_levels", 16)?;
    Ok(levels.unwrap_or(given))
}

/// One value, or a list of one for each input.
fn list<T>(
    of: &mut Object<'_>,
    key: &'static str,
    inputs: usize,
    read: impl Fn(&Value) -> Option<T>,
    allowed: &str,
) -> Result<Option<Vec<T>>> {
    let Some(value) = of.take(key) else { return Ok(None) };
    let values = match value.as_array() {
        Some(values) if values.len() == inputs => values.iter().map(read).collect(),
        Some(_) => None,
        None => read(value).map(|value| vec![value]),
    };
    let values: Option<Vec<T>> = values;
    values.map(Some).ok_or_else(|| of.refuse(key, value, format!("{allowed} ({inputs})")))
}
