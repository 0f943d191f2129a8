//! Populations beyond one device: dealt out over several, cut into shards, joined again.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::application::application;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wgrad::{
    Activation, Batch, Checkpoint, CpuTrainer, Data, Dataset, Error, Gpu, Loss, Mlp, Optimizer,
    Shard, Train, TrainBase, Trainer, Training, Worker, train_across,
};

struct Case {
    mlp: Mlp,
    training: Training,
    data: Data,
    start: Checkpoint,
    steps: u32,
}

impl Case {
    fn new(models: usize, steps: u32, optimizer: Optimizer, batch: Batch) -> Self {
        let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
        let training =
            Training::new(Loss::BinaryCrossEntropy, optimizer).models(models).batch(batch).seed(5);
        let data = Dataset::Moons.sample(100, 1).unwrap();
        Self::of(mlp, training, data, steps)
    }

    fn of(mlp: Mlp, training: Training, data: Data, steps: u32) -> Self {
        let start = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap().checkpoint().unwrap();
        Self { mlp, training, data, start, steps }
    }

    fn small(models: usize) -> Self {
        Self::new(models, 40, Optimizer::adam(0.05), Batch::Shuffled { size: 32, seed: 3 })
    }

    /// The whole population on one device.
    fn alone(&self, worker: &Worker) -> Checkpoint {
        let mut trainer: Box<dyn Train<Scalar = f32>> = match worker {
            Worker::Gpu(gpu) => {
                Box::new(Trainer::new(gpu, &self.mlp, &self.training, &self.data).unwrap())
            }
            _ => Box::new(CpuTrainer::new(&self.mlp, &self.training, &self.data).unwrap()),
        };
        trainer.resume(&self.start).unwrap();
        let _ = trainer.train(self.steps);
        trainer.checkpoint().unwrap()
    }

    fn across(&self, workers: &[Worker]) -> wgrad::Result<wgrad::Across> {
        train_across(workers, &self.training, &self.start, &self.data, self.steps, &|share| {
            assert!((0.0..=1.0).contains(&share));
        })
    }

    /// Every model is to the last bit what its device makes of it alone.
    fn check(&self, workers: &[Worker], across: &wgrad::Across, alone: &[Checkpoint]) {
        let models = self.training.models;
        let ends: Vec<_> = across.parts.iter().map(|(part, _)| part.end).collect();
        assert_eq!(across.parts[0].0.start, 0);
        assert_eq!(ends.last(), Some(&models));
        assert!(across.parts.windows(2).all(|pair| pair[0].0.end == pair[1].0.start));
        assert_eq!(across.checkpoint.parameters().models(), models);
        for (part, worker) in &across.parts {
            let own = across.checkpoint.of_models(part.clone()).unwrap();
            let expected = alone[*worker].of_models(part.clone()).unwrap();
            assert!(own == expected, "{part:?} of {}", workers[*worker]);
        }
    }
}

fn gpu() -> Worker {
    Worker::Gpu(common::gpu().clone())
}

#[test]
fn a_population_on_several_devices_is_that_of_each() {
    for case in [Case::small(300), Case::small(1), Case::small(3)] {
        let workers = [gpu(), Worker::Cpu, Worker::Gpu(application())];
        let alone = workers.each_ref().map(|worker| case.alone(worker));
        let across = case.across(&workers).unwrap();
        case.check(&workers, &across, &alone);
        assert!(across.lost.is_empty());
        // One worker alone takes all at once.
        let across = case.across(&workers[..1]).unwrap();
        assert_eq!(across.parts.len(), 1);
        assert!(across.checkpoint == alone[0]);
    }
}

/// Data of each model's own, an average, and a training that goes on.
#[test]
fn each_model_keeps_its_data_and_its_state() {
    let (models, rows) = (12, 20);
    let x = common::numbers_f32(models * rows * 2, 1);
    let t = common::numbers_f32(models * rows, 2).iter().map(|t| f32::from(*t > 0.0)).collect();
    let data = Data::for_each_model(models, 2, 1, x, t).unwrap();
    let mlp = Mlp::new(2).layer(4, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.05));
    let case = Case::of(mlp, training.models(models).seed(1).ema(0.9), data, 21);
    let workers = [Worker::Cpu, Worker::Cpu];
    let alone = case.alone(&Worker::Cpu);
    let first = case.across(&workers).unwrap();
    assert!(first.checkpoint == alone);
    let mut on = CpuTrainer::<f32>::new(&case.mlp, &case.training, &case.data).unwrap();
    on.resume(&first.checkpoint).unwrap();
    on.train(13).unwrap();
    let further = train_across(&workers, &case.training, &alone, &case.data, 13, &|_| ()).unwrap();
    assert!(further.checkpoint == on.checkpoint().unwrap());
}

/// Models that diverge do not stop the others, whoever has them.
#[test]
fn models_that_diverge_are_marked() {
    let mlp = Mlp::new(1).layer(1, Activation::Identity);
    let data = Data::new(1, 1, vec![1.0, -1.0, 3.0], vec![1.0, 0.0, 2.0]).unwrap();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(30.0)).models(5);
    let case = Case::of(mlp, training, data, 200);
    let across = case.across(&[Worker::Cpu, Worker::Cpu]).unwrap();
    assert!(across.checkpoint.diverged().iter().all(Option::is_some));
    assert!(across.checkpoint == case.alone(&Worker::Cpu));
}

#[test]
fn a_lost_device_gives_its_models_to_the_others() {
    let case = Case::new(2000, 400, Optimizer::adam(0.05), Batch::Full);
    let alone = case.alone(&Worker::Cpu);
    // Lost before it begins.
    let gone = application();
    gone.device().destroy();
    let workers = [Worker::Gpu(gone.clone()), Worker::Cpu];
    let across = case.across(&workers).unwrap();
    assert_eq!(across.lost, [0]);
    assert!(across.checkpoint == alone);
    // Lost while it works.
    let dying = application();
    let begun = AtomicBool::new(false);
    let workers = [Worker::Gpu(dying.clone()), Worker::Cpu];
    let across = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !begun.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            dying.device().destroy();
        });
        let told = |_: f64| begun.store(true, Ordering::Relaxed);
        train_across(&workers, &case.training, &case.start, &case.data, case.steps, &told)
    });
    let across = across.unwrap();
    assert_eq!(across.checkpoint.parameters().models(), 2000);
    assert_eq!(across.checkpoint.step(), 400);
    let deviation = common::deviation(
        across.checkpoint.losses().last(),
        &alone.losses().last().iter().map(|l| f64::from(*l)).collect::<Vec<_>>(),
    );
    assert!(deviation <= 1e-3, "{deviation:e}");
    // No device is left.
    let error = case.across(&[Worker::Gpu(gone.clone()), Worker::Gpu(gone)]).unwrap_err();
    assert!(matches!(error, Error::DeviceLost), "{error}");
}

#[test]
fn shards_join_to_the_same_bytes() {
    for worker in [gpu(), Worker::Cpu] {
        let case = Case::small(50);
        let whole = case.across(std::slice::from_ref(&worker)).unwrap().checkpoint;
        let bytes = whole.to_safetensors().unwrap();
        for count in [1, 4, 7] {
            let shard = |number: usize| -> Checkpoint {
                let own = Shard::new(number, count).unwrap().models(50).unwrap();
                let start = case.start.of_models(own.clone()).unwrap();
                let training = case.training.clone().models(own.len());
                let workers = std::slice::from_ref(&worker);
                let data = &case.data;
                let done = train_across(workers, &training, &start, data, 40, &|_| ()).unwrap();
                assert_eq!(done.checkpoint.part().is_some(), count > 1);
                // Through its file.
                let bytes = done.checkpoint.to_safetensors().unwrap();
                let read = Checkpoint::from_safetensors(&bytes).unwrap();
                assert!(read == done.checkpoint);
                read
            };
            // In any order, one of them twice.
            let mut all: Vec<_> = (1..=count).rev().map(shard).collect();
            all.push(shard(1));
            let joined = Checkpoint::join(all).unwrap();
            assert!(joined.to_safetensors().unwrap() == bytes, "{count} shards on {worker}");
        }
    }
}

#[test]
fn parts_that_do_not_fit_are_named() {
    let case = Case::small(20);
    let part = |range: std::ops::Range<usize>| case.start.of_models(range).unwrap();
    let refused = |parts: Vec<Checkpoint>, what: &str| {
        let error = Checkpoint::join(parts).unwrap_err().to_string();
        assert!(error.contains(what), "{error} for {what}");
    };
    refused(vec![], "none");
    refused(vec![part(0..5), part(9..20)], "without the models 5 to 8");
    refused(vec![part(1..5), part(6..19)], "0 to 0, 5 to 5, 19 to 19");
    refused(vec![part(0..5), part(4..20)], "model 4 twice");
    refused(vec![part(0..5), Case::small(21).start.of_models(5..20).unwrap()], "of 20 and of 21");
    let other = Case::new(20, 40, Optimizer::adam(0.01), Batch::Full).start;
    refused(vec![part(0..5), other.of_models(5..20).unwrap()], "of different trainings");
    let further = case.across(&[Worker::Cpu]).unwrap().checkpoint;
    refused(vec![part(0..5), further.of_models(5..20).unwrap()], "at step 0 and at 40");
    for range in [5..5, 0..21, 20..21] {
        assert!(case.start.of_models(range).is_err());
    }
    assert!(case.start.clone().as_part(1, 20).is_err());
    assert!(case.start.clone().as_part(usize::MAX, usize::MAX).is_err());
    assert_eq!(case.start.clone().as_part(0, 20).unwrap().part(), None);
    let inner = part(4..12).of_models(2..5).unwrap();
    assert_eq!(inner.part(), Some((6..9, 20)));
    // A file's place.
    let bytes = part(4..12).to_safetensors().unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("4 of 20"));
    for wrong in ["9 of 11", "x of 20", "4 or 20"] {
        let at = bytes.windows(7).position(|w| w == b"4 of 20").unwrap();
        let mut bytes = bytes.clone();
        bytes[at..at + 7].copy_from_slice(wrong.as_bytes());
        let error = Checkpoint::<f32>::from_safetensors(&bytes).unwrap_err().to_string();
        assert!(error.contains("part"), "{error}");
    }
    // What is asked of the workers.
    let error = case.across(&[]).unwrap_err().to_string();
    assert!(error.contains("the number of workers"), "{error}");
    let more = case.training.clone().models(21);
    let error = train_across(&[Worker::Cpu], &more, &case.start, &case.data, 1, &|_| ());
    assert!(error.unwrap_err().to_string().contains("the models of the training"));
    let wrong = Dataset::Moons.sample(4, 1).unwrap();
    let error =
        train_across(&[Worker::Cpu, Worker::Cpu], &case.training, &case.start, &wrong, 1, &|_| ());
    assert!(error.is_err(), "a mini-batch of 32 of 4 rows");
    let none = train_across(&[Worker::Cpu], &case.training, &case.start, &case.data, 0, &|_| ());
    assert!(none.unwrap().checkpoint == case.start);
    let _ = |gpu: Gpu| Worker::Gpu(gpu);
}
