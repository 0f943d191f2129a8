//! Steps by the resident kernel, many per dispatch.

use super::builder::Builder;
use super::sizes::Sizes;
use super::{Buffer, Node, StepGroup};
use crate::error::Result;
use crate::kernels::resident;
use crate::kernels::step::advance::Advance;

impl Builder<'_> {
    /// Step groups of the largest number of steps that one dispatch may take, of each smaller power
    /// of two, and of three quarters of each power. Any number of steps is then a sum of few
    /// groups.
    pub fn resident_groups(&self, sizes: &Sizes) -> Result<Vec<StepGroup>> {
        let shape = sizes.resident();
        let most = resident::most_steps(shape, self.capabilities)?;
        let powers = (0..u32::BITS).rev().flat_map(|bit| {
            let power = 1_u32 << bit;
            [Some(power), (bit > 1).then_some(power / 4 * 3)].into_iter().flatten()
        });
        let powers = powers.filter(|steps| *steps < most);
        let all: Vec<u32> = std::iter::once(most).chain(powers).collect();
        let dispatches = resident::dispatches(shape, &all, self.capabilities)?;
        all.into_iter()
            .zip(dispatches)
            .map(|(steps, dispatch)| {
                use Buffer::{Hyper, Inputs, Losses, Parameters, States, Status, Targets};
                let buffers = vec![Hyper, Inputs, Targets, Parameters, States, Losses, Status];
                let mut nodes = vec![Node { dispatch, buffers }];
                if self.models > 1 {
                    let dispatch =
                        Advance { steps, rows: shape.rows, batch: self.batch }.dispatch()?;
                    nodes.push(Node { dispatch, buffers: vec![Status] });
                }
                Ok(StepGroup { steps, nodes })
            })
            .collect()
    }
}
