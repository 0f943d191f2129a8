//! The parameters and bindings that the kernels of the three tilings share.

use crate::kernels::Slot;
use crate::wgsl::shader_struct;

/// The slots of every tiling.
pub(super) const SLOTS: &[Slot] =
    &[Slot::PARAMETERS, Slot::read("a"), Slot::read("b"), Slot::read("extra"), Slot::write("c")];

shader_struct! {
    /// The sizes, and the offsets and strides of each operand. Element (m, i, k) of op(A) is
    /// `a[a_offset + m · a_model + i · a_row + k · a_inner]`. The other operands follow the same
    /// pattern.
    pub Parameters {
        /// Rows of C.
        rows: u32,
        /// Columns of C, including the column of ones.
        columns: u32,
        /// The number of models.
        models: u32,
        /// The index of the first term of the sums.
        inner_begin: u32,
        /// The index after the last term.
        inner_end: u32,
        /// The number of partial sums of each sum.
        splits: u32,
        /// Terms of a partial sum.
        chunk: u32,
        /// The index of the first tile of this dispatch.
        first_tile: u32,
        /// The number of tiles of this dispatch.
        tiles: u32,
        /// The index of A's first element.
        a_offset: u32,
        /// The stride of A from model to model; 0 where all models share A.
        a_model: u32,
        /// The stride of op(A) from row to row.
        a_row: u32,
        /// The stride of op(A) from column to column.
        a_inner: u32,
        /// The index of B's first element.
        b_offset: u32,
        /// The stride of B from model to model; 0 where all models share B.
        b_model: u32,
        /// The stride of op(B) from row to row.
        b_inner: u32,
        /// The stride of op(B) from column to column.
        b_column: u32,
        /// The index of the first element of the bias or of the saved values.
        extra_offset: u32,
        /// The stride of `extra` from model to model.
        extra_model: u32,
        /// The stride of `extra` from row to row.
        extra_row: u32,
        /// The stride of `extra` from column to column.
        extra_column: u32,
        /// The index of C's first element.
        c_offset: u32,
        /// The stride of C from model to model.
        c_model: u32,
        /// The stride of C from partial sum to partial sum.
        c_split: u32,
        /// The stride of C from row to row.
        c_row: u32,
        /// The offset from an element of C to its saved pre-activation.
        saved_offset: u32,
        /// 1 where op(B) has one more column, of ones, which gives the sums of op(A)'s rows.
        ones_column: u32,
        /// The offset of those sums from C's first element.
        ones_offset: u32,
        /// 1 where the product is added to C's values.
        accumulate: u32,
    }
}
