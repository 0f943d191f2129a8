//! The photographs: all that the networks are ever shown of the scene.

use crate::camera::{self, Camera};
use crate::common::{self, Outcome, Stop, usage};
use crate::shader::{self, Pass};
use crate::submit::{read, wait};
use image::RgbImage;
use wgrad::Gpu;

/// Views of the scene on the GPU. Those to learn from come first; the others are held out.
pub struct Photographs {
    /// `struct Camera` of `common.wgsl`, for each view.
    pub cameras: wgpu::Buffer,
    /// `[views, size, size]`, 8 bits for each of four channels.
    pub pixels: wgpu::Buffer,
    /// Views to learn from.
    pub learnt: usize,
    /// Pixels of a side.
    pub size: u32,
    /// The views that are held out: the camera, and what it sees.
    pub held_out: Vec<(Camera, RgbImage)>,
}

impl Photographs {
    /// Renders `learnt + held_out` views of the scene.
    pub fn take(gpu: &Gpu, learnt: usize, held_out: usize, size: u32) -> Outcome<Self> {
        let views = order(learnt, held_out);
        let cameras = shader::cameras(gpu, &views)?;
        let view_bytes = 4 * u64::from(size * size);
        let bytes = view_bytes * views.len() as u64;
        if bytes > gpu.max_binding() {
            let most = gpu.max_binding() / view_bytes;
            return Err(usage(format!("--views: {most} of this size fit a buffer of the device")));
        }
        let pixels = gpu.buffer("photographs", bytes)?;
        let task = shader::uniform(gpu, "which photograph", 8);
        let text = (&*shader::constants(), include_str!("scene.wgsl"), "photograph");
        let buffers = [(0, &cameras), (1, &pixels), (2, &task)];
        let pass = Pass::new(gpu, text, &buffers, (size * size) as usize);
        let bar = common::progress(views.len() as u64, "photographs");
        for view in 0..views.len() as u32 {
            gpu.queue().write_buffer(&task, 0, bytemuck::bytes_of(&[size, view]));
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            pass.record(&mut encoder);
            gpu.queue().submit([encoder.finish()]);
            wait(gpu)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        let rgba: Vec<[u8; 4]> = read(gpu, &pixels, bytes)?;
        let pictures = rgba.chunks((size * size) as usize).map(|view| picture(size, view));
        let seen = views.iter().copied().zip(pictures).skip(learnt);
        let held_out = seen.map(|(camera, picture)| Ok((camera, picture?)));
        Ok(Self { cameras, pixels, learnt, size, held_out: held_out.collect::<Outcome<_>>()? })
    }
}

/// The views, those that are held out last; they lie evenly between the others.
fn order(learnt: usize, held_out: usize) -> Vec<Camera> {
    let count = learnt + held_out;
    let is_held_out = |i: usize| (i + 1) * held_out / count > i * held_out / count;
    let all = camera::spiral(count);
    let (apart, mut views): (Vec<_>, Vec<_>) = (0..count).partition(|i| is_held_out(*i));
    views.extend(apart);
    views.into_iter().map(|i| all[i]).collect()
}

fn picture(size: u32, pixels: &[[u8; 4]]) -> Outcome<RgbImage> {
    let rgb = pixels.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
    RgbImage::from_raw(size, size, rgb).ok_or_else(|| Stop::Failed("a picture's length".into()))
}
