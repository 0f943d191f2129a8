//! Steps by the resident kernel, many per dispatch.

use super::Buffer;
use super::builder::Builder;
use super::sizes::Sizes;
use crate::error::Result;
use crate::kernels::resident;
use crate::kernels::step::advance::Advance;

impl Builder<'_> {
    /// Adds dispatches of the largest number of steps that one may take, of each smaller power of
    /// two, and of three quarters of each power. Returns these numbers: any number of steps is a sum
    /// of few of them.
    pub fn resident_steps(&mut self, sizes: &Sizes) -> Result<Vec<u32>> {
        let shape = sizes.resident();
        let most = resident::most_steps(shape, self.capabilities)?;
        let powers = (0..u32::BITS).rev().flat_map(|bit| {
            let power = 1_u32 << bit;
            [Some(power), (bit > 1).then_some(power / 4 * 3)].into_iter().flatten()
        });
        let powers = powers.filter(|steps| *steps < most);
        let all: Vec<u32> = std::iter::once(most).chain(powers).collect();
        let dispatches = resident::dispatches(shape, &all, self.capabilities)?;
        for (steps, dispatches) in all.iter().zip(dispatches) {
            use Buffer::{Hyper, Inputs, Losses, Parameters, States, Status, Targets};
            for dispatch in dispatches {
                self.push(dispatch, &[Hyper, Inputs, Targets, Parameters, States, Losses, Status]);
            }
            if self.models > 1 {
                let advance = Advance {
                    steps: *steps,
                    rows: shape.rows,
                    batch: self.batch,
                    history: shape.history,
                };
                self.push(advance.dispatch()?, &[Status]);
            }
        }
        Ok(all)
    }
}
