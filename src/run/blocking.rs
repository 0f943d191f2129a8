//! What blocks until the GPU is done: outside of a browser.

use crate::error::Result;
use crate::gpu::blocking;
use crate::network::Parameters;
use crate::plan::Node;
use crate::run::{Evaluation, Model, Trainer, WarmUp};
use crate::training::{Data, DataReport, Gradients, Health, Losses, Metrics, Train};
use std::time::Duration;

blocking! { impl Train for Trainer {
    fn train(&mut self, steps: u32) -> Result<()> = train_async;
    fn diverged(&mut self) -> Result<Vec<Option<u64>>> = diverged_async;
    fn losses(&mut self) -> Result<Losses> = losses_async;
    fn parameters(&mut self) -> Result<Parameters> = parameters_async;
    fn ema_parameters(&mut self) -> Result<Parameters> = ema_parameters_async;
    fn gradients(&mut self) -> Result<Gradients> = gradients_async;
    fn input_gradient(&mut self) -> Result<Vec<f32>> = input_gradient_async;
    fn predict(&mut self, x: &[f32]) -> Result<Vec<f32>> = predict_async;
    fn evaluate(&mut self, data: &Data) -> Result<Metrics> = evaluate_async;
    fn health(&mut self) -> Result<Health> = health_async;
    #[cfg(feature = "safetensors")]
    fn checkpoint(&mut self) -> Result<crate::training::Checkpoint> = checkpoint_async;
} }

blocking! { impl Trainer {
    /// Compiles the kernels that a later call of [`Train::gradients`] or [`Train::predict`] needs
    /// and runs each once with those of a step, whose effects are taken back: so that the first frame
    /// waits for no compiler. Waits for the GPU.
    ///
    /// # Errors
    /// A lost device, no memory.
    pub fn warm_up(&mut self) -> Result<WarmUp> = warm_up_async;
} }

blocking! { impl Trainer {
    /// Counts the inputs and the targets that the training does not know: elements that are not
    /// finite, inputs out of an encoding's range, targets that the loss is not made for. For data in
    /// the application's buffers, which nobody checks otherwise. It looks at them on the GPU, after
    /// all that was submitted.
    ///
    /// ```no_run
    /// # fn check(trainer: &mut wgrad::Trainer) -> wgrad::Result<()> {
    /// let report = trainer.check_data()?;
    /// assert!(report.is_valid(), "{report:?}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A lost device; more data than a shader counts.
    pub fn check_data(&mut self) -> Result<DataReport> = check_data_async;
} }

blocking! { impl Trainer {
    /// Measures what each dispatch of a step costs by itself, or of as many steps as the plan takes
    /// at once: the least time in some passes of nothing else. What the dispatches change is put back.
    ///
    /// ```no_run
    /// # fn show(trainer: &mut wgrad::Trainer) -> wgrad::Result<()> {
    /// for (node, time) in trainer.profile()? {
    ///     println!("{:24} {time:?}", node.dispatch.kernel().name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A lost device, no memory.
    pub fn profile(&mut self) -> Result<Vec<(Node, Duration)>> = profile_async;
} }

blocking! { impl Model {
    /// The outputs `[models, rows, outputs]` at `x` `[rows, inputs]`, any number of rows.
    ///
    /// # Errors
    /// A length that is no multiple of the inputs, an element that is not finite, a lost device.
    pub fn predict(&mut self, x: &[f32]) -> Result<Vec<f32>> = predict_async;
} }

impl Evaluation {
    /// What the last record left that was submitted until this call; zeros before the first. Waits
    /// for the GPU.
    ///
    /// # Errors
    /// A lost device.
    pub fn metrics(&self) -> Result<Metrics> {
        pollster::block_on(self.metrics_async())
    }
}
