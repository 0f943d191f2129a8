//! How long a frame's steps took.

use super::pace::Pace;
use crate::error::Result;
use crate::gpu::{Gpu, lock};
use crate::numeric::{duration, nanoseconds, ticks};
use crate::run::Trainer;
use crate::run::clock::Instant;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What an application records before each step.
pub(super) type Before<'a> = &'a mut dyn FnMut(&mut wgpu::CommandEncoder, u32);

#[derive(Debug)]
pub(super) enum Timer {
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
    pub fn submissions() -> Self {
        Self::Submissions { frames: 0, done: Arc::default(), rests: VecDeque::new() }
    }

    /// Takes what has been measured; whether this frame is to have no steps.
    ///
    /// # Errors
    /// A lost device.
    pub fn read(
        &mut self,
        gpu: &Gpu,
        pace: &mut Pace,
        measured: &mut Option<(u32, Duration)>,
    ) -> Result<bool> {
        match self {
            Self::Queries(queries) => {
                queries.read(gpu, |steps, time| {
                    pace.measured(steps, time);
                    *measured = Some((steps, duration(time)));
                })?;
                Ok(false)
            }
            Self::Submissions { frames, done, rests } => {
                (pace.growth, pace.loose) = (1.0 + 1.0 / 8.0, true);
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
                *frames = frames.wrapping_add(1);
                Ok(*frames <= RESTS || frames.is_multiple_of(REST_EVERY))
            }
        }
    }

    pub fn record(
        &mut self,
        trainer: &mut Trainer,
        encoder: &mut wgpu::CommandEncoder,
        taken: u32,
        before: Option<Before<'_>>,
    ) {
        match self {
            Self::Queries(queries) => queries.record(trainer, encoder, taken, before),
            Self::Submissions { done, .. } => {
                record_steps(trainer, encoder, taken, before, None);
                let (start, done) = (Instant::now(), done.clone());
                encoder.on_submitted_work_done(move || {
                    lock(&done).push((taken, nanoseconds(start.elapsed())));
                });
            }
        }
    }
}

/// Records steps between two timestamps.
fn record_steps(
    trainer: &mut Trainer,
    encoder: &mut wgpu::CommandEncoder,
    steps: u32,
    before: Option<Before<'_>>,
    timestamps: Option<wgpu::ComputePassTimestampWrites<'_>>,
) {
    let Some(before) = before else {
        return trainer.record_timed(encoder, steps, timestamps);
    };
    // The application's passes are its own: empty ones take the timestamps.
    let stamp = |encoder: &mut wgpu::CommandEncoder, begins: bool| {
        let Some(writes) = &timestamps else { return };
        let timestamp_writes = Some(wgpu::ComputePassTimestampWrites {
            query_set: writes.query_set,
            beginning_of_pass_write_index: writes.beginning_of_pass_write_index.filter(|_| begins),
            end_of_pass_write_index: writes.end_of_pass_write_index.filter(|_| !begins),
        });
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
    };
    stamp(encoder, true);
    for step in 0..steps {
        before(encoder, step);
        trainer.record(encoder, 1);
    }
    stamp(encoder, false);
}

/// Frames whose timestamps may be on their way at once; more are recorded without.
const SLOTS: u32 = 4;

const FREE: u8 = 0;
const UNDER_WAY: u8 = 1;
const READABLE: u8 = 2;

/// Pairs of timestamps and their way back.
#[derive(Debug)]
pub(super) struct Queries {
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
    pub fn new(gpu: &Gpu) -> Result<Self> {
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
    ///
    /// # Errors
    /// A lost device.
    pub fn read(&mut self, gpu: &Gpu, mut give: impl FnMut(u32, f64)) -> Result<()> {
        for slot in &self.slots {
            if slot.state.load(Ordering::Acquire) != READABLE {
                continue;
            }
            let read: Vec<u64> = gpu.guarded("the timestamps of a frame budget", || {
                let view = slot.staging.get_mapped_range(..);
                let read = view.map(|view| bytemuck::pod_collect_to_vec(&view));
                slot.staging.unmap();
                read.unwrap_or_default()
            })?;
            if let [begin, end] = read[..]
                && end > begin
            {
                give(slot.steps, ticks(end - begin) * self.period);
            }
            slot.state.store(FREE, Ordering::Release);
        }
        Ok(())
    }

    pub fn record(
        &mut self,
        trainer: &mut Trainer,
        encoder: &mut wgpu::CommandEncoder,
        steps: u32,
        before: Option<Before<'_>>,
    ) {
        let free = |(_, slot): &(u32, &mut Slot)| slot.state.load(Ordering::Acquire) == FREE;
        let Some((index, slot)) = (0..).zip(&mut self.slots).find(free) else {
            return record_steps(trainer, encoder, steps, before, None);
        };
        let writes = wgpu::ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(2 * index),
            end_of_pass_write_index: Some(2 * index + 1),
        };
        record_steps(trainer, encoder, steps, before, Some(writes));
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
