//! Encodings in front of the layers.

use super::Which;
use super::names::renamed;
use super::text::{Text, component};
use crate::network::encoding::{EncodingPart, EncodingRange, Grid, encoding_ranges};
use crate::network::{Encoding, Storage, texture_channels};
use crate::numeric::to_f32;
use crate::wgsl::{helper, literal};

/// A call of a grid's function for a chunk of a level's features.
struct GridCall {
    /// The level's scale as a factor, or nothing.
    scale: String,
    arguments: String,
    /// The first output of the encoding that it makes.
    output: usize,
}

/// What the names of a part's grid begin with.
fn part_prefix(part: usize) -> String {
    format!("part{part}_")
}

impl Text<'_> {
    /// A point of the inputs as a vector of three, or of four.
    fn point(&self, first: usize, dimensions: usize) -> String {
        let at = |d: usize| if d < dimensions { format!("x[{}]", first + d) } else { "0.0".into() };
        let width = dimensions.max(3);
        let parts: Vec<_> = (0..width).map(at).collect();
        format!("vec{width}<f32>({})", parts.join(", "))
    }

    /// What `value` or `derivative` of a pointwise encoding takes, for one output.
    fn arguments(&self, place: &EncodingRange, j: usize) -> String {
        let (of_point, dimensions) = (place.encoding.of_point(), place.encoding.dimensions());
        let dimensions = dimensions.unwrap_or(1);
        let point = self.point(place.inputs.start + j / of_point * dimensions, dimensions);
        let [a, b] = place.encoding.constants().map(to_f32);
        format!("{point}, {}u, vec2<f32>({}, {})", j % of_point, literal(a), literal(b))
    }

    /// The name of something that belongs to the grid of an encoding's part.
    fn of_grid(&self, part: usize, name: &str) -> String {
        helper(&self.function.name, &format!("{}{name}", part_prefix(part)))
    }

    /// The calls of a grid's functions for each chunk of a level's features: a factor in front, the
    /// arguments, and the first output.
    fn grid_calls(&self, part: usize, place: &EncodingRange, grid: &Grid) -> Vec<GridCall> {
        let f = self.function;
        let point = self.point(place.inputs.start, place.inputs.len());
        let (features, chunk) = (grid.features_per_level as usize, grid.chunk() as usize);
        // A byte is half of a half.
        let smaller = if f.storage == Storage::Snorm8 { 2 } else { 1 };
        let at = self.offset() * smaller + self.packing.tables + place.tables.start;
        let base = match f.which {
            Which::Fixed(_) => String::new(),
            Which::Argument => format!("base * {}u + ", self.lanes() * smaller),
        };
        let scales = self.packing.scales.start + self.scales_before(part);
        // The levels of a texture make one output together.
        let levels = match grid.mips {
            true => vec!["0u".to_owned()],
            false => {
                let literal = |level| grid.literal(level, place.inputs.len());
                let levels = grid.levels(place.inputs.len());
                levels.iter().map(|level| self.of_grid(part, &literal(level))).collect()
            }
        };
        let calls = levels.iter().enumerate().flat_map(|(l, level)| {
            let scale = match f.storage {
                Storage::Snorm8 => format!("bitcast<f32>({}) * ", self.word(scales + l)),
                _ => String::new(),
            };
            let (point, base) = (&point, &base);
            (0..features).step_by(chunk).map(move |c| GridCall {
                scale: scale.clone(),
                arguments: format!("{point}, {level}, {base}{}u", at + c),
                output: place.outputs.start + l * features + c,
            })
        });
        calls.collect()
    }

    /// The scales of the grids before a part.
    fn scales_before(&self, part: usize) -> usize {
        let scales = |part: &EncodingPart| match part.encoding {
            Encoding::Grid(grid) => grid.scales(),
            _ => 0,
        };
        self.function.mlp.encoding[..part].iter().map(scales).sum()
    }

    /// The samples of a part's textures: `next` is the number of the first one.
    fn samples(
        &mut self,
        part: usize,
        place: &EncodingRange,
        grid: &Grid,
        next: &mut usize,
    ) -> Vec<String> {
        let name = self.function.name.clone();
        let at = |d: usize| format!("x[{}]", place.inputs.start + d);
        let unit = |d: usize| {
            let [lower, upper] = grid.range(d).map(to_f32);
            let slope = literal(1.0 / (upper - lower));
            format!("({} - {}) * {slope}", at(d), literal(lower))
        };
        let (place_of, lod) = (format!("vec2<f32>({}, {})", unit(0), unit(1)), at(2));
        let lod = format!("{lod} - {}", literal(grid.lower[2]));
        let scale = self.word(self.packing.scales.start + self.scales_before(part));
        let scale = match self.function.storage {
            Storage::F32 => scale,
            _ => format!("bitcast<f32>({scale})"),
        };
        let mut elements = Vec::new();
        for channels in texture_channels(grid) {
            let [texture, sampler] =
                [format!("texture_{next}"), "sampler".to_owned()].map(|of| helper(&name, &of));
            let sample = format!("textureSampleLevel({texture}, {sampler}, {place_of}, {lod})");
            // A byte of 1 … 255 stands for −127 … 127.
            let value = format!("({sample} * 255.0 - 128.0) * ({scale} / 127.0)");
            self.w.line(format!("let s_{next} = {value};"));
            let components = ["x", "y", "z", "w"].into_iter().take(channels as usize);
            elements.extend(components.map(|c| format!("s_{next}.{c}")));
            *next += 1;
        }
        elements
    }

    /// The first layer's inputs as vectors `y0_…`: the function's own, or what its encoding makes of
    /// them.
    pub fn first_inputs(&mut self) {
        let f = self.function;
        if f.mlp.encoding.is_empty() {
            self.argument("y0", "x", f.mlp.inputs);
            return;
        }
        let (mut elements, mut textures) = (Vec::new(), 0);
        for (part, place) in encoding_ranges(f.mlp).iter().enumerate() {
            if let (Encoding::Grid(grid), Some(_)) = (&place.encoding, f.textures) {
                elements.extend(self.samples(part, place, grid, &mut textures));
            } else if let Encoding::Grid(grid) = &place.encoding {
                let value = if grid.mips { "grid_encoded" } else { "grid_value" };
                let value = self.of_grid(part, value);
                let chunk = grid.chunk() as usize;
                for GridCall { scale, arguments, output } in self.grid_calls(part, place, grid) {
                    let name = format!("g_{output}");
                    self.w.line(format!("let {name} = {scale}{value}({arguments});"));
                    elements.extend((0..chunk).map(|i| component(&name, i, chunk)));
                }
            } else {
                let name = helper(&f.name, place.encoding.name());
                for j in 0..place.outputs.len() {
                    elements.push(format!("{name}_value({})", self.arguments(place, j)));
                }
            }
        }
        if f.f16 {
            elements.iter_mut().for_each(|element| *element = format!("f16({element})"));
        }
        for (c, elements) in elements.chunks(4).enumerate() {
            self.vector_line(&format!("y0_{c}"), elements);
        }
    }

    /// The gradient of the inputs from `delta(j)`, that of the encoding's output j.
    pub fn input_gradient(&mut self, delta: &dyn Fn(usize) -> String) {
        let f = self.function;
        self.w.line(format!("var dx = array<f32, {}>();", f.mlp.inputs));
        let delta = |j| if f.f16 { format!("f32({})", delta(j)) } else { delta(j) };
        for (part, place) in encoding_ranges(f.mlp).iter().enumerate() {
            let (calls, dimensions) = if let Encoding::Grid(grid) = &place.encoding {
                let chunk = grid.chunk() as usize;
                let vjp = if grid.mips { "grid_encoded_vjp" } else { "grid_vjp" };
                let [features, vjp] = ["GridFeatures", vjp].map(|name| self.of_grid(part, name));
                let call = |GridCall { scale, arguments, output }| {
                    let dy: Vec<_> = (output..output + chunk).map(&delta).collect();
                    let dy = format!("{features}({})", dy.join(", "));
                    (format!("{scale}{vjp}({arguments}, {dy})"), output, place.inputs.start)
                };
                let calls: Vec<_> =
                    self.grid_calls(part, place, grid).into_iter().map(call).collect();
                (calls, place.inputs.len())
            } else {
                let name = format!("{}_derivative", place.encoding.name());
                let name = helper(&f.name, &name);
                let dimensions = place.encoding.dimensions().unwrap_or(1);
                let call = |j: usize| {
                    let to = place.inputs.start + j / place.encoding.of_point() * dimensions;
                    let dy = delta(place.outputs.start + j);
                    (format!("{dy} * {name}({})", self.arguments(place, j)), j, to)
                };
                ((0..place.outputs.len()).map(call).collect(), dimensions)
            };
            for (call, first, to) in calls {
                self.w.line(format!("let s{part}_{first} = {call};"));
                for d in 0..dimensions {
                    let c = component("", d, dimensions.max(3));
                    self.w.line(format!("dx[{}] += s{part}_{first}{c};", to + d));
                }
            }
        }
        self.w.line("return dx;");
    }

    /// The functions of each grid, with its own constants and its own way to the tables.
    pub fn grids(&mut self) {
        let f = self.function;
        if f.textures.is_some() {
            return;
        }
        for (part, place) in encoding_ranges(f.mlp).iter().enumerate() {
            let Encoding::Grid(grid) = &place.encoding else { continue };
            let piece = Grid::piece(place.inputs.len());
            let mut text = grid.constants(place.inputs.len());
            let chunk = grid.chunk() as usize;
            let body = self.features_of(place, chunk);
            text += &format!("fn grid_features(at: u32) -> GridFeatures {{ {body} }}\n");
            if grid.mips {
                text += &grid.splice_levels(place.inputs.len());
                text += &grid.splice_encoded();
            }
            text.push_str(piece.text);
            for need in piece.needs {
                text.push_str(need.text);
            }
            self.w.push(&renamed(&text, &f.name, &part_prefix(part)));
        }
    }

    /// The body of the function that loads a chunk of features from the buffer, at an element of the
    /// tables.
    fn features_of(&self, place: &EncodingRange, chunk: usize) -> String {
        let f = self.function;
        let name = format!("{}_parameters", f.name);
        let word = |each: usize| match self.vec4 {
            true => format!("{name}[at / {}u][at / {each}u % 4u]", 4 * each),
            false => format!("{name}[at / {each}u]"),
        };
        match f.storage {
            Storage::Snorm8 => {
                let word = format!("let v = unpack4x8snorm({});", word(4));
                match chunk {
                    4 => format!("{word} return v;"),
                    2 => format!("{word} return select(v.xy, v.zw, (at & 2u) != 0u);"),
                    _ => format!("{word} return v[at % 4u];"),
                }
            }
            // Halves of the buffer's own type.
            Storage::F16 if f.has_halves() => {
                let features = match (self.vec4, chunk) {
                    (true, 4) => return format!("return vec4<f32>({name}[at / 4u]);"),
                    (true, _) => (0..chunk)
                        .map(|i| format!("f32({name}[(at + {i}u) / 4u][(at + {i}u) % 4u])"))
                        .collect::<Vec<_>>(),
                    (false, _) => (0..chunk).map(|i| format!("f32({name}[at + {i}u])")).collect(),
                };
                format!("return GridFeatures({});", features.join(", "))
            }
            Storage::F16 => {
                let first = word(2);
                match chunk {
                    4 => {
                        let words = match self.vec4 {
                            true => format!(
                                "let w = {name}[at / 8u]; let h = select(w.xy, w.zw, (at & 4u) != 0u);"
                            ),
                            false => {
                                format!("let h = vec2<u32>({name}[at / 2u], {name}[at / 2u + 1u]);")
                            }
                        };
                        format!(
                            "{words} return vec4<f32>(unpack2x16float(h.x), unpack2x16float(h.y));"
                        )
                    }
                    2 => format!("return unpack2x16float({first});"),
                    _ => format!("return unpack2x16float({first})[at % 2u];"),
                }
            }
            Storage::F32 => {
                let aligned = (self.offset() + place.tables.start).is_multiple_of(chunk);
                if self.vec4 && chunk == 4 && aligned {
                    return format!("return {name}[at / 4u];");
                }
                if self.vec4 && chunk == 2 && aligned {
                    return format!(
                        "let w = {name}[at / 4u]; return select(w.xy, w.zw, at % 4u == 2u);"
                    );
                }
                let element = |i: usize| match self.vec4 {
                    true => format!("{name}[(at + {i}u) / 4u][(at + {i}u) % 4u]"),
                    false => format!("{name}[at + {i}u]"),
                };
                let elements: Vec<_> = (0..chunk).map(element).collect();
                format!("return GridFeatures({});", elements.join(", "))
            }
        }
    }
}
