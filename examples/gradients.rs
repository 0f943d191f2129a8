//! Three ways to the same gradient, side by side: written out by hand, by differences, and by
//! back-propagation; what they cost, and how close they come.
//!
//! The first network is the article's of one hidden unit, whose gradient has a closed form. Then
//! networks of 13 to 101,437 parameters follow on 256 points of two rings: back-propagation takes
//! one forward pass and one backward pass whatever their size, central differences two forward
//! passes for every parameter.
//!
//! ```text
//! cargo run --release --example gradients
//! cargo run --release --example gradients -- --numerical 20000 --device gpu
//! ```
//!
//! Pictures in `out/gradients/`: `time.png` and `passes.png`, both over the number of parameters.
//! `--help` lists the options.

mod common;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use common::{Options, Outcome, Stop, say};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wgrad::{
    Activation, Comparison, CpuTrainer, Data, Dataset, FiniteDifference, Gpu, Init, Loss, Mlp,
    Optimizer, SingleUnit, Train, TrainBase, Training, compare_gradients,
};
use wgrad_plot::{Series, curve};

/// Compares three ways to a gradient: closed form, differences, back-propagation
#[derive(Parser)]
#[command(name = "gradients", args_override_self = true)]
#[command(after_help = "Example: gradients --numerical 5000 --device cpu")]
struct Arguments {
    /// Most parameters for which differences are taken; 2000, or 400 with --quick, unless given
    #[arg(long, value_name = "N")]
    numerical: Option<usize>,
    /// Points that the gradient is a mean over
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = RangedU64ValueParser::<usize>::new().range(2..1 << 32))]
    points: usize,
    /// Seed of points and weights
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..1 << 32))]
    seed: u64,
    #[command(flatten)]
    options: Options,
}

/// The hidden layers of the networks.
const NETWORKS: [&[usize]; 7] =
    [&[3], &[16], &[16, 16], &[40, 40], &[64, 64], &[128, 128], &[316, 316]];

/// The largest deviation of back-propagation in `f32` that is taken for rounding.
const DEVIATION: f64 = 1e-4;

fn main() -> ExitCode {
    common::run(gradients)
}

/// What one network's comparison came to.
struct Row {
    comparison: Comparison,
    /// What central differences on the CPU would take where they were left out.
    estimate: Option<f64>,
}

impl Row {
    fn parameters(&self) -> f64 {
        self.comparison.mlp.parameters() as f64
    }

    /// The seconds that a way took on the CPU or the GPU.
    fn seconds(&self, name: &str, gpu: bool) -> Option<f64> {
        let cpu = &self.comparison.ways.first()?.device;
        let ways = &self.comparison.ways;
        let way = ways.iter().find(|way| way.name == name && (way.device != *cpu) == gpu)?;
        Some(way.time.as_secs_f64())
    }
}

fn gradients(arguments: Arguments) -> Outcome {
    let Arguments { options, numerical, points, seed } = arguments;
    let most = numerical.unwrap_or(if options.quick { 400 } else { 2000 });
    let networks = if options.quick { &NETWORKS[..5] } else { &NETWORKS[..] };
    let data = Dataset::Circles.sample(points, seed).map_err(common::usage)?;
    let gpu = options.gpu()?;

    // One input: class 1 to the right of ½.
    let x: Vec<f32> = (0..points).map(|i| 6.0 * (i as f32 + 0.5) / points as f32 - 3.0).collect();
    let t = x.iter().map(|x| if *x > 0.5 { 1.0 } else { 0.0 }).collect();
    let line = Data::new(1, 1, x, t)?;

    let first = Case { mlp: SingleUnit::mlp(), loss: Loss::HalfSquaredError, data: &line };
    let others = networks.iter().map(|hidden| {
        let mlp = hidden.iter().fold(Mlp::new(2), |mlp, units| mlp.layer(*units, Activation::Tanh));
        let mlp = mlp.layer(1, Activation::Sigmoid);
        Case { mlp, loss: Loss::BinaryCrossEntropy, data: &data }
    });
    let device = CpuTrainer::<f64>::new(&first.mlp, &first.training(), &line.cast()?)?.device();
    match &gpu {
        Some(gpu) => say!(options, "devices    {device}; {gpu}"),
        None => say!(options, "device     {device}"),
    }
    say!(
        options,
        "deviation  the largest of an element from back-propagation on the CPU in f64, as a share \
         of that gradient's largest element"
    );
    let mut rows = Vec::new();
    for (index, case) in std::iter::once(first).chain(others).enumerate() {
        say!(options, "");
        if index == 0 {
            say!(options, "The article's network of a single unit, half squared error:");
        } else if index == 1 {
            say!(options, "Networks on two rings, binary cross-entropy:");
            say!(options, "");
        }
        let row = case.compare(&options, gpu.as_ref(), seed, most)?;
        let back = row.comparison.ways.iter().filter(|way| way.name == "back-propagation");
        let worst = back.fold(0.0_f64, |worst, way| worst.max(way.deviation));
        if worst > DEVIATION {
            return Err(Stop::Failed(format!(
                "back-propagation on the GPU deviates by {worst:.1e}, more than {DEVIATION:.0e}"
            )));
        }
        if index > 0 {
            rows.push(row);
        }
    }
    summary(&options, &rows, gpu.is_some())?;
    draw(&options, &rows)
}

/// One network and what its gradient is taken of.
struct Case<'a> {
    mlp: Mlp,
    loss: Loss,
    data: &'a Data,
}

impl Case<'_> {
    fn training(&self) -> Training {
        Training::new(self.loss, Optimizer::sgd(1.0))
    }

    fn compare(
        &self,
        options: &Options,
        gpu: Option<&Gpu>,
        seed: u64,
        most: usize,
    ) -> Outcome<Row> {
        let parameters = Init::Auto.sample(&self.mlp, 1, seed)?;
        let p = self.mlp.parameters();
        let bar = common::progress(5, "comparisons");
        bar.set_message(format!("{} parameters", common::thousands(p)));
        bar.tick();
        // The median of several, where they do not take long.
        let start = Instant::now();
        let mut all: Vec<Comparison> = Vec::new();
        while all.len() < 5 && (all.is_empty() || start.elapsed() < Duration::from_millis(500)) {
            all.push(compare_gradients(&parameters, self.loss, self.data, gpu, most)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let mut comparison = all.swap_remove(0);
        for (index, way) in comparison.ways.iter_mut().enumerate() {
            let others =
                all.iter().filter_map(|c| c.ways.get(index)).map(|way| way.time.as_secs_f64());
            let times: Vec<f64> = others.chain([way.time.as_secs_f64()]).collect();
            way.time = Duration::from_secs_f64(common::median(&times));
        }
        say!(options, "{}", comparison.to_string().trim_end());
        let mut estimate = None;
        if p > most {
            let pass = self.forward_pass()?;
            let passes = FiniteDifference::Central.forward_passes(p);
            let seconds = pass * passes as f64;
            say!(
                options,
                "differences left out (more than {} parameters): central ones would be {} forward \
                 passes, on the CPU at {} each about {}",
                common::thousands(most),
                common::thousands(passes),
                common::time(pass),
                common::time(seconds)
            );
            estimate = Some(seconds);
        }
        Ok(Row { comparison, estimate })
    }

    /// The seconds of a forward pass on the CPU in `f64`: the median of 9.
    fn forward_pass(&self) -> Outcome<f64> {
        let data = self.data.cast::<f64>()?;
        let mut trainer = CpuTrainer::<f64>::new(&self.mlp, &self.training(), &data)?;
        let mut times = Vec::new();
        for _ in 0..9 {
            let start = Instant::now();
            trainer.predict(data.x())?;
            times.push(start.elapsed().as_secs_f64());
        }
        Ok(common::median(&times))
    }
}

/// One table of all networks.
fn summary(options: &Options, rows: &[Row], gpu: bool) -> Outcome {
    let devices = if gpu { &[("CPU", false), ("GPU", true)][..] } else { &[("CPU", false)][..] };
    say!(options, "");
    say!(options, "Summary: times of central differences and of back-propagation, and their ratio");
    let mut head = format!("{:>12}", "parameters");
    for (device, _) in devices {
        let columns =
            [format!("{device} differences"), format!("{device} back-prop."), "ratio".into()];
        head += &format!("{:>17}{:>17}{:>10}", columns[0], columns[1], columns[2]);
    }
    say!(options, "{head}");
    let mut estimated = false;
    for row in rows {
        let mut line = format!("{:>12}", common::thousands(row.comparison.mlp.parameters()));
        for (_, on_gpu) in devices {
            let back = row.seconds("back-propagation", *on_gpu);
            let measured = row.seconds("central differences", *on_gpu);
            let guess = if *on_gpu { None } else { row.estimate };
            estimated |= measured.is_none() && guess.is_some();
            let mark = if measured.is_none() && guess.is_some() { "~" } else { "" };
            let seconds = measured.or(guess);
            let text = |seconds: Option<f64>| seconds.map_or("-".into(), common::time);
            let ratio = seconds.zip(back).map_or("-".into(), |(s, b)| {
                format!("{mark}{}", common::thousands((s / b).round() as usize))
            });
            let differences = seconds.map_or("-".into(), |s| format!("{mark}{}", common::time(s)));
            line += &format!("{differences:>17}{:>17}{ratio:>10}", text(back));
        }
        say!(options, "{line}");
    }
    if estimated {
        say!(options, "~ estimated: forward passes x the time of one");
    }
    Ok(())
}

fn draw(options: &Options, rows: &[Row]) -> Outcome {
    let mut lines: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    let mut add = |label, of: &dyn Fn(&Row) -> Option<f64>| {
        let values: Vec<_> =
            rows.iter().filter_map(|row| Some((row.parameters(), of(row)?))).collect();
        if !values.is_empty() {
            lines.push((label, values));
        }
    };
    add("differences, CPU", &|row| row.seconds("central differences", false));
    add("back-propagation, CPU", &|row| row.seconds("back-propagation", false));
    add("differences, CPU, estimated", &|row| row.estimate);
    add("differences, GPU", &|row| row.seconds("central differences", true));
    add("back-propagation, GPU", &|row| row.seconds("back-propagation", true));
    let folder = std::path::Path::new("gradients");
    say!(options, "");
    let series: Vec<_> = lines.iter().map(|(label, values)| Series { label, values }).collect();
    let picture = curve("Time of a gradient", ["Parameters", "Seconds"], &series, [true; 2])?;
    options.save(&picture, folder.join("time.png"))?;

    let of = |passes: &dyn Fn(usize) -> usize| -> Vec<(f64, f64)> {
        let parameters = rows.iter().map(|row| row.comparison.mlp.parameters());
        parameters.map(|p| (p as f64, passes(p) as f64)).collect()
    };
    let lines = [
        ("central differences", of(&|p| FiniteDifference::Central.forward_passes(p))),
        ("forward differences", of(&|p| FiniteDifference::Forward.forward_passes(p))),
        ("back-propagation", of(&|_| 1)),
    ];
    let series = lines.each_ref().map(|(label, values)| Series { label, values });
    let title = "Forward passes for a gradient";
    let picture = curve(title, ["Parameters", "Forward passes"], &series, [true; 2])?;
    options.save(&picture, folder.join("passes.png"))
}
