//! How a device stores the elements of a buffer.

use crate::kernels::Capabilities;
use crate::wgsl::{HALVES_U64, HALVES_VEC2, Piece, SCALAR, STORED_U64X2, STORED_VEC4, VEC4};

/// The pieces for buffers of scalars, or for buffers of four-element vectors in the device's
/// storage type.
pub(crate) fn lanes(vec4: bool, capabilities: &Capabilities) -> Vec<&'static Piece> {
    if vec4 { vec![&VEC4, stored(capabilities)] } else { vec![&SCALAR] }
}

/// The device's storage type of four f32 elements.
pub(crate) const fn stored(capabilities: &Capabilities) -> &'static Piece {
    if u64x2(capabilities) { &STORED_U64X2 } else { &STORED_VEC4 }
}

/// The device's storage type of four f16 elements.
pub(crate) const fn halves(capabilities: &Capabilities) -> &'static Piece {
    if u64x2(capabilities) { &HALVES_U64 } else { &HALVES_VEC2 }
}

/// Whether a buffer stores two 32-bit elements as one 64-bit integer. On a CPU the cost of memory
/// depends on the number of accesses and not on their size.
const fn u64x2(capabilities: &Capabilities) -> bool {
    capabilities.software && capabilities.int64
}
