//! The GPU kernels: one WGSL file in `shaders/` and one Rust file here for each.
//!
//! A kernel's Rust file holds its formula, its [`Kernel`] constant, its parameters, the check of
//! the shapes, its [`Dispatch`], and a CPU reference of the formula. Everything that binds, runs or
//! tests a kernel derives from that constant.
//!
//! Any kernel can be used by itself. Describe the work, get its dispatch, and [`Dispatch::run`] it
//! on slices. Or [`Gpu::prepare`](crate::Gpu::prepare) it on your own buffers and record it.
//!
//! ```no_run
//! use wgrad::{Gpu, kernels::Matmul};
//! let gpu = Gpu::new()?;
//! let product = Matmul::new(2, 2, 3); // C [2, 2] = A [2, 3] · B [3, 2]
//! let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
//! let c = product.run(&gpu, &a, &b, &[])?;
//! assert_eq!(c, [4.0, 5.0, 10.0, 11.0]);
//! # Ok::<(), wgrad::Error>(())
//! ```

use crate::error::{Error, Result};
use crate::network::{Layer, Mlp};
use crate::numeric::wide;

/// Makes a [`Kernel`] from the name of its entry point and the path of its file in `shaders/`. A
/// workgroup has 64 invocations unless another number is given.
macro_rules! kernel {
    ($name:literal in $path:literal, $parameters:ty, [$($need:ident),*], [$($slot:expr),* $(,)?]) => {
        kernel!(
            $name in $path, 64, $parameters, [$($need),*],
            &[crate::kernels::Slot::PARAMETERS, $($slot),*]
        )
    };
    ($name:literal in $path:literal, $workgroup:literal, $parameters:ty, [$($need:ident),*], $slots:expr) => {
        crate::kernels::Kernel {
            name: $name,
            path: $path,
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path, ".wgsl")),
            workgroup: $workgroup,
            slots: $slots,
            fields: <$parameters>::FIELDS,
            needs: &[$(&crate::wgsl::$need),*],
        }
    };
}

mod capabilities;
mod definition;
pub(crate) mod dispatch;
#[doc(hidden)]
pub mod encoding;
#[doc(hidden)]
pub mod fused;
#[doc(hidden)]
pub mod infer;
pub mod matmul;
#[doc(hidden)]
pub mod measure;
#[doc(hidden)]
pub mod resident;
#[doc(hidden)]
pub mod step;
mod storage;

pub use capabilities::Capabilities;
pub use definition::{Access, Kernel, Slot};
pub use dispatch::{Dispatch, Work};
pub(crate) use dispatch::{UNUSED_TEXTURE, Variant};
pub use matmul::{Matmul, Tiling};

/// Every kernel.
pub const ALL: &[&Kernel] = &[
    &encoding::dequantize::KERNEL,
    &encoding::encode_grid::KERNEL,
    &encoding::encode_grid_curvature::KERNEL,
    &encoding::encode_grid_gradient::KERNEL,
    &encoding::encode_grid_tangent::KERNEL,
    &encoding::encode_pointwise::KERNEL,
    &encoding::encode_pointwise_curvature::KERNEL,
    &encoding::encode_pointwise_gradient::KERNEL,
    &encoding::encode_pointwise_tangent::KERNEL,
    &encoding::grid_bound::KERNEL,
    &encoding::max_abs::KERNEL,
    &encoding::scatter::KERNEL,
    &encoding::scatter_tangent::KERNEL,
    &fused::KERNEL,
    &fused::slope::KERNEL,
    &infer::buffer::KERNEL,
    &infer::textures::KERNEL,
    &matmul::registers::KERNEL,
    &matmul::split::KERNEL,
    &matmul::subgroup::KERNEL,
    &matmul::tiled::KERNEL,
    &measure::domain::KERNEL,
    &measure::evaluate::KERNEL,
    &measure::norm::KERNEL,
    &measure::perturb::KERNEL,
    &measure::saturation::KERNEL,
    &measure::texture::KERNEL,
    &resident::KERNEL,
    &step::activate::KERNEL,
    &step::advance::KERNEL,
    &step::clip::KERNEL,
    &step::count_rows::KERNEL,
    &step::curvature::KERNEL,
    &step::eikonal::KERNEL,
    &step::ema::KERNEL,
    &step::gather::KERNEL,
    &step::loss::KERNEL,
    &step::reduce::KERNEL,
    &step::tangent::KERNEL,
    &step::update::KERNEL,
];

/// The largest number of iterations of all loops of one invocation in a dispatch. llvmpipe ends the
/// loops after 65,535 iterations, silently. The difference is a reserve.
pub(crate) const MAX_ITERATIONS: u64 = 60_000;

/// The largest number of multiply-adds of one dispatch: a tenth of a second on a GPU of 0.2
/// TFLOP/s. Drivers reset a GPU after two seconds.
const MAX_WORK: u64 = 1 << 33;

/// The largest number of operations of one dispatch. A multiply-add is two.
pub(crate) const MAX_OPERATIONS: u64 = 2 * MAX_WORK;

/// The iterations to sample a row, where an invocation samples many. A walk ends at each step with a
/// probability above ¼ (see [`crate::Batch`]). Sixteen invocations that wait for each other then
/// take 12.3 steps on average.
const WALK: u64 = 16;

/// The iterations to sample one row. A longer walk has a probability of (¾)⁴⁰⁰, 10⁻⁵⁰.
const LONGEST_WALK: u64 = 400;

/// The largest size of the partial gradients, in bytes. Larger ones are split less.
pub(crate) const PARTIAL_BYTES: u64 = 64 << 20;

/// The number of `Lanes` values that an invocation of `reduce` and `update` handles, one after the
/// other. On a CPU the overhead of an invocation costs as much as one value. On a GPU more
/// invocations hide each other's latency.
const fn runs(capabilities: &Capabilities) -> u32 {
    if capabilities.software { 8 } else { 1 }
}

/// Elements from one array of `elements` to the next in one buffer.
pub(crate) fn stride(elements: usize, padded: bool) -> usize {
    if padded { elements.checked_next_multiple_of(4).unwrap_or(usize::MAX) } else { elements }
}

/// The product of some sizes, saturating.
pub(crate) fn volume(sides: &[usize]) -> u64 {
    sides.iter().fold(1, |all, side| all.saturating_mul(wide(*side)))
}

/// Checks each requirement: its name, what was found, the limit.
///
/// # Errors
/// [`Error::Argument`] names the first requirement that exceeds its limit.
fn check_needs<const N: usize>(strategy: &str, needs: [(&str, u64, u64); N]) -> Result<()> {
    for (what, found, allowed) in needs {
        if found > allowed {
            let what = format!("{what}, under the {strategy} strategy,");
            return Err(Error::argument(what, found, format!("at most {allowed}")));
        }
    }
    Ok(())
}

/// Refuses activations that branch where the compiler of a device on a CPU with narrow subgroups
/// has no end: 3-2-2 with sines takes SwiftShader more than 12 GB. The layered strategy calls an
/// activation at one place of a kernel only.
fn check_compiler(strategy: &str, mlp: &Mlp, capabilities: &Capabilities) -> Result<()> {
    match branching(mlp) {
        Some(layer) if capabilities.narrow => Err(Error::argument(
            format!("an activation, under the {strategy} strategy,"),
            layer.activation.name(),
            "without a branch, on a CPU device with subgroups below 8 (layered allows it)",
        )),
        _ => Ok(()),
    }
}

/// The first layer whose activation branches or loops.
pub(crate) fn branching(mlp: &Mlp) -> Option<&Layer> {
    mlp.layers.iter().find(|layer| layer.activation.wgsl().branches())
}

/// Checks that a size is 1 or more.
fn check_positive(what: &str, size: usize) -> Result<()> {
    if size == 0 { Err(Error::argument(what, 0, "1 or more")) } else { Ok(()) }
}

#[cfg(test)]
pub(crate) mod tests {
    /// Pseudo-random numbers in ±1 from `seed`.
    pub fn numbers(count: usize, seed: u64) -> Vec<f64> {
        let mut random = crate::numeric::Random::new(seed);
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
