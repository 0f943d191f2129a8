//! The matrix product with one tile per subgroup of 8, for devices on a CPU; see
//! [`super`].

pub use super::parameters::Parameters;
use super::parameters::SLOTS;
use crate::kernels::Kernel;
use std::fmt::Write;

/// `shaders/matmul/subgroup.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "matmul_subgroup" in "matmul/subgroup", 8, Parameters, [PRODUCT, PRODUCT_BLOCKS], SLOTS
);

/// The number of invocations of a subgroup.
pub(super) const LANES: u32 = 8;

/// Rows and columns of a subgroup's tile. Each invocation loads four of each.
pub(super) const TILE: u32 = 4 * LANES;

/// The functions that would be loops over the tile's rows, written out. Every index, every sum and
/// every source lane is then a constant. In a loop none of them is on llvmpipe, and the product
/// takes 30 times as long.
pub(super) fn unrolled() -> String {
    let sums = format!("sums: ptr<function, array<vec4<f32>, {TILE}>>");
    let mut text = format!("fn accumulate({sums}, a: mat4x4<f32>, b: mat4x4<f32>) {{\n");
    // Row by row: a row's sums stay in registers for four terms.
    for row in 0..TILE {
        let (lane, i) = (row / 4, row % 4);
        for term in 0..4 {
            let line = writeln!(
                text,
                "    (*sums)[{row}] += subgroupShuffle(a[{term}][{i}], {lane}u) * b[{term}];"
            );
            line.unwrap_or_default(); // Writing to a string does not fail.
        }
    }
    text += &format!("}}\n\nfn advance({sums}) {{\n");
    for row in 4..TILE {
        text += &format!("    (*sums)[{}] = (*sums)[{row}];\n", row - 4);
    }
    text + "}\n"
}
