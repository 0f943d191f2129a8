//! What the examples share: options, the choice of the device, progress, and small reports.

// Each example is a program of its own and uses a part of this.
#![allow(dead_code)]

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wgrad::{CpuTrainer, Data, Error, Gpu, Mlp, Train, Trainer, Training};
use wgrad_plot::{Picture, PlotError, Points};

/// Why an example ends before its end.
#[derive(Debug)]
pub enum Stop {
    /// Whoever reads the output has closed it.
    Closed,
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// Something failed: exit code 1.
    Failed(String),
}

pub type Outcome<T = ()> = Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<PlotError> for Stop {
    fn from(error: PlotError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// An error that the command line is to blame for.
pub fn usage(error: impl fmt::Display) -> Stop {
    Stop::Usage(error.to_string())
}

/// Reads the command line, runs an example and reports how it ended.
pub fn run<A: clap::Parser>(example: impl FnOnce(A) -> Outcome) -> ExitCode {
    let report = |text: &str| {
        // Where stderr is closed too, the exit code is all there is.
        let _ = writeln!(std::io::stderr(), "error: {}", one_line(text));
    };
    let outcome = match A::try_parse() {
        Ok(arguments) => example(arguments),
        Err(help) if help.kind() == ErrorKind::DisplayHelp => {
            write!(std::io::stdout(), "{help}").map_err(Stop::from)
        }
        Err(error) => {
            // The usage and the advice that follow are in the help.
            let text = error.to_string();
            let first = text.split("\n\n").next().unwrap_or_default();
            Err(Stop::Usage(first.trim_start_matches("error: ").to_owned()))
        }
    };
    match outcome {
        Ok(()) | Err(Stop::Closed) => ExitCode::SUCCESS,
        Err(Stop::Usage(text)) => {
            report(&format!("{text} (--help lists the options)"));
            ExitCode::from(2)
        }
        Err(Stop::Failed(text)) => {
            report(&text);
            ExitCode::FAILURE
        }
    }
}

/// `text` with its line breaks made spaces.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Device {
    #[default]
    Auto,
    Gpu,
    Cpu,
}

/// The options that all examples have.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where to compute; auto takes a GPU unless it is a program on the CPU
    #[arg(long, value_name = "NAME", value_enum, default_value_t)]
    pub device: Device,
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// A short run with less work, as far as other options do not say how much
    #[arg(long)]
    pub quick: bool,
    /// Whether what is said goes to stderr, because stdout carries a document.
    #[arg(skip)]
    pub to_stderr: bool,
}

/// Says a line: `say!(options, "format", …)`.
macro_rules! say {
    ($options:expr, $($arg:tt)*) => { $options.say(format_args!($($arg)*))? };
}
#[allow(unused_imports)] // Not every example has something to say.
pub(crate) use say;

impl Options {
    /// Prints a line.
    pub fn say(&self, text: fmt::Arguments<'_>) -> Outcome {
        if self.to_stderr {
            writeln!(std::io::stderr(), "{text}")?;
        } else {
            writeln!(std::io::stdout(), "{text}")?;
        }
        Ok(())
    }

    /// The GPU to compute on, or `None` for the CPU; says why where it is the CPU by default.
    pub fn gpu(&self) -> Outcome<Option<Gpu>> {
        if self.device == Device::Cpu {
            return Ok(None);
        }
        match Gpu::new() {
            Ok(gpu) if self.device == Device::Auto && gpu.is_software() => {
                say!(
                    self,
                    "only a software GPU was found, {gpu}: using the CPU; --device gpu runs on it \
                     all the same"
                );
                Ok(None)
            }
            Ok(gpu) => Ok(Some(gpu)),
            Err(Error::NoGpu(why)) if self.device == Device::Auto => {
                say!(self, "no GPU found ({}): using the CPU", one_line(&why));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Saves a picture in the folder of `--out` and says where.
    pub fn save(&self, picture: &Picture, name: impl AsRef<Path>) -> Outcome {
        let path = self.out.join(name);
        picture.save(&path)?;
        say!(self, "wrote {}", path.display());
        Ok(())
    }
}

/// Reads one of the names of a list.
pub fn one_of<T: Clone + Send + Sync + 'static>(
    all: impl IntoIterator<Item = (&'static str, T)>,
) -> impl TypedValueParser<Value = T> {
    let all: Vec<(&str, T)> = all.into_iter().collect();
    PossibleValuesParser::new(all.iter().map(|(name, _)| *name)).try_map(move |text| {
        let found = all.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| value.clone()).ok_or("no such name")
    })
}

/// Reads a number of a range.
pub fn between(
    low: f64,
    high: f64,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("allowed: a number of {low:e} to {high:e}")),
    }
}

/// A trainer on `gpu`, or on the CPU.
pub fn trainer(
    gpu: Option<&Gpu>,
    mlp: &Mlp,
    training: &Training,
    data: &Data,
) -> Outcome<Box<dyn Train<Scalar = f32>>> {
    Ok(match gpu {
        Some(gpu) => Box::new(Trainer::new(gpu, mlp, training, data)?),
        None => Box::new(CpuTrainer::<f32>::new(mlp, training, data)?),
    })
}

/// A progress bar on stderr, hidden where that is no terminal.
pub fn progress(length: u64, of: &str) -> ProgressBar {
    let of = if length == 1 { of.trim_end_matches('s') } else { of };
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let template = format!("{{bar:30}} {{pos}}/{{len}} {of}  {{msg}}  {{eta}} left");
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Trains in chunks with a progress bar; the time that the steps took.
pub fn train(trainer: &mut dyn Train<Scalar = f32>, steps: u32) -> Outcome<Duration> {
    let bar = progress(steps.into(), "steps");
    let chunk = (steps / 40).clamp(1, 500);
    let mut spent = Duration::ZERO;
    let mut done = 0;
    while done < steps {
        let now = chunk.min(steps - done);
        let start = Instant::now();
        trainer.train(now)?;
        spent += start.elapsed();
        done += now;
        bar.inc(now.into());
        if !bar.is_hidden() {
            let losses = trainer.losses()?;
            let best = losses.last().iter().copied().fold(f32::INFINITY, f32::min);
            let what = if losses.models == 1 { "loss" } else { "best loss" };
            bar.set_message(format!("{what} {best:.4}"));
        }
    }
    bar.finish_and_clear();
    Ok(spent)
}

/// The largest |found - expected| as a share of the largest |expected|.
pub fn deviation(
    found: impl IntoIterator<Item = f64>,
    expected: impl IntoIterator<Item = f64>,
) -> f64 {
    let (mut largest, mut scale) = (0.0_f64, f64::MIN_POSITIVE);
    for (found, expected) in found.into_iter().zip(expected) {
        let error = (found - expected).abs();
        largest = largest.max(if error.is_finite() { error } else { f64::INFINITY });
        scale = scale.max(expected.abs());
    }
    largest / scale
}

/// The share of outputs that lie on their target's side of a half.
pub fn accuracy(outputs: &[f32], targets: &[f32]) -> f64 {
    let right = outputs.iter().zip(targets).filter(|(y, t)| (**y > 0.5) == (**t > 0.5)).count();
    right as f64 / targets.len().max(1) as f64
}

/// The points of two-dimensional data of two classes.
pub fn points_of(data: &Data) -> Points<'_> {
    Points { xy: data.x(), class: data.t() }
}

/// Samples of a side of a map.
const SIDE: usize = 100;

/// The square that the article draws, from 1.1 times the smallest to 1.1 times the largest of all
/// coordinates: its ends, and 100 x 100 places in it, row after row from below.
pub fn square(data: &Data) -> ((f32, f32), Vec<f32>) {
    let ends = data
        .x()
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |ends, v| (ends.0.min(*v), ends.1.max(*v)));
    let (low, high) = (1.1 * ends.0, 1.1 * ends.1);
    let at = |i: usize| low + (high - low) * i as f32 / (SIDE - 1) as f32;
    let places = (0..SIDE).flat_map(|row| (0..SIDE).flat_map(move |column| [at(column), at(row)]));
    ((low, high), places.collect())
}

/// A number and what it counts: `1 step`, `2,000 steps`.
pub fn count(number: usize, of: &str) -> String {
    format!("{} {of}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// A time in a unit that suits it.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// A number with commas between its thousands.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The value below which a share of the sorted values lies, between neighbours in proportion.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * sorted.len().saturating_sub(1) as f64;
    let value = |i: usize| sorted.get(i.min(sorted.len().saturating_sub(1))).copied();
    let (Some(low), Some(high)) = (value(at.floor() as usize), value(at.ceil() as usize)) else {
        return f64::NAN;
    };
    low + (high - low) * at.fract()
}

/// The median.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}
