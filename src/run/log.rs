//! The losses that a trainer has read from the GPU.

use crate::kernels::step::Status;
use crate::numeric::{narrow, wide};
use crate::training::Losses;

/// The losses read until now. Readbacks that are under way share it: their trainer goes on meanwhile.
#[derive(Debug)]
pub(super) struct Log {
    losses: Losses,
    /// The step that follows the losses.
    next: u64,
    /// The number of the run that they belong to.
    run: u32,
    /// The number of the last readback that was taken in.
    readback: u64,
}

impl Log {
    pub const fn new(models: usize) -> Self {
        Self { losses: Losses::new(models), next: 0, run: 0, readback: 0 }
    }

    /// Begins the log of run `run` at the readback `readback`: what was read before belongs to
    /// another one.
    pub fn start(&mut self, run: u32, readback: u64) {
        self.losses.clear(0);
        (self.next, self.run, self.readback) = (0, run, readback);
    }

    /// Begins the log of run `run` at `step`, with the losses of an earlier run.
    #[cfg(feature = "safetensors")]
    pub fn resume(&mut self, run: u32, readback: u64, step: u64, losses: &Losses) {
        self.start(run, readback);
        self.losses.clone_from(losses);
        self.next = step;
    }

    /// Whether steps were taken whose losses are not here.
    pub const fn lacks(&self, status: &Status) -> bool {
        status.run != self.run || status.next_step() > self.next
    }

    /// Adds the losses that are new in `ring`, the history on the GPU. Of two readbacks that end in
    /// another order than they began, the older one has nothing new.
    pub fn take_in(&mut self, readback: u64, status: &Status, ring: &[f32]) {
        if readback < self.readback {
            return;
        }
        if status.run != self.run {
            self.start(status.run, readback);
        }
        self.readback = readback;
        let (step, models) = (status.next_step(), self.losses.models);
        let history = ring.len() / models.max(1);
        let new = narrow(step.saturating_sub(self.next));
        let count = new.min(history);
        if new > count {
            self.losses.clear(step - wide(count));
        }
        let first = status.slot as usize + history - count;
        for row in (first..first + count).map(|row| row % history * models) {
            self.losses.push(&ring[row..row + models]);
        }
        self.next = step;
    }

    /// Forgets the losses that are here.
    pub fn forget(&mut self) {
        self.losses.forget();
    }

    pub const fn losses(&self) -> &Losses {
        &self.losses
    }
}
