//! A dispatch runs a bounded number of iterations and operations, and says truly how many.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use wgpu::util::DeviceExt;
use wgrad::encoding::{Encoding, Grid, OneBlob};
use wgrad::kernels::{Access, Dispatch};
use wgrad::{
    Activation, Batch, Capabilities, DataShape, Error, Gpu, Loss, Mlp, Optimizer, Part, Plan,
    Strategy, Training,
};

/// What a driver allows: llvmpipe ends an invocation's loops after 65,535 iterations.
const ITERATIONS: u64 = 60_000;
const OPERATIONS: u64 = 1 << 34;

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// A size up to 2^`bits`: all orders of magnitude are alike frequent.
    fn size(&mut self, bits: u64) -> usize {
        let top = 1_u64 << self.below(bits + 1);
        (top + self.below(top)) as usize
    }
}

fn devices() -> Vec<Capabilities> {
    let large = wgpu::Limits {
        max_storage_buffer_binding_size: u32::MAX.into(),
        max_buffer_size: u64::MAX,
        ..wgpu::Limits::default()
    };
    let device = |software, subgroup| Capabilities {
        software,
        subgroup,
        limits: large.clone(),
        ..Capabilities::default()
    };
    let mut all: Vec<_> = [None, Some(4), Some(8), Some(32)]
        .into_iter()
        .flat_map(|subgroup| [device(false, subgroup), device(true, subgroup)])
        .collect();
    all.push(Capabilities::default());
    all
}

fn random_mlp(random: &mut Random, last: Activation) -> Mlp {
    let mut mlp = Mlp::new(random.of(&[1, 2, 3, 7, 16, 128, 784, 70_000]));
    if matches!(mlp.inputs, 2 | 3) {
        mlp = match random.below(4) {
            0 => mlp.clone().encode(mlp.inputs, Grid::default()),
            1 => mlp.clone().encode(mlp.inputs, OneBlob { bins: random.size(6) as u32 }),
            _ => mlp,
        };
    }
    let bits = random.of(&[2, 4, 7, 10]);
    for _ in 0..random.of(&[0, 1, 1, 2, 3, 30, 300]) {
        let (units, activation) = (random.size(bits), random.of(Activation::ALL));
        mlp = if random.below(4) == 0 {
            mlp.layer_without_bias(units, activation)
        } else {
            mlp.layer(units, activation)
        };
    }
    let outputs = random.of(&[3, 3, 5, 15]);
    mlp.layer(random.size(outputs), last)
}

/// Any network, population and number of rows: what is planned is within the bounds, and a device
/// with large buffers is refused nothing that several dispatches could do.
#[test]
fn every_dispatch_of_any_plan_is_bounded() {
    let (mut planned, mut dispatches) = (BTreeMap::new(), 0_u64);
    let mut most = (0, 0);
    for seed in 0..4000 {
        let random = &mut Random(seed);
        let (loss, last) = random.of(&common::losses());
        let mlp = random_mlp(random, last);
        let rows = random.size(30);
        let (few, many) = (random.size(4), random.size(26));
        let models = random.of(&[1, 1, few, many]);
        let batch = match random.below(3) {
            0 => Batch::Shuffled { size: 1 + random.below(rows as u64) as usize, seed: 3 },
            1 => Batch::Sequential { size: 1 + random.below(rows as u64) as usize },
            _ => Batch::Full,
        };
        let strategy =
            random.of(&[Strategy::Auto, Strategy::Resident, Strategy::Fused, Strategy::Layered]);
        let training = Training::new(loss, random.of(&Optimizer::all()))
            .models(models)
            .batch(batch)
            .history(random.size(12))
            .strategy(strategy);
        let training = if random.below(3) == 0 { training.clip_norm(1.0) } else { training };
        let sets = if random.below(3) == 0 { models } else { 1 };
        let capabilities = random.of(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
        let capabilities = &devices()[capabilities];
        let case = format!("{mlp}, {rows} rows, {training:?} on {capabilities:?}");
        match Plan::new(&mlp, &training, DataShape { sets, rows }, capabilities) {
            Ok(plan) => {
                *planned.entry(plan.strategy().name()).or_insert(0) += 1;
                for node in plan.groups().iter().flat_map(|group| &group.nodes) {
                    let (name, work) = (node.dispatch.kernel().name, node.dispatch.work());
                    let iterations = node.dispatch.iterations();
                    assert!(iterations <= ITERATIONS, "{name}: {iterations} of {case}");
                    assert!(work.operations <= OPERATIONS, "{name}: {work:?} of {case}");
                    assert!(node.dispatch.workgroups() > 0, "{name} of {case}");
                    most = (iterations.max(most.0), work.operations.max(most.1));
                    dispatches += 1;
                }
            }
            Err(Error::TooLarge { .. }) => (),
            Err(error) => {
                let message = error.to_string();
                // Strategies that cannot: they say so by their own names.
                let strategies = ["resident", "fused"].map(|name| format!("{name} strategy"));
                let own = strategies.iter().any(|strategy| message.contains(strategy))
                    || message.contains("the strategy of a training");
                let known = [
                    "the number of outputs of softmax",
                    "the number of outputs of relative_l2_luminance",
                    "the rows of a step in front of a grid",
                    "the number of parameters",
                    "a size of",
                    "the operations of encode_grid",
                    "the operations of scatter",
                ];
                let known = known.iter().any(|words| message.starts_with(words));
                assert!(own || known, "{message}: {case}");
            }
        }
    }
    println!("{planned:?}, {dispatches} dispatches, at most {most:?}");
    for strategy in Strategy::ALL {
        assert!(planned[strategy.name()] >= 50, "{planned:?}");
    }
    assert!(most.0 > ITERATIONS / 2 && most.1 > OPERATIONS / 2, "{most:?}");
}

/// 13,000 models of 20,000 rows: 40 times what one dispatch may do.
#[test]
fn a_large_population_is_cut_over_dispatches() {
    let mlp = Mlp::new(15).layer(16, Activation::Tanh).layer(15, Activation::Identity);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1)).models(13_000);
    for capabilities in devices() {
        for strategy in [Strategy::Auto, Strategy::Resident] {
            let training = training.clone().strategy(strategy);
            let data = DataShape::shared(20_000);
            let plan = match Plan::new(&mlp, &training, data, &capabilities) {
                Ok(plan) => plan,
                Err(error) => {
                    let own = error.to_string().contains("under the resident strategy");
                    assert!(own || matches!(error, Error::TooLarge { .. }), "{error}");
                    continue;
                }
            };
            let all: u64 = plan.step().iter().map(|node| node.dispatch.work().operations).sum();
            assert!(all > 30 * OPERATIONS, "{all}");
            for node in plan.step() {
                assert!(node.dispatch.work().operations <= OPERATIONS, "{plan}");
            }
        }
    }
}

/// The dispatches that are counted on the device: some forms of every kernel, and the stages of
/// some trainings of several sizes.
fn counted() -> Vec<Dispatch> {
    let mut of_kernel = BTreeMap::<_, Vec<Dispatch>>::new();
    for dispatch in [common::every_dispatch(), common::every_pass()].concat() {
        of_kernel.entry(dispatch.kernel().name).or_default().push(dispatch);
    }
    let mut all: Vec<_> = of_kernel
        .into_values()
        .flat_map(|forms| {
            // One form: llvmpipe takes seconds to compile some.
            let step = forms.len();
            forms.into_iter().step_by(step)
        })
        .collect();
    let own = common::gpu().capabilities();
    for (outputs, loss) in [(3, Loss::SoftmaxCrossEntropy)] {
        for (rows, batch) in [(5000, Batch::Full), (4097, Batch::Shuffled { size: 1300, seed: 1 })]
        {
            for strategy in Strategy::ALL {
                for software in [false, true] {
                    let capabilities = Capabilities { software, ..own.clone() };
                    let mlp = Mlp::new(1).layer(outputs, Activation::Identity);
                    let mut training =
                        Training::new(loss, Optimizer::adam(0.1)).batch(batch).strategy(*strategy);
                    if *strategy != Strategy::Resident {
                        training = training.clip_norm(1.0).rate_of(Part::Layer(0), 0.5);
                    }
                    let plan =
                        Plan::new(&mlp, &training, DataShape::shared(rows), &capabilities).unwrap();
                    all.extend(plan.step().into_iter().map(|node| node.dispatch.clone()));
                }
            }
        }
    }
    for encoding in
        [Encoding::from(Grid { levels: 3, ..Grid::default() }), OneBlob { bins: 9 }.into()]
    {
        let mlp = Mlp::new(2).encode(2, encoding).layer(3, Activation::Identity);
        let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1));
        for strategy in [Strategy::Fused, Strategy::Layered] {
            let training = training.clone().strategy(strategy);
            let plan = Plan::new(&mlp, &training, DataShape::shared(900), own).unwrap();
            all.extend(plan.step().into_iter().map(|node| node.dispatch.clone()));
        }
    }
    all.retain(|dispatch| !["texture", "infer_textures"].contains(&dispatch.kernel().name));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|d| seen.insert((common::form(d), d.parameters().to_vec())));
    all
}

/// The shader with a line at the head of each loop that counts its iterations.
fn with_counter(dispatch: &Dispatch) -> (String, usize) {
    let mut text = String::from(
        "@group(1) @binding(0) var<storage, read_write> most_iterations: atomic<u32>;\n\
         var<private> iterations_here: u32;\n\
         fn count_iteration() {\n    iterations_here += 1u;\n    \
         atomicMax(&most_iterations, iterations_here);\n}\n",
    );
    let mut loops = 0;
    for line in dispatch.wgsl().lines() {
        text += line;
        text += "\n";
        let start = line.trim_start();
        if ["for (", "while (", "loop {"].iter().any(|word| start.starts_with(word)) {
            assert!(line.ends_with('{'), "{line}");
            text += "count_iteration();\n";
            loops += 1;
        }
    }
    (text, loops)
}

fn iterations_on(gpu: &Gpu, dispatch: &Dispatch) -> (u64, usize) {
    let (kernel, device) = (dispatch.kernel(), gpu.device());
    let (text, loops) = with_counter(dispatch);
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let layout = |types: &[wgpu::BufferBindingType]| {
        let entries: Vec<_> = (0..)
            .zip(types)
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: *ty,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &entries,
        })
    };
    let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
    let types: Vec<_> = kernel
        .slots
        .iter()
        .map(|slot| match dispatch.access(slot) {
            Access::Uniform => wgpu::BufferBindingType::Uniform,
            Access::Read => storage(true),
            _ => storage(false),
        })
        .collect();
    let layouts = [layout(&types), layout(&[storage(false)])];
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&layouts[0]), Some(&layouts[1])],
        immediate_size: 0,
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(kernel.name),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(kernel.name),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: dispatch.overrides(),
            ..Default::default()
        },
        cache: None,
    });
    // Sums that are not finite run the loops that mark models, and a largest magnitude of 1 those
    // over rows; everything else is zero.
    let buffers: Vec<_> = kernel
        .slots
        .iter()
        .enumerate()
        .map(|(index, slot)| {
            let sums = slot.name.contains("gradient") || slot.name.starts_with("partial");
            let contents = match (index, dispatch.access(slot)) {
                (0, _) => dispatch.parameters().to_vec(),
                // As large as the parameters of an inference need.
                (_, Access::Uniform) => vec![0; 1 << 12],
                _ if slot.name == "max_abs_bits" => 1_f32.to_le_bytes().repeat(1 << 18),
                _ => vec![if sums { 0xff } else { 0 }; 1 << 20],
            };
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: None,
                contents: &contents,
                usage: if dispatch.access(slot) == Access::Uniform {
                    wgpu::BufferUsages::UNIFORM
                } else {
                    wgpu::BufferUsages::STORAGE
                },
            })
        })
        .collect();
    let count = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    });
    let read = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let group = |layout, buffers: &[wgpu::Buffer]| {
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout,
            entries: &entries,
        })
    };
    let groups = [group(&layouts[0], &buffers), group(&layouts[1], std::slice::from_ref(&count))];
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &groups[0], &[]);
        pass.set_bind_group(1, &groups[1], &[]);
        pass.dispatch_workgroups(u32::try_from(dispatch.workgroups()).unwrap(), 1, 1);
    }
    encoder.copy_buffer_to_buffer(&count, 0, &read, 0, 4);
    gpu.queue().submit([encoder.finish()]);
    read.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let bytes = read.get_mapped_range(..).unwrap();
    (u32::from_le_bytes(bytes[..4].try_into().unwrap()).into(), loops)
}

#[test]
fn no_invocation_iterates_more_than_its_dispatch_states() {
    let gpu = common::gpu();
    let (mut kernels, mut all) = (BTreeMap::new(), 0);
    for dispatch in counted() {
        let (name, stated) = (dispatch.kernel().name, dispatch.iterations());
        let (found, loops) = iterations_on(gpu, &dispatch);
        let case = format!("{name}: {found} iterations, {stated} stated");
        assert!(found <= stated, "{case}, {:?}\n{}", dispatch.overrides(), dispatch.wgsl());
        assert!(loops == 0 || stated > 0, "{case}");
        let most = kernels.entry(name).or_insert((0, 0));
        *most = (*most).max((found, stated));
        all += 1;
    }
    println!("{all} dispatches, most iterations found and stated: {kernels:?}");
    assert_eq!(kernels.len(), wgrad::kernels::ALL.len() - 2, "{kernels:?}");
}
