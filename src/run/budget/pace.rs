//! How many steps come next. Pure.

use crate::numeric::{nanoseconds, whole};
use std::collections::VecDeque;
use std::time::Duration;

/// Measurements that the cost of a step is taken from.
const REMEMBERED: usize = 8;

/// Frames in a row without a step.
const PATIENCE: u32 = 60;

/// The part of a budget that is planned with.
const AIM: f64 = 0.9;

/// Steps of one frame, whatever their cost.
pub(super) const MAX_STEPS: u32 = 1 << 16;

/// How many steps come next. Pure.
#[derive(Debug)]
pub(super) struct Pace {
    /// Of a frame, in nanoseconds.
    pub budget: f64,
    /// Steps and their cost each, the newest last.
    samples: VecDeque<(u32, f64)>,
    /// Time that was left, for a step that costs more than a budget.
    credit: f64,
    /// How much more than the newest measured may be taken at once.
    pub growth: f64,
    /// Steps of a frame, whatever their cost.
    pub most: u32,
    /// Frames in a row without a step.
    waited: u32,
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
            credit: 0.0,
            growth: 2.0,
            most: MAX_STEPS,
            waited: 0,
            first: true,
            loose: false,
        }
    }

    pub fn measured(&mut self, steps: u32, nanoseconds: f64) {
        // Drivers compile at a kernel's first run.
        if std::mem::take(&mut self.first) {
            return;
        }
        if self.samples.len() == REMEMBERED {
            self.samples.pop_front();
        }
        self.samples.push_back((steps, nanoseconds / f64::from(steps.max(1))));
    }

    /// The most that a step cost of late, or the middle where that says little, in frames of about as many steps: few steps carry the cost
    /// of their launch alone.
    pub fn cost(&self) -> Option<f64> {
        let newest = self.samples.back()?.0;
        let like = self.samples.iter().filter(|(steps, _)| *steps >= newest / 2);
        let mut costs: Vec<f64> = like.map(|(_, cost)| *cost).collect();
        costs.sort_by(f64::total_cmp);
        if self.loose { costs.get(costs.len() / 2).copied() } else { costs.last().copied() }
    }

    pub fn next(&mut self) -> u32 {
        let Some((cost, (newest, _))) = self.cost().zip(self.samples.back().copied()) else {
            return 1;
        };
        let most = (f64::from(newest) * self.growth).max(f64::from(newest) + 1.0);
        self.credit = (self.credit + self.budget).min(self.budget.max(cost / AIM));
        // Costs vary from frame to frame: a part of the budget is kept for that.
        let steps = (AIM * self.credit / cost.max(1.0)).min(most).min(f64::from(self.most));
        let mut steps = whole(steps);
        // However dear a step was, it is tried again: what it cost may have been something else's.
        self.waited = if steps == 0 { self.waited + 1 } else { 0 };
        if self.waited > PATIENCE && self.most > 0 {
            (steps, self.waited) = (1, 0);
        }
        self.credit = (self.credit - f64::from(steps) * cost).max(0.0);
        steps
    }
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
