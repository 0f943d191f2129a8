//! Input encodings: differences in f64 ↔ the CPU ↔ every kernel and whole networks on the GPU.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Content, Job, as_floats, deviation, floats, numbers, numbers_f32, run};
use wgrad::encoding::{
    Axis, Edge, Frequency, Grid, GridKind, Identity, Interpolation, OneBlob, SphericalHarmonics,
    TriangleWave,
};
use wgrad::kernels::encoding::dequantize::Dequantize;
use wgrad::kernels::encoding::encode_grid::EncodeGrid;
use wgrad::kernels::encoding::encode_grid_gradient::EncodeGridGradient;
use wgrad::kernels::encoding::encode_pointwise::EncodePointwise;
use wgrad::kernels::encoding::encode_pointwise_gradient::EncodePointwiseGradient;
use wgrad::kernels::encoding::max_abs::MaxAbs;
use wgrad::kernels::encoding::scatter::{Precision, Scatter};
use wgrad::kernels::step::Status;
use wgrad::kernels::step::ema::Ema;
use wgrad::kernels::step::update::Update;
use wgrad::kernels::{Capabilities, Dispatch};
use wgrad::plan::Buffer;
use wgrad::{
    Activation, Adam, Batch, CpuTrainer, Data, DataBuffers, DataShape, Encoding, Error,
    FiniteDifference, Loss, Mlp, Optimizer, Schedule, Strategy, Train, TrainBase, Trainer,
    Training,
};

const SIZES: [usize; 7] = [1, 2, 3, 31, 64, 65, 200];

/// A small grid with levels of both kinds.
fn small(features: u32, interpolation: Interpolation) -> Grid {
    Grid {
        levels: 5,
        features_per_level: features,
        log2_hashmap_size: 6,
        base_resolution: 3,
        per_level_scale: 1.6,
        interpolation,
        // A box of its own with one of the two, whose mapping to the unit cube is exact: the bounds
        // are those of the grid alone. tests/export.rs has one with another lower corner.
        ..match interpolation {
            Interpolation::Linear => Grid::default(),
            _ => Grid::default().in_box([0.0; 3], [2.0, 1.0, 2.0]),
        }
    }
}

fn grids() -> Vec<Grid> {
    let both = [Interpolation::Linear, Interpolation::Smoothstep];
    [1, 2, 4, 8].into_iter().flat_map(|f| both.map(|i| small(f, i))).collect()
}

/// Grids of every kind and edge, with equal sides and others.
fn forms(features: u32, interpolation: Interpolation) -> Vec<Grid> {
    let own = Some(Axis { base_resolution: 4, per_level_scale: 1.3 });
    let kinds = [GridKind::Hash, GridKind::Dense, GridKind::Tiled];
    let forms = kinds.into_iter().flat_map(|kind| {
        [Edge::Clamp, Edge::Wrap].map(|edge| Grid { kind, edge, ..small(features, interpolation) })
    });
    let forms = forms.flat_map(|grid| [grid, Grid { axes: [None, own, None, own], ..grid }]);
    let repeats = Grid { edge: Edge::Repeat, ..small(features, interpolation) };
    let dense = Grid { kind: GridKind::Dense, axes: [None, own, None, own], ..repeats };
    forms.chain([repeats, dense]).collect()
}

/// Grids in all their numbers of dimensions.
fn grids_of_inputs() -> Vec<(Grid, usize)> {
    let mut all: Vec<_> = grids().into_iter().flat_map(|g| (1..=4).map(move |n| (g, n))).collect();
    for (i, interpolation) in
        [Interpolation::Linear, Interpolation::Smoothstep].into_iter().enumerate()
    {
        let forms = forms(2, interpolation).into_iter().enumerate();
        // Each form with two of the four.
        all.extend(forms.flat_map(|(f, g)| [1 + (f + i) % 4, 1 + (f + i + 2) % 4].map(|n| (g, n))));
    }
    // Textures with mip levels: points see one level, two, and the last ones.
    for (features, lod) in [(1, 0.25), (2, -0.7), (4, -1.6), (8, -2.3), (2, -2.6)] {
        all.push((Grid::texture(8, features).from_lod(lod), 3));
    }
    all.push((Grid { levels: 1, ..Grid::texture(8, 4) }, 3));
    all
}

/// Every encoding in several forms, with a number of inputs that it takes.
fn encodings() -> Vec<(Encoding, usize)> {
    let mut all: Vec<(Encoding, usize)> = vec![
        (Identity::default().into(), 1),
        (Identity { scale: -2.5, offset: 0.75 }.into(), 5),
        (Frequency { frequencies: 1 }.into(), 1),
        (Frequency { frequencies: 7 }.into(), 3),
        (TriangleWave { frequencies: 1 }.into(), 2),
        (TriangleWave { frequencies: 6 }.into(), 3),
        (OneBlob { bins: 2 }.into(), 1),
        (OneBlob { bins: 3 }.into(), 2),
        (OneBlob { bins: 32 }.into(), 2),
        (SphericalHarmonics { degree: 1 }.into(), 3),
        (SphericalHarmonics { degree: 3 }.into(), 6),
        (SphericalHarmonics { degree: 4 }.into(), 3),
        (SphericalHarmonics { degree: 8 }.into(), 3),
    ];
    all.extend(grids_of_inputs().into_iter().map(|(g, inputs)| (g.into(), inputs)));
    all
}

/// Moves the first coordinate of every fifth row beyond 0 or 1, where a grid ends.
fn with_some_beyond(x: &mut [f64], inputs: usize) {
    for (i, row) in x.chunks_mut(inputs).enumerate().filter(|(i, _)| i % 5 == 2) {
        row[0] = if i % 2 == 0 { -0.25 } else { 1.5 };
    }
}

/// Numbers in 0 to 1, exact in f32.
fn places(count: usize, seed: u64) -> Vec<f64> {
    numbers(count, seed).into_iter().map(|v| f64::from((0.5 + 0.5 * v) as f32)).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

// Kernels by themselves.

#[test]
fn outputs_of_all_sizes() {
    let mut jobs = Vec::new();
    let mut expected = Vec::new();
    for (i, (encoding, inputs)) in encodings().into_iter().enumerate() {
        for rows in SIZES {
            let models = 1 + (i + rows) % 3;
            let mut x = places(models * rows * inputs, rows as u64);
            with_some_beyond(&mut x, inputs);
            let outputs = Content::Unset(models * rows * encoding.outputs(inputs));
            let name = format!("{encoding:?} of {models} × {rows} × {inputs}");
            let (slots, dispatch, values) = if let Encoding::Grid(of) = encoding {
                let size = Encoding::from(of).parameters(inputs);
                let tables = numbers_f32(models * size, 3);
                let kernel = EncodeGrid::new(of, inputs, models, rows).unwrap();
                let values: Vec<f64> = x
                    .chunks(rows * inputs)
                    .zip(tables.chunks(size))
                    .flat_map(|(x, tables)| kernel.reference(&wide(tables), x))
                    .collect();
                let slots = vec![floats(&single(&x)), floats(&tables), outputs];
                (slots, kernel.dispatch(), values)
            } else {
                let kernel = EncodePointwise::new(encoding, inputs, models, rows).unwrap();
                let slots = vec![floats(&single(&x)), outputs];
                (slots, kernel.dispatch(), kernel.reference(&x))
            };
            jobs.push(Job::new(name, dispatch.unwrap(), slots));
            expected.push(values);
        }
    }
    for ((job, slots), expected) in jobs.iter().zip(run(&jobs)).zip(expected) {
        let error = deviation(&as_floats(slots.last().unwrap()), &expected);
        assert!(error <= 4e-6, "{}: {error:e}", job.name);
    }
}

/// Far from a kink, where a derivative jumps: no rounding of an f32 reaches it.
fn clear_of_kinks(encoding: &Encoding, inputs: usize, x: &[f64]) -> bool {
    let near = |v: f64| (v - v.round()).abs() < 1e-4;
    if let Encoding::Grid(of) = encoding
        && of.mips
    {
        let lod = x[2] - f64::from(of.lower[2]);
        let sides = (0..of.levels).map(|l| f64::from(of.base_resolution >> l));
        return !near(lod) && x[..2].iter().all(|x| sides.clone().all(|s| !near(x * s + 0.5)));
    }
    x.iter().all(|x| match encoding {
        Encoding::TriangleWave(of) => (0..of.frequencies).all(|i| !near(x * f64::from(1_u32 << i))),
        Encoding::OneBlob(of) => !near(x * f64::from(of.bins)),
        Encoding::Grid(of) => {
            let repeats = of.edge == Edge::Repeat;
            let axes = of.axes.iter().flatten().copied();
            let all =
                Axis { base_resolution: of.base_resolution, per_level_scale: of.per_level_scale };
            let mut sides = axes.chain([all]).flat_map(|axis| {
                let side = move |l: u32| {
                    f64::from(axis.base_resolution) * axis.per_level_scale.powi(l as i32)
                };
                (0..of.levels).map(move |l| match repeats {
                    true => side(l).round(),
                    false => side(l) - 1.0,
                })
            });
            inputs > 0 && sides.all(|side| !near(x * side + 0.5))
        }
        _ => true,
    })
}

/// Rows that are clear of kinks.
fn clear(encoding: &Encoding, inputs: usize, rows: usize, seed: u64) -> Vec<f64> {
    let drawn = places(40 * rows * inputs, seed);
    let rows_of = drawn.chunks(inputs).filter(|x| clear_of_kinks(encoding, inputs, x));
    let x: Vec<f64> = rows_of.take(rows).flatten().copied().collect();
    assert_eq!(x.len(), rows * inputs, "{encoding:?}");
    x
}

#[test]
fn input_gradients_of_all_sizes() {
    let mut jobs = Vec::new();
    let mut expected = Vec::new();
    for (i, (encoding, inputs)) in encodings().into_iter().enumerate() {
        for rows in [1, 3, 65, 130] {
            let models = 1 + (i + rows) % 3;
            let width = encoding.outputs(inputs);
            let mut x = clear(&encoding, inputs, models * rows, 5);
            if let Encoding::Grid(_) = encoding {
                with_some_beyond(&mut x, inputs);
            }
            let delta = numbers_f32(models * rows * width, 4);
            let gradient = Content::Unset(x.len());
            let name = format!("{encoding:?} of {models} × {rows} × {inputs}");
            let (slots, dispatch, values) = if let Encoding::Grid(of) = encoding {
                let size = Encoding::from(of).parameters(inputs);
                let tables = numbers_f32(models * size, 3);
                let kernel = EncodeGridGradient::new(of, inputs, models, rows).unwrap();
                let parts = x.chunks(rows * inputs).zip(delta.chunks(rows * width));
                let values: Vec<f64> = parts
                    .zip(tables.chunks(size))
                    .flat_map(|((x, delta), tables)| {
                        let [_, dx] = kernel.reference(&wide(tables), x, &wide(delta));
                        dx
                    })
                    .collect();
                let slots = vec![floats(&single(&x)), floats(&tables), floats(&delta), gradient];
                (slots, kernel.dispatch(), values)
            } else {
                let kernel = EncodePointwiseGradient::new(encoding, inputs, models, rows).unwrap();
                let slots = vec![floats(&single(&x)), floats(&delta), gradient];
                (slots, kernel.dispatch(), kernel.reference(&x, &wide(&delta)))
            };
            jobs.push(Job::new(name, dispatch.unwrap(), slots));
            expected.push(values);
        }
    }
    for ((job, slots), expected) in jobs.iter().zip(run(&jobs)).zip(expected) {
        let error = deviation(&as_floats(slots.last().unwrap()), &expected);
        assert!(error <= 4e-6, "{}: {error:e}", job.name);
    }
}

/// The corners' entries by the shader's own functions, against `Grid::entries`: every bit.
#[test]
fn hash_indices_are_the_same_bits_on_cpu_and_gpu() {
    let gpu = common::gpu();
    let fine = Grid {
        levels: 16,
        features_per_level: 2,
        log2_hashmap_size: 15,
        base_resolution: 16,
        per_level_scale: 1.5,
        ..Grid::default()
    };
    let steep = Grid {
        levels: 20,
        base_resolution: 2,
        per_level_scale: 1.9,
        log2_hashmap_size: 19,
        ..fine
    };
    let mut all =
        vec![fine, steep, small(4, Interpolation::Linear), small(4, Interpolation::Smoothstep)];
    let wraps = Grid { edge: Edge::Wrap, ..fine };
    let picture = Grid { axes: [None, Some(Axis::between(9, 540.0, 16)), None, None], ..wraps };
    let old = all.len();
    all.extend([
        wraps,
        picture,
        Grid { kind: GridKind::Tiled, ..steep },
        Grid { kind: GridKind::Tiled, levels: 9, ..picture },
    ]);
    all.extend(forms(2, Interpolation::Linear));
    for (i, grid) in all.into_iter().enumerate() {
        for inputs in 1..=4 {
            let rows = if i < old { 20_000 } else { 5_000 };
            let mut x = single(&places(rows * inputs, 8));
            // On corners and halfway between them, and the neighbours of those in f32.
            for (i, x) in x.iter_mut().enumerate().take(rows * inputs / 2) {
                let level = i as u32 % grid.levels;
                let side =
                    f64::from(grid.base_resolution) * grid.per_level_scale.powi(level as i32) - 1.0;
                let edge = (0.5 * (2.0 * side * f64::from(*x)).round() / side) as f32;
                let bits = edge.to_bits().wrapping_add(i as u32 / 7 % 3).wrapping_sub(1);
                *x = if edge > 0.0 { f32::from_bits(bits) } else { 0.0 };
            }
            x[..8].copy_from_slice(&[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, -4.0, 9.0]);
            let corners = 1_usize << inputs;
            let count = rows * grid.levels as usize * corners;
            let kernel = EncodeGrid::new(grid, inputs, 1, rows).unwrap();
            let text = kernel.dispatch().unwrap().wgsl();
            let text = format!(
                "{text}
                @group(0) @binding(4) var<storage, read_write> found: array<u32>;
                @compute @workgroup_size(64)
                fn entries(@builtin(global_invocation_id) id: vec3<u32>) {{
                    let row = id.x;
                    if (row >= {rows}u) {{ return; }}
                    let x = grid_point(row * {inputs}u);
                    for (var l = 0u; l < {levels}u; l++) {{
                        let level = grid_level(l);
                        for (var c = 0u; c < GRID_CORNERS; c++) {{
                            found[(row * {levels}u + l) * GRID_CORNERS + c] =
                                grid_entry(grid_cell(grid_to_unit(x), level) + grid_corner(c), level);
                        }}
                    }}
                }}",
                levels = grid.levels,
            );
            let found = entries_by_shader(gpu, &text, &x, count);
            let expected: Vec<u32> =
                x.chunks(inputs).flat_map(|x| grid.entries(x).unwrap()).collect();
            let wrong = found.iter().zip(&expected).filter(|(f, e)| f != e).count();
            assert_eq!(wrong, 0, "{grid:?} of {inputs}: {wrong} of {count}");
        }
    }
}

fn entries_by_shader(gpu: &wgrad::Gpu, text: &str, x: &[f32], count: usize) -> Vec<u32> {
    use wgpu::util::DeviceExt as _;
    let device = gpu.device();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("entries"),
        compilation_options: Default::default(),
        cache: None,
    });
    let inputs = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: bytemuck::cast_slice(x),
        usage: wgpu::BufferUsages::STORAGE,
    });
    let buffer = |usage| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 4 * count as u64,
            usage,
            mapped_at_creation: false,
        })
    };
    let found = buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
    let staging = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 1, resource: inputs.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 4, resource: found.as_entire_binding() },
        ],
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups((x.len() as u32).div_ceil(64), 1, 1);
    }
    encoder.copy_buffer_to_buffer(&found, 0, &staging, 0, 4 * count as u64);
    gpu.queue().submit([encoder.finish()]);
    staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let view = staging.get_mapped_range(..).unwrap();
    bytemuck::pod_collect_to_vec(&view)
}

#[test]
fn largest_magnitudes_of_all_sizes() {
    let mut jobs = Vec::new();
    let mut expected = Vec::new();
    for rows in SIZES {
        for (width, first, columns) in [(1, 0, 1), (5, 2, 3), (33, 1, 32)] {
            for groups in [1, 3] {
                let models = 2;
                let mut values = numbers_f32(first + models * rows * width, 9);
                for (bad, at) in [(f32::NAN, 0), (f32::NEG_INFINITY, 1), (0.5, 2)] {
                    // The second model's last element; beside the columns nothing counts.
                    let last = first + (models * rows - 1) * width + columns - 1;
                    values[last] = bad;
                    if at == 2 {
                        values.iter_mut().for_each(|v| *v *= 1e-30);
                    }
                    let of = |m: usize, row: usize| {
                        let begin = first + (m * rows + row) * width;
                        values[begin..(begin + columns).min(values.len())].to_vec()
                    };
                    let max_bits: Vec<u32> = (0..models)
                        .map(|m| {
                            let all: Vec<f32> = (0..rows).flat_map(|row| of(m, row)).collect();
                            MaxAbs::reference(&all)
                        })
                        .collect();
                    let kernel = MaxAbs { models, rows, width, first, columns, groups };
                    let name = format!("{kernel:?}, {bad}");
                    let mut padded = values.clone();
                    padded.resize(first + models * rows * width, 0.0);
                    let slots = vec![floats(&padded), Content::Unset(models * groups)];
                    jobs.push(Job::new(name, kernel.dispatch().unwrap(), slots));
                    expected.push((groups, max_bits));
                }
            }
        }
    }
    for ((job, slots), (groups, max_bits)) in jobs.iter().zip(run(&jobs)).zip(expected) {
        let found: Vec<u32> = slots[1].chunks(groups).map(|of| *of.iter().max().unwrap()).collect();
        assert_eq!(found, max_bits, "{}", job.name);
    }
}

/// Scatter and dequantize against the tables' gradient in f64, off by half a quantum a
/// contribution.
#[test]
fn table_gradients_of_all_sizes() {
    for (i, grid) in grids().into_iter().enumerate() {
        for inputs in [2, 3] {
            for (rows, scale) in [(1, 1.0), (3, 1e-30), (65, 1e30), (1000, 1.0), (4097, 1e-12)] {
                let models = 1 + (i + rows) % 3;
                let (width, tables) = (
                    grid.levels as usize * grid.features_per_level as usize,
                    Encoding::from(grid).parameters(inputs),
                );
                let mut x = places(models * rows * inputs, 5);
                with_some_beyond(&mut x, inputs);
                let delta: Vec<f32> =
                    numbers_f32(models * rows * width, 4).iter().map(|v| v * scale).collect();
                let max_bits: Vec<u32> =
                    delta.chunks(rows * width).map(MaxAbs::reference).collect();
                // As vec4 in every model, and as scalars.
                let all = tables + if rows % 2 == 0 { 12 } else { 11 };
                let name = format!("{grid:?}, {models} × {rows} × {inputs}, times {scale:e}");
                let sums = Content::Words(vec![0; 2 * models * tables]);
                let slots = vec![
                    floats(&single(&x)),
                    floats(&delta),
                    Content::Words(max_bits.clone()),
                    sums,
                ];
                let scatter = Scatter::new(grid, inputs, models, rows).unwrap();
                let hardware =
                    Capabilities { software: false, ..common::gpu().capabilities().clone() };
                let dispatches = scatter.dispatches(&hardware).unwrap();
                let job = Job { name: name.clone(), dispatches, slots };
                let sums = run(&[job])[0][3].clone();

                let precision = Precision::of(rows, inputs).unwrap();
                let dequantize = Dequantize {
                    models,
                    tables,
                    first: 8,
                    parameters: all,
                    precision,
                    marks: true,
                    adds: false,
                };
                let dispatch = dequantize.dispatch(common::gpu().capabilities()).unwrap();
                let status = Status { step: 7, ..Status::default() }.with_marks(models);
                let slots = vec![
                    Content::Words(max_bits.clone()),
                    Content::Words(sums.clone()),
                    Content::Unset(models * all),
                    Content::Words(status.clone()),
                ];
                let dequantized = &run(&[Job::new(&*name, dispatch, slots)])[0];
                assert!(dequantized[1].iter().all(|word| *word == 0), "{name}: not all is 0 again");
                assert_eq!(dequantized[3], status, "{name}");
                let kernel = EncodeGridGradient::new(grid, inputs, models, rows).unwrap();
                for m in 0..models {
                    let part = m * rows..(m + 1) * rows;
                    let [expected, _] = kernel.reference(
                        &vec![0.0; tables],
                        &x[part.start * inputs..part.end * inputs],
                        &wide(&delta[part.start * width..part.end * width]),
                    );
                    let found = &dequantized[2][m * all..(m + 1) * all];
                    let unset = |words: &[u32]| words.iter().all(|w| *w == common::UNSET);
                    assert!(unset(&found[..8]) && unset(&found[8 + tables..]), "{name}");
                    let found = as_floats(&found[8..8 + tables]);
                    // The second of two orders of evaluation: of what the words hold, exactly.
                    for (e, value) in found.iter().enumerate() {
                        let at = 2 * (m * tables + e);
                        let words = [sums[at], sums[at + 1]].map(|word| i64::from(word as i32));
                        let exact = precision.dequantize(words, max_bits[m]);
                        let error = (f64::from(*value) - exact).abs();
                        assert!(error <= 1.2e-7 * exact.abs() + 1e-44, "{name}: {value} {exact}");
                    }
                    let error = deviation(&found, &expected);
                    assert!(error <= 2e-6, "{name}: {error:e}");
                }
            }
        }
    }
}

/// All rows in one cell, with the largest magnitude: the sums come nearest to their words' ends.
#[test]
fn sums_in_one_entry_do_not_overflow() {
    for inputs in [2, 3] {
        // Many levels make large blocks of rows.
        for (levels, rows) in [(1, 4096), (1, 70_000), (32, 70_000)] {
            let grid = Grid {
                levels,
                features_per_level: 1,
                log2_hashmap_size: 3,
                base_resolution: 2,
                per_level_scale: 1.0,
                ..Grid::default()
            };
            for (sign, software) in [(1.0_f32, false), (-1.0, false), (1.0, true), (-1.0, true)] {
                // One corner takes all of it.
                let x = vec![0.5_f32; rows * inputs];
                let delta = vec![sign * 1.999_999_9; rows * levels as usize];
                let max_bits = MaxAbs::reference(&delta);
                let tables = Encoding::from(grid).parameters(inputs);
                let slots = vec![
                    floats(&x),
                    floats(&delta),
                    Content::Words(vec![max_bits]),
                    Content::Words(vec![0; 2 * tables]),
                ];
                let scatter = Scatter::new(grid, inputs, 1, rows).unwrap();
                let device = Capabilities { software, ..common::gpu().capabilities().clone() };
                let dispatches = scatter.dispatches(&device).unwrap();
                let name = "one entry".to_owned();
                let sums = &run(&[Job { name, dispatches, slots }])[0][3];
                let precision = Precision::of(rows, inputs).unwrap();
                let total: f64 = (0..tables)
                    .map(|e| {
                        let words =
                            [sums[2 * e], sums[2 * e + 1]].map(|word| i64::from(word as i32));
                        precision.dequantize(words, max_bits)
                    })
                    .sum();
                let expected = f64::from(delta[0]) * delta.len() as f64;
                let error = (total - expected).abs() / expected.abs();
                assert!(error <= 1e-6, "{inputs} {rows} {sign}: {total} for {expected}");
            }
        }
    }
}

/// The levels that hardware sums in workgroup memory have the sums of the others, to the last bit.
#[test]
fn coarse_levels_lose_no_contribution() {
    let own = common::gpu().capabilities();
    for features in [1, 2, 4, 8] {
        for inputs in [2, 3] {
            for (models, rows) in [(1, 1024), (3, 1025), (2, 4099), (1, 9001)] {
                let grid = small(features, Interpolation::Linear);
                let width = (grid.levels * features) as usize;
                let tables = Encoding::from(grid).parameters(inputs);
                let mut x = places(models * rows * inputs, 5);
                with_some_beyond(&mut x, inputs);
                // Most are small, so that both integers of a sum are in use.
                let mut delta = numbers_f32(models * rows * width, 4);
                delta
                    .iter_mut()
                    .enumerate()
                    .filter(|(i, _)| i % 7 > 0)
                    .for_each(|(_, v)| *v *= 1e-4);
                let max_bits = delta.chunks(rows * width).map(MaxAbs::reference).collect();
                let slots = vec![
                    floats(&single(&x)),
                    floats(&delta),
                    Content::Words(max_bits),
                    Content::Words(vec![0; 2 * models * tables]),
                ];
                let scatter = Scatter::new(grid, inputs, models, rows).unwrap();
                // Room for all levels, for some, for none.
                let ways = [(false, 16_384), (false, 160 * features.min(4)), (true, 16_384)];
                let mut sums = Vec::new();
                for (software, room) in ways {
                    let mut device = Capabilities { software, ..own.clone() };
                    device.limits.max_compute_workgroup_storage_size = room;
                    let dispatches = scatter.dispatches(&device).unwrap();
                    let expected = if software || room == 16_384 { 1 } else { 2 };
                    assert_eq!(dispatches.len(), expected);
                    let in_workgroup = |d: &Dispatch| d.wgsl().contains("var<workgroup>");
                    assert_eq!(in_workgroup(&dispatches[0]), !software);
                    let name = format!("{grid:?}, {models} × {rows} × {inputs}, {room}");
                    let job = Job { name, dispatches, slots: slots.clone() };
                    let low = Precision::of(rows, inputs).unwrap().low;
                    let total =
                        |of: &[u32]| (i64::from(of[1] as i32) << low) + i64::from(of[0] as i32);
                    sums.push(run(&[job])[0][3].chunks(2).map(total).collect::<Vec<_>>());
                }
                let [all, some, none] = &sums[..] else { unreachable!() };
                assert!(none.iter().filter(|sum| **sum != 0).count() > tables / 2);
                assert!(all == none && some == none, "{grid:?}, {models} × {rows} × {inputs}");
            }
        }
    }
}

#[test]
fn averages_of_all_sizes() {
    for decay in [0.0, 0.5, 0.99, 0.9999] {
        for elements in SIZES {
            let ema = Ema { elements, decay };
            let mut kept = vec![0.0_f32; elements];
            let mut expected = vec![0.0_f64; elements];
            for t in 1..=4_u32 {
                let values = numbers_f32(elements, t.into());
                let dispatch = ema.dispatch().unwrap();
                let slots = vec![
                    floats(&values),
                    Content::Words(Status { updates: t, ..Status::default() }.with_marks(1)),
                    floats(&kept),
                ];
                kept = as_floats(&run(&[Job::new("average", dispatch, slots)])[0][2]);
                ema.reference(t.into(), &wide(&values), &mut expected);
                for (kept, expected) in kept.iter().zip(&expected) {
                    let error = (f64::from(*kept) - expected).abs();
                    assert!(error <= 1e-6, "{decay} {elements} update {t}: {error:e}");
                }
            }
        }
    }
}

/// Tables are left where they got no gradient, and take no part in L1 and L2.
#[test]
fn updates_of_tables() {
    let (tables, parameters, models) = (24, 67, 2);
    for lazy in [false, true] {
        for padded in [false, true] {
            let adam = Adam { l1: 0.25, l2: 0.5, lazy, epsilon: 1e-15, ..Adam::default() };
            let optimizer = Optimizer::from(adam);
            let all = parameters * models;
            let update = Update {
                optimizer,
                parameters,
                models,
                rows: 4,
                batch: 4,
                tables,
                history: 4,
                scheduled: true,
                rates: &[],
                padded,
            };
            let dispatch = update.dispatch(common::gpu().capabilities()).unwrap();
            let mut gradient = numbers_f32(all, 1);
            gradient.iter_mut().step_by(3).for_each(|g| *g = 0.0);
            let values = numbers_f32(all, 2);
            let stride = update.state_stride();
            let states: Vec<f32> = numbers_f32(2 * stride, 3).iter().map(|v| v.abs()).collect();
            let schedule = Schedule::Exponential { base: 0.5, start: 3, interval: 2, end: 100 };
            let f = |v: f64| (v as f32).to_bits();
            let ln = |v: f64| f(v.ln());
            #[rustfmt::skip]
            let hyper = vec![
                f(1e-3), 0, f(0.9), f(0.1), ln(0.9), f(0.999), f(0.001), ln(0.999), f(1e-15), 0,
                f(0.25), f(0.5), 0, u32::from(lazy), ln(0.5), 3, 2, 100,
            ];
            // The eighth update, of step 7: three decays.
            let slots = vec![
                Content::Words(hyper),
                floats(&gradient),
                floats(&values),
                floats(&states),
                Content::Words(
                    Status { step: 7, updates: 8, ..Status::default() }.with_marks(models),
                ),
            ];
            let slots = if padded {
                let pad = |content: Content| match content {
                    Content::Words(mut words) if words.len() == all => {
                        words.resize(stride, 0);
                        Content::Words(words)
                    }
                    other => other,
                };
                slots.into_iter().map(pad).collect()
            } else {
                slots
            };
            let found = &run(&[Job::new(format!("{update:?}"), dispatch, slots)])[0];
            let optimizer = optimizer.at_rate(1e-3 * schedule.factor(7));
            let scheduled = Update { optimizer, ..update };
            assert_eq!(schedule.factor(7), 0.125);
            for m in 0..models {
                let part = m * parameters..(m + 1) * parameters;
                let mut expected = wide(&values[part.clone()]);
                let of = |first: usize| wide(&states[first + part.start..first + part.end]);
                let mut both = [of(0), of(stride)].concat();
                let gradient = wide(&gradient[part.clone()]);
                assert!(scheduled.reference(8, &gradient, &mut expected, &mut both));
                let found = as_floats(&found[2][part.clone()]);
                let error = deviation(&found, &expected);
                assert!(error <= 2e-6, "{update:?}: {error:e}");
                for (i, (found, before)) in found.iter().zip(&values[part]).enumerate() {
                    if i < tables && gradient[i] == 0.0 {
                        assert_eq!(lazy, found == before, "{update:?} element {i}");
                    }
                }
            }
        }
    }
}

// Whole networks.

/// Networks behind every encoding, and behind several at once.
fn networks() -> Vec<Mlp> {
    let end = |mlp: Mlp| mlp.layer(9, Activation::Tanh).layer(2, Activation::Identity);
    let one =
        |(encoding, inputs): (Encoding, usize)| end(Mlp::new(inputs).encode(inputs, encoding));
    let mut all: Vec<Mlp> = encodings().into_iter().map(one).collect();
    let g = small(2, Interpolation::Smoothstep);
    all.push(end(Mlp::new(6)
        .encode(3, TriangleWave { frequencies: 4 })
        .encode(2, OneBlob { bins: 5 })
        .encode(1, Identity::default())));
    all.push(end(Mlp::new(6)
        .encode(1, Identity::default())
        .encode(2, g)
        .encode(3, SphericalHarmonics { degree: 2 })));
    all.push(end(Mlp::new(5).encode(2, g).encode(3, small(4, Interpolation::Linear))));
    all.push(Mlp::new(2).encode(2, g).layer(1, Activation::Sigmoid));
    all
}

fn inputs_of(mlp: &Mlp, rows: usize, seed: u64) -> Vec<f64> {
    let drawn = places(400 * rows * mlp.inputs, seed);
    let fits = |row: &&[f64]| {
        let mut first = 0;
        mlp.encoding.iter().all(|part| {
            let x = &row[first..first + part.inputs];
            first += part.inputs;
            clear_of_kinks(&part.encoding, part.inputs, x)
        })
    };
    let x: Vec<f64> = drawn.chunks(mlp.inputs).filter(fits).take(rows).flatten().copied().collect();
    assert_eq!(x.len(), rows * mlp.inputs, "{mlp}");
    x
}

fn data(mlp: &Mlp, rows: usize, sets: usize) -> Data<f64> {
    let t = numbers(sets * rows * mlp.outputs(), 2).iter().map(|v| f64::from(*v as f32)).collect();
    let x = inputs_of(mlp, sets * rows, 1);
    Data::for_each_model_f64(sets, mlp.inputs, mlp.outputs(), x, t).unwrap()
}

/// Tables of a size that counts.
fn parameters(mlp: &Mlp, models: usize) -> wgrad::Parameters {
    let drawn = wgrad::Init::GlorotUniform.sample(mlp, models, 4).unwrap();
    let (p, tables) = (mlp.parameters(), mlp.encoding_parameters());
    let large = |(i, v): (usize, &f32)| if i % p < tables { 5e3 * v } else { *v };
    let values = drawn.values().iter().enumerate().map(large).collect();
    wgrad::Parameters::new(mlp.clone(), models, values).unwrap()
}

/// Table entries, layers and inputs, each by central differences.
#[test]
fn cpu_gradients_are_central_differences() {
    let losses = [Loss::HalfSquaredError, Loss::RelativeL2, Loss::Smape, Loss::Mape];
    for (i, mlp) in networks().into_iter().enumerate() {
        // The plain one for each network, the others in turn.
        for loss in [losses[0], losses[1 + i % 3]] {
            let training = Training::new(loss, Optimizer::sgd(0.1));
            let data = data(&mlp, 4, 1);
            let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
            cpu.set_parameters(&parameters(&mlp, 1).cast().unwrap()).unwrap();
            let (exact, of_inputs) = (cpu.gradients().unwrap(), cpu.input_gradient().unwrap());
            let tables = mlp.encoding_parameters();
            let central = cpu.numerical_gradient(FiniteDifference::Central).unwrap();
            let error = deviation(&central, &exact.values);
            assert!(error <= 1e-6, "{mlp}, {}: {error:e}", loss.name());
            // The tables by themselves: the layers' gradient may be larger.
            if tables > 0 {
                let error = deviation(&central[..tables], &exact.values[..tables]);
                assert!(error <= 1e-6, "{mlp}, {}, tables: {error:e}", loss.name());
            }
            if loss.detaches_denominator() {
                continue;
            }
            let loss_at = |x: Vec<f64>| {
                let moved = Data::new_f64(mlp.inputs, mlp.outputs(), x, data.t().to_vec()).unwrap();
                let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &moved).unwrap();
                cpu.set_parameters(&parameters(&mlp, 1).cast().unwrap()).unwrap();
                cpu.gradients().unwrap().losses[0]
            };
            let central: Vec<f64> = (0..data.x().len())
                .map(|i| {
                    let h = 1e-6;
                    let moved = |by: f64| {
                        let mut x = data.x().to_vec();
                        x[i] += by;
                        loss_at(x)
                    };
                    (moved(h) - moved(-h)) / (2.0 * h)
                })
                .collect();
            let error = deviation(&central, &of_inputs);
            assert!(error <= 1e-6, "{mlp}, {}, inputs: {error:e}", loss.name());
        }
    }
}

/// Every network under both strategies, one model and several, with shared and own data.
#[test]
fn gpu_gradients_are_the_cpus() {
    let gpu = common::gpu();
    for (i, mlp) in networks().into_iter().enumerate() {
        for strategy in [Strategy::Layered, Strategy::Fused] {
            for (models, sets, rows) in [(1, 1, 70), (3, 1, 33), (2, 2, 65)] {
                if (i + models) % 2 == 0 && models > 1 && i < 20 {
                    continue;
                }
                let data = data(&mlp, rows, sets);
                let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(0.1))
                    .models(models)
                    .strategy(strategy);
                let start = parameters(&mlp, models);
                let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
                cpu.set_parameters(&start.cast().unwrap()).unwrap();
                let mut trainer =
                    Trainer::new(gpu, &mlp, &training, &data.cast().unwrap()).unwrap();
                trainer.set_parameters(&start).unwrap();
                let (exact, of_inputs) = (cpu.gradients().unwrap(), cpu.input_gradient().unwrap());
                let what = format!("{mlp}, {}, {models} of {sets} × {rows}", strategy.name());
                // Twice: the sums in fixed point begin at 0 again.
                for _ in 0..2 {
                    let found = trainer.gradients().unwrap();
                    let error = deviation(&found.losses, &exact.losses);
                    assert!(error <= 1e-5, "{what}: loss {error:e}");
                    let error = deviation(&found.values, &exact.values);
                    assert!(error <= 1e-5, "{what}: gradient {error:e}");
                    let (p, tables) = (mlp.parameters(), mlp.encoding_parameters());
                    for m in 0..models {
                        let part = m * p..m * p + tables;
                        if tables > 0 {
                            let error = deviation(&found.values[part.clone()], &exact.values[part]);
                            assert!(error <= 1e-5, "{what}: tables {error:e}");
                        }
                    }
                }
                let error = deviation(&trainer.input_gradient().unwrap(), &of_inputs);
                assert!(error <= 1e-5, "{what}: inputs {error:e}");
                let x = inputs_of(&mlp, 45, 9);
                let y = trainer.predict(&single(&x)).unwrap();
                let error = deviation(&y, &cpu.predict(&x).unwrap());
                assert!(error <= 1e-5, "{what}: outputs {error:e}");
            }
        }
    }
}

/// A population of copies, each with its own tables.
#[test]
fn a_numerical_gradient_moves_tables_too() {
    let grid = small(2, Interpolation::Smoothstep);
    let mlp = Mlp::new(3)
        .encode(1, Identity::default())
        .encode(2, grid)
        .layer(5, Activation::Tanh)
        .layer(1, Activation::Identity);
    let data = data(&mlp, 20, 1);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1));
    let start = parameters(&mlp, 1);
    let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
    cpu.set_parameters(&start.cast().unwrap()).unwrap();
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data.cast().unwrap()).unwrap();
    gpu.set_parameters(&start).unwrap();
    let found = gpu.numerical_gradient(FiniteDifference::Central).unwrap();
    let error = deviation(&found, &cpu.gradients().unwrap().values);
    assert!(error <= 1e-2, "{error:e}");
    // Layers alone have health; tables do not hide it.
    let (of_gpu, of_cpu) = (gpu.health().unwrap(), cpu.health().unwrap());
    assert_eq!((of_gpu.layers.len(), of_cpu.layers.len()), (2, 2));
    for (gpu, cpu) in of_gpu.layers.iter().zip(&of_cpu.layers) {
        let epsilon = 1e-5 * cpu.gradient_norm;
        approx::assert_abs_diff_eq!(gpu.gradient_norm, cpu.gradient_norm, epsilon = epsilon);
    }
}

/// The whole of tiny-cuda-nn's recipe: lazy Adam with L2, decay, average, mini-batches.
fn recipe(strategy: Strategy) -> Training {
    let adam =
        Adam { rate: 1e-2, beta2: 0.99, epsilon: 1e-15, l2: 1e-4, lazy: true, ..Adam::default() };
    Training::new(Loss::RelativeL2, adam)
        .schedule(Schedule::Exponential { base: 0.7, start: 5, interval: 4, end: 20 })
        .ema(0.9)
        .batch(Batch::Shuffled { size: 24, seed: 3 })
        .strategy(strategy)
}

#[test]
fn trainings_are_the_cpus() {
    let grid = Grid {
        levels: 4,
        log2_hashmap_size: 8,
        base_resolution: 4,
        per_level_scale: 1.7,
        ..Grid::default()
    };
    let mlp =
        Mlp::new(2).encode(2, grid).layer(16, Activation::Relu).layer(3, Activation::Identity);
    for strategy in [Strategy::Layered, Strategy::Fused] {
        for models in [1, 2] {
            let data = data(&mlp, 100, 1);
            let training = recipe(strategy).models(models);
            let start = parameters(&mlp, models);
            let mut gpu =
                Trainer::new(common::gpu(), &mlp, &training, &data.cast().unwrap()).unwrap();
            let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
            gpu.restart(&start).unwrap();
            cpu.restart(&start.cast().unwrap()).unwrap();
            assert_eq!(gpu.ema_parameters().unwrap(), start, "before the first step");
            gpu.train(30).unwrap();
            cpu.train(30).unwrap();
            let what = format!("{} × {models}", strategy.name());
            let error = deviation(&gpu.losses().unwrap().values, &cpu.losses().unwrap().values);
            assert!(error <= 1e-4, "{what}: losses {error:e}");
            // Adam divides by a root of what is nearly 0 where a gradient is: no closer.
            let error =
                deviation(gpu.parameters().unwrap().values(), cpu.parameters().unwrap().values());
            assert!(error <= 1e-3, "{what}: parameters {error:e}");
            let averages = cpu.ema_parameters().unwrap();
            let error = deviation(gpu.ema_parameters().unwrap().values(), averages.values());
            assert!(error <= 1e-3, "{what}: averages {error:e}");
            assert_ne!(gpu.ema_parameters().unwrap(), gpu.parameters().unwrap());
        }
    }
}

#[test]
fn a_schedule_is_followed_by_every_strategy() {
    let mlp = Mlp::new(2).layer(5, Activation::Tanh).layer(1, Activation::Identity);
    for strategy in Strategy::ALL {
        let data = data(&mlp, 64, 1);
        let training =
            Training::new(Loss::MeanSquaredError, Adam { rate: 0.05, l2: 0.01, ..Adam::default() })
                .schedule(Schedule::Exponential { base: 0.5, start: 7, interval: 3, end: 30 })
                .strategy(*strategy);
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data.cast().unwrap()).unwrap();
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
        gpu.train(40).unwrap();
        cpu.train(40).unwrap();
        let error =
            deviation(gpu.parameters().unwrap().values(), cpu.parameters().unwrap().values());
        assert!(error <= 1e-5, "{}: {error:e}", strategy.name());
    }
}

#[test]
fn two_trainings_of_a_grid_have_the_same_bits() {
    let mlp = Mlp::new(3)
        .encode(
            3,
            Grid { log2_hashmap_size: 10, levels: 6, per_level_scale: 1.8, ..Grid::default() },
        )
        .layer(32, Activation::Relu)
        .layer(3, Activation::Identity);
    let data = data(&mlp, 3000, 1).cast().unwrap();
    for strategy in [Strategy::Layered, Strategy::Fused] {
        let training = recipe(strategy).batch(Batch::Shuffled { size: 1500, seed: 1 });
        let mut bits = None;
        for _ in 0..8 {
            let mut trainer = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
            trainer.train(20).unwrap();
            let values = [trainer.parameters().unwrap(), trainer.ema_parameters().unwrap()];
            let found: Vec<u32> =
                values.iter().flat_map(|p| p.values()).map(|v| v.to_bits()).collect();
            assert_eq!(*bits.get_or_insert(found.clone()), found, "{}", strategy.name());
        }
    }
}

#[test]
fn a_model_that_diverges_before_its_grid_is_named() {
    let gpu = common::gpu();
    let mlp = Mlp::new(2)
        .encode(2, small(2, Interpolation::Linear))
        .layer(8, Activation::Relu)
        .layer(1, Activation::Identity);
    for bad in [f32::NAN, f32::INFINITY] {
        for of_targets in [false, true] {
            let (mut x, mut t) = (single(&places(20, 1)), numbers_f32(10, 2));
            if of_targets {
                t[3] = bad;
            } else {
                x[7] = bad;
            }
            let buffer = |values: &[f32]| {
                use wgpu::util::DeviceExt as _;
                gpu.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: None,
                    contents: bytemuck::cast_slice(values),
                    usage: wgpu::BufferUsages::STORAGE,
                })
            };
            let (x, t) = (buffer(&x), buffer(&t));
            let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.01));
            let data = DataBuffers::new(DataShape::shared(10), x.slice(..), t.slice(..));
            let mut trainer = Trainer::with_buffers(gpu, &mlp, &training, data).unwrap();
            let before = trainer.parameters().unwrap();
            let error = trainer.train(3).unwrap_err();
            assert_eq!(error, Error::Diverged { model: 0, step: 0 }, "{bad} {of_targets}");
            assert_eq!(trainer.parameters().unwrap(), before);
        }
    }
}

#[test]
fn what_a_strategy_cannot_do_is_refused() {
    let plain = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity);
    let encoded = Mlp::new(2).encode(2, Identity::default()).layer(1, Activation::Identity);
    let resident =
        Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1)).strategy(Strategy::Resident);
    for (mlp, training, words) in [
        (&encoded, resident.clone(), "resident, with an encoding"),
        (&plain, resident.clone().ema(0.9), "resident, with an average"),
        (&plain, resident.clone().ema(1.0), "the decay of the parameters' average is 1"),
        (&plain, resident.ema(f64::NAN), "the decay of the parameters' average is NaN"),
    ] {
        let data = data(mlp, 10, 1).cast().unwrap();
        let result = Trainer::new(common::gpu(), mlp, &training, &data);
        let message = result.err().unwrap().to_string();
        assert!(message.contains(words), "{message}");
    }
    let data = data(&plain, 10, 1).cast().unwrap();
    let training = Training::new(Loss::RelativeL2, Optimizer::sgd(0.1));
    let mut trainer = Trainer::new(common::gpu(), &plain, &training, &data).unwrap();
    assert!(trainer.ema_parameters().unwrap_err().to_string().contains("Training::ema"));
    let message = trainer.numerical_gradient(FiniteDifference::Central).unwrap_err().to_string();
    assert!(message.contains("relative_l2"), "{message}");
}

/// Memory, buffers and bind groups, by wgpu's own counts.
#[test]
fn a_step_of_a_grid_is_known_before_and_allocates_nothing() {
    let gpu = wgrad::Gpu::new().unwrap();
    let mlp = Mlp::new(2)
        .encode(2, small(2, Interpolation::Linear))
        .layer(16, Activation::Relu)
        .layer(3, Activation::Identity);
    let data = data(&mlp, 50, 1).cast().unwrap();
    let training = recipe(Strategy::Layered);
    let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
    let names: Vec<_> =
        trainer.plan().step().iter().map(|node| node.dispatch.kernel().name).collect();
    let matmul = names.iter().find(|name| name.starts_with("matmul")).unwrap();
    let own: Vec<_> = names.iter().filter(|name| !name.starts_with("matmul")).copied().collect();
    #[rustfmt::skip]
    assert_eq!(own, [
        "gather", "encode_grid", "loss", "max_abs", "max_abs", "scatter", "dequantize", "reduce", "update",
        "ema",
    ], "{matmul}");
    assert!(trainer.buffer(Buffer::TableSums).is_some());
    let mut counts = |steps: u32| {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        trainer.record(&mut encoder, steps);
        gpu.queue().submit([encoder.finish()]);
        gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let hal = gpu.device().get_internal_counters().hal;
        [hal.buffers.read(), hal.bind_groups.read(), hal.buffer_memory.read()]
    };
    let few = counts(3);
    assert_eq!(counts(300), few);
}

/// sin(3x) cos(2y) on [−1, 1]² through a grid with that box is learnt as in the unit square.
#[test]
fn a_grid_learns_in_its_box() {
    let lay = |centre: f64, half: f64| {
        let points: Vec<[f64; 2]> =
            (0..1024).map(|i| [i % 32, i / 32].map(|k| (f64::from(k) - 15.5) / 15.5)).collect();
        let x = points.iter().flatten().map(|p| (centre + half * p) as f32).collect();
        let t = points.iter().map(|[x, y]| ((3.0 * x).sin() * (2.0 * y).cos()) as f32).collect();
        Data::new(2, 1, x, t).unwrap()
    };
    let loss_in = |lower: f32, upper: f32, data: &Data| {
        let grid = Grid {
            levels: 6,
            base_resolution: 4,
            per_level_scale: 1.5,
            log2_hashmap_size: 10,
            ..Grid::default().in_box([lower; 2], [upper; 2])
        };
        let mlp =
            Mlp::new(2).encode(2, grid).layer(16, Activation::Relu).layer(1, Activation::Identity);
        let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.02));
        let mut trainer = Trainer::new(common::gpu(), &mlp, &training, data).unwrap();
        trainer.train(200).unwrap();
        trainer.losses().unwrap().last()[0]
    };
    let unit = loss_in(0.0, 1.0, &lay(0.5, 0.5));
    assert!(unit <= 1e-4, "{unit:e}");
    for [centre, half] in [[0.0, 1.0], [40.0, 3.0], [-7.0, 1e-2]] {
        let (lower, upper) = ((centre - half) as f32, (centre + half) as f32);
        let loss = loss_in(lower, upper, &lay(centre, half));
        assert!(loss <= 1e-4, "{loss:e} in a box from {lower} to {upper}");
    }
}
