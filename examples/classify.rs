//! A network learns to tell two classes of points in the plane apart; by default the article's run:
//! 1,000 points on two rings, a 2-3-1 network of sigmoids, binary cross-entropy, gradient descent
//! at a rate of 1 on all points at once, 2,000 epochs.
//!
//! One sees the loss fall and, in the pictures, the probability of class 1 over the plane before
//! and after the training. Before the training the first gradient is compared with one computed on
//! the CPU in `f64`.
//!
//! ```text
//! cargo run --release --example classify
//! cargo run --release --example classify -- spiral
//! cargo run --release --example classify -- moons --hidden 8,8 --activation relu --device cpu
//! ```
//!
//! Pictures in `out/DATASET/`: `points.png`, `loss.png`, and maps of the probability,
//! `before.png`, `before_points.png`, `after.png`, `after_points.png`; beside them the trained
//! parameters, `parameters.safetensors`. `--help` lists the options.

mod common;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use common::{Options, Outcome, Stop, say, usage};
use std::process::ExitCode;
use wgrad::{
    Activation, Batch, CpuTrainer, Data, Dataset, Init, Loss, Mlp, Optimizer, Train, Training,
};
use wgrad_plot::{Map, Series, curve, probability_map};

/// Trains a network to tell two classes of points apart, and draws what it learns
#[derive(Parser)]
#[command(name = "classify", args_override_self = true, after_help = AFTER_HELP)]
struct Arguments {
    /// The points: circles, a disc in a ring, are the article's
    #[arg(default_value = "circles", value_parser = common::one_of(Dataset::ALL.iter().map(|d| (d.name(), *d))))]
    dataset: Dataset,
    /// Number of points; 1000, or 200 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..1 << 32))]
    points: Option<usize>,
    /// Units of each hidden layer, such as 8,8
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    hidden: Option<Vec<usize>>,
    /// Activation of the hidden layers
    #[arg(long, value_name = "NAME", value_parser = common::one_of(Activation::ALL.iter().map(|a| (a.name(), *a))))]
    activation: Option<Activation>,
    /// Initial weights
    #[arg(long, value_name = "NAME", default_value = "standard_normal", value_parser = common::one_of(INITS))]
    init: Init,
    /// How the weights are changed
    #[arg(long, value_name = "NAME", value_parser = common::one_of(Optimizer::all().into_iter().map(|o| (o.name(), o))))]
    optimizer: Option<Optimizer>,
    /// Learning rate
    #[arg(long, value_name = "X", value_parser = common::between(1e-30, 1e6))]
    rate: Option<f64>,
    /// How often every point is used; 100 with --quick
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Points a step; all of them unless it is given
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..1 << 32))]
    batch: Option<usize>,
    /// Seed of points, weights and mini-batches
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    #[command(flatten)]
    options: Options,
}

const AFTER_HELP: &str = "\
What they are trained with by default:
  circles, xor  hidden 3, sigmoid, sgd at a rate of 1, 2000 epochs (the article)
  moons         hidden 8, tanh, adam at 0.02, 2000 epochs
  spiral        hidden 16,16, tanh, adam at 0.01, 2000 epochs
  gaussians     hidden 3, sigmoid, sgd at 1, 500 epochs

Example: classify spiral --hidden 32,32 --epochs 1000 --device cpu";

fn main() -> ExitCode {
    common::run(|arguments: Arguments| classify(&arguments))
}

/// The initial draws and their names.
const INITS: [(&str, Init); 4] = [
    ("standard_normal", Init::StandardNormal),
    ("auto", Init::Auto),
    ("he_normal", Init::HeNormal),
    ("glorot_uniform", Init::GlorotUniform),
];

fn classify(arguments: &Arguments) -> Outcome {
    let Arguments { options, dataset, seed, .. } = arguments;
    let (hidden, activation, optimizer, epochs) = match dataset {
        Dataset::Circles | Dataset::Xor => {
            (vec![3], Activation::Sigmoid, Optimizer::sgd(1.0), 2000)
        }
        Dataset::Moons => (vec![8], Activation::Tanh, Optimizer::adam(0.02), 2000),
        Dataset::Spiral => (vec![16, 16], Activation::Tanh, Optimizer::adam(0.01), 2000),
        _ => (vec![3], Activation::Sigmoid, Optimizer::sgd(1.0), 500),
    };
    let hidden = arguments.hidden.as_ref().unwrap_or(&hidden);
    let activation = arguments.activation.unwrap_or(activation);
    let optimizer = arguments.optimizer.unwrap_or(optimizer);
    let optimizer = optimizer.at_rate(arguments.rate.unwrap_or(optimizer.rate()));
    let epochs = arguments.epochs.unwrap_or(if options.quick { 100 } else { epochs });
    let points = arguments.points.unwrap_or(if options.quick { 200 } else { 1000 });
    let data = dataset.sample(points, u64::from(*seed)).map_err(usage)?;
    let mlp = hidden.iter().fold(Mlp::new(2), |mlp, units| mlp.layer(*units, activation));
    let mlp = mlp.layer(1, Activation::Sigmoid);
    let batch = match arguments.batch {
        Some(size) => Batch::Shuffled { size, seed: *seed },
        None => Batch::Full,
    };
    let rows = batch.size(data.rows()).map_err(usage)?;
    let training = Training::new(Loss::BinaryCrossEntropy, optimizer)
        .batch(batch)
        .init(arguments.init)
        .seed(u64::from(*seed));
    training.check(&mlp).map_err(usage)?;
    let steps = u64::from(epochs) * data.rows() as u64;
    let steps = u32::try_from(steps.div_ceil(rows as u64))
        .map_err(|_| usage(format!("{epochs} epochs are too many steps of {rows} points")))?;

    let gpu = options.gpu()?;
    let mut trainer = common::trainer(gpu.as_ref(), &mlp, &training, &data)?;
    say!(options, "device     {}", trainer.device());
    say!(options, "data       {}, {} points", dataset.name(), common::thousands(data.rows()));
    say!(options, "network    {mlp}; {} parameters", common::thousands(mlp.parameters()));
    say!(
        options,
        "training   {}, {} at a rate of {}, {rows} points a step, {} epochs, {} steps",
        training.loss.name(),
        training.optimizer.name(),
        training.optimizer.rate(),
        common::thousands(epochs as usize),
        common::thousands(steps as usize)
    );
    check_gradient(options, &mut *trainer, &data, gpu.is_some())?;

    let folder = std::path::Path::new(dataset.name());
    options.save(&wgrad_plot::points("", &common::points_of(&data))?, folder.join("points.png"))?;
    let draw = |trainer: &mut dyn Train<Scalar = f32>, title: &str, name: &str| -> Outcome<f64> {
        let (axis, places) = common::square(&data);
        let values = trainer.predict(&places)?;
        let map = Map { values: &values, axis };
        options.save(&probability_map(title, &map, None)?, folder.join(format!("{name}.png")))?;
        let picture = probability_map(title, &map, Some(&common::points_of(&data)))?;
        options.save(&picture, folder.join(format!("{name}_points.png")))?;
        Ok(common::accuracy(&trainer.predict(data.x())?, data.t()))
    };
    let before = draw(&mut *trainer, "Visualization before learning", "before")?;
    let health_before = trainer.health()?;

    let spent = common::train(&mut *trainer, steps)?;

    let health_after = trainer.health()?;
    let losses = trainer.losses()?;
    let epochs = rows as f64 / data.rows() as f64;
    let values: Vec<_> = (losses.first_step..)
        .zip(losses.of_model(0))
        .map(|(step, loss)| (step as f64 * epochs, f64::from(loss)))
        .collect();
    let series = [Series { label: "loss", values: &values }];
    let picture = curve("Training Loss", ["Epoch", "Loss"], &series, [false; 2])?;
    options.save(&picture, folder.join("loss.png"))?;
    let after = draw(&mut *trainer, "Visualization after learning", "after")?;
    let file = options.out.join(folder).join("parameters.safetensors");
    trainer.parameters()?.save(&file)?;
    say!(options, "wrote {}", file.display());

    let ends =
        |v: &[(f64, f64)]| v.first().zip(v.last()).map_or((f64::NAN, f64::NAN), |e| (e.0.1, e.1.1));
    let (first, last) = ends(&values);
    say!(options, "");
    say!(options, "{:22}{:>12}{:>12}", "", "before", "after");
    say!(options, "{:22}{first:>12.4}{last:>12.4}", "loss");
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    say!(options, "{:22}{:>12}{:>12}", "accuracy", percent(before), percent(after));
    for (index, (before, after)) in
        health_before.layers.iter().zip(&health_after.layers).enumerate()
    {
        let name = format!("layer {index} ({})", before.activation.name());
        say!(options, "{name}");
        let norm = |norm: f64| format!("{norm:.2e}");
        let (a, b) = (norm(before.gradient_norm), norm(after.gradient_norm));
        say!(options, "{:22}{a:>12}{b:>12}", "  gradient norm");
        let shares = [
            ("  saturated", before.saturated, after.saturated),
            ("  dead units", before.dead, after.dead),
        ];
        for (what, before, after) in shares {
            if let Some((before, after)) = before.zip(after) {
                say!(options, "{what:22}{:>12}{:>12}", percent(before), percent(after));
            }
        }
    }
    let each = common::time(spent.as_secs_f64() / f64::from(steps));
    say!(options, "");
    let steps = common::thousands(steps as usize);
    say!(options, "{steps} steps took {}, {each} a step", common::time(spent.as_secs_f64()));
    Ok(())
}

/// The largest deviation of a gradient in `f32` that is taken for rounding.
const DEVIATION: f64 = 1e-4;

/// Compares the first gradient with the CPU's in `f64`.
fn check_gradient(
    options: &Options,
    trainer: &mut dyn Train<Scalar = f32>,
    data: &Data,
    gpu: bool,
) -> Outcome {
    let exact =
        CpuTrainer::<f64>::new(trainer.mlp(), trainer.training(), &data.cast()?)?.gradients()?;
    let found = trainer.gradients()?.values;
    let deviation = common::deviation(found.into_iter().map(f64::from), exact.values);
    say!(
        options,
        "gradient   deviates from the CPU's in f64 by at most {deviation:.1e} of its largest element"
    );
    if gpu && deviation > DEVIATION {
        return Err(Stop::Failed(format!(
            "the GPU's first gradient deviates by {deviation:.1e}, more than {DEVIATION:.0e}"
        )));
    }
    Ok(())
}
