//! What the tests share.
#![allow(dead_code)]

pub mod application;

use std::sync::OnceLock;
use wgrad::encoding::{
    Axis, Edge, Encoding, Frequency, Grid, GridKind, Identity, Interpolation, OneBlob,
};
use wgrad::kernels::encoding::dequantize::Dequantize;
use wgrad::kernels::encoding::encode_grid::EncodeGrid;
use wgrad::kernels::encoding::encode_grid_gradient::EncodeGridGradient;
use wgrad::kernels::encoding::encode_pointwise::EncodePointwise;
use wgrad::kernels::encoding::encode_pointwise_gradient::EncodePointwiseGradient;
use wgrad::kernels::encoding::max_abs::MaxAbs;
use wgrad::kernels::encoding::scatter::{Precision, Scatter};
use wgrad::kernels::infer::{Form, Infer, Loads};
use wgrad::kernels::measure::domain::{CheckDomain, Domain};
use wgrad::kernels::measure::evaluate::{Classes, Evaluate};
use wgrad::kernels::measure::norm::Norm;
use wgrad::kernels::measure::perturb::Perturb;
use wgrad::kernels::measure::saturation::{Holds, Saturation};
use wgrad::kernels::measure::texture::{self, Texel, Texture};
use wgrad::kernels::step::RateRange;
use wgrad::kernels::step::clip::Clip;
use wgrad::kernels::step::ema::Ema;
use wgrad::kernels::step::gather::Gather;
use wgrad::kernels::step::loss::LossGradient;
use wgrad::kernels::step::reduce::Reduce;
use wgrad::kernels::step::update::Update;
use wgrad::kernels::{Access, Dispatch, Matmul, Tiling};
use wgrad::{
    Activation, Batch, Capabilities, CpuTrainer, CustomActivation, CustomLoss, Data, DataShape,
    Gpu, Loss, Mlp, Optimizer, Parameters, Part, Plan, Quantity, Sgd, Storage, Strategy, Train,
    TrainBase, Training,
};

/// The device under test. Its absence fails the test that asks for it.
pub fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| {
        Gpu::new().unwrap_or_else(|error| {
            panic!(
                "this test needs a GPU or a software Vulkan driver ({error}); \
                 on Debian or Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1"
            )
        })
    })
}

/// The device under test as it is, as if it were hardware or software instead, and without integers
/// of 64 bits: each way that a kernel may be written for it.
pub fn ways() -> Vec<Capabilities> {
    let own = gpu().capabilities();
    let mut all = vec![own.clone(), Capabilities { software: !own.software, ..own.clone() }];
    if own.int64 {
        all.push(Capabilities { int64: false, ..own.clone() });
    }
    all
}

/// The device under test with each tiling of the matrix product that it can run, those of a workgroup as
/// hardware has them; the others on a CPU once more without integers of 64 bits. All but the one for
/// subgroups of 8 it must run.
pub fn targets() -> Vec<Capabilities> {
    let own = gpu().capabilities();
    let with = |form: &Tiling| {
        let software = own.software && !matches!(form, Tiling::Tiled | Tiling::Split);
        Capabilities { product: Some(*form), software, ..own.clone() }
    };
    let can = |form: &Tiling| form.runs_on(own);
    let forms: Vec<_> = Tiling::ALL.iter().filter(|form| can(form)).collect();
    let missing = usize::from(!own.software || own.subgroup != Some(8));
    assert_eq!(forms.len(), Tiling::ALL.len() - missing, "{forms:?} on {own:?}");
    if missing == 1 {
        println!("subgroups of {:?}: no products by subgroups of 8", own.subgroup);
    }
    let all = forms.into_iter().map(with);
    all.flat_map(|target| {
        let plain = Capabilities { int64: false, ..target.clone() };
        let also = (target.software && target.int64).then_some(plain);
        std::iter::once(target).chain(also)
    })
    .collect()
}

/// The largest |found − expected| as a share of the largest |expected|; infinite for a NaN.
pub fn deviation<T: Copy + Into<f64>>(found: &[T], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |scale, e| scale.max(e.abs()));
    let errors = found.iter().zip(expected).map(|(f, e)| ((*f).into() - e).abs() / scale);
    errors.fold(0.0, |largest: f64, e| {
        if e <= largest {
            largest
        } else if e.is_nan() {
            f64::INFINITY
        } else {
            e
        }
    })
}

/// Pseudo-random numbers in ±1 (SplitMix64).
pub fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0xd1b5_4a32_d192_ed03) ^ 0x1234_5678;
    (0..count)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (((z ^ (z >> 31)) >> 11) as f64) / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

/// Inputs in 0 to 1, where encodings live; and well away from their kinks.
pub fn into_a_grid(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = ((0.5 + 0.5 * *x) * 97.0).floor() / 97.0 + 3.1e-3);
}

pub fn numbers_f32(count: usize, seed: u64) -> Vec<f32> {
    numbers(count, seed).into_iter().map(|v| v as f32).collect()
}

/// wgpu's own counters of what a device holds: buffers, bind groups, pipelines, memory.
pub fn allocated(gpu: &Gpu) -> [isize; 5] {
    let hal = gpu.device().get_internal_counters().hal;
    let counts = [
        hal.buffers.read(),
        hal.bind_groups.read(),
        hal.compute_pipelines.read(),
        hal.buffer_memory.read(),
        hal.memory_allocations.read(),
    ];
    assert!(counts[0] > 0, "the counters count: {counts:?}");
    counts
}

/// With `WGRAD_SHADERS=DIR`, leaves a shader in `DIR`, for a compiler other than naga.
pub fn leave_shader(name: &str, text: &str) {
    if let Ok(directory) = std::env::var("WGRAD_SHADERS") {
        std::fs::write(format!("{directory}/{name}.wgsl"), text).unwrap();
    }
}

/// What a slot of a kernel holds before it runs.
#[derive(Debug, Clone)]
pub enum Content {
    /// These words of 32 bits.
    Words(Vec<u32>),
    /// As many NaN: what the kernel is to write.
    Unset(usize),
}

pub fn floats(values: &[f32]) -> Content {
    Content::Words(values.iter().map(|v| v.to_bits()).collect())
}

pub fn as_floats(words: &[u32]) -> Vec<f32> {
    words.iter().map(|w| f32::from_bits(*w)).collect()
}

/// Dispatches of one kernel, run in order on the same slots: the kernel's without the first.
#[derive(Debug, Clone)]
pub struct Job {
    pub name: String,
    pub dispatches: Vec<Dispatch>,
    pub slots: Vec<Content>,
}

impl Job {
    pub fn new(name: impl Into<String>, dispatch: Dispatch, slots: Vec<Content>) -> Self {
        Self { name: name.into(), dispatches: vec![dispatch], slots }
    }
}

/// What lies around every slot: a NaN, so that a result that depends on it shows.
const FENCE: u32 = 0x7fc5_e117;
/// What [`Content::Unset`] is filled with: another NaN.
pub const UNSET: u32 = 0xffc0_dead;
/// Words of fence on each side, and the alignment of a slot: 256 bytes.
const MARGIN: usize = 64;
/// Words of one arena above which jobs go into another submission.
const ARENA: usize = 1 << 24;
/// Workgroups a dimension of the device whose grids are narrow.
const SIDE: u32 = 5;

/// Runs jobs, many in a submission, each slot a slice in the middle of a larger buffer; returns the
/// words of every slot of every job.
///
/// What lies on both sides of a slot, and every slot that the kernel only reads, must come back
/// unchanged. The binding reaches over the fence behind the slot: a driver that drops accesses
/// outside of a binding would hide them. Jobs whose workgroups fit run once more on a device that
/// allows few workgroups a dimension, which must give the same bits.
pub fn run(jobs: &[Job]) -> Vec<Vec<Vec<u32>>> {
    let results = run_on(gpu(), jobs);
    let fits = |job: &&(usize, &Job)| {
        let most = job.1.dispatches.iter().map(Dispatch::workgroups).max().unwrap();
        most > u64::from(SIDE) && most <= u64::from(SIDE * SIDE)
    };
    let narrow: Vec<_> = jobs.iter().enumerate().collect();
    let narrow: Vec<_> = narrow.iter().filter(fits).copied().collect();
    let again: Vec<_> = narrow.iter().map(|(_, job)| (*job).clone()).collect();
    for ((index, job), found) in narrow.iter().zip(run_on(narrow_gpu(), &again)) {
        assert!(found == results[*index], "{}: another result on a narrow grid", job.name);
    }
    results
}

/// The adapter of [`gpu`] with a limit of [`SIDE`] workgroups a dimension.
fn narrow_gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| {
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let descriptor = wgpu::DeviceDescriptor {
            required_features: gpu().device().features(),
            required_limits: wgpu::Limits {
                max_compute_workgroups_per_dimension: SIDE,
                ..gpu().limits().clone()
            },
            ..Default::default()
        };
        pollster::block_on(async {
            let adapter = wgpu::Instance::default().request_adapter(&options).await.unwrap();
            let (device, queue) = adapter.request_device(&descriptor).await.unwrap();
            Gpu::from_wgpu(&device, &queue).unwrap()
        })
    })
}

fn run_on(gpu: &Gpu, jobs: &[Job]) -> Vec<Vec<Vec<u32>>> {
    let mut results = Vec::new();
    let mut rest = jobs;
    while !rest.is_empty() {
        let mut words = 0;
        let size = |job: &Job| job.slots.iter().map(|s| length(s) + 3 * MARGIN).max().unwrap();
        let mut count = rest.iter().take_while(|job| {
            words += size(job);
            words <= ARENA
        });
        let (now, later) = rest.split_at(count.by_ref().count().max(1));
        results.extend(submit(gpu, now));
        rest = later;
    }
    results
}

fn length(content: &Content) -> usize {
    match content {
        Content::Words(words) => words.len(),
        Content::Unset(length) => *length,
    }
}

/// One submission: slot k of every job lies in arena k.
fn submit(gpu: &Gpu, jobs: &[Job]) -> Vec<Vec<Vec<u32>>> {
    let mut arenas: Vec<Vec<u32>> = vec![Vec::new(); 8];
    let mut places = Vec::new();
    for job in jobs {
        let slots = &job.dispatches[0].kernel().slots[1..];
        assert_eq!(job.slots.len(), slots.len(), "{}", job.name);
        for (content, arena) in job.slots.iter().zip(&mut arenas) {
            arena.resize(arena.len() + MARGIN, FENCE);
            places.push(arena.len());
            match content {
                Content::Words(words) => arena.extend(words),
                Content::Unset(length) => arena.resize(arena.len() + length, UNSET),
            }
            arena.resize(arena.len().next_multiple_of(MARGIN) + MARGIN, FENCE);
        }
    }
    arenas.retain(|arena| !arena.is_empty());
    let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let make = |words: usize, usage| {
        gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("arena"),
            size: 4 * words as u64,
            usage,
            mapped_at_creation: false,
        })
    };
    let buffers: Vec<_> = arenas
        .iter()
        .map(|arena| {
            let kinds = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM;
            let buffer = make(arena.len(), usage | kinds);
            gpu.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(arena));
            buffer
        })
        .collect();
    let mut prepared = Vec::new();
    let mut place = places.iter();
    for job in jobs {
        let bindings: Vec<_> = job
            .slots
            .iter()
            .zip(&buffers)
            .map(|(content, buffer)| wgpu::BufferBinding {
                buffer,
                offset: 4 * *place.next().unwrap() as u64,
                size: std::num::NonZero::new(4 * (length(content) + MARGIN) as u64),
            })
            .collect();
        for dispatch in &job.dispatches {
            let ready = gpu.prepare(dispatch, &bindings);
            prepared.push(ready.unwrap_or_else(|error| panic!("{}: {error}", job.name)));
        }
    }
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        prepared.iter().for_each(|p| p.record(&mut pass));
    }
    let staging: Vec<_> = buffers
        .iter()
        .map(|buffer| {
            let words = (buffer.size() / 4) as usize;
            let staging = make(words, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
            encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
            staging
        })
        .collect();
    gpu.queue().submit([encoder.finish()]);
    for staging in &staging {
        staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    }
    gpu.device().poll(wgpu::PollType::Wait { submission_index: None, timeout: None }).unwrap();
    let after: Vec<Vec<u32>> = staging
        .iter()
        .map(|staging| bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..).unwrap()))
        .collect();

    let mut place = places.iter();
    let mut results = Vec::new();
    for job in jobs {
        let slots = &job.dispatches[0].kernel().slots[1..];
        let mut words = Vec::new();
        for (k, (content, slot)) in job.slots.iter().zip(slots).enumerate() {
            let begin = *place.next().unwrap();
            let end = begin + length(content);
            let fence = [begin - MARGIN..begin, end..end.next_multiple_of(MARGIN) + MARGIN];
            for at in fence.into_iter().flatten() {
                let distance = at as i64 - begin as i64;
                assert_eq!(
                    after[k][at],
                    FENCE,
                    "{}: the slot `{}` was left: word {distance} of {}",
                    job.name,
                    slot.name,
                    end - begin
                );
            }
            if slot.access != Access::ReadWrite {
                assert!(
                    after[k][begin..end] == arenas[k][begin..end],
                    "{}: the slot `{}` is read only and has changed",
                    job.name,
                    slot.name
                );
            }
            words.push(after[k][begin..end].to_vec());
        }
        results.push(words);
    }
    results
}

/// Every loss with every last activation that it can follow.
pub fn losses() -> Vec<(Loss, Activation)> {
    let pairs = Loss::ALL.iter().flat_map(|l| Activation::ALL.iter().map(move |a| (*l, *a)));
    pairs.filter(|(loss, activation)| loss.check(*activation).is_ok()).collect()
}

/// An activation of the application's own. It calls no built-in function whose accuracy is the
/// device's: SwiftShader's sine is off by 8e-4.
pub fn rational() -> CustomActivation {
    let value = "// z / (1 + z²); a line that a renaming must leave as it is:\nconst one = 1.0;\nlet s = one + z * z;\nreturn z / s;";
    let derivative = "let s = 1.0 + z * z;\nreturn (1.0 - z * z) / (s * s);";
    CustomActivation::new("rational", value, derivative)
        .unwrap()
        .with_reference(|z| z / (1.0 + z * z), |z| (1.0 - z * z) / (1.0 + z * z).powi(2))
}

/// A loss of the application's own that couples outputs and reads inputs:
/// (1 + x_first x_last) (|y|² − t₀)² + Σ ½ (y − t)².
pub fn coupled() -> CustomLoss {
    CustomLoss::new(
        "coupled",
        "var square = 0.0;
for (var i = 0u; i < OUTPUTS; i++) { square += y[i] * y[i]; }
let weight = 1.0 + x[INPUTS - 1u] * x[0];
let d = square - t[0];
var sum = weight * d * d;
for (var i = 0u; i < OUTPUTS; i++) {
    let e = y[i] - t[i];
    sum += 0.5 * e * e;
    g[i] = 4.0 * weight * d * y[i] + e;
}
return sum;",
    )
    .unwrap()
    .with_inputs()
    .with_reference(|row| {
        let square: f64 = row.y.iter().map(|y| y * y).sum();
        let weight = 1.0 + row.x[row.x.len() - 1] * row.x[0];
        let d = square - row.t[0];
        let mut sum = weight * d * d;
        for ((g, y), t) in row.g.iter_mut().zip(row.y).zip(row.t) {
            sum += 0.5 * (y - t) * (y - t);
            *g = 4.0 * weight * d * y + y - t;
        }
        sum
    })
}

/// The dispatches of passes by themselves, with every last activation, under each strategy, with
/// encodings in front, and with a loss on the slope.
pub fn every_pass() -> Vec<Dispatch> {
    let mut all = Vec::new();
    for strategy in [Strategy::Fused, Strategy::Layered] {
        for last in Activation::ALL {
            let plain = Mlp::new(2).layer(3, Activation::Gelu);
            let grid = Grid { levels: 2, log2_hashmap_size: 6, ..Grid::default() };
            let encoded = Mlp::new(2).encode(2, grid).layer(4, Activation::Relu);
            for mlp in [plain, encoded].map(|mlp| mlp.layer(2, *last)) {
                let training = Training::new(Loss::OutputGradient, Sgd::default())
                    .models(2)
                    .strategy(strategy);
                let plan = Plan::without_data(&mlp, &training, &Capabilities::default()).unwrap();
                all.extend(plan.dispatches_of_passes(10, false).unwrap());
                all.extend(plan.dispatches_of_passes(10, true).unwrap());
            }
        }
    }
    for mlp in sloped() {
        for strategy in [Strategy::Fused, Strategy::Layered] {
            let training =
                Training::new(Loss::OutputGradient, Sgd::default()).models(2).strategy(strategy);
            let plan = Plan::without_data(&mlp, &training, &Capabilities::default()).unwrap();
            all.extend(plan.dispatches_of_passes(10, true).unwrap());
        }
    }
    all
}

/// Networks with every activation inside, and with every encoding in front: what slopes are tried on.
pub fn sloped() -> Vec<Mlp> {
    let hidden = |f: Activation| {
        let mlp = Mlp::new(3).layer(5, f).layer(6, f);
        mlp.layer(3, Activation::Identity)
    };
    let mut all: Vec<_> = Activation::ALL.iter().map(|f| hidden(*f)).collect();
    let grid = Grid { levels: 3, log2_hashmap_size: 5, base_resolution: 3, ..Grid::default() };
    let smooth = Grid { interpolation: Interpolation::Smoothstep, ..grid };
    let axis = Some(Axis { base_resolution: 2, per_level_scale: 1.5 });
    let grids = [
        (1, grid),
        (2, Grid { features_per_level: 4, edge: Edge::Wrap, ..smooth }),
        (3, Grid { kind: GridKind::Dense, features_per_level: 1, ..smooth }),
        (4, Grid { axes: [None, axis, None, axis], features_per_level: 8, ..smooth }),
        (3, Grid { kind: GridKind::Tiled, ..grid }.in_box([-1.0, 0.0, -0.5], [2.0, 1.0, 1.5])),
        (4, grid),
    ];
    let encoded = |inputs: usize, encoding: Encoding| {
        let mlp = Mlp::new(inputs).encode(inputs, encoding);
        mlp.layer(6, Activation::Tanh).layer(2, Activation::Sigmoid)
    };
    for encoding in Encoding::all() {
        if !matches!(encoding, Encoding::Grid(_)) {
            all.push(encoded(3, encoding));
        }
    }
    all.extend(grids.map(|(inputs, grid)| encoded(inputs, grid.into())));
    // Several encodings, some of them of the same inputs.
    let several = Mlp::new(3).encode(2, smooth).encode(1, Frequency { frequencies: 2 });
    all.push(several.layer(5, Activation::Softplus).layer(1, Activation::Identity));
    let shared = Mlp::new(3)
        .encode_at(0, 3, Identity::default())
        .encode_at(0, 3, smooth)
        .encode_at(1, 1, OneBlob { bins: 4 });
    all.push(shared.layer(4, Activation::Sine).layer(2, Activation::Tanh));
    all
}

/// Evaluations in one dispatch: each storage, form and quantity, one model and several, into a buffer
/// and into each texture.
pub fn every_inference() -> Vec<Dispatch> {
    let grid = Grid { levels: 2, log2_hashmap_size: 6, base_resolution: 3, ..Grid::default() };
    let mlp = Mlp::new(2).encode(2, grid).layer(5, Activation::Gelu).layer(3, Activation::Sigmoid);
    let layers = Mlp::new(2).layer(5, Activation::Gelu).layer(3, Activation::Sigmoid);
    let formats = texture::FORMATS.iter().map(|format| Texel { format: *format, width: 3 });
    let formats: Vec<_> = formats.collect();
    let all = [Quantity::Outputs, Quantity::Slope, Quantity::SlopeLength];
    let mut found = Vec::new();
    for storage in [Storage::F32, Storage::F16, Storage::Snorm8] {
        for (mlp, form, models, loads, block) in [
            (&layers, Form::WrittenOut, 1, Loads::Uniform, 1),
            (&mlp, Form::WrittenOut, 1, Loads::Uniform, 1),
            (&mlp, Form::WrittenOut, 1, Loads::Vectors, 1),
            (&mlp, Form::Loops, 3, Loads::Vectors, 1),
            (&mlp, Form::WrittenOut, 3, Loads::Words, 4),
        ] {
            let of = |quantities, textures| Infer {
                mlp,
                form,
                storage,
                loads,
                block,
                quantities,
                models,
                rows: 6,
                textures,
            };
            found.extend(of(&all, &[]).dispatches().unwrap());
            found.extend(of(&all[..1], &formats[..1]).dispatches().unwrap());
            // Six columns in channels of 4, 1 and 2.
            found.extend(of(&all, &formats[2..5]).dispatches().unwrap());
        }
    }
    let in_formats = formats.iter().filter(|texel| texture::channels(texel.format) == 4);
    found.extend(in_formats.flat_map(|texel| {
        let textures = std::slice::from_ref(texel);
        let infer = Infer {
            mlp: &mlp,
            form: Form::WrittenOut,
            storage: Storage::F32,
            loads: Loads::Vectors,
            block: 1,
            quantities: &all[..1],
            models: 1,
            rows: 6,
            textures,
        };
        infer.dispatches().unwrap()
    }));
    found
}

/// A dispatch of every kernel in every form that a step, an inference or a measurement has.
pub fn every_dispatch() -> Vec<Dispatch> {
    let precision = Precision { bits: 24, low: 12 };
    let dequantize = |parameters| Dequantize {
        models: 2,
        tables: 16,
        first: 0,
        parameters,
        precision,
        marks: true,
        adds: false,
    };
    let mut all = vec![
        CheckDomain {
            domain: &Domain::of_targets(Loss::SoftmaxCrossEntropy, 3),
            rows: 2,
            columns: 3,
        }
        .dispatch()
        .unwrap(),
        CheckDomain { domain: &Domain::default(), rows: 2, columns: 3 }.dispatch().unwrap(),
        Norm { length: 3, models: 2, offset: 0, stride: 3 }.dispatch().unwrap(),
        Perturb { parameters: 3, models: 2, first: 0 }.dispatch().unwrap(),
        Ema { elements: 3, decay: 0.9 }.dispatch().unwrap(),
        MaxAbs { models: 2, rows: 3, width: 4, first: 1, columns: 2, groups: 1 }
            .dispatch()
            .unwrap(),
        dequantize(21).dispatch(&Capabilities::default()).unwrap(),
    ];
    all.extend(every_encoding());
    for format in texture::FORMATS {
        let texel = Texel { format: *format, width: 3 };
        let texels = Texture { texel, models: 2, rows: 6, outputs: 3, column: 0, first: 0 };
        all.push(texels.dispatch().unwrap());
    }
    all.extend(every_inference());
    let mut step =
        |hidden, loss, last, optimizer: &Optimizer, batch, strategy, target: &Capabilities| {
            let mlp = Mlp::new(2).layer(3, hidden).layer(4, hidden).layer(2, last);
            let training =
                Training::new(loss, *optimizer).models(2).batch(batch).strategy(strategy);
            let plan =
                Plan::new(&mlp, &training, DataShape { sets: 2, rows: 100 }, target).unwrap();
            all.extend(plan.step().into_iter().map(|node| node.dispatch.clone()));
        };
    let optimizers = Optimizer::all();
    let mut turn = optimizers.iter().cycle();
    for batch in [Batch::Full, Batch::Shuffled { size: 10, seed: 1 }] {
        for hidden in Activation::ALL {
            for (loss, last) in losses() {
                let optimizer = turn.next().unwrap();
                let target = Capabilities::default();
                step(*hidden, loss, last, optimizer, batch, Strategy::Layered, &target);
                // Their forms follow from the whole network: each hidden activation and each loss.
                if *hidden == Activation::Relu || loss == Loss::MeanSquaredError {
                    step(*hidden, loss, last, optimizer, batch, Strategy::Fused, &target);
                    for subgroup in [None, Some(8), Some(32)] {
                        let target = Capabilities { subgroup, ..Capabilities::default() };
                        step(*hidden, loss, last, optimizer, batch, Strategy::Resident, &target);
                    }
                }
            }
        }
    }
    // Software's own: the sum of an invocation, rows as vec4, and vec4 as u64x2.
    let software = Capabilities { software: true, int64: true, ..Capabilities::default() };
    for (loss, activation) in losses() {
        let loss = LossGradient {
            loss,
            activation,
            models: 1,
            own_targets: false,
            batch: 4,
            outputs: 3,
            inputs: 2,
        };
        all.push(loss.dispatch(&software).unwrap());
        all.extend([Capabilities::default(), software.clone()].map(|capabilities| {
            let classes = match loss.loss {
                Loss::SoftmaxCrossEntropy => Classes::Largest,
                _ => Classes::None,
            };
            evaluate(loss, classes).dispatch(&capabilities).unwrap()
        }));
    }
    for software in [false, true] {
        let capabilities = Capabilities { software, ..Capabilities::default() };
        let loss = LossGradient {
            loss: Loss::BinaryCrossEntropy,
            activation: Activation::Sigmoid,
            models: 2,
            own_targets: true,
            batch: 70,
            outputs: 1,
            inputs: 2,
        };
        let classes = Classes::Threshold { logit: 0.0, target: 0.5 };
        all.push(evaluate(loss, classes).dispatch(&capabilities).unwrap());
    }
    let gather = Gather { sets: 1, rows: 5, batch: 4, inputs: 4, outputs: 3, seed: Some(1) };
    for target in [&Capabilities::default(), &software] {
        all.push(gather.dispatch(target).unwrap());
        all.push(dequantize(20).dispatch(target).unwrap());
    }
    for activation in Activation::ALL {
        for holds in [Holds::Saved, Holds::PreActivation] {
            let saturation = Saturation {
                activation: *activation,
                holds,
                models: 1,
                rows: 2,
                units: 3,
                offset: 0,
                threshold: 0.1,
            };
            all.push(saturation.dispatch().unwrap());
        }
    }
    // Elements as scalars and as vec4; one model and several; sums, and checks alone.
    for parameters in [3, 4] {
        let ways = [[false, false], [true, false], [true, true]];
        for (splits, [software, int64]) in
            ways.iter().flat_map(|way| [(0, *way), (2, *way), (20, *way)])
        {
            let reduce = Reduce {
                parameters,
                models: 2 * parameters - 5,
                splits,
                loss_groups: 1,
                tables: 0,
                padded: false,
                marks: true,
                adds: false,
            };
            let target = Capabilities { software, int64, ..Capabilities::default() };
            all.push(reduce.dispatch(&target).unwrap());
        }
        let ways = |o| [(o, 1, false), (o, 1, true), (o, 3, false)];
        for (optimizer, models, int64) in Optimizer::all().iter().flat_map(ways) {
            let target = Capabilities { software: models == 1, int64, ..Capabilities::default() };
            let update = Update {
                optimizer: *optimizer,
                parameters,
                models,
                rows: 1,
                batch: 1,
                tables: 0,
                history: 1,
                scheduled: false,
                rates: &[],
                padded: false,
            };
            all.push(update.dispatch(&target).unwrap());
        }
    }
    // Parts with rates of their own, of which one is frozen.
    let rates = &[RateRange { end: 2, factor: 0.0 }, RateRange { end: 3, factor: 0.1 }];
    for rates in [&[][..], rates] {
        let clip = Clip { parameters: 3, models: 2, max_norm: 1.0, rates };
        all.extend(clip.dispatches().unwrap());
    }
    let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(2, Activation::Identity);
    for strategy in Strategy::ALL {
        let training = Training::new(Loss::MeanSquaredError, Sgd::default())
            .rate_of(Part::Layer(0), 0.25)
            .strategy(*strategy);
        let target = Capabilities::default();
        let plan = Plan::new(&mlp, &training, DataShape::shared(100), &target).unwrap();
        let last = plan.step().into_iter().last().unwrap();
        all.push(last.dispatch.clone());
    }
    for form in Tiling::ALL {
        all.extend(every_product(*form));
    }
    all
}

/// The evaluation of one slice.
pub fn evaluate(loss: LossGradient, classes: Classes) -> Evaluate {
    let line = loss.groups(&Capabilities::default()).max(loss.batch * loss.outputs);
    Evaluate { loss, classes, first: 0, all: loss.batch, first_group: 0, line }
}

/// The kernels of every encoding, and of grids of all numbers of features.
fn every_encoding() -> Vec<Dispatch> {
    let mut all = Vec::new();
    for encoding in Encoding::all() {
        if !matches!(encoding, Encoding::Grid(_)) {
            let forward = EncodePointwise::new(encoding, 3, 2, 5).unwrap();
            let back = EncodePointwiseGradient::new(encoding, 3, 2, 5).unwrap();
            all.extend([forward.dispatch().unwrap(), back.dispatch().unwrap()]);
        }
    }
    for features in [1, 2, 4, 8] {
        for interpolation in [Interpolation::Linear, Interpolation::Smoothstep] {
            let grid = Grid {
                levels: 3,
                log2_hashmap_size: 6,
                features_per_level: features,
                interpolation,
                ..Grid::default()
            };
            let axes = [None, Some(Axis { base_resolution: 5, per_level_scale: 1.5 }), None, None];
            let forms = [
                (grid, 1),
                (grid, 2),
                (grid, 3),
                (grid, 4),
                (Grid { kind: GridKind::Dense, edge: Edge::Wrap, ..grid }, 2),
                (Grid { kind: GridKind::Tiled, axes, ..grid }, 3),
                (Grid { edge: Edge::Wrap, axes, ..grid }, 4),
            ];
            for (grid, inputs) in forms {
                let forward = EncodeGrid::new(grid, inputs, 2, 5).unwrap();
                let back = EncodeGridGradient::new(grid, inputs, 2, 5).unwrap();
                // Enough rows that hardware sums the coarse levels in workgroup memory.
                let scatter = Scatter::new(grid, inputs, 2, 1025).unwrap();
                all.push(forward.dispatch().unwrap());
                all.push(back.dispatch().unwrap());
                all.extend(scatter.dispatches(&Capabilities::default()).unwrap());
            }
        }
    }
    all
}

/// The matrix products of a training step and of a prediction with every activation, and the bare
/// ones in all directions; with buffers of scalars (sizes that are no multiples of four), of vec4
/// and of u64x2.
fn every_product(form: Tiling) -> Vec<Dispatch> {
    let mut all = Vec::new();
    for (size, int64) in [(2, false), (4, false), (4, true)] {
        let software = form == Tiling::Subgroup;
        let subgroup = Some(8);
        let product = Some(form);
        let target = Capabilities { product, subgroup, software, int64, ..Capabilities::default() };
        let product = Matmul::new(size, size, size);
        for product in [
            product,
            product.transposed_a(),
            product.transposed_b(),
            product.transposed_a().transposed_b(),
        ] {
            all.extend(product.dispatches(&target).unwrap());
            if size == 4 {
                all.extend(product.half_operands().dispatches(&target).unwrap());
            }
        }
        for activation in Activation::ALL {
            let product = product.transposed_b().epilogue(*activation);
            all.extend(product.dispatches(&target).unwrap());
            let mlp = Mlp::new(size).layer(size, *activation).layer(size, Activation::Identity);
            let training =
                Training::new(Loss::MeanSquaredError, Sgd::default()).strategy(Strategy::Layered);
            let plan = Plan::new(&mlp, &training, DataShape::shared(100), &target).unwrap();
            let products = plan.step().into_iter().map(|node| node.dispatch.clone());
            all.extend(products.filter(|d| d.kernel().name == form.kernel().name));
        }
    }
    all
}

/// What makes two dispatches' compiled forms differ.
pub fn form(dispatch: &Dispatch) -> String {
    format!("{} {:?}\n{}", dispatch.kernel().name, dispatch.overrides(), dispatch.wgsl())
}

/// A test of each name for each strategy, of the function of that name.
#[macro_export]
macro_rules! for_every_strategy {
    ($($name:ident)*) => {
        for_every_strategy!(resident Resident: $($name)*);
        for_every_strategy!(fused Fused: $($name)*);
        for_every_strategy!(layered Layered: $($name)*);
    };
    ($module:ident $strategy:ident: $($name:ident)*) => {
        mod $module {
            $(#[test]
            fn $name() {
                super::$name(wgrad::Strategy::$strategy);
            })*
        }
    };
}

/// Outputs and Σ dy·∂y/∂x of model `model` in f64.
pub fn expected(parameters: &Parameters, model: usize, x: &[f32], dy: &[f32]) -> [Vec<f64>; 2] {
    let mlp = parameters.mlp();
    let (p, rows) = (mlp.parameters(), x.len() / mlp.inputs);
    let values = parameters.values()[model * p..(model + 1) * p].iter().map(|v| f64::from(*v));
    let one = Parameters::<f64>::new(mlp.clone(), 1, values.collect()).unwrap();
    let x: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(1.0));
    let zeros = vec![0.0; rows * mlp.outputs()];
    let data = Data::new_f64(mlp.inputs, mlp.outputs(), x.clone(), zeros).unwrap();
    let mut cpu = CpuTrainer::new(mlp, &training, &data).unwrap();
    cpu.restart(&one).unwrap();
    let y = cpu.predict(&x).unwrap();
    // ∂L/∂y = (y − t) / rows: t is chosen so that this is dy / rows.
    let t = y.iter().zip(dy).map(|(y, dy)| y - f64::from(*dy)).collect();
    let data = Data::new_f64(mlp.inputs, mlp.outputs(), x, t).unwrap();
    let mut cpu = CpuTrainer::new(mlp, &training, &data).unwrap();
    cpu.restart(&one).unwrap();
    let gradient = cpu.input_gradient().unwrap();
    [y, gradient.into_iter().map(|g| g * rows as f64).collect()]
}
