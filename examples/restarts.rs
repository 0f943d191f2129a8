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
//! cargo run --release --example restarts -- --models 4096 --devices all
//! cargo run --release --example restarts -- --models 100000 --shard 3/16
//! cargo run --release --example restarts -- --models 100000 --merge out/restarts/shard_*.safetensors
//! ```
//!
//! Which models a shard has, and their initial weights, follow from `--models` and `--seed` alone. Run
//! the shards on any machines, in any order, a lost one again; `--merge` says what is missing.
//!
//! Pictures in `out/restarts/`: `histogram.png`, `losses.png`, `article.png`, `best.png`. `--help`
//! lists the options.

mod common;

use clap::Parser;
use common::{Options, Outcome, Stop, say, usage};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use wgrad::{
    Activation, Checkpoint, CpuTrainer, Data, Gpu, Init, Loss, Mlp, Optimizer, Parameters, Shard,
    Train, TrainBase, Training, Worker, train_across,
};
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
    /// Train on every GPU and on the CPU at once, each as many networks as its speed suggests
    #[arg(long, value_name = "WHICH", value_parser = ["all"])]
    devices: Option<String>,
    /// Train one of several parts, such as 3/16, and write it to a file
    #[arg(long, value_name = "I/N", value_parser = |text: &str| text.parse::<Shard>(),
        conflicts_with = "merge")]
    shard: Option<Shard>,
    /// Train nothing: put the files of all shards together
    #[arg(long, value_name = "FILE", num_args = 1..)]
    merge: Vec<PathBuf>,
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
    let Arguments { options, models, epochs, devices, shard, seed, .. } = &arguments;
    let (models, epochs, shard, seed) = (*models, *epochs, *shard, *seed);
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

    let mut start = CpuTrainer::<f32>::new(&mlp, &training, &data)?;
    start.set_parameters(&initial)?;
    let start = start.checkpoint()?;
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
    let folder = Path::new("restarts");
    let end = if arguments.merge.is_empty() {
        let own = shard.map_or(Ok(0..models), |shard| shard.models(models)).map_err(usage)?;
        let start = start.of_models(own.clone())?;
        let training = training.models(own.len());
        let workers = workers(options, devices.is_some())?;
        let end = train(options, &workers, &training, &start, &data, epochs)?;
        if let Some(shard) = shard {
            let name = format!("shard_{shard}.safetensors").replace('/', "_of_");
            return write(options, &end, &folder.join(name));
        }
        end
    } else {
        merged(options, &arguments.merge, &start, epochs)?
    };
    write(options, &end, &folder.join("restarts.safetensors"))?;

    let (diverged, losses) = (end.diverged(), end.losses());
    let outputs = end.parameters().predict(data.x())?;
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
    report(options, &data, &ends, article, count)?;

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
    let shown = [0, best_model].map(|model| end.parameters().model(model));
    let [article_map, best_map] = shown.map(|one| one.and_then(|one| one.predict(&places)));
    for (name, title, map) in [
        ("article.png", "The article's network after learning", article_map),
        ("best.png", "The best network after learning", best_map),
    ] {
        let map = Map { values: &map?, axis };
        let picture = probability_map(title, &map, Some(&common::points_of(&data)))?;
        options.save(&picture, folder.join(name))?;
    }
    Ok(())
}

/// What trains: the device of `--device`, or all there are.
fn workers(options: &Options, all: bool) -> Outcome<Vec<Worker>> {
    if !all {
        return Ok(vec![options.gpu()?.map_or(Worker::Cpu, Worker::Gpu)]);
    }
    let gpus = Gpu::all().unwrap_or_default().into_iter().map(Worker::Gpu);
    let workers = gpus.chain([Worker::Cpu]).collect();
    Ok(workers)
}

fn train(
    options: &Options,
    workers: &[Worker],
    training: &Training,
    start: &Checkpoint,
    data: &Data,
    epochs: u32,
) -> Outcome<Checkpoint> {
    for worker in workers {
        say!(options, "device     {worker}");
    }
    let bar = common::progress(1000, "thousandths");
    let clock = Instant::now();
    let told = |share: f64| bar.set_position((1000.0 * share) as u64);
    let done = train_across(workers, training, start, data, epochs, &told)?;
    bar.finish_and_clear();
    let spent = clock.elapsed().as_secs_f64();
    say!(
        options,
        "took       {}, {} a step, {} a step and network",
        common::time(spent),
        common::time(spent / f64::from(epochs)),
        common::time(spent / f64::from(epochs) / training.models as f64)
    );
    for (i, worker) in workers.iter().enumerate().filter(|_| workers.len() > 1) {
        let own = done.parts.iter().filter(|(_, by)| *by == i).map(|(models, _)| models.len());
        let lost = if done.lost.contains(&i) { "; this device was lost" } else { "" };
        let sum = common::count(own.sum(), "network");
        say!(options, "           {sum} on {worker}{lost}");
    }
    Ok(done.checkpoint)
}

fn write(options: &Options, end: &Checkpoint, name: &Path) -> Outcome {
    let path = options.out.join(name);
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    end.save(&path)?;
    match end.part() {
        Some((models, of)) => {
            let last = models.end - 1;
            say!(options, "wrote {}: networks {} to {last} of {of}", path.display(), models.start);
        }
        None => say!(options, "wrote {}", path.display()),
    }
    Ok(())
}

/// The population of the shards' files, which must be of this run's description.
fn merged(
    options: &Options,
    files: &[PathBuf],
    start: &Checkpoint,
    epochs: u32,
) -> Outcome<Checkpoint> {
    let parts = files.iter().map(Checkpoint::<f32>::load).collect::<wgrad::Result<Vec<_>>>()?;
    let end = Checkpoint::join(parts)?;
    let (found, own) = (end.parameters().models(), start.parameters().models());
    if found != own {
        return Err(usage(format!("the files are of {} restarts: --models", found - 1)));
    }
    if end.step() != u64::from(epochs) {
        return Err(usage(format!("the files are of {} epochs: --epochs", end.step())));
    }
    say!(options, "merged     {}", common::count(files.len(), "file"));
    Ok(end)
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
