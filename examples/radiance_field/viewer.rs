//! Pictures of a field, from anywhere.

use crate::camera::Camera;
use crate::common::Outcome;
use crate::field::{Batch, Field, Samples};
use crate::shader::{self, Pass, max_steps};
use crate::submit::read;
use wgrad::{Gpu, Inference, Output};

/// Rays of a submission: none of their samples may lack room, so this bounds the memory.
const RAYS: usize = 1024;

/// Draws a field, by the averages of its parameters.
pub struct Viewer {
    gpu: Gpu,
    view: wgpu::Buffer,
    rays: [Pass; 3],
    density: Inference,
    forward: Pass,
    colour: Inference,
    draw: Pass,
    pixels: wgpu::Buffer,
}

/// A picture, and how far away each pixel is: 0 for the background.
pub struct Drawn {
    /// sRGB from 0 to 1.
    pub colours: Vec<[f32; 3]>,
    pub depths: Vec<f32>,
    pub size: u32,
}

impl Viewer {
    pub fn new(field: &Field) -> Outcome<Self> {
        let gpu = &field.gpu;
        let samples =
            Samples::new(gpu, Batch { rays: RAYS, samples: RAYS * max_steps() as usize })?;
        let Samples { rays, spans, positions, features, colour_inputs, colours, .. } = &samples;
        let view = shader::uniform(gpu, "view", 80);
        let pixels = gpu.buffer("pixels", 16 * RAYS as u64)?;
        let buffers =
            [(1, spans), (2, features), (3, colours), (7, rays), (8, positions), (9, &pixels)];
        let text = (&*field.constants, include_str!("composite.wgsl"), "draw");
        let shoot = ("shoot_view", &[(9, &view)][..]);
        let [density, colour] = field.averages()?;
        Ok(Self {
            rays: samples.passes(gpu, &field.constants, shoot, &field.occupancy),
            density: field.density.inference_from(
                density.slice(..),
                samples.rows(),
                positions.slice(..),
                Output::Buffer(features.slice(..)),
            )?,
            forward: samples.forward(gpu, &field.constants),
            colour: field.colour.inference_from(
                colour.slice(..),
                samples.rows(),
                colour_inputs.slice(..),
                Output::Buffer(colours.slice(..)),
            )?,
            draw: Pass::new(gpu, text, &buffers, RAYS),
            gpu: gpu.clone(),
            view,
            pixels,
        })
    }

    /// What a camera sees, in `size` x `size` pixels.
    pub fn draw(&self, camera: &Camera, size: u32) -> Outcome<Drawn> {
        let mut pixels: Vec<[f32; 4]> = Vec::new();
        for first in (0..size * size).step_by(RAYS) {
            let words = camera.words();
            self.gpu.queue().write_buffer(&self.view, 0, bytemuck::bytes_of(&words));
            self.gpu.queue().write_buffer(&self.view, 64, bytemuck::bytes_of(&[size, first, 0, 0]));
            let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
            self.record(&mut encoder);
            self.gpu.queue().submit([encoder.finish()]);
            pixels.extend(read::<[f32; 4]>(&self.gpu, &self.pixels, 16 * RAYS as u64)?);
        }
        pixels.truncate((size * size) as usize);
        Ok(Drawn {
            colours: pixels.iter().map(|[r, g, b, _]| [*r, *g, *b]).collect(),
            depths: pixels.iter().map(|[.., depth]| *depth).collect(),
            size,
        })
    }

    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        self.rays.iter().for_each(|pass| pass.record(encoder));
        self.density.record(encoder);
        self.forward.record(encoder);
        self.colour.record(encoder);
        self.draw.record(encoder);
    }
}
