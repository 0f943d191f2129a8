//! How a device holds the elements of a buffer.

use crate::kernels::Capabilities;
use crate::wgsl::{HALVES_U64, HALVES_VEC2, Piece, SCALAR, STORED_U64X2, STORED_VEC4, VEC4};

/// Elements one by one, or in vectors of four as the device holds them.
pub(crate) fn lanes(vec4: bool, capabilities: &Capabilities) -> Vec<&'static Piece> {
    if vec4 { vec![&VEC4, stored(capabilities)] } else { vec![&SCALAR] }
}

/// How the device holds four elements of a buffer.
pub(crate) const fn stored(capabilities: &Capabilities) -> &'static Piece {
    if u64x2(capabilities) { &STORED_U64X2 } else { &STORED_VEC4 }
}

/// How the device holds four elements in f16.
pub(crate) const fn halves(capabilities: &Capabilities) -> &'static Piece {
    if u64x2(capabilities) { &HALVES_U64 } else { &HALVES_VEC2 }
}

/// Whether two elements travel as one integer of 64 bits: on a CPU an access costs by its number and
/// not by its size.
const fn u64x2(capabilities: &Capabilities) -> bool {
    capabilities.software && capabilities.int64
}
