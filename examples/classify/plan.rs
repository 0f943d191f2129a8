//! What is trained how: the options, and the defaults of the points.

use crate::Arguments;
use crate::common::{self, Options, Outcome, say, usage};
use crate::points::Points;
use wgrad::{Activation, Batch, Data, Dataset, Init, Mlp, Optimizer, Training};

/// What is trained how, from the options and the defaults of the points.
pub struct Plan {
    pub mlp: Mlp,
    pub training: Training,
    pub epochs: u32,
    /// Points a step.
    pub rows: usize,
    pub steps: u32,
}

impl Plan {
    pub fn new(
        arguments: &Arguments,
        points: &Points,
        dataset: Option<Dataset>,
        data: &Data,
    ) -> Outcome<Self> {
        let Arguments { options, seed, .. } = arguments;
        let all = data.rows();
        let (hidden, activation, optimizer, epochs, size, init) = match dataset {
            Some(Dataset::Circles | Dataset::Xor) => (
                vec![3],
                Activation::Sigmoid,
                Optimizer::sgd(1.0),
                2000,
                None,
                Init::StandardNormal,
            ),
            Some(Dataset::Moons) => {
                (vec![8], Activation::Tanh, Optimizer::adam(0.02), 2000, None, Init::StandardNormal)
            }
            Some(Dataset::Spiral) => (
                vec![16, 16],
                Activation::Tanh,
                Optimizer::adam(0.01),
                2000,
                None,
                Init::StandardNormal,
            ),
            Some(_) => {
                (vec![3], Activation::Sigmoid, Optimizer::sgd(1.0), 500, None, Init::StandardNormal)
            }
            None => {
                let size = (all > 1024).then_some(512);
                let epochs = (2000 * size.unwrap_or(all)).div_ceil(all) as u32;
                (vec![16, 16], Activation::Tanh, Optimizer::adam(0.01), epochs, size, Init::Auto)
            }
        };
        let hidden = arguments.hidden.as_ref().unwrap_or(&hidden);
        let activation = arguments.activation.unwrap_or(activation);
        let optimizer = arguments.optimizer.unwrap_or(optimizer);
        let optimizer = optimizer.at_rate(arguments.rate.unwrap_or(optimizer.rate()));
        let epochs =
            arguments.epochs.unwrap_or(if options.quick { 100.min(epochs) } else { epochs });
        let (last, loss) = points.goal();
        let mlp = Mlp::new(points.inputs.len());
        let mlp = hidden.iter().fold(mlp, |mlp, units| mlp.layer(*units, activation));
        let mlp = mlp.layer(points.outputs(), last);
        let batch = match arguments.batch.or(size) {
            Some(size) => Batch::Shuffled { size, seed: *seed },
            None => Batch::Full,
        };
        let rows = batch.size(all).map_err(usage)?;
        let training = Training::new(loss, optimizer)
            .batch(batch)
            .init(arguments.init.unwrap_or(init))
            .seed(u64::from(*seed));
        training.check(&mlp).map_err(usage)?;
        let steps = (u64::from(epochs) * all as u64).div_ceil(rows as u64);
        let steps = u32::try_from(steps)
            .map_err(|_| usage(format!("{epochs} epochs are too many steps of {rows} points")))?;
        Ok(Self { mlp, training, epochs, rows, steps })
    }

    /// Says what is trained how.
    pub fn describe(&self, options: &Options) -> Outcome {
        let Self { mlp, training, epochs, rows, steps } = self;
        say!(options, "network    {mlp}; {} parameters", common::thousands(mlp.parameters()));
        say!(
            options,
            "training   {}, {} at a rate of {}, {rows} points a step, {} epochs, {} steps",
            training.loss.name(),
            training.optimizer.name(),
            training.optimizer.rate(),
            common::thousands(*epochs as usize),
            common::thousands(*steps as usize)
        );
        Ok(())
    }
}
