//! What a product does with its sums, and the kernel variant for it.

use super::Tiling;
use super::parameters::Parameters;
use super::subgroup;
use crate::kernels::storage::{halves, stored};
use crate::kernels::{Capabilities, Variant};
use crate::network::Activation;
use crate::wgsl::{PRODUCT_C_SCALAR, PRODUCT_C_VEC4, Writer};

/// What a product does with a sum before it stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epilogue {
    /// Stores the sum.
    Sum,
    /// Stores f(sum + bias).
    Activation {
        /// The function f.
        of: Activation,
        /// Whether the pre-activation sum + bias is stored too.
        save: bool,
        /// Whether there is a bias. Without one `extra` is not read.
        bias: bool,
    },
    /// Stores sum · f′, with f′ from the value that the forward pass saved.
    Gradient(Activation),
}

/// The layout of an operand's elements in its buffer.
#[derive(Clone, Copy)]
enum Elements {
    /// Scalars, at any offset and strides.
    Scalar,
    /// Vectors of four. Offset, strides and lengths are multiples of four.
    Vec4,
    /// Vectors of four f16 elements.
    F16,
}

impl Elements {
    /// The WGSL type of the buffer.
    const fn kind(self) -> &'static str {
        match self {
            Self::Scalar => "array<f32>",
            Self::Vec4 => "array<Stored>",
            Self::F16 => "array<Halves>",
        }
    }

    /// A WGSL function that loads four elements of the operand from the buffer `name`.
    fn load(self, name: &str) -> String {
        let (aligned, four) = match self {
            Self::Scalar => {
                (false, ["x", "y", "z", "w"].map(|c| format!("{name}[at.{c}]")).join(", "))
            }
            Self::Vec4 => (true, format!("unpacked({name}[at.x / 4u])")),
            Self::F16 => (true, format!("unpack_halves({name}[at.x / 4u])")),
        };
        let mut w = Writer::default();
        w.flag(&format!("{}_ALIGNED", name.to_uppercase()), aligned);
        w.function(format_args!("load4_{name}(at: vec4<u32>) -> vec4<f32>"), |w| {
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
        let (number, activation) = match self {
            Self::Sum => (0.0, Activation::Identity),
            Self::Activation { of, .. } => (1.0, of),
            Self::Gradient(activation) => (2.0, activation),
        };
        let flag = |set: bool| f64::from(u8::from(set));
        let save = flag(matches!(self, Self::Activation { save: true, .. }));
        let bias = flag(self.has_bias());
        let mut generated = activation.splice();
        let mut overrides = vec![("EPILOGUE", number), ("SAVE", save), ("BIAS", bias)];
        let mut aligned = self.aligned(p, inner);
        if tiling == Tiling::Registers && !(aligned[0] && aligned[1]) {
            // This tiling then advances one term at a time and cannot use four adjacent terms.
            aligned[0] &= p.a_inner != 1;
            aligned[1] &= p.b_inner != 1;
        }
        // With scalar loads, the tilings without workgroup memory load alike in both directions: fewer
        // variants to compile.
        let in_workgroup = matches!(tiling, Tiling::Tiled | Tiling::Split);
        let directed = |aligned: bool| aligned || in_workgroup;
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
        let kinds = [
            ("a", operands[0].kind()),
            ("b", operands[1].kind()),
            ("extra", result.kind()),
            ("c", result.kind()),
        ];
        let kinds = kinds.into_iter().map(|(name, kind)| (name, kind.into())).collect();
        Variant { pieces, generated, overrides, kinds, ..Variant::default() }
    }

    pub(super) const fn has_bias(self) -> bool {
        matches!(self, Self::Activation { bias: true, .. })
    }

    /// Whether A, B and C can be accessed as vectors of four: each vector that a large tile
    /// accesses begins at a multiple of four elements and stays within its line. The entry of C
    /// includes the bias or the saved values that are read beside it.
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
        let reads = self.has_bias() || matches!(self, Self::Gradient(_));
        if reads {
            c.extend([p.extra_offset, p.extra_row, model(p.extra_model)]);
        }
        if matches!(self, Self::Activation { save: true, .. }) {
            c.push(p.saved_offset);
        }
        [
            operand(p.a_offset, model(p.a_model), p.a_inner, p.a_row, p.rows),
            operand(p.b_offset, model(p.b_model), p.b_inner, p.b_column, columns),
            fours(&c) && (!reads || p.extra_column == 1),
        ]
    }
}
