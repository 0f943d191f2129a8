//! A network learns to tell classes of points apart; by default the article's run:
//! 1,000 points on two rings, a 2-3-1 network of sigmoids, binary cross-entropy, gradient descent
//! at a rate of 1 on all points at once, 2,000 epochs.
//!
//! One sees the loss fall and, in the pictures, the probability of class 1 over the plane before
//! and after the training. Before the training the first gradient is compared with one computed on
//! the CPU in `f64`.
//!
//! Points of your own come as a CSV file: numbers, and a class in the last column or in the one that
//! `--label` names. Their columns are scaled to a mean of 0 and a deviation of 1. `--test 0.2` holds a
//! fifth of the points out of the training and shows the loss and the accuracy on them beside the
//! training's.
//!
//! ```text
//! cargo run --release --example classify
//! cargo run --release --example classify -- spiral --test 0.2
//! cargo run --release --example classify -- moons --hidden 8,8 --activation relu --device cpu
//! cargo run --release --example classify -- points.csv --label kind --test 0.2
//! ```
//!
//! Pictures in `out/DATASET/` or `out/FILE/`: `points.png`, `loss.png`, `accuracy.png` with `--test`, and
//! maps of the probability, `before.png`, `before_points.png`, `after.png`, `after_points.png`; beside
//! them the trained parameters, `parameters.safetensors`, from which `--parameters` starts again. Those of
//! a CSV file take its numbers as they are. `--help` lists the options.

mod common;

#[path = "classify/learning.rs"]
mod learning;
#[path = "classify/plan.rs"]
mod plan;
#[path = "classify/points.rs"]
mod points;
#[path = "classify/report.rs"]
mod report;
#[path = "classify/table.rs"]
mod table;
#[cfg(test)]
#[path = "classify/tests.rs"]
mod tests;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use common::{Options, Outcome, Stop, say, usage};
use learning::{Look, accuracy, draw_curves, learn, percent};
use plan::Plan;
use points::{Points, Scaling};
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wgrad::{
    Activation, CpuTrainer, Data, Dataset, Init, Metrics, Optimizer, Parameters, Train, TrainBase,
};
use wgrad_plot::{Map, probability_map};

/// Trains a network to tell classes of points apart, and draws what it learns
#[derive(Parser)]
#[command(name = "classify", args_override_self = true, after_help = AFTER_HELP)]
struct Arguments {
    /// The points: circles (a disc in a ring, the article's), xor, moons, spiral or gaussians; or a CSV
    /// file of numbers and classes; - is standard input
    #[arg(value_name = "DATASET|FILE", default_value = "circles")]
    points_of: String,
    /// Column of the classes in a CSV file: its name in the header, or its number from 1 on; the last
    /// one unless it is given
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Share of the points that is held out of the training, to see how the network does on them
    #[arg(long, value_name = "SHARE", value_parser = common::between(1e-6, 0.999))]
    test: Option<f64>,
    /// Saved parameters to start from, such as out/circles/parameters.safetensors
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// Number of points of a dataset; 1000, or 200 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..1 << 32))]
    points: Option<usize>,
    /// Units of each hidden layer, such as 8,8
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    hidden: Option<Vec<usize>>,
    /// Activation of the hidden layers
    #[arg(long, value_name = "NAME", value_parser = common::one_of(Activation::ALL.iter().map(|a| (a.name(), *a))))]
    activation: Option<Activation>,
    /// Initial weights; standard_normal, or auto for a CSV file, unless it is given
    #[arg(long, value_name = "NAME", value_parser = common::one_of(INITS))]
    init: Option<Init>,
    /// How the weights are changed
    #[arg(long, value_name = "NAME", value_parser = common::one_of(Optimizer::all().into_iter().map(|o| (o.name(), o))))]
    optimizer: Option<Optimizer>,
    /// Learning rate
    #[arg(long, value_name = "X", value_parser = common::between(1e-30, 1e6))]
    rate: Option<f64>,
    /// How often every point is used; 100 with --quick
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Points a step; all of them, or 512 of more than 1024 of a CSV file, unless it is given
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..1 << 32))]
    batch: Option<usize>,
    /// Seed of points, weights, mini-batches and the points that are held out
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
  a CSV file    hidden 16,16, tanh, adam at 0.01, 2000 steps or more

A CSV file has one row a point, with or without a header: numbers, and a class by name or number in the
last column or in that of --label. Commas, semicolons, tabs or bars separate the columns; but for commas,
numbers may have decimal commas. Columns are scaled to a mean of 0 and a deviation of 1.

Examples: classify spiral --hidden 32,32 --epochs 1000 --device cpu
          classify points.csv --label kind --test 0.2";

/// The initial draws and their names.
const INITS: [(&str, Init); 4] = [
    ("standard_normal", Init::StandardNormal),
    ("auto", Init::Auto),
    ("he_normal", Init::HeNormal),
    ("glorot_uniform", Init::GlorotUniform),
];

fn main() -> ExitCode {
    common::run(|arguments: Arguments| classify(&arguments))
}

/// The dataset or the file that the command line names, and what was found in the file.
fn points_of(arguments: &Arguments) -> Outcome<(Points, Option<Dataset>, Vec<String>)> {
    let Arguments { points_of, options, seed, .. } = arguments;
    if let Some(dataset) = Dataset::from_name(points_of) {
        if arguments.label.is_some() {
            return Err(usage(format!("--label is for a CSV file; {points_of} is a dataset")));
        }
        let rows = arguments.points.unwrap_or(if options.quick { 200 } else { 1000 });
        return Ok((Points::sampled(dataset, rows, (*seed).into())?, Some(dataset), Vec::new()));
    }
    let path = Path::new(points_of);
    if points_of != "-" && !path.exists() {
        let all: Vec<_> = Dataset::ALL.iter().map(|d| d.name()).collect();
        return Err(usage(format!(
            "no dataset and no file '{points_of}'; allowed: {}, a CSV file, or - for standard input",
            all.join(", ")
        )));
    }
    if arguments.points.is_some() {
        return Err(usage("--points is for a dataset; a CSV file is read whole"));
    }
    let table = table::read(points_of, arguments.label.as_deref())?;
    let notes = table.notes.clone();
    let stem = path.file_stem().filter(|_| points_of != "-").map(|stem| stem.to_string_lossy());
    let name = stem.map_or_else(|| "stdin".into(), std::borrow::Cow::into_owned);
    Ok((Points::of_table(name, table), None, notes))
}

fn classify(arguments: &Arguments) -> Outcome {
    let options = &arguments.options;
    let (points, dataset, notes) = points_of(arguments)?;
    let [rows, held] = match arguments.test {
        Some(share) => points.split(share, arguments.seed.into())?,
        None => [(0..points.rows()).collect(), Vec::new()],
    };
    let scaling = match points.is_table {
        true => Scaling::of(&points.x, points.inputs.len(), &rows),
        false => Scaling::none(points.inputs.len()),
    };
    let data = points.data(&rows, &scaling)?;
    let held_out = if held.is_empty() { None } else { Some(points.data(&held, &scaling)?) };
    let plan = Plan::new(arguments, &points, dataset, &data)?;
    let Plan { mlp, training, steps, .. } = &plan;
    let start = arguments.parameters.as_ref().map(|file| Parameters::load(file, mlp, 1));
    let start = start.transpose()?.map(|saved| scaling.unfolded(&saved)).transpose()?;

    let gpu = options.gpu()?;
    let mut trainer = common::trainer(gpu.as_ref(), mlp, training, &data)?;
    if let Some(parameters) = &start {
        trainer.restart(parameters)?;
    }
    say!(options, "device     {}", trainer.device());
    describe(arguments, &points, &notes, &scaling, [&rows, &held])?;
    plan.describe(options)?;
    check_gradient(options, &mut *trainer, &data, gpu.is_some())?;

    let folder = Path::new(&points.name);
    let report = Report { options, folder, points: &points, scaling: &scaling, held: &held };
    let draw = |trainer: &mut dyn Train<Scalar = f32>, title: &str, name: &str| -> Outcome {
        if points.is_table {
            return report.probabilities(trainer, title, name);
        }
        let (axis, places) = common::square(&data);
        let values = trainer.predict(&places)?;
        let map = Map { values: &values, axis };
        options.save(&probability_map(title, &map, None)?, folder.join(format!("{name}.png")))?;
        let picture = probability_map(title, &map, Some(&common::points_of(&data)))?;
        options.save(&picture, folder.join(format!("{name}_points.png")))
    };
    if points.is_table {
        report.points()?;
    } else {
        let picture = wgrad_plot::points("", &common::points_of(&data))?;
        options.save(&picture, folder.join("points.png"))?;
    }
    draw(&mut *trainer, "Visualization before learning", "before")?;
    let health_before = trainer.health()?;

    let (spent, looks) = learn(options, &mut *trainer, *steps, &data, held_out.as_ref())?;

    let health_after = trainer.health()?;
    let losses = trainer.losses()?;
    let epochs = plan.rows as f64 / data.rows() as f64;
    let values: Vec<_> = (losses.first_step..)
        .zip(losses.of_model(0))
        .map(|(step, loss)| (step as f64 * epochs, f64::from(loss)))
        .collect();
    draw_curves(options, folder, &values, &looks, epochs)?;
    draw(&mut *trainer, "Visualization after learning", "after")?;
    let file = options.out.join(folder).join("parameters.safetensors");
    scaling.folded(&trainer.parameters()?)?.save(&file)?;
    say!(options, "wrote {}", file.display());

    let ends =
        |v: &[(f64, f64)]| v.first().zip(v.last()).map_or((f64::NAN, f64::NAN), |e| (e.0.1, e.1.1));
    let (first, last) = ends(&values);
    say!(options, "");
    say!(options, "{:22}{:>12}{:>12}", "", "before", "after");
    say!(options, "{:22}{first:>12.4}{last:>12.4}", "loss");
    let [first, last] = [looks.first(), looks.last()];
    let pair =
        |of: &dyn Fn(&Look) -> String| [first, last].map(|look| look.map_or_else(String::new, of));
    let [before, after] = pair(&|look| percent(accuracy(&look.train)));
    say!(options, "{:22}{before:>12}{after:>12}", "accuracy");
    if held_out.is_some() {
        let held = |look: &Look, of: fn(&Metrics) -> String| {
            look.held.as_ref().map_or_else(String::new, of)
        };
        let [before, after] = pair(&|look| held(look, |m| format!("{:.4}", m.losses[0])));
        say!(options, "{:22}{before:>12}{after:>12}", "loss, held out");
        let [before, after] = pair(&|look| held(look, |m| percent(accuracy(m))));
        say!(options, "{:22}{before:>12}{after:>12}", "accuracy, held out");
    }
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
    if points.is_table {
        let (rows, of) = match held_out {
            Some(_) => (&held, "the points held out"),
            None => (&rows, "all points"),
        };
        let of_rows = points.data(rows, &scaling)?;
        let found = points::probabilities(&trainer.predict(of_rows.x())?, points.outputs());
        let class: Vec<_> = rows.iter().map(|row| points.class[*row]).collect();
        report.confusion(&points::confusion(&found, &class, points.classes.len()), of)?;
    }
    let each = common::time(spent.as_secs_f64() / f64::from(*steps));
    say!(options, "");
    let steps = common::thousands(*steps as usize);
    say!(options, "{steps} steps took {}, {each} a step", common::time(spent.as_secs_f64()));
    Ok(())
}

/// Says which points there are.
fn describe(
    arguments: &Arguments,
    points: &Points,
    notes: &[String],
    scaling: &Scaling,
    [rows, held]: [&[usize]; 2],
) -> Outcome {
    let options = &arguments.options;
    let all = common::thousands(points.rows());
    let split = match held.len() {
        0 => String::new(),
        held => format!(
            ": {} to train with, {} held out",
            common::thousands(rows.len()),
            common::thousands(held)
        ),
    };
    say!(options, "data       {}, {all} points{split}", points.name);
    for note in notes {
        say!(options, "           {note}");
    }
    if points.is_table {
        for (class, name) in points.classes.iter().enumerate() {
            let count = points.class.iter().filter(|of| **of == class).count();
            say!(options, "class {class:<4} {name}, {} points", common::thousands(count));
        }
        for ((name, mean), deviation) in
            points.inputs.iter().zip(&scaling.mean).zip(&scaling.deviation)
        {
            say!(options, "input      {name}, as ({name} - {mean:.4}) / {deviation:.4}");
        }
    }
    if let Some(file) = &arguments.parameters {
        say!(options, "start      the parameters in {}", file.display());
    }
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
    let mut exact = CpuTrainer::<f64>::new(trainer.mlp(), trainer.training(), &data.cast()?)?;
    exact.restart(&trainer.parameters()?.cast()?)?;
    let exact = exact.gradients()?;
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
