//! A network between the application's own passes: forward, backward, update, each by itself, on the
//! application's device and with its handler of errors.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::application::{application, buffer, floats, read, run, wide};
use common::{deviation, numbers_f32};
use wgrad::encoding::{Frequency, Grid};
use wgrad::kernels::encoding::scatter::Scatter;
use wgrad::plan::Buffer;
use wgrad::{
    Activation, Batch, Capabilities, CpuTrainer, Data, DataBuffers, DataShape, Error, Gpu, Init,
    Loss, Mlp, Optimizer, Output, Parameters, Part, PassBuffers, Passes, Rows, Strategy, Train,
    TrainBase, Trainer, Training,
};

/// The passes of a trainer without data, with all the application's buffers.
struct Stage {
    trainer: Trainer,
    passes: Passes,
    outputs: wgpu::Buffer,
    output_gradient: wgpu::Buffer,
    input_gradient: wgpu::Buffer,
}

/// What lies in the application's buffers before the passes write them.
const OLD: f32 = 77.0;

impl Stage {
    fn new(gpu: &Gpu, mlp: &Mlp, training: &Training, rows: Rows<'_>, x: &[f32]) -> Self {
        let models = training.models;
        let own = x.len() > rows.most() * mlp.inputs;
        let mut trainer = Trainer::without_data(gpu, mlp, training).unwrap();
        let inputs = floats(gpu, x);
        let outputs = floats(gpu, &vec![OLD; models * rows.most() * mlp.outputs()]);
        let output_gradient = floats(gpu, &vec![f32::NAN; models * rows.most() * mlp.outputs()]);
        let input_gradient = floats(gpu, &vec![OLD; models * rows.most() * mlp.inputs]);
        let mut of =
            PassBuffers::new(rows, inputs.slice(..), outputs.slice(..), output_gradient.slice(..))
                .input_gradient(input_gradient.slice(..));
        if own {
            of = of.own_inputs();
        }
        let passes = trainer.passes(of).unwrap();
        Self { trainer, passes, outputs, output_gradient, input_gradient }
    }

    fn give(&self, gpu: &Gpu, gradient: &[f32]) {
        gpu.queue().write_buffer(&self.output_gradient, 0, bytemuck::cast_slice(gradient));
    }

    fn forward(&self, gpu: &Gpu) -> Vec<f32> {
        run(gpu, |encoder| self.passes.record_forward(encoder));
        read(gpu, &self.outputs)
    }

    /// The parameters' gradient and the inputs'.
    fn backward(&mut self, gpu: &Gpu) -> [Vec<f32>; 2] {
        run(gpu, |encoder| self.passes.record_backward(encoder));
        [self.trainer.gradients().unwrap().values, read(gpu, &self.input_gradient)]
    }
}

/// The same on the CPU in f64: outputs, the parameters' gradient, the inputs' gradient.
fn on_cpu(parameters: &Parameters, x: &[f32], g: &[f32]) -> [Vec<f64>; 3] {
    let (mlp, models) = (parameters.mlp(), parameters.models());
    let rows = g.len() / models / mlp.outputs();
    let x = if x.len() == rows * mlp.inputs { x.repeat(models) } else { x.to_vec() };
    let of_model = rows * mlp.inputs;
    let data =
        Data::for_each_model_f64(models, mlp.inputs, mlp.outputs(), wide(&x), wide(g)).unwrap();
    let training = Training::new(Loss::OutputGradient, Optimizer::sgd(0.1)).models(models);
    let mut trainer = CpuTrainer::<f64>::new(mlp, &training, &data).unwrap();
    let values = wide(parameters.values());
    trainer.set_parameters(&Parameters::new(mlp.clone(), models, values).unwrap()).unwrap();
    let mut y = Vec::new();
    for m in 0..models {
        let all = trainer.predict(&wide(&x[m * of_model..(m + 1) * of_model])).unwrap();
        let size = rows * mlp.outputs();
        y.extend_from_slice(&all[m * size..(m + 1) * size]);
    }
    [y, trainer.gradients().unwrap().values, trainer.input_gradient().unwrap()]
}

fn networks() -> Vec<Mlp> {
    let grid = Grid { levels: 3, log2_hashmap_size: 6, base_resolution: 3, ..Grid::default() };
    use Activation::{Gelu, Identity, Relu, Sigmoid, Sine, Tanh};
    vec![
        Mlp::new(2).layer(3, Sigmoid).layer(1, Sigmoid),
        Mlp::new(3).layer(5, Tanh),
        Mlp::new(3).layer(5, Identity),
        Mlp::new(4).layer(16, Gelu).layer(17, Relu).layer(6, Sine),
        Mlp::new(8).layer(32, Relu).layer(32, Relu).layer(4, Identity),
        Mlp::new(2).encode(2, grid).layer(16, Relu).layer(3, Sigmoid),
        Mlp::new(3)
            .encode(2, grid)
            .encode(1, Frequency { frequencies: 2 })
            .layer(8, Tanh)
            .layer(4, Identity),
    ]
}

fn training(strategy: Strategy) -> Training {
    Training::new(Loss::OutputGradient, Optimizer::adam(0.01)).strategy(strategy).seed(3)
}

const STRATEGIES: [Strategy; 2] = [Strategy::Fused, Strategy::Layered];

/// Whether the device's compiler has an end: SwiftShader's has none for a sine in the fused kernel.
fn bears(gpu: &Gpu, mlp: &Mlp, strategy: Strategy) -> bool {
    let sine = mlp.layers.iter().any(|layer| layer.activation == Activation::Sine);
    !(gpu.capabilities().narrow && strategy == Strategy::Fused && sine)
}

/// Inputs from 0 to 1, which every encoding knows.
fn inputs(count: usize, seed: u64) -> Vec<f32> {
    numbers_f32(count, seed).into_iter().map(|v| v.abs().fract()).collect()
}

#[test]
fn passes_are_the_cpus() {
    let gpu = application();
    for mlp in networks() {
        for strategy in STRATEGIES {
            if !bears(&gpu, &mlp, strategy) {
                continue;
            }
            for (models, own, rows) in
                [(1, false, 1), (1, false, 133), (3, false, 70), (3, true, 65)]
            {
                let case = format!("{mlp}, {strategy:?}, {models} models, own {own}, {rows} rows");
                let x = inputs(if own { models } else { 1 } * rows * mlp.inputs, 1);
                let g = numbers_f32(models * rows * mlp.outputs(), 2);
                let training = training(strategy).models(models).init(Init::GlorotUniform);
                let mut stage = Stage::new(&gpu, &mlp, &training, rows.into(), &x);
                assert_eq!(stage.passes.strategy(), strategy);
                let parameters = stage.trainer.parameters().unwrap();
                let [y, dp, dx] = on_cpu(&parameters, &x, &g);
                let outputs = stage.forward(&gpu);
                assert!(!(deviation(&outputs, &y) > 2e-6), "{case}: outputs");
                stage.give(&gpu, &g);
                let [found_p, found_x] = stage.backward(&gpu);
                let errors = [deviation(&found_p, &dp), deviation(&found_x, &dx)];
                assert!(errors.iter().all(|error| *error <= 1e-5), "{case}: {errors:?}");
                // A second backward pass adds the same again.
                let [twice, _] = stage.backward(&gpu);
                let dp: Vec<f64> = dp.iter().map(|v| 2.0 * v).collect();
                let error = deviation(&twice, &dp);
                assert!(error <= 1e-5, "{case}: {error:e} after two");
            }
        }
    }
}

/// Rows from the count on are neither read nor written, whatever they hold.
#[test]
fn a_count_bounds_the_rows() {
    let gpu = application();
    let most = 140;
    for mlp in networks() {
        for strategy in STRATEGIES {
            if !bears(&gpu, &mlp, strategy) {
                continue;
            }
            for rows in [0_usize, 1, 3, 64, 67, 139, 140, 1000] {
                let taken = rows.min(most);
                let case = format!("{mlp}, {strategy:?}, {rows} rows");
                let mut x = inputs(most * mlp.inputs, 1);
                x[taken * mlp.inputs..].fill(f32::NAN);
                let mut g = numbers_f32(most * mlp.outputs(), 2);
                g[taken * mlp.outputs()..].fill(f32::NAN);
                let count = buffer(&gpu, bytemuck::bytes_of(&(rows as u32)));
                let counted = Rows::counted(most, count.slice(..));
                let mut stage = Stage::new(&gpu, &mlp, &training(strategy), counted, &x);
                let parameters = stage.trainer.parameters().unwrap();
                let outputs = stage.forward(&gpu);
                stage.give(&gpu, &g);
                let [dp, dx] = stage.backward(&gpu);
                let (y, rest) = outputs.split_at(taken * mlp.outputs());
                assert!(rest.iter().all(|v| *v == OLD), "{case}: outputs beyond");
                let (dx, rest) = dx.split_at(taken * mlp.inputs);
                assert!(rest.iter().all(|v| *v == OLD), "{case}: gradient beyond");
                if taken == 0 {
                    assert!(dp.iter().all(|v| *v == 0.0), "{case}");
                    continue;
                }
                let [x, g] = [&x[..taken * mlp.inputs], &g[..taken * mlp.outputs()]];
                let [ey, ep, ex] = on_cpu(&parameters, x, g);
                let errors = [deviation(y, &ey), deviation(&dp, &ep), deviation(dx, &ex)];
                assert!(errors.iter().all(|error| *error <= 1e-5), "{case}: {errors:?}");
            }
        }
    }
}

/// The same for a grid whose coarse levels hardware sums in blocks of rows.
#[test]
fn a_count_bounds_blocks_of_rows() {
    let own = application();
    let hardware = Capabilities { software: false, ..own.capabilities().clone() };
    let gpu = own.planned_for(&hardware);
    let most = 2500;
    let grid = Grid { levels: 3, log2_hashmap_size: 6, base_resolution: 3, ..Grid::default() };
    let scatter = Scatter::new(grid, 2, 1, most).unwrap().dispatches(gpu.capabilities()).unwrap();
    assert!(scatter[0].wgsl().contains("var<workgroup>"));
    let mlp = Mlp::new(2).encode(2, grid).layer(2, Activation::Identity);
    for rows in [0_usize, 3, 1023, 1024, 1025, 2049, 2500] {
        let mut x = inputs(most * 2, 1);
        x[rows * 2..].fill(f32::NAN);
        let mut g = numbers_f32(most * 2, 2);
        g[rows * 2..].fill(f32::NAN);
        let count = buffer(&gpu, bytemuck::bytes_of(&(rows as u32)));
        let counted = Rows::counted(most, count.slice(..));
        let mut stage = Stage::new(&gpu, &mlp, &training(Strategy::Layered), counted, &x);
        let parameters = stage.trainer.parameters().unwrap();
        stage.forward(&gpu);
        stage.give(&gpu, &g);
        let [dp, _] = stage.backward(&gpu);
        if rows == 0 {
            assert!(dp.iter().all(|v| *v == 0.0));
            continue;
        }
        let [_, expected, _] = on_cpu(&parameters, &x[..rows * 2], &g[..rows * 2]);
        let error = deviation(&dp, &expected);
        assert!(error <= 1e-5, "{rows} rows: {error:e}");
    }
}

/// A step and an inference over as many rows as a count says.
#[test]
fn a_count_bounds_steps_and_inferences() {
    let gpu = application();
    let (most, taken) = (150, 83);
    let mlp = Mlp::new(2).layer(8, Activation::Tanh).layer(2, Activation::Identity);
    let mut x = inputs(most * 2, 1);
    let mut t = numbers_f32(most * 2, 2);
    let (some_x, some_t) = (x[..2 * taken].to_vec(), t[..2 * taken].to_vec());
    x[2 * taken..].fill(f32::NAN);
    t[2 * taken..].fill(f32::NAN);
    let count = buffer(&gpu, bytemuck::bytes_of(&(taken as u32)));
    let (inputs, targets) = (floats(&gpu, &x), floats(&gpu, &t));
    let some = Data::new_f64(2, 2, wide(&some_x), wide(&some_t)).unwrap();
    for strategy in Strategy::ALL {
        let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.01))
            .strategy(*strategy)
            .seed(1);
        let data = DataBuffers::new(DataShape::shared(most), inputs.slice(..), targets.slice(..));
        let data = data.count(count.slice(..));
        let mut trainer = Trainer::with_buffers(&gpu, &mlp, &training, data).unwrap();
        let mut expected = CpuTrainer::<f64>::new(&mlp, &training, &some).unwrap();
        trainer.train(40).unwrap();
        expected.train(40).unwrap();
        let losses = expected.losses().unwrap().values;
        let error = deviation(&trainer.losses().unwrap().values, &losses);
        assert!(error <= 1e-4, "{strategy:?}: {error:e}");
        let y = floats(&gpu, &vec![OLD; most * 2]);
        let rows = Rows::counted(most, count.slice(..));
        let to = Output::Buffer(y.slice(..));
        let inference = trainer.inference(rows, inputs.slice(..), to).unwrap();
        run(&gpu, |encoder| inference.record(encoder));
        let y = read(&gpu, &y);
        let direct = trainer.predict(&some_x).unwrap();
        assert!(deviation(&y[..2 * taken], &wide(&direct)) <= 1e-6, "{strategy:?}");
        assert!(y[2 * taken..].iter().all(|v| *v == OLD));
        assert!(trainer.health().is_err());
        // None at all: nothing changes and nothing diverges.
        let before = trainer.parameters().unwrap();
        gpu.queue().write_buffer(&count, 0, bytemuck::bytes_of(&0_u32));
        run(&gpu, |encoder| {
            trainer.record_parameters(encoder, floats(&gpu, before.values()).slice(..)).unwrap()
        });
        let sgd = trainer.train(1);
        assert!(sgd.is_ok(), "{strategy:?}: {sgd:?}");
        assert_eq!(trainer.losses().unwrap().last(), [0.0], "{strategy:?}");
        gpu.queue().write_buffer(&count, 0, bytemuck::bytes_of(&(taken as u32)));
    }
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1))
        .batch(Batch::Shuffled { size: 5, seed: 1 });
    let data = DataBuffers::new(DataShape::shared(most), inputs.slice(..), targets.slice(..));
    let refused = Trainer::with_buffers(&gpu, &mlp, &training, data.count(count.slice(..)));
    assert!(matches!(refused, Err(Error::Argument { .. })));
}

/// An inference over more rows than a slice, with a count within each of them.
#[test]
fn a_count_bounds_every_slice_of_an_inference() {
    let gpu = application();
    let most = 40_000;
    let grid = Grid { levels: 2, log2_hashmap_size: 6, base_resolution: 3, ..Grid::default() };
    let mlp = Mlp::new(2).encode(2, grid).layer(8, Activation::Relu).layer(3, Activation::Sine);
    let trainer = Trainer::without_data(&gpu, &mlp, &training(Strategy::Layered)).unwrap();
    let x = floats(&gpu, &inputs(2 * most, 1));
    let all = floats(&gpu, &vec![OLD; 3 * most]);
    let inference = trainer.inference(most, x.slice(..), Output::Buffer(all.slice(..))).unwrap();
    run(&gpu, |encoder| inference.record(encoder));
    let all = read(&gpu, &all);
    for rows in [5_usize, 16_384, 16_385, 33_000] {
        let count = buffer(&gpu, bytemuck::bytes_of(&(rows as u32)));
        let y = floats(&gpu, &vec![OLD; 3 * most]);
        let counted = Rows::counted(most, count.slice(..));
        let to = Output::Buffer(y.slice(..));
        let inference = trainer.inference(counted, x.slice(..), to).unwrap();
        run(&gpu, |encoder| inference.record(encoder));
        let y = read(&gpu, &y);
        assert!(y[..3 * rows] == all[..3 * rows], "{rows} rows");
        assert!(y[3 * rows..].iter().all(|v| *v == OLD), "{rows} rows");
    }
}

/// A loss of the application's own, ½ Σ (y − t)² of the second network of a chain: the gradient of the
/// first network's parameters, tables included, is the central difference of that loss in f64.
#[test]
fn a_chain_of_two_networks_is_the_central_difference() {
    let gpu = application();
    let grid = Grid { levels: 2, log2_hashmap_size: 5, base_resolution: 2, ..Grid::default() };
    let first =
        Mlp::new(2).encode(2, grid).layer(6, Activation::Tanh).layer(3, Activation::Sigmoid);
    let second = Mlp::new(3)
        .encode(3, Frequency { frequencies: 2 })
        .layer(7, Activation::Gelu)
        .layer(2, Activation::Identity);
    let rows = 37;
    let (x, t) = (inputs(2 * rows, 5), numbers_f32(2 * rows, 6));
    for strategy in STRATEGIES {
        let training = training(strategy).init(Init::GlorotUniform);
        let mut a = Trainer::without_data(&gpu, &first, &training).unwrap();
        let mut b = Trainer::without_data(&gpu, &second, &training).unwrap();
        let input = floats(&gpu, &x);
        let [between, back] = [0, 1].map(|_| floats(&gpu, &vec![OLD; 3 * rows]));
        let [y, dy] = [0, 1].map(|_| floats(&gpu, &vec![OLD; 2 * rows]));
        let of_a = PassBuffers::new(rows, input.slice(..), between.slice(..), back.slice(..));
        let of_b = PassBuffers::new(rows, between.slice(..), y.slice(..), dy.slice(..));
        let of_a = a.passes(of_a).unwrap();
        let of_b = b.passes(of_b.input_gradient(back.slice(..))).unwrap();
        run(&gpu, |encoder| {
            of_a.record_forward(encoder);
            of_b.record_forward(encoder);
        });
        let gradient: Vec<f32> = read(&gpu, &y).iter().zip(&t).map(|(y, t)| y - t).collect();
        gpu.queue().write_buffer(&dy, 0, bytemuck::cast_slice(&gradient));
        run(&gpu, |encoder| {
            of_b.record_backward(encoder);
            of_a.record_backward(encoder);
        });
        let found = a.gradients().unwrap().values;
        let (pa, pb) = (a.parameters().unwrap(), b.parameters().unwrap());
        let at = |mlp: &Mlp, parameters: &[f64], x: &[f64]| {
            let zeros = vec![0.0; rows * mlp.outputs()];
            let data = Data::new_f64(mlp.inputs, mlp.outputs(), x.to_vec(), zeros).unwrap();
            let mut cpu = CpuTrainer::<f64>::new(mlp, &training_cpu(), &data).unwrap();
            let parameters = Parameters::new(mlp.clone(), 1, parameters.to_vec()).unwrap();
            cpu.set_parameters(&parameters).unwrap();
            cpu.predict(x).unwrap()
        };
        let loss = |parameters: &[f64]| {
            let y = at(&second, &wide(pb.values()), &at(&first, parameters, &wide(&x)));
            y.iter().zip(&t).map(|(y, t)| 0.5 * (y - f64::from(*t)).powi(2)).sum::<f64>()
        };
        let values = wide(pa.values());
        let mut differences = Vec::new();
        for i in 0..values.len() {
            let h = 1e-5;
            let (mut up, mut down) = (values.clone(), values.clone());
            up[i] += h;
            down[i] -= h;
            differences.push((loss(&up) - loss(&down)) / (2.0 * h));
        }
        let error = deviation(&found, &differences);
        assert!(error <= 1e-5, "{strategy:?}: {error:e}");
    }
}

fn training_cpu() -> Training {
    Training::new(Loss::OutputGradient, Optimizer::sgd(0.1))
}

/// An application's gradient is taken as it is, whatever the outputs' size.
#[test]
fn tiny_gradients_of_large_outputs_keep_their_digits() {
    let gpu = application();
    let mlp = Mlp::new(2).layer(4, Activation::Relu).layer(2, Activation::Identity);
    let x: Vec<f32> = inputs(2 * 50, 1).iter().map(|v| 100.0 * (v + 1.0)).collect();
    let g: Vec<f32> = numbers_f32(2 * 50, 2).iter().map(|v| 1e-9 * v).collect();
    for strategy in STRATEGIES {
        let mut stage = Stage::new(&gpu, &mlp, &training(strategy), 50.into(), &x);
        let [y, dp, dx] = on_cpu(&stage.trainer.parameters().unwrap(), &x, &g);
        assert!(y.iter().any(|y| y.abs() > 100.0), "the outputs are large");
        stage.forward(&gpu);
        stage.give(&gpu, &g);
        let [p, i] = stage.backward(&gpu);
        let errors = [deviation(&p, &dp), deviation(&i, &dx)];
        assert!(errors.iter().all(|error| *error <= 1e-6), "{strategy:?}: {errors:?}");
    }
}

/// Three micro-batches are one batch, an update is a step of one call, clipped and frozen as there.
#[test]
fn micro_batches_and_updates_are_steps() {
    let gpu = application();
    let mlp = Mlp::new(3)
        .layer(16, Activation::Tanh)
        .layer(16, Activation::Relu)
        .layer(2, Activation::Identity);
    let rows = 96;
    let (x, g) = (inputs(3 * rows, 1), numbers_f32(2 * rows, 2));
    for strategy in STRATEGIES {
        let training = training(strategy)
            .clip_norm(0.5)
            .rate_of(Part::Layer(1), 0.0)
            .rate_of(Part::Layer(0), 0.3)
            .ema(0.9);
        let (inputs, targets) = (floats(&gpu, &x), floats(&gpu, &g));
        let data = DataBuffers::new(DataShape::shared(rows), inputs.slice(..), targets.slice(..));
        let mut whole = Trainer::with_buffers(&gpu, &mlp, &training, data).unwrap();
        let mut trainer = Trainer::without_data(&gpu, &mlp, &training).unwrap();
        let begin = trainer.parameters().unwrap();
        assert_eq!(begin, whole.parameters().unwrap());
        let parts: Vec<_> = (0..3)
            .map(|part| {
                let third = rows / 3;
                let x = floats(&gpu, &x[part * 3 * third..(part + 1) * 3 * third]);
                let g = floats(&gpu, &g[part * 2 * third..(part + 1) * 2 * third]);
                let y = floats(&gpu, &vec![OLD; 2 * third]);
                trainer
                    .passes(PassBuffers::new(third, x.slice(..), y.slice(..), g.slice(..)))
                    .unwrap()
            })
            .collect();
        for step in 0..10 {
            run(&gpu, |encoder| {
                for part in &parts {
                    part.record_forward(encoder);
                    part.record_backward(encoder);
                }
            });
            if step == 0 {
                let found = trainer.gradients().unwrap().values;
                let error = deviation(&found, &wide(&whole.gradients().unwrap().values));
                assert!(error <= 1e-6, "{strategy:?}: {error:e}");
            }
            run(&gpu, |encoder| {
                trainer.record_update(encoder);
                whole.record(encoder, 1);
            });
        }
        for (found, expected) in [
            (trainer.parameters().unwrap(), whole.parameters().unwrap()),
            (trainer.ema_parameters().unwrap(), whole.ema_parameters().unwrap()),
        ] {
            let error = deviation(found.values(), &wide(expected.values()));
            assert!(error <= 2e-5, "{strategy:?}: {error:e}");
        }
        let frozen = mlp.ranges()[1].weight.clone();
        let end = trainer.parameters().unwrap();
        assert_eq!(end.values()[frozen.clone()], begin.values()[frozen]);
        assert!(end.values() != begin.values());
        assert_eq!(trainer.losses().unwrap().values, [0.0; 10]);
        // After an update nothing is left of the gradient.
        assert!(trainer.gradients().unwrap().values.iter().all(|v| *v == 0.0));
    }
}

/// A gradient that is not finite leaves the parameters as they were and marks its model.
#[test]
fn a_nan_in_the_given_gradient_is_a_divergence() {
    let gpu = application();
    let mlp = Mlp::new(2).layer(16, Activation::Relu).layer(2, Activation::Identity);
    for strategy in STRATEGIES {
        let x = inputs(2 * 20, 1);
        let mut stage = Stage::new(&gpu, &mlp, &training(strategy).models(2), 20.into(), &x);
        let before = stage.trainer.parameters().unwrap();
        let mut g = numbers_f32(2 * 2 * 20, 2);
        g[2 * 20 + 7] = f32::NAN;
        stage.forward(&gpu);
        stage.give(&gpu, &g);
        stage.backward(&gpu);
        run(&gpu, |encoder| stage.trainer.record_update(encoder));
        assert_eq!(stage.trainer.diverged().unwrap(), [None, Some(0)], "{strategy:?}");
        let after = stage.trainer.parameters().unwrap();
        let p = mlp.parameters();
        assert!(after.values()[..p] != before.values()[..p]);
        assert_eq!(after.values()[p..], before.values()[p..]);
    }
}

/// An inference reads the parameters that it was given.
#[test]
fn an_inference_takes_any_parameters() {
    let gpu = application();
    let mlp = Mlp::new(2).layer(9, Activation::Tanh).layer(2, Activation::Sigmoid);
    let training = training(Strategy::Layered).ema(0.9).models(2);
    let mut stage = Stage::new(&gpu, &mlp, &training, 30.into(), &inputs(60, 1));
    let snapshot = stage.trainer.snapshot().unwrap();
    let begin = stage.trainer.parameters().unwrap();
    stage.give(&gpu, &numbers_f32(2 * 2 * 30, 2));
    for _ in 0..5 {
        run(&gpu, |encoder| {
            stage.passes.record_forward(encoder);
            stage.passes.record_backward(encoder);
            stage.trainer.record_update(encoder);
        });
    }
    let x = inputs(2 * 40, 9);
    let (input, y) = (floats(&gpu, &x), floats(&gpu, &[0.0; 2 * 2 * 40]));
    let now = stage.trainer.parameters().unwrap();
    let average = stage.trainer.ema_parameters().unwrap();
    let own = floats(&gpu, &[vec![9.0; 64], begin.values().to_vec()].concat());
    let ema = stage.trainer.ema_parameter_buffer().unwrap();
    for (what, slice, parameters) in [
        ("own", stage.trainer.parameter_buffer().slice(..), &now),
        ("average", ema.slice(..), &average),
        ("snapshot", snapshot.parameter_buffer().slice(..), &begin),
        ("the application's", own.slice(256..), &begin),
    ] {
        let to = Output::Buffer(y.slice(..));
        let inference = stage.trainer.inference_from(slice, 40, input.slice(..), to).unwrap();
        run(&gpu, |encoder| inference.record(encoder));
        let [expected, ..] = on_cpu(parameters, &x, &[0.0; 2 * 2 * 40]);
        let error = deviation(&read(&gpu, &y), &expected);
        assert!(error <= 2e-6, "{what}: {error:e}");
    }
    let to = Output::Buffer(y.slice(..));
    assert!(stage.trainer.inference_from(y.slice(..4), 40, input.slice(..), to).is_err());
}

#[test]
fn what_passes_cannot_do_is_refused() {
    let gpu = application();
    let mlp = Mlp::new(2).layer(4, Activation::Tanh).layer(2, Activation::Identity);
    let refused = |training: Training| {
        let error = Trainer::without_data(&gpu, &mlp, &training).map(drop).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }), "{error}");
    };
    refused(Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1)));
    refused(training(Strategy::Resident));
    refused(training(Strategy::Auto).batch(Batch::Shuffled { size: 3, seed: 1 }));
    let mut trainer = Trainer::without_data(&gpu, &mlp, &training(Strategy::Auto)).unwrap();
    for refused in [
        trainer.train(1).map(drop),
        trainer.health().map(drop),
        trainer.check_data().map(drop),
        trainer.input_gradient().map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Argument { .. })), "{refused:?}");
    }
    assert!(trainer.warm_up().is_ok());
    // A gradient that has been added up outlasts a warm-up.
    let added = trainer.buffer(Buffer::AccumulatedGradient).unwrap().clone();
    gpu.queue().write_buffer(&added, 0, bytemuck::bytes_of(&2.5_f32));
    assert!(trainer.warm_up().is_ok());
    assert_eq!(trainer.gradients().unwrap().values[0], 2.5);
    let all = floats(&gpu, &[0.0; 1024]);
    let other = floats(&gpu, &[0.0; 1024]);
    let short = floats(&gpu, &[0.0; 4]);
    let (all, other, short) = (all.slice(..), other.slice(..), short.slice(..));
    let third = floats(&gpu, &[0.0; 1024]);
    let third = third.slice(..);
    assert!(trainer.passes(PassBuffers::new(64, all, other, third)).is_ok());
    for refused in [
        PassBuffers::new(0, all, other, third),
        PassBuffers::new(64, all, all, third),
        PassBuffers::new(64, short, other, third),
        PassBuffers::new(64, all, short, third),
        PassBuffers::new(64, all, other, short),
        PassBuffers::new(64, all, other, third).input_gradient(short),
        PassBuffers::new(64, all, other, third).own_inputs().input_gradient(short),
    ] {
        let error = trainer.passes(refused).map(drop).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }), "{error}");
    }
}

/// 10,000 recorded stages allocate nothing.
#[test]
fn recorded_stages_do_not_allocate() {
    let gpu = Gpu::new().unwrap();
    let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    for strategy in STRATEGIES {
        let training = training(strategy).clip_norm(1.0);
        let mut stage = Stage::new(&gpu, &mlp, &training, 8.into(), &inputs(16, 1));
        stage.give(&gpu, &[0.1; 8]);
        let mut counts = |frames: u32| {
            for _ in 0..frames {
                run(&gpu, |encoder| {
                    for _ in 0..100 {
                        stage.passes.record_forward(encoder);
                        stage.passes.record_backward(encoder);
                        stage.trainer.record_update(encoder);
                    }
                });
                gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
            }
            common::allocated(&gpu)
        };
        let before = counts(1);
        assert_eq!(counts(33), before, "{strategy:?}");
    }
}

/// A trainer with data can have passes too; its own steps and they do not mix.
#[test]
fn a_trainer_with_data_has_passes_too() {
    let gpu = application();
    let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Identity);
    let data = Data::new(2, 1, inputs(80, 1), numbers_f32(40, 2)).unwrap();
    for strategy in Strategy::ALL {
        let training =
            Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1)).strategy(*strategy);
        let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
        let (x, g) = (inputs(20, 3), numbers_f32(10, 4));
        let (x_buffer, g_buffer) = (floats(&gpu, &x), floats(&gpu, &g));
        let y = floats(&gpu, &[0.0; 10]);
        let of = PassBuffers::new(10, x_buffer.slice(..), y.slice(..), g_buffer.slice(..));
        let passes = trainer.passes(of).unwrap();
        let [_, expected, _] = on_cpu(&trainer.parameters().unwrap(), &x, &g);
        run(&gpu, |encoder| {
            passes.record_forward(encoder);
            passes.record_backward(encoder);
        });
        trainer.gradients().unwrap();
        let found = read(&gpu, trainer.buffer(Buffer::AccumulatedGradient).unwrap());
        let error = deviation(&found[..mlp.parameters()], &expected);
        assert!(error <= 1e-5, "{strategy:?}: {error:e}");
        run(&gpu, |encoder| trainer.record_update(encoder));
        trainer.train(3).unwrap();
        assert_eq!(trainer.losses().unwrap().values.len(), 4);
    }
}
