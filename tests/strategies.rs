//! Every strategy gives the training that the CPU gives.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use wgrad::encoding::Grid;
use wgrad::{
    Activation, Adam, Batch, Capabilities, CpuTrainer, Data, DataShape, Init, Loss, Mlp, Optimizer,
    Part, Plan, Sgd, Strategy, Targets, Train, Trainer, Training,
};

/// Pseudo-random numbers in ±1.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

fn mlp(inputs: usize, hidden: &[usize], outputs: usize, f: Activation, last: Activation) -> Mlp {
    hidden.iter().fold(Mlp::new(inputs), |mlp, units| mlp.layer(*units, f)).layer(outputs, last)
}

fn data(mlp: &Mlp, loss: Loss, rows: usize, sets: usize) -> Data {
    let x = numbers(sets * rows * mlp.inputs, 1);
    let mut t: Vec<f32> =
        numbers(sets * rows * mlp.outputs(), 2).iter().map(|t| f32::from(*t > 0.2)).collect();
    if loss.targets() == Targets::Distributions {
        for row in t.chunks_mut(mlp.outputs()) {
            row[0] += f32::from(row.iter().all(|t| *t == 0.0));
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|t| *t /= sum);
        }
    }
    if sets == 1 {
        Data::new(mlp.inputs, mlp.outputs(), x, t).unwrap()
    } else {
        Data::for_each_model(sets, mlp.inputs, mlp.outputs(), x, t).unwrap()
    }
}

#[test]
fn every_strategy_is_the_cpus_training() {
    use Activation::{Gelu, Identity, Relu, Sigmoid, Sine, Tanh};
    let adam = Optimizer::from(Adam { rate: 0.01, ..Adam::default() });
    let article = mlp(2, &[3], 1, Sigmoid, Sigmoid);
    let (mut checked, mut skipped) = (0, 0);
    for (mlp, loss, optimizer, rows, models, sets, batch) in [
        (article.clone(), Loss::BinaryCrossEntropy, Optimizer::sgd(1.0), 1000, 1, 1, Batch::Full),
        (article.clone(), Loss::BinaryCrossEntropy, adam, 37, 5, 5, Batch::Full),
        (
            Mlp::new(2).layer_without_bias(8, Tanh).layer_without_bias(1, Sigmoid),
            Loss::BinaryCrossEntropy,
            adam,
            100,
            3,
            3,
            Batch::Full,
        ),
        (
            Mlp::new(5).layer_without_bias(11, Relu).layer(9, Gelu).layer_without_bias(3, Identity),
            Loss::MeanSquaredError,
            adam,
            300,
            2,
            1,
            Batch::Full,
        ),
        (article, Loss::HalfSquaredError, adam, 100, 3, 1, Batch::Shuffled { size: 7, seed: 3 }),
        (
            mlp(2, &[8, 8], 1, Tanh, Sigmoid),
            Loss::BinaryCrossEntropy,
            adam,
            1000,
            1,
            1,
            Batch::Full,
        ),
        (mlp(7, &[8; 6], 1, Relu, Identity), Loss::Huber, adam, 129, 2, 1, Batch::Full),
        (
            mlp(3, &[5, 4], 3, Gelu, Identity),
            Loss::SoftmaxCrossEntropy,
            adam,
            50,
            2,
            2,
            Batch::Full,
        ),
        (mlp(1, &[], 1, Tanh, Identity), Loss::MeanSquaredError, adam, 1, 1, 1, Batch::Full),
        (
            mlp(1, &[16], 2, Sine, Identity),
            Loss::MeanSquaredError,
            adam,
            300,
            1,
            1,
            Batch::Shuffled { size: 299, seed: 3 },
        ),
    ] {
        let data = data(&mlp, loss, rows, sets);
        let training =
            Training::new(loss, optimizer).models(models).batch(batch).init(Init::Auto).seed(7);
        let steps = 40;
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
        cpu.train(steps).unwrap();
        let (expected_losses, expected) = (cpu.losses().unwrap().values, cpu.parameters().unwrap());
        let own = common::gpu();
        let planned_as = |software, subgroups: bool| {
            let subgroup = own.capabilities().subgroup.filter(|_| subgroups);
            let int64 = software;
            own.planned_for(&Capabilities { software, subgroup, int64, ..Capabilities::default() })
        };
        for (strategy, gpu) in [
            (Strategy::Auto, own.clone()),
            (Strategy::Resident, planned_as(true, true)),
            (Strategy::Resident, planned_as(true, false)),
            (Strategy::Resident, planned_as(false, true)),
            (Strategy::Resident, planned_as(false, false)),
            (Strategy::Fused, planned_as(false, true)),
            (Strategy::Layered, planned_as(true, true)),
            (Strategy::Layered, planned_as(false, false)),
        ] {
            // llvmpipe takes half a minute to compile the largest network's other forms.
            let other = gpu.capabilities() != own.capabilities();
            if strategy == Strategy::Resident && other && mlp.parameters() > 200 {
                skipped += 1;
                continue;
            }
            let training = training.clone().strategy(strategy);
            let target = gpu.capabilities().clone();
            let alone = [Strategy::Resident, Strategy::Fused].contains(&strategy);
            let sine = mlp.layers.iter().any(|layer| layer.activation == Sine);
            if target.narrow && alone && sine {
                let error = Trainer::new(&gpu, &mlp, &training, &data).err().unwrap();
                assert!(error.to_string().contains("without a branch"), "{error}");
                println!("{mlp}: {error}");
                skipped += 1;
                continue;
            }
            let mut gpu = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
            gpu.train(25).unwrap();
            gpu.train(steps - 25).unwrap();
            let name = format!("{mlp} {} {}", loss.name(), gpu.plan().strategy().name());
            println!("{name} {} {:?}", target.software, target.subgroup);
            let losses = gpu.losses().unwrap();
            let error = common::deviation(&losses.values, &expected_losses);
            assert!(error <= 1e-5, "{name}: losses off by {error}");
            let parameters = gpu.parameters().unwrap();
            let error = common::deviation(parameters.values(), expected.values());
            assert!(error <= 1e-4, "{name}: parameters off by {error}");
            checked += 1;
        }
    }
    let least = if common::gpu().capabilities().narrow { 50 } else { 60 };
    assert!(checked >= least, "{checked}");
    assert_eq!(checked + skipped, 80);
}

/// The network without biases.
fn without_biases(mlp: &Mlp) -> Mlp {
    let mut bare = mlp.clone();
    bare.layers.iter_mut().for_each(|layer| layer.bias = false);
    bare
}

/// On hardware, two or four neighbours share the rows of a network whose parameters would not fit the
/// registers of one, by the units of the hidden layers.
#[test]
fn neighbours_share_the_rows_of_a_larger_network() {
    use Activation::{Gelu, Identity, Relu, Sigmoid, Tanh};
    let own = common::gpu();
    let hardware = Capabilities { software: false, ..own.capabilities().clone() };
    let bare = Capabilities { subgroup: None, ..hardware.clone() };
    // Through a quad's swaps where there are subgroups of 8, otherwise through workgroup memory.
    let lanes = hardware.subgroup.filter(|size| *size >= 8);
    let adam = Optimizer::from(Adam { rate: 0.01, ..Adam::default() });
    let mini = |size| Batch::Shuffled { size, seed: 5 };
    let mut met = [[false; 5]; 2];
    for (mlp, loss, rows, models, sets, batch) in [
        // A single hidden layer gathers nothing, the second and third gather the units below.
        (mlp(3, &[24], 1, Tanh, Identity), Loss::Huber, 300, 1, 1, Batch::Full),
        (mlp(2, &[8, 8], 1, Tanh, Sigmoid), Loss::BinaryCrossEntropy, 1001, 1, 1, Batch::Full),
        (mlp(2, &[4, 8, 8], 1, Tanh, Identity), Loss::MeanSquaredError, 90, 2, 1, mini(89)),
        (mlp(4, &[6, 6], 2, Relu, Identity), Loss::MeanSquaredError, 77, 3, 3, Batch::Full),
        (mlp(3, &[8, 4], 5, Gelu, Identity), Loss::SoftmaxCrossEntropy, 50, 2, 2, mini(49)),
        // Units that no neighbours divide, and few parameters.
        (mlp(3, &[7, 5], 4, Tanh, Identity), Loss::MeanSquaredError, 40, 1, 1, Batch::Full),
        (mlp(2, &[4], 4, Tanh, Identity), Loss::MeanSquaredError, 40, 1, 1, Batch::Full),
    ] {
        for (mlp, rates) in [(mlp.clone(), false), (without_biases(&mlp), true)] {
            let data = data(&mlp, loss, rows, sets);
            let mut training = Training::new(loss, adam).models(models).batch(batch).seed(7);
            if rates {
                training = training.rate_of(Part::Layer(0), 0.5).rate_of(Part::Layer(1), 0.0);
            }
            let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
            cpu.train(30).unwrap();
            let (expected_losses, expected) = (cpu.losses().unwrap(), cpu.parameters().unwrap());
            let training = training.strategy(Strategy::Resident);
            for (bare, target) in [&hardware, &bare].into_iter().enumerate() {
                let gpu = own.planned_for(target);
                let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
                let text = trainer.plan().step()[0].dispatch.wgsl();
                let named = |parts: &usize| text.contains(&format!("const PARTS: u32 = {parts}u;"));
                let parts = (1..5).find(named).unwrap();
                let hidden = &mlp.layers[..mlp.layers.len() - 1];
                let most = if bare == 0 && lanes >= Some(32) { 64 } else { 40 };
                let even = hidden.iter().all(|layer| layer.units % 2 == 0);
                assert_eq!(parts > 1, even && mlp.parameters() > most, "{mlp}: {parts} neighbours");
                assert_eq!(text.contains("quadSwap"), bare == 0 && lanes.is_some() && parts > 1);
                met[bare][parts] = true;
                trainer.train(17).unwrap();
                trainer.train(13).unwrap();
                let (losses, parameters) =
                    (trainer.losses().unwrap(), trainer.parameters().unwrap());
                let losses = common::deviation(&losses.values, &expected_losses.values);
                let parameters = common::deviation(parameters.values(), expected.values());
                println!("{mlp} {}, {parts}: {losses:.1e}, {parameters:.1e}", loss.name());
                assert!(losses <= 1e-5, "{mlp}: losses off by {losses}");
                assert!(parameters <= 1e-4, "{mlp}: parameters off by {parameters}");
            }
        }
    }
    let every = [false, true, true, false, true];
    assert_eq!(met[1], every);
    if lanes == Some(8) {
        assert_eq!(met[0], every);
    }
}

/// Wider and deeper than one workgroup could hold, and rows that no tile divides.
#[test]
fn the_fused_strategy_is_the_cpus_training() {
    use Activation::{Gelu, Identity, Relu, Sigmoid, Tanh};
    for (mlp, loss, rows, models, sets, batch) in [
        (
            mlp(32, &[64, 64, 64], 3, Relu, Identity),
            Loss::MeanSquaredError,
            1000,
            1,
            1,
            Batch::Full,
        ),
        (mlp(3, &[17, 65, 5], 2, Gelu, Identity), Loss::MeanSquaredError, 65, 3, 3, Batch::Full),
        (mlp(128, &[128], 128, Tanh, Identity), Loss::SoftmaxCrossEntropy, 33, 1, 1, Batch::Full),
        (
            mlp(5, &[12; 9], 1, Tanh, Sigmoid),
            Loss::BinaryCrossEntropy,
            200,
            2,
            1,
            Batch::Shuffled { size: 63, seed: 5 },
        ),
        (mlp(16, &[], 16, Tanh, Identity), Loss::Huber, 1, 2, 1, Batch::Full),
        (mlp(2, &[33], 1, Gelu, Sigmoid), Loss::BinaryCrossEntropy, 5000, 1, 1, Batch::Full),
    ] {
        let data = data(&mlp, loss, rows, sets);
        let training = Training::new(loss, Optimizer::sgd(0.1))
            .models(models)
            .batch(batch)
            .init(Init::Auto)
            .seed(7);
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
        cpu.train(10).unwrap();
        let training = training.strategy(Strategy::Fused);
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
        assert_eq!(gpu.plan().strategy(), Strategy::Fused);
        let most = if batch == Batch::Full { 3 } else { 4 };
        assert_eq!(gpu.plan().step().len(), most, "{mlp}");
        gpu.train(10).unwrap();
        let error = common::deviation(&gpu.losses().unwrap().values, &cpu.losses().unwrap().values);
        assert!(error <= 1e-5, "{mlp}: losses off by {error}");
        let error = common::deviation(
            gpu.parameters().unwrap().values(),
            cpu.parameters().unwrap().values(),
        );
        assert!(error <= 1e-4, "{mlp}: parameters off by {error}");
    }
}

/// As many steps as one dispatch may take: a driver that ends an invocation's loops early, as
/// llvmpipe does after 65,535 iterations, would leave rows out.
#[test]
fn the_longest_dispatch_runs_to_its_end() {
    use Activation::{Identity, Sigmoid, Tanh};
    let mini = |size| Batch::Shuffled { size, seed: 1 };
    for (mlp, loss, rows, batch) in [
        (mlp(2, &[3], 1, Sigmoid, Sigmoid), Loss::BinaryCrossEntropy, 1000, Batch::Full),
        (mlp(2, &[8, 8], 1, Tanh, Sigmoid), Loss::BinaryCrossEntropy, 1000, Batch::Full),
        (mlp(2, &[4], 9, Tanh, Identity), Loss::SoftmaxCrossEntropy, 70, Batch::Full),
        (mlp(2, &[4], 1, Tanh, Identity), Loss::MeanSquaredError, 700, mini(350)),
        (
            mlp(2, &[4], 1, Tanh, Identity),
            Loss::MeanSquaredError,
            700,
            Batch::Sequential { size: 96 },
        ),
    ] {
        let data = data(&mlp, loss, rows, 1);
        let training = Training::new(loss, Optimizer::sgd(0.02))
            .batch(batch)
            .init(Init::Auto)
            .seed(3)
            .strategy(Strategy::Resident);
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
        let steps = gpu.plan().groups()[0].steps;
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
        gpu.train(steps).unwrap();
        cpu.train(steps).unwrap();
        let error = common::deviation(&gpu.losses().unwrap().values, &cpu.losses().unwrap().values);
        assert!(error <= 1e-5, "{mlp}, {steps} steps: losses off by {error}");
        let error = common::deviation(
            gpu.parameters().unwrap().values(),
            cpu.parameters().unwrap().values(),
        );
        assert!(error <= 1e-4, "{mlp}, {steps} steps: parameters off by {error}");
    }
}

/// What the fused kernel keeps is of a tile a workgroup: many rows fit a device with WebGPU's default
/// limits. Passes keep every row, and are layered where those do not fit.
#[test]
fn many_rows_stay_fused() {
    let grid = Grid { log2_hashmap_size: 15, per_level_scale: 1.5, ..Grid::default() };
    let mlp = Mlp::new(2)
        .encode(2, grid)
        .layer(64, Activation::Relu)
        .layer(64, Activation::Relu)
        .layer(3, Activation::Identity);
    let training = Training::new(Loss::OutputGradient, Optimizer::adam(0.01));
    let rows = 1 << 18;
    let plan = Plan::new(&mlp, &training, DataShape::shared(rows), &Capabilities::default());
    assert_eq!(plan.unwrap().strategy(), Strategy::Fused);
    let without = Plan::without_data(&mlp, &training, &Capabilities::default()).unwrap();
    let takes_fused = |rows| {
        let all = without.dispatches_of_passes(rows, false).unwrap();
        all.iter().any(|dispatch| dispatch.kernel().name == "fused")
    };
    assert!(takes_fused(1 << 14) && !takes_fused(rows));
}

/// Several tiles of a workgroup, of all widths: none begins before all have done with the last.
#[test]
fn tiles_of_a_workgroup_do_not_mix() {
    for (width, tile) in [(16, 64), (32, 64), (64, 32), (128, 16)] {
        let mlp = mlp(width, &[width], width, Activation::Tanh, Activation::Identity);
        let rows = 2 * 256 * tile + 1;
        let data = data(&mlp, Loss::HalfSquaredError, rows, 1);
        let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(0.1));
        let training = training.strategy(Strategy::Fused);
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
        let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
        let [found, expected] = [gpu.gradients().unwrap(), cpu.gradients().unwrap()];
        let expected: Vec<f64> = expected.values.iter().map(|v| f64::from(*v)).collect();
        let error = common::deviation(&found.values, &expected);
        assert!(error <= 1e-5, "{width}: {error:e}");
    }
}

/// Other rows and other penalties from a step on, in the middle of an epoch. Wrong data change nothing.
fn under_way<T: Train>(trainer: &mut T, all: &[Data<T::Scalar>; 2], bad: &[Data<T::Scalar>]) {
    let optimizer = |l1, l2| Optimizer::from(Sgd { rate: 0.1, l1, l2 });
    trainer.train(3).unwrap();
    assert_eq!(trainer.losses().unwrap().values.len(), 2 * 3);
    trainer.forget_losses();
    trainer.train(4).unwrap();
    assert_eq!(trainer.losses().unwrap().first_step, 3);
    trainer.set_data(&all[1]).unwrap();
    trainer.train(5).unwrap();
    for bad in bad {
        trainer.set_data(bad).unwrap_err();
    }
    trainer.set_optimizer(optimizer(0.02, 0.0)).unwrap();
    trainer.train(5).unwrap();
    trainer.set_optimizer(optimizer(0.01, 0.05)).unwrap();
    trainer.train(5).unwrap();
    trainer.set_data(&all[0]).unwrap();
    trainer.train(3).unwrap();
}

#[test]
fn data_and_penalties_change_under_way() {
    let gpu = common::gpu();
    let mlp = mlp(2, &[6], 1, Activation::Tanh, Activation::Sigmoid);
    let sample = |rows: usize, seed| {
        let x = numbers(2 * rows, seed);
        let t = x.chunks(2).map(|x| f32::from(x[0] * x[1] > 0.0)).collect();
        Data::new(2, 1, x, t).unwrap()
    };
    let all = [sample(60, 3), sample(60, 4)];
    let wrong_target = Data::new(2, 1, vec![0.5; 120], vec![-1.0; 60]).unwrap();
    let two_sets = Data::for_each_model(2, 2, 1, vec![0.5; 240], vec![1.0; 120]).unwrap();
    let bad = [sample(59, 3), sample(61, 3), wrong_target, two_sets];
    let [all_f64, _] = [0; 2].map(|_| all.each_ref().map(|data| data.cast().unwrap()));
    let bad_f64: Vec<_> = bad.iter().map(|data| data.cast().unwrap()).collect();
    for batch in [Batch::Full, Batch::Shuffled { size: 16, seed: 5 }] {
        for strategy in Strategy::ALL {
            let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(0.1));
            let training = training.models(2).batch(batch).strategy(*strategy).seed(1);
            let mut found = Trainer::new(gpu, &mlp, &training, &all[0]).unwrap();
            under_way(&mut found, &all, &bad);
            let mut expected = CpuTrainer::<f64>::new(&mlp, &training, &all_f64[0]).unwrap();
            under_way(&mut expected, &all_f64, &bad_f64);
            for (found, expected) in [
                (found.losses().unwrap().values, expected.losses().unwrap().values),
                (
                    found.parameters().unwrap().values().to_vec(),
                    expected.parameters().unwrap().values().to_vec(),
                ),
            ] {
                let error = common::deviation(&found, &expected);
                assert!(error <= 1e-5, "{strategy:?} {batch:?}: {error:e}");
            }
            // The penalty shrinks what the data do not hold.
            let mut without = Trainer::new(gpu, &mlp, &training, &all[0]).unwrap();
            without.train(25).unwrap();
            let size = |p: &wgrad::Parameters| p.values().iter().map(|v| v.abs()).sum::<f32>();
            assert!(size(&found.parameters().unwrap()) < size(&without.parameters().unwrap()));
        }
    }
}
