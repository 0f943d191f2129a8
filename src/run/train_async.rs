//! [`TrainAsync`], by the trainer's own methods.

use crate::error::Result;
use crate::network::Parameters;
use crate::run::Trainer;
use crate::training::{Data, Gradients, Health, Losses, Metrics, TrainAsync, train_async};

impl TrainAsync for Trainer {
    train_async! {
        train_async(steps: u32) -> Result<()> = train_async.await;
        diverged_async() -> Result<Vec<Option<u64>>> = diverged_async.await;
        losses_async() -> Result<Losses> = losses_async.await;
        parameters_async() -> Result<Parameters> = parameters_async.await;
        ema_parameters_async() -> Result<Parameters> = ema_parameters_async.await;
        gradients_async() -> Result<Gradients> = gradients_async.await;
        input_gradient_async() -> Result<Vec<f32>> = input_gradient_async.await;
        predict_async(x: &[f32]) -> Result<Vec<f32>> = predict_async.await;
        evaluate_async(data: &Data) -> Result<Metrics> = evaluate_async.await;
        health_async() -> Result<Health> = health_async.await;
        #[cfg(feature = "safetensors")]
        checkpoint_async() -> Result<crate::training::Checkpoint> = checkpoint_async.await;
    }
}
