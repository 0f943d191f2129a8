//! How much of a training's end is decided by its beginning: the article's XOR network, trained
//! from hundreds of initial weights at once, as one population on the device.
//!
//! The article's code, run in numpy with seed 0, ends at a loss of 0.255. Its points and its
//! initial weights are those of `tests/golden/article_xor.safetensors`; they are model 0 here, and
//! the restarts that follow differ from it in nothing but their initial weights.
//!
//! One sees the distribution of the final losses, the article's place in it, and what the best
//! network has learned.
//!
//! ```text
//! cargo run --release --example restarts
//! cargo run --release --example restarts -- --models 4096
//! ```
//!
//! Pictures in `out/restarts/`: `histogram.png`, `losses.png`, `article.png`, `best.png`. `--help`
//! lists the options.

mod common;

use clap::Parser;
use common::{Options, Outcome, Stop, say, usage};
use std::process::ExitCode;
use wgrad::{Activation, Data, Init, Loss, Mlp, Optimizer, Parameters, Training};
use wgrad_plot::{Map, Series, curve, histogram, probability_map};

/// Trains the article's XOR network from many initial weights at once and compares how they end
#[derive(Parser)]
#[command(name = "restarts", args_override_self = true)]
#[command(after_help = "Example: restarts --models 1000 --device gpu")]
struct Arguments {
    /// Restarts, beside the article's own run; 256, or 24 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    models: Option<u32>,
    /// Steps on all points; 2000, or 100 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Seed of the restarts' initial weights
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    #[command(flatten)]
    options: Options,
}

/// The article's points, and its initial weights.
const ARTICLE: &[u8] = include_bytes!("../tests/golden/article_xor.safetensors");

fn main() -> ExitCode {
    common::run(restarts)
}

/// The numbers of a tensor of [`ARTICLE`].
fn tensor(file: &safetensors::SafeTensors<'_>, name: &str) -> Outcome<Vec<f32>> {
    let tensor = file.tensor(name).map_err(|error| Stop::Failed(format!("{name}: {error}")))?;
    let (numbers, _) = tensor.data().as_chunks::<8>();
    Ok(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect())
}

/// What a population ends at.
struct Ends {
    /// `(final loss, model)` of those that did not diverge, the best first.
    ranking: Vec<(f64, usize)>,
    accuracies: Vec<f64>,
}

impl Ends {
    /// The model at a share of the ranking.
    fn at(&self, share: f64) -> Outcome<(f64, usize)> {
        let index = share * self.ranking.len().saturating_sub(1) as f64;
        let found = self.ranking.get(index.round() as usize).copied();
        found.ok_or_else(|| Stop::Failed("every restart diverged".into()))
    }
}

fn restarts(arguments: Arguments) -> Outcome {
    let Arguments { options, models, epochs, seed } = arguments;
    let count = models.unwrap_or(if options.quick { 24 } else { 256 }) as usize;
    let epochs = epochs.unwrap_or(if options.quick { 100 } else { 2000 });

    let file = safetensors::SafeTensors::deserialize(ARTICLE)
        .map_err(|error| Stop::Failed(format!("the article's points: {error}")))?;
    let data = Data::new(2, 1, tensor(&file, "x")?, tensor(&file, "t")?)?;
    let mut initial = Vec::new();
    for layer in 0..2 {
        for kind in ["weight", "bias"] {
            initial.extend(tensor(&file, &format!("init.{layer}.{kind}"))?);
        }
    }
    let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    let drawn = Init::StandardNormal.sample(&mlp, count, seed.into()).map_err(usage)?;
    initial.extend(drawn.values());
    let models = count + 1;
    let initial = Parameters::new(mlp.clone(), models, initial)?;
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0)).models(models);
    training.check(&mlp).map_err(usage)?;

    let gpu = options.gpu()?;
    let mut trainer = common::trainer(gpu.as_ref(), &mlp, &training, &data)?;
    trainer.set_parameters(&initial)?;
    say!(options, "device     {}", trainer.device());
    say!(options, "data       xor, the article's {} points", common::thousands(data.rows()));
    say!(
        options,
        "networks   {} restarts and the article's own run of {mlp}; {} parameters",
        common::thousands(count),
        common::thousands(models * mlp.parameters())
    );
    say!(
        options,
        "training   {}, {} at a rate of 1, all points a step, {} epochs",
        training.loss.name(),
        training.optimizer.name(),
        common::thousands(epochs as usize)
    );
    let spent = common::train(&mut *trainer, epochs)?.as_secs_f64();
    say!(
        options,
        "took       {}, {} a step, {} a step and network",
        common::time(spent),
        common::time(spent / f64::from(epochs)),
        common::time(spent / f64::from(epochs) / models as f64)
    );

    let diverged = trainer.diverged()?;
    let losses = trainer.losses()?;
    let outputs = trainer.predict(data.x())?;
    let accuracies: Vec<f64> =
        outputs.chunks(data.rows()).map(|y| common::accuracy(y, data.t())).collect();
    let last = losses.last();
    let mut ranking: Vec<_> = (1..models)
        .filter(|m| diverged.get(*m).is_some_and(Option::is_none))
        .filter_map(|m| last.get(m).map(|loss| (f64::from(*loss), m)))
        .collect();
    ranking.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ends = Ends { ranking, accuracies };
    let article = last.first().map_or(f64::NAN, |loss| f64::from(*loss));
    report(&options, &data, &ends, article, count)?;

    let folder = std::path::Path::new("restarts");
    let (best, best_model) = ends.at(0.0)?;
    let finals: Vec<f64> = ends.ranking.iter().map(|end| end.0).collect();
    let marks =
        [(article, format!("the article's {article:.3}")), (best, format!("best {best:.3}"))];
    let marks = marks.each_ref().map(|(at, label)| (*at, label.as_str()));
    let title = format!(
        "{} restarts after {} epochs",
        common::thousands(count),
        common::thousands(epochs as usize)
    );
    let picture = histogram(&title, ["Final loss", "Networks"], &finals, 50, &marks)?;
    options.save(&picture, folder.join("histogram.png"))?;

    let of = |model: usize| -> Vec<(f64, f64)> {
        let steps = (losses.first_step..).map(|step| step as f64);
        steps.zip(losses.of_model(model).map(f64::from)).collect()
    };
    let chosen = [
        ("best", best_model),
        ("median", ends.at(0.5)?.1),
        ("worst", ends.at(1.0)?.1),
        ("the article's", 0),
    ];
    let curves = chosen.map(|(label, model)| (label, of(model)));
    let series = curves.each_ref().map(|(label, values)| Series { label, values });
    let picture = curve("Training Loss", ["Epoch", "Loss"], &series, [false; 2])?;
    options.save(&picture, folder.join("losses.png"))?;

    let (axis, places) = common::square(&data);
    let maps = trainer.predict(&places)?;
    for (name, title, model) in [
        ("article.png", "The article's network after learning", 0),
        ("best.png", "The best network after learning", best_model),
    ] {
        if let Some(values) = maps.chunks(places.len() / 2).nth(model) {
            let map = Map { values, axis };
            let picture = probability_map(title, &map, Some(&common::points_of(&data)))?;
            options.save(&picture, folder.join(name))?;
        }
    }
    Ok(())
}

/// What the population came to, and where the article's run stands in it.
fn report(options: &Options, data: &Data, ends: &Ends, article: f64, count: usize) -> Outcome {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let accuracy = |m: usize| ends.accuracies.get(m).copied().map_or("-".into(), percent);
    say!(options, "");
    say!(options, "{:24}{:>10}{:>10}", "final loss", "loss", "accuracy");
    for (name, share) in [
        ("best", 0.0),
        ("10 % are below", 0.1),
        ("25 % are below", 0.25),
        ("median", 0.5),
        ("75 % are below", 0.75),
        ("90 % are below", 0.9),
        ("worst", 1.0),
    ] {
        let (loss, model) = ends.at(share)?;
        say!(options, "{name:24}{loss:>10.4}{:>10}", accuracy(model));
    }
    say!(options, "{:24}{article:>10.4}{:>10}", "the article's own run", accuracy(0));
    let better = ends.ranking.iter().filter(|end| end.0 < article).count();
    say!(options, "");
    say!(
        options,
        "{} of {} restarts end below the article's run ({}), {} diverged",
        common::thousands(better),
        common::thousands(count),
        percent(better as f64 / count as f64),
        common::thousands(count - ends.ranking.len())
    );
    // The blobs overlap: the rule by which they are drawn misses points too.
    let (points, _) = data.x().as_chunks::<2>();
    let rule: Vec<f32> =
        points.iter().map(|[u, v]| if (*u > 0.5) == (*v > 0.5) { 0.0 } else { 1.0 }).collect();
    say!(
        options,
        "accuracy: the article's {}, the best's {}; the lines x = ½ and y = ½, which separate the \
         blobs' centres, {}",
        accuracy(0),
        accuracy(ends.at(0.0)?.1),
        percent(common::accuracy(&rule, data.t()))
    );
    Ok(())
}
