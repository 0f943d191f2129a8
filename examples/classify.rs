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

use common::{Options, Outcome, Stop, say, usage, value};
use std::process::ExitCode;
use wgrad::plot::{Axes, Map, Series, curve, points, probability_map};
use wgrad::{
    Activation, Adam, AdamW, Batch, CpuTrainer, Data, Dataset, Init, Loss, Mlp, Momentum, Nesterov,
    Optimizer, Sgd, Train, Training,
};

const HELP: &str = "
Trains a network to tell two classes of points apart, and draws what it learns.

Usage: classify [DATASET] [OPTIONS]

Datasets, and what they are trained with by default:
  circles     a disc in a ring      hidden 3, sigmoid, sgd 1, 2000 epochs (the article; default)
  xor         four blobs            hidden 3, sigmoid, sgd 1, 2000 epochs (the article)
  moons       two half circles      hidden 8, tanh, adam 0.02, 2000 epochs
  spiral      two arms              hidden 16,16, tanh, adam 0.01, 2000 epochs
  gaussians   two blobs             hidden 3, sigmoid, sgd 1, 500 epochs

Options:
  --points N         number of points                                   [default: 1000]
  --hidden N,N,...   units of each hidden layer                         [default: see above]
  --activation NAME  activation of the hidden layers: identity, sigmoid, tanh, relu,
                     leaky_relu, gelu, silu, softplus, sine             [default: see above]
  --init NAME        initial weights: standard_normal, auto, he_normal, glorot_uniform
                                                                        [default: standard_normal]
  --optimizer NAME   sgd, momentum, nesterov, adam, adamw               [default: see above]
  --rate X           learning rate               [default: see above, or the optimizer's own]
  --epochs N         how often every point is used                      [default: see above]
  --batch N          points a step                                      [default: all]
  --seed N           seed of points, weights and mini-batches           [default: 0]
  --device NAME      auto, gpu or cpu; auto takes a GPU unless it is a program on the CPU
                                                                        [default: auto]
  --out DIR          folder for the pictures                            [default: out]
  --quick            200 points and 100 epochs unless these are given
  --help             this text

Example: classify spiral --hidden 32,32 --epochs 1000 --device cpu
";

fn main() -> ExitCode {
    common::run(HELP, || classify(&Arguments::read()?))
}

struct Arguments {
    options: Options,
    dataset: Dataset,
    points: usize,
    hidden: Vec<usize>,
    activation: Activation,
    init: Init,
    optimizer: Optimizer,
    epochs: u32,
    batch: Option<usize>,
    seed: u32,
}

/// The initial draws and their names.
const INITS: [(&str, Init); 4] = [
    ("standard_normal", Init::StandardNormal),
    ("auto", Init::Auto),
    ("he_normal", Init::HeNormal),
    ("glorot_uniform", Init::GlorotUniform),
];

/// An optimizer by its name, at `rate` or at its own default.
fn optimizer(name: &str, rate: Option<f64>) -> Option<Optimizer> {
    let default = Optimizer::all().into_iter().find(|optimizer| optimizer.name() == name)?;
    let rate = rate.unwrap_or(default.rate());
    Some(match default {
        Optimizer::Sgd(_) => Sgd { rate }.into(),
        Optimizer::Momentum(rest) => Momentum { rate, ..rest }.into(),
        Optimizer::Nesterov(rest) => Nesterov { rate, ..rest }.into(),
        Optimizer::Adam(rest) => Adam { rate, ..rest }.into(),
        Optimizer::AdamW(rest) => AdamW { rate, ..rest }.into(),
    })
}

impl Arguments {
    fn read() -> Outcome<Self> {
        let mut parser = lexopt::Parser::from_env();
        let mut options = Options::default();
        let (mut dataset, mut points, mut hidden, mut activation) = (None, None, None, None);
        let (mut init, mut rule, mut rate, mut epochs, mut batch) = (None, None, None, None, None);
        let mut seed = 0;
        let datasets = common::names(Dataset::ALL.iter().map(|d| d.name()));
        while let Some(name) = common::next_option(&mut parser, |text| {
            if dataset.is_some() {
                return common::no_arguments(text);
            }
            dataset = Dataset::from_name(&text);
            let wrong = || Stop::Usage(format!("no dataset '{text}'; there are {datasets}"));
            dataset.map(|_| ()).ok_or_else(wrong)
        })? {
            let parser = &mut parser;
            match name.as_str() {
                "points" => points = Some(common::number(parser, &name, 1)?),
                "hidden" => {
                    let allowed =
                        "whole numbers of 1 or more with commas between them, such as 8,8";
                    let sizes = |text: &str| {
                        let size = |part: &str| part.parse().ok().filter(|size| *size >= 1);
                        text.split(',').map(size).collect::<Option<Vec<usize>>>()
                    };
                    hidden = Some(value(parser, &name, allowed, sizes)?);
                }
                "activation" => {
                    let all = common::names(Activation::ALL.iter().map(|a| a.name()));
                    activation = Some(value(parser, &name, &all, Activation::from_name)?);
                }
                "init" => {
                    let all = common::names(INITS.map(|(name, _)| name));
                    let find = |text: &str| INITS.into_iter().find(|(name, _)| *name == text);
                    init = Some(value(parser, &name, &all, find)?.1);
                }
                "optimizer" => {
                    let all = common::names(Optimizer::all().iter().map(Optimizer::name));
                    let find = |text: &str| optimizer(text, None).map(|_| text.to_owned());
                    rule = Some(value(parser, &name, &all, find)?);
                }
                "rate" => {
                    let read = |text: &str| text.parse().ok().filter(|r| *r > 0.0 && *r <= 1e6);
                    rate = Some(value(parser, &name, "a number above 0, at most 1000000", read)?);
                }
                "epochs" => epochs = Some(common::number(parser, &name, 1)?),
                "batch" => batch = Some(common::number(parser, &name, 1)? as usize),
                "seed" => seed = common::number(parser, &name, 0)?,
                _ if options.take(&name, parser)? => {}
                _ => return Err(common::unknown(&name)),
            }
        }
        let dataset = dataset.unwrap_or(Dataset::Circles);
        let (sizes, function, (usual, usual_rate), most) = match dataset {
            Dataset::Circles | Dataset::Xor => (vec![3], Activation::Sigmoid, ("sgd", 1.0), 2000),
            Dataset::Moons => (vec![8], Activation::Tanh, ("adam", 0.02), 2000),
            Dataset::Spiral => (vec![16, 16], Activation::Tanh, ("adam", 0.01), 2000),
            Dataset::Gaussians => (vec![3], Activation::Sigmoid, ("sgd", 1.0), 500),
        };
        let rate = rate.or(rule.is_none().then_some(usual_rate));
        let rule = rule.as_deref().unwrap_or(usual);
        let quick = options.quick;
        Ok(Self {
            dataset,
            points: points.unwrap_or(if quick { 200 } else { 1000 }) as usize,
            hidden: hidden.unwrap_or(sizes),
            activation: activation.unwrap_or(function),
            init: init.unwrap_or(Init::StandardNormal),
            optimizer: optimizer(rule, rate).ok_or_else(|| usage("no such optimizer"))?,
            epochs: epochs.unwrap_or(if quick { 100 } else { most }),
            batch,
            seed,
            options,
        })
    }
}

fn classify(arguments: &Arguments) -> Outcome {
    let Arguments { options, dataset, seed, .. } = arguments;
    let data = dataset.draw(arguments.points, u64::from(*seed)).map_err(usage)?;
    let hidden = arguments.hidden.iter();
    let mlp = hidden.fold(Mlp::new(2), |mlp, units| mlp.layer(*units, arguments.activation));
    let mlp = mlp.layer(1, Activation::Sigmoid);
    let batch = match arguments.batch {
        Some(size) => Batch::Mini { size, seed: *seed },
        None => Batch::Full,
    };
    let rows = batch.size(data.rows()).map_err(usage)?;
    let training = Training::new(Loss::BinaryCrossEntropy, arguments.optimizer)
        .batch(batch)
        .init(arguments.init, u64::from(*seed));
    training.check(&mlp).map_err(usage)?;
    let steps = u64::from(arguments.epochs) * data.rows() as u64;
    let steps = u32::try_from(steps.div_ceil(rows as u64)).map_err(|_| {
        usage(format!("{} epochs are too many steps of {rows} points", arguments.epochs))
    })?;

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
        common::thousands(arguments.epochs as usize),
        common::thousands(steps as usize)
    );
    check_gradient(options, &mut *trainer, &data, gpu.is_some())?;

    let folder = std::path::Path::new(dataset.name());
    options.save(&points("", &common::points_of(&data))?, folder.join("points.png"))?;
    let draw = |trainer: &mut dyn Train, title: &str, name: &str| -> Outcome<f64> {
        let (axis, places) = common::square(&data);
        let values = trainer.predict(&places)?;
        let map = Map::probability(&values, axis);
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
        .map(|(step, loss)| (f64::from(step) * epochs, f64::from(loss)))
        .collect();
    let series = [Series { label: "loss", values: &values }];
    let picture = curve("Training Loss", "Epoch", "Loss", &series, Axes::Linear)?;
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
fn check_gradient(options: &Options, trainer: &mut dyn Train, data: &Data, gpu: bool) -> Outcome {
    let exact = CpuTrainer::<f64>::new(trainer.mlp(), trainer.training(), &data.cast()?)?;
    let (exact, _) = exact.exact_gradients()?;
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
