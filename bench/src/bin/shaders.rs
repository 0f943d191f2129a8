//! Writes every shader of every workload, with its overrides, for devices that need not be there.
//!
//! ```text
//! cargo run -p wgrad-bench --bin shaders -- DIRECTORY [--random N] [--seed S]
//! ```
//!
//! `--random` adds the shaders of N random trainings and of their networks as functions.
//!
//! `DIRECTORY/manifest.json` is a list of objects, one a shader:
//!
//! - `label`: what it belongs to; `file`, `entry`: where it is; `overrides`: their values by name
//! - `enable`: extensions whose directive the text needs outside of wgpu
//! - `workgroups` of a dispatch, invocations of a `workgroup`, `steps` that one dispatch takes
//! - bytes `read` and `written` and floating-point `operations`, by the dispatch's formula

use clap::Parser;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use wgrad::kernels::infer::{Form, Infer, Loads};
use wgrad::kernels::{Dispatch, Tiling, Work};
use wgrad::{
    Activation, Batch, Capabilities, CustomActivation, CustomLoss, DataShape, Init,
    MAX_WRITTEN_OUT, Mlp, Optimizer, Plan, Quantity, Storage, Strategy, Training,
};
use wgrad_bench::random::{Case, Choices, choices};
use wgrad_bench::workloads::{MORE, NAMES, PRODUCTS, Workload};
use wgrad_bench::{Outcome, fragment};

/// Writes every shader of every workload and a manifest of them.
#[derive(Parser)]
#[command(name = "shaders")]
struct Options {
    /// Where to: shaders as files *.wgsl, and manifest.json
    directory: PathBuf,
    /// Random trainings to add
    #[arg(long, default_value_t = 0)]
    random: u64,
    /// The seed of the random trainings
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What has been written so far.
struct Manifest {
    directory: PathBuf,
    shaders: Vec<Value>,
}

impl Manifest {
    fn add(&mut self, file: &str, text: &str, mut about: Value, work: Work) -> Outcome {
        let file = format!("{file}.wgsl");
        std::fs::write(self.directory.join(&file), text)?;
        about["file"] = json!(file);
        // naga 30 has subgroup operations without the directive that WGSL demands, and refuses the
        // directive. wgpu offers no subgroups in a browser.
        let subgroups = text.contains("subgroupShuffle").then_some("subgroups");
        about["enable"] = json!(subgroups.into_iter().collect::<Vec<_>>());
        about["read"] = json!(work.read);
        about["written"] = json!(work.written);
        about["operations"] = json!(work.operations);
        self.shaders.push(about);
        Ok(())
    }

    /// The dispatch `index` of `label`, which takes `steps` steps.
    fn dispatch(&mut self, label: &str, index: usize, steps: u32, dispatch: &Dispatch) -> Outcome {
        let entry = dispatch.kernel().name;
        let overrides = dispatch.overrides().iter().map(|(name, v)| ((*name).into(), json!(v)));
        let about = json!({
            "label": label, "entry": entry, "overrides": overrides.collect::<Map<_, _>>(), "steps": steps,
            "workgroups": dispatch.workgroups(), "workgroup": dispatch.workgroup(),
        });
        self.add(&format!("{label}-{index:02}-{entry}"), &dispatch.wgsl(), about, dispatch.work())
    }

    /// The dispatches of as many steps as the plan takes at once.
    fn plan(&mut self, label: &str, plan: &Plan) -> Outcome {
        for group in plan.groups().iter().take(1) {
            for (i, node) in group.nodes.iter().enumerate() {
                self.dispatch(label, i, group.steps, &node.dispatch)?;
            }
        }
        Ok(())
    }

    /// A fragment shader of the network that `text` defines, over a whole picture.
    fn fragment(&mut self, label: &str, mlp: &Mlp, text: &str) -> Outcome {
        let pixels: u64 = fragment::SIZE.into_iter().map(u64::from).product();
        let terms: usize = mlp.ranges().iter().map(|r| 2 * r.weight.len() + r.bias.len()).sum();
        // No fragment shader has workgroups: waves of 64 pixels stand for them.
        let about = json!({
            "label": label, "entry": fragment::FRAGMENT, "overrides": {}, "steps": 1,
            "workgroups": pixels / 64, "workgroup": 64,
        });
        let work = Work { operations: terms as u64 * pixels, ..Work::default() };
        self.add(label, &fragment::shader(text), about, work)
    }
}

/// Trainings, and populations of the two smallest.
fn trainings(manifest: &mut Manifest) -> Outcome {
    let all = NAMES.map(|name| (name, 1)).into_iter().chain([("w1", 256), ("w2", 256)]);
    for (name, models) in all {
        let Some(work) = Workload::new(name, models)? else { continue };
        let name = if models == 1 { name.into() } else { format!("{name}x{models}") };
        let plan = |strategy, target: &Capabilities| {
            let training = work.training.clone().strategy(strategy);
            Plan::new(&work.mlp, &training, work.data.shape(), target)
        };
        // The strategy that the plan chooses: without subgroup operations, with those of Intel's, of
        // NVIDIA's and AMD's, and of AMD's older GPUs. Only resident has such operations.
        let chosen = plan(Strategy::Auto, &Capabilities::default())?;
        manifest.plan(&format!("{name}-none"), &chosen)?;
        if models == 1 {
            for (kind, slope) in [("passes", false), ("slope", true)] {
                for (i, dispatch) in chosen.dispatches_of_passes(1000, slope)?.iter().enumerate() {
                    manifest.dispatch(&format!("{name}-{kind}"), i, 1, dispatch)?;
                }
            }
        }
        let units = work.mlp.layers.iter().map(|layer| layer.units);
        if units.chain([work.mlp.layer_inputs(0)]).all(|units| units <= MAX_WRITTEN_OUT) {
            for (storage, loads, label) in [
                (Storage::F32, Loads::Uniform, "f32"),
                (Storage::F32, Loads::Vectors, "f32-vectors"),
                (Storage::Snorm8, Loads::Uniform, "snorm8"),
            ] {
                let infer = Infer {
                    mlp: &work.mlp,
                    form: Form::WrittenOut,
                    storage,
                    loads,
                    block: 1,
                    quantities: &[Quantity::Outputs],
                    models,
                    rows: 500_000,
                    textures: &[],
                };
                for (i, dispatch) in infer.dispatches()?.iter().enumerate() {
                    manifest.dispatch(&format!("{name}-infer-{label}"), i, 1, dispatch)?;
                }
            }
        }
        for size in [8, 32, 64] {
            let target = Capabilities { subgroup: Some(size), ..Capabilities::default() };
            let on_subgroups = plan(Strategy::Auto, &target)?;
            if on_subgroups.strategy() == Strategy::Resident {
                manifest.plan(&format!("{name}-sg{size}"), &on_subgroups)?;
            }
        }
        // Other strategies that the network has a plan of.
        for strategy in Strategy::ALL.iter().filter(|other| **other != chosen.strategy()) {
            if let Ok(other) = plan(*strategy, &Capabilities::default()) {
                manifest.plan(&format!("{name}-{}", strategy.name()), &other)?;
            }
        }
    }
    Ok(())
}

/// A loss and an activation of an application's own, under each strategy, and exported.
fn customs(manifest: &mut Manifest) -> Outcome {
    let loss = CustomLoss::new(
        "coupled",
        "var sum = 0.0;
        for (var i = 0u; i < OUTPUTS; i++) {
            let d = y[i] - t[i] * x[INPUTS - 1u];
            sum += d * d;
            g[i] = 2.0 * d;
        }
        return sum; // a comment }",
    )?
    .with_inputs();
    let snake = CustomActivation::new(
        "snake",
        "return z + sin(z) * sin(z);",
        "const two = 2.0;\nreturn 1.0 + sin(two * z);",
    )?;
    let mlp = Mlp::new(2).layer(5, snake).layer(4, Activation::Tanh).layer(3, snake);
    for strategy in Strategy::ALL {
        let training = Training::new(loss, Optimizer::adam(0.01)).strategy(*strategy);
        for subgroup in [None, Some(32)] {
            let device = Capabilities { subgroup, ..Capabilities::default() };
            let plan = Plan::new(&mlp, &training, DataShape::shared(1000), &device)?;
            let on = if subgroup.is_some() { "sg32" } else { "none" };
            manifest.plan(&format!("custom-{}-{on}", strategy.name()), &plan)?;
        }
    }
    for (label, function) in [("f32", mlp.wgsl("network")), ("f16", mlp.wgsl("network").f16())] {
        let text = function.gradient().text()?;
        let (entry, text) = ("main", called(&text, mlp.inputs, ""));
        let about = json!({ "label": "custom", "entry": entry, "overrides": {}, "steps": 1,
            "workgroups": 1, "workgroup": 1 });
        manifest.add(&format!("custom-function-{label}"), &text, about, Work::default())?;
    }
    Ok(())
}

/// An entry point `main` that calls the function `network` of `text`.
fn called(text: &str, inputs: usize, call: &str) -> String {
    format!(
        "{text}
        @group(3) @binding(0) var<storage, read_write> first: f32;
        @compute @workgroup_size(1) fn main() {{
            first = network(array<f32, {inputs}>(){call})[0];
        }}"
    )
}

/// The hash grid on a whole picture, as the example `learn_image` trains it: within WebGPU's default
/// limits, and where a binding may be larger.
fn picture(manifest: &mut Manifest) -> Outcome {
    let Some(work) = Workload::new("hash", 1)? else { return Ok(()) };
    let training = work.training.batch(Batch::Full);
    let most = wgpu::Limits {
        max_buffer_size: 1 << 31,
        max_storage_buffer_binding_size: 1 << 30,
        ..wgpu::Limits::default()
    };
    for (name, limits) in [("default", wgpu::Limits::default()), ("big", most)] {
        let plan = Plan::new(&work.mlp, &training, DataShape::shared(1 << 18), &limits.into())?;
        manifest.plan(&format!("image262144-{name}"), &plan)?;
    }
    Ok(())
}

/// Products by each kernel.
fn products(manifest: &mut Manifest) -> Outcome {
    for product in PRODUCTS.iter().chain(&MORE) {
        for form in Tiling::ALL {
            let target = Capabilities {
                product: Some(*form),
                software: *form == Tiling::Subgroup,
                subgroup: Some(8),
                ..Capabilities::default()
            };
            for (i, dispatch) in product.matmul().dispatches(&target)?.iter().enumerate() {
                manifest.dispatch(product.name, i, 1, dispatch)?;
            }
        }
    }
    Ok(())
}

/// Networks as functions: with their parameters in a storage buffer, in a uniform one or baked in,
/// written out or as loops, in f32 and f16.
fn functions(manifest: &mut Manifest) -> Outcome {
    for (name, mlp) in fragment::networks() {
        let baked = Init::Auto.sample(&mlp, 1, 0)?;
        for (variant, function) in [
            ("storage", mlp.wgsl("net")),
            ("uniform", mlp.wgsl("net").uniform()),
            ("loops", mlp.wgsl("net").loops()),
            ("baked", baked.wgsl("net")),
            ("baked-f16", baked.wgsl("net").f16()),
            ("f16", mlp.wgsl("net").f16()),
            ("halves", mlp.wgsl("net").storage(Storage::F16)),
            ("halves-uniform", mlp.wgsl("net").storage(Storage::F16).uniform()),
            ("halves-f16", mlp.wgsl("net").storage(Storage::F16).f16()),
            ("halves-f16-uniform", mlp.wgsl("net").storage(Storage::F16).f16().uniform()),
        ] {
            manifest.fragment(&format!("f{name}-{variant}"), &mlp, &function.text()?)?;
        }
    }
    let Some(work) = Workload::new("hash", 1)? else { return Ok(()) };
    let bytes = || work.mlp.wgsl("net").storage(Storage::Snorm8);
    for (variant, function) in
        [("loops", work.mlp.wgsl("net").loops()), ("bytes", bytes()), ("bytes-f16", bytes().f16())]
    {
        manifest.fragment(&format!("fhash-{variant}"), &work.mlp, &function.text()?)?;
    }
    Ok(())
}

/// `count` random trainings, each as it is planned for one of some devices, and their networks as
/// functions. The texts of a million possible shaders that no workload has.
fn random(manifest: &mut Manifest, count: u64, seed: u64) -> Outcome {
    let mut plans = 0;
    for index in 0..count {
        let choices = choices(seed.wrapping_mul(1_000_003).wrapping_add(index));
        let mut choices = Choices::new(&choices);
        let Case { mlp, mut training, rows, sets, .. } = Case::new(&mut choices);
        let device = Capabilities {
            software: choices.below(2) == 1,
            subgroup: choices.of(&[None, None, Some(4), Some(8), Some(32), Some(64)]),
            product: choices.of(&[None, None, Some(Tiling::Registers), Some(Tiling::Tiled)]),
            ..Capabilities::default()
        };
        let data = DataShape { sets, rows };
        let plan = Plan::new(&mlp, &training, data, &device).or_else(|_| {
            training.strategy = Strategy::Auto;
            Plan::new(&mlp, &training, data, &device)
        })?;
        manifest.plan(&format!("random{index:04}"), &plan)?;
        plans += 1;
        let function = mlp.wgsl("network");
        let function = if choices.below(2) == 1 { function.gradient() } else { function };
        let (function, call) = match choices.below(4) {
            0 => (function.any_model(), ", 0u"),
            1 => (function.loops(), ""),
            2 => (function.f16(), ""),
            _ => (function, ""),
        };
        let (text, inputs) = (function.text()?, mlp.inputs);
        let text = called(&text, inputs, call);
        let about = json!({ "label": format!("random{index:04}"), "entry": "main", "overrides": {},
            "steps": 1, "workgroups": 1, "workgroup": 1 });
        manifest.add(&format!("random{index:04}-function"), &text, about, Work::default())?;
    }
    println!("{plans} random trainings");
    Ok(())
}

fn run(options: Options) -> Outcome {
    let Options { directory, random: count, seed } = options;
    std::fs::create_dir_all(&directory)?;
    let mut manifest = Manifest { directory, shaders: Vec::new() };
    trainings(&mut manifest)?;
    customs(&mut manifest)?;
    picture(&mut manifest)?;
    products(&mut manifest)?;
    functions(&mut manifest)?;
    random(&mut manifest, count, seed)?;
    let text = serde_json::to_string_pretty(&manifest.shaders)?;
    std::fs::write(manifest.directory.join("manifest.json"), text)?;
    println!("{} shaders", manifest.shaders.len());
    Ok(())
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
