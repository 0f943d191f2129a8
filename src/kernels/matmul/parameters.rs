//! What the kernels of the three tilings share: their parameters and bindings.

use crate::kernels::Slot;
use crate::wgsl::shader_struct;

/// What every form of the product binds.
pub(super) const SLOTS: &[Slot] =
    &[Slot::PARAMETERS, Slot::read("a"), Slot::read("b"), Slot::read("extra"), Slot::write("c")];

shader_struct! {
    /// Sizes, and where each operand's elements lie: element (m, i, k) of op(A) is
    /// `a[a_offset + m · a_model + i · a_row + k · a_inner]`, and so for the others.
    pub Parameters {
        /// Rows of C.
        rows: u32,
        /// Columns of C, the one of ones included.
        columns: u32,
        /// Models.
        models: u32,
        /// The first term of the sums.
        inner_begin: u32,
        /// One past the last term.
        inner_end: u32,
        /// Into how many partial sums each sum is cut.
        splits: u32,
        /// Terms of a partial sum.
        chunk: u32,
        /// The first tile of this dispatch.
        first_tile: u32,
        /// Tiles of this dispatch.
        tiles: u32,
        /// A's first element.
        a_offset: u32,
        /// From model to model of A; 0 shares it.
        a_model: u32,
        /// From row to row of op(A).
        a_row: u32,
        /// From column to column of op(A).
        a_inner: u32,
        /// B's first element.
        b_offset: u32,
        /// From model to model of B; 0 shares it.
        b_model: u32,
        /// From row to row of op(B).
        b_inner: u32,
        /// From column to column of op(B).
        b_column: u32,
        /// The first element of the bias, or of what was saved.
        extra_offset: u32,
        /// From model to model of it.
        extra_model: u32,
        /// From row to row of it.
        extra_row: u32,
        /// From column to column of it.
        extra_column: u32,
        /// C's first element.
        c_offset: u32,
        /// From model to model of C.
        c_model: u32,
        /// From partial sum to partial sum of C.
        c_split: u32,
        /// From row to row of C.
        c_row: u32,
        /// From an element of C to its saved pre-activation.
        saved_offset: u32,
        /// 1 where op(B) has one more column, of ones: the sums of op(A)'s rows.
        ones_column: u32,
        /// Where those sums go, from C's first element.
        ones_offset: u32,
        /// 1 where C's values are added to.
        accumulate: u32,
    }
}
