//! The training, with looks at the points that are held out, and the curves of both.

use crate::common::{self, Options, Outcome, say};
use std::path::Path;
use std::time::{Duration, Instant};
use wgrad::{Data, Metrics, Train};
use wgrad_plot::{Series, curve};

/// Looks at the points held out during a training, and lines that are printed of them.
const LOOKS: u32 = 40;
const LINES: u32 = 10;

/// The metrics at a step: on the points of the training, and on those held out.
pub struct Look {
    pub step: u32,
    pub train: Metrics,
    pub held: Option<Metrics>,
}

/// A share in percent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The accuracy of a single model.
pub fn accuracy(metrics: &Metrics) -> f64 {
    metrics.accuracies.as_ref().map_or(f64::NAN, |of_models| of_models[0])
}

/// Trains, and looks at the metrics before, in between and after. Returns the time of the steps.
pub fn learn(
    options: &Options,
    trainer: &mut dyn Train<Scalar = f32>,
    steps: u32,
    data: &Data,
    held_out: Option<&Data>,
) -> Outcome<(Duration, Vec<Look>)> {
    let look = |trainer: &mut dyn Train<Scalar = f32>, step: u32| -> Outcome<Look> {
        let held = held_out.map(|data| trainer.evaluate(data)).transpose()?;
        Ok(Look { step, train: trainer.evaluate(data)?, held })
    };
    let mut looks = vec![look(trainer, 0)?];
    let mut spent = Duration::ZERO;
    let Some(_) = held_out else {
        spent += common::train(trainer, steps)?;
        looks.push(look(trainer, steps)?);
        return Ok((spent, looks));
    };
    say!(options, "");
    say!(
        options,
        "{:>10}{:>12}{:>12}{:>12}{:>12}",
        "step",
        "loss",
        "held out",
        "accuracy",
        "held out"
    );
    let bar = common::progress(steps.into(), "steps");
    let mut printed = None;
    for index in 0..=LOOKS {
        let done = looks.last().map_or(0, |look| look.step);
        let next = (u64::from(steps) * u64::from(index) / u64::from(LOOKS)) as u32;
        if next > done {
            let start = Instant::now();
            trainer.train(next - done)?;
            spent += start.elapsed();
            looks.push(look(trainer, next)?);
            bar.set_position(next.into());
        }
        if index % (LOOKS / LINES) == 0 && printed != Some(next) {
            printed = Some(next);
            let line = looks.last().map_or_else(String::new, Look::line);
            bar.suspend(|| options.say(format_args!("{line}")))?;
        }
    }
    bar.finish_and_clear();
    Ok((spent, looks))
}

impl Look {
    /// A line of the table that [`learn`] prints.
    fn line(&self) -> String {
        let Self { step, train, held } = self;
        let loss = |metrics: &Metrics| format!("{:.4}", metrics.losses[0]);
        let of = |of: fn(&Metrics) -> String| held.as_ref().map_or_else(String::new, of);
        let share = |metrics: &Metrics| percent(accuracy(metrics));
        let columns = [loss(train), of(loss), share(train), of(share)];
        let step = common::thousands(*step as usize);
        columns.iter().fold(format!("{step:>10}"), |line, column| line + &format!("{column:>12}"))
    }
}

/// Draws the loss, and where points are held out theirs beside it, and the accuracies.
pub fn draw_curves(
    options: &Options,
    folder: &Path,
    losses: &[(f64, f64)],
    looks: &[Look],
    epochs: f64,
) -> Outcome {
    let of = |value: &dyn Fn(&Look) -> Option<f64>| -> Vec<(f64, f64)> {
        let at = |look: &Look| Some((f64::from(look.step) * epochs, value(look)?));
        looks.iter().filter_map(at).collect()
    };
    let held = of(&|look| Some(look.held.as_ref()?.losses[0].into()));
    let mut series = vec![Series { label: "loss", values: losses }];
    if !held.is_empty() {
        series[0].label = "training";
        series.push(Series { label: "held out", values: &held });
    }
    let picture = curve("Training Loss", ["Epoch", "Loss"], &series, [false; 2])?;
    options.save(&picture, folder.join("loss.png"))?;
    if held.is_empty() {
        return Ok(());
    }
    let train = of(&|look| Some(accuracy(&look.train)));
    let held = of(&|look| look.held.as_ref().map(accuracy));
    let series =
        [Series { label: "training", values: &train }, Series { label: "held out", values: &held }];
    let picture = curve("Accuracy", ["Epoch", "Accuracy"], &series, [false; 2])?;
    options.save(&picture, folder.join("accuracy.png"))
}
