//! A trainer's state, to go on with.

use super::CpuTrainer;
use crate::error::Result;
use crate::network::Parameters;
use crate::numeric::Real;
use crate::training::{Checkpoint, Progress};

impl<T: Real> CpuTrainer<T> {
    pub(super) fn to_checkpoint(&self) -> Result<Checkpoint<T>> {
        let (models, p) = (self.training.models, self.mlp.parameters());
        let parameters = Parameters::new(self.mlp.clone(), models, self.parameters.clone())?;
        let progress = Progress {
            step: self.step,
            updates: self.step,
            cursor: self.cursor,
            diverged: self.diverged.clone(),
        };
        let mut checkpoint =
            Checkpoint::new(&self.training, parameters, progress, self.losses.clone())?;
        let state = |i: usize| self.states.iter().flat_map(move |s| &s[i * p..(i + 1) * p]);
        let states = (0..self.training.optimizer.states()).map(|i| state(i).copied().collect());
        checkpoint.states = states.collect();
        if self.training.ema.is_some() {
            checkpoint.ema.clone_from(&self.ema);
        }
        Ok(checkpoint)
    }

    pub(super) fn go_on(&mut self, checkpoint: &Checkpoint<T>) -> Result<()> {
        let p = self.mlp.parameters();
        self.training = checkpoint.check(&self.mlp, &self.training, self.data.rows())?;
        self.parameters = checkpoint.parameters().values().to_vec();
        for (m, states) in self.states.iter_mut().enumerate() {
            states.fill(T::ZERO);
            for (of_model, all) in states.chunks_mut(p).zip(&checkpoint.states) {
                of_model.copy_from_slice(&all[m * p..(m + 1) * p]);
            }
        }
        let ema = if checkpoint.ema.is_empty() { &self.parameters } else { &checkpoint.ema };
        self.ema = ema.clone();
        let Progress { step, cursor, diverged, .. } = checkpoint.progress.clone();
        (self.step, self.cursor, self.diverged) = (step, cursor, diverged);
        self.losses = checkpoint.losses.clone();
        Ok(())
    }
}
