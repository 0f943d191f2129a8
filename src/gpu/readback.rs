//! The way of results back to the CPU.

use crate::error::{Error, Result};
use crate::gpu::{Gpu, lock};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

impl Gpu {
    /// Starts to read `bytes` bytes of `buffer` from `offset` on, after all that was submitted.
    ///
    /// # Errors
    /// A range outside the buffer, no memory.
    pub(crate) fn read(&self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Result<Readback> {
        if bytes == 0 {
            return Ok(Readback { gpu: self.clone(), staging: None, state: Arc::default() });
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging =
            self.make_buffer("a readback", bytes, usage, self.capabilities.limits.max_buffer_size)?;
        self.submit(|encoder| encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, bytes))?;
        let state: Arc<Mutex<Mapped>> = Arc::default();
        let shared = state.clone();
        self.guarded("a readback", || {
            staging.map_async(wgpu::MapMode::Read, .., move |result| {
                let mut state = lock(&shared);
                state.result = Some(result.is_ok());
                if let Some(waker) = state.waker.take() {
                    waker.wake();
                }
            });
        })?;
        Ok(Readback { gpu: self.clone(), staging: Some(staging), state })
    }
}

/// A readback under way.
///
/// Outside the web it drives the device when it is polled, and asks to be polled again: any
/// executor will do.
pub(crate) struct Readback {
    gpu: Gpu,
    staging: Option<wgpu::Buffer>,
    state: Arc<Mutex<Mapped>>,
}

#[derive(Default)]
struct Mapped {
    result: Option<bool>,
    waker: Option<Waker>,
    /// Looks in a row that found the queue empty.
    idle: u32,
}

/// Looks at an empty queue after which the device is asked whether it is lost: a tenth of a second
/// or more.
const MAX_IDLE: u32 = 2000;

impl Future for Readback {
    type Output = Result<Vec<u8>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(staging) = &self.staging else {
            return Poll::Ready(Ok(Vec::new()));
        };
        if self.gpu.lost.is_lost() {
            return Poll::Ready(Err(Error::DeviceLost));
        }
        if cfg!(not(target_family = "wasm")) && lock(&self.state).result.is_none() {
            // Looks, and pauses a moment before it is asked again. Not a wait with a time limit: one
            // that runs out while another thread empties the queue panics in wgpu 30.0.1.
            let empty = match self.gpu.device.poll(wgpu::PollType::Poll) {
                Ok(status) => status.is_queue_empty(),
                Err(_) => return Poll::Ready(Err(Error::DeviceLost)),
            };
            let mut state = lock(&self.state);
            if state.result.is_none() {
                // Nothing is under way and still no answer. Either none will come, or another
                // thread's poll has taken it along and is busy with callbacks before it.
                state.idle = if empty { state.idle + 1 } else { 0 };
                let ask = state.idle > MAX_IDLE;
                if ask {
                    state.idle = 0;
                }
                drop(state);
                if ask {
                    self.gpu.check_present()?;
                }
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        }
        let mut state = lock(&self.state);
        let Some(mapped) = state.result else {
            state.waker = Some(context.waker().clone());
            if cfg!(not(target_family = "wasm")) {
                context.waker().wake_by_ref();
            }
            return Poll::Pending;
        };
        drop(state);
        // What was reported of the calls before explains a failure, and an answer without meaning.
        std::task::ready!(self.gpu.poll_reports(context.waker()))?;
        if !mapped {
            return Poll::Ready(Err(Error::DeviceLost));
        }
        let bytes = self.gpu.guarded("a readback", || {
            let bytes = staging.get_mapped_range(..).map(|view| view.to_vec());
            staging.unmap();
            bytes
        })?;
        Poll::Ready(bytes.map_err(|_| Error::DeviceLost))
    }
}
