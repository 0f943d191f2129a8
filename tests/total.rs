//! Every public function outside of kernels and plans is total: at any argument it returns a value
//! or an error. Tests run with overflow checks.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use wgrad::encoding::{
    Axis, Edge, Encoding, Frequency, Grid, GridKind, Identity, Interpolation, OneBlob,
    SphericalHarmonics, TriangleWave,
};
use wgrad::{
    Activation, Batch, CpuTrainer, Data, DataBuffers, DataShape, Dataset, Error, FiniteDifference,
    FrameBudget, Gpu, Init, Loss, Mlp, Model, Optimizer, Output, Parameters, Part, Schedule,
    SingleUnit, Train, TrainBase, Trainer, Training,
};

/// Sizes at which arithmetic overflows, and the smallest.
const SIZES: [usize; 12] =
    [0, 1, 2, 3, 64, 1 << 16, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 62, usize::MAX - 1, usize::MAX];

const NUMBERS: [f64; 10] =
    [0.0, -0.0, 1.0, -1.0, 1e-310, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];

/// Calls, and those that panicked.
#[derive(Default)]
struct Tried {
    calls: usize,
    panics: Vec<String>,
}

impl Tried {
    fn call<T>(&mut self, what: impl FnOnce() -> String, work: impl FnOnce() -> T) {
        self.calls += 1;
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            self.panics.push(what());
        }
    }

    fn end(self, at_least: usize) {
        assert!(self.panics.is_empty(), "{} panics: {:#?}", self.panics.len(), self.panics);
        assert!(self.calls >= at_least, "{} calls", self.calls);
        println!("{} calls", self.calls);
    }
}

/// Networks at extremes, most of them invalid.
fn networks() -> Vec<Mlp> {
    let mut all = vec![Mlp::new(0), Mlp::new(usize::MAX)];
    for inputs in SIZES {
        for units in SIZES {
            let one = Mlp::new(inputs).layer(units, Activation::Gelu);
            all.push(one.clone().layer(units, Activation::Sigmoid));
            all.push(one);
        }
    }
    for encoding in encodings() {
        for inputs in [0, 1, 2, 3, 1 << 32, usize::MAX] {
            let mlp = Mlp::new(inputs).encode(inputs, encoding);
            all.push(mlp.encode(1, encoding).layer(2, Activation::Relu));
            all.push(Mlp::new(inputs).encode(inputs, encoding).layer(2, Activation::Relu));
        }
    }
    all
}

fn encodings() -> Vec<Encoding> {
    let mut all = Encoding::all();
    for n in [0, 1, 31, 32, 33, 63, 64, 1 << 16, u32::MAX] {
        let grid = Grid::default();
        all.extend::<[Encoding; 12]>([
            Frequency { frequencies: n }.into(),
            TriangleWave { frequencies: n }.into(),
            OneBlob { bins: n }.into(),
            SphericalHarmonics { degree: n }.into(),
            Grid { levels: n, ..grid }.into(),
            Grid { features_per_level: n, ..grid }.into(),
            Grid { log2_hashmap_size: n, interpolation: Interpolation::Smoothstep, ..grid }.into(),
            Grid { base_resolution: n, ..grid }.into(),
            Grid { kind: GridKind::Dense, base_resolution: n, ..grid }.into(),
            Grid { kind: GridKind::Dense, levels: n, per_level_scale: 1.0, ..grid }.into(),
            Grid { kind: GridKind::Tiled, base_resolution: n, edge: Edge::Wrap, ..grid }.into(),
            Grid {
                axes: [Some(Axis { base_resolution: n, per_level_scale: f64::from(n) }); 4],
                ..grid
            }
            .into(),
        ]);
    }
    for number in NUMBERS {
        all.push(Grid { per_level_scale: number, ..Grid::default() }.into());
        all.push(Identity { scale: number, offset: number }.into());
    }
    all
}

#[test]
fn descriptions_are_total() {
    let mut tried = Tried::default();
    for mlp in networks() {
        let name = || format!("{mlp:?}");
        tried.call(name, || mlp.check());
        tried.call(name, || mlp.to_string());
        tried.call(name, || (mlp.outputs(), mlp.last_activation(), mlp.encoding_parameters()));
        tried.call(name, || (mlp.parameters(), mlp.ranges()));
        for index in SIZES {
            tried.call(name, || mlp.layer_inputs(index));
            tried.call(name, || Parameters::new(mlp.clone(), index, vec![0.0_f32; 3]));
            tried.call(name, || {
                Parameters::<f64>::from_safetensors(b"\x02\0\0\0\0\0\0\0{}", &mlp, index)
            });
            tried.call(name, || mlp.wgsl("f").model(index).text().map(|text| text.len()));
            // What can be had has its size; what is tried here is refused.
            let small = mlp.parameters().saturating_mul(index) <= 1 << 20;
            if small || mlp.check().is_err() {
                tried.call(name, || Init::Auto.sample(&mlp, index, u64::MAX).is_ok());
            }
            let training = Training::new(Loss::Huber, Optimizer::adam(0.1)).models(index);
            let training = training.history(index).batch(Batch::Sequential { size: index });
            tried.call(name, || training.check(&mlp));
            for part in [Part::Layer(index), Part::Encoding(index)] {
                let own = training.clone().models(1).history(1).rate_of(part, 0.5);
                tried.call(name, || (part.check(&mlp), own.check(&mlp)));
            }
            let data = Data::new(1, 1, vec![1.0_f32; 2], vec![1.0; 2]).unwrap();
            if small || mlp.check().is_err() || mlp.inputs != 1 {
                tried.call(name, || CpuTrainer::new(&mlp, &training, &data).is_ok());
            }
        }
        let config = r#"{ "network": { "n_neurons": 65536, "n_hidden_layers": 3 } }"#;
        tried.call(name, || wgrad::Config::from_json(config, mlp.inputs, mlp.outputs()).is_ok());
    }
    for encoding in encodings() {
        for inputs in SIZES {
            let name = || format!("{encoding:?} {inputs}");
            tried.call(name, || (encoding.outputs(inputs), encoding.parameters(inputs)));
            tried.call(name, || encoding.check(inputs));
        }
        if let Encoding::Grid(grid) = encoding {
            for x in NUMBERS {
                for count in 0..5 {
                    let name = || format!("{grid:?} {x} {count}");
                    tried.call(name, || grid.entries(&vec![x as f32; count]).is_ok());
                }
            }
        }
    }
    tried.end(10_000);
}

#[test]
fn data_and_trainings_are_total() {
    let mut tried = Tried::default();
    for a in SIZES {
        for dataset in Dataset::ALL {
            // Refused, or small.
            if a <= 1 << 16 || a > 1 << 40 {
                tried.call(|| format!("{dataset:?} {a}"), || dataset.sample(a, u64::MAX).is_ok());
            }
        }
        for difference in [FiniteDifference::Forward, FiniteDifference::Central] {
            tried.call(|| format!("{difference:?} {a}"), || difference.forward_passes(a));
        }
        for b in SIZES {
            let name = || format!("{a} {b}");
            for batch in [
                Batch::Full,
                Batch::Shuffled { size: a, seed: u32::MAX },
                Batch::Sequential { size: a },
            ] {
                tried.call(name, || batch.size(b));
            }
            for loss in Loss::ALL {
                tried.call(name, || loss.scale(a, b));
            }
            for c in SIZES {
                let name = || format!("{a} {b} {c}");
                let values = || vec![1.0_f32; 6];
                tried.call(name, || Data::for_each_model(a, b, c, values(), values()).is_ok());
                tried.call(name, || {
                    let shape = vec![a, b, c];
                    Error::Shape { what: "x".into(), found: 1, shape }.to_string()
                });
            }
        }
    }
    let steps = [0, 1, u32::MAX - 1, u32::MAX];
    for code in 0..64 {
        let [start, interval, end] = [code % 4, code / 4 % 4, code / 16].map(|i| steps[i]);
        for base in NUMBERS {
            let schedule = Schedule::Exponential { base, start, interval, end };
            for step in [0, 1, u64::from(u32::MAX), u64::MAX] {
                tried.call(|| format!("{schedule:?} {step}"), || schedule.factor(step));
            }
            tried.call(|| format!("{schedule:?}"), || schedule.check());
        }
    }
    let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity);
    let data = Dataset::Xor.sample(8, 0).unwrap();
    for max in NUMBERS {
        for factor in NUMBERS {
            let training = Training::new(Loss::Huber, Optimizer::adam(0.1)).clip_norm(max);
            let training = training.rate_of(Part::Layer(1), factor);
            tried.call(
                || format!("clip at {max}, a factor of {factor}"),
                || {
                    let mut cpu = CpuTrainer::new(&mlp, &training, &data)?;
                    let finite = (1.0..1e300).contains(&max) && (0.0..1e300).contains(&factor);
                    assert!(finite, "{training:?}");
                    cpu.train(3)
                },
            );
        }
    }
    for rule in Optimizer::all() {
        for rate in NUMBERS {
            let rule = rule.at_rate(rate);
            let name = || format!("{rule:?}");
            tried.call(name, || (rule.check(), rule.rate(), rule.l1(), rule.l2(), rule.is_lazy()));
            for value in NUMBERS {
                for t in [0, 1, u64::MAX] {
                    tried.call(name, || rule.update(t, value, value, &mut [value; 2]));
                }
            }
        }
    }
    for activation in Activation::ALL {
        for value in NUMBERS {
            let name = || format!("{activation:?} {value}");
            tried.call(name, || (activation.value(value), activation.derivative(value)));
            tried.call(name, || activation.derivative_at(value as f32));
            for loss in Loss::ALL {
                for length in 0..3 {
                    for other in 0..3 {
                        tried.call(name, || {
                            let (t, mut gradient) = (vec![value; other], vec![0.0; 1]);
                            loss.row(&vec![value; length], &t, &mut gradient)
                        });
                    }
                }
                tried.call(name, || loss.check(*activation));
            }
            let single = SingleUnit { w1: value, b1: value, w2: value, b2: value };
            tried.call(name, || (single.output(value), single.gradient(value, value)));
        }
    }
    tried.end(5000);
}

#[test]
fn trainers_and_parameters_are_total() {
    let mut tried = Tried::default();
    let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity);
    let data = Dataset::Xor.sample(8, 0).unwrap();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1)).models(2);
    let mut cpu = CpuTrainer::new(&mlp, &training, &data).unwrap();
    let parameters = cpu.parameters().unwrap();
    for index in SIZES {
        tried.call(|| format!("model {index}"), || parameters.model(index).is_ok());
        let losses = cpu.losses().unwrap();
        tried.call(|| format!("losses of {index}"), || losses.of_model(index).count());
        let mut losses = losses.clone();
        losses.models = index;
        tried.call(
            || format!("losses of {index}"),
            || (losses.last().len(), losses.of_model(1).count()),
        );
    }
    for length in 0..5 {
        for value in NUMBERS {
            let x = vec![value as f32; length];
            tried.call(|| format!("predict {x:?}"), || cpu.predict(&x).is_ok());
        }
    }
    let data = Data::new(3, 1, vec![1.0; 3], vec![1.0]).unwrap();
    for bad in [
        Data::new(3, 1, vec![1.0; 3], vec![1.0]),
        Data::new(2, 2, vec![1.0; 2], vec![1.0; 2]),
        Data::new(2, 1, vec![1e38; 2], vec![-1e38]),
        Data::for_each_model(2, 2, 1, vec![0.0; 4], vec![0.0; 2]),
        Data::for_each_model(5, 2, 1, vec![0.0; 10], vec![0.0; 5]),
    ] {
        let bad = bad.unwrap();
        tried.call(|| format!("evaluate {bad:?}"), || cpu.evaluate(&bad).is_ok());
    }
    tried.call(|| "set_data".into(), || cpu.set_data(&data).is_ok());
    tried.call(|| "ema".into(), || cpu.ema_parameters().is_ok());
    tried.call(|| "numerical".into(), || cpu.numerical_gradient(FiniteDifference::Central).is_ok());
    let other = Init::Auto.sample(&mlp, 1, 0).unwrap();
    tried.call(|| "restart".into(), || cpu.restart(&other).is_ok());
    tried.call(|| "optimizer".into(), || cpu.set_optimizer(Optimizer::sgd(f64::NAN)).is_ok());
    tried.end(90);
}

#[test]
fn the_gpu_is_total() {
    let mut tried = Tried::default();
    let gpu = Gpu::new().unwrap();
    let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity);
    let sampled = Init::Auto.sample(&mlp, 2, 0).unwrap();
    let mut model = Model::new(&gpu, &sampled).unwrap();
    let buffer = gpu.buffer("small", 4096).unwrap();
    for size in SIZES.map(|size| size as u64) {
        tried.call(|| format!("buffer {size}"), || gpu.buffer("b", size).is_ok());
        for bytes in [size.saturating_sub(3), size.saturating_add(3)] {
            let large = bytes <= 1 << 16 || bytes > gpu.max_binding();
            assert!(!large || gpu.buffer("b", bytes).is_ok() == (bytes <= 1 << 16), "{bytes}");
        }
    }
    for rows in SIZES {
        let to = || Output::Buffer(buffer.slice(2048..));
        tried.call(
            || format!("inference {rows}"),
            || model.inference(rows, buffer.slice(..), to()).is_ok(),
        );
        for sets in SIZES {
            let shape = DataShape { sets, rows };
            let data = DataBuffers::new(shape, buffer.slice(..), buffer.slice(..));
            let training = Training::new(Loss::Huber, Optimizer::sgd(0.1)).models(sets);
            // Small ones train, large ones are refused by the buffer's size.
            if sets <= 3 || sets > 1 << 16 {
                tried.call(
                    || format!("{shape:?}"),
                    || Trainer::with_buffers(&gpu, &mlp, &training, data).is_ok(),
                );
            }
        }
    }
    for length in 0..5 {
        for value in NUMBERS {
            let x = vec![value as f32; length];
            tried.call(|| format!("predict {x:?}"), || model.predict(&x).is_ok());
        }
    }
    for time in [std::time::Duration::ZERO, std::time::Duration::MAX] {
        tried.call(|| format!("{time:?}"), || FrameBudget::new(&gpu, time).is_ok());
    }
    tried.end(150);
}
