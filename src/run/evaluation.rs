//! The loss and the accuracy of a trainer's parameters on other data, recorded into the application's
//! encoder.

use crate::error::Result;
use crate::gpu::{BufferRange, Buffers, Gpu, Prepared, bind, find, record};
use crate::numeric::wide;
use crate::plan::{Buffer, EvaluationPlan};
use crate::run::Trainer;
use crate::training::{Classes, Data, DataShape, Metrics};

/// The loss and the accuracy of a trainer's parameters on data of its own, such as rows that were held
/// out, ready to be recorded any number of times: [`Trainer::evaluation`].
///
/// It holds these rows on the GPU and neither reads nor changes the training's.
#[derive(Debug)]
pub struct Evaluation {
    gpu: Gpu,
    inputs: wgpu::Buffer,
    targets: wgpu::Buffer,
    metrics: wgpu::Buffer,
    prepared: Vec<Prepared>,
    shape: DataShape,
    slice: usize,
    models: usize,
    classes: Classes,
}

impl Evaluation {
    /// `parameters` are `[models, P]`; `data` were checked.
    fn new(trainer: &Trainer, parameters: BufferRange, data: &Data) -> Result<Self> {
        let (gpu, shape) = (trainer.gpu.clone(), data.shape());
        let classes = Classes::of(&trainer.mlp, trainer.training.loss, data.t());
        let plan = EvaluationPlan::new(
            &trainer.mlp,
            &trainer.training,
            shape,
            classes,
            gpu.capabilities(),
        )?;
        let mut buffers = Buffers::from([(Buffer::Parameters, parameters)]);
        let prepared = bind(&gpu, &plan.stages, &mut buffers, &[], None)?;
        let of = |name| find(&buffers, name).map(|range| range.buffer.clone());
        let evaluation = Self {
            inputs: of(Buffer::Inputs)?,
            targets: of(Buffer::Targets)?,
            metrics: of(Buffer::Losses)?,
            gpu,
            prepared,
            shape,
            slice: plan.slice,
            models: trainer.training.models,
            classes,
        };
        evaluation.upload(data)?;
        Ok(evaluation)
    }

    fn upload(&self, data: &Data) -> Result<()> {
        let parts =
            [(&self.inputs, data.x(), data.inputs()), (&self.targets, data.t(), data.outputs())];
        for (to, values, width) in parts {
            if self.shape.sets == 1 {
                self.gpu.write(to, 0, bytemuck::cast_slice(values))?;
            } else {
                let values = in_slices(values, self.shape, width, self.slice);
                self.gpu.write(to, 0, bytemuck::cast_slice(&values))?;
            }
        }
        Ok(())
    }

    /// Records the evaluation: no submit, no poll, no allocation, [`Evaluation::dispatches`]
    /// dispatches in one compute pass. It reads the parameters as they are when it runs.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        record(encoder, &self.prepared, 1);
    }

    /// Dispatches of one record.
    pub const fn dispatches(&self) -> usize {
        self.prepared.len()
    }

    /// The buffer that a record writes, for a shader of the application's own: `[models]` losses, then
    /// `[models]` numbers of right rows where the rows have classes, all f32.
    pub const fn buffer(&self) -> &wgpu::Buffer {
        &self.metrics
    }

    /// `metrics` without blocking. The future borrows nothing and gives what the last record left that
    /// was submitted until this call; zeros before the first.
    ///
    /// # Errors
    /// A lost device.
    pub fn metrics_async(&self) -> impl Future<Output = Result<Metrics>> + use<> {
        let (models, rows) = (self.models, self.shape.rows);
        let lines = if self.classes == Classes::None { models } else { 2 * models };
        let reading = self.gpu.read(&self.metrics, 0, 4 * wide(lines));
        async move {
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&reading?.await?);
            let (losses, right) = values.split_at(models);
            Ok(Metrics::new(losses.to_vec(), right, rows))
        }
    }
}

/// `[sets, rows, width]` as slices of rows, each `[sets, rows of the slice, width]`.
fn in_slices(values: &[f32], shape: DataShape, width: usize, slice: usize) -> Vec<f32> {
    let DataShape { sets, rows } = shape;
    let mut all = Vec::with_capacity(values.len());
    for first in (0..rows).step_by(slice) {
        for set in 0..sets {
            let [begin, end] =
                [first, rows.min(first + slice)].map(|row| (set * rows + row) * width);
            all.extend_from_slice(&values[begin..end]);
        }
    }
    all
}

/// The evaluations that a trainer keeps for the next call: of the training's rows and of those held out.
const KEPT: usize = 2;

impl Trainer {
    /// The loss and the accuracy of the current parameters on other data, to be recorded into the
    /// application's encoder any number of times and read when it suits. [`Train::evaluate`] does
    /// all of it at once.
    ///
    /// ```no_run
    /// # fn app(trainer: &mut wgrad::Trainer, held_out: &wgrad::Data) -> wgrad::Result<()> {
    /// let evaluation = trainer.evaluation(held_out)?;
    /// let mut encoder = trainer.gpu().device().create_command_encoder(&Default::default());
    /// trainer.record(&mut encoder, 100);
    /// evaluation.record(&mut encoder);
    /// trainer.gpu().queue().submit([encoder.finish()]);
    /// let metrics = evaluation.metrics()?;
    /// println!("loss {:?}, accuracy {:?}", metrics.losses, metrics.accuracies);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The data have any number of rows, in one set for all models or in one for each. The forward
    /// pass goes layer by layer, whatever the training's strategy.
    ///
    /// [`Train::evaluate`]: crate::Train::evaluate
    ///
    /// # Errors
    /// Data that do not fit the network or the loss; [`Error::TooLarge`](crate::Error::TooLarge); a
    /// lost device.
    pub fn evaluation(&self, data: &Data) -> Result<Evaluation> {
        let evaluation = self.evaluation_on(data)?;
        self.gpu.check_present()?;
        Ok(evaluation)
    }

    /// [`Trainer::evaluation`] with other parameters of the same network, `[models, P]`: the average
    /// ([`Trainer::ema_parameter_buffer`]), those of a [`Snapshot`](crate::Snapshot), or the
    /// application's own.
    ///
    /// # Errors
    /// Those of [`Trainer::evaluation`]; parameters at a slice that is too short, at an offset that
    /// cannot be bound, or of a buffer that was not made for `STORAGE`.
    pub fn evaluation_from(
        &self,
        parameters: wgpu::BufferSlice<'_>,
        data: &Data,
    ) -> Result<Evaluation> {
        data.check(&self.mlp, &self.training)?;
        let shape = [1, self.training.models, self.mlp.parameters()];
        let parameters = BufferRange::new(&self.gpu, "the parameters", parameters, shape)?;
        let evaluation = Evaluation::new(self, parameters, data)?;
        self.gpu.check_present()?;
        Ok(evaluation)
    }

    fn evaluation_on(&self, data: &Data) -> Result<Evaluation> {
        data.check(&self.mlp, &self.training)?;
        Evaluation::new(self, self.parameters.clone().into(), data)
    }

    /// [`Train::evaluate`](crate::Train::evaluate) without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    pub async fn evaluate_async(&mut self, data: &Data) -> Result<Metrics> {
        data.check(&self.mlp, &self.training)?;
        let classes = Classes::of(&self.mlp, self.training.loss, data.t());
        let suits = |kept: &Evaluation| kept.shape == data.shape() && kept.classes == classes;
        let evaluation = match self.evaluations.iter().position(suits) {
            Some(at) => {
                let kept = self.evaluations.remove(at);
                kept.upload(data)?;
                kept
            }
            None => self.evaluation_on(data)?,
        };
        self.evaluations.truncate(KEPT - 1);
        self.evaluations.insert(0, evaluation);
        let evaluation = &self.evaluations[0];
        self.gpu.submit(|encoder| evaluation.record(encoder))?;
        evaluation.metrics_async().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_hold_the_rows_of_every_set() {
        let shape = DataShape { sets: 2, rows: 5 };
        // Set, row and column as digits.
        let value = |set: usize, row: usize, column: usize| (100 * set + 10 * row + column) as f32;
        let values: Vec<f32> = (0..2)
            .flat_map(|set| (0..5).flat_map(move |row| [value(set, row, 0), value(set, row, 1)]))
            .collect();
        let found = in_slices(&values, shape, 2, 2);
        let rows = [[0, 1], [2, 3]].concat();
        assert_eq!(found.len(), values.len());
        let expected = |at: usize, set, row| {
            assert_eq!(found[2 * at..][..2], [0, 1].map(|c| value(set, row, c)))
        };
        for (pair, first) in [0, 2].into_iter().enumerate() {
            for set in 0..2 {
                for row in 0..2 {
                    expected(4 * pair + 2 * set + row, set, rows[first + row]);
                }
            }
        }
        expected(8, 0, 4);
        expected(9, 1, 4);
    }
}
