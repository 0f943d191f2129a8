//! The GPU kernels: one WGSL file in `shaders/` and one Rust file here for each.
//!
//! A kernel's Rust file holds its formula, its [`Kernel`] constant, its parameters, the check of
//! the shapes, its [`Dispatch`], and the same formula on the CPU. Everything that binds, runs or
//! tests a kernel derives from that constant.
//!
//! Any kernel can be used by itself: describe the work, get its dispatch, and [`Dispatch::run`] it
//! on slices, or [`Gpu::prepare`](crate::Gpu::prepare) it on buffers of your own and record it.
//!
//! ```no_run
//! use wgrad::{Gpu, kernels::Matmul};
//! let gpu = Gpu::new()?;
//! let product = Matmul::new(2, 2, 3); // C [2, 2] = A [2, 3] · B [3, 2]
//! let c = product.run(&gpu, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], &[])?;
//! assert_eq!(c, [4.0, 5.0, 10.0, 11.0]);
//! # Ok::<(), wgrad::Error>(())
//! ```

use crate::wgsl::Wgsl;
use crate::{Error, Result, Target};

/// Defines a kernel's parameters: the `#[repr(C)]` struct and the names of its fields, which the
/// tests compare with the WGSL struct. Every field has four bytes.
macro_rules! parameters {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl $name {
            pub(crate) const FIELDS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), stringify!($type))),*];
        }
    };
}

macro_rules! kernels {
    ($($module:ident,)*) => {
        $(pub mod $module;)*

        /// Every kernel.
        pub const ALL: &[&Kernel] = &[$(&$module::KERNEL),*];
    };
}

kernels! {
    advance,
    average,
    encode,
    encode_gradient,
    finite,
    fused,
    gather,
    grid,
    grid_gradient,
    loss,
    matmul,
    matmul_subgroup,
    matmul_tiled,
    norm,
    peak,
    perturb,
    reduce,
    resident,
    saturation,
    scatter,
    settle,
    texture,
    update,
}

/// Iterations of all loops of one invocation that a dispatch may plan for: llvmpipe ends them after
/// 65,535, silently. The rest is for what happens once a dispatch.
const MAX_ITERATIONS: usize = 60_000;

/// Multiply-adds of one dispatch: a tenth of a second on a GPU of 0.2 TFLOP/s, far from the two
/// seconds after which drivers reset a GPU.
const MAX_WORK: u64 = 1 << 33;

/// Bytes of the partial gradients above which there are fewer of them.
pub(crate) const PARTIAL_BYTES: u64 = 64 << 20;

/// Words that an invocation of `reduce` and `update` takes, one after the other: on a CPU what comes
/// before and after costs as much as a word, on a GPU more invocations hide each other's waiting.
const fn runs(target: &Target) -> u32 {
    if target.software { 8 } else { 1 }
}

/// From one array of `elements` to the next in the same buffer.
pub(crate) const fn stride(elements: usize, padded: bool) -> usize {
    if padded { elements.next_multiple_of(4) } else { elements }
}

/// `Ok` if each of what a strategy needs, found and allowed, is there.
fn check_needs<const N: usize>(strategy: &str, needs: [(&str, u64, u64); N]) -> Result<()> {
    for (what, found, allowed) in needs {
        if found > allowed {
            let what = format!("{what}, under the {strategy} strategy,");
            return Err(Error::argument(what, found, format!("at most {allowed}")));
        }
    }
    Ok(())
}

pub use matmul::{Form, Matmul};

/// How a kernel uses a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A uniform buffer.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written.
    ReadWrite,
    /// A storage texture that is written, an array of layers.
    Texture,
}

/// One binding of a kernel, of group 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The variable's name in the shader.
    pub name: &'static str,
    /// How it is used.
    pub access: Access,
}

impl Slot {
    const fn uniform(name: &'static str) -> Self {
        Self { name, access: Access::Uniform }
    }

    const fn read(name: &'static str) -> Self {
        Self { name, access: Access::Read }
    }

    const fn write(name: &'static str) -> Self {
        Self { name, access: Access::ReadWrite }
    }

    const fn texture(name: &'static str) -> Self {
        Self { name, access: Access::Texture }
    }
}

/// One WGSL file and what Rust has to know of it.
#[derive(Debug)]
pub struct Kernel {
    /// The name of the file and of its entry point.
    pub name: &'static str,
    /// The file's text, to which [`Dispatch::wgsl`] adds the functions it calls.
    pub source: &'static str,
    /// Invocations a workgroup, along x; [`Dispatch::workgroup`] where a form has another number.
    pub workgroup: u32,
    /// The bindings in their order; the first is the kernel's parameters.
    pub slots: &'static [Slot],
    /// Name and type of the parameters' fields, each of four bytes.
    pub fields: &'static [(&'static str, &'static str)],
    pub(crate) needs: &'static [&'static Wgsl],
}

/// Makes a [`Kernel`] from its file's name, of 64 invocations a workgroup or of as many as said.
macro_rules! kernel {
    ($name:literal, $parameters:ty, [$($need:ident),*], [$($slot:expr),* $(,)?]) => {
        crate::kernels::kernel!($name, 64, $parameters, [$($need),*], &[$($slot),*])
    };
    ($name:literal, $workgroup:literal, $parameters:ty, [$($need:ident),*], $slots:expr) => {
        crate::kernels::Kernel {
            name: $name,
            source: include_str!(concat!("../../shaders/", $name, ".wgsl")),
            workgroup: $workgroup,
            slots: $slots,
            fields: <$parameters>::FIELDS,
            needs: &[$(&crate::wgsl::$need),*],
        }
    };
}
use kernel;

/// What makes one compiled form of a kernel differ from another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variant {
    /// Pieces of WGSL that the glue calls.
    pub pieces: Vec<&'static Wgsl>,
    /// Functions and constants made for this form.
    pub glue: String,
    /// Values of the shader's overrides.
    pub constants: Vec<(&'static str, f64)>,
    /// Invocations a workgroup, where the form decides and not the kernel.
    pub workgroup: Option<u32>,
    /// The format of the texture that is written.
    pub texture: Option<wgpu::TextureFormat>,
}

/// One dispatch of one kernel: pure data.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub(crate) kernel: &'static Kernel,
    pub(crate) variant: Variant,
    pub(crate) parameters: Vec<u8>,
    pub(crate) groups: u64,
    pub(crate) work: Work,
}

/// What a dispatch costs by its formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Bytes read, each operand once.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Floating-point operations; a multiply-add is two, a call of an activation or a loss one.
    pub operations: u64,
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.written += other.written;
        self.operations += other.operations;
    }
}

impl Dispatch {
    pub(crate) fn new(
        kernel: &'static Kernel,
        parameters: &impl bytemuck::NoUninit,
        groups: u64,
    ) -> Self {
        Self {
            kernel,
            variant: Variant::default(),
            parameters: bytemuck::bytes_of(parameters).to_vec(),
            groups,
            work: Work::default(),
        }
    }

    /// The same for as many invocations as `elements`.
    pub(crate) fn over(
        kernel: &'static Kernel,
        parameters: &impl bytemuck::NoUninit,
        elements: u64,
    ) -> Self {
        Self::new(kernel, parameters, elements.div_ceil(u64::from(kernel.workgroup)))
    }

    pub(crate) fn with(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }

    pub(crate) const fn costing(mut self, read: u64, written: u64, operations: u64) -> Self {
        self.work = Work { read: 4 * read, written: 4 * written, operations };
        self
    }

    /// The kernel that runs.
    pub const fn kernel(&self) -> &'static Kernel {
        self.kernel
    }

    /// Invocations a workgroup, along x.
    pub fn workgroup(&self) -> u32 {
        self.variant.workgroup.unwrap_or(self.kernel.workgroup)
    }

    /// The format of the texture that is written.
    pub(crate) fn texture_format(&self) -> wgpu::TextureFormat {
        self.variant.texture.unwrap_or(wgpu::TextureFormat::Rgba8Unorm)
    }

    /// The number of workgroups.
    pub const fn workgroups(&self) -> u64 {
        self.groups
    }

    /// What it costs by its formula.
    pub const fn work(&self) -> Work {
        self.work
    }

    /// The whole shader text.
    pub fn wgsl(&self) -> String {
        let pieces = [self.kernel.needs, &self.variant.pieces].concat();
        crate::wgsl::compose(self.kernel.source, &self.variant.glue, &pieces)
    }

    /// The values of the shader's overrides.
    pub fn overrides(&self) -> &[(&'static str, f64)] {
        &self.variant.constants
    }

    /// The grid: workgroups along x and y, of which the last few may be idle.
    pub(crate) fn grid(&self, limits: &wgpu::Limits) -> Result<[u32; 2]> {
        let side = u64::from(limits.max_compute_workgroups_per_dimension);
        let x = self.groups.clamp(1, side.max(1));
        let y = self.groups.div_ceil(x).max(1);
        if y > side {
            return Err(Error::argument(
                format!("the workgroups of {}", self.kernel.name),
                self.groups,
                format!("at most {}", side * side),
            ));
        }
        Ok([crate::cast::to_u32("x", x)?, crate::cast::to_u32("y", y)?])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    /// Pseudo-random numbers in ±1 that need no seed of their own.
    pub fn numbers(count: usize, seed: u64) -> Vec<f64> {
        let mut random = crate::init::Random::new(seed);
        (0..count).map(|_| random.uniform(-1.0, 1.0)).collect()
    }

    pub fn assert_close(what: &str, found: &[f64], expected: &[f64], bound: f64) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let scale = expected.iter().fold(1e-300_f64, |scale, e| scale.max(e.abs()));
        for (i, (f, e)) in found.iter().zip(expected).enumerate() {
            let error = (f - e).abs() / scale;
            assert!(error <= bound, "{what} element {i}: {f} for {e}, off by {error}");
        }
    }
}
