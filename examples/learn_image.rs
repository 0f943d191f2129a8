//! A picture learnt by a small network: position in, colour out. The landscape that comes with it was drawn
//! by a program, for this example.
//!
//! Positions are drawn and the picture is sampled on the GPU, by a shader of this example that fills the
//! trainer's buffers between its steps: nothing goes over the bus in a step. What was learnt is
//! then a function of the example's own fragment shader, which draws a part of the picture far
//! beyond its resolution.
//!
//! ```text
//! cargo run --release --example learn_image
//! cargo run --release --example learn_image -- photograph.jpg --preset frequency
//! cargo run --release --example learn_image -- photograph.jpg --config tiny-cuda-nn.json
//! ```
//!
//! What is learnt is linear light: of a grey picture one channel, of a transparent one alpha too, of
//! 16 bits and floating point all of their range. A picture larger than a texture lies in tiles.
//!
//! Pictures in `out/learn_image/`. `--help` lists the options.

mod common;
#[path = "common/submit.rs"]
mod submit;

#[path = "learn_image/crop.rs"]
mod crop;
#[path = "learn_image/ends.rs"]
mod ends;
#[path = "learn_image/gpu.rs"]
mod gpu;
#[path = "learn_image/learner.rs"]
mod learner;
#[path = "learn_image/load.rs"]
mod load;
#[path = "learn_image/report.rs"]
mod report;
#[path = "learn_image/source.rs"]
mod source;
#[cfg(test)]
#[path = "learn_image/tests.rs"]
mod tests;
#[path = "learn_image/tone.rs"]
mod tone;

use clap::Parser;
use common::{Options, Outcome, Stop, say, usage};
use crop::Crop;
use learner::Learner;
use source::Source;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wgrad::encoding::{Frequency, Grid, Identity, OneBlob};
use wgrad::{Activation, Adam, Config, Init, Loss, Mlp, Parameters, Train, Training};

/// Learns a picture: a network from the position to the colour, trained on random samples
#[derive(Parser)]
#[command(name = "learn_image", args_override_self = true)]
#[command(after_help = "Example: learn_image photograph.jpg --preset hash --steps 2000")]
struct Arguments {
    /// A PNG, JPEG, WebP, GIF, BMP, PNM, TIFF, HDR or OpenEXR file; without one, a landscape that
    /// comes with it
    picture: Option<PathBuf>,
    /// Of a file that is cut off or damaged, take the rows that are there
    #[arg(long, requires = "picture")]
    partial: bool,
    /// The network and its training
    #[arg(long, value_name = "NAME", default_value = "hash", value_parser = ["hash", "frequency", "oneblob", "siren"])]
    preset: String,
    /// Encoding, network, loss and optimizer from a JSON file in tiny-cuda-nn's words, instead of a
    /// preset
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// Begin with the parameters of an earlier run, a safetensors file of the same network; the
    /// optimizer begins anew
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// Training steps; 1000, or 60 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Samples a step; 262144 on a GPU, 16384 on one of software or a CPU, 4096 with --quick
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=1 << 22))]
    batch: Option<u32>,
    /// Seed of the samples and the first parameters
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Middle of what is drawn beyond the resolution, as shares of the picture's sides; 0.5,0.5, of
    /// the landscape its windows, unless it is given
    #[arg(long, value_name = "X,Y", value_parser = two_shares)]
    crop: Option<[f64; 2]>,
    /// The time of each kernel of a step (GPU)
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    options: Options,
}

fn two_shares(text: &str) -> Result<[f64; 2], &'static str> {
    let share = |t: &str| t.parse().ok().filter(|v| (0.0..=1.0).contains(v));
    let both = text.split_once(',').and_then(|(x, y)| Some([share(x)?, share(y)?]));
    both.ok_or("allowed: two numbers of 0 to 1 with a comma between them")
}

/// The picture that comes with the example.
const LANDSCAPE: &[u8] = include_bytes!("pictures/landscape.jpg");

/// Pixels that --quick leaves of a picture, at most.
const QUICK: usize = 1 << 20;

fn main() -> ExitCode {
    common::run(|arguments: Arguments| learn(&arguments))
}

impl Arguments {
    /// The network and its training, without batch and seed.
    fn recipe(&self, channels: usize) -> Outcome<(Mlp, Training)> {
        if let Some(path) = &self.config {
            let config = Config::load(path, 2, channels)?;
            return Ok((config.mlp, config.training));
        }
        Ok(preset(&self.preset, channels))
    }

    fn source(&self) -> Outcome<Source> {
        let source = match &self.picture {
            Some(path) => load::read(path, self.partial)?,
            None => load::decode("the landscape", LANDSCAPE, false).map_err(Stop::Failed)?,
        };
        if !self.options.quick {
            return Ok(source);
        }
        let fits = |by: &u32| source.pixel_count() / (*by as usize).pow(2) <= QUICK;
        let by = (2..).find(fits).unwrap_or(2);
        Ok(source.smaller(by))
    }

    /// The parameters that the training begins with, if they are not sampled.
    fn first(&self, mlp: &Mlp) -> Outcome<Option<Parameters>> {
        let Some(path) = &self.parameters else { return Ok(None) };
        let loaded = Parameters::load(path, mlp, 1).map_err(|error| {
            let (path, error) = (path.display().to_string(), error.to_string());
            let path = if error.contains(&path) { String::new() } else { format!("{path}: ") };
            Stop::Failed(format!("{path}{error}; the network here is {mlp}"))
        })?;
        Ok(Some(loaded))
    }
}

/// `hash` is tiny-cuda-nn's sample; the others are as wide as they have to be to show what they can.
fn preset(name: &str, channels: usize) -> (Mlp, Training) {
    let layers = |mlp: Mlp, count: usize, units, activation| {
        let deep = (0..count).fold(mlp, |mlp, _| mlp.layer(units, activation));
        deep.layer(channels, Activation::Identity)
    };
    let adam = |rate| Adam { rate, beta2: 0.99, ..Adam::default() };
    let relu = Activation::Relu;
    match name {
        "frequency" => {
            let mlp = Mlp::new(2).encode(2, Frequency { frequencies: 10 });
            (layers(mlp, 4, 64, relu), Training::new(Loss::RelativeL2, adam(2e-3)))
        }
        "oneblob" => {
            let mlp = Mlp::new(2).encode(2, OneBlob { bins: 64 });
            (layers(mlp, 4, 64, relu), Training::new(Loss::RelativeL2, adam(2e-3)))
        }
        "siren" => {
            let mlp = Mlp::new(2).encode(2, Identity { scale: 2.0, offset: -1.0 });
            let training = Training::new(Loss::RelativeL2, adam(5e-3)).init(Init::Siren).seed(0);
            (layers(mlp, 4, 64, Activation::Sine), training)
        }
        _ => {
            let grid = Grid { log2_hashmap_size: 15, per_level_scale: 1.5, ..Grid::default() };
            let adam = Adam { epsilon: 1e-15, l2: 1e-6, lazy: true, ..adam(1e-2) };
            let mlp = layers(Mlp::new(2).encode(2, grid), 2, 64, relu);
            (mlp, Training::new(Loss::RelativeL2, adam).init(Init::GlorotUniform).seed(0))
        }
    }
}

fn learn(asked: &Arguments) -> Outcome {
    let options = &asked.options;
    // A network that is refused should not wait for a large picture.
    asked.recipe(3)?;
    let source = asked.source()?;
    let (mlp, training) = asked.recipe(source.channels)?;
    let first = asked.first(&mlp)?;
    let gpu = options.gpu()?;
    let hardware = gpu.as_ref().is_some_and(|gpu| !gpu.is_software());
    let batch = asked.batch.unwrap_or(match (options.quick, hardware) {
        (true, _) => 4096,
        (_, true) => 1 << 18,
        _ => 1 << 14,
    });
    let steps = asked.steps.unwrap_or(if options.quick { 60 } else { 1000 });
    let training = training.history(steps.min(4096) as usize);
    let training = Training { seed: asked.seed.into(), ..training };
    let mut learner = Learner::new(gpu.as_ref(), &mlp, &training, &source, batch)?;
    say!(options, "device: {}", learner.trainer().device());
    say!(options, "picture: {}, {} x {}", source.name, source.width(), source.height());
    for note in &source.notes {
        say!(options, "  {note}");
    }
    say!(
        options,
        "network: {mlp}; {} parameters; {} samples a step",
        common::thousands(mlp.parameters()),
        common::thousands(batch as usize)
    );
    if let Some(decay) = training.ema {
        say!(options, "drawn, measured and saved: the parameters' moving average, decay {decay}");
    }
    if asked.profile {
        match &mut learner {
            Learner::Gpu(on_gpu) => {
                let before = on_gpu.trainer.parameters()?;
                on_gpu.profile(options)?;
                on_gpu.trainer.restart(&before)?;
            }
            Learner::Cpu(_) => return Err(usage("--profile needs a GPU: --device gpu")),
        }
    }
    if let Some(first) = first {
        learner.trainer().restart(&first)?;
    }
    let learnt = report::run(&mut learner, &source, batch, steps, options)?;
    report::report(&learnt, &mut learner, &source, &mlp, options)?;
    // Of the landscape, the windows.
    let centre = if asked.picture.is_some() { [0.5, 0.5] } else { [0.11, 0.6] };
    let crop = Crop::new(&source, asked.crop.unwrap_or(centre));
    report::magnify(&mut learner, &source, &crop, options)?;
    let file = options.out.join(folder("parameters.safetensors"));
    learner.parameters()?.save(&file)?;
    say!(options, "wrote {}", file.display());
    Ok(())
}

fn folder(name: &str) -> PathBuf {
    Path::new("learn_image").join(name)
}
