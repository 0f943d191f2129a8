//! The evaluation of a network into textures.

use super::Parameters;
use crate::kernels::{Kernel, Slot};

/// `shaders/infer/textures.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "infer_textures" in "infer/textures",
    Parameters,
    [INFER_BLOCK],
    [
        Slot::read("inputs"),
        Slot::read("network_parameters"),
        Slot::read(super::LAYERS),
        Slot::texture("texels_0"),
        Slot::texture("texels_1"),
        Slot::texture("texels_2"),
        Slot::texture("texels_3"),
    ]
);
