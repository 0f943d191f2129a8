//! The evaluation of a network into a buffer.

use super::Parameters;
use crate::kernels::{Kernel, Slot};

/// `shaders/infer/buffer.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "infer_buffer" in "infer/buffer",
    Parameters,
    [INFER_BLOCK],
    [
        Slot::read("inputs"),
        Slot::read("network_parameters"),
        Slot::read(super::LAYERS),
        Slot::write("outputs"),
    ]
);
