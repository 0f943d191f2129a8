//! What a plan has to know of a device.

use crate::kernels::Tiling;

/// The limits of a device and what it is good at. Pure data: a plan can be made for a device that
/// is not present.
///
/// ```
/// use wgrad::Capabilities;
/// // A GPU with WebGPU's default limits, and a CPU device with subgroups of 8.
/// let gpu = Capabilities::default();
/// let cpu = Capabilities { software: true, subgroup: Some(8), ..Capabilities::default() };
/// assert!(!gpu.software && cpu.software);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Capabilities {
    /// The limits of the device.
    pub limits: wgpu::Limits,
    /// Whether the device runs on a CPU, such as llvmpipe or SwiftShader. On such devices workgroup
    /// memory is slow and registers are plentiful.
    pub software: bool,
    /// The number of invocations that share a subgroup for certain: the size of the smallest. `None`
    /// where shaders may not use subgroup operations, and on a device on a CPU whose subgroups differ
    /// in size.
    pub subgroup: Option<u32>,
    /// Whether the device runs on a CPU and its subgroups are below 8, whether shaders may use them or
    /// not. SwiftShader is one: its compiler has no end for branches in much text.
    pub narrow: bool,
    /// Whether shaders may use 64-bit integers. A device on a CPU then moves two 32-bit elements of
    /// a buffer in one access.
    pub int64: bool,
    /// The tiling of all matrix products. With `None`, each product takes the tiling that suits it.
    pub product: Option<Tiling>,
}

impl From<wgpu::Limits> for Capabilities {
    fn from(limits: wgpu::Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}

impl Capabilities {
    /// The largest size of a storage buffer binding, in bytes.
    pub(crate) fn max_binding(&self) -> u64 {
        let limits = &self.limits;
        // Shaders count elements in u32.
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(u32::MAX.into())
    }

    /// The largest number of invocations of a workgroup along x.
    pub(crate) fn max_workgroup(&self) -> u32 {
        let limits = &self.limits;
        limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)
    }
}
