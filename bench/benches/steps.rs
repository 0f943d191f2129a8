//! Whole training steps on the default device: the workloads of `peer` by each
//! strategy, and populations of the smallest. Throughput in floating-point operations of a step,
//! by its plan.
//!
//! ```text
//! cargo bench -p wgrad-bench --bench steps
//! ```

use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime};
use std::time::{Duration, Instant};
use wgrad::{Gpu, Result, Strategy, Train, Trainer};
use wgrad_bench::workloads::{NAMES, Workload};

fn main() -> Result<()> {
    let gpu = Gpu::new()?;
    eprintln!("{gpu}");
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for name in NAMES {
        let mut group = criterion.benchmark_group(name);
        for strategy in Strategy::ALL {
            if let Some(mut workload) = Workload::new(name, 1)? {
                workload.training.strategy = *strategy;
                bench(&mut group, strategy.name(), &gpu, &workload)?;
            }
        }
        group.finish();
    }
    let mut group = criterion.benchmark_group("w1_models");
    for models in [1, 4, 16, 64, 256, 1024] {
        if let Some(workload) = Workload::new("w1", models)? {
            bench(&mut group, &models.to_string(), &gpu, &workload)?;
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// Times a step; says so where the network has no plan of the strategy.
fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    gpu: &Gpu,
    workload: &Workload,
) -> Result<()> {
    let Workload { mlp, training, data, parameters, .. } = workload;
    let mut trainer = match Trainer::new(gpu, mlp, training, data) {
        Ok(trainer) => trainer,
        Err(error) => {
            eprintln!("{} {name}: {error}", workload.name);
            return Ok(());
        }
    };
    trainer.restart(parameters)?;
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(trainer.plan().work().operations));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let start = Instant::now();
            let steps = u32::try_from(count).unwrap_or(u32::MAX);
            if let Err(error) = trainer.train(steps) {
                panic!("{error}");
            }
            start.elapsed()
        });
    });
    Ok(())
}
