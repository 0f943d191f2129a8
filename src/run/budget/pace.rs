//! How many steps come next. Pure.

use crate::numeric::{nanoseconds, whole};
use std::collections::VecDeque;
use std::time::Duration;

/// Measurements that the cost is fitted to.
const REMEMBERED: usize = 8;

/// Frames in a row without a step.
const PATIENCE: u32 = 60;

/// Measurements of a single step in a row, after which two steps are tried. Without frames of
/// different lengths nobody knows whether a launch is dear or a step. Each try in vain doubles the
/// wait, up to the second number.
const TRY_TWO: [u32; 2] = [24, 1024];

/// The part of a budget that is planned with.
const AIM: f64 = 0.9;

/// Steps of one frame, whatever their cost.
pub(super) const MAX_STEPS: u32 = 1 << 16;

/// What a frame costs, in nanoseconds: `launch + step · steps`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    pub launch: f64,
    pub step: f64,
}

impl Cost {
    fn of(self, steps: f64) -> f64 {
        self.launch + self.step * steps
    }
}

/// How many steps come next. Pure.
#[derive(Debug)]
pub(super) struct Pace {
    /// Of a frame, in nanoseconds.
    pub budget: f64,
    /// Steps and time of frames, the newest last.
    samples: VecDeque<(u32, f64)>,
    /// The newest measurement of a frame that was much longer or shorter than those after it.
    other: Option<(u32, f64)>,
    /// Time that was left, for a step that costs more than a budget.
    credit: f64,
    /// How much more than the newest measured may be taken at once.
    pub growth: f64,
    /// Steps of a frame, whatever their cost.
    pub most: u32,
    /// Frames in a row without a step.
    waited: u32,
    /// Measurements of single steps in a row.
    singles: u32,
    /// So many of them until two steps are tried.
    try_two: u32,
    /// Whether the first measurement is still to come.
    first: bool,
    /// Whether measurements hold more than the steps: the middle one counts then, not the greatest.
    pub loose: bool,
}

impl Pace {
    pub const fn new(budget: Duration) -> Self {
        Self {
            budget: nanoseconds(budget),
            samples: VecDeque::new(),
            other: None,
            credit: 0.0,
            growth: 2.0,
            most: MAX_STEPS,
            waited: 0,
            singles: 0,
            try_two: TRY_TWO[0],
            first: true,
            loose: false,
        }
    }

    pub fn measured(&mut self, steps: u32, nanoseconds: f64) {
        // Drivers compile at a kernel's first run.
        if std::mem::take(&mut self.first) {
            return;
        }
        if let Some(last) = self.samples.back().filter(|last| differ(last.0, steps)) {
            self.other = Some(*last);
        }
        if self.samples.len() == REMEMBERED {
            self.samples.pop_front();
        }
        self.samples.push_back((steps.max(1), nanoseconds));
        self.singles = if steps == 1 { self.singles + 1 } else { 0 };
        if steps > 2 {
            self.try_two = TRY_TWO[0];
        }
    }

    /// The cost that the newest measurements show. The slope is the middle one of all pairs of
    /// frames of different lengths (Theil and Sen). The launch is the most that was left over, or
    /// the middle where measurements say little. Without such pairs all cost is the steps'.
    pub fn cost(&self) -> Option<Cost> {
        self.samples.back()?;
        let pick = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            let at = if self.loose { values.len() / 2 } else { values.len() - 1 };
            values.get(at).copied().unwrap_or(0.0)
        };
        let of = |f: &dyn Fn(f64, f64) -> f64| {
            self.samples.iter().map(|(steps, time)| f(f64::from(*steps), *time)).collect()
        };
        let proportional = pick(&mut of(&|steps, time| time / steps));
        let all: Vec<_> = self.samples.iter().chain(&self.other).collect();
        let mut slopes = Vec::new();
        for (i, (a, time_a)) in all.iter().enumerate() {
            for (b, time_b) in &all[i + 1..] {
                if differ(*a, *b) {
                    slopes.push((time_a - time_b) / (f64::from(*a) - f64::from(*b)));
                }
            }
        }
        slopes.sort_by(f64::total_cmp);
        let slope = slopes.get(slopes.len() / 2).copied().unwrap_or(proportional);
        let step = slope.clamp(0.0, proportional.max(0.0));
        let launch = pick(&mut of(&|steps, time| time - step * steps)).max(0.0);
        Some(Cost { launch, step })
    }

    pub fn next(&mut self) -> u32 {
        let Some((cost, (newest, _))) = self.cost().zip(self.samples.back().copied()) else {
            return 1.min(self.most);
        };
        let most = (f64::from(newest) * self.growth).max(f64::from(newest) + 1.0);
        // Costs vary from frame to frame: a part of the budget is kept for that. A frame that costs
        // more than a budget even with one step waits until there is time for a budget of steps.
        let fits = cost.of(1.0) <= AIM * self.budget;
        let full =
            if fits { self.budget } else { cost.of(1.0).max(cost.launch + self.budget) / AIM };
        self.credit = (self.credit + self.budget).min(full);
        let steps = if fits || self.credit >= full {
            // A little more, so that rounding takes no step away.
            (AIM * self.credit - cost.launch) / cost.step.max(1.0) + 1e-6
        } else {
            0.0
        };
        let mut steps = whole(steps.min(most).min(f64::from(self.most)));
        if steps == 1 && self.singles >= self.try_two {
            (steps, self.singles) = (2.min(self.most), 0);
            self.try_two = (2 * self.try_two).min(TRY_TWO[1]);
        }
        // However dear a step was, it is tried again: what it cost may have been something else's.
        self.waited = if steps == 0 { self.waited + 1 } else { 0 };
        if self.waited > PATIENCE && self.most > 0 {
            (steps, self.waited) = (1, 0);
        }
        if steps > 0 {
            self.credit = (self.credit - cost.of(f64::from(steps))).max(0.0);
        }
        steps
    }
}

/// Whether two frames differ enough in length to tell a launch from a step.
const fn differ(a: u32, b: u32) -> bool {
    let (less, more) = if a < b { (a, b) } else { (b, a) };
    more > less && more - less >= less / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::duration;

    /// A device on which a frame costs `launch` and `step` a step, heard of `late` frames later.
    fn run(budget: f64, launch: f64, step: f64, late: usize, frames: usize) -> Vec<(u32, f64)> {
        let mut pace = Pace::new(duration(budget));
        let mut all: Vec<(u32, f64)> = Vec::new();
        for frame in 0..frames {
            if frame >= late && all[frame - late].0 > 0 {
                let (steps, time) = all[frame - late];
                pace.measured(steps, time);
            }
            let steps = pace.next();
            let time = if steps == 0 { 0.0 } else { launch + step * f64::from(steps) };
            all.push((steps, time));
        }
        all
    }

    #[test]
    fn a_budget_is_used_and_kept_to() {
        for late in 1..4 {
            for (launch, step) in [(0.0, 1000.0), (100_000.0, 5_000.0), (50_000.0, 400_000.0)] {
                let frames = run(2e6, launch, step, late, 100);
                for (steps, time) in &frames {
                    assert!(*time <= 2e6 + launch + step, "{steps} steps in {time}");
                }
                let used = frames[50..].iter().map(|(_, time)| time).sum::<f64>() / 50.0;
                assert!(used >= 0.5 * 2e6, "{used} of 2e6 at {launch} + {step}");
            }
        }
    }

    /// A step of three budgets is taken every third frame.
    #[test]
    fn a_step_that_costs_more_than_a_frame_waits_its_turn() {
        let frames = run(2e6, 0.0, 6e6, 1, 63);
        let steps: u32 = frames[3..].iter().map(|(steps, _)| steps).sum();
        assert!((19..=21).contains(&steps), "{steps}");
        assert!(frames.iter().all(|(steps, _)| *steps <= 1));
    }

    /// The first run holds a driver's compiler, and one outlier does not stop the training for good.
    #[test]
    fn an_outlier_is_forgotten() {
        let mut pace = Pace::new(duration(2e6));
        pace.measured(1, 3e9);
        assert_eq!(pace.cost(), None);
        pace.measured(1, 3e9);
        let taken: u32 = (0..2 * PATIENCE + 2).map(|_| pace.next()).sum();
        assert_eq!(taken, 2);
        for _ in 0..REMEMBERED {
            pace.measured(1, 1e4);
        }
        assert!(pace.next() > 1);
    }

    /// Where a launch alone costs more than the budget, some frames rest, and the others take as many
    /// steps as the launch is worth.
    #[test]
    fn a_launch_that_costs_more_than_the_budget_takes_many_steps_along() {
        for (budget, launch, step) in [(3e6, 4e6, 5e3), (3e6, 2.9e6, 5e3), (1e6, 8e6, 20e3)] {
            for late in 1..4 {
                let frames = run(budget, launch, step, late, 600);
                let (steps, time) = frames[300..].iter().fold((0.0, 0.0), |all, (steps, time)| {
                    (all.0 + f64::from(*steps), all.1 + time)
                });
                // All of the budget in frames that spend one budget on steps.
                let frame = launch + budget;
                let ideal = 300.0 * budget / frame * budget / step;
                assert!(steps >= 0.5 * ideal, "{steps} of {ideal} at {launch} + {step}, {late}");
                assert!(time <= 1.1 * 300.0 * budget, "{time} at {launch} + {step}");
                let longest = frames.iter().map(|(_, time)| *time).fold(0.0, f64::max);
                assert!(longest <= 1.05 * frame, "{longest} at {launch} + {step}");
            }
        }
    }

    /// To learn what a launch costs, one frame in some takes two steps where one was planned.
    #[test]
    fn two_dear_steps_are_a_rare_try() {
        let frames = run(2e6, 0.0, 6e6, 1, 6000);
        let tries = frames.iter().filter(|(steps, _)| *steps == 2).count();
        assert!(frames.iter().all(|(steps, _)| *steps <= 2));
        assert!((1..=8).contains(&tries), "{tries}");
    }

    #[test]
    fn a_sudden_rise_of_the_cost_is_answered_at_once() {
        let mut pace = Pace::new(duration(2e6));
        for _ in 0..11 {
            pace.measured(100, 1e6);
        }
        assert!(pace.next() > 100);
        pace.measured(200, 20e6);
        assert!(pace.next() <= 20, "{pace:?}");
    }
}
