//! What the examples share: options, the choice of the device, progress, and small reports.

// Each example is a program of its own and uses a part of this.
#![allow(dead_code)]

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wgrad::plot::{Picture, PlotError, Points};
use wgrad::{CpuTrainer, Data, Error, Gpu, Mlp, Train, Trainer, Training};

/// Why an example ends before its end.
pub enum Stop {
    /// `--help`.
    Help,
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
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Self::Failed(format!("{error}{}", cause.unwrap_or_default()))
    }
}

impl From<lexopt::Error> for Stop {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
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

/// Runs an example and reports how it ended.
pub fn run(help: &str, example: impl FnOnce() -> Outcome) -> ExitCode {
    let report = |text: &str| {
        // Where stderr is closed too, the exit code is all there is.
        let _ = writeln!(std::io::stderr(), "error: {}", one_line(text));
    };
    match example() {
        Ok(()) | Err(Stop::Closed) => ExitCode::SUCCESS,
        Err(Stop::Help) => {
            let _ = write!(std::io::stdout(), "{}", help.trim_start());
            ExitCode::SUCCESS
        }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    #[default]
    Auto,
    Gpu,
    Cpu,
}

/// The options that all examples have.
#[derive(Debug)]
pub struct Options {
    pub device: Device,
    pub out: PathBuf,
    pub quick: bool,
    /// Whether what is said goes to stderr, because stdout carries a document.
    pub to_stderr: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { device: Device::Auto, out: "out".into(), quick: false, to_stderr: false }
    }
}

/// Says a line: `say!(options, "format", …)`.
macro_rules! say {
    ($options:expr, $($arg:tt)*) => { $options.say(format_args!($($arg)*))? };
}
#[allow(unused_imports)] // Not every example has something to say.
pub(crate) use say;

impl Options {
    /// Takes the option `--name` if it is one of these; `false` where it is not.
    pub fn take(&mut self, name: &str, parser: &mut lexopt::Parser) -> Outcome<bool> {
        match name {
            "help" => return Err(Stop::Help),
            "device" => {
                self.device = value(parser, name, "auto, gpu or cpu", |text| match text {
                    "auto" => Some(Device::Auto),
                    "gpu" => Some(Device::Gpu),
                    "cpu" => Some(Device::Cpu),
                    _ => None,
                })?;
            }
            "out" => self.out = parser.value()?.into(),
            "quick" => self.quick = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

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

/// The next option's or argument's name; an argument that stands alone goes to `positional`.
pub fn next_option(
    parser: &mut lexopt::Parser,
    mut positional: impl FnMut(String) -> Outcome,
) -> Outcome<Option<String>> {
    use lexopt::Arg::{Long, Short, Value};
    while let Some(argument) = parser.next()? {
        match argument {
            Long(name) => return Ok(Some(name.to_owned())),
            Short('h') => return Err(Stop::Help),
            Short(_) => return Err(argument.unexpected().into()),
            Value(text) => positional(text.to_string_lossy().into_owned())?,
        }
    }
    Ok(None)
}

/// What to say of an option that there is none of.
pub fn unknown(name: &str) -> Stop {
    Stop::Usage(format!("unknown option --{name}"))
}

/// What to say of an argument that stands alone where none is taken.
pub fn no_arguments(text: String) -> Outcome {
    Err(Stop::Usage(format!("unexpected argument '{text}'")))
}

/// An option's value, read by `read`; `allowed` says what it takes.
pub fn value<T>(
    parser: &mut lexopt::Parser,
    name: &str,
    allowed: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Outcome<T> {
    let text = parser.value().map_err(|_| usage(format!("--{name} needs a value: {allowed}")))?;
    let text = text.to_string_lossy();
    read(&text).ok_or_else(|| Stop::Usage(format!("--{name} is '{text}'; allowed: {allowed}")))
}

/// A whole number of `least` or more.
pub fn number(parser: &mut lexopt::Parser, name: &str, least: u32) -> Outcome<u32> {
    let allowed = format!("a whole number of {least} to {}", u32::MAX);
    value(parser, name, &allowed, |text| text.parse().ok().filter(|n| *n >= least))
}

/// The names of a list, for a message.
pub fn names(of: impl IntoIterator<Item = &'static str>) -> String {
    of.into_iter().collect::<Vec<_>>().join(", ")
}

/// A trainer on `gpu`, or on the CPU.
pub fn trainer(
    gpu: Option<&Gpu>,
    mlp: &Mlp,
    training: &Training,
    data: &Data,
) -> Outcome<Box<dyn Train>> {
    Ok(match gpu {
        Some(gpu) => Box::new(Trainer::new(gpu, mlp, training, data)?),
        None => Box::new(CpuTrainer::<f32>::new(mlp, training, data)?),
    })
}

/// A progress bar on stderr, hidden where that is no terminal.
pub fn progress(length: u64, of: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let template = format!("{{bar:30}} {{pos}}/{{len}} {of}  {{msg}}  {{eta}} left");
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Trains in chunks with a progress bar; the time that the steps took.
pub fn train(trainer: &mut dyn Train, steps: u32) -> Outcome<Duration> {
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

/// A time in a unit that suits it.
pub fn time(seconds: f64) -> String {
    match seconds {
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
