//! The WGSL of a grid: its constants, its levels, and what makes a point's outputs of them.

use crate::network::encoding::{Edge, Grid, GridKind, Interpolation};
use crate::network::level::Level;
use crate::wgsl::{FINITE, GRID_POINT3, GRID_POINT4, Piece, Writer, literal, piece};

/// The WGSL functions of a grid of one to three dimensions.
pub(crate) static GRID3: Piece = piece!("encoding/grid", [&GRID_POINT3, &FINITE]);

/// The WGSL functions of a grid of four dimensions.
static GRID4: Piece = piece!("encoding/grid", [&GRID_POINT4, &FINITE]);

impl Grid {
    /// WGSL constants and types for the functions of a grid of `inputs` dimensions.
    pub(crate) fn constants(&self, inputs: usize) -> String {
        let (chunk, smooth) = (self.chunk(), self.interpolation == Interpolation::Smoothstep);
        let (kind, dot, part) = match chunk {
            1 => ("f32".to_owned(), "a * b", "v"),
            n => (format!("vec{n}<f32>"), "dot(a, b)", "v[i]"),
        };
        let mut w = Writer::default();
        w.line(format_args!("alias GridFeatures = {kind};"));
        w.function("grid_dot(a: GridFeatures, b: GridFeatures) -> f32", |w| {
            w.line(format_args!("return {dot};"));
        });
        w.function("grid_feature(v: GridFeatures, i: u32) -> f32", |w| {
            w.line(format_args!("return {part};"));
        });
        w.constant("GRID_FEATURES", self.features_per_level);
        w.constant("GRID_CHUNK", chunk);
        w.constant("GRID_DIMENSIONS", inputs as u32);
        let inputs = self.coordinates(inputs);
        w.constant("GRID_CORNERS", 1_u32 << inputs);
        w.flag("GRID_SMOOTH", smooth);
        let equal = self.is_equal(inputs);
        let [sides, resolution] = if equal { ["f32", "u32"] } else { ["GridPoint", "GridCell"] };
        w.line(format_args!("alias GridSides = {sides};"));
        w.line(format_args!("alias GridResolution = {resolution};"));
        w.function("grid_index(c: GridCell, level: GridLevel) -> u32", |w| {
            let names = ["x", "y", "z", "w"];
            let side = |d: usize| if equal { String::new() } else { format!(".{}", names[d]) };
            let index = (1..inputs).rev().fold(format!("c.{}", names[inputs - 1]), |rest, d| {
                let rest = if rest.contains('+') { format!("({rest})") } else { rest };
                format!("c.{} + level.resolution{} * {rest}", names[d - 1], side(d - 1))
            });
            let wraps = self.kind == GridKind::Tiled || self.edge == Edge::Wrap;
            let modulo = if wraps { " % level.size" } else { "" };
            w.line(format_args!("return ({index}){modulo};"));
        });
        w.function("grid_held(c: GridCell, level: GridLevel) -> GridCell", |w| match self.edge {
            Edge::Clamp => w.line("return min(c, GridCell(level.resolution - 1u));"),
            Edge::Wrap => w.line("return c;"),
            Edge::Repeat => {
                // Missing coordinates stay 0.
                let there = |d| if d < inputs { "1u" } else { "0u" };
                let there: Vec<_> = (0..inputs.max(3)).map(there).collect();
                w.line("let sides = GridCell(level.resolution);");
                let there = there.join(", ");
                // The corner before, modulo the sides, which would divide.
                w.line("let before = select(c, sides, c == GridCell()) - 1u;");
                let held = "select(before, before - sides, before >= sides)";
                w.line(format_args!("return {held} * GridCell({there});"));
            }
        });
        // Missing coordinates of a point are 0.
        let vector = |f: &dyn Fn(usize) -> f32, missing: f32| {
            let part = |d| literal(if d < inputs { f(d) } else { missing });
            let parts: Vec<_> = (0..inputs.max(3)).map(part).collect();
            format!("GridPoint({})", parts.join(", "))
        };
        let (lower, slope) = (vector(&|d| self.lower[d], 0.0), vector(&|d| self.slope(d), 1.0));
        let unit = self.is_unit(inputs);
        let to_unit = if unit { "x".to_owned() } else { format!("(x - {lower}) * {slope}") };
        w.function("grid_to_unit(x: GridPoint) -> GridPoint", |w| match self.edge {
            Edge::Repeat => w.line(format_args!("return fract({to_unit});")),
            _ => w.line(format_args!("return {to_unit};")),
        });
        w.function("grid_from_unit(dx: GridPoint) -> GridPoint", |w| match unit {
            true => w.line("return dx;"),
            false => w.line(format_args!("return dx * {slope};")),
        });
        w.finish()
    }

    /// WGSL function `grid_level(l)`.
    pub(crate) fn splice_levels(&self, inputs: usize) -> String {
        let levels = self.levels(inputs);
        let case = |(l, level): (usize, &Level)| {
            (format!("{l}u"), format!("return {};", self.literal(level, inputs)))
        };
        let cases: Vec<_> = levels.iter().enumerate().map(case).collect();
        let mut w = Writer::default();
        w.function("grid_level(l: u32) -> GridLevel", |w| w.switch("l", &cases));
        w.finish()
    }

    /// WGSL functions that make a point's outputs of the levels, which `grid_level` gives by their
    /// numbers: `grid_encoded` and its vjp.
    pub(crate) fn splice_encoded(&self) -> String {
        let mut w = Writer::default();
        let arguments = "x: GridPoint, l: u32, first: u32";
        let lower = literal(self.lower[2]);
        let last = self.levels.saturating_sub(1);
        let mips = |w: &mut Writer| {
            w.line(format_args!("let lod = clamp(x.z - {lower}, 0.0, {last}.0);"));
            w.line(format_args!("let low = min(u32(lod), {}u);", last.saturating_sub(1)));
            w.line("let share = lod - f32(low);");
            w.line(format_args!("let high = min(low + 1u, {last}u);"));
        };
        let of =
            |name: &str, l: &str, rest: &str| format!("{name}(x, grid_level({l}), first{rest})");
        w.function(format_args!("grid_encoded({arguments}) -> GridFeatures"), |w| {
            if !self.mips {
                w.line(format_args!("return {};", of("grid_value", "l", "")));
                return;
            }
            mips(w);
            let [low, high] = ["low", "high"].map(|l| of("grid_value", l, ""));
            w.line(format_args!("return (1.0 - share) * {low} + share * {high};"));
        });
        let signature = format!("grid_encoded_vjp({arguments}, dy: GridFeatures) -> GridPoint");
        w.function(signature, |w| {
            if !self.mips {
                w.line(format_args!("return {};", of("grid_vjp", "l", ", dy")));
                return;
            }
            mips(w);
            let [low, high] = ["low", "high"].map(|l| of("grid_vjp", l, ", dy"));
            w.line(format_args!("var dx = (1.0 - share) * {low} + share * {high};"));
            let [low, high] = ["low", "high"].map(|l| of("grid_value", l, ""));
            w.line(format_args!("let change = grid_dot(dy, {high} - {low});"));
            w.line(format_args!("dx.z = select(0.0, change, x.z - {lower} == lod);"));
            w.line("return dx;");
        });
        w.finish()
    }

    /// WGSL functions of the way back: the column of a chunk, and a level's share of an output's
    /// gradient.
    pub(crate) fn splice_parts(&self) -> String {
        let mut w = Writer::default();
        let (lower, last) = (literal(self.lower[2]), self.levels.saturating_sub(1));
        w.function("grid_column(chunk: u32) -> u32", |w| match self.mips {
            true => w.line("return chunk % (GRID_FEATURES / GRID_CHUNK) * GRID_CHUNK;"),
            false => w.line("return chunk * GRID_CHUNK;"),
        });
        w.function("grid_share(x: GridPoint, l: u32) -> f32", |w| match self.mips {
            true => {
                w.line(format_args!("let lod = clamp(x.z - {lower}, 0.0, {last}.0);"));
                w.line("return max(1.0 - abs(lod - f32(l)), 0.0);");
            }
            false => w.line("return 1.0;"),
        });
        w.function("grid_is_zero(dy: GridFeatures) -> bool", |w| match self.mips {
            true => w.line("return grid_dot(abs(dy), GridFeatures(1.0)) == 0.0;"),
            false => w.line("return false;"),
        });
        w.finish()
    }

    /// A level as a WGSL value.
    pub(crate) fn literal(&self, level: &Level, inputs: usize) -> String {
        level.literal(self.coordinates(inputs), self.is_equal(inputs))
    }

    /// The WGSL functions of a grid of `inputs` dimensions.
    pub(crate) fn piece(inputs: usize) -> &'static Piece {
        if inputs > 3 { &GRID4 } else { &GRID3 }
    }
}
