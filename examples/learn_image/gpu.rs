//! The picture on the GPU: a texture, in tiles if it has to be, and the pass that draws samples of it.

use crate::common::{self, Options, Outcome, Stop, say, thousands};
use crate::source::{Pixels, Source};
use crate::submit::wait;
use std::time::Instant;
use wgrad::plan::Buffer;
use wgrad::{DataBuffers, DataShape, Gpu, Mlp, Model, Train, Trainer, Training};

/// How a picture is cut: pixels of a tile, and tiles in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles {
    pub tile: [u32; 2],
    pub count: [u32; 2],
}

impl Tiles {
    /// As few tiles as textures of `most` pixels a side and `layers` layers allow.
    ///
    /// # Errors
    /// More tiles than layers.
    pub fn new(size: [u32; 2], most: u32, layers: u32) -> Outcome<Self> {
        let count = size.map(|side| side.div_ceil(most));
        let tile = [0, 1].map(|d| size[d].div_ceil(count[d]));
        // Of the rounded size fewer may do.
        let count = [0, 1].map(|d| size[d].div_ceil(tile[d]));
        if u64::from(count[0]) * u64::from(count[1]) > u64::from(layers) {
            let [width, height] = size;
            return Err(Stop::Failed(format!(
                "the picture has {width} x {height} pixels: {} x {} textures of {most} a side; \
                 this device allows {layers}",
                count[0], count[1]
            )));
        }
        Ok(Self { tile, count })
    }

    pub const fn layers(self) -> u32 {
        self.count[0] * self.count[1]
    }
}

/// Bytes that are on their way to the texture at once, at most.
const UPLOAD: u32 = 1 << 26;

/// Writes the picture into the layers of a texture.
fn upload(gpu: &Gpu, source: &Source, tiles: Tiles) -> Outcome<wgpu::Texture> {
    let device = gpu.device();
    let (format, bytes) = match source.pixels {
        Pixels::Eight(_) => (wgpu::TextureFormat::Rgba8UnormSrgb, 4),
        _ => (wgpu::TextureFormat::Rgba32Float, 16),
    };
    let [width, height] = tiles.tile;
    let size = wgpu::Extent3d { width, height, depth_or_array_layers: tiles.layers() };
    let scopes = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation]
        .map(|kind| device.push_error_scope(kind));
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("picture"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    for scope in scopes.into_iter().rev() {
        if let Some(error) = pollster::block_on(scope.pop()) {
            let all = width as usize * height as usize * tiles.layers() as usize * bytes as usize;
            let (all, error) = (thousands(all), common::one_line(&error.to_string()));
            return Err(Stop::Failed(format!("the picture's {all} bytes on the GPU: {error}")));
        }
    }
    let band = (UPLOAD / (width * bytes)).max(1);
    for layer in 0..tiles.layers() {
        let corner = [layer % tiles.count[0] * width, layer / tiles.count[0] * height];
        let [wide, high] = [0, 1].map(|d| tiles.tile[d].min(source.size[d] - corner[d]));
        for first in (0..high).step_by(band as usize) {
            let rows = band.min(high - first);
            let mut texels = Vec::with_capacity((wide * rows * bytes) as usize);
            for y in corner[1] + first..corner[1] + first + rows {
                for x in corner[0]..corner[0] + wide {
                    match &source.pixels {
                        Pixels::Eight(values) => texels.extend(source.texel(values, x, y)),
                        _ => texels
                            .extend_from_slice(bytemuck::bytes_of(&source.texel_of_light(x, y))),
                    }
                }
            }
            let mut to = texture.as_image_copy();
            to.origin = wgpu::Origin3d { x: 0, y: first, z: layer };
            let line = Some(wide * bytes);
            let layout = wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: line,
                rows_per_image: None,
            };
            let part = wgpu::Extent3d { width: wide, height: rows, depth_or_array_layers: 1 };
            gpu.queue().write_texture(to, &texels, layout, part);
            // What a write keeps on its way is freed when a submission is done.
            gpu.queue().submit([]);
            wait(gpu)?;
        }
    }
    Ok(texture)
}

impl Source {
    /// A pixel's values as a texture has them.
    fn texel(&self, values: &[u8], x: u32, y: u32) -> [u8; 4] {
        let pixel = &values[self.at(x, y)];
        let alpha = if self.has_alpha() { pixel[self.colours()] } else { u8::MAX };
        let colour = |c: usize| pixel[c.min(self.colours() - 1)];
        [colour(0), colour(1), colour(2), alpha]
    }

    /// A pixel's light as a texture has it.
    fn texel_of_light(&self, x: u32, y: u32) -> [f32; 4] {
        let light = self.light(x, y);
        let alpha = if self.has_alpha() { light[self.colours()] } else { 1.0 };
        let colour = |c: usize| light[c.min(self.colours() - 1)];
        [colour(0), colour(1), colour(2), alpha]
    }
}

/// The trainer, and the example's own pass that fills its data.
pub struct OnGpu {
    pub gpu: Gpu,
    pub trainer: Trainer,
    sampler: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: u32,
    pub channels: usize,
    /// What the pass writes, places and the light at them: the tests read it.
    #[cfg_attr(not(test), expect(dead_code))]
    pub data: [wgpu::Buffer; 2],
}

impl OnGpu {
    /// With tiles of at most `most` pixels a side.
    pub fn new(
        gpu: &Gpu,
        mlp: &Mlp,
        training: &Training,
        source: &Source,
        batch: u32,
        most: u32,
    ) -> Outcome<Self> {
        let device = gpu.device();
        let tiles = Tiles::new(source.size, most, device.limits().max_texture_array_layers)?;
        let picture = upload(gpu, source, tiles)?;
        let channels = source.channels;
        let places = gpu.buffer("places", 8 * u64::from(batch))?;
        let lights = gpu.buffer("lights", 4 * channels as u64 * u64::from(batch))?;
        let data =
            DataBuffers::new(DataShape::shared(batch as usize), places.slice(..), lights.slice(..));
        let trainer = Trainer::with_buffers(gpu, mlp, training, data)?;
        let pair = |[x, y]: [u32; 2]| format!("vec2<i32>({x}, {y})");
        let text = format!(
            "const BATCH: u32 = {batch}u; const SEED: u32 = {}u; const SIZE = {}; const TILE = {}; \
             const COLUMNS: i32 = {}; const CHANNELS: u32 = {channels}u; const STRAIGHT: bool = {};\n{}",
            training.seed as u32,
            pair(source.size),
            pair(tiles.tile),
            tiles.count[0],
            !matches!(source.pixels, Pixels::Float(_) | Pixels::Sixteen(_)),
            include_str!("sampler.wgsl")
        );
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("sampler"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let sampler = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("sampler"),
            layout: None,
            module: &module,
            entry_point: Some("sample"),
            compilation_options: Default::default(),
            cache: None,
        });
        let status = trainer.buffer(Buffer::Status);
        let status = status.ok_or_else(|| Stop::Failed("the trainer has no status".into()))?;
        let view = picture.create_view(&wgpu::TextureViewDescriptor {
            dimension: Some(wgpu::TextureViewDimension::D2Array),
            ..Default::default()
        });
        let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("sampler"),
            layout: &sampler.get_bind_group_layout(0),
            entries: &[
                entry(0, wgpu::BindingResource::TextureView(&view)),
                entry(1, status.as_entire_binding()),
                entry(2, places.as_entire_binding()),
                entry(3, lights.as_entire_binding()),
            ],
        });
        let (gpu, workgroups, data) = (gpu.clone(), batch.div_ceil(64), [places, lights]);
        Ok(Self { gpu, trainer, sampler, group, workgroups, channels, data })
    }

    /// Fills the data with samples for the step that comes.
    pub fn sample(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.sampler);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(self.workgroups, 1, 1);
    }

    /// The average of the parameters where the training keeps one, by itself.
    pub fn averaged(&mut self) -> Outcome<Option<Model>> {
        if self.trainer.training().ema.is_none() {
            return Ok(None);
        }
        Ok(Some(Model::new(&self.gpu, &self.trainer.ema_parameters()?)?))
    }

    /// The time of each dispatch of a step by itself.
    pub fn profile(&mut self, options: &Options) -> Outcome {
        let mut sample = f64::INFINITY;
        for _ in 0..6 {
            let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
            self.sample(&mut encoder);
            let start = Instant::now();
            self.gpu.queue().submit([encoder.finish()]);
            wait(&self.gpu)?;
            sample = sample.min(start.elapsed().as_secs_f64());
        }
        let mut rows = vec![("sample (the example's own)".to_owned(), sample)];
        for (node, time) in self.trainer.profile()? {
            let seconds = time.as_secs_f64();
            let kernel = node.dispatch.kernel().name;
            let part = match kernel {
                "encode_grid" | "encode_pointwise" => "encoding",
                "max_abs" | "scatter" | "dequantize" => "gradient of the tables",
                "update" | "ema" => "optimizer",
                _ => "network and loss",
            };
            let name = format!("{part}: {kernel}");
            match rows.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += seconds,
                None => rows.push((name, seconds)),
            }
        }
        let sum: f64 = rows.iter().map(|(_, seconds)| seconds).sum();
        say!(options, "each dispatch of a step by itself:");
        for (name, seconds) in &rows {
            let share = 100.0 * seconds / sum;
            say!(options, "  {name:40} {:>10}  {share:>5.1} %", common::time(*seconds));
        }
        say!(options, "{}", self.trainer.plan());
        Ok(())
    }
}
