//! As many steps a frame as fit in a time.

use crate::error::Result;
use crate::gpu::{Gpu, lock};
use crate::numeric::{duration, nanoseconds, whole};
use crate::run::Trainer;
use crate::run::clock::Instant;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What [`FrameBudget::record`] did, and what it knew.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct FrameReport {
    /// Steps that it recorded.
    pub steps: u32,
    /// The newest measurement, of a frame some frames ago: its steps and their time.
    pub measured: Option<(u32, Duration)>,
    /// What it takes a step to cost.
    pub step: Option<Duration>,
}

/// Trains for at most a given time in each frame: records as many steps as fit, one at least every
/// so often, and learns from each frame what a step costs. It never waits.
///
/// On a device with `Features::TIMESTAMP_QUERY` the GPU's own clock is read round the steps. Without
/// it the time from a call until wgpu reports its submission as done stands for the frame: the
/// first eight frames, and later one in 128, train nothing, and what others take longer is put
/// down to their steps. wgpu looks for what is done when the application submits or polls: where
/// that is once a frame, steps that fit in the wait for the display count as free.
///
/// ```no_run
/// use std::time::Duration;
/// # fn app(gpu: &wgrad::Gpu, mut trainer: wgrad::Trainer) -> wgrad::Result<()> {
/// let mut budget = wgrad::FrameBudget::new(gpu, Duration::from_millis(2))?;
/// // in each frame
/// let mut encoder = gpu.device().create_command_encoder(&Default::default());
/// let frame = budget.record(&mut trainer, &mut encoder);
/// println!("{} steps", frame.steps);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FrameBudget {
    pace: Pace,
    timer: Timer,
    paused: bool,
    measured: Option<(u32, Duration)>,
}

impl FrameBudget {
    /// A budget of `time` a frame.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`], a lost device.
    pub fn new(gpu: &Gpu, time: Duration) -> Result<Self> {
        let timed = gpu.device().features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let timer = if timed { Timer::Queries(Queries::new(gpu)?) } else { Timer::submissions() };
        Ok(Self { pace: Pace::new(time), timer, paused: false, measured: None })
    }

    /// Leaves the GPU's clock alone: for any device.
    #[must_use]
    pub fn without_timestamps(self) -> Self {
        Self { timer: Timer::submissions(), ..self }
    }

    /// At most so many steps a frame from now on, so that a fast device learns no faster than is
    /// to be seen; at most 65,536.
    pub const fn set_max_steps(&mut self, steps: u32) {
        self.pace.most = if steps < MAX_STEPS { steps } else { MAX_STEPS };
    }

    /// Whether the GPU's clock is read.
    pub const fn reads_timestamps(&self) -> bool {
        matches!(self.timer, Timer::Queries(_))
    }

    /// Another time a frame from now on.
    pub const fn set_time(&mut self, time: Duration) {
        self.pace.budget = nanoseconds(time);
    }

    /// No steps until [`FrameBudget::resume`]. What was learnt of their cost stays.
    pub const fn pause(&mut self) {
        self.paused = true;
    }

    /// Steps again.
    pub const fn resume(&mut self) {
        self.paused = false;
    }

    /// Whether it pauses.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Records this frame's steps of `trainer`: no submit, no poll, no wait. The measurement comes
    /// back with one of the application's later submissions.
    pub fn record(
        &mut self,
        trainer: &mut Trainer,
        encoder: &mut wgpu::CommandEncoder,
    ) -> FrameReport {
        let rests = !self.paused && self.timer.read(&mut self.pace, &mut self.measured);
        let steps = if self.paused || rests { 0 } else { self.pace.next() };
        if steps > 0 || rests {
            self.timer.record(trainer, encoder, steps);
        }
        let step = self.pace.cost().map(duration);
        FrameReport { steps, measured: self.measured, step }
    }
}

/// Measurements that the cost of a step is taken from.
const REMEMBERED: usize = 8;

/// Frames in a row without a step.
const PATIENCE: u32 = 60;

/// The part of a budget that is planned with.
const AIM: f64 = 0.9;

/// Steps of one frame, whatever their cost.
const MAX_STEPS: u32 = 1 << 16;

/// How many steps come next. Pure.
#[derive(Debug)]
struct Pace {
    /// Of a frame, in nanoseconds.
    budget: f64,
    /// Steps and their cost each, the newest last.
    samples: VecDeque<(u32, f64)>,
    /// Time that was left, for a step that costs more than a budget.
    credit: f64,
    /// How much more than the newest measured may be taken at once.
    per_level_scale: f64,
    /// Steps of a frame, whatever their cost.
    most: u32,
    /// Frames in a row without a step.
    waited: u32,
    /// Whether the first measurement is still to come.
    first: bool,
    /// Whether measurements hold more than the steps: the middle one counts then, not the greatest.
    loose: bool,
}

impl Pace {
    const fn new(budget: Duration) -> Self {
        Self {
            budget: nanoseconds(budget),
            samples: VecDeque::new(),
            credit: 0.0,
            per_level_scale: 2.0,
            most: MAX_STEPS,
            waited: 0,
            first: true,
            loose: false,
        }
    }

    fn measured(&mut self, steps: u32, nanoseconds: f64) {
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
    fn cost(&self) -> Option<f64> {
        let newest = self.samples.back()?.0;
        let like = self.samples.iter().filter(|(steps, _)| *steps >= newest / 2);
        let mut costs: Vec<f64> = like.map(|(_, cost)| *cost).collect();
        costs.sort_by(f64::total_cmp);
        if self.loose { costs.get(costs.len() / 2).copied() } else { costs.last().copied() }
    }

    fn next(&mut self) -> u32 {
        let Some((cost, (newest, _))) = self.cost().zip(self.samples.back().copied()) else {
            return 1;
        };
        let most = (f64::from(newest) * self.per_level_scale).max(f64::from(newest) + 1.0);
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

#[derive(Debug)]
enum Timer {
    Queries(Queries),
    Submissions {
        frames: u32,
        /// Steps and nanoseconds of frames that are done and were not looked at.
        done: Arc<Mutex<Vec<(u32, f64)>>>,
        /// Those without steps, in nanoseconds.
        rests: VecDeque<f64>,
    },
}

/// Frames without steps at the start, and how often there is one more later.
const RESTS: u32 = 8;
const REST_EVERY: u32 = 128;

impl Timer {
    fn submissions() -> Self {
        Self::Submissions { frames: 0, done: Arc::default(), rests: VecDeque::new() }
    }

    /// Takes what has been measured; whether this frame is to have no steps.
    fn read(&mut self, pace: &mut Pace, measured: &mut Option<(u32, Duration)>) -> bool {
        match self {
            Self::Queries(queries) => {
                queries.read(|steps, time| {
                    pace.measured(steps, time);
                    *measured = Some((steps, duration(time)));
                });
                false
            }
            Self::Submissions { frames, done, rests } => {
                (pace.per_level_scale, pace.loose) = (1.0 + 1.0 / 8.0, true);
                for (steps, time) in std::mem::take(&mut *lock(done)) {
                    if steps == 0 {
                        if rests.len() == RESTS as usize {
                            rests.pop_front();
                        }
                        rests.push_back(time);
                        continue;
                    }
                    let mut sorted: Vec<f64> = rests.iter().copied().collect();
                    sorted.sort_by(f64::total_cmp);
                    let rest = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
                    let time = (time - rest).max(0.0);
                    pace.measured(steps, time);
                    *measured = Some((steps, duration(time)));
                }
                *frames += 1;
                *frames <= RESTS || frames.is_multiple_of(REST_EVERY)
            }
        }
    }

    fn record(&mut self, trainer: &mut Trainer, encoder: &mut wgpu::CommandEncoder, taken: u32) {
        match self {
            Self::Queries(queries) => queries.record(trainer, encoder, taken),
            Self::Submissions { done, .. } => {
                trainer.record(encoder, taken);
                let (start, done) = (Instant::now(), done.clone());
                encoder.on_submitted_work_done(move || {
                    lock(&done).push((taken, nanoseconds(start.elapsed())));
                });
            }
        }
    }
}

/// Frames whose timestamps may be on their way at once; more are recorded without.
const SLOTS: u32 = 4;

const FREE: u8 = 0;
const UNDER_WAY: u8 = 1;
const READABLE: u8 = 2;

/// Pairs of timestamps and their way back.
#[derive(Debug)]
struct Queries {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    slots: Vec<Slot>,
    /// Nanoseconds of a tick.
    period: f64,
}

#[derive(Debug)]
struct Slot {
    staging: wgpu::Buffer,
    state: Arc<AtomicU8>,
    steps: u32,
}

/// Frees the slot of an encoder that is dropped and not submitted.
struct Notice(Arc<AtomicU8>);

impl Notice {
    fn mapped(&self, ok: bool) {
        self.0.store(if ok { READABLE } else { FREE }, Ordering::Release);
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        let _ = self.0.compare_exchange(UNDER_WAY, FREE, Ordering::AcqRel, Ordering::Relaxed);
    }
}

impl Queries {
    fn new(gpu: &Gpu) -> Result<Self> {
        let device = gpu.device();
        let buffer = |size, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps of a frame budget"),
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        use wgpu::BufferUsages as Usage;
        gpu.guarded("the timestamps of a frame budget", || Self {
            set: device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("frame budget"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * SLOTS,
            }),
            resolved: buffer(
                u64::from(SLOTS) * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT,
                Usage::QUERY_RESOLVE | Usage::COPY_SRC,
            ),
            slots: (0..SLOTS)
                .map(|_| Slot {
                    staging: buffer(16, Usage::MAP_READ | Usage::COPY_DST),
                    state: Arc::default(),
                    steps: 0,
                })
                .collect(),
            period: f64::from(gpu.queue().get_timestamp_period()),
        })
    }

    /// Gives each measurement that has come back: steps and nanoseconds.
    fn read(&mut self, mut give: impl FnMut(u32, f64)) {
        for slot in &self.slots {
            if slot.state.load(Ordering::Acquire) != READABLE {
                continue;
            }
            if let Ok(view) = slot.staging.get_mapped_range(..) {
                let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&view);
                if let [begin, end] = ticks[..]
                    && end > begin
                {
                    give(slot.steps, crate::numeric::ticks(end - begin) * self.period);
                }
            }
            slot.staging.unmap();
            slot.state.store(FREE, Ordering::Release);
        }
    }

    fn record(&mut self, trainer: &mut Trainer, encoder: &mut wgpu::CommandEncoder, steps: u32) {
        let free = |(_, slot): &(u32, &mut Slot)| slot.state.load(Ordering::Acquire) == FREE;
        let Some((index, slot)) = (0..).zip(&mut self.slots).find(free) else {
            trainer.record(encoder, steps);
            return;
        };
        let writes = wgpu::ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(2 * index),
            end_of_pass_write_index: Some(2 * index + 1),
        };
        trainer.record_timed(encoder, steps, Some(writes));
        let at = u64::from(index) * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT;
        encoder.resolve_query_set(&self.set, 2 * index..2 * index + 2, &self.resolved, at);
        encoder.copy_buffer_to_buffer(&self.resolved, at, &slot.staging, 0, 16);
        slot.steps = steps;
        slot.state.store(UNDER_WAY, Ordering::Release);
        let notice = Notice(slot.state.clone());
        encoder.map_buffer_on_submit(&slot.staging, wgpu::MapMode::Read, .., move |result| {
            notice.mapped(result.is_ok());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
