//! What a page can do wrong, and what can happen to it, comes back as an error.

use crate::device::Device;
use crate::frames::next_frame;
use crate::{Outcome, ensure};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wgrad::kernels::{Matmul, Tiling};
use wgrad::{
    Activation, Capabilities, Data, Dataset, Error, Gpu, Loss, Mlp, Optimizer, Strategy, Trainer,
    Training,
};

fn trainer(gpu: &Gpu, strategy: Strategy) -> wgrad::Result<Trainer> {
    let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(0.5)).strategy(strategy);
    Trainer::new(gpu, &mlp, &training, &Dataset::Xor.sample(100, 1)?)
}

pub async fn bad_input_is_an_error() -> Outcome {
    let device = Device::plain().await?;
    let gpu = &device.gpu;
    let nan = Data::new(1, 1, vec![f32::NAN], vec![0.0]);
    ensure!(matches!(nan, Err(Error::NotFinite { .. })), "{nan:?}");
    let mut trainer = trainer(gpu, Strategy::Layered)?;
    let odd = trainer.predict_async(&[1.0, 2.0, 3.0]).await;
    ensure!(matches!(odd, Err(Error::Shape { .. })), "{odd:?}");
    let infinite = trainer.predict_async(&[1.0, f32::INFINITY]).await;
    ensure!(matches!(infinite, Err(Error::NotFinite { .. })), "{infinite:?}");
    let rate = trainer.set_optimizer(Optimizer::sgd(-1.0));
    ensure!(matches!(rate, Err(Error::Argument { .. })), "{rate:?}");
    let huge = gpu.buffer("huge", u64::MAX);
    ensure!(matches!(huge, Err(Error::TooLarge { .. })), "{huge:?}");
    trainer.train_async(10).await?;
    ensure!(trainer.losses_async().await?.values.len() == 10, "steps are missing");
    device.check_silent()?;
    Ok(String::new())
}

/// Chrome refuses subgroup operations without a directive that wgpu does not know. Their refusal
/// arrives late: the call that waits returns it.
pub async fn a_refused_kernel_is_an_error() -> Outcome {
    let device = Device::plain().await?;
    let product = Some(Tiling::Subgroup);
    let other =
        Capabilities { subgroup: Some(8), software: true, product, ..Capabilities::default() };
    let dispatches = Matmul::new(32, 32, 32).dispatches(&other)?;
    let mut slots = [(); 4].map(|()| vec![0; 4 * 32 * 32]);
    let found = dispatches[0].run_async(&device.gpu, &mut slots).await;
    ensure!(matches!(found, Err(Error::Wgpu { .. })), "{found:?}");
    // The device goes on.
    let mut right = trainer(&device.gpu, Strategy::Layered)?;
    right.train_async(10).await?;
    ensure!(right.losses_async().await?.values.len() == 10, "steps are missing");
    device.check_silent()?;
    Ok(String::new())
}

pub async fn a_lost_device_is_an_error() -> Outcome {
    let device = Device::plain().await?;
    let mut trainer = trainer(&device.gpu, Strategy::Fused)?;
    trainer.train_async(10).await?;
    device.gpu.device().destroy();
    for _ in 0..2 {
        let found = [
            trainer.train_async(10).await.err(),
            trainer.losses_async().await.err(),
            trainer.parameters_async().await.err(),
            trainer.gradients_async().await.err(),
            trainer.predict_async(&[0.0, 0.0]).await.err(),
        ];
        ensure!(found.iter().all(|e| *e == Some(Error::DeviceLost)), "{found:?}");
    }
    // Without the callback of the next test, the first call that waits finds out.
    let new = match self::trainer(&device.gpu, Strategy::Fused) {
        Err(error) => Err(error),
        Ok(mut trainer) => trainer.train_async(1).await,
    };
    ensure!(new == Err(Error::DeviceLost), "a new trainer: {new:?}");
    device.check_silent()?;
    Ok(String::new())
}

pub async fn a_lost_device_that_says_so_is_an_error_at_once() -> Outcome {
    let device = Device::plain().await?;
    let (lost, told) = (device.gpu.lost_handle(), Arc::new(AtomicBool::new(false)));
    let tell = told.clone();
    device.gpu.device().set_device_lost_callback(move |_, _| {
        lost.device_lost();
        tell.store(true, Ordering::Relaxed);
    });
    device.gpu.device().destroy();
    // A busy browser takes its time to tell.
    while !told.load(Ordering::Relaxed) {
        next_frame().await;
    }
    let new = trainer(&device.gpu, Strategy::Fused).err();
    ensure!(new == Some(Error::DeviceLost), "a new trainer: {new:?}");
    device.check_silent()?;
    Ok(String::new())
}
