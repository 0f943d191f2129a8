//! Whole networks against values computed in float64 by numpy and jax, on the CPU and on the GPU.
//!
//! Runs every file of the folder that `WGRAD_GOLDEN` names, `tests/golden` by default; a file that
//! cannot be interpreted fails. `tests/golden/generate.py` made the files and says what they hold.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use safetensors::SafeTensors;
use std::cell::Cell;
use std::path::PathBuf;
use wgrad::{
    Activation, Adam, AdamW, CpuTrainer, Data, Loss, Mlp, Momentum, Nesterov, Optimizer,
    Parameters, Part, Sgd, Strategy, Train, TrainBase, Trainer, Training,
};

struct Case {
    name: String,
    mlp: Mlp,
    training: Training,
    steps: u32,
    data: Data<f64>,
    init: Parameters<f64>,
    output: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
    input_gradient: Vec<f64>,
    losses: Vec<f64>,
    last: Parameters<f64>,
}

fn files() -> Vec<PathBuf> {
    let folder = std::env::var_os("WGRAD_GOLDEN").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
        PathBuf::from,
    );
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no .safetensors file in {}", folder.display());
    files
}

fn read(path: &PathBuf) -> Case {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let spec = metadata.metadata().as_ref().and_then(|m| m.get("spec")).expect("metadata `spec`");
    let spec: serde_json::Value = serde_json::from_str(spec).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |tensor: &str| -> Vec<f64> {
        let tensor = file.tensor(tensor).unwrap_or_else(|e| panic!("{name}: {tensor}: {e}"));
        assert_eq!(tensor.dtype(), safetensors::Dtype::F64);
        tensor.data().chunks_exact(8).map(bytemuck::pod_read_unaligned).collect()
    };
    let mut mlp = Mlp::new(spec["inputs"].as_u64().unwrap() as usize);
    for layer in spec["layers"].as_array().unwrap() {
        let activation = Activation::from_name(layer["activation"].as_str().unwrap()).unwrap();
        mlp = mlp.layer(layer["units"].as_u64().unwrap() as usize, activation);
    }
    let parameters = |prefix: &str| -> Vec<f64> {
        (0..mlp.layers.len())
            .flat_map(|l| ["weight", "bias"].map(|kind| tensor(&format!("{prefix}.{l}.{kind}"))))
            .flatten()
            .collect()
    };
    let o = &spec["optimizer"];
    let rate = o["rate"].as_f64().unwrap();
    let optimizer: Optimizer = match (o["kind"].as_str().unwrap(), o["momentum"].as_f64()) {
        ("sgd", None) => Sgd { rate, ..Sgd::default() }.into(),
        ("sgd", Some(momentum)) if o["nesterov"] == true => {
            Nesterov { rate, momentum, ..Nesterov::default() }.into()
        }
        ("sgd", Some(momentum)) => Momentum { rate, momentum, ..Momentum::default() }.into(),
        ("adam", None) => Adam { rate, ..Adam::default() }.into(),
        ("adamw", None) => {
            AdamW { rate, weight_decay: o["weight_decay"].as_f64().unwrap(), ..AdamW::default() }
                .into()
        }
        other => panic!("{name}: optimizer {other:?}"),
    };
    let loss = Loss::from_name(spec["loss"].as_str().unwrap()).unwrap();
    let mut training = Training::new(loss, optimizer);
    training.clip_norm = spec["clip"].as_f64();
    for (layer, factor) in spec["rates"].as_object().into_iter().flatten() {
        let part = Part::Layer(layer.parse().unwrap());
        training = training.rate_of(part, factor.as_f64().unwrap());
    }
    Case {
        training,
        steps: spec["steps"].as_u64().unwrap() as u32,
        data: Data::new_f64(mlp.inputs, mlp.outputs(), tensor("x"), tensor("t")).unwrap(),
        init: Parameters::new(mlp.clone(), 1, parameters("init")).unwrap(),
        output: tensor("y"),
        loss: tensor("loss")[0],
        gradient: parameters("grad"),
        input_gradient: tensor("grad.x"),
        losses: tensor("losses"),
        last: Parameters::new(mlp.clone(), 1, parameters("final")).unwrap(),
        mlp,
        name,
    }
}

/// A gradient tensor by tensor: each is held to its own largest element.
fn of_tensors(case: &Case, found: &[f64], expected: &[f64]) -> f64 {
    case.mlp
        .ranges()
        .into_iter()
        .flat_map(|range| [range.weight, range.bias])
        .map(|part| common::deviation(&found[part.clone()], &expected[part]))
        .fold(0.0, f64::max)
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let errors = found.iter().zip(expected).map(|(f, e)| common::deviation(&[*f], &[*e]));
    errors.fold(0.0, f64::max)
}

struct Bounds {
    output: f64,
    losses: f64,
    last: f64,
}

struct Found {
    output: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
    input_gradient: Vec<f64>,
    losses: Vec<f64>,
    last: Vec<f64>,
}

/// Checks all cases before it fails, so that one run shows everything that is wrong.
fn check(what: &str, bounds: &Bounds, run: impl Fn(&Case) -> Found) {
    let mut failures = Vec::new();
    for path in files() {
        let case = read(&path);
        let found = run(&case);
        let rows = [
            ("output", common::deviation(&found.output, &case.output), bounds.output),
            ("loss", relative(&[found.loss], &[case.loss]), bounds.losses),
            ("gradient", of_tensors(&case, &found.gradient, &case.gradient), bounds.output),
            (
                "input gradient",
                common::deviation(&found.input_gradient, &case.input_gradient),
                bounds.output,
            ),
            ("losses", relative(&found.losses, &case.losses), bounds.losses),
            ("final parameters", of_tensors(&case, &found.last, case.last.values()), bounds.last),
        ];
        let errors: Vec<_> = rows.iter().map(|(_, error, _)| format!("{error:8.1e}")).collect();
        println!("{what} {:28} {}", case.name, errors.join(" "));
        for (quantity, error, bound) in rows {
            if !(error <= bound) {
                failures.push(format!("{} {quantity}: {error:.2e} > {bound:.0e}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{what}:\n{}", failures.join("\n"));
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

#[test]
fn cpu_f64() {
    check("cpu f64", &Bounds { output: 1e-9, losses: 1e-9, last: 1e-9 }, |case| {
        let mut trainer = CpuTrainer::<f64>::new(&case.mlp, &case.training, &case.data).unwrap();
        trainer.restart(&case.init).unwrap();
        let (gradients, input_gradient) =
            (trainer.gradients().unwrap(), trainer.input_gradient().unwrap());
        let output = trainer.predict(case.data.x()).unwrap();
        trainer.train(case.steps).unwrap();
        Found {
            output,
            loss: gradients.losses[0],
            gradient: gradients.values,
            input_gradient,
            losses: trainer.losses().unwrap().values,
            last: trainer.parameters().unwrap().values().to_vec(),
        }
    });
}

fn f32_bounds() -> Bounds {
    Bounds { output: 1e-5, losses: 1e-5, last: 1e-4 }
}

fn train(case: &Case, trainer: &mut dyn Train<Scalar = f32>) -> Found {
    trainer.set_parameters(&case.init.cast().unwrap()).unwrap();
    let x: Vec<f32> = case.data.x().iter().map(|v| *v as f32).collect();
    let gradients = trainer.gradients().unwrap();
    let input_gradient = wide(&trainer.input_gradient().unwrap());
    let output = wide(&trainer.predict(&x).unwrap());
    trainer.train(case.steps).unwrap();
    Found {
        output,
        loss: gradients.losses[0].into(),
        gradient: wide(&gradients.values),
        input_gradient,
        losses: wide(&trainer.losses().unwrap().values),
        last: wide(trainer.parameters().unwrap().values()),
    }
}

#[test]
fn cpu_f32() {
    check("cpu f32", &f32_bounds(), |case| {
        let data = case.data.cast().unwrap();
        train(case, &mut CpuTrainer::<f32>::new(&case.mlp, &case.training, &data).unwrap())
    });
}

/// Every file by each strategy, as far as its network is small enough.
fn gpu(strategy: Strategy) {
    let refused = Cell::new(0);
    check(strategy.name(), &f32_bounds(), |case| {
        let data = case.data.cast().unwrap();
        let make = |strategy| {
            let training = case.training.clone().strategy(strategy);
            Trainer::new(common::gpu(), &case.mlp, &training, &data)
        };
        let mut trainer = make(strategy).unwrap_or_else(|error| {
            assert!(error.to_string().contains(strategy.name()), "{}: {error}", case.name);
            println!("{}: {error}; by the plan's own choice instead", case.name);
            // What SwiftShader's compiler does not bear is no choice of the plan's.
            let by_device = error.to_string().contains("without a branch");
            refused.set(refused.get() + usize::from(!by_device));
            make(Strategy::Auto).unwrap()
        });
        train(case, &mut trainer)
    });
    assert!(refused.get() <= 4, "{} files are not trained {}", refused.get(), strategy.name());
}

for_every_strategy! {
    gpu
}
