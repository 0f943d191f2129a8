//! The loss and the accuracy on other data, by the kernels' references.

use super::CpuTrainer;
use super::passes::{forward, loss_gradient};
use crate::error::Result;
use crate::kernels::measure::evaluate::Evaluate;
use crate::numeric::Real;
use crate::training::{Classes, Data, Metrics};

/// Rows of a forward pass: its memory does not grow with the data.
const SLICE: usize = 4096;

impl<T: Real> CpuTrainer<T> {
    /// [`Train::evaluate`](crate::Train::evaluate).
    pub(super) fn metrics_on(&self, data: &Data<T>) -> Result<Metrics<T>> {
        data.check(&self.mlp, &self.training)?;
        let (rows, inputs, outputs) = (data.rows(), data.inputs(), data.outputs());
        let classes = Classes::of(&self.mlp, self.training.loss, data.t());
        let of_models = self.each_model(|m| {
            let set = if data.sets() == 1 { 0 } else { m };
            let x = data.x()[set * rows * inputs..].chunks(SLICE * inputs);
            let t =
                data.t()[set * rows * outputs..(set + 1) * rows * outputs].chunks(SLICE * outputs);
            let mut sums = [T::ZERO; 2];
            for (x, t) in x.zip(t) {
                let x = &x[..t.len() / outputs * inputs];
                let pass = forward(&self.mlp, self.model(m), x, false);
                let z = pass.layers.last().map_or(&[][..], |layer| &layer.y);
                let evaluate = Evaluate {
                    loss: loss_gradient(&self.mlp, &self.training, t.len() / outputs),
                    classes,
                    first: 0,
                    all: rows,
                    first_group: 0,
                    line: 1,
                };
                let [loss, right] = evaluate.reference(z, [x, t]);
                sums[0] += loss;
                sums[1] += right;
            }
            sums
        });
        let losses = of_models.iter().map(|sums| sums[0]).collect();
        let right: Vec<T> = of_models.iter().map(|sums| sums[1]).collect();
        let right = if classes == Classes::None { &[][..] } else { &right };
        Ok(Metrics::new(losses, right, rows))
    }
}
