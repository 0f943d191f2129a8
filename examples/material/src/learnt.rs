//! A material in latent textures and a small network, which is learnt from all its mip levels. After three
//! tenths of the steps the network learns from the textures as block compression leaves them, which are
//! made again every hundred steps; in the last steps the textures stay.

use crate::blocks;
use crate::common::{self, Options, Outcome, Stop, progress};
use crate::draw::Surface;
use crate::material::{Level, Material, Texel};
use crate::textures::{bound, filter, uploaded_bytes};
use image::RgbaImage;
use indicatif::ProgressBar;
use rayon::prelude::*;
use std::path::Path;
use std::time::Instant;
use wgrad::encoding::{Grid, Identity};
use wgrad::{
    Activation, Adam, Batch, Data, Gpu, Loss, Mlp, Optimizer, Packed, Parameters, Part, Schedule,
    Storage, StraightThrough, TextureMips, Train, Training,
};

/// The name of the function.
const NAME: &str = "look";

/// Rows of a step.
const ROWS: usize = 8192;

/// Steps between two movements of the progress bar, and between two block compressions.
const AT_ONCE: u32 = 100;

/// One of so many rows lies between the texels and between the levels.
const BETWEEN: usize = 5;

/// A material as it was learnt.
pub struct Learnt {
    packed: Packed,
    textures: Vec<TextureMips>,
    /// The blocks of each texture's levels.
    blocks: Vec<Vec<Vec<u8>>>,
    /// The channels that the network gives.
    channels: Vec<usize>,
    /// What the textures and the network give for the texels.
    pub material: Material,
    pub seconds: f64,
}

/// The parts of the material's side that the latent textures have, each of two channels.
const TEXTURES: [u32; 5] = [2, 2, 4, 8, 8];

/// Units of a hidden layer.
const HIDDEN: usize = 64;

/// Texels of the first level that each wave of the place spans.
const PERIODS: [u32; 2] = [4, 8];

/// The network's inputs: the two coordinates, the level of detail, and the waves.
const INPUTS: usize = 3 + 4 * PERIODS.len();

/// The inputs at a place of a material of `size` texels a side: of each coordinate two triangle waves of each
/// period, a quarter of it apart, which tell the texels within one of a latent texture from each other. They
/// fade before a pixel holds half a wave, and do not flicker.
fn inputs(size: usize, [u, v]: [f32; 2], lod: f32) -> [f32; INPUTS] {
    let mut all = [0.0; INPUTS];
    all[..3].copy_from_slice(&[u, v, lod]);
    let waves = PERIODS.iter().flat_map(|period| {
        let share = (period.ilog2() as f32 - lod).clamp(0.0, 1.0);
        let wave = move |at: f32, shift: f32| {
            let x = at * size as f32 / *period as f32 + 0.125 + shift;
            share * (4.0 * (x - x.floor() - 0.5).abs() - 1.0)
        };
        [wave(u, 0.0), wave(u, 0.25), wave(v, 0.0), wave(v, 0.25)]
    });
    all[3..].iter_mut().zip(waves).for_each(|(to, wave)| *to = wave);
    all
}

/// [`inputs`] in WGSL.
fn inputs_text(size: usize) -> String {
    let periods = PERIODS.map(|period| format!("{period}.0")).join(", ");
    format!(
        "fn inputs(uv: vec2<f32>, lod: f32) -> array<f32, {INPUTS}> {{
    var all = array<f32, {INPUTS}>();
    all[0] = uv.x;
    all[1] = uv.y;
    all[2] = lod;
    let periods = array<f32, {count}>({periods});
    for (var i = 0u; i < {count}u; i++) {{
        let share = clamp(log2(periods[i]) - lod, 0.0, 1.0);
        let at = (uv * {size}.0 / periods[i]).xxyy + vec4<f32>(0.125, 0.375, 0.125, 0.375);
        let waves = share * (4.0 * abs(fract(at) - 0.5) - 1.0);
        for (var k = 0u; k < 4u; k++) {{
            all[3u + 4u * i + k] = waves[k];
        }}
    }}
    return all;
}}
",
        count = PERIODS.len()
    )
}

/// The network of `channels` channels of `size` texels a side: the latent textures, the level of detail, and
/// the waves.
fn network(size: usize, channels: usize) -> Mlp {
    let side = size as u32;
    let texture = |part: &u32| {
        let of = (side / part).max(2);
        Grid::texture(of, 2).from_lod((side / of).max(1).ilog2() as f32)
    };
    let textures = TEXTURES.iter().map(texture);
    textures
        .fold(Mlp::new(INPUTS), |mlp, texture| mlp.encode_at(0, 3, texture))
        .encode_at(2, 1, Identity { scale: 0.2, offset: -0.5 })
        .encode_at(3, INPUTS - 3, Identity::default())
        .layer(HIDDEN, Activation::Gelu)
        .layer(HIDDEN, Activation::Gelu)
        .layer(HIDDEN, Activation::Gelu)
        .layer(channels, Activation::Identity)
}

/// The channels that are not the same everywhere: the others are not learnt. At least one.
fn varying(material: &Material) -> Vec<usize> {
    let texels = || material.levels.iter().flat_map(|level| &level.texels);
    let differs = |c: &usize| texels().any(|texel| texel[*c] != material.levels[0].texels[0][*c]);
    let all: Vec<usize> = (0..9).filter(differs).collect();
    if all.is_empty() { vec![0] } else { all }
}

/// What the network learns of each channel, times the channel's value. With 1 the loss is the squares' sum,
/// where the channel with the most detail takes what the textures hold; with the inverse root of a channel's
/// error each would lose the same part of its own. Half the texels a side lose detail as the textures do. So
/// this is the inverse fourth root of what they lose: in the middle.
fn factors(material: &Material, channels: &[usize]) -> Vec<f32> {
    let whole = &material.levels[0];
    let half = whole.shrunk(whole.size / 2).enlarged(whole.size);
    let lost = |c: &usize| -> f64 {
        let pairs = whole.texels.iter().zip(&half.texels);
        pairs.map(|(a, b)| f64::from(a[*c] - b[*c]).powi(2)).sum::<f64>()
            / whole.texels.len() as f64
    };
    let all: Vec<f64> = channels.iter().map(|c| lost(c).max(1e-6).powf(-0.25)).collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    all.iter().map(|factor| (factor / mean) as f32).collect()
}

/// The outputs of parameters' last layer, over factors.
fn over(parameters: &Parameters, factors: &[f32]) -> Outcome<Parameters> {
    let mut values = parameters.values().to_vec();
    let first = values.len() - factors.len() * (HIDDEN + 1);
    let (weights, biases) = values[first..].split_at_mut(factors.len() * HIDDEN);
    for ((row, bias), factor) in weights.chunks_exact_mut(HIDDEN).zip(biases).zip(factors) {
        row.iter_mut().chain([bias]).for_each(|value| *value /= factor);
    }
    Ok(Parameters::new(parameters.mlp().clone(), 1, values)?)
}

/// The rows of all texels, and some between them: the channels times factors.
fn rows(material: &Material, channels: &[usize], factors: &[f32]) -> Outcome<Data> {
    let of = |texel: &Texel| {
        channels.iter().zip(factors).map(|(c, factor)| factor * texel[*c]).collect::<Vec<_>>()
    };
    let (mut x, mut t) = (Vec::new(), Vec::new());
    let mut random = Random(1);
    for (lod, level) in material.levels.iter().enumerate() {
        let side = level.size as f32;
        for (i, texel) in level.texels.iter().enumerate() {
            let (row, column) = (i / level.size, i % level.size);
            let place = [column, row].map(|at| (at as f32 + 0.5) / side);
            x.extend(inputs(material.size(), place, lod as f32));
            t.extend(of(texel));
            if i % BETWEEN == 0 {
                let place = [random.next(), random.next()];
                let between = (lod as f32 + random.next()).min(material.levels.len() as f32 - 1.0);
                x.extend(inputs(material.size(), place, between));
                t.extend(of(&sampled(material, place, between)));
            }
        }
    }
    Ok(Data::new(INPUTS, channels.len(), x, t)?)
}

/// What a filter gives that is linear between texels and between levels.
fn sampled(material: &Material, place: [f32; 2], lod: f32) -> Texel {
    let of_level = |level: &Level| -> Texel {
        let at = place.map(|v| v * level.size as f32 - 0.5 + level.size as f32);
        let (first, share) = (at.map(|v| v.floor() as usize), at.map(f32::fract));
        let texel = |right, down| level.at(first[0] + right, first[1] + down);
        std::array::from_fn(|c| {
            let line = |down| texel(0, down)[c] * (1.0 - share[0]) + texel(1, down)[c] * share[0];
            line(0) * (1.0 - share[1]) + line(1) * share[1]
        })
    };
    let low = (lod as usize).min(material.levels.len() - 1);
    let high = (low + 1).min(material.levels.len() - 1);
    let (near, far) = (of_level(&material.levels[low]), of_level(&material.levels[high]));
    let share = lod - low as f32;
    std::array::from_fn(|c| near[c] * (1.0 - share) + far[c] * share)
}

/// Numbers of 0 to 1: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1 << 24) as f32
    }
}

/// Learns a material in so many steps, on a GPU or on the CPU, and rounds what was learnt to blocks and halves.
pub fn learn(device: Option<&Gpu>, material: &Material, steps: u32) -> Outcome<Learnt> {
    let start = Instant::now();
    let channels = varying(material);
    let mlp = network(material.size(), channels.len());
    let factors = factors(material, &channels);
    let data = rows(material, &channels, &factors)?;
    let bar = progress(steps.into(), "steps");
    let (free, last) = (3 * steps / 10, steps / 10);
    let mut trainer = trainer(device, &mlp, &data, steps - last, true)?;
    run(trainer.as_mut(), free, &bar)?;
    let mut exact = StraightThrough::new(trainer.as_mut())?.commitment(0.1)?;
    let mut left = steps - last - free;
    while left > 0 {
        let now = left.min(AT_ONCE);
        exact
            .train(trainer.as_mut(), now, |exact| with_tables(exact, &in_blocks(exact)?.packed))?;
        left -= now;
        bar.inc(now.into());
    }
    let exact = exact.parameters();
    let InBlocks { packed, textures, blocks } = in_blocks(exact)?;
    let mut parameters = with_tables(exact, &packed)?;
    if last > 0 {
        let mut trainer = self::trainer(device, &mlp, &data, last, false)?;
        trainer.restart(&parameters)?;
        run(trainer.as_mut(), last, &bar)?;
        parameters = trainer.parameters()?;
    }
    let packed = packed.with_layers(&over(&parameters, &factors)?)?;
    bar.finish_and_clear();
    let material = decoded(material, &channels, &packed)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Learnt { packed, textures, blocks, channels, material, seconds })
}

/// Parameters whose tables are textures in blocks.
struct InBlocks {
    packed: Packed,
    textures: Vec<TextureMips>,
    /// The blocks of each texture's levels.
    blocks: Vec<Vec<Vec<u8>>>,
}

fn in_blocks(exact: &Parameters) -> wgrad::Result<InBlocks> {
    let packed = exact.pack(Storage::Snorm8)?;
    let mut textures = packed.textures(0)?;
    let blocks = textures.iter_mut().map(|of| blocks::in_bc5(of.side, &mut of.mips)).collect();
    let packed = packed.with_textures(0, &textures)?;
    Ok(InBlocks { packed, textures, blocks })
}

/// Parameters with the tables of others: the layers stay exact.
fn with_tables(exact: &Parameters, of: &Packed) -> wgrad::Result<Parameters> {
    let tables = exact.mlp().encoding_parameters();
    let mut values = of.parameters().values()[..tables].to_vec();
    values.extend_from_slice(&exact.values()[tables..]);
    Parameters::new(exact.mlp().clone(), 1, values)
}

/// A trainer of all of a network, or of its layers alone.
fn trainer(
    device: Option<&Gpu>,
    mlp: &Mlp,
    data: &Data,
    steps: u32,
    tables: bool,
) -> Outcome<Box<dyn Train<Scalar = f32>>> {
    // A texel is seen every few steps. So a short memory of its gradient's size is the truer one, and a texel
    // that is not seen stays.
    let adam = Adam { rate: 2e-2, beta2: 0.95, epsilon: 1e-15, lazy: true, ..Adam::default() };
    let mut training = Training::new(Loss::MeanSquaredError, Optimizer::from(adam))
        .batch(Batch::Shuffled { size: ROWS.min(data.rows()), seed: 1 })
        .schedule(Schedule::Exponential {
            base: 0.6,
            start: 7 * steps / 10,
            interval: (steps / 24).max(1),
            end: steps,
        })
        .history(1);
    // All rows of a step move the layers, few of them a texel.
    let layers = 0..mlp.layers.len();
    training = layers.fold(training, |of, i| of.rate_of(Part::Layer(i), 0.3));
    if !tables {
        let textures = 0..TEXTURES.len();
        training = textures.fold(training, |of, i| of.rate_of(Part::Encoding(i), 0.0));
    }
    common::trainer(device, mlp, &training, data)
}

fn run(trainer: &mut dyn Train<Scalar = f32>, steps: u32, bar: &ProgressBar) -> Outcome {
    let mut left = steps;
    while left > 0 {
        let now = left.min(AT_ONCE);
        trainer.train(now)?;
        left -= now;
        bar.inc(now.into());
    }
    Ok(())
}

/// What the network gives for the texels of all levels, in 8 bits.
fn decoded(material: &Material, channels: &[usize], packed: &Packed) -> Outcome<Material> {
    let parameters = packed.parameters();
    let mut levels = Vec::new();
    for (lod, level) in material.levels.iter().enumerate() {
        let side = level.size as f32;
        let places = (0..level.texels.len()).flat_map(|i| {
            let place = [i % level.size, i / level.size].map(|at| (at as f32 + 0.5) / side);
            inputs(material.size(), place, lod as f32)
        });
        let y = parameters.predict(&places.collect::<Vec<_>>())?;
        let texels = y.par_chunks(channels.len()).map(|learnt| {
            // The others are the same everywhere.
            let mut texel = material.levels[0].texels[0];
            for (c, value) in channels.iter().zip(learnt) {
                texel[*c] = (255.0 * value.clamp(0.0, 1.0)).round() / 255.0;
            }
            texel
        });
        levels.push(Level { size: level.size, texels: texels.collect() });
    }
    Ok(Material { name: material.name.clone(), levels })
}

impl Learnt {
    /// Bytes of the textures' blocks and of the network.
    pub fn bytes(&self) -> Outcome<usize> {
        let blocks: usize = self.blocks.iter().flatten().map(Vec::len).sum();
        Ok(blocks + self.layers()?.len())
    }

    /// What the shader reads beside the textures. Layers of f32 take twice the bytes of halves, and half the
    /// instructions on some GPUs: the shader unpacks nothing.
    fn layers(&self) -> Outcome<Vec<u8>> {
        Ok(self.packed.without_tables(Storage::F32)?)
    }

    /// The WGSL of the material: the network with its textures in group 1, and `material`, which calls it.
    /// Written out it is fast, and reads the layers from a uniform buffer; in loops a GPU of software compiles
    /// it in seconds, and the buffer is a storage buffer.
    fn text(&self, loops: bool) -> Outcome<String> {
        let function = self.packed.wgsl(NAME).binding(1, 0).textures(1, 1).storage(Storage::F32);
        let function = if loops { function.loops() } else { function.uniform() }.text()?;
        let same = self.material.levels[0].texels[0];
        let channel = |c: usize| match self.channels.iter().position(|learnt| *learnt == c) {
            Some(at) => format!("clamp(learnt[{at}], 0.0, 1.0)"),
            None => format!("{:?}", same[c]),
        };
        let channels: Vec<_> = (0..9).map(channel).collect();
        let material = format!(
            "{}fn material(uv: vec2<f32>, lod: f32) -> array<f32, 9> {{
    let learnt = {NAME}(inputs(uv, lod));
    return array<f32, 9>(
        {},
    );
}}
",
            inputs_text(self.material.size()),
            channels.join(",\n        ")
        );
        Ok(format!("{function}{material}"))
    }

    /// Writes what an engine needs: the textures in BC5, level after level, and as pictures, whose mip levels
    /// stand below each other on the right; the network's parameters, the shader, and all of it in one file
    /// of this crate's.
    pub fn write(&self, folder: &Path, options: &Options) -> Outcome {
        let file = |what: &str| folder.join(format!("{}_{what}", self.material.name));
        let failed = |error: std::io::Error| Stop::Failed(error.to_string());
        std::fs::create_dir_all(folder).map_err(failed)?;
        for (number, texture) in self.textures.iter().enumerate() {
            let side = texture.side;
            let mut picture = RgbaImage::new(side + side / 2, side);
            let mut corner = [0, 0];
            for (level, bytes) in texture.mips.iter().enumerate() {
                let side = side >> level;
                for (i, texel) in (0..).zip(bytes.as_chunks::<2>().0) {
                    let pixel = image::Rgba([texel[0], texel[1], 0, 255]);
                    picture.put_pixel(corner[0] + i % side, corner[1] + i / side, pixel);
                }
                corner = if level == 0 { [side, 0] } else { [corner[0], corner[1] + side] };
            }
            let path = file(&format!("latent_{number}.png"));
            picture.save(path).map_err(|error| Stop::Failed(error.to_string()))?;
            std::fs::write(file(&format!("latent_{number}.bc5")), self.blocks[number].concat())
                .map_err(failed)?;
        }
        std::fs::write(file("layers.bin"), self.layers()?).map_err(failed)?;
        std::fs::write(file("look.wgsl"), self.text(false)?).map_err(failed)?;
        self.packed.save(file("packed.safetensors"))?;
        common::say!(
            options,
            "wrote {}: {} textures, the network's parameters, a shader",
            file("*").display(),
            self.textures.len()
        );
        Ok(())
    }
}

/// What was learnt, on the GPU.
pub struct OnGpu {
    text: String,
    layout: wgpu::BindGroupLayout,
    group: wgpu::BindGroup,
    size: usize,
    levels: usize,
}

impl OnGpu {
    pub fn new(gpu: &Gpu, learnt: &Learnt) -> Outcome<Self> {
        let layers = learnt.layers()?;
        let buffer = gpu.buffer("layers", layers.len() as u64)?;
        gpu.queue().write_buffer(&buffer, 0, &layers);
        let format = wgpu::TextureFormat::Rg8Unorm;
        let views: Vec<_> = learnt
            .textures
            .iter()
            .map(|of| uploaded_bytes(gpu, of.side, format, of.mips.iter().map(Vec::as_slice)))
            .map(|texture| texture.create_view(&Default::default()))
            .collect();
        let sampler = filter(gpu);
        let mut resources = vec![buffer.as_entire_binding()];
        resources.extend(views.iter().map(wgpu::BindingResource::TextureView));
        resources.push(wgpu::BindingResource::Sampler(&sampler));
        let loops = gpu.is_software();
        let buffers = match loops {
            true => wgpu::BufferBindingType::Storage { read_only: true },
            false => wgpu::BufferBindingType::Uniform,
        };
        let (layout, group) = bound(gpu, buffers, &resources);
        let (size, levels) = (learnt.material.size(), learnt.material.levels.len());
        Ok(Self { text: learnt.text(loops)?, layout, group, size, levels })
    }

    pub fn surface(&self) -> Surface<'_> {
        let Self { text, layout, group, size, levels } = self;
        Surface { text, layout, group, size: *size, levels: *levels }
    }
}
