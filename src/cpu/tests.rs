//! The passes in vectors ↔ the references.

use super::CpuTrainer;
use super::passes::{backward, forward};
use super::update::update;
use crate::kernels::step::RateRange;
use crate::kernels::step::update::Update;
use crate::network::encoding::{Encoding, Grid};
use crate::network::{Activation, CustomActivation, Mlp, Parameters};
use crate::numeric::vector::{Vector, exp, ln, ln_1p, logistic, sin, splat, tanh};
use crate::numeric::{Random, Real};
use crate::training::{
    Adam, AdamW, Batch, CustomLoss, Data, Loss, Momentum, Nesterov, Optimizer, Sgd, Strategy,
    Train, TrainBase, Training,
};
use fearless_simd::{Level, Simd, SimdBase, dispatch};

/// Numbers from −1 to 1.
fn numbers<T: Real>(count: usize, seed: u64) -> Vec<T> {
    let mut random = Random::new(seed);
    (0..count).map(|_| T::of(random.uniform(-1.0, 1.0))).collect()
}

/// Units in the last place, of f32 or f64.
fn epsilon<T: Real>() -> f64 {
    if size_of::<T>() == 4 { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

fn close<T: Real>(what: &str, found: &[T], expected: &[T], bound: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let top = expected.iter().fold(0.0_f64, |top, v| top.max(v.to_f64().abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found.to_f64() - expected.to_f64()).abs();
        assert!(
            !(error > bound * top) && error.is_finite(),
            "{what} {i}: {found:?}, not {expected:?}"
        );
    }
}

/// Loss, gradients and predictions of all models ↔ the references.
fn compare<T: Real>(what: &str, mlp: &Mlp, training: &Training, rows: usize, bound: f64) {
    let inputs = numbers::<f32>(rows * mlp.inputs, 1);
    // Half of an input lies in the unit cube, as a grid expects.
    let inputs = inputs.iter().map(|x| 0.5 + 0.49 * *x).collect();
    let outputs = mlp.outputs();
    let mut targets = numbers::<f32>(rows * outputs, 2);
    for row in targets.chunks_mut(outputs) {
        row.iter_mut().for_each(|t| *t = 0.5 + 0.5 * *t);
        let sum: f32 = row.iter().sum();
        if training.loss == Loss::SoftmaxCrossEntropy {
            row.iter_mut().for_each(|t| *t /= sum);
        }
    }
    let data = Data::new(mlp.inputs, outputs, inputs, targets).unwrap().cast().unwrap();
    let mut trainer = CpuTrainer::<T>::new(mlp, training, &data).unwrap();
    let mut parameters = trainer.parameters().unwrap();
    let noise = numbers::<T>(parameters.values().len(), 3);
    let noisy = parameters.values().iter().zip(&noise).map(|(p, n)| *p + T::of(0.1) * *n).collect();
    parameters = Parameters::new(mlp.clone(), training.models, noisy).unwrap();
    trainer.set_parameters(&parameters).unwrap();
    let [x, t] = trainer.rows().unwrap().map(std::borrow::Cow::into_owned);
    let (found, of_inputs) = trainer.back_propagate(true).unwrap();
    let predicted = trainer.predict(&x).unwrap();
    let p = mlp.parameters();
    for m in 0..training.models {
        let values = &parameters.values()[m * p..(m + 1) * p];
        let pass = forward(mlp, values, &x, true);
        let (loss, gradient, dx) = backward(mlp, training, values, &x, &t, &pass, true);
        close(&format!("{what}: loss"), &[found.losses[m]], &[loss], bound);
        close(&format!("{what}: gradient"), &found.values[m * p..(m + 1) * p], &gradient, bound);
        let dx_found = &of_inputs[m * dx.len()..(m + 1) * dx.len()];
        close(&format!("{what}: inputs"), dx_found, &dx, bound);
        let f = mlp.last_activation();
        let y: Vec<T> = forward(mlp, values, &x, false).layers.pop().unwrap().y;
        let y: Vec<T> = y.into_iter().map(|z| f.value(z)).collect();
        close(&format!("{what}: outputs"), &predicted[m * y.len()..(m + 1) * y.len()], &y, bound);
    }
}

fn both(what: &str, mlp: &Mlp, training: &Training, rows: usize) {
    compare::<f32>(&format!("{what}, f32"), mlp, training, rows, 2e-5);
    compare::<f64>(&format!("{what}, f64"), mlp, training, rows, 1e-13);
}

fn sgd(loss: impl Into<Loss>) -> Training {
    Training::new(loss.into(), Optimizer::sgd(0.1))
}

#[test]
fn every_activation_is_its_reference() {
    let cube = CustomActivation::new("cube", "return z * z * z;", "return 3.0 * z * z;").unwrap();
    let cube = cube.with_reference(|z| z * z * z, |z| 3.0 * z * z);
    for f in Activation::ALL.iter().copied().chain([cube.into()]) {
        let mlp = Mlp::new(3).layer(17, f).layer_without_bias(5, f).layer(2, f);
        both(f.name(), &mlp, &sgd(Loss::HalfSquaredError), 70);
    }
}

#[test]
fn every_loss_is_its_reference() {
    let own = CustomLoss::new(
        "fourth",
        "let d = y[0] - t[0]; g[0] = 4.0 * d * d * d; return d * d * d * d;",
    )
    .unwrap()
    .with_inputs()
    .with_reference(|row| {
        let d = row.y[0] - row.t[0] + 0.1 * row.x[0];
        row.g[0] = 4.0 * d * d * d;
        d * d * d * d
    });
    for loss in Loss::ALL.iter().copied().chain([own.into()]) {
        let f = match loss {
            Loss::BinaryCrossEntropy => Activation::Sigmoid,
            Loss::SoftmaxCrossEntropy => Activation::Identity,
            _ => Activation::Silu,
        };
        let mlp = Mlp::new(2).layer(20, Activation::Tanh).layer(3, f);
        for rows in [1, 5, 70] {
            both(loss.name(), &mlp, &sgd(loss), rows);
        }
    }
}

#[test]
fn every_encoding_is_its_reference() {
    for encoding in Encoding::all() {
        let inputs = encoding.dimensions().unwrap_or(2);
        let mlp = Mlp::new(inputs).encode(inputs, encoding);
        let mlp = mlp.layer(9, Activation::Tanh).layer(2, Activation::Identity);
        both(encoding.name(), &mlp, &sgd(Loss::MeanSquaredError), 70);
        let batch = Batch::Shuffled { size: 37, seed: 5 };
        both(encoding.name(), &mlp, &sgd(Loss::MeanSquaredError).batch(batch), 70);
    }
}

#[test]
fn every_size_is_its_reference() {
    for rows in [1, 2, 15, 16, 17, 64, 65, 512, 513, 2100] {
        let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Sigmoid);
        both(&format!("{rows} rows"), &mlp, &sgd(Loss::BinaryCrossEntropy), rows);
    }
    for units in [1, 2, 5, 6, 7, 8, 9, 15, 16, 17, 33, 300] {
        let mlp = Mlp::new(units).layer(units + 1, Activation::Tanh).layer(units, Activation::Tanh);
        let batch = Batch::Sequential { size: 50 };
        let training = sgd(Loss::MeanSquaredError).batch(batch).models(2);
        both(&format!("{units} units"), &mlp, &training, 67);
    }
}

/// All bits of a few steps on so many threads.
#[cfg(feature = "threads")]
fn bits(threads: usize, mlp: &Mlp, training: &Training, rows: usize) -> Vec<u32> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let x: Vec<f32> = numbers::<f32>(rows * mlp.inputs, 1).iter().map(|x| x.abs()).collect();
        let t = numbers(rows * mlp.outputs(), 2);
        let data = Data::new(mlp.inputs, mlp.outputs(), x, t).unwrap();
        let mut trainer = CpuTrainer::<f32>::new(mlp, training, &data).unwrap();
        trainer.train(3).unwrap();
        let gradients = trainer.gradients().unwrap().values;
        let all = [trainer.parameters().unwrap().values(), &gradients].concat();
        all.iter().map(|v| v.to_bits()).collect()
    })
}

#[cfg(feature = "threads")]
#[test]
fn bits_do_not_depend_on_the_threads() {
    let relu = |inputs, units| Mlp::new(inputs).layer(units, Activation::Relu);
    let mlps = [
        relu(2, 8).layer(1, Activation::Tanh),
        relu(32, 64).layer(3, Activation::Identity),
        relu(200, 300).layer(10, Activation::Identity),
        Mlp::new(2)
            .encode(2, Grid::default())
            .layer(16, Activation::Relu)
            .layer(1, Activation::Identity),
    ];
    for mlp in mlps {
        for models in [1, 3] {
            let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.01));
            let training = training.models(models).strategy(Strategy::Auto);
            let one = bits(1, &mlp, &training, 3000);
            for threads in [2, 3] {
                assert!(one == bits(threads, &mlp, &training, 3000), "{mlp}, {models} models");
            }
        }
    }
}

#[test]
fn updates_have_the_bits_of_their_reference() {
    for optimizer in Optimizer::all() {
        for (l1, l2) in [(0.0, 0.0), (1e-3, 2e-3)] {
            let optimizer = match optimizer {
                Optimizer::Sgd(rule) => Sgd { l1, l2, ..rule }.into(),
                Optimizer::Momentum(rule) => Momentum { l1, l2, ..rule }.into(),
                Optimizer::Nesterov(rule) => Nesterov { l1, l2, ..rule }.into(),
                Optimizer::Adam(rule) => Adam { l1, l2, lazy: l2 > 0.0, ..rule }.into(),
                Optimizer::AdamW(rule) => AdamW { l1, l2, ..rule }.into(),
            };
            let rates =
                [(11, 0.5), (30, 0.0), (77, 2.0)].map(|(end, factor)| RateRange { end, factor });
            for (count, rates) in [(77, &rates[..]), (40_000, &[])] {
                let of = Update {
                    optimizer,
                    parameters: count,
                    models: 1,
                    rows: 1,
                    batch: 1,
                    tables: 21,
                    history: 1,
                    scheduled: false,
                    rates,
                    padded: false,
                };
                let mut gradient = numbers::<f32>(count, 1);
                gradient[3] = 0.0;
                gradient[9] = 3e38;
                let mut start = numbers::<f32>(count, 2);
                start[25] = 0.0;
                start[76] = 0.0;
                let [mut found, mut expected] =
                    [0; 2].map(|_| (start.clone(), vec![0.0; 2 * count]));
                for t in 1..4 {
                    let a = update(&of, t, &gradient, &mut found.0, &mut found.1);
                    let b = of.reference(t, &gradient, &mut expected.0, &mut expected.1);
                    assert_eq!(a, b, "{}", optimizer.name());
                }
                assert_eq!(found, expected, "{}", optimizer.name());
            }
        }
    }
}

/// Checks a function of vectors against the library's in f64.
fn check<T: Real, S: Simd>(
    simd: S,
    name: &str,
    arguments: &[f64],
    f: impl Fn(Vector<T, S>) -> Vector<T, S>,
    exact: impl Fn(f64) -> f64,
) {
    for z in arguments {
        let z = T::of(*z);
        let found = f(splat(simd, z)).as_slice()[0].to_f64();
        let exact = exact(z.to_f64());
        // What is less than the smallest normal number is 0.
        let smallest = if size_of::<T>() == 4 { 2e-38 } else { 1e-307 };
        let bound = 4.0 * epsilon::<T>() * exact.abs() + smallest;
        assert!((found - exact).abs() <= bound, "{name}({z:?}): {found:e}, not {exact:e}");
    }
    let nan = f(splat(simd, T::of(f64::NAN))).as_slice()[0];
    assert!(nan.to_f64().is_nan(), "{name}(NaN): {nan:?}");
}

fn functions<T: Real, S: Simd>(simd: S) {
    let mut random = Random::new(4);
    let mut all = vec![0.0, -0.0, 1e-30, -1e-30, 1e-9, 0.3465, 0.3466, 0.4142, 0.4143, 1e30, -1e30];
    for scale in [1e-3, 0.5, 1.0, 10.0, 100.0, 800.0] {
        all.extend((0..2000).map(|_| random.uniform(-scale, scale)));
    }
    let of = |from: f64, to: f64| -> Vec<f64> {
        all.iter().copied().filter(|z| (from..=to).contains(z)).collect()
    };
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    check::<T, S>(simd, "exp", &of(-1e30, 0.0), |z| exp::<T, S>(simd, z), f64::exp);
    check::<T, S>(simd, "logistic", &all, |z| logistic::<T, S>(simd, z)[0], sigmoid);
    check::<T, S>(simd, "tanh", &all, |z| tanh::<T, S>(simd, z), f64::tanh);
    check::<T, S>(simd, "ln_1p", &of(0.0, 1.0), |z| ln_1p::<T, S>(simd, z), f64::ln_1p);
    check::<T, S>(simd, "ln", &of(1.0, 1e31), |z| ln::<T, S>(simd, z), f64::ln);
    for (name, cosine) in [("sin", false), ("cos", true)] {
        let f = |z| sin::<T, S>(simd, z, cosine) + T::ONE + T::ONE;
        // Near a zero of the sine a reduced argument has an absolute error.
        let exact = |z: f64| 2.0 + if cosine { z.cos() } else { z.sin() };
        check::<T, S>(simd, name, &all, f, exact);
    }
}

/// The functions of vectors of every width that this processor has.
#[test]
fn functions_are_right_to_a_few_last_places() {
    let level = Level::new();
    dispatch!(level, simd => functions::<f32, _>(simd));
    dispatch!(level, simd => functions::<f64, _>(simd));
    #[cfg(target_arch = "x86_64")]
    if let Some(narrow) = level.as_sse2() {
        functions::<f32, _>(narrow);
        functions::<f64, _>(narrow);
    }
}
