use wgrad::encoding::*;
use wgrad::*;
fn fnv(bytes: impl IntoIterator<Item = u32>) -> u64 {
    let mut h = 0xcbf29ce484222325u64;
    for w in bytes {
        for b in w.to_le_bytes() {
            h ^= b as u64;
            h = h.wrapping_mul(0x100000001b3);
        }
    }
    h
}
fn main() {
    let gpu = Gpu::new().unwrap();
    println!("{gpu}");
    let mut hw = gpu.capabilities().clone();
    hw.software = false;
    hw.subgroup = None;
    let hard = gpu.planned_for(&hw);
    for (dn, gpu) in [("software", &gpu), ("hardware", &hard)] {
        for strategy in [Strategy::Resident, Strategy::Fused, Strategy::Layered] {
            let data = Dataset::Moons.sample(200, 1).unwrap();
            let mlp = Mlp::new(2)
                .layer(17, Activation::Gelu)
                .layer(5, Activation::Tanh)
                .layer(1, Activation::Sigmoid);
            let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.01))
                .models(3)
                .batch(Batch::Shuffled { size: 48, seed: 2 })
                .strategy(strategy);
            show(dn, "determinism", strategy, gpu, &mlp, &training, &data, 60);
            let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
            let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0))
                .init(Init::StandardNormal)
                .seed(0)
                .strategy(strategy);
            show(
                dn,
                "article",
                strategy,
                gpu,
                &mlp,
                &training,
                &Dataset::Circles.sample(1000, 0).unwrap(),
                200,
            );
            let mlp = Mlp::new(3).layer(9, Activation::Silu).layer(3, Activation::Identity);
            let x: Vec<f32> = (0..300).map(|i| ((i * 37 % 101) as f32) / 101.0).collect();
            let t: Vec<f32> = (0..100)
                .flat_map(|i| (0..3).map(move |k| if i % 3 == k { 1.0 } else { 0.0 }))
                .collect();
            let training =
                Training::new(Loss::SoftmaxCrossEntropy, Momentum { rate: 0.05, momentum: 0.9 })
                    .models(2)
                    .schedule(Schedule::Exponential { base: 0.5, start: 10, interval: 7, end: 40 })
                    .strategy(strategy);
            show(
                dn,
                "softmax",
                strategy,
                gpu,
                &mlp,
                &training,
                &Data::new(3, 3, x, t).unwrap(),
                70,
            );
            if strategy != Strategy::Resident {
                let grid = Grid {
                    levels: 6,
                    features_per_level: 4,
                    log2_hashmap_size: 9,
                    base_resolution: 4,
                    per_level_scale: 1.6,
                    interpolation: Interpolation::Smoothstep,
                };
                let mlp = Mlp::new(3)
                    .encode(2, grid)
                    .encode(1, OneBlob { bins: 5 })
                    .layer(16, Activation::Relu)
                    .layer(2, Activation::Identity);
                let x: Vec<f32> = (0..900).map(|i| ((i * 53 % 301) as f32) / 301.0).collect();
                let t: Vec<f32> = (0..600).map(|i| ((i * 31 % 97) as f32) / 97.0).collect();
                let training = Training::new(
                    Loss::RelativeL2,
                    Adam { rate: 0.01, l2: 1e-4, lazy: true, ..Adam::default() },
                )
                .models(2)
                .ema(0.95)
                .batch(Batch::Sequential { size: 77 })
                .strategy(strategy);
                show(
                    dn,
                    "grid",
                    strategy,
                    gpu,
                    &mlp,
                    &training,
                    &Data::new(3, 2, x, t).unwrap(),
                    40,
                );
            }
        }
    }
}
fn show(
    dn: &str,
    name: &str,
    strategy: Strategy,
    gpu: &Gpu,
    mlp: &Mlp,
    training: &Training,
    data: &Data,
    steps: u32,
) {
    let mut t = Trainer::new(gpu, mlp, training, data).unwrap();
    t.train(steps).unwrap();
    let p = fnv(t.parameters().unwrap().values().iter().map(|v| v.to_bits()));
    let l = fnv(t.losses().unwrap().values.iter().map(|v| v.to_bits()));
    let g = fnv(t.gradients().unwrap().values.iter().map(|v| v.to_bits()));
    let i = fnv(t.input_gradient().unwrap().iter().map(|v| v.to_bits()));
    let y = fnv(t.predict(&data.x()[..mlp.inputs * 20]).unwrap().iter().map(|v| v.to_bits()));
    println!("{dn} {name} {} {p:016x} {l:016x} {g:016x} {i:016x} {y:016x}", strategy.name());
}
