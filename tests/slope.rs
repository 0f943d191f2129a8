//! A loss on the slope: the gradient of the outputs with respect to the inputs. Its gradients are the
//! central differences, in f64, of a slope that the CPU computes by back-propagation.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::application::{application, buffer, floats, read, run, wide};
use common::{Content, Job, as_floats, deviation, numbers_f32, sloped};
use wgrad::encoding::{Encoding, Grid};
use wgrad::kernels::encoding::encode_grid_curvature::EncodeGridCurvature;
use wgrad::kernels::encoding::encode_grid_tangent::EncodeGridTangent;
use wgrad::kernels::encoding::encode_pointwise_curvature::EncodePointwiseCurvature;
use wgrad::kernels::encoding::encode_pointwise_tangent::EncodePointwiseTangent;
use wgrad::kernels::encoding::grid_bound::GridBound;
use wgrad::kernels::encoding::max_abs::MaxAbs;
use wgrad::kernels::encoding::scatter::Precision;
use wgrad::kernels::encoding::scatter_tangent::ScatterTangent;
use wgrad::kernels::step::eikonal::Eikonal;
use wgrad::{
    Activation, Batch, Capabilities, CpuTrainer, CustomActivation, Data, Error, Gpu, Init, Loss,
    Mlp, Optimizer, Parameters, PassBuffers, Passes, Rows, Strategy, Train, TrainBase, Trainer,
    Training,
};

/// What lies in the application's buffers before the passes write them.
const OLD: f32 = 77.0;

/// What one row of a case has: x, the seed s, the outputs' gradient g, the slope's gradient v.
struct Case {
    mlp: Mlp,
    models: usize,
    rows: usize,
    x: Vec<f32>,
    s: Option<Vec<f32>>,
    g: Vec<f32>,
    v: Vec<f32>,
    parameters: Parameters,
    strategy: Strategy,
}

/// How passes with a slope are executed: each strategy that the device's compiler bears.
fn strategies(gpu: &Gpu, mlp: &Mlp) -> Vec<Strategy> {
    let sine = mlp.layers.iter().any(|layer| layer.activation == Activation::Sine);
    let all = [Strategy::Layered, Strategy::Fused];
    all.into_iter().take(if sine && gpu.capabilities().narrow { 1 } else { 2 }).collect()
}

impl Case {
    fn new(mlp: &Mlp, models: usize, rows: usize, seeded: bool) -> Self {
        let numbers = |width, seed| numbers_f32(models * rows * width, seed);
        // Inputs from 0 to 1, which every encoding knows.
        let x = numbers_f32(rows * mlp.inputs, 1).into_iter().map(|v| v.abs().fract()).collect();
        let mut parameters = Init::GlorotUniform.sample(mlp, models, 3).unwrap();
        // Tables begin at ±1e-4, biases at 0: here both matter.
        let drawn = numbers_f32(parameters.values().len(), 9);
        let values = parameters.values().iter().zip(drawn).map(|(p, d)| p + 0.3 * d).collect();
        parameters = Parameters::new(mlp.clone(), models, values).unwrap();
        Self {
            mlp: mlp.clone(),
            models,
            rows,
            x,
            s: seeded.then(|| numbers(mlp.outputs(), 4)),
            g: numbers(mlp.outputs(), 5),
            v: numbers(mlp.inputs, 6),
            parameters,
            strategy: Strategy::Auto,
        }
    }

    /// Some rows of a model's.
    fn of<'a>(&self, all: &'a [f32], m: usize, width: usize) -> &'a [f32] {
        &all[m * self.rows * width..(m + 1) * self.rows * width]
    }

    /// Outputs and slopes on the CPU in f64 of models that share a model's rows.
    fn on_cpu(&self, m: usize, parameters: Vec<f64>, x: &[f64]) -> [Vec<f64>; 2] {
        let (mlp, outputs) = (&self.mlp, self.mlp.outputs());
        let models = parameters.len() / mlp.parameters();
        let seed = match &self.s {
            Some(s) => wide(self.of(s, m, outputs)),
            None => vec![1.0; self.rows * outputs],
        };
        let data = Data::new_f64(mlp.inputs, outputs, x.to_vec(), seed).unwrap();
        let training = Training::new(Loss::OutputGradient, Optimizer::sgd(0.1)).models(models);
        let mut cpu = CpuTrainer::<f64>::new(mlp, &training, &data).unwrap();
        cpu.set_parameters(&Parameters::new(mlp.clone(), models, parameters).unwrap()).unwrap();
        [cpu.predict(x).unwrap(), cpu.input_gradient().unwrap()]
    }

    /// g · y + v · p of each row of each of the models that share model m's rows.
    fn losses(&self, m: usize, parameters: Vec<f64>, x: &[f64]) -> Vec<f64> {
        let (outputs, inputs) = (self.mlp.outputs(), self.mlp.inputs);
        let [y, p] = self.on_cpu(m, parameters, x);
        let [g, v] = [self.of(&self.g, m, outputs), self.of(&self.v, m, inputs)].map(wide);
        let rows = y.chunks(outputs).zip(p.chunks(inputs)).enumerate();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let of_row = |(i, (y, p)): (usize, (&[f64], &[f64]))| {
            let row = i % self.rows;
            dot(y, &g[row * outputs..(row + 1) * outputs])
                + dot(p, &v[row * inputs..(row + 1) * inputs])
        };
        rows.map(of_row).collect()
    }

    /// The gradients of the parameters and of the inputs of all models, by central differences.
    fn differences(&self) -> [Vec<f64>; 2] {
        let h = 1e-6;
        let (mut of_parameters, mut of_inputs) = (Vec::new(), Vec::new());
        let x = wide(&self.x);
        for m in 0..self.models {
            let p = self.mlp.parameters();
            let own = wide(&self.parameters.values()[m * p..(m + 1) * p]);
            let mut moved = Vec::new();
            for i in 0..p {
                for step in [h, -h] {
                    let mut one = own.clone();
                    one[i] += step;
                    moved.extend(one);
                }
            }
            let losses = self.losses(m, moved, &x);
            let sums: Vec<f64> = losses.chunks(self.rows).map(|rows| rows.iter().sum()).collect();
            of_parameters.extend(sums.chunks(2).map(|pair| (pair[0] - pair[1]) / (2.0 * h)));
            let mut gradient = vec![0.0; x.len()];
            for d in 0..self.mlp.inputs {
                let [up, down] = [h, -h].map(|step| {
                    let mut x = x.clone();
                    x.iter_mut().skip(d).step_by(self.mlp.inputs).for_each(|v| *v += step);
                    self.losses(m, own.clone(), &x)
                });
                for (row, (up, down)) in up.iter().zip(down).enumerate() {
                    gradient[row * self.mlp.inputs + d] = (up - down) / (2.0 * h);
                }
            }
            of_inputs.extend(gradient);
        }
        [of_parameters, of_inputs]
    }

    fn expected_slopes(&self) -> Vec<f64> {
        let p = self.mlp.parameters();
        let slopes = (0..self.models).map(|m| {
            let own = wide(&self.parameters.values()[m * p..(m + 1) * p]);
            self.on_cpu(m, own, &wide(&self.x))[1].clone()
        });
        slopes.collect::<Vec<_>>().concat()
    }

    fn run(&self, gpu: &Gpu) -> Found {
        Stage::new(gpu, self, self.rows.into(), 0).run(gpu, self)
    }
}

/// What the passes have written.
struct Found {
    outputs: Vec<f32>,
    slopes: Vec<f32>,
    parameters: Vec<f32>,
    inputs: Vec<f32>,
}

/// The passes of a case, with the application's buffers. Each has `padding` rows more.
struct Stage {
    trainer: Trainer,
    passes: Passes,
    outputs: wgpu::Buffer,
    slopes: wgpu::Buffer,
    input_gradient: wgpu::Buffer,
}

impl Stage {
    fn new(gpu: &Gpu, case: &Case, rows: Rows<'_>, padding: usize) -> Self {
        let Case { mlp, models, rows: taken, .. } = case;
        assert!(padding == 0 || *models == 1);
        let size = |width: usize| models * (taken + padding) * width;
        let padded = |values: &[f32], width: usize| {
            let mut all = values.to_vec();
            all.resize(size(width).max(all.len()), f32::NAN);
            floats(gpu, &all)
        };
        let training = Training::new(Loss::OutputGradient, Optimizer::adam(0.01))
            .models(*models)
            .strategy(case.strategy);
        let mut trainer = Trainer::without_data(gpu, mlp, &training).unwrap();
        trainer.set_parameters(&case.parameters).unwrap();
        let old = |width: usize| floats(gpu, &vec![OLD; size(width)]);
        let inputs = {
            let mut x = case.x.clone();
            x.resize((taken + padding) * mlp.inputs, f32::NAN);
            floats(gpu, &x)
        };
        let [outputs, slopes, input_gradient] =
            [old(mlp.outputs()), old(mlp.inputs), old(mlp.inputs)];
        let [g, v] = [padded(&case.g, mlp.outputs()), padded(&case.v, mlp.inputs)];
        let seed = case.s.as_ref().map(|s| padded(s, mlp.outputs()));
        let mut of = PassBuffers::new(rows, inputs.slice(..), outputs.slice(..), g.slice(..))
            .slope(slopes.slice(..), v.slice(..))
            .input_gradient(input_gradient.slice(..));
        if let Some(seed) = &seed {
            of = of.seed(seed.slice(..));
        }
        let passes = trainer.passes(of).unwrap();
        if case.strategy != Strategy::Auto {
            assert_eq!(passes.strategy(), case.strategy);
        }
        Self { trainer, passes, outputs, slopes, input_gradient }
    }

    fn run(&mut self, gpu: &Gpu, _: &Case) -> Found {
        run(gpu, |encoder| {
            self.passes.record_forward(encoder);
            self.passes.record_slope(encoder);
            self.passes.record_backward(encoder);
        });
        Found {
            outputs: read(gpu, &self.outputs),
            slopes: read(gpu, &self.slopes),
            parameters: self.trainer.gradients().unwrap().values,
            inputs: read(gpu, &self.input_gradient),
        }
    }
}

/// Every activation and every encoding, with a seed and without, in populations too.
#[test]
fn gradients_are_central_differences() {
    let gpu = application();
    let mut worst = 0.0_f64;
    for (i, mlp) in sloped().iter().enumerate() {
        for (models, rows, seeded) in [(1, 7, i % 2 == 0), (2, 5, i % 2 == 1)] {
            let mut case = Case::new(mlp, models, rows, seeded);
            let [parameters, inputs] = case.differences();
            let expected = case.expected_slopes();
            // Fused behind some of the encodings: lavapipe takes seconds to compile its kernels.
            let fused = i >= Activation::ALL.len() && i % 2 == 0 && models == 2;
            for strategy in strategies(&gpu, mlp).into_iter().take(1 + usize::from(fused)) {
                case.strategy = strategy;
                let found = case.run(&gpu);
                let strategy = strategy.name();
                let name = format!("{mlp}, {models} models, seed {seeded}, {strategy}");
                let slopes = deviation(&found.slopes, &expected);
                assert!(slopes <= 1e-5, "{name}: slopes {slopes:e}");
                let errors =
                    [deviation(&found.parameters, &parameters), deviation(&found.inputs, &inputs)];
                assert!(errors.iter().all(|error| *error <= 2e-5), "{name}: {errors:?}");
                assert!(found.outputs.iter().all(|y| *y != OLD), "{name}");
                worst = errors.iter().fold(worst, |worst, error| worst.max(*error));
            }
        }
    }
    println!("largest error: {worst:e}");
}

/// One to four layers, one and three outputs, rows beyond a tile; and every activation in the fused kernels.
#[test]
fn gradients_of_any_depth() {
    let gpu = application();
    let mut cases = Vec::new();
    for depth in 1..=4 {
        for outputs in [1, 3] {
            for last in [Activation::Identity, Activation::Sigmoid, Activation::Gelu] {
                let hidden = [Activation::Sine, Activation::Softplus, Activation::Tanh];
                let mlp = (1..depth).fold(Mlp::new(3), |mlp, l| mlp.layer(4 + l, hidden[l % 3]));
                let fused = outputs == 3 && last == Activation::Gelu;
                cases.push((mlp.layer(outputs, last), outputs == 3, fused));
            }
        }
    }
    for some in Activation::ALL.chunks(4) {
        let (last, hidden) = some.split_last().unwrap();
        let mlp = hidden.iter().fold(Mlp::new(3), |mlp, f| mlp.layer(5, *f));
        cases.push((mlp.layer(2, *last), true, true));
    }
    for (mlp, seeded, fused) in cases {
        let mut case = Case::new(&mlp, 1, 70, seeded);
        let [parameters, inputs] = case.differences();
        for strategy in strategies(&gpu, &mlp).into_iter().take(1 + usize::from(fused)) {
            case.strategy = strategy;
            let found = case.run(&gpu);
            let errors =
                [deviation(&found.parameters, &parameters), deviation(&found.inputs, &inputs)];
            let name = strategy.name();
            assert!(errors.iter().all(|error| *error <= 2e-5), "{mlp}, {name}: {errors:?}");
        }
    }
}

/// With zeros for the slope's gradient the passes give what those without a slope give.
#[test]
fn a_slope_that_does_not_count_changes_nothing() {
    let gpu = application();
    for mlp in sloped() {
        let mut case = Case::new(&mlp, 2, 9, false);
        case.v.fill(0.0);
        case.strategy = Strategy::Layered;
        let found = case.run(&gpu);
        let training = Training::new(Loss::OutputGradient, Optimizer::adam(0.01))
            .models(2)
            .strategy(Strategy::Layered);
        let mut plain = Trainer::without_data(&gpu, &mlp, &training).unwrap();
        plain.set_parameters(&case.parameters).unwrap();
        let [x, g] = [&case.x, &case.g].map(|values| floats(&gpu, values));
        let y = floats(&gpu, &vec![OLD; case.g.len()]);
        let dx = floats(&gpu, &vec![OLD; case.v.len()]);
        let of = PassBuffers::new(9, x.slice(..), y.slice(..), g.slice(..));
        let passes = plain.passes(of.input_gradient(dx.slice(..))).unwrap();
        assert_eq!(passes.dispatches()[1], 0);
        run(&gpu, |encoder| {
            passes.record_forward(encoder);
            passes.record_slope(encoder);
            passes.record_backward(encoder);
        });
        assert!(read(&gpu, &y) == found.outputs, "{mlp}");
        let expected = wide(&plain.gradients().unwrap().values);
        let errors = [
            deviation(&found.parameters, &expected),
            deviation(&found.inputs, &wide(&read(&gpu, &dx))),
        ];
        assert!(errors.iter().all(|error| *error <= 2e-6), "{mlp}: {errors:?}");
    }
}

/// Rows from the count on are neither read nor written, whatever they hold.
#[test]
fn a_count_bounds_the_rows() {
    let gpu = application();
    for (i, mlp) in sloped().into_iter().enumerate() {
        let mut cases: Vec<_> = [1, 4, 9].map(|rows| (rows, Strategy::Layered)).into();
        cases.extend((i % 8 == 0).then_some((4, *strategies(&gpu, &mlp).last().unwrap())));
        for (rows, strategy) in cases {
            let mut case = Case::new(&mlp, 1, rows, true);
            case.strategy = strategy;
            let whole = case.run(&gpu);
            let (padding, count) = (70, buffer(&gpu, bytemuck::bytes_of(&(rows as u32))));
            let counted = Rows::counted(rows + padding, count.slice(..));
            let found = Stage::new(&gpu, &case, counted, padding).run(&gpu, &case);
            for (part, all, width) in [
                (&whole.outputs, &found.outputs, mlp.outputs()),
                (&whole.slopes, &found.slopes, mlp.inputs),
                (&whole.inputs, &found.inputs, mlp.inputs),
            ] {
                let (taken, rest) = all.split_at(rows * width);
                // A product of more rows may be cut otherwise on hardware.
                let error = deviation(taken, &wide(part));
                assert!(error <= 1e-6, "{mlp}, {rows} rows: {error:e}");
                assert!(rest.iter().all(|v| *v == OLD), "{mlp}, {rows} rows");
            }
            let error = deviation(&found.parameters, &wide(&whole.parameters));
            assert!(error <= 1e-6, "{mlp}, {rows} rows: {error:e}");
        }
    }
}

/// A loss with a slope inside, of sine networks, as jax differentiates it in float64: `files/slope.py`.
#[test]
fn gradients_are_those_of_jax() {
    let gpu = application();
    let bytes = std::fs::read("tests/files/slope.safetensors").unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for name in ["one", "three", "shallow"] {
        let tensor = |part: &str| -> Vec<f64> {
            bytemuck::pod_collect_to_vec(file.tensor(&format!("{name}.{part}")).unwrap().data())
        };
        let sizes: Vec<i64> =
            bytemuck::pod_collect_to_vec(file.tensor(&format!("{name}.sizes")).unwrap().data());
        let single = |part| -> Vec<f32> { tensor(part).iter().map(|v| *v as f32).collect() };
        let units: Vec<usize> = sizes.iter().map(|size| *size as usize).collect();
        let (last, hidden) = units[1..].split_last().unwrap();
        let mlp = hidden.iter().fold(Mlp::new(units[0]), |mlp, n| mlp.layer(*n, Activation::Sine));
        let mlp = mlp.layer(*last, Activation::Identity);
        let (x, seed) = (single("x"), single("seed"));
        let rows = x.len() / units[0];
        let parameters = Parameters::new(mlp.clone(), 1, single("parameters")).unwrap();
        let [g, v] = [last, &units[0]].map(|width| vec![0.0; rows * width]);
        let strategy = *strategies(&gpu, &mlp).last().unwrap();
        let mut case = Case { mlp, models: 1, rows, x, s: Some(seed), g, v, parameters, strategy };
        // The loss's own derivatives, from the outputs and slopes of a first run.
        let first = case.run(&gpu);
        assert!(deviation(&first.slopes, &tensor("slope")) <= 2e-6, "{name}: slopes");
        let count = rows as f32;
        let mut loss = 0.0;
        for (p, v) in first.slopes.chunks(units[0]).zip(case.v.chunks_mut(units[0])) {
            let norm = p.iter().map(|p| p * p).sum::<f32>().sqrt();
            loss += f64::from((norm - 1.0).powi(2) + p[0].sin());
            for (v, p) in v.iter_mut().zip(p) {
                *v = 2.0 * (norm - 1.0) * p / norm / count;
            }
            v[0] += p[0].cos() / count;
        }
        for (y, g) in first.outputs.iter().zip(&mut case.g) {
            loss += f64::from(0.3 * y * y);
            *g = 0.6 * y / count;
        }
        let error = (loss / f64::from(count) - tensor("loss")[0]).abs();
        assert!(error <= 1e-6, "{name}: loss {error:e}");
        let found = case.run(&gpu);
        let errors = [
            deviation(&found.parameters, &tensor("gradient")),
            deviation(&found.inputs, &tensor("input_gradient")),
        ];
        assert!(errors.iter().all(|error| *error <= 5e-6), "{name}: {errors:?}");
    }
}

/// Two runs give the same bits, on a device that is planned for as hardware, too.
#[test]
fn bits_repeat() {
    let own = application();
    let hardware = Capabilities { software: false, ..own.capabilities().clone() };
    for gpu in [own.planned_for(&hardware), own] {
        for mlp in sloped().into_iter().rev().take(6) {
            let case = Case::new(&mlp, 2, 300, false);
            let [a, b] = [0, 1].map(|_| case.run(&gpu));
            assert!(a.parameters == b.parameters && a.inputs == b.inputs, "{mlp}");
            assert!(a.parameters.iter().all(|v| v.is_finite()));
        }
    }
}

/// What is not finite in the slope's gradient stops the model at the update, and only that one.
#[test]
fn a_slope_that_is_not_finite_stops_its_model() {
    let gpu = application();
    let mlp = sloped().pop().unwrap();
    let mut case = Case::new(&mlp, 2, 5, false);
    case.v[0] = f32::NAN;
    let mut stage = Stage::new(&gpu, &case, 5.into(), 0);
    stage.run(&gpu, &case);
    run(&gpu, |encoder| stage.trainer.record_update(encoder));
    let diverged = stage.trainer.diverged().unwrap();
    assert!(diverged[0].is_some() && diverged[1].is_none(), "{diverged:?}");
}

/// Training by the slope alone: a network whose slope is that of x² − y, learnt from slopes.
#[test]
fn a_network_learns_from_its_slope() {
    let gpu = application();
    let mlp = Mlp::new(2).layer(24, Activation::Tanh).layer(1, Activation::Identity);
    let rows = 256;
    let training = Training::new(Loss::OutputGradient, Optimizer::adam(0.01)).seed(1);
    let mut trainer = Trainer::without_data(&gpu, &mlp, &training).unwrap();
    let x: Vec<f32> = numbers_f32(2 * rows, 3);
    let [inputs, y, p] = [&x[..], &vec![0.0; rows], &vec![0.0; 2 * rows]].map(|v| floats(&gpu, v));
    let [dy, dp] = [rows, 2 * rows].map(|size| floats(&gpu, &vec![0.0; size]));
    let of = PassBuffers::new(rows, inputs.slice(..), y.slice(..), dy.slice(..));
    let passes = trainer.passes(of.slope(p.slice(..), dp.slice(..))).unwrap();
    let mut last = f32::NAN;
    for _ in 0..400 {
        run(&gpu, |encoder| {
            passes.record_forward(encoder);
            passes.record_slope(encoder);
        });
        let slopes = read(&gpu, &p);
        let wrong: Vec<f32> = x
            .chunks(2)
            .zip(slopes.chunks(2))
            .flat_map(|(x, p)| [p[0] - 2.0 * x[0], p[1] + 1.0])
            .collect();
        last = wrong.iter().map(|w| w.abs()).sum::<f32>() / wrong.len() as f32;
        let gradient: Vec<f32> = wrong.iter().map(|w| w / rows as f32).collect();
        gpu.queue().write_buffer(&dp, 0, bytemuck::cast_slice(&gradient));
        run(&gpu, |encoder| {
            passes.record_backward(encoder);
            trainer.record_update(encoder);
        });
    }
    assert!(last <= 0.05, "{last}");
}

#[test]
fn what_has_no_slope_is_refused() {
    let gpu = application();
    let refused = |mlp: &Mlp, strategy, with: &dyn Fn(&wgpu::Buffer) -> [usize; 2]| {
        let training =
            Training::new(Loss::OutputGradient, Optimizer::adam(0.01)).strategy(strategy);
        let mut trainer = Trainer::without_data(&gpu, mlp, &training).unwrap();
        let all = floats(&gpu, &[0.0; 4096]);
        let [at, length] = with(&all);
        let (at, end) = (4 * at as u64, 4 * (at + length) as u64);
        let of = PassBuffers::new(4, all.slice(..64), all.slice(1024..1280), all.slice(2048..2304));
        trainer.passes(of.slope(all.slice(at..end), all.slice(4096..4352))).unwrap_err()
    };
    let mlp = Mlp::new(3).layer(4, Activation::Tanh).layer(1, Activation::Identity);
    let far = |_: &wgpu::Buffer| [1280, 64];
    let wide = Mlp::new(3).layer(129, Activation::Tanh).layer(1, Activation::Identity);
    let error = refused(&wide, Strategy::Fused, &far);
    assert!(error.to_string().contains("the widest layer, under the fused strategy"), "{error}");
    let custom = CustomActivation::new("bent", "return z * z;", "return 2.0 * z;").unwrap();
    for strategy in [Strategy::Auto, Strategy::Fused] {
        let error = refused(&Mlp::new(3).layer(4, custom).layer(1, custom), strategy, &far);
        assert!(error.to_string().contains("bent"), "{error}");
    }
    for (what, with) in [("too short", [1280, 11]), ("the inputs", [0, 64])] {
        let error = refused(&mlp, Strategy::Auto, &|_| with);
        let kind = matches!(error, Error::Argument { .. } | Error::Shape { .. });
        assert!(kind, "{what}: {error}");
    }
}

/// Random points, none on the border of a grid's cell, with tangents, for each form of an encoding.
fn encodings() -> Vec<(usize, Encoding)> {
    let of = |mlp: Mlp| (mlp.inputs, mlp.encoding.first().map(|part| part.encoding));
    let all = sloped().into_iter().map(of);
    all.filter_map(|(inputs, encoding)| Some((inputs, encoding?)))
        .filter(|(inputs, encoding)| encoding.check(*inputs).is_ok())
        .collect()
}

fn content(values: &[f64]) -> Content {
    common::floats(&values.iter().map(|v| *v as f32).collect::<Vec<_>>())
}

fn numbers(count: usize, seed: u64) -> Vec<f64> {
    wide(&numbers_f32(count, seed))
}

/// The tangents of every encoding, and the gradients of its inputs and tables, against the formulas.
#[test]
fn kernels_of_encodings_are_their_references() {
    for (i, (inputs, encoding)) in encodings().into_iter().enumerate() {
        let (models, rows, width) = (1 + i % 3, 67, encoding.outputs(inputs));
        let all = models * rows;
        let x: Vec<f64> = numbers(all * inputs, 1).into_iter().map(f64::abs).collect();
        let v = numbers(all * inputs, 2);
        let [d, dt] = [numbers(all * width, 3), numbers(all * width, 4)];
        let name = format!("{encoding:?} of {models} × {rows} × {inputs}");
        let [to_width, to_inputs] = [width, inputs].map(|width| Content::Unset(all * width));
        let Encoding::Grid(grid) = encoding else {
            let tangent = EncodePointwiseTangent::new(encoding, inputs, models, rows).unwrap();
            let curvature = EncodePointwiseCurvature::new(encoding, inputs, models, rows).unwrap();
            let jobs = [
                Job::new(
                    &*name,
                    tangent.dispatch().unwrap(),
                    vec![content(&x), content(&v), to_width],
                ),
                Job::new(
                    &*name,
                    curvature.dispatch().unwrap(),
                    vec![content(&x), content(&v), content(&d), content(&dt), to_inputs],
                ),
            ];
            let found = common::run(&jobs);
            let expected = [tangent.reference(&x, &v), curvature.reference([&x, &v], [&d, &dt])];
            for (found, expected) in found.iter().zip(&expected) {
                let error = deviation(&as_floats(found.last().unwrap()), expected);
                assert!(error <= 4e-6, "{name}: {error:e}");
            }
            continue;
        };
        let size = encoding.parameters(inputs);
        let tables = numbers(models * size, 5);
        let tangent = EncodeGridTangent::new(grid, inputs, models, rows).unwrap();
        let curvature = EncodeGridCurvature::new(grid, inputs, models, rows).unwrap();
        let bound = GridBound::new(grid, inputs, models, rows).unwrap();
        let deltas = [content(&d), content(&dt)];
        let jobs = [
            Job::new(
                &*name,
                tangent.dispatch().unwrap(),
                vec![content(&x), content(&v), content(&tables), to_width.clone()],
            ),
            Job::new(
                &*name,
                curvature.dispatch().unwrap(),
                [
                    vec![content(&x), content(&v), content(&tables)],
                    deltas.to_vec(),
                    vec![to_inputs],
                ]
                .concat(),
            ),
            Job::new(
                &*name,
                bound.dispatch().unwrap(),
                [vec![content(&v)], deltas.to_vec(), vec![to_width]].concat(),
            ),
        ];
        let found = common::run(&jobs);
        let of_models = |width: usize| move |m: usize| m * rows * width..(m + 1) * rows * width;
        let (of_inputs, of_width) = (of_models(inputs), of_models(width));
        let (mut tangents, mut dx, mut dtables) = (Vec::new(), Vec::new(), Vec::new());
        for m in 0..models {
            let own = &tables[m * size..(m + 1) * size];
            let [x, v] = [&x, &v].map(|all| &all[of_inputs(m)]);
            let [d, dt] = [&d, &dt].map(|all| &all[of_width(m)]);
            tangents.extend(tangent.reference(own, x, v));
            let [of_tables, of_x] = curvature.reference(own, [x, v], [d, dt]);
            dx.extend(of_x);
            dtables.push(of_tables);
        }
        for (found, expected) in found.iter().zip([&tangents, &dx]) {
            let error = deviation(&as_floats(found.last().unwrap()), expected);
            assert!(error <= 4e-6, "{name}: {error:e}");
        }
        // The tables, from the bounds on.
        let bounds = as_floats(found[2].last().unwrap());
        let max_bits: Vec<u32> = bounds.chunks(rows * width).map(MaxAbs::reference).collect();
        let scatter = ScatterTangent::new(grid, inputs, models, rows).unwrap().dispatch().unwrap();
        let slots = [
            vec![content(&x), content(&v)],
            deltas.to_vec(),
            vec![Content::Words(max_bits.clone()), Content::Words(vec![0; 2 * models * size])],
        ];
        let sums = &common::run(&[Job::new(&*name, scatter, slots.concat())])[0][5];
        let precision = Precision::of(rows, inputs).unwrap();
        for (m, expected) in dtables.iter().enumerate() {
            let found: Vec<f64> = (0..size)
                .map(|e| {
                    let at = 2 * (m * size + e);
                    let words = [sums[at], sums[at + 1]].map(|word| i64::from(word as i32));
                    precision.dequantize(words, max_bits[m])
                })
                .collect();
            let error = deviation(&found, expected);
            assert!(error <= 4e-6, "{name}: tables {error:e}");
        }
    }
}

/// The eikonal term w · mean (|p| − 1)² and its derivative with respect to each slope.
fn eikonal(weight: f64, rows: usize, inputs: usize, slopes: &[f32]) -> Vec<f64> {
    let of_row = |p: &[f32]| {
        let norm = p.iter().map(|p| f64::from(*p).powi(2)).sum::<f64>().sqrt();
        let factor = if norm == 0.0 { 0.0 } else { (norm - 1.0) / norm };
        p.iter()
            .map(move |p| 2.0 * weight / rows as f64 * factor * f64::from(*p))
            .collect::<Vec<_>>()
    };
    slopes.chunks(inputs).flat_map(of_row).collect()
}

#[test]
fn eikonal_gradients_of_all_sizes() {
    for (models, rows, inputs) in [(1, 1, 1), (2, 65, 3), (3, 130, 7), (1, 64, 2)] {
        let term = Eikonal { weight: 0.3, models, rows, inputs };
        let mut slopes = numbers_f32(models * rows * inputs, 1);
        // A slope of 0, a tiny one, one whose square is infinite.
        for (row, size) in [0.0, 1e-30, 3e20].into_iter().enumerate().take(models * rows) {
            slopes[row * inputs..(row + 1) * inputs].fill(size);
        }
        let slots = vec![common::floats(&slopes), Content::Unset(slopes.len())];
        let job = Job::new("eikonal", term.dispatch().unwrap(), slots);
        let found = as_floats(&common::run(&[job])[0][1]);
        let expected = eikonal(0.3, rows, inputs, &slopes);
        let reference = term.reference(&wide(&slopes));
        for (i, found) in found.iter().enumerate() {
            let size = expected[i].abs().max(1e-3);
            let is_tiny = slopes[i] == 1e-30;
            let error = (f64::from(*found) - expected[i]).abs() / size;
            assert!(error <= 1e-5 || is_tiny, "{found} for {}", expected[i]);
            let error = (reference[i] - expected[i]).abs() / size;
            assert!(error <= 1e-6 || is_tiny, "{} for {}", reference[i], expected[i]);
        }
    }
    for (models, rows) in [(0, 1), (1, 0)] {
        let term = Eikonal { weight: 1.0, models, rows, inputs: 3 };
        assert_eq!(term.dispatch().is_err(), rows == 0);
    }
}

/// A count bounds the rows whose mean is taken.
#[test]
fn passes_write_the_eikonal_terms_gradient() {
    let gpu = application();
    for (i, mlp) in sloped().iter().enumerate() {
        let (rows, padding) = (9, if i % 2 == 0 { 0 } else { 30 });
        let case = Case::new(mlp, 1, rows, false);
        let size = rows + padding;
        let drawn = numbers_f32(size * mlp.inputs, 1);
        let x = floats(&gpu, &drawn.iter().map(|v| v.abs().fract()).collect::<Vec<_>>());
        let [y, g] = [OLD, 0.0].map(|v| floats(&gpu, &vec![v; size * mlp.outputs()]));
        let [p, v] = [OLD, OLD].map(|v| floats(&gpu, &vec![v; size * mlp.inputs]));
        let count = buffer(&gpu, bytemuck::bytes_of(&(rows as u32)));
        let counted = if padding == 0 { size.into() } else { Rows::counted(size, count.slice(..)) };
        let training = Training::new(Loss::OutputGradient, Optimizer::adam(0.01));
        let mut trainer = Trainer::without_data(&gpu, mlp, &training).unwrap();
        trainer.set_parameters(&case.parameters).unwrap();
        let of = PassBuffers::new(counted, x.slice(..), y.slice(..), g.slice(..))
            .slope(p.slice(..), v.slice(..))
            .eikonal(0.7);
        let passes = trainer.passes(of).unwrap();
        run(&gpu, |encoder| {
            passes.record_forward(encoder);
            passes.record_slope(encoder);
            passes.record_backward(encoder);
        });
        let (slopes, written) = (read(&gpu, &p), read(&gpu, &v));
        let (taken, rest) = written.split_at(rows * mlp.inputs);
        let expected = eikonal(0.7, rows, mlp.inputs, &slopes[..rows * mlp.inputs]);
        let error = deviation(taken, &expected);
        assert!(error <= 1e-5, "{mlp}: {error:e}");
        assert!(rest.iter().all(|v| *v == OLD), "{mlp}");
        // The backward pass takes what was written.
        let mut case = case;
        case.x = read(&gpu, &x)[..rows * mlp.inputs].to_vec();
        (case.g, case.v) = (vec![0.0; rows * mlp.outputs()], taken.to_vec());
        let expected = wide(&case.run(&gpu).parameters);
        let error = deviation(&trainer.gradients().unwrap().values, &expected);
        assert!(error <= 2e-5, "{mlp}: {error:e}");
    }
}

/// A step of a training's own data beside its passes is one from the sum of both gradients.
#[test]
fn a_step_takes_passes_beside_its_data() {
    let gpu = application();
    let grid = Grid { levels: 3, log2_hashmap_size: 5, base_resolution: 3, ..Grid::default() };
    let plain = Mlp::new(2).layer(6, Activation::Tanh).layer(1, Activation::Identity);
    let encoded = Mlp::new(2).encode(2, grid).layer(6, Activation::Softplus);
    let encoded = encoded.layer(1, Activation::Identity);
    let (rows, rate) = (40, 0.5);
    let places: Vec<f32> = numbers_f32(200, 8).into_iter().map(|v| v.abs().fract()).collect();
    let data = Data::new(2, 1, places, numbers_f32(100, 7)).unwrap();
    for (mlp, strategy, batch, models) in [
        (&plain, Strategy::Resident, Batch::Full, 1),
        (&plain, Strategy::Layered, Batch::Shuffled { size: 32, seed: 1 }, 3),
        (&encoded, Strategy::Fused, Batch::Shuffled { size: 32, seed: 1 }, 1),
        (&encoded, Strategy::Fused, Batch::Full, 2),
        (&encoded, Strategy::Layered, Batch::Full, 2),
    ] {
        let training = Training::new(Loss::MeanAbsoluteError, Optimizer::sgd(rate))
            .models(models)
            .batch(batch);
        let hardware = Capabilities { software: false, ..gpu.capabilities().clone() };
        let (gpu, training) = match strategy {
            Strategy::Fused => (gpu.planned_for(&hardware), training),
            asked => (gpu.clone(), training.strategy(asked)),
        };
        let mut trainer = Trainer::new(&gpu, mlp, &training, &data).unwrap();
        assert_eq!(trainer.plan().strategy(), strategy);
        let case = Case::new(mlp, models, rows, false);
        trainer.set_parameters(&case.parameters).unwrap();
        let x = floats(&gpu, &case.x);
        let [y, g] = [OLD, 0.0].map(|v| floats(&gpu, &vec![v; models * rows]));
        let [p, v] = [OLD, OLD].map(|v| floats(&gpu, &vec![v; models * rows * 2]));
        let of = PassBuffers::new(rows, x.slice(..), y.slice(..), g.slice(..))
            .slope(p.slice(..), v.slice(..))
            .eikonal(0.7);
        let passes = trainer.passes(of).unwrap();
        let own = trainer.gradients().unwrap();
        run(&gpu, |encoder| {
            passes.record_forward(encoder);
            passes.record_slope(encoder);
            passes.record_backward(encoder);
            trainer.record_step_with_passes(encoder).unwrap();
        });
        let mut term = case;
        (term.g, term.v) = (vec![0.0; models * rows], read(&gpu, &v));
        let of_term = term.run(&gpu).parameters;
        let moved: Vec<f64> = trainer
            .parameters()
            .unwrap()
            .values()
            .iter()
            .zip(term.parameters.values())
            .map(|(new, old)| (f64::from(*old) - f64::from(*new)) / rate)
            .collect();
        let sum =
            |own: &[f32]| -> Vec<f32> { own.iter().zip(&of_term).map(|(a, b)| a + b).collect() };
        let name = format!("{mlp} {} {batch:?}", strategy.name());
        let error = deviation(&sum(&own.values), &moved);
        assert!(error <= 2e-5, "{name}: {error:e}");
        assert!(deviation(&own.values, &moved) > 1e-3, "{name}: the term counts");
        // The loss is the data's own, and the next step begins without a gradient.
        let losses = trainer.losses().unwrap();
        assert_eq!(losses.values.len(), models, "{name}");
        assert!(deviation(&losses.values, &wide(&own.losses)) <= 1e-6, "{name}");
        let own = trainer.gradients().unwrap();
        let before = trainer.parameters().unwrap();
        run(&gpu, |encoder| trainer.record_step_with_passes(encoder).unwrap());
        let after = trainer.parameters().unwrap();
        let pairs = before.values().iter().zip(after.values());
        let moved: Vec<f64> =
            pairs.map(|(old, new)| (f64::from(*old) - f64::from(*new)) / rate).collect();
        assert!(deviation(&own.values, &moved) <= 2e-5, "{name}");
    }
    let training = Training::new(Loss::OutputGradient, Optimizer::sgd(rate));
    let mut trainer = Trainer::without_data(&gpu, &plain, &training).unwrap();
    run(&gpu, |encoder| {
        let error = trainer.record_step_with_passes(encoder).unwrap_err().to_string();
        assert!(error.contains("record_update"), "{error}");
    });
    let all = floats(&gpu, &[0.0; 4096]);
    let of = PassBuffers::new(4, all.slice(..64), all.slice(1024..1280), all.slice(2048..2304));
    let sloped = of.slope(all.slice(5120..6144), all.slice(4096..4352));
    for (of, what) in [
        (of.eikonal(1.0), "without a slope"),
        (sloped.eikonal(f32::NAN), "the weight of the eikonal term"),
        (sloped.eikonal(-1.0), "the weight of the eikonal term"),
    ] {
        let error = trainer.passes(of).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}
