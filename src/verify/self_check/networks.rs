//! The checks of encodings and whole networks.

use super::{Runner, bytes, equal, floats, numbers, words};
use crate::cpu::CpuTrainer;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::step::Status;
use crate::kernels::step::ema::Ema;
use crate::network::encoding::{Encoding, Grid};
use crate::network::{Activation, Init, Mlp, Parameters};
use crate::numeric::Real;
use crate::run::Trainer;
use crate::training::{
    Argument, Batch, Data, Loss, Optimizer, Strategy, Targets, Train, TrainBase, Training,
};
use crate::verify::{FiniteDifference, deviation};

impl Runner<'_> {
    /// Encodings, their gradients, and the moving average.
    pub(super) async fn encodings(&mut self) {
        for encoding in Encoding::all() {
            let inputs = if encoding.check(2).is_ok() { 2 } else { 3 };
            self.check(
                format!("encoding: {}, both gradients", encoding.name()),
                1e-5,
                async |gpu| {
                    let small = match encoding {
                        Encoding::Grid(grid) => {
                            let grid = Grid {
                                levels: 6,
                                log2_hashmap_size: 8,
                                base_resolution: 4,
                                ..grid
                            };
                            vec![grid.into(), Grid { features_per_level: 4, ..grid }.into()]
                        }
                        other => vec![other],
                    };
                    let mut errors = Vec::new();
                    for encoding in small {
                        for strategy in [Strategy::Layered, Strategy::Fused] {
                            let mlp = Mlp::new(inputs).encode(inputs, encoding);
                            errors.push(encoded(gpu, &mlp, strategy).await?);
                        }
                    }
                    Ok(errors)
                },
            )
            .await;
        }
        self.check("average of the parameters", 1e-6, async |gpu| {
            let (mut kept, mut expected) = (vec![0.0_f64; 67], vec![0.0_f64; 67]);
            let mut errors = Vec::new();
            let ema = Ema { elements: 67, decay: 0.9 };
            for t in 1..=4_u32 {
                let values = numbers(67, t.into());
                let mut slots = [
                    bytes(&values),
                    words(&Status { updates: t, ..Status::default() }.with_marks(1)),
                    bytes(&kept),
                ];
                ema.dispatch()?.run_async(gpu, &mut slots).await?;
                kept = floats(&slots[2]);
                ema.reference(t.into(), &values, &mut expected);
                errors.push(deviation(&kept, &expected));
            }
            Ok(errors)
        })
        .await;
    }

    /// Gradients and trainings of networks.
    pub(super) async fn networks(&mut self) {
        for which in Loss::ALL {
            self.check(format!("networks with {}: gradients", which.name()), 1e-5, async |gpu| {
                let mut errors = Vec::new();
                for (depth, activation) in (1..).zip(Activation::ALL).map(|(i, a)| (1 + i % 4, a)) {
                    let mut mlp = Mlp::new(3);
                    for layer in 1..depth {
                        let units = 5 + 7 * layer;
                        mlp = if layer % 2 == 0 {
                            mlp.layer_without_bias(units, *activation)
                        } else {
                            mlp.layer(units, *activation)
                        };
                    }
                    let last = match which.argument() {
                        Argument::Logit(needs) => needs,
                        Argument::Output => *activation,
                    };
                    errors.push(network(gpu, &mlp.layer(2, last), *which, 3).await?);
                }
                Ok(errors)
            })
            .await;
        }
        for strategy in Strategy::ALL {
            self.check(
                format!("training, {}: 50 mini-batches, Adam", strategy.name()),
                1e-4,
                async |gpu| {
                    // A small one: see `resident::pays`.
                    let units = if *strategy == Strategy::Resident { 4 } else { 9 };
                    let mlp = Mlp::new(3).layer(units, Activation::Tanh);
                    let mlp = mlp.layer(1, Activation::Identity);
                    let data = data(3, 1, 100)?;
                    let training = Training::new(Loss::HalfSquaredError, Optimizer::adam(0.01))
                        .models(3)
                        .batch(Batch::Shuffled { size: 32, seed: 5 })
                        .strategy(*strategy);
                    let mut trainer = Trainer::new(gpu, &mlp, &training, &data)?;
                    let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast()?)?;
                    trainer.train_async(50).await?;
                    cpu.train(50)?;
                    Ok(vec![
                        deviation(&trainer.losses_async().await?.values, &cpu.losses()?.values),
                        deviation(
                            trainer.parameters_async().await?.values(),
                            cpu.parameters()?.values(),
                        ),
                    ])
                },
            )
            .await;
        }
        self.check("central differences", 1e-2, async |gpu| {
            let (mlp, data) = (tanh(), data(3, 1, 100)?);
            let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(0.1));
            let mut trainer = Trainer::new(gpu, &mlp, &training, &data)?;
            let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast()?)?;
            let exact = cpu.gradients()?;
            Ok(vec![deviation(
                &trainer.numerical_gradient_async(FiniteDifference::Central).await?,
                &exact.values,
            )])
        })
        .await;
        self.check("two runs, the same bits", 0.0, async |gpu| {
            let (mlp, data) = (tanh(), data(3, 1, 100)?);
            let training = Training::new(Loss::HalfSquaredError, Optimizer::adam(0.01))
                .batch(Batch::Shuffled { size: 32, seed: 5 });
            let run = async || {
                let mut trainer = Trainer::new(gpu, &mlp, &training, &data)?;
                trainer.train_async(50).await?;
                trainer.parameters_async().await
            };
            Ok(vec![equal(&run().await?, &run().await?)])
        })
        .await;
    }
}

fn tanh() -> Mlp {
    Mlp::new(3).layer(9, Activation::Tanh).layer(1, Activation::Identity)
}

/// Inputs in ±1, targets in 0 to 1.
fn data(inputs: usize, outputs: usize, rows: usize) -> Result<Data> {
    let x = numbers(rows * inputs, 1).into_iter().map(f32::of).collect();
    let t = numbers(rows * outputs, 2).into_iter().map(|v| f32::of(0.5 * v + 0.5)).collect();
    Data::new(inputs, outputs, x, t)
}

/// [`network`] behind an encoding, on inputs away from kinks: multiples of 1 / 97, and a little.
async fn encoded(gpu: &Gpu, start: &Mlp, strategy: Strategy) -> Result<f64> {
    let mlp = start.clone().layer(9, Activation::Tanh).layer(2, Activation::Identity);
    let x = numbers(70 * mlp.inputs, 1).into_iter();
    let x = x.map(|v| f32::of((48.5 + 48.5 * v).floor() / 97.0 + 3.1e-3)).collect();
    let t = numbers(70 * 2, 2).into_iter().map(f32::of).collect();
    let data = Data::new(mlp.inputs, 2, x, t)?;
    let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(0.1)).models(2);
    let training = training.init(Init::GlorotUniform).seed(3).strategy(strategy);
    // Tables as large as the layers, or their share in the inputs' gradient would not show.
    let sampled = training.init.sample(&mlp, 2, 3)?;
    let (p, tables) = (mlp.parameters(), mlp.encoding_parameters());
    let large = |(i, v): (usize, &f32)| if i % p < tables { 5e3 * *v } else { *v };
    let values = sampled.values().iter().enumerate().map(large).collect();
    compare(gpu, &training, &data, &Parameters::new(mlp, 2, values)?).await
}

/// The largest error of loss, gradient, input gradient and outputs of a population.
async fn network(gpu: &Gpu, mlp: &Mlp, which: Loss, models: usize) -> Result<f64> {
    let mut data = data(mlp.inputs, mlp.outputs(), 70)?;
    if which.targets() == Targets::Distributions {
        let mut t = data.t().to_vec();
        for row in t.chunks_mut(mlp.outputs()) {
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|t| *t /= sum);
        }
        data = Data::new(mlp.inputs, mlp.outputs(), data.x().to_vec(), t)?;
    }
    let training =
        Training::new(which, Optimizer::sgd(0.1)).models(models).init(Init::GlorotUniform).seed(3);
    compare(gpu, &training, &data, &training.init.sample(mlp, models, training.seed)?).await
}

async fn compare(gpu: &Gpu, training: &Training, data: &Data, start: &Parameters) -> Result<f64> {
    let mlp = start.mlp();
    let mut trainer = Trainer::new(gpu, mlp, training, data)?;
    let mut cpu = CpuTrainer::<f64>::new(mlp, training, &data.cast()?)?;
    trainer.restart(start)?;
    cpu.restart(&start.cast()?)?;
    let (exact, inputs) = (cpu.gradients()?, cpu.input_gradient()?);
    let found = trainer.gradients_async().await?;
    let x: Vec<f64> = data.x().iter().map(|v| f64::from(*v)).collect();
    let errors = [
        deviation(&found.losses, &exact.losses),
        deviation(&found.values, &exact.values),
        deviation(&trainer.input_gradient_async().await?, &inputs),
        deviation(&trainer.predict_async(data.x()).await?, &cpu.predict(&x)?),
    ];
    Ok(errors.into_iter().fold(0.0, |a, b| if b <= a { a } else { b }))
}
