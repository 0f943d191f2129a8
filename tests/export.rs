//! Networks as WGSL functions: valid in every stage, and equal to `predict` and to the CPU's
//! gradient in compute and fragment shaders.
//!
//! With `WGRAD_EXPORT_DIR=DIR` the cases that ran are left in `DIR/cases.json`, for
//! `tests/web/export.mjs`: the same in a browser.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{deviation, expected, into_a_grid, numbers, numbers_f32};
use serde_json::json;
use std::fmt::Write as _;
use std::num::NonZero;
use std::ops::Range;
use std::sync::{Mutex, OnceLock};
use wgrad::encoding::{
    Axis, Edge, Frequency, Grid, GridKind, Identity, Interpolation, OneBlob, SphericalHarmonics,
    TriangleWave,
};
use wgrad::{
    Activation, Gpu, Init, MAX_WRITTEN_OUT, Mlp, Model, Parameters, Storage, WgslFunction,
};

/// The crate's activations, and one of the application's own.
fn activations() -> impl Iterator<Item = Activation> {
    Activation::ALL.iter().copied().chain([common::rational().into()])
}

/// Rows of a case.
const ROWS: usize = 37;

/// The text with an entry point of each stage that calls what it defines.
fn in_every_stage(text: &str, mlp: &Mlp, name: &str, gradient: bool, model: &str) -> String {
    let (inputs, outputs) = (mlp.inputs, mlp.outputs());
    // The names of this text are none that a network may have.
    let dy = if outputs > 1 { ", dy__" } else { "" };
    let derived = if gradient {
        format!("let dy__ = array<f32, {outputs}>(); let g__ = {name}_gradient(x__{dy}{model});")
    } else {
        "let g__ = x__;".into()
    };
    let body = format!(
        "var x__: array<f32, {inputs}>; x__[0] = v__; let y__ = {name}(x__{model}); {derived} let s__ = y__[0] + g__[0];"
    );
    format!(
        "{text}\n
        @vertex fn v__(@builtin(vertex_index) i__: u32) -> @builtin(position) vec4<f32> {{ let v__ = f32(i__); {body} return vec4<f32>(s__); }}
        @fragment fn f__(@builtin(position) p__: vec4<f32>) -> @location(0) vec4<f32> {{ let v__ = p__.x; {body} return vec4<f32>(s__); }}
        @compute @workgroup_size(1) fn c__(@builtin(global_invocation_id) id__: vec3<u32>) {{ let v__ = f32(id__.x); {body} _ = s__; }}"
    )
}

fn validate(text: &str) -> naga::Module {
    let module = naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|e| panic!("{}\n{text}", e.emit_to_string(text)));
    use naga::valid::Capabilities;
    let capabilities = Capabilities::SHADER_FLOAT16 | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
    validator.validate(&module).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    module
}

/// Whether every name that the module defines outside of functions is the function's or one of its
/// documented helpers.
fn assert_own_names(module: &naga::Module, name: &str) {
    let own = ["", "_gradient", "_parameters"].map(|ending| format!("{name}{ending}"));
    let prefix = format!("{name}__");
    let functions = module.functions.iter().filter_map(|(_, f)| f.name.clone());
    let globals = module.global_variables.iter().filter_map(|(_, v)| v.name.clone());
    let types = module.types.iter().filter_map(|(_, t)| t.name.clone());
    let constants = module.constants.iter().filter_map(|(_, c)| c.name.clone());
    for found in functions.chain(globals).chain(types).chain(constants) {
        assert!(own.contains(&found) || found.starts_with(&prefix), "{found}");
    }
}

#[test]
fn every_form_is_valid_in_every_stage() {
    for activation in activations() {
        for widths in [&[3][..], &[4, 8], &[5, 64, 1], &[7, MAX_WRITTEN_OUT + 1, 6]] {
            let mlp = widths.iter().fold(Mlp::new(3), |mlp, w| mlp.layer(*w, activation));
            let drawn = Init::Auto.sample(&mlp, 1, 1).unwrap();
            let baked = mlp.layers.iter().all(|layer| layer.units <= MAX_WRITTEN_OUT);
            let bound = mlp.wgsl("net").binding(2, 3);
            let uniform = baked.then(|| bound.clone().uniform());
            let kinds = [Some(bound), uniform, baked.then(|| drawn.wgsl("net"))];
            for function in kinds.into_iter().flatten() {
                for f16 in [false, true] {
                    let function = if f16 { function.clone().f16() } else { function.clone() };
                    let plain = validate(&function.text().unwrap());
                    assert_own_names(&plain, "net");
                    let both = function.gradient().text().unwrap();
                    assert_eq!(both.starts_with("enable f16;"), f16);
                    assert_own_names(&validate(&both), "net");
                    validate(&in_every_stage(&both, &mlp, "net", true, ""));
                }
            }
            let any = mlp.wgsl("net").any_model().gradient().text().unwrap();
            validate(&in_every_stage(&any, &mlp, "net", true, ", 1u"));
        }
    }
}

/// The words that naga knows: the keywords and reserved words of WGSL, and what it predeclares.
fn words() -> impl Iterator<Item = &'static str> {
    use naga::keywords::wgsl::{BUILTIN_IDENTIFIERS, RESERVED};
    RESERVED.iter().chain(BUILTIN_IDENTIFIERS).copied()
}

#[test]
fn a_word_of_wgsl_is_no_function_name_and_every_other_name_compiles() {
    let mlp = Mlp::new(2).layer(3, Activation::Gelu).layer(2, Activation::Sigmoid);
    for word in words() {
        let message = mlp.wgsl(word).text().unwrap_err().to_string();
        assert!(message.contains("no word of WGSL"), "{word}: {message}");
    }
    // Names of the attributes and built-in values are free, as are those that the text uses inside.
    let context = "align binding builtin compute fragment group id location size vertex position \
                   vertex_index frag_depth sample_mask flat linear center sample error warning info \
                   off x y z w xy rgba x0 y0_0 dx dy model base sum result i j k f32_ _f f_16 vec5";
    let mut names: Vec<String> = context.split_whitespace().map(str::to_owned).collect();
    let mut state = 1_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let words: Vec<_> = words().collect();
    let letters: Vec<_> = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(['_']).collect();
    for _ in 0..600 {
        let mut name = words[random(words.len())].to_owned();
        if random(2) == 0 {
            name.clear();
        }
        (0..1 + random(4)).for_each(|_| name.push(letters[random(letters.len())]));
        names.push(name);
    }
    let mut accepted = 0;
    for name in &names {
        if let Ok(text) = mlp.wgsl(name).gradient().text() {
            let text = in_every_stage(&text, &mlp, name, true, "");
            common::leave_shader(&format!("function_{name}"), &text);
            let module = validate(&text);
            assert!(module.functions.iter().any(|(_, f)| f.name.as_ref() == Some(name)), "{name}");
            accepted += 1;
        }
    }
    assert!(accepted >= 300, "{accepted} of {}", names.len());
}

#[test]
fn two_functions_that_are_accepted_fit_in_one_module() {
    let mlp = Mlp::new(2).encode(2, Grid { levels: 2, ..Grid::default() });
    let mlp = mlp.layer(4, Activation::Gelu).layer(1, Activation::Sigmoid);
    // The names of one export, some of another, and what they could clash with.
    let names = [
        "f",
        "f_gradient",
        "f_parameters",
        "f__part0_grid_value",
        "f_part0_grid_value",
        "f_part0",
        "f_gelu_value",
        "f_",
        "f__",
        "f_g",
        "gelu_value",
        "grid_value",
        "GridLevel",
        "base",
    ];
    let texts: Vec<_> = names
        .iter()
        .zip(0..)
        .filter_map(|(name, i)| mlp.wgsl(name).binding(0, i).gradient().text().ok())
        .collect();
    assert_eq!(texts.len(), names.len() - 5);
    common::leave_shader("functions", &texts.join("\n"));
    validate(&texts.join("\n"));
}

#[test]
fn two_networks_fit_in_one_module() {
    let mlp = Mlp::new(2).layer(4, Activation::Gelu).layer(1, Activation::Sigmoid);
    let near = mlp.wgsl("near").binding(0, 0).gradient().text().unwrap();
    let far = mlp.wgsl("far").binding(0, 1).text().unwrap();
    let both = validate(&format!("{near}\n{far}"));
    let bound: Vec<_> = both
        .global_variables
        .iter()
        .filter_map(|(_, v)| v.binding.map(|b| (b.group, b.binding)))
        .collect();
    assert_eq!(bound, [(0, 0), (0, 1)]);
}

/// A function and its gradient, run over rows: outputs and gradients, `[rows, outputs + inputs]`.
struct Case<'a> {
    name: String,
    text: String,
    /// The calls of the function and of its gradient; empty where there is none.
    calls: [String; 2],
    /// The content of the buffer, and the bytes of it that are bound once more where the layers lie apart.
    parameters: &'a [u32],
    layers: Range<u64>,
    x: &'a [f32],
    inputs: usize,
    dy: &'a [f32],
    outputs: usize,
}

fn log() -> &'static Mutex<Vec<serde_json::Value>> {
    static LOG: OnceLock<Mutex<Vec<serde_json::Value>>> = OnceLock::new();
    LOG.get_or_init(Mutex::default)
}

impl Case<'_> {
    const fn width(&self) -> usize {
        self.outputs + self.inputs
    }

    /// Reads a row's arguments and calls the function.
    fn body(&self, row: &str) -> String {
        let Self { inputs, outputs, calls: [value, gradient], .. } = self;
        let mut body = format!(
            "var x: array<f32, {inputs}>; var dy: array<f32, {outputs}>;
            for (var i = 0u; i < {inputs}u; i++) {{ x[i] = test_x[{row} * {inputs}u + i]; }}
            for (var i = 0u; i < {outputs}u; i++) {{ dy[i] = test_dy[{row} * {outputs}u + i]; }}"
        );
        let gradient = match gradient.as_str() {
            "" => format!("array<f32, {inputs}>()"),
            call => call.to_owned(),
        };
        let _ = write!(body, "var y = {value}; var g = {gradient};");
        body
    }

    fn compute(&self) -> String {
        format!(
            "{}
            @group(0) @binding(2) var<storage, read> test_x: array<f32>;
            @group(0) @binding(3) var<storage, read> test_dy: array<f32>;
            @group(0) @binding(4) var<storage, read_write> test_y: array<f32>;
            @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                if (id.x >= {ROWS}u) {{ return; }}
                {}
                for (var i = 0u; i < {o}u; i++) {{ test_y[id.x * {w}u + i] = y[i]; }}
                for (var i = {o}u; i < {w}u; i++) {{ test_y[id.x * {w}u + i] = g[i - {o}u]; }}
            }}",
            self.text,
            self.body("id.x"),
            w = self.width(),
            o = self.outputs
        )
    }

    /// Row r, values 4 c to 4 c + 3 in texel (r, c).
    fn fragment(&self) -> String {
        format!(
            "{}
            @group(0) @binding(2) var<storage, read> test_x: array<f32>;
            @group(0) @binding(3) var<storage, read> test_dy: array<f32>;
            @vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> {{
                return vec4<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
            }}
            @fragment fn main(@builtin(position) p: vec4<f32>) -> @location(0) vec4<f32> {{
                let row = u32(p.x);
                let first = u32(p.y) * 4u;
                {}
                var texel = vec4<f32>();
                for (var i = 0u; i < 4u; i++) {{
                    let at = first + i;
                    if (at < {o}u) {{ texel[i] = y[at]; }} else if (at < {w}u) {{ texel[i] = g[at - {o}u]; }}
                }}
                return texel;
            }}",
            self.text,
            self.body("row"),
            w = self.width(),
            o = self.outputs
        )
    }

    fn buffers(&self, gpu: &Gpu) -> [wgpu::Buffer; 3] {
        let words = bytemuck::cast_slice;
        [self.parameters, words(self.x), words(self.dy)].map(|values| {
            let mut values = values.to_vec();
            values.resize(values.len().next_multiple_of(4), 0);
            let buffer = gpu.buffer("test", 4 * values.len() as u64).unwrap();
            gpu.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(&values));
            buffer
        })
    }

    fn in_compute(&self, gpu: &Gpu) -> Vec<f32> {
        let device = gpu.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(&self.name),
            source: wgpu::ShaderSource::Wgsl(self.compute().into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&self.name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let results = gpu.buffer("results", (4 * ROWS * self.width()) as u64).unwrap();
        let group = self.group(gpu, &pipeline.get_bind_group_layout(0), Some(&results));
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        }
        let bytes = read(gpu, encoder, |encoder, staging| {
            encoder.copy_buffer_to_buffer(&results, 0, staging, 0, results.size());
            results.size()
        });
        bytes[..ROWS * self.width()].to_vec()
    }

    fn in_fragment(&self, gpu: &Gpu) -> Vec<f32> {
        let device = gpu.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(&self.name),
            source: wgpu::ShaderSource::Wgsl(self.fragment().into()),
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some(&self.name),
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("corner"),
                compilation_options: Default::default(),
                buffers: &[],
            },
            primitive: Default::default(),
            depth_stencil: None,
            multisample: Default::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                targets: &[Some(wgpu::TextureFormat::Rgba32Float.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let (wide, high) = (ROWS as u32, self.width().div_ceil(4) as u32);
        let size = wgpu::Extent3d { width: wide, height: high, depth_or_array_layers: 1 };
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Float,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let group = self.group(gpu, &pipeline.get_bind_group_layout(0), None);
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &target.create_view(&Default::default()),
                    depth_slice: None,
                    resolve_target: None,
                    ops: Default::default(),
                })],
                ..Default::default()
            });
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.draw(0..3, 0..1);
        }
        let line = (16 * wide).next_multiple_of(256);
        let texels = read(gpu, encoder, |encoder, staging| {
            encoder.copy_texture_to_buffer(
                target.as_image_copy(),
                wgpu::TexelCopyBufferInfo {
                    buffer: staging,
                    layout: wgpu::TexelCopyBufferLayout {
                        offset: 0,
                        bytes_per_row: Some(line),
                        rows_per_image: None,
                    },
                },
                size,
            );
            u64::from(line * high)
        });
        let mut values = Vec::new();
        for row in 0..ROWS {
            for i in 0..self.width() {
                values.push(texels[i / 4 * line as usize / 4 + row * 4 + i % 4]);
            }
        }
        values
    }

    fn group(
        &self,
        gpu: &Gpu,
        layout: &wgpu::BindGroupLayout,
        results: Option<&wgpu::Buffer>,
    ) -> wgpu::BindGroup {
        let [parameters, x, dy] = self.buffers(gpu);
        let Range { start, end } = self.layers;
        let layers = wgpu::BufferBinding {
            buffer: &parameters,
            offset: start,
            size: NonZero::new(end - start),
        };
        let mut resources = vec![(2, x.as_entire_binding()), (3, dy.as_entire_binding())];
        // What the shader does not use is not in the layout that wgpu makes of it.
        if self.text.contains("_parameters") {
            resources.push((0, parameters.as_entire_binding()));
        }
        if self.text.contains("__layers") {
            resources.push((1, wgpu::BindingResource::Buffer(layers)));
        }
        resources.extend(results.map(|results| (4, results.as_entire_binding())));
        let entry = |(binding, resource)| wgpu::BindGroupEntry { binding, resource };
        let entries: Vec<_> = resources.into_iter().map(entry).collect();
        gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout,
            entries: &entries,
        })
    }

    /// The largest errors of outputs and gradients in either stage, as shares of the largest value.
    fn check(&self, gpu: &Gpu, expected: [&[f64]; 2], bounds: [f64; 2]) -> [f64; 2] {
        let found = [self.in_compute(gpu), self.in_fragment(gpu)];
        let mut worst = [0.0_f64; 2];
        for (stage, found) in ["compute", "fragment"].iter().zip(&found) {
            let (mut y, mut g) = (Vec::new(), Vec::new());
            for row in found.chunks(self.width()) {
                y.extend_from_slice(&row[..self.outputs]);
                g.extend_from_slice(&row[self.outputs..]);
            }
            for (i, (found, what)) in [(y, "outputs"), (g, "gradient")].iter().enumerate() {
                if i == 1 && self.calls[1].is_empty() {
                    continue;
                }
                let error = deviation(found, expected[i]);
                let (name, text) = (&self.name, &self.text);
                assert!(error <= bounds[i], "{name}: {what} in a {stage} shader: {error}\n{text}");
                worst[i] = worst[i].max(error);
            }
        }
        // Larger ones take the compiler of a browser's software device minutes.
        if std::env::var_os("WGRAD_EXPORT_DIR").is_some() && self.text.len() < 20_000 {
            log().lock().unwrap().push(json!({
                "name": self.name, "compute": self.compute(), "fragment": self.fragment(),
                "parameters": self.parameters, "layers": [self.layers.start, self.layers.end], "x": self.x, "dy": self.dy, "rows": ROWS,
                "inputs": self.inputs, "outputs": self.outputs,
                "expected": expected, "bounds": bounds,
            }));
        }
        worst
    }
}

/// The words that `copy` has copied.
fn read(
    gpu: &Gpu,
    mut encoder: wgpu::CommandEncoder,
    copy: impl FnOnce(&mut wgpu::CommandEncoder, &wgpu::Buffer) -> u64,
) -> Vec<f32> {
    let staging = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 1 << 20,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let bytes = copy(&mut encoder, &staging);
    gpu.queue().submit([encoder.finish()]);
    staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    gpu.device().poll(wgpu::PollType::Wait { submission_index: None, timeout: None }).unwrap();
    bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..bytes).unwrap())
}

/// One network in all its forms; the largest errors of its value and gradient.
fn check(
    gpu: &Gpu,
    name: &str,
    parameters: &Parameters,
    function: &WgslFunction<'_>,
    model: &str,
    index: usize,
    seed: u64,
) -> [f64; 2] {
    let words = bytemuck::cast_slice(parameters.values());
    check_words(gpu, name, (parameters, words), function, model, index, seed)
}

/// [`check`] of a function that reads `words`, which are `parameters` in some storage.
fn check_words(
    gpu: &Gpu,
    name: &str,
    (parameters, words): (&Parameters, &[u32]),
    function: &WgslFunction<'_>,
    model: &str,
    index: usize,
    seed: u64,
) -> [f64; 2] {
    let mlp = parameters.mlp();
    let (inputs, outputs, models) = (mlp.inputs, mlp.outputs(), parameters.models());
    let mut x = numbers_f32(ROWS * inputs, seed);
    if !mlp.encoding.is_empty() {
        into_a_grid(&mut x);
    }
    // Of one output the function takes no dy: 1.
    let dy = if outputs == 1 { vec![1.0; ROWS] } else { numbers_f32(ROWS * outputs, seed + 1) };
    let [y, gradient] = expected(parameters, index, &x, &dy);
    let predicted = Model::new(gpu, parameters).unwrap().predict(&x).unwrap();
    let rows = ROWS * outputs;
    let predicted: Vec<f64> =
        predicted.chunks(rows).nth(index).unwrap().iter().map(|v| f64::from(*v)).collect();
    assert_eq!(models * rows, models * y.len());
    let dy_argument = if outputs == 1 { "" } else { ", dy" };
    let case = Case {
        name: format!("{name} {mlp}"),
        text: function.clone().gradient().text().unwrap(),
        calls: [format!("net(x{model})"), format!("net_gradient(x{dy_argument}{model})")],
        parameters: words,
        layers: function.uniform_range(),
        x: &x,
        inputs,
        dy: &dy,
        outputs,
    };
    // WGSL lets its exp() be off by 3 + 2 |z| units in the last place.
    let exponential = mlp.layers.iter().any(|layer| layer.activation == Activation::Exponential);
    let bound = if exponential { 1e-5 } else { 1e-6 };
    case.check(gpu, [&predicted, &gradient], [bound, 1e-5])
}

fn random_network(seed: u64) -> Mlp {
    let draw = numbers(32, 1000 + seed);
    let pick = |i: usize, of: usize| ((draw[i] + 1.0) / 2.0 * of as f64) as usize % of;
    // Wide ones seldom: lavapipe takes seconds to compile them.
    let widths = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 5, 8, 3, 24, 33];
    let mut mlp = Mlp::new(1 + pick(0, 7));
    let depth = pick(1, 4);
    for layer in 0..depth {
        let activation = Activation::ALL[pick(2 + 2 * layer, Activation::ALL.len())];
        let units = widths[pick(3 + 2 * layer, widths.len())];
        mlp = if pick(22 + layer, 4) == 0 {
            mlp.layer_without_bias(units, activation)
        } else {
            mlp.layer(units, activation)
        };
    }
    mlp.layer(1 + pick(20, 5), Activation::ALL[pick(21, Activation::ALL.len())])
}

#[test]
fn networks_are_what_predict_says() {
    let gpu = common::gpu();
    let mut worst = [0.0_f64; 2];
    let mut note = |errors: [f64; 2]| {
        for (worst, error) in worst.iter_mut().zip(errors) {
            *worst = worst.max(error);
        }
    };
    for (i, activation) in (0..).zip(activations()) {
        let mlp = Mlp::new(2).layer(5, activation).layer(4, activation).layer(3, activation);
        let parameters = Init::Auto.sample(&mlp, 1, i).unwrap();
        note(check(gpu, "bound", &parameters, &mlp.wgsl("net"), "", 0, i));
        note(check(gpu, "baked", &parameters, &parameters.wgsl("net"), "", 0, i));
    }
    for seed in 0..60 {
        let mlp = random_network(seed);
        let models = 1 + seed as usize % 3;
        let parameters = Init::Auto.sample(&mlp, models, seed).unwrap();
        let model = Model::new(gpu, &parameters).unwrap();
        let last = models - 1;
        note(match seed % 4 {
            0 => check(
                gpu,
                "baked",
                &parameters,
                &parameters.wgsl("net").model(last),
                "",
                last,
                seed,
            ),
            1 => {
                let any = model.wgsl("net").any_model();
                check(gpu, "any", &parameters, &any, &format!(", {last}u"), last, seed)
            }
            2 => {
                let uniform = model.wgsl("net").model(last).uniform();
                check(gpu, "uniform", &parameters, &uniform, "", last, seed)
            }
            _ => check(gpu, "bound", &parameters, &model.wgsl("net").model(last), "", last, seed),
        });
    }
    for widths in [&[65, 3][..], &[64, 128, 1], &[200, 70, 2]] {
        let mlp = widths.iter().fold(Mlp::new(3), |mlp, w| mlp.layer(*w, Activation::Silu));
        let parameters = Init::Auto.sample(&mlp, 2, 5).unwrap();
        let model = Model::new(gpu, &parameters).unwrap();
        note(check(gpu, "loops", &parameters, &model.wgsl("net").model(1), "", 1, 7));
        note(check(gpu, "loops", &parameters, &model.wgsl("net").any_model(), ", 1u", 1, 7));
    }
    println!("largest errors: outputs {:.1e}, input gradients {:.1e}", worst[0], worst[1]);
    leave_cases();
}

/// The cases that ran until now, for a browser.
fn leave_cases() {
    if let Some(folder) = std::env::var_os("WGRAD_EXPORT_DIR") {
        std::fs::create_dir_all(&folder).unwrap();
        let path = std::path::Path::new(&folder).join("cases.json");
        std::fs::write(path, serde_json::to_vec(&*log().lock().unwrap()).unwrap()).unwrap();
    }
}

/// Every encoding in front of two layers, in every form; of a grid's tables there are no constants.
#[test]
fn encodings_are_part_of_the_function() {
    encodings_of(|i| i % 2 == 0);
}

// The other half, on another thread.
#[test]
fn encodings_are_part_of_the_function_too() {
    encodings_of(|i| i % 2 == 1);
}

fn encodings_of(part: impl Fn(u64) -> bool) {
    let gpu = common::gpu();
    let grid = |features, interpolation| Grid {
        levels: 4,
        features_per_level: features,
        log2_hashmap_size: 5,
        base_resolution: 3,
        per_level_scale: 1.6,
        interpolation,
        // A box of its own with one of the two.
        ..match interpolation {
            Interpolation::Linear => Grid::default(),
            _ => Grid::default().in_box([-0.5, 0.0, -1.0], [1.25, 1.0, 3.0]),
        }
    };
    use Interpolation::{Linear, Smoothstep};
    let mut starts: Vec<Mlp> = vec![
        Mlp::new(2).encode(2, Identity { scale: 2.0, offset: -1.0 }),
        Mlp::new(2).encode(2, Frequency { frequencies: 3 }),
        Mlp::new(3).encode(3, Frequency { frequencies: 12 }),
        Mlp::new(3).encode(3, TriangleWave { frequencies: 4 }),
        Mlp::new(2).encode(2, OneBlob { bins: 7 }),
        Mlp::new(3).encode(3, SphericalHarmonics { degree: 4 }),
        Mlp::new(6)
            .encode(1, Identity::default())
            .encode(2, grid(2, Smoothstep))
            .encode(3, SphericalHarmonics { degree: 2 }),
        Mlp::new(5).encode(2, grid(2, Linear)).encode(3, grid(1, Smoothstep)),
        Mlp::new(3).encode(3, SphericalHarmonics { degree: 8 }),
        // Encodings that share inputs.
        Mlp::new(3).encode_at(1, 2, grid(2, Linear)).encode_at(0, 2, grid(2, Smoothstep)),
    ];
    // Textures with mip levels, of which the points see two.
    starts.push(Mlp::new(3).encode(3, Grid::texture(8, 4).from_lod(-0.7)));
    starts.push(Mlp::new(3).encode(3, Grid::texture(4, 1).from_lod(-1.2)).encode_at(
        0,
        3,
        Grid::texture(8, 8),
    ));
    let axis = Some(Axis { base_resolution: 5, per_level_scale: 1.3 });
    // Each kind with each number of axes, with every edge and with axes of their own in turn.
    let kinds = [GridKind::Hash, GridKind::Dense, GridKind::Tiled];
    let axes = [axis, None, axis, None];
    for (i, (inputs, kind)) in
        (1..=4).flat_map(|inputs| kinds.map(|kind| (inputs, kind))).enumerate()
    {
        let of = match i % 4 {
            0 => Grid { kind, edge: Edge::Wrap, levels: 3, ..grid(2, Smoothstep) },
            2 => Grid { kind, edge: Edge::Clamp, levels: 3, ..grid(2, Smoothstep) },
            _ => Grid { kind, axes, ..grid(1, Linear) },
        };
        starts.push(Mlp::new(inputs).encode(inputs, of));
    }
    for inputs in [2, 3] {
        for (features, way) in [(1, Linear), (2, Linear), (2, Smoothstep), (4, Linear), (8, Linear)]
        {
            starts.push(Mlp::new(inputs).encode(inputs, grid(features, way)));
        }
    }
    let mut worst = [0.0_f64; 2];
    for (i, start) in (0..).zip(starts).filter(|(i, _)| part(*i)) {
        for loops in [false, true] {
            let mlp = start.clone().layer(6, Activation::Tanh).layer(2, Activation::Identity);
            let models = 2;
            let drawn = Init::Auto.sample(&mlp, models, i).unwrap();
            let (p, tables) = (mlp.parameters(), mlp.encoding_parameters());
            let large = |(i, v): (usize, &f32)| if i % p < tables { 1e4 * v } else { *v };
            let values = drawn.values().iter().enumerate().map(large).collect();
            let parameters = Parameters::new(mlp.clone(), models, values).unwrap();
            let model = Model::new(gpu, &parameters).unwrap();
            let plain = model.wgsl("net");
            let plain = if loops { plain.loops() } else { plain };
            let (bound, any) = (plain.clone().model(1), plain.any_model());
            let written = !loops && start.layer_inputs(0) <= MAX_WRITTEN_OUT;
            let mut all = vec![("bound", bound.clone(), "")];
            if i % 2 == 0 {
                all.push(("any", any, ", 1u"));
            }
            if written {
                if i % 2 == 1 {
                    all.push(("uniform", bound.clone().uniform(), ""));
                }
                if tables == 0 {
                    all.push(("baked", parameters.wgsl("net").model(1), ""));
                } else {
                    let message = parameters.wgsl("net").text().unwrap_err().to_string();
                    assert!(message.contains("tables"), "{message}");
                }
            }
            for (name, function, argument) in all {
                for f16 in [false, true] {
                    let function = if f16 { function.clone().f16() } else { function.clone() };
                    let text = function.gradient().text().unwrap();
                    assert_own_names(&validate(&text), "net");
                    validate(&in_every_stage(&text, &mlp, "net", true, argument));
                }
                let errors = check(gpu, name, &parameters, &function, argument, 1, i);
                for (worst, error) in worst.iter_mut().zip(errors) {
                    *worst = worst.max(error);
                }
            }
        }
    }
    println!("largest errors: outputs {:.1e}, input gradients {:.1e}", worst[0], worst[1]);
    leave_cases();
}

/// Halves and bytes, written out and in loops: what the rounded parameters predict, since the rounding
/// is shared.
#[test]
fn compact_parameters_are_read_as_they_are() {
    let gpu = common::gpu();
    let grid = |features| Grid {
        levels: 3,
        features_per_level: features,
        log2_hashmap_size: 5,
        base_resolution: 3,
        per_level_scale: 1.6,
        ..Grid::default()
    };
    let mut starts = vec![Mlp::new(3), Mlp::new(5)];
    starts.extend([1, 2, 4, 8].map(|features| Mlp::new(2).encode(2, grid(features))));
    let two = Mlp::new(3).encode(2, grid(2)).encode(1, grid(1));
    starts.push(two);
    let textures = Mlp::new(3).encode(3, Grid::texture(8, 4).from_lod(-0.7));
    starts.push(textures.encode_at(0, 3, Grid::texture(4, 8)));
    let mut worst = [0.0_f64; 2];
    for (i, start) in (0..).zip(starts) {
        let mlp = start.layer(6, Activation::Tanh).layer_without_bias(5, Activation::Gelu);
        let mlp = mlp.layer(1 + i as usize % 3, Activation::Identity);
        let models = 1 + i as usize % 2;
        let drawn = Init::Auto.sample(&mlp, models, i).unwrap();
        let (p, tables) = (mlp.parameters(), mlp.encoding_parameters());
        let large = |(i, v): (usize, &f32)| if i % p < tables { 1e4 * v } else { *v };
        let values = drawn.values().iter().enumerate().map(large).collect();
        let parameters = Parameters::new(mlp.clone(), models, values).unwrap();
        for storage in [Storage::F16, Storage::Snorm8] {
            let packed = parameters.pack(storage).unwrap();
            assert!(packed.bytes().len() < 4 * models * p, "{mlp}");
            let (rounded, words) = (packed.parameters(), bytemuck::cast_slice(packed.bytes()));
            let last = models - 1;
            let bound = packed.wgsl("net").model(last);
            let any = format!(", {last}u");
            let functions = [
                ("packed", bound.clone(), ""),
                ("packed loops", bound.clone().loops(), ""),
                ("packed any", packed.wgsl("net").any_model(), any.as_str()),
                ("packed uniform", bound.uniform(), ""),
                ("packed any loops", packed.wgsl("net").any_model().loops(), any.as_str()),
            ];
            // lavapipe takes half a second for each: two of them in turn.
            let turn = i as usize + usize::from(storage == Storage::F16);
            for (name, function, argument) in functions.into_iter().cycle().skip(turn).take(2) {
                for f16 in [false, true] {
                    let function = if f16 { function.clone().f16() } else { function.clone() };
                    let text = function.gradient().text().unwrap();
                    assert_own_names(&validate(&text), "net");
                    validate(&in_every_stage(&text, &mlp, "net", true, argument));
                }
                let of = (&rounded, words);
                let name = format!("{name} {storage:?}");
                let errors = check_words(gpu, &name, of, &function, argument, last, i);
                for (worst, error) in worst.iter_mut().zip(errors) {
                    *worst = worst.max(error);
                }
            }
        }
    }
    println!("largest errors: outputs {:.1e}, input gradients {:.1e}", worst[0], worst[1]);
    leave_cases();
}

/// In f16 where the device has it: as close as eleven bits allow.
#[test]
fn halves_are_close() {
    let options = wgpu::RequestAdapterOptions::default();
    let adapter = pollster::block_on(wgpu::Instance::default().request_adapter(&options))
        .expect("an adapter");
    if !adapter.features().contains(wgpu::Features::SHADER_F16) {
        println!("{} has no f16: only validated", adapter.get_info().name);
        return;
    }
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        required_features: wgpu::Features::SHADER_F16,
        ..Default::default()
    }))
    .unwrap();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let mlp = Mlp::new(3)
        .layer(16, Activation::Tanh)
        .layer(70, Activation::Relu)
        .layer(2, Activation::Sigmoid);
    let small = Mlp::new(3)
        .layer(16, Activation::Tanh)
        .layer(13, Activation::Relu)
        .layer(2, Activation::Sigmoid);
    let table = Grid {
        levels: 3,
        features_per_level: 4,
        log2_hashmap_size: 5,
        base_resolution: 3,
        ..Grid::default()
    };
    let tables = Mlp::new(3).encode(3, table).layer(9, Activation::Tanh);
    for mlp in [mlp, small, tables.layer(2, Activation::Sigmoid)] {
        let exact = Init::Auto.sample(&mlp, 2, 3).unwrap();
        let packed = exact.pack(Storage::F16).unwrap();
        let (rounded, bytes) = (packed.parameters(), bytemuck::cast_slice(packed.bytes()));
        let (model, halves) = (Model::new(&gpu, &exact).unwrap(), packed.wgsl("net").model(1));
        let words = bytemuck::cast_slice(exact.values());
        let mut forms = vec![
            ("f32", &exact, words, model.wgsl("net").model(1), ""),
            ("halves", &rounded, bytes, halves.clone(), ""),
            ("halves any", &rounded, bytes, packed.wgsl("net").any_model(), ", 1u"),
        ];
        if mlp.layers.iter().all(|layer| layer.units <= MAX_WRITTEN_OUT) {
            forms.push(("halves uniform", &rounded, bytes, halves.uniform(), ""));
            let any = packed.wgsl("net").any_model().uniform();
            if mlp.encoding_parameters() == 0 {
                forms.push(("halves uniform any", &rounded, bytes, any, ", 1u"));
                forms.push(("baked", &exact, words, exact.wgsl("net").model(1), ""));
            } else {
                assert!(any.text().is_err());
            }
        }
        let (mut x, dy) = (numbers_f32(ROWS * 3, 1), numbers_f32(ROWS * 2, 2));
        if !mlp.encoding.is_empty() {
            into_a_grid(&mut x);
        }
        for (name, parameters, words, function, argument) in forms {
            let [y, gradient] = expected(parameters, 1, &x, &dy);
            let layers = function.uniform_range();
            let case = Case {
                name: format!("f16 {name} {mlp}"),
                text: function.gradient().f16().text().unwrap(),
                calls: [format!("net(x{argument})"), format!("net_gradient(x, dy{argument})")],
                parameters: words,
                layers,
                x: &x,
                inputs: 3,
                dy: &dy,
                outputs: 2,
            };
            let errors = case.check(&gpu, [&y, &gradient], [5e-3, 1e-2]);
            println!("{name}: {:.1e}, {:.1e}", errors[0], errors[1]);
        }
    }
}
