//! Trains and runs small neural networks on any GPU that [wgpu] reaches, inside the application
//! that owns the GPU.
//!
//! wgrad is a set of WGSL kernels (batched matrix products, activations, losses, their gradients,
//! optimizers) recorded into the application's own command encoder, each checked against a CPU
//! path in f64. A network is a multilayer perceptron, [`Mlp`]; a population of thousands of them
//! trains side by side as one.
//!
//! # Should I use it?
//!
//! Yes, if a small network is to learn or run *inside* an application on wgpu: between the frames,
//! on the same device, with no copy to the CPU. Yes, if you learn or teach back-propagation and
//! want to see it run, checked, on your own GPU. Yes, to train many small networks at once.
//!
//! No, if you need convolutions, attention, automatic differentiation of your own operations,
//! multiple GPUs or models from elsewhere: take burn or candle. If your networks are so small, or
//! so few, that a CPU trains them in the time of a few dispatches, take [`CpuTrainer`], which has
//! the interface of [`Trainer`].
//!
//! # The tour
//!
//! ```no_run
//! use wgrad::{Activation, Dataset, Gpu, Loss, Mlp, Optimizer, Train, Trainer, Training};
//!
//! // What to train, as pure data: a network, a loss, a rule, and the data.
//! let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
//! let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0));
//! let data = Dataset::Circles.sample(1000, 0)?;
//!
//! // On what: a device of one's own, or the application's by `Gpu::from_wgpu(&device, &queue)`.
//! let gpu = Gpu::new()?;
//! let mut trainer = Trainer::new(&gpu, &mlp, &training, &data)?;
//!
//! // Run steps and wait…
//! trainer.train(2000)?;
//! println!("loss {:?}", trainer.losses()?.last());
//! let probability = trainer.predict(&[0.0, 0.0])?;
//!
//! // …or record them into an encoder of the application's, between its own passes.
//! let mut encoder = gpu.device().create_command_encoder(&Default::default());
//! trainer.record(&mut encoder, 10);
//! gpu.queue().submit([encoder.finish()]);
//! # Ok::<(), wgrad::Error>(())
//! ```
//!
//! | to | use |
//! | --- | --- |
//! | describe a network, its training, its data | [`Mlp`], [`Training`], [`Loss`], [`Optimizer`], [`Schedule`], [`Batch`], [`Init`], [`Data`], [`Dataset`] |
//! | bring a loss or an activation of one's own, in WGSL | [`CustomLoss`], [`CustomActivation`] |
//! | put an encoding between the inputs and the first layer | [`encoding`]: [`Mlp::encode`] |
//! | read both from tiny-cuda-nn's JSON | `Config` (feature `json`) |
//! | see what a step will do before it runs | [`Plan`], for a [`Capabilities`] |
//! | choose how the steps are put on the GPU | [`Strategy`] |
//! | clip gradients; slow down or freeze a layer or an encoding | [`Training::clip_norm`], [`Training::rate_of`] |
//! | train on the GPU, on the CPU, on either | [`Trainer`], [`CpuTrainer`], [`Train`] and [`TrainBase`] |
//! | change data, rate, penalties or parameters while it trains | [`TrainBase`] |
//! | run a trained network | [`Model`], or `predict` of a trainer |
//! | look at the units of inner layers; predict without a device | [`Parameters::up_to`], [`Parameters::predict`] |
//! | evaluate it in the application's own shaders | [`Trainer::wgsl`], [`Model::wgsl`], [`Parameters::wgsl`] |
//! | train on, and predict into, the application's buffers and textures | [`Trainer::with_buffers`], [`Trainer::inference`] |
//! | store and read trained parameters as halves and bytes, as textures | [`Parameters::pack`], [`Packed`], [`WgslFunction::textures`] |
//! | write the slope of the outputs into a buffer or a texture | [`Trainer::inference_of`], [`Quantity`] |
//! | train for so many milliseconds a frame | [`FrameBudget`] |
//! | draw with one set of parameters while the next is trained | [`Trainer::snapshot`] |
//! | compile before the first frame; report a lost device | [`Trainer::warm_up`], [`Gpu::lost_handle`] |
//! | save and load | [`Parameters`], [`Model::load`] (safetensors) |
//! | bring weights from PyTorch, flax, Keras, NumPy; exchange ONNX files | [`weights`], `Parameters::load_onnx` and `save_onnx` (feature `onnx`) |
//! | stop a training and go on another day, bit for bit | [`Checkpoint`], [`Train::checkpoint`], [`TrainBase::resume`] |
//! | train a population on several devices, or in the processes of a job array | [`train_across`], [`Shard`], [`Checkpoint::join`] |
//! | take a gradient in three ways | [`compare_gradients`], [`SingleUnit`], [`FiniteDifference`] |
//! | look at a gradient's health | [`Health`] |
//! | see the loss and the accuracy on held-out data | [`Train::evaluate`], [`Trainer::evaluation`] |
//! | check a GPU | [`self_check`] |
//! | use a kernel by itself | [`kernels`] |
//!
//! # Promises
//!
//! 1. **The caller's GPU.** Everything works on a device the application made, with no optional
//!    feature and no more than WebGPU's default limits. The crate never touches the device-lost
//!    callback or the handler of uncaptured errors.
//! 2. **The caller's encoder.** [`Trainer::record`] only records: no submit, no poll, no wait, no
//!    allocation of wgpu's objects, and a number of dispatches known before.
//! 3. **Verified gradients.** Central differences in f64 check the CPU's back-propagation, and that
//!    checks every kernel and every network on the GPU. [`self_check`] does so on yours.
//! 4. **Deterministic.** The same device, driver and configuration give the same bits: no float
//!    atomics, sums in a fixed order. CPU and GPU sample the same parameters and mini-batches from
//!    one seed.
//! 5. **Errors, not panics.** What a user passes in comes back as an [`Error`] that names what was
//!    wrong, what was found and what was allowed, and leaves the trainer as it was.
//! 6. **Finite.** Logits of any magnitude give finite losses and gradients. A training that
//!    diverges keeps its last finite parameters, and the trainer says at which step.
//! 7. **Bounded.** One dispatch runs a bounded amount of work and of iterations, since drivers reset
//!    or cut what takes too long. Memory does not grow with time.
//!
//! # Layout
//!
//! Arithmetic on the GPU is f32. Matrices are row-major, batches come first: activations
//! `[models, batch, units]`, weights `[models, units, inputs]`, `Z = X Wᵀ + 1 bᵀ`. All parameters of
//! a model lie in one flat buffer: an encoding's tables first, then layer after layer, weight before
//! bias ([`Mlp::ranges`]). Gradients and optimizer states have the same layout. [`plan::Buffer`]
//! documents every buffer for shaders of the application's own.
//!
//! # Features
//!
//! `backends` (default): wgpu's Vulkan, Metal and DX12; an application that depends on wgpu chooses
//! its own. `threads` (default): all cores for the CPU path. `safetensors` (default): parameters as
//! files, checkpoints. `npz`: NumPy's files. `onnx`: ONNX files. `json` (default): tiny-cuda-nn's configurations. `serde`: [`Mlp`] and [`Training`] as serde's values. `web`: WebGPU in a browser, where
//! everything that waits has an async form.
//!
//! [wgpu]: https://wgpu.rs

pub mod encoding {
    //! Input encodings: what stands between the inputs and the first layer.
    pub use crate::network::encoding::*;
}

pub mod weights {
    //! The tensors of a file, whoever has written it, and which of them are which layer's.
    pub use crate::network::files::{LayerMap, ReadOptions, Tensor, WeightMap, Weights};
}

mod cpu;
mod error;
mod export;
mod gpu;
pub mod kernels;
mod network;
mod numeric;
pub mod plan;
mod run;
mod training;
// In a browser nothing may block: what compares by blocking is not there.
#[cfg_attr(target_family = "wasm", allow(dead_code, unused_imports))]
mod verify;
mod wgsl;

/// The version of wgpu that this crate is built on: its types are part of the interface.
pub use wgpu;

pub use cpu::CpuTrainer;
#[cfg(all(feature = "safetensors", not(target_family = "wasm")))]
pub use cpu::{Across, Worker, train_across};
pub use error::{Cause, Error, Result};
pub use export::{MAX_WRITTEN_OUT, WgslFunction};
pub use gpu::{Gpu, LostHandle, Prepared};
pub use kernels::Capabilities;
pub use kernels::infer::Quantity;
pub use network::{
    Activation, CustomActivation, Encoding, Init, Layer, LayerRange, Mlp, Packed, Parameters,
    Saved, Storage, TextureMips,
};
pub use numeric::Real;
pub use plan::Plan;
pub use run::{
    DataBuffers, Evaluation, FrameBudget, FrameReport, Inference, Model, Output, PassBuffers,
    Passes, Rows, Snapshot, Trainer, WarmUp,
};
#[cfg(feature = "safetensors")]
pub use training::Checkpoint;
pub use training::{
    Adam, AdamW, Argument, Batch, CustomLoss, CustomRow, Data, DataFaults, DataReport, DataShape,
    Dataset, Gradients, Health, LayerHealth, Loss, Losses, Mean, Metrics, Momentum, Nesterov,
    Optimizer, Part, Schedule, Sgd, Shard, StraightThrough, Strategy, Targets, Train, TrainAsync,
    TrainBase, Training,
};
#[cfg(feature = "json")]
pub use training::{Config, ConfigReader};
pub use verify::self_check_async;
#[cfg(not(target_family = "wasm"))]
pub use verify::{Check, Comparison, FiniteDifference, HeldTo, SelfCheck, SingleUnit, Way};
#[cfg(not(target_family = "wasm"))]
pub use verify::{compare_gradients, self_check};

/// The guide's code compiles.
#[cfg(all(doctest, not(target_family = "wasm")))]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;

/// The page about several devices compiles.
#[cfg(all(doctest, feature = "safetensors", not(target_family = "wasm")))]
#[doc = include_str!("../docs/beyond-one-gpu.md")]
struct BeyondOneGpu;

/// The page about weights compiles.
#[cfg(all(doctest, feature = "safetensors"))]
#[doc = include_str!("../docs/weights.md")]
struct WeightsPage;

/// The README's code compiles.
#[cfg(all(doctest, not(target_family = "wasm")))]
#[doc = include_str!("../README.md")]
struct Readme;
