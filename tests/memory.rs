//! How much memory a call takes, counted by the allocator.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use wgrad::{
    Activation, CpuTrainer, Data, Error, Gpu, Init, Loss, Mlp, Optimizer, Parameters, Train,
    Trainer, Training,
};

struct Counter;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ONE: Mutex<()> = Mutex::new(());

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counter = Counter;

/// What `work` returns, and the most bytes that it held at one time.
fn held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = work();
    (result, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}

/// What the device cannot hold is refused before a parameter is sampled: these would take 14 GB.
#[test]
fn a_refusal_costs_nothing() {
    let _one = ONE.lock();
    let gpu = Gpu::new().unwrap();
    let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    let data = Data::new(2, 1, vec![0.5_f32; 2], vec![1.0]).unwrap();
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0)).models(1 << 28);
    let (trainer, bytes) = held(|| Trainer::new(&gpu, &mlp, &training, &data).map(|_| ()));
    assert!(matches!(trainer, Err(Error::TooLarge { .. })), "{trainer:?}");
    assert!(bytes <= 1 << 20, "{bytes} bytes");
}

#[test]
fn a_prediction_on_the_cpu_holds_a_slice_and_has_the_same_bits() {
    let _one = ONE.lock();
    let mlp = Mlp::new(2).layer(64, Activation::Gelu).layer(64, Activation::Tanh);
    let mlp = mlp.layer(3, Activation::Sigmoid);
    let rows = 200_000;
    let data = Data::new(2, 3, vec![0.5_f32; 2], vec![0.5; 3]).unwrap();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1)).models(2);
    let mut trainer = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
    let x: Vec<f32> = (0..2 * rows).map(|i| (i % 1000) as f32 / 500.0 - 1.0).collect();
    let (y, bytes) = held(|| trainer.predict(&x).unwrap());
    // The outputs twice, and the layers of a slice on each core: 51 MB a layer without slices.
    let outputs = 4 * y.len();
    assert!(bytes <= 4 * outputs + (48 << 20), "{bytes} bytes for outputs of {outputs}");
    // Row after row in calls of their own.
    for first in [0, 1, 16_383, 16_384, 16_385, 100_000, rows - 9] {
        for count in [1, 3, 8, 9] {
            let part = trainer.predict(&x[2 * first..2 * (first + count)]).unwrap();
            let of = |m: usize| &y[3 * (m * rows + first)..][..3 * count];
            assert!(part == [of(0), of(1)].concat(), "{count} rows from {first}");
        }
    }
}

#[test]
fn an_evaluation_on_the_cpu_holds_a_slice() {
    let _one = ONE.lock();
    let mlp = Mlp::new(2).layer(64, Activation::Gelu).layer(3, Activation::Identity);
    let row = || Data::new(2, 3, vec![0.5_f32; 2], vec![0.0, 1.0, 0.0]).unwrap();
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)).models(2);
    let mut trainer = CpuTrainer::<f32>::new(&mlp, &training, &row()).unwrap();
    let rows = 200_000;
    let x = (0..2 * rows).map(|i| (i % 1000) as f32 / 500.0 - 1.0).collect();
    let data = Data::new(2, 3, x, row().t().repeat(rows)).unwrap();
    let (metrics, bytes) = held(|| trainer.evaluate(&data).unwrap());
    // Layers of a slice of 4,096 rows and its products' panels: 51 MB a layer without slices.
    assert!(bytes <= 16 << 20, "{bytes} bytes");
    assert!(metrics.losses.iter().all(|loss| loss.is_finite()));
}

#[test]
fn a_file_is_read_into_no_more_than_it_holds() {
    let _one = ONE.lock();
    let mlp = Mlp::new(100).layer(1000, Activation::Tanh).layer(10, Activation::Identity);
    let bytes = Init::Auto.sample(&mlp, 1, 1).unwrap().to_safetensors().unwrap();
    let (read, held_bytes) = held(|| Parameters::<f32>::from_safetensors(&bytes, &mlp, 1));
    assert!(read.is_ok() && held_bytes <= 2 * bytes.len(), "{held_bytes} of {}", bytes.len());
    // Of a network that it does not hold, nothing is allocated.
    let huge = Mlp::new(60_000).layer(60_000, Activation::Tanh);
    let small = Init::Auto.sample(&Mlp::new(1).layer(1, Activation::Tanh), 1, 1).unwrap();
    let small = small.to_safetensors().unwrap();
    let (read, held_bytes) = held(|| Parameters::<f32>::from_safetensors(&small, &huge, 1));
    assert!(read.is_err() && held_bytes <= 1 << 16, "{held_bytes}");
    // Files changed at random: an error or parameters, in a few times their size.
    let mlp = Mlp::new(3).layer(4, Activation::Tanh).layer(2, Activation::Identity);
    let whole = Init::Auto.sample(&mlp, 2, 1).unwrap().to_safetensors().unwrap();
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let mut file = whole.clone();
        for _ in 0..=random(4) {
            let at = random(file.len());
            match random(4) {
                0 => file[at] = random(256) as u8,
                1 => file[at] = b"0123456789[]{},:\"-"[random(18)],
                2 => file.truncate(at.max(1)),
                _ => file.insert(at, b"9"[0]),
            }
        }
        let (_, held_bytes) = held(|| Parameters::<f64>::from_safetensors(&file, &mlp, 2));
        assert!(held_bytes <= 64 * file.len() + (1 << 14), "{held_bytes} of {}", file.len());
    }
}
