//! Kernels by themselves on the default device: dispatches on buffers that are there already, in
//! submissions of up to a thousand. Throughput in floating-point operations (products) or bytes
//! (everything else), by the dispatches' own formulas.
//!
//! ```text
//! cargo bench -p wgrad-bench --bench kernels
//! ```

use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime};
use std::time::{Duration, Instant};
use wgrad::kernels::Dispatch;
use wgrad::kernels::step::loss::LossGradient;
use wgrad::kernels::step::reduce::Reduce;
use wgrad::kernels::step::update::Update;
use wgrad::{Activation, Adam, Gpu, Loss, Prepared, Result, Sgd};
use wgrad_bench::submit::submit;
use wgrad_bench::workloads::{OnGpu, PRODUCTS};

/// Dispatches of a submission.
const MOST: u64 = 1000;

fn main() -> Result<()> {
    let gpu = Gpu::new()?;
    eprintln!("{gpu}");
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    products(&mut criterion, &gpu)?;
    updates(&mut criterion, &gpu)?;
    losses(&mut criterion, &gpu)?;
    sums(&mut criterion, &gpu)?;
    criterion.final_summary();
    Ok(())
}

/// Times `prepared`, run again and again.
fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, gpu: &Gpu, prepared: &[Prepared]) {
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let start = Instant::now();
            let mut left = count;
            while left > 0 {
                let now = left.min(MOST);
                if let Err(error) = submit(gpu, prepared, now as u32) {
                    panic!("{error}");
                }
                left -= now;
            }
            start.elapsed()
        });
    });
}

fn products(criterion: &mut Criterion, gpu: &Gpu) -> Result<()> {
    let mut group = criterion.benchmark_group("matmul");
    for product in PRODUCTS.iter().filter(|p| !gpu.is_software() || p.rows * p.columns < 1 << 22) {
        let on_gpu = OnGpu::new(gpu, product)?;
        group.throughput(Throughput::Elements(product.operations()));
        bench(&mut group, product.name, gpu, &on_gpu.dispatches);
    }
    group.finish();
    Ok(())
}

/// Times a dispatch on buffers of `lengths` elements of four bytes, all 0.
fn alone(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    gpu: &Gpu,
    dispatch: &Dispatch,
    lengths: &[usize],
) -> Result<()> {
    let buffer = |length: &usize| gpu.buffer(name, 4 * *length as u64);
    let buffers = lengths.iter().map(buffer).collect::<Result<Vec<_>>>()?;
    let bindings: Vec<_> = buffers.iter().map(wgpu::Buffer::as_entire_buffer_binding).collect();
    let prepared = gpu.prepare(dispatch, &bindings)?;
    let work = dispatch.work();
    group.throughput(Throughput::Bytes(work.read + work.written));
    bench(group, name, gpu, &[prepared]);
    Ok(())
}

fn updates(criterion: &mut Criterion, gpu: &Gpu) -> Result<()> {
    let mut group = criterion.benchmark_group("update");
    for optimizer in [Sgd::default().into(), Adam::default().into()] {
        for parameters in [1 << 10, 1 << 16, 1 << 20] {
            let update = Update {
                optimizer,
                parameters,
                models: 1,
                rows: 1,
                batch: 1,
                tables: 0,
                history: 1,
                scheduled: false,
                rates: &[],
                padded: false,
            };
            let dispatch = update.dispatch(gpu.capabilities())?;
            let states = (optimizer.states() * parameters).max(1);
            let lengths = [16, parameters, parameters, states, 10];
            let name = format!("{}/{parameters}", optimizer.name());
            // The hyperparameters are a uniform, so their slot takes no storage buffer.
            let hyper = gpu.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some("hyper"),
                size: 4 * lengths[0] as u64,
                usage: wgpu::BufferUsages::UNIFORM,
                mapped_at_creation: false,
            });
            let buffer = |length: &usize| gpu.buffer(&name, 4 * *length as u64);
            let buffers = lengths[1..].iter().map(buffer).collect::<Result<Vec<_>>>()?;
            let all = std::iter::once(&hyper).chain(&buffers);
            let bindings: Vec<_> = all.map(wgpu::Buffer::as_entire_buffer_binding).collect();
            // Not diverged: the step of the divergence is the largest number.
            gpu.queue().write_buffer(&buffers[3], 16, &[0xff; 4]);
            let prepared = gpu.prepare(&dispatch, &bindings)?;
            let work = dispatch.work();
            group.throughput(Throughput::Bytes(work.read + work.written));
            bench(&mut group, &name, gpu, &[prepared]);
        }
    }
    group.finish();
    Ok(())
}

fn losses(criterion: &mut Criterion, gpu: &Gpu) -> Result<()> {
    let mut group = criterion.benchmark_group("loss");
    for (which, activation) in [
        (Loss::MeanSquaredError, Activation::Identity),
        (Loss::BinaryCrossEntropy, Activation::Sigmoid),
        (Loss::SoftmaxCrossEntropy, Activation::Identity),
    ] {
        for batch in [1 << 10, 1 << 16] {
            let outputs = 10;
            let gradient = LossGradient {
                loss: which,
                activation,
                models: 1,
                own_targets: false,
                batch,
                outputs,
                inputs: 2,
            };
            let dispatch = gradient.dispatch(gpu.capabilities())?;
            let size = batch * outputs;
            let lengths = [size, size, size, gradient.groups(gpu.capabilities()), 1];
            alone(&mut group, &format!("{}/{batch}", which.name()), gpu, &dispatch, &lengths)?;
        }
    }
    group.finish();
    Ok(())
}

fn sums(criterion: &mut Criterion, gpu: &Gpu) -> Result<()> {
    let mut group = criterion.benchmark_group("reduce");
    for parameters in [1 << 10, 1 << 16] {
        for splits in [1, 16] {
            let reduce = Reduce {
                parameters,
                models: 1,
                splits,
                loss_groups: 16,
                tables: 0,
                padded: false,
                marks: true,
                adds: false,
            };
            let dispatch = reduce.dispatch(gpu.capabilities())?;
            let lengths = [splits * parameters, 16, parameters, 1, 10];
            alone(&mut group, &format!("{parameters}x{splits}"), gpu, &dispatch, &lengths)?;
        }
    }
    group.finish();
    Ok(())
}
