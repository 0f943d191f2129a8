//! As many steps a frame as fit in a time.

mod pace;
mod timer;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::numeric::{duration, nanoseconds};
use crate::run::Trainer;
use pace::{MAX_STEPS, Pace};
use std::time::Duration;
use timer::{Before, Queries, Timer};

/// What [`FrameBudget::record`] did, and what it knew.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct FrameReport {
    /// Steps that it recorded.
    pub steps: u32,
    /// The newest measurement, of a frame some frames ago: its steps and their time.
    pub measured: Option<(u32, Duration)>,
    /// What it takes a step to cost.
    pub step: Option<Duration>,
    /// What it takes a frame's steps to cost whatever their number: the launch.
    pub launch: Option<Duration>,
}

/// Trains for at most a given time in each frame: records as many steps as fit, one at least every
/// so often. It never waits. From the frames it learns what a launch costs and what a step costs.
/// Where a launch costs more than the time, some frames train nothing, and the others take as many
/// steps as fit in the time beside the launch.
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
/// let frame = budget.record(&mut trainer, &mut encoder)?;
/// println!("{} steps", frame.steps);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FrameBudget {
    gpu: Gpu,
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
        gpu.check_present()?;
        let pace = Pace::new(time);
        Ok(Self { gpu: gpu.clone(), pace, timer, paused: false, measured: None })
    }

    /// Leaves the GPU's clock alone: for any device.
    #[must_use]
    pub fn without_timestamps(self) -> Self {
        Self { timer: Timer::submissions(), ..self }
    }

    /// Sets the most steps of a frame, 65,536 at most: so that a fast device learns no faster than one
    /// can see.
    pub const fn set_max_steps(&mut self, steps: u32) {
        self.pace.most = if steps < MAX_STEPS { steps } else { MAX_STEPS };
    }

    /// Whether the GPU's clock is read.
    pub const fn reads_timestamps(&self) -> bool {
        matches!(self.timer, Timer::Queries(_))
    }

    /// Changes the time of a frame.
    pub const fn set_time(&mut self, time: Duration) {
        self.pace.budget = nanoseconds(time);
    }

    /// Records no steps until [`FrameBudget::resume`]. What was learnt of their cost stays.
    pub const fn pause(&mut self) {
        self.paused = true;
    }

    /// Records steps again.
    pub const fn resume(&mut self) {
        self.paused = false;
    }

    /// Whether it pauses.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Records this frame's steps of `trainer`: no submit, no poll, no wait. The measurement comes
    /// back with one of the application's later submissions.
    ///
    /// # Errors
    /// A trainer of another device, a lost device. Nothing is recorded then.
    pub fn record(
        &mut self,
        trainer: &mut Trainer,
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<FrameReport> {
        self.record_frame(trainer, encoder, None)
    }

    /// Records this frame's steps of `trainer`, and calls `before` with the encoder and the number
    /// of the step in this frame before it records each: for an application that samples new rows
    /// for every step, or trains another network in turn. What `before` records counts as the step's
    /// cost. The steps are recorded one by one, also where a plan could take several at once.
    ///
    /// # Errors
    /// Those of [`FrameBudget::record`].
    pub fn record_with(
        &mut self,
        trainer: &mut Trainer,
        encoder: &mut wgpu::CommandEncoder,
        mut before: impl FnMut(&mut wgpu::CommandEncoder, u32),
    ) -> Result<FrameReport> {
        self.record_frame(trainer, encoder, Some(&mut before))
    }

    fn record_frame(
        &mut self,
        trainer: &mut Trainer,
        encoder: &mut wgpu::CommandEncoder,
        before: Option<Before<'_>>,
    ) -> Result<FrameReport> {
        if trainer.gpu().device() != self.gpu.device() {
            let what = "the trainer of a frame budget";
            return Err(Error::argument(what, "of another device", "of the budget's"));
        }
        let rests =
            !self.paused && self.timer.read(&self.gpu, &mut self.pace, &mut self.measured)?;
        let steps = if self.paused || rests { 0 } else { self.pace.next() };
        if steps > 0 || rests {
            self.timer.record(trainer, encoder, steps, before);
        }
        let cost = self.pace.cost();
        Ok(FrameReport {
            steps,
            measured: self.measured,
            step: cost.map(|cost| duration(cost.step)),
            launch: cost.map(|cost| duration(cost.launch)),
        })
    }
}
