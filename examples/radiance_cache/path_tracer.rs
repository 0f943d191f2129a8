//! The path tracer by itself: a sample of every pixel for each time it is recorded.

use crate::common::Outcome;
use crate::passes::{Pass, Shader, storage};
use crate::scene::Scene;
use crate::submit;
use wgrad::Gpu;

pub struct PathTracer {
    gpu: Gpu,
    pass: Pass,
    pub sums: Sums,
}

impl PathTracer {
    /// `seed` sets the samples apart from those of another path tracer.
    pub fn new(gpu: &Gpu, scene: &Scene, uniform: &wgpu::Buffer, seed: u32) -> Self {
        let sums = Sums::new(gpu, scene);
        let constants = [("SEED", f64::from(seed))];
        let shader = Shader::new(gpu.device(), include_str!("tracer.wgsl"), &constants);
        let bound = [(0, uniform), (1, &sums.buffer)];
        let pass = shader.pass("path_trace", scene.pixels().div_ceil(64), &bound);
        Self { gpu: gpu.clone(), pass, sums }
    }

    /// Takes samples and waits for them. A dispatch takes one of each pixel: drivers end what runs
    /// too long.
    pub fn run(&self, samples: u32) -> Outcome {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        (0..samples).for_each(|_| self.pass.record(&mut encoder));
        self.gpu.queue().submit([encoder.finish()]);
        Ok(submit::wait(&self.gpu)?)
    }

    /// Forgets all samples.
    pub fn restart(&self) {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        encoder.clear_buffer(&self.sums.buffer, 0, None);
        self.gpu.queue().submit([encoder.finish()]);
    }
}

/// Of each pixel the sum of its samples and their number, on the GPU.
pub struct Sums {
    gpu: Gpu,
    pub buffer: wgpu::Buffer,
}

impl Sums {
    pub fn new(gpu: &Gpu, scene: &Scene) -> Self {
        let buffer = storage(gpu.device(), "sums", 16 * u64::from(scene.pixels()));
        Self { gpu: gpu.clone(), buffer }
    }

    pub fn read(&self) -> Outcome<Vec<f32>> {
        Ok(submit::read(&self.gpu, &self.buffer, self.buffer.size())?)
    }
}
