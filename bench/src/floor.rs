//! What a device itself can do, measured by kernels of a line or two: multiply-adds, bandwidth,
//! dispatches, submissions, the time from nothing to a first result.

use crate::Outcome;
use crate::submit::{read, wait};
use std::time::Instant;
use wgrad::Gpu;

const SHADER: &str = "
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;

fn index(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * 64u + local;
}

@compute @workgroup_size(64)
fn touch(@builtin(local_invocation_index) local: u32) {
    y[local] = y[local] + x[local];
}

@compute @workgroup_size(64)
fn copy(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index(group, groups, local);
    y[i] = x[i];
}

@compute @workgroup_size(64)
fn multiply_add(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let a = vec4(x[0].x);
    let b = vec4(x[0].y);
    var p = x[1];
    var q = x[2];
    var r = x[3];
    for (var i = 0u; i < 4096u; i++) {
        p = fma(p, a, b);
        q = fma(q, a, b);
        r = fma(r, a, b);
    }
    y[index(group, groups, local)] = p + q + r;
}
";

/// Elements of four floats of each buffer: 64 MiB.
const ELEMENTS: u32 = 1 << 22;
const GROUPS: u32 = ELEMENTS / 64;
/// Workgroups of the multiply-adds: enough invocations for any GPU.
const BUSY: u32 = 4096;
/// Operations of one of its dispatches: 4,096 turns of three multiply-adds of four.
const BUSY_OPERATIONS: f64 = BUSY as f64 * 64.0 * 4096.0 * 24.0;
/// Seconds that a sample of throughput should last at least.
const SAMPLE: f64 = 0.05;

struct Floor<'a> {
    gpu: &'a Gpu,
    module: wgpu::ShaderModule,
    layout: wgpu::PipelineLayout,
    group: wgpu::BindGroup,
    y: wgpu::Buffer,
}

impl<'a> Floor<'a> {
    /// Two buffers of `bytes` bytes and the shader, not yet compiled for the device.
    fn new(gpu: &'a Gpu, bytes: u64) -> Outcome<Self> {
        let device = gpu.device();
        let entry = |binding, read_only| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let slots = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("floor"),
            entries: &[entry(0, false), entry(1, true)],
        });
        let (y, x) = (gpu.buffer("y", bytes)?, gpu.buffer("x", bytes)?);
        for buffer in [&x, &y] {
            gpu.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&[0.5_f32; 256]));
        }
        Ok(Self {
            gpu,
            module: device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some("floor"),
                source: wgpu::ShaderSource::Wgsl(SHADER.into()),
            }),
            layout: device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some("floor"),
                bind_group_layouts: &[Some(&slots)],
                immediate_size: 0,
            }),
            group: device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("floor"),
                layout: &slots,
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: y.as_entire_binding() },
                    wgpu::BindGroupEntry { binding: 1, resource: x.as_entire_binding() },
                ],
            }),
            y,
        })
    }

    fn pipeline(&self, name: &str) -> wgpu::ComputePipeline {
        self.gpu.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&self.layout),
            module: &self.module,
            entry_point: Some(name),
            compilation_options: Default::default(),
            cache: None,
        })
    }

    /// Submits `count` dispatches in one pass.
    fn submit(&self, pipeline: &wgpu::ComputePipeline, count: u32, groups: u32) {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &self.group, &[]);
            let side = self.gpu.limits().max_compute_workgroups_per_dimension.max(1);
            let x = groups.min(1024.min(side));
            for _ in 0..count {
                pass.dispatch_workgroups(x, groups.div_ceil(x), 1);
            }
        }
        self.gpu.queue().submit([encoder.finish()]);
    }

    /// Seconds of `work` and of the device's.
    fn time(&self, mut work: impl FnMut() -> Outcome) -> Outcome<f64> {
        wait(self.gpu)?;
        let start = Instant::now();
        work()?;
        wait(self.gpu)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Seconds of a dispatch, in passes of as many as last long enough.
    fn throughput(&self, pipeline: &wgpu::ComputePipeline, groups: u32) -> Outcome<f64> {
        let mut count = 1;
        loop {
            let seconds = self.time(|| {
                self.submit(pipeline, count, groups);
                Ok(())
            })?;
            if seconds >= SAMPLE || count >= 1 << 14 {
                return Ok(seconds / f64::from(count));
            }
            count *= 2;
        }
    }
}

/// The first number of a buffer.
pub fn read_first(gpu: &Gpu, buffer: &wgpu::Buffer) -> Outcome<f32> {
    Ok(read(gpu, buffer, 4)?.first().copied().unwrap_or(f32::NAN))
}

/// Seconds from nothing to the result of a one-line kernel: device, pipeline, dispatch, readback.
pub fn first_result() -> Outcome<f64> {
    let start = Instant::now();
    let gpu = Gpu::new()?;
    let floor = Floor::new(&gpu, 1024)?;
    let touch = floor.pipeline("touch");
    floor.submit(&touch, 1, 1);
    let first = read_first(&gpu, &floor.y)?;
    let seconds = start.elapsed().as_secs_f64();
    if first == 1.0 { Ok(seconds) } else { Err(format!("0.5 + 0.5 is {first} on {gpu}").into()) }
}

/// Prints rows of name, repetition, value and unit; repetition 0 is the warm-up.
pub fn run(repetitions: u32, emit: &mut impl FnMut(&str, u32, f64, &str) -> Outcome) -> Outcome {
    let gpu = Gpu::new()?;
    eprintln!("{gpu}");
    let floor = Floor::new(&gpu, 16 * u64::from(ELEMENTS))?;
    let [touch, copy, busy] = ["touch", "copy", "multiply_add"].map(|name| floor.pipeline(name));
    for repetition in 0..=repetitions {
        emit("device_to_first_result", repetition, 1e3 * first_result()?, "ms")?;
        let seconds = floor.throughput(&busy, BUSY)?;
        emit("multiply_add", repetition, BUSY_OPERATIONS / seconds / 1e9, "GFLOP/s")?;
        let seconds = floor.throughput(&copy, GROUPS)?;
        emit("copy", repetition, 32.0 * f64::from(ELEMENTS) / seconds / 1e9, "GB/s")?;
        let seconds = floor.time(|| {
            floor.submit(&touch, 4000, 1);
            Ok(())
        })?;
        emit("dispatch_in_a_pass", repetition, 1e6 * seconds / 4000.0, "us")?;
        let seconds = floor.time(|| {
            (0..200).for_each(|_| floor.submit(&touch, 1, 1));
            Ok(())
        })?;
        emit("submit", repetition, 1e6 * seconds / 200.0, "us")?;
        let seconds =
            floor.time(|| (0..200).try_for_each(|_| read_first(&gpu, &floor.y).map(|_| ())))?;
        emit("round_trip_4_bytes", repetition, 1e6 * seconds / 200.0, "us")?;
    }
    Ok(())
}
