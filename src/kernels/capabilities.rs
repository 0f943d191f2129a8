//! What a plan has to know of a device.

use crate::kernels::Tiling;

/// The limits of a device and what it is good at: pure data, so that a plan can be made for a
/// device that is not there.
///
/// ```
/// use wgrad::Capabilities;
/// // A GPU under WebGPU's default limits, and the same on a CPU with subgroups of 8.
/// let gpu = Capabilities::default();
/// let cpu = Capabilities { software: true, subgroup: Some(8), ..Capabilities::default() };
/// assert!(!gpu.software && cpu.software);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Capabilities {
    /// What the device allows.
    pub limits: wgpu::Limits,
    /// Whether it is a program on the CPU, such as llvmpipe or SwiftShader: there memory that a
    /// workgroup shares only costs, and registers are what there is much of.
    pub software: bool,
    /// Invocations of a subgroup, where shaders may use subgroup operations and every subgroup has
    /// that many.
    pub subgroup: Option<u32>,
    /// Whether shaders may use integers of 64 bits: on a device on a CPU two words of a buffer then
    /// move as one.
    pub int64: bool,
    /// The form of all matrix products; without one, each takes the form that suits it.
    pub product: Option<Tiling>,
}

impl From<wgpu::Limits> for Capabilities {
    fn from(limits: wgpu::Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}

impl Capabilities {
    /// The largest storage buffer.
    pub(crate) fn max_binding(&self) -> u64 {
        let limits = &self.limits;
        // Shaders count elements in u32.
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(u32::MAX.into())
    }

    /// The most invocations of a workgroup along x.
    pub(crate) fn max_workgroup(&self) -> u32 {
        let limits = &self.limits;
        limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)
    }
}
