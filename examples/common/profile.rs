//! What each dispatch of a training's step costs by itself.

use super::submit::submit;
use std::time::Instant;
use wgrad::plan::{Buffer, Node};
use wgrad::{Error, Gpu, Result, Trainer};

/// Samples of each dispatch, after a first, and the seconds that one should last at least.
const SAMPLES: u32 = 3;
const SAMPLE: f64 = 0.01;

/// Each dispatch of a step, or of as many steps as the plan takes at once, and its seconds in a pass
/// of nothing else: the least of three samples.
pub fn profile<'a>(gpu: &Gpu, trainer: &'a Trainer) -> Result<Vec<(&'a Node, f64)>> {
    let bind = |name: &Buffer| match trainer.buffer(*name) {
        Some(buffer) => Ok(buffer.as_entire_buffer_binding()),
        None => Err(Error::Argument {
            what: format!("the plan's buffer `{name}`"),
            found: "missing".into(),
            allowed: "one that the trainer holds".into(),
        }),
    };
    let mut rows = Vec::new();
    for node in trainer.plan().groups().first().map_or(&[][..], |stride| &stride.nodes) {
        let buffers = node.buffers.iter().map(bind).collect::<Result<Vec<_>>>()?;
        let prepared = [gpu.prepare(&node.dispatch, &buffers)?];
        let run = |count| {
            let start = Instant::now();
            submit(gpu, &prepared, count).map(|()| start.elapsed().as_secs_f64())
        };
        // The first run compiles.
        run(1)?;
        let count = (SAMPLE / run(1)?).clamp(1.0, 100.0) as u32;
        let mut least = f64::INFINITY;
        for _ in 0..SAMPLES {
            least = least.min(run(count)? / f64::from(count));
        }
        rows.push((node, least));
    }
    Ok(rows)
}
