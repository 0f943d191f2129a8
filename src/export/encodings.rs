//! Encodings in front of the layers.

use super::Which;
use super::names::renamed;
use super::text::{Text, component};
use crate::network::Encoding;
use crate::network::encoding::{EncodingRange, Grid, encoding_ranges};
use crate::numeric::to_f32;
use crate::wgsl::{helper, literal};

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

    /// The function `which` of a grid for each chunk of a level's features: what it is called with, and
    /// the first output.
    fn grid_calls(&self, part: usize, place: &EncodingRange, grid: &Grid) -> Vec<(String, usize)> {
        let f = self.function;
        let point = self.point(place.inputs.start, place.inputs.len());
        let (features, chunk) = (grid.features_per_level as usize, grid.chunk() as usize);
        let (base, model) = match f.which {
            Which::Fixed(model) => ("", model),
            Which::Argument => ("base + ", 0),
        };
        let at = model * f.mlp.parameters() + place.tables.start;
        let levels = grid.levels(place.inputs.len());
        let calls = levels.iter().enumerate().flat_map(|(l, level)| {
            let level = self.of_grid(part, &grid.literal(level, place.inputs.len()));
            let call = move |c| (format!("{level}, {base}{}u", at + c), l * features + c);
            (0..features).step_by(chunk).map(call)
        });
        calls.map(|(rest, j)| (format!("{point}, {rest}"), place.outputs.start + j)).collect()
    }

    /// The first layer's inputs as vectors `y0_…`: the function's own, or what its encoding makes of
    /// them.
    pub fn first_inputs(&mut self) {
        let f = self.function;
        if f.mlp.encoding.is_empty() {
            self.argument("y0", "x", f.mlp.inputs);
            return;
        }
        let mut elements = Vec::new();
        for (part, place) in encoding_ranges(f.mlp).iter().enumerate() {
            if let Encoding::Grid(grid) = &place.encoding {
                let value = self.of_grid(part, "grid_value");
                let chunk = grid.chunk() as usize;
                for (call, first) in self.grid_calls(part, place, grid) {
                    let name = format!("g_{first}");
                    self.w.line(format!("let {name} = {value}({call});"));
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
                let [features, vjp] =
                    ["GridFeatures", "grid_vjp"].map(|name| self.of_grid(part, name));
                let call = |(call, first): (String, usize)| {
                    let dy: Vec<_> = (first..first + chunk).map(&delta).collect();
                    let dy = format!("{features}({})", dy.join(", "));
                    (format!("{vjp}({call}, {dy})"), first, place.inputs.start)
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
        for (part, place) in encoding_ranges(f.mlp).iter().enumerate() {
            let Encoding::Grid(grid) = &place.encoding else { continue };
            let piece = Grid::piece(place.inputs.len());
            let mut text = grid.constants(place.inputs.len());
            let chunk = grid.chunk() as usize;
            let name = format!("{}_parameters", f.name);
            let model = if let Which::Fixed(model) = f.which { model } else { 0 };
            let first = model * f.mlp.parameters();
            let body = if f.is_vec4() && chunk == 4 && first.is_multiple_of(4) {
                format!("return {name}[at / 4u];")
            } else if f.is_vec4() && chunk == 2 && first.is_multiple_of(2) {
                format!("let w = {name}[at / 4u]; return select(w.xy, w.zw, at % 4u == 2u);")
            } else {
                let element = |i: usize| match f.is_vec4() {
                    true => format!("{name}[(at + {i}u) / 4u][(at + {i}u) % 4u]"),
                    false => format!("{name}[at + {i}u]"),
                };
                let elements: Vec<_> = (0..chunk).map(element).collect();
                format!("return GridFeatures({});", elements.join(", "))
            };
            text += &format!("fn grid_features(at: u32) -> GridFeatures {{ {body} }}\n");
            text.push_str(piece.text);
            for need in piece.needs {
                text.push_str(need.text);
            }
            self.w.push(&renamed(&text, &f.name, &part_prefix(part)));
        }
    }
}
