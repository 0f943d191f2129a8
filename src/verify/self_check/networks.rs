//! The checks of encodings and whole networks.

use super::{Runner, bytes, equal, floats, numbers, words};
use crate::cpu::CpuTrainer;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::encoding::encode_grid_curvature::EncodeGridCurvature;
use crate::kernels::encoding::encode_grid_tangent::EncodeGridTangent;
use crate::kernels::encoding::encode_pointwise_curvature::EncodePointwiseCurvature;
use crate::kernels::encoding::encode_pointwise_tangent::EncodePointwiseTangent;
use crate::kernels::infer::{Form, Infer, Loads, Quantity};
use crate::kernels::step::Status;
use crate::kernels::step::ema::Ema;
use crate::network::encoding::{Encoding, Grid, Interpolation};
use crate::network::{Activation, Init, Mlp, Parameters, Storage};
use crate::numeric::{Real, narrow};
use crate::run::Trainer;
use crate::training::{
    Argument, Batch, Data, Loss, Optimizer, Strategy, Targets, Train, TrainBase, Training,
};
use crate::verify::{FiniteDifference, deviation};

impl Runner<'_> {
    /// Evaluations in one dispatch from each storage, of layers alone, of tables, of a texture with mip
    /// levels, and of a slope.
    pub(super) async fn inferences(&mut self) {
        for storage in [Storage::F32, Storage::F16, Storage::Snorm8] {
            let name = format!("an inference in one dispatch, from parameters in {storage:?}");
            self.check(name, 2e-6, async |gpu| {
                let grid =
                    Grid { levels: 2, log2_hashmap_size: 6, base_resolution: 3, ..Grid::default() };
                let mut errors = Vec::new();
                let texture = Grid::texture(8, 4).from_lod(-0.5);
                for start in
                    [Mlp::new(2), Mlp::new(2).encode(2, grid), Mlp::new(3).encode(3, texture)]
                {
                    errors.push(inferred(gpu, start, storage).await?);
                }
                Ok(errors)
            })
            .await;
        }
    }

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
        for encoding in Encoding::all() {
            let name = format!("encoding: {}, tangents and their gradients", encoding.name());
            self.check(name, 1e-5, async |gpu| tangents(gpu, encoding).await).await;
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
                    // A small one: see `resident::pays`. On hardware another, whose rows neighbours share.
                    let resident = *strategy == Strategy::Resident;
                    let start = Mlp::new(3).layer(if resident { 4 } else { 9 }, Activation::Tanh);
                    let mut networks = vec![start];
                    if resident && !gpu.is_software() {
                        let shared = Mlp::new(3).layer(8, Activation::Tanh);
                        networks.push(shared.layer(8, Activation::Tanh));
                    }
                    let mut errors = Vec::new();
                    for mlp in networks {
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
                        let (losses, parameters) =
                            (trainer.losses_async().await?, trainer.parameters_async().await?);
                        errors.extend([
                            deviation(&losses.values, &cpu.losses()?.values),
                            deviation(parameters.values(), cpu.parameters()?.values()),
                        ]);
                    }
                    Ok(errors)
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

/// The tangents of an encoding of two models, and what their gradients give the inputs and tables.
async fn tangents(gpu: &Gpu, encoding: Encoding) -> Result<Vec<f64>> {
    let (models, rows) = (2, 65);
    let inputs = if encoding.check(2).is_ok() { 2 } else { 3 };
    let x: Vec<f64> = numbers(models * rows * inputs, 1).into_iter().map(f64::abs).collect();
    let v = numbers(models * rows * inputs, 2);
    let of = |width: usize, seed| numbers(models * rows * width, seed);
    let zeros = |length: usize| bytes(&vec![0.0; length]);
    if let Encoding::Grid(grid) = encoding {
        let grid = Grid { levels: 3, log2_hashmap_size: 6, base_resolution: 4, ..grid };
        let encoding = Encoding::from(Grid { interpolation: Interpolation::Smoothstep, ..grid });
        let Encoding::Grid(grid) = encoding else { return Ok(Vec::new()) };
        let (width, size) = (encoding.outputs(inputs), encoding.parameters(inputs));
        let (tables, deltas) = (numbers(models * size, 3), [of(width, 4), of(width, 5)]);
        let tangent = EncodeGridTangent::new(grid, inputs, models, rows)?;
        let mut slots = [bytes(&x), bytes(&v), bytes(&tables), zeros(deltas[0].len())];
        tangent.dispatch()?.run_async(gpu, &mut slots).await?;
        let curvature = EncodeGridCurvature::new(grid, inputs, models, rows)?;
        let [x_bytes, v_bytes, of_tables] = [&x, &v, &tables].map(|values| bytes(values));
        let [d, dt] = [&deltas[0], &deltas[1]].map(|values| bytes(values));
        let mut more = [x_bytes, v_bytes, of_tables, d, dt, zeros(x.len())];
        curvature.dispatch()?.run_async(gpu, &mut more).await?;
        let (mut expected, mut of_inputs) = (Vec::new(), Vec::new());
        for m in 0..models {
            let part = |all: &[f64], width| all[m * width..(m + 1) * width].to_vec();
            let tables = part(&tables, size);
            let [x, v] = [&x, &v].map(|all| part(all, rows * inputs));
            let [d, dt] = [&deltas[0], &deltas[1]].map(|all| part(all, rows * width));
            expected.extend(tangent.reference(&tables, &x, &v));
            of_inputs.extend(curvature.reference(&tables, [&x, &v], [&d, &dt])[1].clone());
        }
        let found =
            [deviation(&floats(&slots[3]), &expected), deviation(&floats(&more[5]), &of_inputs)];
        return Ok(found.to_vec());
    }
    let width = encoding.outputs(inputs);
    let deltas = [of(width, 4), of(width, 5)];
    let tangent = EncodePointwiseTangent::new(encoding, inputs, models, rows)?;
    let mut slots = [bytes(&x), bytes(&v), zeros(deltas[0].len())];
    tangent.dispatch()?.run_async(gpu, &mut slots).await?;
    let curvature = EncodePointwiseCurvature::new(encoding, inputs, models, rows)?;
    let [d, dt] = [&deltas[0], &deltas[1]].map(|values| bytes(values));
    let mut more = [bytes(&x), bytes(&v), d, dt, zeros(x.len())];
    curvature.dispatch()?.run_async(gpu, &mut more).await?;
    let of_inputs = curvature.reference([&x, &v], [&deltas[0], &deltas[1]]);
    Ok(vec![
        deviation(&floats(&slots[2]), &tangent.reference(&x, &v)),
        deviation(&floats(&more[4]), &of_inputs),
    ])
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

/// The largest error of the outputs of a network with this beginning, and of their slope's length, which is
/// positive.
async fn inferred(gpu: &Gpu, start: Mlp, storage: Storage) -> Result<f64> {
    let inputs = start.inputs;
    let mlp = start.layer(9, Activation::Gelu).layer(3, Activation::Identity);
    let (mut values, tables) = (numbers(mlp.parameters(), 1), mlp.encoding_parameters());
    values[tables..].iter_mut().for_each(|v| *v *= 0.5);
    let values = values.into_iter().map(f32::of).collect();
    let packed = Parameters::new(mlp.clone(), 1, values)?.pack(storage)?;
    let rows = 70;
    let x: Vec<f64> = numbers(rows * inputs, 2).into_iter().map(f64::abs).collect();
    let infer = Infer {
        mlp: &mlp,
        form: Form::WrittenOut,
        storage,
        loads: Loads::Uniform,
        block: 4,
        quantities: &[Quantity::Outputs, Quantity::SlopeLength],
        models: 1,
        rows,
        textures: &[],
    };
    // A buffer of parameters ends with a whole vector of four.
    let mut parameters = packed.bytes().to_vec();
    parameters.resize(parameters.len().next_multiple_of(16), 0);
    let layers = match infer.layers() {
        Some(range) => parameters[narrow(range.start)..narrow(range.end)].to_vec(),
        None => vec![0; 4],
    };
    let mut slots = [bytes(&x), parameters, layers, vec![0; 4 * rows * infer.columns()]];
    gpu.run_async(&infer.dispatches()?, &mut slots).await?;
    let expected = packed.parameters().cast::<f64>()?.predict(&x)?;
    let (mut found, mut fault) = (Vec::new(), 0.0);
    for row in floats(&slots[3]).chunks(4) {
        found.extend_from_slice(&row[..3]);
        if !(row[3] > 0.0 && row[3].is_finite()) {
            fault = f64::INFINITY;
        }
    }
    let found: Vec<f32> = found.into_iter().map(f32::of).collect();
    Ok(deviation(&found, &expected) + fault)
}
