//! One batch over many machines. Every rank has the same parameters and its own rows. A step is a backward
//! pass, one all-reduce of the gradient, which is one flat buffer, and an update:
//!
//! ```text
//! rank 0: rows ─▶ forward, loss, backward ─▶ gradient ┐             ┌▶ update
//! rank 1: rows ─▶ forward, loss, backward ─▶ gradient ┼▶ all-reduce ┼▶ update
//! rank 2: rows ─▶ forward, loss, backward ─▶ gradient ┘             └▶ update
//! ```
//!
//! All ranks get the same sum, so their parameters stay the same to the last bit, if their devices are of one
//! kind. While the all-reduce runs, the update and the next backward pass are recorded.
//!
//! ```text
//! cargo build --release
//! mpirun -n 4 target/release/mpi --network hash
//! ```
//!
//! Rank 0 writes a checkpoint now and then. A rank that dies ends the run: `mpirun` says which one it was, and
//! `--resume` goes on from the checkpoint, on any number of ranks.

use clap::Parser;
use mpi::collective::SystemOperation;
use mpi::topology::Communicator;
use mpi::traits::{CommunicatorCollectives, Root};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wgrad::encoding::Grid;
use wgrad::plan::Buffer;
use wgrad::{
    Activation, Checkpoint, Error, Gpu, Loss, Mlp, Optimizer, PassBuffers, Passes, Train, Trainer,
    Training,
};

/// Trains one network on the rows of all ranks
#[derive(Parser)]
#[command(name = "mpi", after_help = "Example: mpirun -n 4 mpi --network hash --steps 1000")]
struct Arguments {
    /// The network: 32-64-64-64-3, or a hash grid in two dimensions with two layers of 64
    #[arg(long, value_name = "NAME", value_parser = ["w3", "hash"], default_value = "w3")]
    network: String,
    /// Steps of the whole training, those before --resume included
    #[arg(long, value_name = "N", default_value_t = 200)]
    steps: u32,
    /// Rows of a step, of all ranks together
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    rows: usize,
    /// Steps from one checkpoint to the next
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// The checkpoint's file
    #[arg(long, value_name = "FILE", default_value = "out/mpi.safetensors")]
    checkpoint: PathBuf,
    /// Go on from the checkpoint
    #[arg(long)]
    resume: bool,
    /// Pause after each step, for whoever wants to end a rank meanwhile, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, hide = true)]
    pause: u64,
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(universe) = mpi::initialize() else {
        eprintln!("mpi: MPI was initialized before");
        return ExitCode::FAILURE;
    };
    let world = universe.world();
    match train(&arguments, &world) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mpi: rank {}: {error}", world.rank());
            // The others wait for this rank's gradient.
            world.abort(1)
        }
    }
}

fn network(name: &str) -> Mlp {
    let mlp = match name {
        "hash" => {
            let grid = Grid { log2_hashmap_size: 15, per_level_scale: 1.5, ..Grid::default() };
            Mlp::new(2).encode(2, grid).layer(64, Activation::Relu).layer(64, Activation::Relu)
        }
        _ => (0..3).fold(Mlp::new(32), |mlp, _| mlp.layer(64, Activation::Tanh)),
    };
    mlp.layer(3, Activation::Identity)
}

/// Row `index` of all: inputs from 0 to 1 and targets that follow from them.
fn row(index: usize, inputs: usize, x: &mut Vec<f32>, t: &mut Vec<f32>) {
    let mut bits = index as u64;
    let begin = x.len();
    for _ in 0..inputs {
        // SplitMix64.
        bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = bits;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x.push(((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32);
        bits = z;
    }
    let own = &x[begin..];
    let wave = |k: f32| 0.5 + 0.5 * (own.iter().take(2).sum::<f32>() * k).sin();
    t.extend([wave(3.0), wave(7.0), own[0]]);
}

/// A rank: its rows, its passes, and the way of the gradient through the CPU.
struct Rank {
    gpu: Gpu,
    trainer: Trainer,
    passes: Passes,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    groups: u32,
    outputs: wgpu::Buffer,
    targets: Vec<f32>,
    gradient: wgpu::Buffer,
    staging: wgpu::Buffer,
}

impl Rank {
    /// The rank `own` of `of`, with its share of `rows` rows.
    fn new(gpu: Gpu, name: &str, rows: usize, [own, of]: [usize; 2]) -> Outcome<Self> {
        let mlp = network(name);
        let training = Training::new(Loss::OutputGradient, Optimizer::adam(1e-3)).seed(1);
        let mut trainer = Trainer::without_data(&gpu, &mlp, &training)?;
        let (mut x, mut t) = (Vec::new(), Vec::new());
        let mine = rows * own / of..rows * (own + 1) / of;
        mine.clone().for_each(|index| row(index, mlp.inputs, &mut x, &mut t));
        let buffer = |values: &[f32]| -> Outcome<wgpu::Buffer> {
            let buffer = gpu.buffer("rows", 4 * values.len() as u64)?;
            gpu.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(values));
            Ok(buffer)
        };
        let [inputs, targets] = [buffer(&x)?, buffer(&t)?];
        let [outputs, output_gradient] =
            [buffer(&vec![0.0; t.len()])?, buffer(&vec![0.0; t.len()])?];
        let of_passes = PassBuffers::new(
            mine.len(),
            inputs.slice(..),
            outputs.slice(..),
            output_gradient.slice(..),
        );
        let passes = trainer.passes(of_passes)?;
        let device = gpu.device();
        let share = 1.0 / (rows * mlp.outputs()) as f32;
        let text = format!("const SHARE = f32({share:?});\n{}", include_str!("loss.wgsl"));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("loss"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("loss"),
            layout: None,
            module: &module,
            entry_point: Some("loss"),
            compilation_options: Default::default(),
            cache: None,
        });
        let bound = [&outputs, &targets, &output_gradient];
        let entries: Vec<_> = (0..)
            .zip(bound)
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let gradient =
            trainer.buffer(Buffer::AccumulatedGradient).ok_or("no gradient of passes")?.clone();
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("gradient"),
            size: 4 * mlp.parameters() as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let groups = t.len().div_ceil(64) as u32;
        let targets = t;
        Ok(Self {
            gpu,
            trainer,
            passes,
            pipeline,
            group,
            groups,
            outputs,
            targets,
            gradient,
            staging,
        })
    }

    /// Records a gradient and its copy to where the CPU reads it.
    fn record_gradient(&self, encoder: &mut wgpu::CommandEncoder) {
        self.passes.record_forward(encoder);
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &self.group, &[]);
            pass.dispatch_workgroups(self.groups, 1, 1);
        }
        self.passes.record_backward(encoder);
        encoder.copy_buffer_to_buffer(&self.gradient, 0, &self.staging, 0, self.staging.size());
    }

    fn encoder(&self) -> wgpu::CommandEncoder {
        self.gpu.device().create_command_encoder(&Default::default())
    }

    /// Waits for the gradient and reads it.
    fn read(&self) -> Outcome<Vec<f32>> {
        self.staging.map_async(wgpu::MapMode::Read, .., |_| ());
        self.gpu.device().poll(wgpu::PollType::wait_indefinitely())?;
        let values = bytemuck::pod_collect_to_vec(&self.staging.get_mapped_range(..)?);
        self.staging.unmap();
        Ok(values)
    }

    /// The sum of the squared errors of this rank's rows, by the outputs of the last forward pass.
    fn squares(&self) -> Outcome<f64> {
        let staging = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("outputs"),
            size: self.outputs.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.encoder();
        self.passes.record_forward(&mut encoder);
        encoder.copy_buffer_to_buffer(&self.outputs, 0, &staging, 0, staging.size());
        self.gpu.queue().submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        self.gpu.device().poll(wgpu::PollType::wait_indefinitely())?;
        let y: Vec<f32> = bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..)?);
        Ok(y.iter().zip(&self.targets).map(|(y, t)| f64::from(y - t).powi(2)).sum())
    }
}

fn train(asked: &Arguments, world: &impl Communicator) -> Outcome {
    let [own, of] = [world.rank() as usize, world.size() as usize];
    if asked.rows < of {
        return Err(format!("{} rows for {of} ranks", asked.rows).into());
    }
    let gpu = Gpu::new()?;
    let mut rank = Rank::new(gpu, &asked.network, asked.rows, [own, of])?;
    // The first parameters are those of rank 0, whatever the others' processors round.
    let mut first = rank.trainer.parameters()?.values().to_vec();
    world.process_at_rank(0).broadcast_into(&mut first[..]);
    rank.trainer.set_parameters(&wgrad::Parameters::new(network(&asked.network), 1, first)?)?;
    let mut step = 0;
    if asked.resume {
        let checkpoint = Checkpoint::load(&asked.checkpoint)?;
        rank.trainer.resume(&checkpoint)?;
        step = u32::try_from(checkpoint.step())?;
    }
    if own == 0 {
        let parameters = rank.trainer.mlp().parameters();
        println!("{of} ranks, {} rows a step, {parameters} parameters", asked.rows);
        println!("rank 0 on {}; from step {step}", rank.gpu);
    }
    let all_loss = |rank: &Rank| -> Outcome<f64> {
        let (mine, mut sum) = (rank.squares()?, 0.0);
        world.all_reduce_into(&mine, &mut sum, SystemOperation::sum());
        Ok(sum / (asked.rows * rank.trainer.mlp().outputs()) as f64)
    };
    let mut spent = [Duration::ZERO; 3];
    let mut encoder = rank.encoder();
    rank.record_gradient(&mut encoder);
    let mut ready = encoder.finish();
    while step < asked.steps {
        let clock = Instant::now();
        rank.gpu.queue().submit([ready]);
        let mine = rank.read()?;
        spent[0] += clock.elapsed();
        let clock = Instant::now();
        let mut sum = vec![0.0_f32; mine.len()];
        step += 1;
        let shows = step.is_multiple_of(asked.every) || step == asked.steps;
        // The update and the next gradient are recorded while the gradients travel. Where the loss is shown,
        // the update alone: what is written then is between two steps.
        let next = mpi::request::scope(|scope| {
            let request = world.immediate_all_reduce_into(
                scope,
                &mine[..],
                &mut sum[..],
                SystemOperation::sum(),
            );
            let mut encoder = rank.encoder();
            rank.trainer.record_update(&mut encoder);
            if !shows {
                rank.record_gradient(&mut encoder);
            }
            let next = encoder.finish();
            request.wait();
            next
        });
        spent[1] += clock.elapsed();
        let clock = Instant::now();
        rank.gpu.queue().write_buffer(&rank.gradient, 0, bytemuck::cast_slice(&sum));
        ready = next;
        if shows {
            rank.gpu.queue().submit([ready]);
            let loss = all_loss(&rank)?;
            if own == 0 {
                println!("step {step:>6}  loss {loss:.9}");
                if let Some(folder) = asked.checkpoint.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                rank.trainer.checkpoint()?.save(&asked.checkpoint)?;
            }
            let mut encoder = rank.encoder();
            rank.record_gradient(&mut encoder);
            ready = encoder.finish();
        }
        spent[2] += clock.elapsed();
        std::thread::sleep(Duration::from_millis(asked.pause));
    }
    if let Some(Some(at)) = rank.trainer.diverged()?.first() {
        return Err(Error::Diverged { model: 0, step: *at }.into());
    }
    if own == 0 {
        let each = spent.map(|time| 1e3 * time.as_secs_f64() / f64::from(asked.steps.max(1)));
        println!(
            "a step: {:.2} ms backward and copy, {:.2} ms all-reduce, {:.2} ms losses and checkpoints",
            each[0], each[1], each[2]
        );
    }
    Ok(())
}
