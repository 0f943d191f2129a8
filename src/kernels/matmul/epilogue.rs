//! What becomes of a sum, and the variant of a kernel that this makes.

use super::Tiling;
use super::parameters::Parameters;
use super::subgroup;
use crate::kernels::storage::{halves, stored};
use crate::kernels::{Capabilities, Variant};
use crate::network::Activation;
use crate::wgsl::{PRODUCT_C_SCALAR, PRODUCT_C_VEC4, Writer};

/// What becomes of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epilogue {
    /// Nothing.
    Sum,
    /// f(sum + bias), the sum itself kept as well or not.
    Activation(Activation, bool),
    /// sum · f′, from what the forward pass saved.
    Gradient(Activation),
}

/// How a product's operand lies in its buffer.
#[derive(Clone, Copy)]
enum Elements {
    /// One by one, at any offset and strides.
    Scalar,
    /// In vectors of four, at an offset, strides and lengths that are multiples of four.
    Vec4,
    /// In vectors of four in f16.
    F16,
}

impl Elements {
    /// WGSL: the type of the buffer.
    const fn kind(self) -> &'static str {
        match self {
            Self::Scalar => "array<f32>",
            Self::Vec4 => "array<Stored>",
            Self::F16 => "array<Halves>",
        }
    }

    /// WGSL: how four elements of the operand in the buffer `name` are loaded.
    fn load(self, name: &str) -> String {
        let (aligned, four) = match self {
            Self::Scalar => {
                (false, ["x", "y", "z", "w"].map(|c| format!("{name}[at.{c}]")).join(", "))
            }
            Self::Vec4 => (true, format!("unpacked({name}[at.x / 4u])")),
            Self::F16 => (true, format!("four_of_halves({name}[at.x / 4u])")),
        };
        let mut w = Writer::default();
        w.flag(&format!("{}_ALIGNED", name.to_uppercase()), aligned);
        w.function(format_args!("four_of_{name}(at: vec4<u32>) -> vec4<f32>"), |w| {
            w.line(format_args!("return vec4<f32>({four});"));
        });
        w.finish()
    }
}

impl Epilogue {
    pub(super) fn variant(
        self,
        tiling: Tiling,
        p: &Parameters,
        inner: usize,
        half: bool,
        capabilities: &Capabilities,
    ) -> Variant {
        let (number, activation, save) = match self {
            Self::Sum => (0.0, Activation::Identity, 0.0),
            Self::Activation(activation, save) => (1.0, activation, f64::from(u8::from(save))),
            Self::Gradient(activation) => (2.0, activation, 0.0),
        };
        let mut generated = activation.splice();
        let mut overrides = vec![("EPILOGUE", number), ("SAVE", save)];
        let mut aligned = self.aligned(p, inner);
        if tiling == Tiling::Registers && !(aligned[0] && aligned[1]) {
            // Term by term, four terms side by side are of no use.
            aligned[0] &= p.a_inner != 1;
            aligned[1] &= p.b_inner != 1;
        }
        // One by one, all but a workgroup load the same in both directions: fewer forms to compile.
        let directed = |aligned: bool| aligned || tiling == Tiling::Tiled;
        let ones = if tiling == Tiling::Registers { 0 } else { p.ones_column };
        for (name, value) in [
            ("A_ALONG_INNER", (directed(aligned[0]) && p.a_inner == 1).into()),
            ("B_ALONG_INNER", (directed(aligned[1]) && p.b_inner == 1).into()),
            ("ONES", ones),
        ] {
            overrides.push((name, f64::from(value)));
        }
        if tiling == Tiling::Subgroup {
            generated += &subgroup::unrolled();
        }
        let operands = aligned.map(|aligned| match (half, aligned) {
            (true, _) => Elements::F16,
            (false, true) => Elements::Vec4,
            (false, false) => Elements::Scalar,
        });
        generated += &operands[0].load("a");
        generated += &operands[1].load("b");
        let result = if aligned[2] { Elements::Vec4 } else { Elements::Scalar };
        let c = if aligned[2] { &PRODUCT_C_VEC4 } else { &PRODUCT_C_SCALAR };
        let mut pieces = vec![activation.wgsl(), c];
        if half {
            pieces.push(halves(capabilities));
        }
        if aligned[2] || (!half && aligned.contains(&true)) {
            pieces.push(stored(capabilities));
        }
        let kinds = vec![
            ("a", operands[0].kind()),
            ("b", operands[1].kind()),
            ("extra", result.kind()),
            ("c", result.kind()),
        ];
        Variant { pieces, generated, overrides, kinds, ..Variant::default() }
    }

    /// Whether every vector of four of A, of B, and of C with what is read beside it, that a large
    /// tile reads or writes begins at a multiple of four words and lies within its line.
    pub(super) fn aligned(self, p: &Parameters, inner: usize) -> [bool; 3] {
        let fours = |numbers: &[u32]| numbers.iter().all(|n| n.is_multiple_of(4));
        let model = |stride| if p.models > 1 { stride } else { 0 };
        let columns = p.columns - p.ones_column;
        let terms = inner.is_multiple_of(4) && p.chunk.is_multiple_of(4);
        let operand = |offset, model, inner_stride, line_stride, lines| {
            let side_by_side = match (inner_stride, line_stride) {
                (1, _) => fours(&[line_stride]),
                (_, 1) => fours(&[inner_stride, lines]),
                _ => false,
            };
            terms && side_by_side && fours(&[offset, model])
        };
        let mut c = vec![p.c_offset, p.c_row, columns, model(p.c_model)];
        if p.splits > 1 {
            c.push(p.c_split);
        }
        if p.ones_column == 1 {
            c.extend([p.ones_offset, p.rows]);
        }
        if self != Self::Sum {
            c.extend([p.extra_offset, p.extra_row, model(p.extra_model)]);
        }
        if matches!(self, Self::Activation(_, true)) {
            c.push(p.saved_offset);
        }
        [
            operand(p.a_offset, model(p.a_model), p.a_inner, p.a_row, p.rows),
            operand(p.b_offset, model(p.b_model), p.b_inner, p.b_column, columns),
            fours(&c) && (self == Self::Sum || p.extra_column == 1),
        ]
    }
}
