//! What the tests of whole trainings share.
#![allow(dead_code)]

use std::sync::OnceLock;
use wgrad::Gpu;

/// The device under test. Its absence fails the test that asks for it.
pub fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| {
        Gpu::new().unwrap_or_else(|error| {
            panic!(
                "this test needs a GPU or a software Vulkan driver ({error}); \
                 on Debian or Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1"
            )
        })
    })
}

/// The largest |found − expected| as a share of the largest |expected|; infinite for a NaN.
pub fn deviation<T: Copy + Into<f64>>(found: &[T], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |scale, e| scale.max(e.abs()));
    let errors = found.iter().zip(expected).map(|(f, e)| ((*f).into() - e).abs() / scale);
    errors.fold(0.0, |largest: f64, e| if e <= largest { largest } else if e.is_nan() { f64::INFINITY } else { e })
}

/// Pseudo-random numbers in ±1 (SplitMix64).
pub fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0xd1b5_4a32_d192_ed03) ^ 0x1234_5678;
    (0..count)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (((z ^ (z >> 31)) >> 11) as f64) / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

pub fn numbers_f32(count: usize, seed: u64) -> Vec<f32> {
    numbers(count, seed).into_iter().map(|v| v as f32).collect()
}
