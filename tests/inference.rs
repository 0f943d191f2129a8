//! Evaluations in one dispatch: each quantity, storage and target against the CPU's f64.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::application::{application, floats, read, run};
use common::{deviation, expected, into_a_grid, numbers_f32};
use wgrad::encoding::{Frequency, Grid};
use wgrad::{
    Activation, CpuTrainer, Dataset, Error, Gpu, Init, Loss, Mlp, Model, Optimizer, Output,
    Parameters, Quantity, Rows, Storage, StraightThrough, TextureMips, Train, Trainer, Training,
};

const ALL: [Quantity; 3] = [Quantity::Outputs, Quantity::Slope, Quantity::SlopeLength];

/// What stands where nothing is written.
const OLD: f32 = -77.5;

fn record(gpu: &Gpu, inference: &wgrad::Inference) {
    run(gpu, |encoder| inference.record(encoder));
}

/// Parameters with tables that matter.
fn sampled(mlp: &Mlp, models: usize, seed: u64) -> Parameters {
    let drawn = Init::Auto.sample(mlp, models, seed).unwrap();
    let (p, tables) = (mlp.parameters(), mlp.encoding_parameters());
    let large = |(i, v): (usize, &f32)| if i % p < tables { 1e4 * v } else { *v };
    let values = drawn.values().iter().enumerate().map(large).collect();
    Parameters::new(mlp.clone(), models, values).unwrap()
}

/// The columns of a model's rows in f64: outputs, slope of their sum, its length.
fn columns(parameters: &Parameters, model: usize, x: &[f32]) -> Vec<f64> {
    let (inputs, outputs) = (parameters.mlp().inputs, parameters.mlp().outputs());
    let dy = vec![1.0; x.len() / inputs * outputs];
    let [y, slope] = expected(parameters, model, x, &dy);
    let rows = y.chunks(outputs).zip(slope.chunks(inputs));
    let length = |slope: &[f64]| slope.iter().map(|p| p * p).sum::<f64>().sqrt();
    rows.flat_map(|(y, slope)| [y, slope, &[length(slope)]].concat()).collect()
}

#[test]
fn quantities_of_every_storage_are_what_the_cpu_says() {
    let gpu = &application();
    let grid = Grid { levels: 3, log2_hashmap_size: 6, base_resolution: 3, ..Grid::default() };
    let large = Grid {
        levels: 1,
        features_per_level: 4,
        base_resolution: 17,
        log2_hashmap_size: 13,
        ..grid
    };
    let networks = [
        (Mlp::new(2).layer(8, Activation::Gelu).layer(1, Activation::Identity), 1),
        (Mlp::new(3).layer(7, Activation::Tanh).layer(3, Activation::Sigmoid), 3),
        (Mlp::new(2).encode(2, grid).layer(9, Activation::Silu).layer(2, Activation::Identity), 2),
        // Layers of one model, somewhere behind tables that no uniform buffer holds.
        (Mlp::new(3).encode(3, large).layer(9, Activation::Silu).layer(2, Activation::Identity), 1),
        // Loops: a layer that is not written out.
        (Mlp::new(3).layer(70, Activation::Sine).layer(1, Activation::Identity), 2),
        (
            Mlp::new(2)
                .encode(2, Frequency { frequencies: 2 })
                .layer_without_bias(5, Activation::Softplus)
                .layer(2, Activation::Identity),
            1,
        ),
    ];
    let tables = networks[3].0.encoding_parameters();
    assert!(tables > 1 << 14 && !tables.is_multiple_of(64), "{tables}");
    for (i, (mlp, models)) in (0..).zip(networks) {
        let rows = 130;
        let mut x = numbers_f32(rows * mlp.inputs, i);
        if !mlp.encoding.is_empty() {
            into_a_grid(&mut x);
        }
        let parameters = sampled(&mlp, models, i);
        let from = floats(gpu, &x);
        for storage in [Storage::F32, Storage::F16, Storage::Snorm8] {
            let packed = parameters.pack(storage).unwrap();
            let rounded = packed.parameters();
            let mut model = Model::packed(gpu, &packed).unwrap();
            let each = mlp.outputs() + mlp.inputs + 1;
            let y = floats(gpu, &vec![OLD; models * rows * each]);
            let to = Output::Buffer(y.slice(..));
            let inference = model.inference_of(&ALL, rows, from.slice(..), to).unwrap();
            assert_eq!(inference.dispatches(), 1);
            record(gpu, &inference);
            let wanted: Vec<f64> = (0..models).flat_map(|m| columns(&rounded, m, &x)).collect();
            let (mut of_outputs, mut of_slopes) = ((vec![], vec![]), (vec![], vec![]));
            for (found, wanted) in read(gpu, &y).chunks(each).zip(wanted.chunks(each)) {
                let (o, s) = found.split_at(mlp.outputs());
                of_outputs.0.extend_from_slice(o);
                of_slopes.0.extend_from_slice(s);
                let (o, s) = wanted.split_at(mlp.outputs());
                of_outputs.1.extend_from_slice(o);
                of_slopes.1.extend_from_slice(s);
            }
            for ((found, wanted), bound) in [(&of_outputs, 1e-6), (&of_slopes, 1e-5)] {
                let error = deviation(found, wanted);
                assert!(error <= bound, "{mlp} {storage:?}: {error:e}");
            }
            // What `predict` says of rows on the CPU is the same.
            let predicted = model.predict(&x).unwrap();
            let error = deviation(&predicted, &of_outputs.1);
            assert!(error <= 1e-6, "{mlp} {storage:?}: {error:e}");
            // A count on the GPU leaves the other rows alone.
            let taken = 71;
            let count = floats(gpu, &[f32::from_bits(taken as u32)]);
            let y = floats(gpu, &vec![OLD; models * rows * each]);
            let counted = Rows::counted(rows, count.slice(..));
            let to = Output::Buffer(y.slice(..));
            let inference = model.inference_of(&ALL, counted, from.slice(..), to).unwrap();
            record(gpu, &inference);
            for of_model in read(gpu, &y).chunks(rows * each) {
                let (some, none) = of_model.split_at(taken * each);
                assert!(some.iter().all(|v| *v != OLD) && none.iter().all(|v| *v == OLD), "{mlp}");
            }
        }
    }
}

fn texture(gpu: &Gpu, format: wgpu::TextureFormat, size: [u32; 3]) -> wgpu::Texture {
    gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: size[2] },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

/// The texels of a texture of f32, `[layers, rows, channels]`, of 64 rows in lines of 16.
fn texels(gpu: &Gpu, texture: &wgpu::Texture) -> Vec<f32> {
    let channels = texture.format().block_copy_size(None).unwrap() / 4;
    let layers = texture.depth_or_array_layers();
    // A line of 16 texels of 4 channels has 256 bytes; of fewer channels it is padded to that.
    let copy = floats(gpu, &vec![OLD; 64 * 4 * layers as usize]);
    let layout = wgpu::TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(256),
        rows_per_image: Some(4),
    };
    let to = wgpu::TexelCopyBufferInfo { buffer: &copy, layout };
    let size = texture.size();
    run(gpu, |encoder| encoder.copy_texture_to_buffer(texture.as_image_copy(), to, size));
    let lines = read(gpu, &copy);
    lines.chunks(64).flat_map(|line| line[..16 * channels as usize].to_vec()).collect()
}

/// Columns over several textures: of a network that is written out, and of one whose layers go one
/// after another.
#[test]
fn columns_fill_one_texture_after_the_other() {
    use wgpu::TextureFormat::{R32Float, Rg32Float, Rgba32Float};
    let gpu = &application();
    let (rows, size) = (64, |models: usize| [16, 4, models as u32]);
    for (hidden, models) in [(6, 2), (80, 2), (6, 1)] {
        let mlp = Mlp::new(3).layer(hidden, Activation::Tanh).layer(6, Activation::Identity);
        let parameters = sampled(&mlp, models, 5);
        let model = Model::new(gpu, &parameters).unwrap();
        let x = numbers_f32(rows * 3, 3);
        let from = floats(gpu, &x);
        for (quantities, formats) in [
            (&ALL[..1], &[R32Float, Rgba32Float, Rg32Float][..]),
            (&ALL[..1], &[Rgba32Float, Rgba32Float]),
            (&ALL, &[Rgba32Float, Rgba32Float, Rgba32Float]),
            (&ALL[1..2], &[Rgba32Float]),
        ] {
            let textures: Vec<_> =
                formats.iter().map(|format| texture(gpu, *format, size(models))).collect();
            let textures: Vec<_> = textures.iter().collect();
            let to = Output::Textures(&textures);
            record(gpu, &model.inference_of(quantities, rows, from.slice(..), to).unwrap());
            let begin = if quantities[0] == Quantity::Slope { 6 } else { 0 };
            let count: usize = match quantities.len() {
                3 => 10,
                _ if begin == 6 => 3,
                _ => 6,
            };
            let mut next = begin;
            for texture in &textures {
                let found = texels(gpu, texture);
                let channels = found.len() / (models * rows);
                let mut wanted = Vec::new();
                for m in 0..models {
                    for row in columns(&parameters, m, &x).chunks(10) {
                        wanted.extend((0..channels).map(|c| match next + c < begin + count {
                            true => row[next + c],
                            false => f64::from(u8::from(c == 3)),
                        }));
                    }
                }
                next += channels;
                let error = deviation(&found, &wanted);
                assert!(error <= 1e-5, "{mlp} {formats:?}: {error:e}");
            }
        }
    }
}

/// Parameters in a buffer of the application's that ends inside of a vector of four.
#[test]
fn parameters_of_any_length_are_read() {
    let gpu = &application();
    let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity);
    let training = Training::new(Loss::OutputGradient, Optimizer::sgd(0.1)).models(3);
    let trainer = Trainer::without_data(gpu, &mlp, &training).unwrap();
    let parameters = sampled(&mlp, 3, 1);
    let own = floats(gpu, parameters.values());
    assert_ne!(own.size() % 16, 0);
    let x = numbers_f32(2 * 50, 1);
    let (from, y) = (floats(gpu, &x), floats(gpu, &[OLD; 3 * 50 * 4]));
    let to = Output::Buffer(y.slice(..));
    let inference = trainer.inference_of(&ALL, own.slice(..), 50, from.slice(..), to).unwrap();
    record(gpu, &inference);
    let wanted: Vec<f64> = (0..3).flat_map(|m| columns(&parameters, m, &x)).collect();
    let error = deviation(&read(gpu, &y), &wanted);
    assert!(error <= 1e-5, "{error:e}");
}

/// Parameters in the middle of a buffer of the application's, whose layers a uniform buffer holds, to the
/// last of its words and one too few of them.
#[test]
fn layers_are_found_in_a_slice() {
    let gpu = &application();
    let grid = Grid { levels: 2, base_resolution: 90, log2_hashmap_size: 13, ..Grid::default() };
    let mlp = Mlp::new(2).encode(2, grid).layer(7, Activation::Tanh);
    let mlp = mlp.layer_without_bias(1, Activation::Identity);
    let training = Training::new(Loss::OutputGradient, Optimizer::sgd(0.1));
    let trainer = Trainer::without_data(gpu, &mlp, &training).unwrap();
    let parameters = sampled(&mlp, 1, 1);
    let tables = mlp.encoding_parameters();
    assert!(tables > 16_384 && !tables.is_multiple_of(64) && !mlp.parameters().is_multiple_of(4));
    let mut x = numbers_f32(2 * 50, 1);
    into_a_grid(&mut x);
    let from = floats(gpu, &x);
    for before in [0, 64, 6400] {
        for behind in [0, 1, 2, 3, 4] {
            let mut all = vec![f32::NAN; before];
            all.extend(parameters.values());
            all.resize(all.len() + behind, f32::NAN);
            let own = gpu.buffer("the application's", 4 * all.len() as u64).unwrap();
            gpu.queue().write_buffer(&own, 0, bytemuck::cast_slice(&all));
            let y = floats(gpu, &[OLD; 50 * 4]);
            let (slice, to) = (own.slice(4 * before as u64..), Output::Buffer(y.slice(..)));
            let inference = trainer.inference_of(&ALL, slice, 50, from.slice(..), to).unwrap();
            assert_eq!(inference.dispatches(), 1);
            record(gpu, &inference);
            let error = deviation(&read(gpu, &y), &columns(&parameters, 0, &x));
            assert!(error <= 1e-5, "{before}, {behind}: {error:e}");
        }
    }
}

/// A texture of the bytes, with all its mip levels.
fn sampled_texture(gpu: &Gpu, of: &TextureMips) -> wgpu::TextureView {
    let extent = |side| wgpu::Extent3d { width: side, height: side, depth_or_array_layers: 1 };
    let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: extent(of.side),
        mip_level_count: of.mips.len() as u32,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: match of.channels {
            1 => wgpu::TextureFormat::R8Unorm,
            2 => wgpu::TextureFormat::Rg8Unorm,
            _ => wgpu::TextureFormat::Rgba8Unorm,
        },
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    for (level, bytes) in (0..).zip(&of.mips) {
        let side = of.side >> level;
        let to = wgpu::TexelCopyTextureInfo { mip_level: level, ..texture.as_image_copy() };
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(of.channels * side),
            rows_per_image: None,
        };
        gpu.queue().write_texture(to, bytes, layout, extent(side));
    }
    texture.create_view(&Default::default())
}

/// An exported function that samples textures, beside what the same bytes predict: at the middles of
/// texels, where the filter has nothing to mix but levels, and anywhere.
#[test]
fn latent_textures_are_what_predict_says() {
    let gpu = &application();
    let mlp = Mlp::new(3)
        .encode(3, Grid::texture(16, 8))
        .encode_at(0, 3, Grid::texture(4, 4).from_lod(2.0))
        .encode_at(0, 3, Grid::texture(8, 2).from_lod(1.0))
        .encode_at(0, 3, Grid::texture(8, 1).from_lod(1.0))
        .layer(9, Activation::Gelu)
        .layer(2, Activation::Identity);
    let packed = sampled(&mlp, 2, 4).pack(Storage::Snorm8).unwrap();
    let model = packed.parameters().model(1).unwrap();
    let rows = 400;
    let mut x = numbers_f32(3 * rows, 8);
    for (i, row) in x.chunks_mut(3).enumerate() {
        // Beyond the first period and the last levels, too.
        row.iter_mut().take(2).for_each(|v| *v = 0.5 + 0.5 * *v);
        row[2] = 2.0 + 4.0 * row[2];
        if i < rows / 2 {
            row[2] = row[2].floor().max(0.0);
            let side = 16.0 / row[2].min(4.0).exp2();
            row.iter_mut().take(2).for_each(|v| *v = ((*v * side).floor() + 0.5) / side);
        }
    }
    let mut both = Vec::new();
    for storage in [Storage::Snorm8, Storage::F32] {
        let y = floats(gpu, &vec![OLD; 2 * rows]);
        let layers = packed.without_tables(storage).unwrap();
        let all = [layers.len(), packed.bytes().len()];
        assert!(all[0].is_multiple_of(16) && all[0] < all[1], "{all:?}");
        let function = packed.wgsl("look").model(1).textures(0, 1).storage(storage);
        let function = if storage == Storage::F32 { function.uniform() } else { function };
        let text = function.text().unwrap();
        let shader = format!(
            "{text}
            @group(0) @binding(7) var<storage, read> test_x: array<f32>;
            @group(0) @binding(8) var<storage, read_write> test_y: array<f32>;
            @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                if (id.x >= {rows}u) {{ return; }}
                let at = 3u * id.x;
                let y = look(array<f32, 3>(test_x[at], test_x[at + 1u], test_x[at + 2u]));
                test_y[2u * id.x] = y[0];
                test_y[2u * id.x + 1u] = y[1];
            }}"
        );
        common::leave_shader(&format!("latent_textures_{storage:?}"), &shader);
        let device = gpu.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(shader.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            address_mode_u: wgpu::AddressMode::Repeat,
            address_mode_v: wgpu::AddressMode::Repeat,
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            mipmap_filter: wgpu::MipmapFilterMode::Linear,
            ..Default::default()
        });
        let views: Vec<_> =
            packed.textures(1).unwrap().iter().map(|of| sampled_texture(gpu, of)).collect();
        let channels: Vec<_> = packed.textures(1).unwrap().iter().map(|of| of.channels).collect();
        assert_eq!(channels, [4, 4, 4, 2, 1]);
        let from = floats(gpu, &x);
        let buffer = gpu.buffer("layers", layers.len() as u64).unwrap();
        gpu.queue().write_buffer(&buffer, 0, &layers);
        let mut resources = vec![buffer.as_entire_binding()];
        resources.extend(views.iter().map(wgpu::BindingResource::TextureView));
        resources.push(wgpu::BindingResource::Sampler(&sampler));
        resources.extend([from.as_entire_binding(), y.as_entire_binding()]);
        let entries: Vec<_> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        run(gpu, |encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(rows.div_ceil(64) as u32, 1, 1);
        });
        let found = read(gpu, &y);
        let wanted: Vec<f64> = model.predict(&x).unwrap().iter().map(|v| f64::from(*v)).collect();
        let (middles, anywhere) = found.split_at(rows);
        let (of_middles, of_anywhere) = wanted.split_at(rows);
        let error = deviation(middles, of_middles);
        assert!(error <= 1e-2, "at the middles of texels: {error:e}");
        let error = deviation(anywhere, of_anywhere);
        assert!(error <= 2e-2, "anywhere: {error:e}");
        println!("anywhere {error:e}");
        both.push(found);
    }
    // The rounding of the layers is shared.
    let halves: Vec<f64> = both[0].iter().map(|v| f64::from(*v)).collect();
    let error = deviation(&both[1], &halves);
    assert!(error <= 1e-6, "layers in f32: {error:e}");
}

/// Each step from what the storage leaves, on the GPU as on the CPU; what is left in the end is packed without
/// another rounding.
#[test]
fn a_training_knows_its_storage() {
    let grid = Grid { levels: 3, log2_hashmap_size: 6, ..Grid::default() };
    let grid = grid.in_box([-4.0; 2], [4.0; 2]);
    let mlp = Mlp::new(2).encode(2, grid).layer(8, Activation::Tanh);
    let mlp = mlp.layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.01)).seed(2);
    let data = Dataset::Moons.sample(90, 1).unwrap();
    for storage in [Storage::F16, Storage::Snorm8] {
        let round = |exact: &Parameters| Ok(exact.pack(storage)?.parameters());
        let mut trainers: [Box<dyn Train<Scalar = f32>>; 2] = [
            Box::new(Trainer::new(&application(), &mlp, &training, &data).unwrap()),
            Box::new(CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap()),
        ];
        let losses = trainers.each_mut().map(|trainer| {
            let trainer = trainer.as_mut();
            let mut exact = StraightThrough::new(trainer).unwrap();
            (0..30).for_each(|_| exact.train(trainer, 1, round).unwrap());
            exact.finish(trainer, round).unwrap();
            let last = trainer.parameters().unwrap();
            assert_eq!(last.pack(storage).unwrap().parameters(), last);
            trainer.losses().unwrap().values
        });
        assert_eq!(losses[0].len(), 30);
        let exact: Vec<f64> = losses[1].iter().map(|v| f64::from(*v)).collect();
        let error = deviation(&losses[0], &exact);
        assert!(error <= 1e-3, "{storage:?}: {error:e}");
        assert!(losses[0][29] < 0.9 * losses[0][0], "{storage:?} learns");
    }
}

#[test]
fn what_no_texture_holds_is_refused() {
    let of = |grid: Grid, inputs| Mlp::new(inputs).encode(inputs, grid).layer(2, Activation::Relu);
    let mlp = of(Grid::texture(8, 4), 3);
    let packed = |mlp: &Mlp, storage| sampled(mlp, 1, 1).pack(storage).unwrap();
    let bytes = packed(&mlp, Storage::Snorm8);
    for (result, words) in [
        (packed(&mlp, Storage::F16).textures(0).map(drop), "the storage of textures is F16"),
        (
            packed(&mlp, Storage::F32).without_tables(Storage::F32).map(drop),
            "the storage of textures is F32",
        ),
        (bytes.textures(1).map(drop), "the model of the textures is 1"),
        (
            packed(&of(Grid { levels: 2, ..Grid::default() }, 2), Storage::Snorm8)
                .textures(0)
                .map(drop),
            "a grid is without mip levels",
        ),
        (
            bytes.wgsl("f").gradient().textures(0, 1).text().map(drop),
            "the gradient of a WGSL function that samples textures",
        ),
        (of(Grid::texture(8, 4), 2).check(), "the inputs of an encoding grid with mip levels is 2"),
        (of(Grid::texture(12, 4), 3).check(), "the side of an encoding grid with mip levels is 12"),
        (
            of(Grid { levels: 5, ..Grid::texture(8, 4) }, 3).check(),
            "the levels of an encoding grid with mip levels is 5",
        ),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with(words), "{message}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    use wgpu::TextureFormat::{R32Float, Rgba32Float};
    let gpu = &application();
    let mlp = Mlp::new(3).layer(4, Activation::Tanh).layer(6, Activation::Identity);
    let model = Model::new(gpu, &sampled(&mlp, 1, 5)).unwrap();
    let from = floats(gpu, &[0.0; 3 * 64]);
    let make = |format, width| texture(gpu, format, [width, 64 / width, 1]);
    let message = |quantities: &[Quantity], textures: &[&wgpu::Texture]| {
        let to = Output::Textures(textures);
        let made = model.inference_of(quantities, 64, from.slice(..), to).map(|_| ());
        match made {
            Err(Error::Argument { what, found, allowed }) => format!("{what} {found} {allowed}"),
            other => panic!("{other:?}"),
        }
    };
    let many: Vec<_> = (0..5).map(|_| make(R32Float, 16)).collect();
    let five: Vec<_> = many.iter().collect();
    let other = make(Rgba32Float, 16);
    let (four, one, tall) = (make(Rgba32Float, 16), make(R32Float, 16), make(Rgba32Float, 8));
    for (quantities, textures, words) in [
        (&ALL[..0], &[&four][..], "the columns of an inference 0"),
        (&ALL[..1], &[], "the textures of the outputs 0"),
        (&ALL[..1], &[&four], "the columns of an inference into textures 6 1 to 4"),
        (&ALL[..1], &[&four, &other, &one], "the columns of an inference into textures 6 9 to 9"),
        (&ALL[..1], &five, "the textures of an inference 5 at most 4"),
        (&ALL[..1], &[&four, &four], "the textures of the outputs one twice"),
        (&ALL[..1], &[&four, &tall], "the width of a texture of the outputs 8"),
    ] {
        let found = message(quantities, textures);
        assert!(found.starts_with(words), "{found}");
    }
    // A slope is one dispatch: it cannot read and write one buffer.
    let both = floats(gpu, &[0.0; 4096]);
    let to = Output::Buffer(both.slice(1024..));
    let error = model.inference_of(&ALL, 4, both.slice(..), to).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("which one dispatch reads and writes"), "{error}");
}
