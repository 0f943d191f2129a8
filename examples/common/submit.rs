//! Running dispatches on a GPU, waiting for it, and reading a buffer of it.

#![allow(dead_code)]

use std::sync::mpsc;
use wgrad::{Error, Gpu, Prepared, Result};

/// Runs the dispatches `count` times, in one pass of one submission, and waits for the device.
pub fn submit(gpu: &Gpu, dispatches: &[Prepared], count: u32) -> Result<()> {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..count {
            dispatches.iter().for_each(|dispatch| dispatch.record(&mut pass));
        }
    }
    gpu.queue().submit([encoder.finish()]);
    wait(gpu)
}

/// Until everything submitted is done.
pub fn wait(gpu: &Gpu) -> Result<()> {
    let done = gpu.device().poll(wgpu::PollType::wait_indefinitely());
    done.map(|_| ()).map_err(|_| Error::DeviceLost)
}

/// The first `bytes` of a buffer.
pub fn read<T: bytemuck::Pod>(gpu: &Gpu, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<T>> {
    let staging = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some("read back"),
        size: bytes,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, bytes);
    gpu.queue().submit([encoder.finish()]);
    let (sender, receiver) = mpsc::channel();
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver is there until the device has been waited for.
        let _ = sender.send(result);
    });
    wait(gpu)?;
    if !matches!(receiver.recv(), Ok(Ok(()))) {
        return Err(Error::DeviceLost);
    }
    let view = staging.get_mapped_range(..).map_err(|_| Error::DeviceLost)?;
    Ok(bytemuck::pod_collect_to_vec(&view))
}
