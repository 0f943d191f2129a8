//! What each dispatch of a step costs by itself.

use crate::error::Result;
use crate::gpu::{prepare, record};
use crate::numeric::whole;
use crate::plan::Node;
use crate::run::Trainer;
use crate::run::clock::Instant;
use std::time::Duration;

/// Samples of each dispatch, after a first one.
const SAMPLES: u32 = 3;

/// The seconds that a sample should last at least.
const SAMPLE: f64 = 0.01;

/// The most dispatches of a sample.
const MOST: f64 = 100.0;

impl Trainer {
    /// [`Trainer::profile`] without blocking.
    ///
    /// # Errors
    /// A lost device, no memory.
    pub async fn profile_async(&mut self) -> Result<Vec<(Node, Duration)>> {
        self.drain().await?;
        let kept = self.keep_state()?;
        let nodes = self.plan.groups().first().map_or(Vec::new(), |group| group.nodes.clone());
        let mut rows = Vec::with_capacity(nodes.len());
        for node in nodes {
            let time = self.time(&node).await?;
            rows.push((node, time));
        }
        self.restore(&kept)?;
        self.status().await?;
        Ok(rows)
    }

    /// The least time of a dispatch in some passes of nothing else.
    async fn time(&self, node: &Node) -> Result<Duration> {
        let prepared = prepare(&self.gpu, &[node], self.buffers(), &[], None)?;
        let run = async |count: u32| {
            let start = Instant::now();
            self.gpu.submit(|encoder| record(encoder, &prepared, count))?;
            self.status().await?;
            Ok::<_, crate::error::Error>(start.elapsed())
        };
        // The first run compiles.
        run(1).await?;
        let count = whole((SAMPLE / run(1).await?.as_secs_f64()).clamp(1.0, MOST));
        let mut least = Duration::MAX;
        for _ in 0..SAMPLES {
            least = least.min(run(count).await? / count);
        }
        Ok(least)
    }
}
