//! Losses and activations of the application's own: under every strategy, against closures on the
//! CPU and differences; refused texts; handles.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{coupled, deviation, numbers_f32, rational};
use std::collections::HashSet;
use wgrad::encoding::OneBlob;
use wgrad::{
    Activation, Batch, Capabilities, CpuTrainer, CustomActivation, CustomLoss, Data, Error,
    FiniteDifference, Gpu, HeldTo, Init, Loss, Mean, Mlp, Model, Optimizer, Strategy, Train,
    Trainer, Training, compare_gradients,
};

const STRATEGIES: [Strategy; 3] = [Strategy::Resident, Strategy::Fused, Strategy::Layered];

fn mlp() -> Mlp {
    Mlp::new(2).layer(5, rational()).layer(4, Activation::Tanh).layer(3, rational())
}

fn data(mlp: &Mlp, rows: usize, sets: usize) -> Data {
    let x = numbers_f32(sets * rows * mlp.inputs, 1).iter().map(|v| 0.5 + 0.5 * v).collect();
    let t = numbers_f32(sets * rows * mlp.outputs(), 2);
    if sets == 1 {
        Data::new(mlp.inputs, mlp.outputs(), x, t).unwrap()
    } else {
        Data::for_each_model(sets, mlp.inputs, mlp.outputs(), x, t).unwrap()
    }
}

/// The device as it is, and as if it were hardware without subgroups: each way to write a kernel.
fn devices() -> [Gpu; 2] {
    let own = common::gpu();
    let other = Capabilities { software: false, subgroup: None, ..own.capabilities().clone() };
    [own.clone(), own.planned_for(&other)]
}

/// The gradients of the first step, by its update with a rate of 1, whatever the strategy.
fn first_gradient(trainer: &mut Trainer) -> Vec<f32> {
    let before = trainer.parameters().unwrap();
    trainer.train(1).unwrap();
    let after = trainer.parameters().unwrap();
    before.values().iter().zip(after.values()).map(|(b, a)| b - a).collect()
}

#[test]
fn every_strategy_gives_the_closures_gradient() {
    let mut worst = [0.0_f64; 3];
    for mean in [Mean::Rows, Mean::Elements] {
        let loss = coupled().mean(mean);
        // The smaller network is one whose rows the resident kernel computes side by side.
        let small = Mlp::new(2).layer(3, rational()).layer(2, rational());
        for (mlp, models, sets, batch) in [
            (mlp(), 1, 1, Batch::Full),
            (mlp(), 3, 3, Batch::Full),
            (mlp(), 3, 1, Batch::Shuffled { size: 7, seed: 3 }),
            (small.clone(), 1, 1, Batch::Full),
            (small, 2, 2, Batch::Shuffled { size: 9, seed: 3 }),
        ] {
            let data = data(&mlp, 33, sets);
            let training = Training::new(loss, Optimizer::sgd(1.0)).models(models).batch(batch);
            let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
            let exact = cpu.gradients().unwrap();
            let inputs = cpu.input_gradient().unwrap();
            if models == 1 {
                let found = cpu.numerical_gradient(FiniteDifference::Central).unwrap();
                let error = deviation(&found, &exact.values);
                assert!(error <= 1e-7, "differences in f64: {error:e}");
            }
            for (strategy, gpu) in STRATEGIES.iter().flat_map(|s| devices().map(|gpu| (*s, gpu))) {
                let training = training.clone().strategy(strategy);
                let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
                assert_eq!(trainer.plan().strategy(), strategy);
                for node in trainer.plan().step() {
                    let kernel = node.dispatch.kernel().name;
                    let what = format!("custom_{}_{kernel}", strategy.name());
                    common::leave_shader(&what, &node.dispatch.wgsl());
                }
                let gradients = trainer.gradients().unwrap();
                let of_inputs = trainer.input_gradient().unwrap();
                let updated = first_gradient(&mut trainer);
                for (what, error) in [
                    ("losses", deviation(&gradients.losses, &exact.losses)),
                    ("gradient", deviation(&gradients.values, &exact.values)),
                    ("input gradient", deviation(&of_inputs, &inputs)),
                    ("update", deviation(&updated, &exact.values)),
                    ("loss of the step", {
                        deviation(trainer.losses().unwrap().last(), &exact.losses)
                    }),
                ] {
                    let place = usize::from(what == "update") + usize::from(what == "losses") * 2;
                    worst[place] = worst[place].max(error);
                    assert!(
                        error <= 1e-5,
                        "{} {batch:?} {models} models: {what} off by {error:e}",
                        strategy.name()
                    );
                }
            }
        }
    }
    println!(
        "worst: gradients {:.1e}, updates {:.1e}, losses {:.1e}",
        worst[0], worst[1], worst[2]
    );
}

/// Whole trainings, over several epochs.
#[test]
fn trainings_are_the_cpus() {
    let mlp = mlp();
    let data = data(&mlp, 40, 1);
    let training = Training::new(coupled(), Optimizer::adam(0.01))
        .models(2)
        .batch(Batch::Shuffled { size: 16, seed: 1 });
    let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
    cpu.train(30).unwrap();
    for strategy in STRATEGIES {
        let training = training.clone().strategy(strategy);
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
        gpu.train(30).unwrap();
        let error = deviation(&gpu.losses().unwrap().values, &cpu.losses().unwrap().values);
        assert!(error <= 1e-5, "{}: {error:e}", strategy.name());
    }
}

/// The loss sees the raw inputs, not what an encoding makes of them.
#[test]
fn inputs_are_those_before_the_encoding() {
    let mlp = Mlp::new(2).encode(2, OneBlob { bins: 4 }).layer(6, rational()).layer(3, rational());
    let data = data(&mlp, 21, 1);
    for models in [1, 2] {
        let training = Training::new(coupled(), Optimizer::sgd(1.0)).models(models);
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
        let exact = cpu.gradients().unwrap();
        for strategy in [Strategy::Fused, Strategy::Layered] {
            let training = training.clone().strategy(strategy);
            let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
            let error = deviation(&gpu.gradients().unwrap().values, &exact.values);
            assert!(error <= 1e-5, "{}: {error:e}", strategy.name());
        }
    }
}

#[test]
fn a_comparison_says_what_it_held_the_gradient_to() {
    let mlp = Mlp::new(2).layer(4, rational()).layer(2, Activation::Identity);
    let data = data(&mlp, 20, 1);
    let parameters = Init::Auto.sample(&mlp, 1, 1).unwrap();
    let gpu = Some(common::gpu());
    let report = compare_gradients(&parameters, coupled(), &data, gpu, 100).unwrap();
    assert_eq!((report.held_to, report.ways.len()), (HeldTo::Cpu, 6));
    assert!(report.ways[3].deviation <= 1e-5, "{report}");

    // WGSL alone: right, and wrong by the sign of one term.
    let square = |g| {
        let body = format!(
            "let d = y[0] - t[0]; let e = y[1] * t[1]; g[0] = 2.0 * d; g[1] = {g}; return d * d + e;"
        );
        CustomLoss::new("square", &body).unwrap()
    };
    let report = compare_gradients(&parameters, square("t[1]"), &data, gpu, 100).unwrap();
    assert_eq!(report.held_to, HeldTo::GpuDifferences);
    assert_eq!(report.ways[0].name, "central differences");
    assert_eq!(report.ways[1].name, "back-propagation");
    assert!(report.ways[1].deviation <= 2e-3, "{report}");
    assert!(report.to_string().contains("central differences on the GPU in f32"), "{report}");
    let report = compare_gradients(&parameters, square("-t[1]"), &data, gpu, 100).unwrap();
    assert!(report.ways[1].deviation > 0.02, "{report}");

    for (gpu, most) in [(None, 100), (gpu, 0)] {
        let error = compare_gradients(&parameters, square("t[1]"), &data, gpu, most).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the loss square on the CPU is WGSL alone; allowed: one with CustomLoss::with_reference"
        );
    }
    let bare = CustomActivation::new("bare", "return z;", "return 1.0;").unwrap();
    let mlp = Mlp::new(2).layer(2, bare);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1));
    let error = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap_err().to_string();
    assert!(error.starts_with("the activation bare on the CPU is WGSL alone"), "{error}");
}

/// Each error names the text and shows its own line, by the compiler's words.
#[test]
fn a_wrong_text_is_an_error_that_shows_it() {
    let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(2, Activation::Identity);
    let data = data(&mlp, 5, 1);
    for (body, words) in [
        ("let d = y[0];\nreturn d +;", &["2:", "return d +;"][..]),
        ("let d = y[0];\nlet e = d * t;\nreturn e;", &["2 │ │ let e = d * t;"]),
        ("let d = y[0];\n\nreturn missing * d;", &["3:", "missing"]),
        ("let d = y[0];\ng[0] = 1u;\nreturn d;", &["2:", "g[0] = 1u;"]),
        ("let d = y[0];", &["the loss wrong"]),
        ("let d = y[0];\nreturn f32(params.rows);", &["2:", "params"]),
        ("return targets[0];", &["1:", "targets"]),
        ("return x[0];", &["1:", "x"]),
        ("return custom_wrong_row(y, t, g);", &["custom_wrong_row"]),
    ] {
        let loss = CustomLoss::new("wrong", body).unwrap();
        for strategy in STRATEGIES {
            let training = Training::new(loss, Optimizer::sgd(0.1)).strategy(strategy);
            let error = Trainer::new(common::gpu(), &mlp, &training, &data).err().unwrap();
            let Error::Snippet { what, message } = &error else { panic!("{error}") };
            assert!(what == "the loss wrong" && message.starts_with("Shader "), "{error}");
            if strategy == Strategy::Layered {
                println!("{error}\n");
            }
            let text = error.to_string();
            assert!(words.iter().all(|words| text.contains(words)), "{message}");
        }
    }
    for (value, derivative, words) in [
        ("return z +;", "return 1.0;", ["the activation wrong, value", "return z +;"]),
        (
            "return z;",
            "let a = 1.0;\nreturn b;",
            ["the activation wrong, derivative", "2 │ return b;"],
        ),
    ] {
        let wrong = CustomActivation::new("wrong", value, derivative).unwrap();
        let mlp = Mlp::new(2).layer(3, wrong).layer(2, Activation::Identity);
        let parameters = Init::Auto.sample(&mlp, 1, 1).unwrap();
        let mut model = Model::new(common::gpu(), &parameters).unwrap();
        let error = model.predict(&[0.5, 0.5]).unwrap_err();
        println!("{error}\n");
        assert!(matches!(&error, Error::Snippet { .. }), "{error}");
        let text = error.to_string();
        assert!(words.iter().all(|words| text.contains(words)), "{text}");
    }
}

#[test]
fn what_escapes_or_clashes_is_refused_at_once() {
    for (body, words) in [
        ("return 0.0; }\nfn other() -> f32 { return 1.0;", "line 1: a brace closes"),
        ("if (y[0] > 0.0) { return 1.0;", "1 opened by {"),
        ("workgroupBarrier(); return 0.0;", "`workgroupBarrier` is refused"),
    ] {
        let error = CustomLoss::new("escapes", body).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        let error = CustomActivation::new("escapes", body, "return 1.0;").unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("value"), "{error}");
    }
    let looped = CustomActivation::new("f", "return z;", "loop { break; } return 1.0;");
    assert!(looped.unwrap_err().to_string().contains("the activation f, derivative"));
    for name in ["", "a b", "a__b", "f32", "huber", "output_gradient", "größe", "1a"] {
        assert!(CustomLoss::new(name, "return 0.0;").is_err(), "{name}");
    }
    for name in ["", "loop", "relu", "sin"] {
        assert!(CustomActivation::new(name, "return z;", "return 1.0;").is_err(), "{name}");
    }
    // More than an invocation holds.
    let wide = Mlp::new(300).layer(257, Activation::Identity);
    let zero = CustomLoss::new("zero", "return 0.0;").unwrap();
    let error = Training::new(zero, Optimizer::sgd(0.1)).check(&wide).unwrap_err().to_string();
    assert_eq!(error, "the number of outputs of a row of zero is 257; allowed: at most 256");
    let wide = Mlp::new(300).layer(256, Activation::Identity);
    assert!(Training::new(zero, Optimizer::sgd(0.1)).check(&wide).is_ok());
    assert!(Training::new(zero.with_inputs(), Optimizer::sgd(0.1)).check(&wide).is_err());
    // More iterations than a driver allows.
    let long = zero.iterations(70_000);
    let mlp = Mlp::new(2).layer(2, Activation::Identity);
    for strategy in STRATEGIES {
        let training = Training::new(long, Optimizer::sgd(0.1)).strategy(strategy);
        let error = Trainer::new(common::gpu(), &mlp, &training, &data(&mlp, 5, 1)).err().unwrap();
        assert!(error.to_string().contains("iterations"), "{error}");
    }
}

#[test]
fn the_same_text_is_the_same_handle() {
    let define = |text: &str| CustomLoss::new("twice", text).unwrap();
    let (one, same, other) = (define("return 1.0;"), define("return 1.0;"), define("return 2.0;"));
    assert_eq!((one, one.mean(Mean::Rows)), (same, same.with_reference(|_| 1.0)));
    assert!(one != other && one != one.mean(Mean::Sum) && one != one.with_inputs());
    let all: HashSet<Loss> = [one, same, other, one.iterations(3)].map(Loss::from).into();
    assert_eq!(all.len(), 3);
    assert_eq!((Loss::from(one).name(), Loss::from(one).mean()), ("twice", Mean::Rows));

    let define = |value: &str| CustomActivation::new("scaled", value, "return 1.0;").unwrap();
    let (one, same, other) = (define("return z;"), define("return z;"), define("return 2.0 * z;"));
    assert_eq!(one, same.with_reference(|z| z, |_| 1.0));
    assert_ne!(one, other);
    assert_eq!(Activation::from_name("scaled"), Some(other.into()));
    let two = Mlp::new(1).layer(2, one).layer(2, same).layer(2, other);
    let error = two.check().unwrap_err().to_string();
    assert!(error.starts_with("layer 2's activation is another function of the name scaled"));

    // Kernels of one name and different texts on one device.
    for (activation, factor) in [(one, 1.0), (other, 2.0), (one, 1.0)] {
        let mlp = Mlp::new(1).layer(1, activation);
        let parameters = wgrad::Parameters::new(mlp, 1, vec![3.0, 0.5]).unwrap();
        let mut model = Model::new(common::gpu(), &parameters).unwrap();
        assert_eq!(model.predict(&[1.0]).unwrap(), [3.5 * factor]);
    }
    let mlp = Mlp::new(1).layer(1, Activation::Identity);
    let data = Data::new(1, 1, vec![1.0], vec![0.0]).unwrap();
    for strategy in STRATEGIES {
        for value in [1.0, 2.0] {
            let loss = CustomLoss::new("twice", &format!("return {value:?};")).unwrap();
            let training = Training::new(loss, Optimizer::sgd(0.1)).strategy(strategy);
            let mut trainer = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
            trainer.train(1).unwrap();
            assert_eq!(trainer.losses().unwrap().last(), [value]);
        }
    }
}

#[test]
fn a_nan_of_a_text_is_a_divergence() {
    let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(2, Activation::Identity);
    let data = data(&mlp, 5, 1);
    for body in [
        "g[0] = sqrt(-1.0 - y[0] * y[0]); return 1.0;",
        "g[1] = 1.0; return sqrt(-1.0 - y[0] * y[0]);",
    ] {
        let loss = CustomLoss::new("root", body).unwrap();
        for strategy in STRATEGIES {
            let training = Training::new(loss, Optimizer::sgd(0.1)).strategy(strategy);
            let mut trainer = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
            let before = trainer.parameters().unwrap();
            let error = trainer.train(3).unwrap_err();
            assert_eq!(error, Error::Diverged { model: 0, step: 0 }, "{}", strategy.name());
            assert_eq!(trainer.parameters().unwrap(), before);
        }
    }
}
