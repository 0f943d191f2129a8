//! Every kernel against its formula in f64 on the same f32 inputs, on slices of larger buffers.
//!
//! `common::run` lays fences around every slot, fills what is to be written with NaN, and runs what
//! fits once more on a device whose grids are narrow, so that both dimensions of a grid count.

#![allow(clippy::unwrap_used, clippy::expect_used)]
// Written so that a NaN fails.
#![allow(clippy::neg_cmp_op_on_partial_ord)]

mod common;

use common::{Content, Job, UNSET, as_floats, floats, numbers_f32, run};
use wgrad::encoding::{Grid, Identity, OneBlob};
use wgrad::kernels::measure::domain::{CheckDomain, Domain, NONE as NONE_FOUND};
use wgrad::kernels::measure::evaluate::{Classes, Evaluate};
use wgrad::kernels::measure::norm::Norm;
use wgrad::kernels::measure::perturb::Perturb;
use wgrad::kernels::measure::saturation::{Holds, Saturation};
use wgrad::kernels::step::advance::Advance;
use wgrad::kernels::step::gather::Gather;
use wgrad::kernels::step::loss::LossGradient;
use wgrad::kernels::step::reduce::Reduce;
use wgrad::kernels::step::update::Update;
use wgrad::kernels::step::{RateRange, Status};
use wgrad::kernels::{Dispatch, Matmul};
use wgrad::plan::Buffer;
use wgrad::{
    Activation, Adam, AdamW, Argument, Capabilities, DataShape, Loss, Mlp, Momentum, Nesterov,
    Optimizer, Plan, Saved, Sgd, Strategy, Training,
};

/// Around powers of two, the tile's side of 4 and the workgroup's 64.
const SIZES: [usize; 11] = [1, 2, 3, 15, 16, 17, 31, 33, 64, 65, 257];

/// Invocations of one more than the 65,535 workgroups that a dimension of a grid may have, and one.
const MANY: usize = 64 * 65_535 + 65;

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn words(values: &[u32]) -> Content {
    Content::Words(values.to_vec())
}

/// The first element that is off by more than its own bound.
fn check_each(what: &str, found: &[f32], expected: &[f64], bound: impl Fn(usize) -> f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*f) - e).abs();
        assert!(
            error <= bound(i),
            "{what} element {i}: {f} for {e}, off by {error:.2e} > {:.2e}",
            bound(i)
        );
    }
}

/// Every element within `bound` of the largest.
fn check(what: &str, found: &[f32], expected: &[f64], bound: f64) {
    let error = common::deviation(found, expected);
    if !(error <= bound) {
        panic!("{what}: off by {error:.2e} > {bound:.0e} of the largest");
    }
}

fn same_bits(found: &[u32], expected: &[f32]) -> bool {
    found.iter().copied().eq(expected.iter().map(|v| v.to_bits()))
}

/// A number that looks random, below `end`.
fn draw(seed: usize, end: usize) -> usize {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as usize % end
}

// Matrix products.

/// A product, whether its operands are multiples of 1/8 within ±1, and whether they are stored as
/// f16, which holds such.
#[derive(Debug, Clone, Copy)]
struct Product {
    sizes: [usize; 3],
    models: usize,
    transposed: [bool; 2],
    shared: [bool; 2],
    activation: Option<Activation>,
    eighths: bool,
    half: bool,
}

/// Two halves a word.
fn halves(values: &[f32]) -> Content {
    let bits = |v: &f32| u32::from(half::f16::from_f32(*v).to_bits());
    Content::Words(values.chunks(2).map(|pair| bits(&pair[0]) | bits(&pair[1]) << 16).collect())
}

impl Product {
    fn matmul(&self) -> Matmul {
        let [rows, columns, inner] = self.sizes;
        let mut matmul = Matmul::new(rows, columns, inner).models(self.models);
        for (set, with) in [
            (self.transposed[0], Matmul::transposed_a as fn(Matmul) -> Matmul),
            (self.transposed[1], Matmul::transposed_b),
            (self.shared[0], Matmul::shared_a),
            (self.shared[1], Matmul::shared_b),
        ] {
            if set {
                matmul = with(matmul);
            }
        }
        if self.half {
            matmul = matmul.half_operands();
        }
        self.activation.map_or(matmul, |activation| matmul.epilogue(activation))
    }

    fn operands(&self, seed: u64) -> [Vec<f32>; 3] {
        let [rows, columns, inner] = self.sizes;
        let sets = |shared: bool| if shared { 1 } else { self.models };
        let bias = if self.activation.is_some() { self.models * columns } else { 0 };
        let lengths =
            [sets(self.shared[0]) * rows * inner, sets(self.shared[1]) * inner * columns, bias];
        let mut seed = seed * 3;
        lengths.map(|length| {
            seed += 1;
            let values = numbers_f32(length, seed);
            if self.eighths {
                values.iter().map(|v| (v * 8.0).round() / 8.0).collect()
            } else {
                values
            }
        })
    }
}

fn check_products(products: &[Product]) {
    let operands: Vec<_> = products.iter().zip(1..).map(|(p, seed)| p.operands(seed)).collect();
    // Every form's jobs of a product stand one behind another.
    let targets = common::targets();
    let jobs: Vec<_> = products
        .iter()
        .zip(&operands)
        .flat_map(|(product, [a, b, bias])| {
            let [rows, columns, _] = product.sizes;
            let extra = if bias.is_empty() { Content::Unset(1) } else { floats(bias) };
            let stored = if product.half { halves } else { floats };
            let c = Content::Unset(product.models * rows * columns);
            let slots = vec![stored(a), stored(b), extra, c];
            targets.iter().map(move |target| Job {
                name: format!("{:?} {product:?}", target.product),
                dispatches: product.matmul().dispatches(target).unwrap(),
                slots: slots.clone(),
            })
        })
        .collect();
    let results = run(&jobs);
    for ((product, [a, b, bias]), (jobs, results)) in products
        .iter()
        .zip(&operands)
        .zip(jobs.chunks(targets.len()).zip(results.chunks(targets.len())))
    {
        let matmul = product.matmul();
        let [a, b, bias] = [wide(a), wide(b), wide(bias)];
        let expected = matmul.reference(&a, &b, &bias).unwrap();
        let found = results.iter().map(|slots| as_floats(&slots[3]));
        let found: Vec<_> = jobs.iter().map(|job| &job.name).zip(found).collect();
        // Multiples of 1/64 below 2^18 in magnitude are f32 numbers: nothing is rounded.
        let exact =
            matches!(product.activation, None | Some(Activation::Identity | Activation::Relu));
        if product.eighths && exact {
            for (name, found) in &found {
                check_each(name, found, &expected, |_| 0.0);
            }
            continue;
        }
        // A sum of n terms is off by at most about n · 2^-24 · Σ |term|, and by √n instead of n
        // where roundings are independent: 2e-6 is 33 · 2^-24, twice √257. The derivatives of the
        // activations are at most 1.13.
        let bare = Product { activation: None, ..*product }.matmul();
        let absolute = |values: &[f64]| values.iter().map(|v| v.abs()).collect::<Vec<_>>();
        let terms = bare.reference(&absolute(&a), &absolute(&b), &[]).unwrap();
        let of_bias = |i: usize| {
            let [rows, columns, _] = product.sizes;
            if bias.is_empty() {
                0.0
            } else {
                bias[i / (rows * columns) * columns + i % columns].abs()
            }
        };
        let own = if product.activation.is_some() { 1e-6 } else { 0.0 };
        for (name, found) in &found {
            check_each(name, found, &expected, |i| {
                2.3e-6 * (terms[i] + of_bias(i)) + own * expected[i].abs().max(1.0)
            });
        }
    }
}

/// Every three sizes; the other properties take turns. Three in four are exact.
#[test]
fn products_of_all_sizes() {
    let mut products = Vec::new();
    for rows in SIZES {
        for columns in SIZES {
            for inner in SIZES {
                let i = 7 * products.len();
                products.push(Product {
                    sizes: [rows, columns, inner],
                    models: 1 + draw(i, 3),
                    transposed: [draw(i + 1, 2) == 1, draw(i + 2, 2) == 1],
                    shared: [draw(i + 3, 2) == 1, draw(i + 4, 2) == 1],
                    activation: match draw(i + 5, 8) {
                        0..=3 => None,
                        4 => Some(Activation::Identity),
                        5 => Some(Activation::Relu),
                        // The others at every size in another test.
                        _ => Some(Activation::Tanh),
                    },
                    eighths: true,
                    half: false,
                });
            }
        }
    }
    assert_eq!(products.len(), 1331);
    let halved = products.iter().map(|product| Product { half: true, ..*product });
    let can = |product: &Product| product.matmul().dispatches(&Capabilities::default()).is_ok();
    let halved: Vec<_> = halved.filter(can).collect();
    assert!(halved.len() >= 60, "{}", halved.len());
    products.extend(halved);
    check_products(&products);
}

/// Every combination of the other properties, at a few sizes. A fourth of the activations comes with each
/// two transpositions: their code does not meet.
#[test]
fn products_of_all_kinds() {
    let mut products = Vec::new();
    for sizes in [[5, 6, 7], [17, 9, 33], [1, 13, 64]] {
        for models in 1..=3 {
            for bits in 0..16 {
                let activations = bounded().into_iter().map(Some).chain([None]).enumerate();
                for (_, activation) in activations.filter(|(i, _)| (i + bits) % 4 == 0) {
                    products.push(Product {
                        sizes,
                        models,
                        transposed: [bits & 1 != 0, bits & 2 != 0],
                        shared: [bits & 4 != 0, bits & 8 != 0],
                        activation,
                        eighths: false,
                        half: false,
                    });
                }
            }
        }
    }
    check_products(&products);
}

/// Each activation at every size, as rows, columns and terms.
#[test]
fn products_of_all_activations() {
    let mut products = Vec::new();
    for activation in Activation::ALL {
        for (i, size) in SIZES.into_iter().enumerate() {
            for sizes in [[size, 3, 2], [2, size, 3], [3, 2, size]] {
                products.push(Product {
                    sizes,
                    models: 1 + i % 3,
                    transposed: [false, true],
                    shared: [true, false],
                    activation: Some(*activation),
                    eighths: false,
                    half: false,
                });
            }
        }
    }
    check_products(&products);
}

/// More rows of tiles than one band has, the last band shorter, in each form.
#[test]
fn products_of_several_bands() {
    let of = |sizes, models| Product {
        sizes,
        models,
        transposed: [false; 2],
        shared: [false, true],
        activation: None,
        eighths: true,
        half: false,
    };
    // 35 and 67 rows of 32, 18 and 34 of 64.
    check_products(&[of([1101, 70, 4], 2), of([2130, 33, 5], 1), of([1101, 1, 3], 1)]);
}

/// Sums around what llvmpipe does in one loop, 65,535 iterations, and around what the crate puts
/// into one dispatch. Every term is at least 1 and the sums are exact: a missing one shows.
#[test]
fn products_of_long_sums() {
    for (inner, models, activation) in [
        (32_767, 1, None),
        (32_768, 2, Some(Activation::Identity)),
        (32_769, 2, None),
        (32_769, 1, Some(Activation::Identity)),
        (65_535, 1, None),
        (65_536, 1, Some(Activation::Relu)),
        (65_537, 2, None),
        (70_000, 1, None),
        (70_000, 2, Some(Activation::Identity)),
    ] {
        // The second on buffers of vec4, as far as its inner size allows.
        let (rows, columns) = if models == 1 { (5, 6) } else { (6, 8) };
        let whole = |count, seed| -> Vec<f32> {
            let round = |v: &f32| v.signum() * (1.0 + (v.abs() * 3.0).floor());
            numbers_f32(count, seed).iter().map(round).collect()
        };
        let (a, b) = (whole(models * rows * inner, 1), whole(models * inner * columns, 2));
        assert!(a.iter().chain(&b).all(|v| v.abs() >= 1.0 && v.fract() == 0.0));
        let bias = if activation.is_some() { whole(models * columns, 3) } else { Vec::new() };
        let plain = Matmul::new(rows, columns, inner).models(models);
        let matmul = activation.map_or(plain, |activation| plain.epilogue(activation));
        let expected = matmul.reference(&wide(&a), &wide(&b), &wide(&bias)).unwrap();
        for target in common::targets() {
            let dispatches = matmul.dispatches(&target).unwrap();
            assert_eq!(dispatches.len(), inner.div_ceil(32_768));
            let job = Job {
                name: format!("{:?} of {inner} terms", target.product),
                dispatches,
                slots: vec![
                    floats(&a),
                    floats(&b),
                    if bias.is_empty() { Content::Unset(1) } else { floats(&bias) },
                    Content::Unset(models * rows * columns),
                ],
            };
            let found = as_floats(&run(std::slice::from_ref(&job))[0][3]);
            check_each(&job.name, &found, &expected, |_| 0.0);
        }
    }
}

/// Pre-activations from −10,000 to 10,000, dense where the functions bend, and extremes.
fn sweep() -> Vec<f32> {
    let mut z = Vec::new();
    z.extend((-30_000..=30_000).map(|i| i as f32 * 0.001));
    z.extend((-30_000..=30_000).map(|i| i as f32 * (1.0 / 3.0)));
    for exponent in -370..=385 {
        let magnitude = 10_f64.powf(f64::from(exponent) / 10.0) as f32;
        z.extend([magnitude, -magnitude]);
    }
    // No subnormal numbers: WGSL lets a device take them for 0, and two of the three here do.
    z.extend([0.0, -0.0, 3e38, -3e38, f32::MAX, -f32::MAX, 2e-38, -2e-38]);
    z
}

/// The activations whose values keep to the bounds of a product. That of the exponential grows with its
/// argument; it has a sweep of its own.
fn bounded() -> Vec<Activation> {
    Activation::ALL.iter().copied().filter(|a| *a != Activation::Exponential).collect()
}

/// Every loss with every such activation that it can follow.
fn bounded_losses() -> Vec<(Loss, Activation)> {
    let all = common::losses().into_iter();
    all.filter(|(_, activation)| *activation != Activation::Exponential).collect()
}

/// The sweep's worst error of each activation.
fn sweep_activations(what: &str, of: impl Fn(Activation, &[f32]) -> (Vec<f32>, Vec<f64>)) {
    let z = sweep();
    let mut failures = Vec::new();
    for activation in Activation::ALL {
        let (found, expected) = of(*activation, &z);
        assert_eq!((found.len(), expected.len()), (z.len(), z.len()));
        let mut worst = (0.0, 0);
        let mut wrong = Vec::new();
        for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
            let error = (f64::from(*f) - e).abs() / e.abs().max(1.0);
            // WGSL's own bound of its exp() grows with the argument.
            let bound = match activation {
                Activation::Exponential => 1.2e-7 * (3.0 + 2.0 * f64::from(z[i].abs().min(88.0))),
                _ => 1e-6,
            };
            if !(error <= bound) {
                wrong.push(z[i].abs());
            }
            if !(error <= worst.0) {
                worst = (if error.is_nan() { f64::INFINITY } else { error }, i);
            }
        }
        let (error, i) = worst;
        let text = format!(
            "{what} of {:10} off by {error:.2e} at {:e}: {:e} for {:e}; {} of {} above the bound, least |z| {:e}",
            activation.name(),
            z[i],
            found[i],
            expected[i],
            wrong.len(),
            z.len(),
            wrong.iter().fold(f32::INFINITY, |least, z| least.min(*z)),
        );
        println!("{text}");
        if !wrong.is_empty() {
            failures.push(text);
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// With a weight of 1 and a bias of 0 a product is its activation.
#[test]
fn values_of_activations() {
    sweep_activations("value", |activation, z| {
        let matmul = Matmul::new(z.len(), 1, 1).epilogue(activation);
        let job = Job {
            name: activation.name().into(),
            dispatches: matmul.dispatches(common::gpu().capabilities()).unwrap(),
            slots: vec![floats(z), floats(&[1.0]), floats(&[0.0]), Content::Unset(z.len())],
        };
        let found = as_floats(&run(&[job])[0][3]);
        (found, z.iter().map(|z| activation.value(f64::from(*z))).collect())
    });
}

/// The derivative out of the loss kernel: that of |y − t| times the sign of y − t, which is 1 under
/// targets below every y, or −1 above, divided by the number of elements, a power of two.
#[test]
fn derivatives_of_activations() {
    sweep_activations("derivative", |activation, z| {
        let mut padded = z.to_vec();
        padded.resize(z.len().next_power_of_two(), 0.0);
        let loss = LossGradient {
            loss: Loss::MeanAbsoluteError,
            activation,
            models: 1,
            own_targets: false,
            batch: padded.len(),
            outputs: 1,
            inputs: 2,
        };
        let target = common::gpu().capabilities();
        let dispatch = loss.dispatch(target).unwrap();
        let targets: Vec<f32> =
            padded.iter().map(|z| if z.abs() > 1e30 { z / 2.0 } else { -1e31 }).collect();
        let slots = vec![
            floats(&padded),
            floats(&targets),
            Content::Unset(padded.len()),
            Content::Unset(loss.groups(target)),
            floats(&[0.0]),
        ];
        let delta = as_floats(&run(&[Job::new(activation.name(), dispatch, slots)])[0][2]);
        let scale = padded.len() as f32;
        let each = z.iter().zip(&targets).zip(&delta);
        each.map(|((z, t), delta)| {
            let z = f64::from(*z);
            let side = activation.value(z) - f64::from(*t);
            let sign = if side > 0.0 { 1.0 } else { -1.0 };
            (delta * scale, sign * activation.derivative_at(z))
        })
        .unzip()
    });
}

/// All matrix products of a training step: saved pre-activations, split sums, the column of ones,
/// offsets, and the epilogue of the backward pass. What a dispatch does not write stays unset.
#[test]
fn products_of_a_training_step() {
    let models = 2;
    let mut checked = 0;
    let mut cases = Vec::new();
    for (form, target) in common::targets().into_iter().enumerate() {
        // Half of the activations with each form, in turn.
        for (_, hidden) in bounded().iter().enumerate().filter(|(i, _)| (i + form) % 2 == 0) {
            // The other sizes are multiples of four, and more than a subgroup's tile.
            for (units, sets, rows) in [
                ([5, 7, 6, 3], 1, 1),
                ([5, 7, 6, 3], 2, 130),
                ([5, 7, 6, 3], 1, 300),
                ([5, 7, 6, 3], 2, 513),
                ([8, 36, 12, 4], 1, 12),
                ([8, 36, 12, 4], 2, 300),
            ] {
                cases.push((target.clone(), *hidden, units, sets, rows));
            }
        }
    }
    for (target, hidden, [inputs, first, second, outputs], sets, rows) in cases {
        let mlp = Mlp::new(inputs)
            .layer(first, hidden)
            .layer(second, hidden)
            .layer(outputs, Activation::Identity);
        let training = Training::new(Loss::MeanSquaredError, Sgd::default())
            .models(models)
            .strategy(Strategy::Layered);
        let plan = Plan::new(&mlp, &training, DataShape { sets, rows }, &target).unwrap();
        let kernel = target.product.unwrap().kernel().name;
        let p = mlp.parameters();
        let size = |buffer: Buffer| {
            let found = plan.buffers().iter().find(|(b, _)| *b == buffer);
            (found.unwrap_or_else(|| panic!("no buffer {buffer}")).1 / 4) as usize
        };
        let content = |buffer: Buffer| {
            let seed = format!("{buffer}")
                .bytes()
                .fold(rows as u64, |s, c| s.wrapping_mul(31) + u64::from(c));
            numbers_f32(size(buffer), seed)
        };
        let nodes: Vec<_> =
            plan.step().into_iter().filter(|n| n.dispatch.kernel().name == kernel).collect();
        let jobs: Vec<_> = nodes
            .iter()
            .map(|node| {
                let (c, read) = node.buffers.split_last().unwrap();
                let mut slots: Vec<_> = read.iter().map(|b| floats(&content(*b))).collect();
                slots.push(Content::Unset(size(*c)));
                let name = format!("{kernel} {c} of {} over {rows} rows", hidden.name());
                Job::new(name, node.dispatch.clone(), slots)
            })
            .collect();
        let results = run(&jobs);
        let split = plan.buffers().iter().any(|(b, _)| *b == Buffer::PartialGradient);
        let stride = (models * p).next_multiple_of(4);
        let splits = if split { size(Buffer::PartialGradient) / stride } else { 1 };
        assert!(rows < 300 || splits > 1, "{splits} splits of {rows} rows");
        let w = wide(&content(Buffer::Parameters));
        let mut layer = mlp.layers.len();
        for ((node, job), slots) in nodes.iter().zip(&jobs).zip(&results) {
            let c = *node.buffers.last().unwrap();
            let index = match c {
                Buffer::Activation(index) => index,
                Buffer::PartialGradient | Buffer::Gradient => {
                    layer -= 1;
                    layer
                }
                _ => layer,
            };
            let range = mlp.ranges().into_iter().nth(index).unwrap();
            let [units, inputs] = range.shape;
            let x_buffer = if index == 0 { Buffer::Inputs } else { Buffer::Activation(index - 1) };
            let x = wide(&content(x_buffer));
            let x_model = if index == 0 && sets == 1 { 0 } else { rows * inputs };
            let weight =
                |m: usize, u: usize, k: usize| w[m * p + range.weight.start + u * inputs + k];
            let saves =
                |index: usize| hidden.saves() == Saved::Input && index + 1 < mlp.layers.len();
            // Value and bound of every element that is written.
            let mut expected = vec![None; size(c)];
            match c {
                Buffer::Activation(_) => {
                    let last = index + 1 == mlp.layers.len();
                    for (m, r, u) in triples(models, rows, units) {
                        let bias = w[m * p + range.bias.start + u];
                        let terms =
                            (0..inputs).map(|k| x[m * x_model + r * inputs + k] * weight(m, u, k));
                        let (sum, size) = sum_and_size(terms.chain([bias]));
                        let at = (m * rows + r) * units + u;
                        let y = if last { sum } else { hidden.value(sum) };
                        expected[at] = Some((y, 3e-6 * size + 1e-6));
                        if saves(index) {
                            expected[models * rows * units + at] = Some((sum, 3e-6 * size));
                        }
                    }
                }
                Buffer::PartialGradient | Buffer::Gradient => {
                    let delta = wide(&content(node.buffers[0]));
                    let chunk = rows.div_ceil(splits);
                    for (s, m, u) in triples(splits, models, units) {
                        let begin = s * stride + m * p;
                        let of = |column: Option<usize>| {
                            let terms = (s * chunk..rows.min((s + 1) * chunk)).map(|r| {
                                let x = column.map_or(1.0, |k| x[m * x_model + r * inputs + k]);
                                delta[(m * rows + r) * units + u] * x
                            });
                            let (sum, size) = sum_and_size(terms);
                            Some((sum, 3e-6 * size))
                        };
                        for k in 0..inputs {
                            expected[begin + range.weight.start + u * inputs + k] = of(Some(k));
                        }
                        expected[begin + range.bias.start + u] = of(None);
                    }
                }
                Buffer::Delta(_) => {
                    let delta = wide(&content(node.buffers[0]));
                    let behind = if saves(index - 1) { models * rows * inputs } else { 0 };
                    for (m, r, k) in triples(models, rows, inputs) {
                        let terms =
                            (0..units).map(|u| delta[(m * rows + r) * units + u] * weight(m, u, k));
                        let (sum, size) = sum_and_size(terms);
                        let at = (m * rows + r) * inputs + k;
                        let derivative = hidden.derivative(x[behind + at]);
                        expected[at] = Some((sum * derivative, 4e-6 * size));
                    }
                }
                other => panic!("a product writes {other}"),
            }
            for (i, (word, expected)) in slots.last().unwrap().iter().zip(&expected).enumerate() {
                let found = f32::from_bits(*word);
                match expected {
                    None => assert_eq!(*word, UNSET, "{} element {i}", job.name),
                    Some((value, bound)) => {
                        let error = (f64::from(found) - value).abs();
                        assert!(error <= *bound, "{} element {i}: {found} for {value}", job.name);
                        checked += 1;
                    }
                }
            }
        }
        assert_eq!(layer, 0);
    }
    println!("{checked} elements");
    assert!(checked > 100_000);
}

fn triples(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

fn sum_and_size(terms: impl Iterator<Item = f64>) -> (f64, f64) {
    terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
}

// Losses.

/// One dispatch of a loss and its inputs.
struct LossCase {
    kernel: LossGradient,
    z: Vec<f32>,
    targets: Vec<f32>,
}

impl LossCase {
    /// Pre-activations in ±3 and targets that the loss is made for: a distribution for the
    /// entropies, and otherwise not so near the output that rounding decides the sign of y − t.
    fn new(kernel: LossGradient, seed: u64) -> Self {
        let LossGradient { loss, activation, models, own_targets, batch, outputs, .. } = kernel;
        let z: Vec<f32> =
            numbers_f32(models * batch * outputs, seed).iter().map(|v| 3.0 * v).collect();
        let random = numbers_f32(if own_targets { z.len() } else { batch * outputs }, seed + 1);
        let targets = if loss.couples_outputs() {
            let mut targets: Vec<f32> = random.iter().map(|v| v.abs()).collect();
            for (i, row) in targets.chunks_mut(outputs).enumerate() {
                if i % 3 == 0 {
                    row.fill(0.0);
                    row[draw(i, outputs)] = 1.0;
                }
                let sum: f32 = row.iter().sum();
                row.iter_mut().for_each(|t| *t /= sum);
            }
            targets
        } else if matches!(loss, Loss::BinaryCrossEntropy) {
            random
                .iter()
                .map(|v| {
                    if *v < -0.5 {
                        0.0
                    } else if *v > 0.5 {
                        1.0
                    } else {
                        v + 0.5
                    }
                })
                .collect()
        } else {
            // Shared targets lie far from every model's output.
            let far = |v: f32| v.signum() * (5.0 + v.abs());
            let near = |(v, z): (&f32, &f32)| {
                let y = activation.value(f64::from(*z)) as f32;
                y + v.signum() * (0.01 + 2.0 * v.abs())
            };
            if own_targets {
                random.iter().zip(&z).map(near).collect()
            } else {
                random.into_iter().map(far).collect()
            }
        };
        Self { kernel, z, targets }
    }

    fn job(&self, target: &Capabilities) -> Job {
        let groups = self.kernel.models * self.kernel.groups(target);
        let slots = vec![
            floats(&self.z),
            floats(&self.targets),
            Content::Unset(self.z.len()),
            Content::Unset(groups),
            floats(&[0.0]),
        ];
        let dispatch = self.kernel.dispatch(target).unwrap();
        Job::new(format!("{:?}", self.kernel), dispatch, slots)
    }

    /// The gradient, and the partial sums of as many rows as the form of `target` adds up.
    fn expected(&self, target: &Capabilities) -> (Vec<f64>, Vec<f64>) {
        let LossGradient { loss, own_targets, batch, outputs, .. } = self.kernel;
        let (z, targets) = (wide(&self.z), wide(&self.targets));
        let mut delta = vec![0.0; z.len()];
        let mut partial = Vec::new();
        let width = if loss.couples_outputs() { outputs } else { 1 };
        let size = batch * outputs;
        let rows = if target.software { (size / width).div_ceil(1024) } else { 64 };
        for (m, (z, delta)) in z.chunks(size).zip(delta.chunks_mut(size)).enumerate() {
            let t = if own_targets { &targets[m * size..(m + 1) * size] } else { &targets };
            let all = self.kernel.reference(z, t, delta);
            let scale = loss.scale(batch, outputs);
            let before = partial.len();
            for (z, t) in z.chunks(rows * width).zip(t.chunks(rows * width)) {
                let batch = z.len() / width;
                let some = LossGradient { batch, outputs: width, ..self.kernel };
                let part = some.reference(z, t, &mut vec![0.0; z.len()]);
                partial.push(part / loss.scale(batch, width) * scale);
            }
            let sum: f64 = partial[before..].iter().sum();
            // Terms of both signs cancel, within a part, too.
            let one = LossGradient { batch: 1, outputs: width, ..self.kernel };
            let value = |(z, t)| one.reference(z, t, &mut vec![0.0; width]);
            let rows = z.chunks(width).zip(t.chunks(width));
            let size: f64 = rows.map(|row| value(row).abs() / loss.scale(1, width) * scale).sum();
            assert!((sum - all).abs() <= 1e-12 * size || !all.is_finite() || !size.is_finite());
        }
        (delta, partial)
    }

    /// How far the gradient L′(y) f′(z) of an element may be off where the activation's value and
    /// derivative are off by 1e-6: both are near 1 at most, and L″ is at most 2.
    fn bound(&self, i: usize) -> f64 {
        let LossGradient { loss, activation, own_targets, batch, outputs, .. } = self.kernel;
        let first = i - i % outputs;
        let row = first..first + outputs;
        let target =
            |i| f64::from(self.targets[if own_targets { i } else { i % (batch * outputs) }]);
        let t: Vec<f64> = row.clone().map(target).collect();
        let y: Vec<f64> = row.map(|i| activation.value(f64::from(self.z[i]))).collect();
        let mut derivative = vec![0.0; outputs];
        loss.row(&y, &t, &mut derivative);
        let (y, derivative) = (y[i - first], derivative[i - first]);
        // The luminance of the outputs divides: an error of 1e-6 is one of 1e-5 of the quotient at most.
        let of_derivative = if loss == Loss::RelativeL2Luminance { 12.0 } else { 2.0 };
        loss.scale(batch, outputs)
            * 1e-6
            * (of_derivative * derivative.abs() + 2.3 * y.abs().max(1.0))
    }
}

fn check_losses(cases: &[LossCase]) {
    // In both forms: a sum of a workgroup, and of an invocation.
    let own = common::gpu().capabilities();
    for software in [false, true] {
        check_losses_on(cases, &Capabilities { software, ..own.clone() });
    }
}

fn check_losses_on(cases: &[LossCase], target: &Capabilities) {
    let jobs: Vec<_> = cases.iter().map(|case| case.job(target)).collect();
    for ((case, job), slots) in cases.iter().zip(&jobs).zip(run(&jobs)) {
        let (delta, partial) = case.expected(target);
        let found = as_floats(&slots[2]);
        if matches!(case.kernel.loss.argument(), Argument::Output) {
            check_each(&format!("{}: delta", job.name), &found, &delta, |i| case.bound(i));
        } else {
            check(&format!("{}: delta", job.name), &found, &delta, 4e-6);
        }
        // An activation is off by 1e-6, the loss of it by another; 64 values are added in 6 rounds. The
        // terms y g have both signs, and their sum may be small beside them.
        let cancels = case.kernel.loss == Loss::OutputGradient;
        let bound = if cancels { 4e-5 } else { 4e-6 };
        check(&format!("{}: loss", job.name), &as_floats(&slots[3]), &partial, bound);
    }
}

/// Every loss over all pairs of sizes, behind one activation.
#[test]
fn losses_of_all_sizes() {
    let mut cases = Vec::new();
    for loss in Loss::ALL {
        let bounded = bounded();
        let mut activations = bounded.iter().filter(|a| loss.check(**a).is_ok()).cycle();
        for batch in SIZES {
            for outputs in SIZES {
                let seed = cases.len() as u64;
                let kernel = LossGradient {
                    loss: *loss,
                    activation: *activations.next().unwrap(),
                    models: 1 + draw(cases.len(), 3),
                    own_targets: draw(cases.len() + 5000, 2) == 1,
                    batch,
                    outputs,
                    inputs: 2,
                };
                cases.push(LossCase::new(kernel, seed));
            }
        }
    }
    assert_eq!(cases.len(), Loss::ALL.len() * 121);
    check_losses(&cases);
}

/// Every loss behind every activation, with shared and own targets.
#[test]
fn losses_behind_all_activations() {
    let mut cases = Vec::new();
    for (loss, activation) in bounded_losses() {
        for (batch, outputs) in
            [(1, 1), (5, 3), (21, 3), (32, 2), (63, 1), (64, 1), (65, 1), (64, 2), (127, 5)]
        {
            for models in 1..=3 {
                for own_targets in [false, true] {
                    let kernel = LossGradient {
                        loss,
                        activation,
                        models,
                        own_targets,
                        batch,
                        outputs,
                        inputs: 2,
                    };
                    let seed = cases.len() as u64;
                    cases.push(LossCase::new(kernel, seed));
                }
            }
        }
    }
    check_losses(&cases);
}

/// Slices of an evaluation: targets behind those of other slices, sums between those of other
/// slices, and whether each row's class is right.
#[test]
fn evaluations_of_slices() {
    let own = common::gpu().capabilities();
    let mut cases = Vec::new();
    for (loss, activation) in bounded_losses() {
        for (batch, outputs) in [(1, 1), (5, 3), (64, 1), (65, 1), (127, 5), (1100, 2)] {
            let models = 1 + draw(cases.len(), 3);
            let own_targets = draw(cases.len() + 5000, 2) == 1;
            let kernel =
                LossGradient { loss, activation, models, own_targets, batch, outputs, inputs: 2 };
            cases.push(LossCase::new(kernel, cases.len() as u64));
        }
    }
    let of = |case: &LossCase, i: usize, target: &Capabilities| {
        let loss = case.kernel;
        let first_group = draw(i, 9);
        let classes = match loss.loss {
            Loss::SoftmaxCrossEntropy => Classes::Largest,
            _ if loss.outputs == 1 && !i.is_multiple_of(4) => {
                Classes::Threshold { logit: 0.25, target: if i % 4 == 1 { 0.5 } else { 5.5 } }
            }
            _ => Classes::None,
        };
        let (first, all) = (draw(i + 100, 70), 3000);
        let line = first_group + loss.groups(target) + draw(i, 5);
        Evaluate { loss, classes, first, all, first_group, line }
    };
    let (mut right, mut wrong) = (0.0, 0.0);
    for software in [false, true] {
        let target = Capabilities { software, ..own.clone() };
        let job = |(i, case): (usize, &LossCase)| {
            let evaluate = of(case, i, &target);
            let LossGradient { models, own_targets, outputs, .. } = case.kernel;
            let sets = if own_targets { models } else { 1 };
            let mut targets = vec![f32::NAN; evaluate.first * sets * outputs];
            targets.extend(&case.targets);
            let lines = if evaluate.classes == Classes::None { models } else { 2 * models };
            let slots = vec![
                floats(&case.z),
                floats(&targets),
                Content::Unset(lines * evaluate.line),
                floats(&[0.0]),
            ];
            Job::new(format!("{evaluate:?}"), evaluate.dispatch(&target).unwrap(), slots)
        };
        let jobs: Vec<_> = cases.iter().enumerate().map(job).collect();
        for (i, ((case, job), slots)) in cases.iter().zip(&jobs).zip(run(&jobs)).enumerate() {
            let evaluate = of(case, i, &target);
            let Evaluate { loss, classes, first_group, all, line, .. } = evaluate;
            let LossGradient { models, own_targets, batch, outputs, .. } = loss;
            let groups = loss.groups(&target);
            let scale = loss.loss.scale(all, outputs) / loss.loss.scale(batch, outputs);
            let (_, partial) = case.expected(&target);
            let partial: Vec<_> = partial.iter().map(|sum| sum * scale).collect();
            let (mut losses, mut counts) = (Vec::new(), Vec::new());
            for (number, values) in slots[2].chunks(line).enumerate() {
                for (at, value) in values.iter().enumerate() {
                    if !(first_group..first_group + groups).contains(&at) {
                        assert_eq!(*value, UNSET, "{}: {number} {at}", job.name);
                    }
                }
                let found = as_floats(&values[first_group..first_group + groups]);
                let sums = if number < models { &mut losses } else { &mut counts };
                sums.extend(found);
            }
            let cancels = loss.loss == Loss::OutputGradient;
            check(&job.name, &losses, &partial, if cancels { 4e-5 } else { 4e-6 });
            if classes == Classes::None {
                assert!(counts.is_empty());
                continue;
            }
            let rows = if software { batch.div_ceil(1024) } else { 64 };
            let (z, t) = (wide(&case.z), wide(&case.targets));
            let mut expected = Vec::new();
            for (m, z) in z.chunks(batch * outputs).enumerate() {
                let t = if own_targets { &t[m * batch * outputs..] } else { &t };
                for (z, t) in z.chunks(rows * outputs).zip(t.chunks(rows * outputs)) {
                    let t = &t[..z.len()];
                    expected.push(evaluate.reference(z, [&[], t])[1] as f32);
                }
            }
            assert_eq!(counts, expected, "{}", job.name);
            right += counts.iter().sum::<f32>();
            wrong += (models * batch) as f32 - counts.iter().sum::<f32>();
        }
    }
    assert!(right > 1000.0 && wrong > 1000.0, "{right} {wrong}");
}

/// Differences that are exact, on both sides of Huber's bend and at y = t, where |y − t| has no
/// derivative and its gradient is 0.
#[test]
fn losses_of_known_values() {
    for (loss, delta, value) in [
        (Loss::MeanSquaredError, [0.0, -2.0, 4.0, 0.5], (1.0 + 4.0 + 0.0625) / 4.0),
        (Loss::HalfSquaredError, [0.0, -1.0, 2.0, 0.25], (1.0 + 4.0 + 0.0625) / 2.0),
        (Loss::MeanAbsoluteError, [0.0, -1.0, 1.0, 1.0], (1.0 + 2.0 + 0.25) / 4.0),
        (Loss::Huber, [0.0, -1.0, 1.0, 0.25], (0.5 + 1.5 + 0.031_25) / 4.0),
    ] {
        let kernel = LossGradient {
            loss,
            activation: Activation::Identity,
            models: 1,
            own_targets: false,
            batch: 1,
            outputs: 4,
            inputs: 2,
        };
        let target = Capabilities { software: false, ..common::gpu().capabilities().clone() };
        let dispatch = kernel.dispatch(&target).unwrap();
        let (z, t) = ([1.5, 2.0, 4.0, -0.5], [1.5, 3.0, 2.0, -0.75]);
        let slots =
            vec![floats(&z), floats(&t), Content::Unset(4), Content::Unset(1), floats(&[0.0])];
        let slots = &run(&[Job::new(loss.name(), dispatch, slots)])[0];
        let scale = if loss == Loss::HalfSquaredError { 1.0 } else { 0.25 };
        assert_eq!(as_floats(&slots[2]), delta.map(|d| d * scale), "{}", loss.name());
        assert_eq!(as_floats(&slots[3]), [value], "{}", loss.name());
    }
}

/// Pre-activations of any magnitude: finite, and right where the f64 formula is an f32 number.
#[test]
fn losses_of_extremes() {
    common::ways().iter().for_each(losses_of_extremes_on);
}

fn losses_of_extremes_on(target: &Capabilities) {
    let mut cases = Vec::new();
    for (loss, activation) in bounded_losses() {
        for big in [100.0, 1e4, 3e38] {
            let bounded =
                matches!(activation, Activation::Sigmoid | Activation::Tanh | Activation::Sine);
            let squares = matches!(loss, Loss::MeanSquaredError | Loss::HalfSquaredError);
            if big > 1e10 && (squares || loss == Loss::Mape) && !bounded {
                continue; // (3e38)² is infinite, and rightly so; 3e38 / 0.01 too.
            }
            let outputs = 3;
            let mut z = Vec::new();
            let mut targets = Vec::new();
            for row in [
                [1.0, 1.0, 1.0],
                [1.0, -1.0, -1.0],
                [-1.0, 1.0, 0.0],
                [-1.0, -1.0, -1.0],
                [0.0, 0.0, 1.0],
            ] {
                for target in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.25, 0.25]]
                {
                    z.extend(row.map(|v: f32| v * big));
                    targets.extend(target);
                }
            }
            let kernel = LossGradient {
                loss,
                activation,
                models: 1,
                own_targets: false,
                batch: z.len() / outputs,
                outputs,
                inputs: 2,
            };
            cases.push(LossCase { kernel, z, targets });
        }
    }
    let jobs: Vec<_> = cases.iter().map(|case| case.job(target)).collect();
    let mut failures = Vec::new();
    for ((case, job), slots) in cases.iter().zip(&jobs).zip(run(&jobs)) {
        let (delta, partial) = case.expected(target);
        for (what, found, expected) in
            [("delta", as_floats(&slots[2]), delta), ("loss", as_floats(&slots[3]), partial)]
        {
            for (i, (f, e)) in found.iter().zip(expected).enumerate() {
                // Differences of logits are clamped to what f32 holds, before their mean is taken.
                let fits =
                    e.abs() <= if case.kernel.loss.couples_outputs() { 1e37 } else { 3.4e38 };
                let error = (f64::from(*f) - e).abs() / e.abs().max(1.0);
                // Sines of such arguments are judged by the sweep.
                let judged = fits && case.kernel.activation != Activation::Sine;
                // A sum, unlike a mean, may be beyond f32.
                let sums = case.kernel.loss == Loss::OutputGradient;
                let is_beyond = sums && e.abs() > f64::from(f32::MAX) && !f.is_nan();
                if !is_beyond && (!f.is_finite() || (judged && !(error <= 4e-6))) {
                    let z = case.z.get(i).copied().unwrap_or(f32::NAN);
                    failures.push(format!("{} {what} {i} at {z:e}: {f:e} for {e:e}", job.name));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

/// A NaN among the logits makes its model's loss NaN, and no other's.
#[test]
fn a_nan_reaches_the_loss() {
    let mut failures = Vec::new();
    for (loss, activation) in common::losses() {
        let kernel = LossGradient {
            loss,
            activation,
            models: 2,
            own_targets: false,
            batch: 65,
            outputs: 3,
            inputs: 2,
        };
        let mut case = LossCase::new(kernel, 9);
        case.z[65 * 3 + 4] = f32::NAN;
        let target = common::gpu().capabilities();
        let job = case.job(target);
        let slots = &run(std::slice::from_ref(&job))[0];
        let partial = as_floats(&slots[3]);
        let groups = kernel.groups(target);
        assert!(partial[..groups].iter().all(|v| v.is_finite()), "{}", job.name);
        if partial[groups..].iter().all(|v| v.is_finite()) {
            failures.push(format!("{}: {:?}", job.name, &partial[groups..]));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

// Sums.

/// Rows of a loss history.
const HISTORY: usize = 4;

/// A model that has not diverged.
const NONE: u32 = Status::NOT_DIVERGED;

/// Words in front of the marks.
const COUNTERS: usize = 8;

fn reduce_job(reduce: Reduce, gradient: &[f32], losses: &[f32], status: &[u32]) -> Job {
    reduce_job_on(common::gpu().capabilities(), reduce, gradient, losses, status)
}

fn reduce_job_on(
    target: &Capabilities,
    reduce: Reduce,
    gradient: &[f32],
    losses: &[f32],
    status: &[u32],
) -> Job {
    let elements = reduce.parameters * reduce.models;
    let stride = reduce.split_stride();
    let mut filled = Vec::new();
    for part in gradient.chunks(elements.max(1)) {
        filled.extend(part);
        filled.resize(filled.len() + stride - elements, 0.0);
    }
    let [partial, sum] = match reduce.splits {
        0 if elements > 0 => [Content::Unset(1), floats(&filled)],
        0 => [Content::Unset(1), Content::Unset(1)],
        _ => [floats(&filled), Content::Unset(stride)],
    };
    let slots =
        vec![partial, floats(losses), sum, Content::Unset(HISTORY * reduce.models), words(status)];
    Job::new(format!("{reduce:?} {status:?}"), reduce.dispatch(target).unwrap(), slots)
}

#[test]
fn sums_of_all_sizes() {
    common::ways().iter().for_each(sums_of_all_sizes_on);
}

fn sums_of_all_sizes_on(target: &Capabilities) {
    let mut cases = Vec::new();
    for parameters in [0].into_iter().chain(SIZES) {
        for models in 1..=3 {
            // From 16 on, several invocations share a sum on a GPU.
            for splits in [0, 1, 2, 3, 5, 16, 17, 64, 65, 150] {
                let i = cases.len();
                let loss_groups = SIZES[draw(i, SIZES.len())];
                let splits = if parameters == 0 { 0 } else { splits };
                let reduce = Reduce {
                    parameters,
                    models,
                    splits,
                    loss_groups,
                    tables: 0,
                    padded: i % 2 == 1,
                    marks: true,
                    adds: false,
                };
                let gradient = numbers_f32(splits.max(1) * models * parameters, i as u64);
                let losses: Vec<f32> = numbers_f32(models * loss_groups, i as u64 + 1)
                    .iter()
                    .map(|v| v.abs())
                    .collect();
                let step = [0, 1, 3, 10, u32::MAX][draw(i + 77, 5)];
                let [high, slot] = [9, HISTORY].map(|below| draw(i + 999, below) as u32);
                let counters = Status {
                    step,
                    updates: 99,
                    epoch: 5,
                    position: 6,
                    step_high: high,
                    updates_high: 99,
                    slot,
                    run: 2,
                };
                let status = counters.with_marks(models);
                cases.push((reduce, gradient, losses, status));
            }
        }
    }
    let job =
        |(r, g, l, status): &(_, Vec<_>, Vec<_>, Vec<_>)| reduce_job_on(target, *r, g, l, status);
    let jobs: Vec<_> = cases.iter().map(job).collect();
    for (((reduce, gradient, losses, status), job), slots) in
        cases.iter().zip(&jobs).zip(run(&jobs))
    {
        if reduce.parameters == 0 {
            assert_eq!(slots[2], [UNSET], "{}", job.name);
        } else {
            let expected = reduce.reference(&wide(gradient));
            check(&job.name, &as_floats(&slots[2][..expected.len()]), &expected, 2e-6);
        }
        let ring = status[6] as usize;
        for (row, losses_found) in slots[3].chunks(reduce.models).enumerate() {
            if row == ring {
                let sums: Vec<f64> =
                    losses.chunks(reduce.loss_groups).map(|l| wide(l).iter().sum()).collect();
                check(&job.name, &as_floats(losses_found), &sums, 2e-6);
            } else {
                assert!(
                    losses_found.iter().all(|w| *w == UNSET),
                    "{}: history row {row}",
                    job.name
                );
            }
        }
        let mut expected = status.clone();
        expected[1] = status[0].wrapping_add(1);
        expected[5] = status[4] + u32::from(status[0] == u32::MAX);
        assert_eq!(slots[4], expected, "{}", job.name);
    }
}

/// Sums are reproducible: splits added in order give the bits of the f32 loop.
#[test]
fn sums_are_those_of_the_loop_in_order() {
    let reduce = Reduce {
        parameters: 65,
        models: 3,
        splits: 5,
        loss_groups: 1,
        tables: 0,
        padded: false,
        marks: true,
        adds: false,
    };
    let gradient = numbers_f32(5 * 3 * 65, 4);
    let job = reduce_job(reduce, &gradient, &[1.0, 2.0, 3.0], &Status::default().with_marks(3));
    let slots = &run(&[job])[0];
    assert!(same_bits(&slots[2], &reduce.reference(&gradient)));
    assert!(same_bits(&slots[3][..3], &[1.0, 2.0, 3.0]));
}

/// What is not finite marks its model with the step, unless an earlier step has.
#[test]
fn sums_mark_the_model_that_diverges() {
    // Elements as scalars and as vec4; summed, and only checked; several of them an invocation.
    for parameters in [33, 32, 1001] {
        for (splits, target) in [(2, None), (0, None), (40, Some(Capabilities::default()))] {
            let target = target.unwrap_or_else(|| common::gpu().capabilities().clone());
            for padded in [false, true] {
                marks_of_sums(&target, parameters, splits, padded);
            }
        }
    }
}

fn marks_of_sums(target: &Capabilities, parameters: usize, splits: usize, padded: bool) {
    let (models, loss_groups) = (3, 65);
    let reduce = Reduce {
        parameters,
        models,
        splits,
        loss_groups,
        tables: 0,
        padded,
        marks: true,
        adds: false,
    };
    let splits = splits.max(1);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for model in 0..models {
            for earlier in [NONE, 3, 9] {
                for at in [0, parameters - 1, splits * models * parameters] {
                    let mut gradient = numbers_f32(splits * models * parameters, 1);
                    let mut losses = numbers_f32(models * loss_groups, 2);
                    if at < parameters {
                        // In the last of the splits.
                        gradient[((splits - 1) * models + model) * parameters + at] = bad;
                    } else {
                        losses[(model + 1) * loss_groups - 1] = bad;
                    }
                    let counters = Status { step: 7, step_high: 2, slot: 3, ..Status::default() };
                    let mut status = counters.with_marks(models);
                    status[COUNTERS + model] = earlier;
                    let job = reduce_job_on(target, reduce, &gradient, &losses, &status);
                    let slots = &run(std::slice::from_ref(&job))[0];
                    (status[1], status[5]) = (8, 2);
                    if earlier == NONE {
                        status[COUNTERS + model] = 7;
                        status[COUNTERS + models + model] = 2;
                    }
                    assert_eq!(slots[4], status, "{bad} in model {model} at {at}");
                    let bad_gradients: Vec<_> = (0..models * parameters)
                        .filter(|i| !f32::from_bits(slots[2][*i]).is_finite())
                        .collect();
                    let expected =
                        if at < parameters { vec![model * parameters + at] } else { vec![] };
                    assert_eq!(bad_gradients, expected);
                    let row = as_floats(&slots[3][3 * models..]);
                    for (m, loss) in row.iter().enumerate() {
                        assert_eq!(loss.is_finite(), m != model || at < parameters);
                    }
                }
            }
        }
    }
}

// Updates.

/// What `update` reads of an optimizer, computed here once more.
fn hyper(optimizer: &Optimizer) -> Vec<u32> {
    let mut h = [0.0_f64; 10];
    match *optimizer {
        Optimizer::Sgd(Sgd { rate, .. }) => h[0] = rate,
        Optimizer::Momentum(Momentum { rate, momentum, .. })
        | Optimizer::Nesterov(Nesterov { rate, momentum, .. }) => (h[0], h[1]) = (rate, momentum),
        Optimizer::Adam(Adam { rate, beta1, beta2, epsilon, .. })
        | Optimizer::AdamW(AdamW { rate, beta1, beta2, epsilon, .. }) => {
            let ln = |beta: f64| beta.ln().max(-200.0);
            h = [
                rate,
                0.0,
                beta1,
                1.0 - beta1,
                ln(beta1),
                beta2,
                1.0 - beta2,
                ln(beta2),
                epsilon,
                0.0,
            ];
        }
        other => unreachable!("{other:?}"),
    }
    if let Optimizer::AdamW(AdamW { weight_decay, .. }) = *optimizer {
        h[9] = weight_decay;
    }
    let mut words = h.map(|v| (v as f32).to_bits()).to_vec();
    words.push((optimizer.l1() as f32).to_bits());
    words.push((optimizer.l2() as f32).to_bits());
    words.push((optimizer.clip() as f32).to_bits());
    words.push(u32::from(optimizer.is_lazy()));
    // No schedule: base, start, interval, end.
    words.extend([0; 4]);
    words
}

/// Whether each element of the gradient is clipped.
fn clips(optimizer: Optimizer) -> bool {
    matches!(optimizer, Optimizer::Adam(Adam { clip, .. }) if clip > 0.0)
}

fn optimizers() -> Vec<Optimizer> {
    let mut all = Optimizer::all();
    all.extend([
        Optimizer::sgd(0.0),
        Sgd { rate: 0.5, l1: 0.125, l2: 0.25 }.into(),
        Momentum { rate: 0.5, momentum: 0.0, l1: 0.0, l2: 0.125 }.into(),
        Nesterov { rate: 0.5, momentum: 0.99, l1: 0.0625, l2: 0.5 }.into(),
        Adam { rate: 0.5, beta1: 0.0, beta2: 0.5, epsilon: 1e-3, l2: 0.25, ..Adam::default() }
            .into(),
        Adam { rate: 0.3, clip: 0.125, l1: 0.5, l2: 0.5, ..Adam::default() }.into(),
        Adam { rate: 0.01, beta1: 0.99, beta2: 0.99999, ..Adam::default() }.into(),
        AdamW { rate: 0.1, weight_decay: 0.3, l1: 0.5, l2: 0.25, ..AdamW::default() }.into(),
    ]);
    all
}

/// A population under one optimizer.
#[derive(Clone)]
struct Population {
    update: Update<'static>,
    gradient: Vec<f32>,
    values: Vec<f32>,
    states: Vec<f32>,
    status: Vec<u32>,
}

impl Population {
    fn new(optimizer: Optimizer, parameters: usize, models: usize, seed: u64) -> Self {
        let all = parameters * models;
        let mut states = numbers_f32(optimizer.states() * all, seed);
        // The second moment is a mean of squares.
        states.iter_mut().skip(all).for_each(|v| *v = v.abs() + 0.01);
        let update = Update {
            optimizer,
            parameters,
            models,
            rows: 100,
            batch: 10,
            tables: 0,
            history: HISTORY,
            scheduled: false,
            rates: &[],
            padded: false,
        };
        let status = Status { updates: 1, ..Status::default() }.with_marks(models);
        Self {
            update,
            gradient: numbers_f32(all, seed + 1),
            values: numbers_f32(all, seed + 2),
            states,
            status,
        }
    }

    fn job(&self) -> Job {
        self.job_on(common::gpu().capabilities())
    }

    fn job_on(&self, target: &Capabilities) -> Job {
        let Update { optimizer, parameters, .. } = self.update;
        let states = if self.states.is_empty() { Content::Unset(1) } else { floats(&self.states) };
        let slots = vec![
            Content::Words(hyper(&optimizer)),
            floats(&self.gradient),
            floats(&self.values),
            states,
            words(&self.status),
        ];
        let name = format!("{optimizer:?} {parameters} parameters, {:?}", self.status);
        Job::new(name, self.update.dispatch(target).unwrap(), slots)
    }

    /// Takes over what a run left.
    fn take(&mut self, slots: &[Vec<u32>]) {
        self.values = as_floats(&slots[2]);
        if self.states.is_empty() {
            assert_eq!(slots[3], [UNSET]);
        } else {
            self.states = as_floats(&slots[3]);
        }
        self.status.clone_from(&slots[4]);
    }

    /// States as the reference takes them: always two.
    fn two_states(&self) -> Vec<f64> {
        let mut states = wide(&self.states);
        states.resize(2 * self.values.len(), 0.0);
        states
    }
}

/// A part with half the rate, a frozen one, and one with twice the rate.
const PARTS: &[RateRange] = &[
    RateRange { end: 2, factor: 0.5 },
    RateRange { end: 16, factor: 0.0 },
    RateRange { end: 32, factor: 2.0 },
    RateRange { end: 64, factor: 0.0 },
    RateRange { end: usize::MAX, factor: 1.0 },
];

/// Three updates in a row of every optimizer at every size, from states that are not 0.
#[test]
fn updates_of_all_sizes() {
    common::ways().iter().for_each(updates_of_all_sizes_on);
}

fn updates_of_all_sizes_on(target: &Capabilities) {
    let mut all = Vec::new();
    for optimizer in optimizers() {
        for parameters in SIZES {
            for models in 1..=3 {
                let seed = all.len() as u64;
                all.push(Population::new(optimizer, parameters, models, seed));
                let mut of_parts = Population::new(optimizer, parameters, models, seed);
                of_parts.update.rates = PARTS;
                all.push(of_parts);
            }
        }
    }
    let mut values: Vec<_> = all.iter().map(|p| wide(&p.values)).collect();
    let mut states: Vec<_> = all.iter().map(Population::two_states).collect();
    for t in 1..=3_u32 {
        for (population, seed) in all.iter_mut().zip(1000 * u64::from(t)..) {
            population.status[1] = t;
            population.gradient = numbers_f32(population.values.len(), seed);
        }
        let jobs: Vec<_> = all.iter().map(|population| population.job_on(target)).collect();
        let results = run(&jobs);
        for (i, (population, slots)) in all.iter_mut().zip(&results).enumerate() {
            let gradient = wide(&population.gradient);
            let (update, before) = (population.update, population.clone());
            let all = gradient.len();
            for m in 0..update.models {
                let part = m * update.parameters..(m + 1) * update.parameters;
                let of = |first: usize| first + part.start..first + part.end;
                let mut both = [&states[i][of(0)], &states[i][of(all)]].concat();
                let (values, gradient) = (&mut values[i][part.clone()], &gradient[part.clone()]);
                assert!(update.reference(t.into(), gradient, values, &mut both));
                let (first, second) = both.split_at(update.parameters);
                states[i][of(0)].copy_from_slice(first);
                states[i][of(all)].copy_from_slice(second);
            }
            population.take(slots);
            let name = &jobs[i].name;
            // Each of up to three updates adds a few roundings.
            check(&format!("{name}: parameters"), &population.values, &values[i], 3e-6);
            for (found, expected) in
                population.states.chunks(gradient.len()).zip(states[i].chunks(gradient.len()))
            {
                check(&format!("{name}: states"), found, expected, 3e-6);
            }
            let frozen = |i: usize| matches!(i % update.parameters, 2..16 | 32..64);
            let frozen = |i: &usize| !update.rates.is_empty() && frozen(*i);
            for i in (0..gradient.len()).filter(frozen) {
                let bits = |p: &Population| {
                    let states = p.states.iter().skip(i).step_by(gradient.len());
                    (p.values[i].to_bits(), states.map(|s| s.to_bits()).collect::<Vec<_>>())
                };
                assert!(bits(population) == bits(&before), "{name} element {i}");
            }
            let counters =
                Status { step: t, updates: t, position: 10 * t, slot: t, ..Status::default() };
            let status = counters.with_marks(population.update.models);
            assert_eq!(population.status, status, "{name}");
        }
    }
}

/// One update at many counts: the bias correction of Adam. Its direction is compared by itself,
/// since the parameters would hide it.
#[test]
fn updates_at_any_count() {
    for optimizer in optimizers() {
        let counts = [
            1,
            2,
            3,
            5,
            10,
            100,
            511,
            599,
            600,
            601,
            1000,
            10_000,
            100_000,
            1 << 20,
            (1 << 24) - 1,
            u64::from(u32::MAX),
            (5 << 32) + 7,
        ];
        let all: Vec<_> = counts
            .iter()
            .map(|t| {
                let mut population = Population::new(optimizer, 65, 1, *t);
                population.status[1] = *t as u32;
                population.status[5] = (*t >> 32) as u32;
                population.values.fill(0.0);
                population
            })
            .collect();
        let jobs: Vec<_> = all.iter().map(Population::job).collect();
        for (((t, population), job), slots) in counts.iter().zip(&all).zip(&jobs).zip(run(&jobs)) {
            let (mut values, mut states) = (wide(&population.values), population.two_states());
            let gradient = wide(&population.gradient);
            assert!(population.update.reference(*t, &gradient, &mut values, &mut states));
            check(&job.name, &as_floats(&slots[2]), &values, 3e-6);
        }
    }
}

/// The position advances by a batch, and past the last row into the next epoch.
#[test]
fn updates_move_epoch_and_position() {
    let mut jobs = Vec::new();
    let mut expected = Vec::new();
    let huge = 4_000_000_000_u32;
    for (rows, batch, position) in [
        (10, 10, 0),
        (10, 3, 0),
        (10, 3, 6),
        (10, 3, 7),
        (10, 3, 8),
        (10, 3, 9),
        (10, 10, 4),
        (1, 1, 0),
        (huge, 3_000_000_000, 3_900_000_000),
        (huge, huge, huge - 1),
        (huge, 1, huge - 1),
        (huge, 1, huge - 2),
    ] {
        for epoch in [0, 7, 3_000_000_000_u32] {
            let mut population = Population::new(Optimizer::sgd(0.1), 3, 2, 1);
            population.update.rows = rows as usize;
            population.update.batch = batch as usize;
            let slot = HISTORY as u32 - 1;
            let counters = Status { updates: 5, epoch, position, slot, ..Status::default() };
            population.status = counters.with_marks(2);
            jobs.push(population.job());
            let sum = u64::from(position) + u64::from(batch);
            let (turns, rest) = (sum / u64::from(rows), sum % u64::from(rows));
            let epoch = epoch + turns as u32;
            let after = Status { step: 5, position: rest as u32, epoch, slot: 0, ..counters };
            expected.push(after.with_marks(2));
        }
    }
    for ((job, expected), slots) in jobs.iter().zip(expected).zip(run(&jobs)) {
        assert_eq!(slots[4], expected, "{}", job.name);
    }
}

/// Many steps at once, as far as a dispatch may go, advance both as single updates would.
#[test]
fn many_steps_move_epoch_and_position() {
    let mut jobs = Vec::new();
    let mut expected = Vec::new();
    for (rows, batch) in [(1_u32, 1_u32), (10, 3), (10, 10), (1000, 64), (1_000_000, 999_999)] {
        for steps in [1, 2, 7, 59_999] {
            let advance =
                Advance { steps, rows: rows as usize, batch: batch as usize, history: 100 };
            let none = Status::default();
            for before in [
                none,
                Status { step: 4, updates: 4, epoch: 7, position: rows - 1, slot: 99, ..none },
                Status { step: u32::MAX - 6, epoch: 3_000_000_000, step_high: 2, run: 5, ..none },
            ] {
                let dispatch = advance.dispatch().unwrap();
                let name = format!("{advance:?} from {before:?}");
                let counters: [u32; COUNTERS] = bytemuck::cast(before);
                jobs.push(Job::new(name, dispatch, vec![words(&counters)]));
                let after = advance.reference(before).unwrap();
                let rows_seen = u64::from(before.position) + u64::from(steps) * u64::from(batch);
                assert_eq!(u64::from(after.position), rows_seen % u64::from(rows));
                assert_eq!(after.epoch, before.epoch + (rows_seen / u64::from(rows)) as u32);
                let total =
                    |status: Status| u64::from(status.step) | u64::from(status.step_high) << 32;
                assert_eq!(total(after), total(before) + u64::from(steps));
                expected.push(bytemuck::cast::<_, [u32; COUNTERS]>(after));
            }
        }
    }
    for ((job, expected), slots) in jobs.iter().zip(expected).zip(run(&jobs)) {
        assert_eq!(slots[0], expected, "{}", job.name);
    }
}

/// A gradient that is not finite changes neither its parameter nor its state, and marks its model
/// with the step that follows; from then on the model is left as it is, and no other.
#[test]
fn updates_stop_a_model_that_diverges() {
    for optimizer in optimizers() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            if bad.is_infinite() && optimizer.rate() == 0.0 {
                continue; // 0 · ∞ is a NaN, which the first of the three is.
            }
            // As scalars, and as vec4.
            let (parameters, models) = (if bad.is_nan() { 1000 } else { 70 }, 3);
            let mut population = Population::new(optimizer, parameters, models, 5);
            let struck = parameters + 66;
            population.gradient[struck] = bad;
            population.status[1] = 6;
            let before = population.clone();
            let job = population.job();
            population.take(&run(std::slice::from_ref(&job))[0]);
            let after = |t, position, slot| {
                let counters = Status { step: t, updates: t, position, slot, ..Status::default() };
                let mut status = counters.with_marks(3);
                (status[COUNTERS + 1], status[COUNTERS + 4]) = (6, 0);
                status
            };
            assert_eq!(population.status, after(6, 10, 1), "{}", job.name);
            let (mut values, mut states) = (wide(&before.values), before.two_states());
            let gradient = wide(&before.gradient);
            assert!(!before.update.reference(6, &gradient, &mut values, &mut states));
            check(&job.name, &population.values, &values, 3e-6);
            check(&job.name, &population.states, &states[..before.states.len()], 3e-6);
            let kept = |found: &[f32], before: &[f32]| {
                let mut chunks =
                    found.chunks(parameters * models).zip(before.chunks(parameters * models));
                chunks.all(|(f, b)| f[struck].to_bits() == b[struck].to_bits())
            };
            assert!(kept(&population.values, &before.values), "{}", job.name);
            assert!(kept(&population.states, &before.states), "{}", job.name);

            // The next step: the marked model is skipped whole.
            population.gradient = numbers_f32(parameters * models, 77);
            population.status[1] = 7;
            let before = population.clone();
            let job = population.job();
            population.take(&run(std::slice::from_ref(&job))[0]);
            assert_eq!(population.status, after(7, 20, 2), "{}", job.name);
            let (mut values, mut states) = (wide(&before.values), before.two_states());
            let gradient = wide(&before.gradient);
            assert!(before.update.reference(7, &gradient, &mut values, &mut states));
            let marked = parameters..2 * parameters;
            for (i, (found, old)) in population.values.iter().zip(&before.values).enumerate() {
                if marked.contains(&i) {
                    assert_eq!(found.to_bits(), old.to_bits(), "{} element {i}", job.name);
                } else {
                    let error = (f64::from(*found) - values[i]).abs();
                    assert!(error <= 3e-6, "{} element {i}", job.name);
                }
            }
            for (i, (found, old)) in population.states.iter().zip(&before.states).enumerate() {
                if marked.contains(&(i % (parameters * models))) {
                    assert_eq!(found.to_bits(), old.to_bits(), "{} state {i}", job.name);
                } else {
                    let error = (f64::from(*found) - states[i]).abs();
                    assert!(error <= 3e-6, "{} state {i}", job.name);
                }
            }
        }
    }
}

/// A mark of the step itself is a gradient or a loss that `reduce` found not to be finite: it lies
/// before `updates`. One of `updates` is of this dispatch and lets the model go on. A mark of 2³²
/// steps ago has the low word of `updates`, but not its high word.
#[test]
fn updates_skip_models_by_their_marks() {
    for (low, high, skipped) in [
        (0, 3, true),
        (5, 3, true),
        (6, 3, false),
        (6, NONE, false),
        (6, 2, true),
        (7, 2, true),
        (NONE, NONE, false),
    ] {
        let mark = [low, high];
        let mut population = Population::new(Optimizer::sgd(0.1), 33, 2, 8);
        let counters =
            Status { step: 5, updates: 6, step_high: 3, updates_high: 3, ..Status::default() };
        population.status = counters.with_marks(2);
        (population.status[COUNTERS], population.status[COUNTERS + 2]) = (low, high);
        let before = population.values.clone();
        let job = population.job();
        population.take(&run(&[job])[0]);
        assert_eq!(population.status[COUNTERS..], [low, NONE, high, NONE]);
        let changed =
            |range: std::ops::Range<usize>| population.values[range.clone()] != before[range];
        assert_eq!(changed(0..33), !skipped, "mark {mark:?}");
        assert!(changed(33..66));
    }
}

/// Numbers whose squares or products overflow stop the model rather than leave an infinity behind.
#[test]
fn updates_that_overflow_are_refused() {
    for optimizer in optimizers() {
        let mut population = Population::new(optimizer, 5, 1, 3);
        population.gradient = vec![3e38; 5];
        population.values = vec![-3e38; 5];
        let job = population.job();
        population.take(&run(std::slice::from_ref(&job))[0]);
        let all = population.values.iter().chain(&population.states);
        assert!(all.clone().all(|v| v.is_finite()), "{}", job.name);
        // With a second state the square is infinite; the others' steps fit, or are refused.
        if optimizer.states() == 2 && !clips(optimizer) {
            assert_eq!(population.status[COUNTERS], 1, "{}", job.name);
            assert_eq!(population.values, [-3e38; 5], "{}", job.name);
        }
    }
}

// Mini-batches.

#[test]
fn batches_of_all_sizes() {
    common::ways().iter().for_each(batches_of_all_sizes_on);
}

fn batches_of_all_sizes_on(target: &Capabilities) {
    let mut cases = Vec::new();
    for rows in SIZES {
        for batch in SIZES.into_iter().filter(|batch| *batch <= rows) {
            for position in [0, rows / 2, rows - 1] {
                let i = cases.len();
                let (inputs, outputs) =
                    [(1, 1), (2, 1), (3, 2), (17, 3), (1, 65), (64, 1), (4, 4), (12, 3)]
                        [draw(i, 8)];
                let gather = Gather {
                    sets: [1, 2, 3][draw(i + 3, 3)],
                    rows,
                    batch,
                    inputs,
                    outputs,
                    seed: (i % 3 != 2).then_some(i as u32 * 77_777),
                };
                cases.push((gather, [0, 1, 1_000_000][draw(i + 4, 3)], position as u32));
            }
        }
    }
    let data: Vec<_> = cases
        .iter()
        .zip(0..)
        .map(|((g, ..), seed)| {
            (
                numbers_f32(g.sets * g.rows * g.inputs, seed),
                numbers_f32(g.sets * g.rows * g.outputs, seed + 1),
            )
        })
        .collect();
    let jobs: Vec<_> = cases
        .iter()
        .zip(&data)
        .map(|((gather, epoch, position), (x, t))| {
            let sampled = gather.sets * gather.batch;
            let slots = vec![
                words(&[1, 2, *epoch, *position, NONE]),
                floats(x),
                floats(t),
                Content::Unset(sampled * gather.inputs),
                Content::Unset(sampled * gather.outputs),
            ];
            let name = format!("{gather:?} from {position} of epoch {epoch}");
            Job::new(name, gather.dispatch(target).unwrap(), slots)
        })
        .collect();
    for ((((gather, epoch, position), (x, t)), job), slots) in
        cases.iter().zip(&data).zip(&jobs).zip(run(&jobs))
    {
        let expected_x = gather.reference(*epoch, *position, gather.inputs, x).unwrap();
        let expected_t = gather.reference(*epoch, *position, gather.outputs, t).unwrap();
        assert!(same_bits(&slots[3], &expected_x), "{}: inputs", job.name);
        assert!(same_bits(&slots[4], &expected_t), "{}: targets", job.name);
    }
}

/// The rows sampled over an epoch, told by their own numbers: each once, input and target alike, in
/// another order in another epoch or under another seed.
#[test]
fn batches_use_each_row_once_an_epoch() {
    let rows = 257;
    let numbers: Vec<f32> = (0..rows).map(|i| i as f32).collect();
    let epoch_of = |epoch: u32, seed: u32| {
        let mut order = Vec::new();
        let (mut e, mut position) = (epoch, 0);
        let gather = Gather { sets: 1, rows, batch: 50, inputs: 1, outputs: 1, seed: Some(seed) };
        let dispatch = gather.dispatch(common::gpu().capabilities()).unwrap();
        while order.len() < rows {
            let slots = vec![
                words(&[0, 0, e, position, NONE]),
                floats(&numbers),
                floats(&numbers),
                Content::Unset(50),
                Content::Unset(50),
            ];
            let slots = &run(&[Job::new("an epoch", dispatch.clone(), slots)])[0];
            assert_eq!(slots[3], slots[4]);
            order.extend(as_floats(&slots[3]));
            position += 50;
            if position as usize >= rows {
                position -= rows as u32;
                e += 1;
            }
        }
        order.truncate(rows);
        order
    };
    let orders = [epoch_of(0, 1), epoch_of(1, 1), epoch_of(0, 2)];
    for order in &orders {
        let mut sorted = order.clone();
        sorted.sort_by(f32::total_cmp);
        assert_eq!(sorted, numbers);
    }
    assert!(orders[0] != orders[1] && orders[0] != orders[2] && orders[0] != numbers);
}

// Copies with one parameter replaced.

#[test]
fn copies_of_all_sizes() {
    let mut cases = Vec::new();
    for parameters in SIZES {
        for models in SIZES {
            for first in [0, parameters / 2, parameters - 1] {
                cases.push(Perturb { parameters, models, first });
            }
        }
    }
    let base = numbers_f32(257, 1);
    let replaced = numbers_f32(257, 2);
    let jobs: Vec<_> = cases
        .iter()
        .map(|perturb| {
            let Perturb { parameters, models, .. } = *perturb;
            let slots = vec![
                floats(&base[..parameters]),
                floats(&replaced[..parameters]),
                Content::Unset(parameters * models),
            ];
            Job::new(format!("{perturb:?}"), perturb.dispatch().unwrap(), slots)
        })
        .collect();
    for ((perturb, job), slots) in cases.iter().zip(&jobs).zip(run(&jobs)) {
        let parameters = perturb.parameters;
        let expected = perturb.reference(&base[..parameters], &replaced[..parameters]);
        assert!(same_bits(&slots[2], &expected), "{}", job.name);
    }
}

// Norms.

/// A buffer of vec2.
fn vec2(words: &[u32]) -> Vec<[f32; 2]> {
    bytemuck::cast_slice(words).to_vec()
}

#[test]
fn norms_of_all_sizes_and_magnitudes() {
    let mut cases = Vec::new();
    for length in SIZES.into_iter().chain([4095, 4096, 4097, 8192, 10_000]) {
        for magnitude in [1.0_f32, 1e30, 1e-30, 3.4e38] {
            let i = cases.len();
            let models = 1 + draw(i, 3);
            let (offset, gap) = (draw(i + 1, 9), draw(i + 2, 9));
            let stride = length + gap;
            // Between the stretches lies what would change every norm.
            let mut values = vec![f32::NAN; offset + models * stride];
            for m in 0..models {
                let stretch = &mut values[offset + m * stride..][..length];
                for (value, random) in
                    stretch.iter_mut().zip(numbers_f32(length, i as u64 + m as u64))
                {
                    *value = random * magnitude;
                }
            }
            cases.push((Norm { length, models, offset, stride }, values));
        }
    }
    let jobs: Vec<_> = cases
        .iter()
        .map(|(norm, values)| {
            let slots = vec![floats(values), Content::Unset(2 * norm.models * norm.groups())];
            let name = format!("{norm:?}, {:e}", values[norm.offset]);
            Job::new(name, norm.dispatch().unwrap(), slots)
        })
        .collect();
    for (((norm, values), job), slots) in cases.iter().zip(&jobs).zip(run(&jobs)) {
        let found = norm.finish(&vec2(&slots[1]));
        let expected = norm.reference(&wide(values));
        assert_eq!(found.len(), norm.models);
        for (f, e) in found.iter().zip(expected) {
            let error = (f - e).abs() / e;
            assert!(error <= 2e-6, "{}: {f:e} for {e:e}", job.name);
        }
    }
}

#[test]
fn norms_of_zeros_and_of_what_is_not_finite() {
    let of = |values: &[f32]| {
        let norm = Norm { length: values.len(), models: 1, offset: 0, stride: values.len() };
        let slots = vec![floats(values), Content::Unset(2 * norm.groups())];
        let job = Job::new("norm", norm.dispatch().unwrap(), slots);
        norm.finish(&vec2(&run(&[job])[0][1]))[0]
    };
    assert_eq!(of(&[0.0; 4097]), 0.0);
    assert_eq!(of(&[3.0, 4.0]), 5.0);
    for length in [1, 64, 4097] {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, length - 1, length / 2] {
                let mut values = numbers_f32(length, 1);
                values[at] = bad;
                assert!(!of(&values).is_finite(), "{bad} at {at} of {length}");
            }
        }
    }
}

// Flat units.

#[test]
fn counts_of_flat_units() {
    let mut jobs = Vec::new();
    let mut expected = Vec::new();
    for activation in Activation::ALL {
        for holds in [Holds::Saved, Holds::PreActivation] {
            for rows in [1, 2, 255, 256, 257, 512, 600] {
                for (models, units, offset) in [(1, 1, 0), (2, 3, 5), (3, 17, 0), (1, 65, 64)] {
                    let threshold = activation.saturation_threshold().unwrap_or(0.5);
                    let derivative = |v: f32| match holds {
                        Holds::Saved => activation.derivative(f64::from(v)),
                        Holds::PreActivation => activation.derivative_at(f64::from(v)),
                        other => unreachable!("{other:?}"),
                    };
                    let size = models * rows * units;
                    let mut values = numbers_f32(offset + size, jobs.len() as u64);
                    for value in &mut values {
                        let outputs = holds == Holds::Saved && activation.saves() == Saved::Output;
                        *value *= if outputs { 1.02 } else { 8.0 };
                        if matches!(activation, Activation::Sigmoid) && outputs {
                            *value = value.abs();
                        }
                        // Not where rounding decides.
                        let near = |v: f32| ((derivative(v).abs() - threshold).abs()) < 1e-4;
                        while threshold > 0.0 && near(*value) {
                            *value *= 1.01;
                        }
                    }
                    let saturation = Saturation {
                        activation: *activation,
                        holds,
                        models,
                        rows,
                        units,
                        offset,
                        threshold,
                    };
                    let slots = vec![floats(&values), words(&vec![0; models * units])];
                    let dispatch = saturation.dispatch().unwrap();
                    jobs.push(Job::new(format!("{saturation:?}"), dispatch, slots));
                    let each = wide(&values[offset..]);
                    let counts: Vec<u32> = each
                        .chunks(rows * units)
                        .flat_map(|model| saturation.reference(model))
                        .collect();
                    expected.push(counts);
                }
            }
        }
    }
    let mut counted = 0;
    for ((job, expected), slots) in jobs.iter().zip(&expected).zip(run(&jobs)) {
        assert_eq!(slots[1], *expected, "{}", job.name);
        counted += expected.iter().sum::<u32>();
    }
    assert!(counted > 10_000, "{counted}");
}

// What a training does not know.

#[test]
fn faults_of_all_kinds_and_places() {
    let grid = Grid::default().in_box([-2.0, 0.5], [2.0, 1.5]);
    let mlp = Mlp::new(6)
        .encode(1, Identity::default())
        .encode(2, grid)
        .encode(2, OneBlob::default())
        .encode(1, Identity::default())
        .layer(1, Activation::Identity);
    let domains = [
        (Domain::default(), 3),
        (Domain::of_inputs(&mlp), 6),
        (Domain::of_targets(Loss::BinaryCrossEntropy, 2), 2),
        (Domain::of_targets(Loss::SoftmaxCrossEntropy, 4), 4),
    ];
    let mut jobs = Vec::new();
    let mut expected = Vec::new();
    for (domain, columns) in &domains {
        for rows in SIZES {
            for bad in [
                0.25,
                1.0,
                -1.0,
                1.5,
                f32::NAN,
                f32::INFINITY,
                f32::from_bits(0x7f80_0001),
                f32::MIN,
            ] {
                for faults in 0..3 {
                    let mut values = vec![1.0 / *columns as f32; rows * columns];
                    if *columns == 6 {
                        values.fill(0.75);
                    }
                    for i in 0..faults {
                        values[draw(jobs.len() + i, rows * columns)] = bad;
                    }
                    let check = CheckDomain { domain, rows, columns: *columns };
                    let slots = vec![floats(&values), words(&NONE_FOUND)];
                    let name = format!("{faults} of {bad} in {rows} rows, {domain:?}");
                    jobs.push(Job::new(name, check.dispatch().unwrap(), slots));
                    let found = check.reference(&values);
                    assert!(faults > 0 || found == NONE_FOUND);
                    expected.push(found);
                }
            }
        }
    }
    let kinds = [0, 2, 4].map(|kind| expected.iter().filter(|found| found[kind] > 0).count());
    assert!(kinds.iter().all(|count| *count > 20), "{kinds:?}");
    for ((job, expected), slots) in jobs.iter().zip(&expected).zip(run(&jobs)) {
        assert_eq!(slots[1], *expected, "{}", job.name);
    }
}

// More workgroups than a dimension of a grid has.

fn many(dispatch: &Dispatch) {
    assert!(dispatch.workgroups() > 65_535, "{} workgroups", dispatch.workgroups());
}

#[test]
fn many_elements_and_their_faults() {
    let domain = Domain::of_targets(Loss::BinaryCrossEntropy, 1);
    let check = CheckDomain { domain: &domain, rows: MANY, columns: 1 };
    let dispatch = check.dispatch().unwrap();
    many(&dispatch);
    let mut values = vec![1.0_f32; MANY];
    (values[MANY - 1], values[MANY - 3]) = (f32::NAN, -0.5);
    let job = Job::new("domain", dispatch, vec![floats(&values), words(&NONE_FOUND)]);
    assert_eq!(run(&[job])[0][1], check.reference(&values));
}

#[test]
fn many_copied_parameters() {
    for (parameters, models) in [(MANY, 1), (1000, MANY.div_ceil(1000))] {
        let perturb = Perturb { parameters, models, first: 7 };
        let dispatch = perturb.dispatch().unwrap();
        many(&dispatch);
        let (base, replaced) = (numbers_f32(parameters, 1), numbers_f32(parameters, 2));
        let slots = vec![floats(&base), floats(&replaced), Content::Unset(parameters * models)];
        let found = run(&[Job::new("perturb", dispatch, slots)]);
        assert!(same_bits(&found[0][2], &perturb.reference(&base, &replaced)));
    }
}

#[test]
fn many_updated_parameters() {
    // As scalars, and as vec4.
    for (parameters, models) in [(MANY, 1), (4 * MANY, 1), (65, MANY / 65 + 2)] {
        let momentum = Momentum { rate: 0.25, momentum: 0.5, ..Momentum::default() };
        let mut population = Population::new(momentum.into(), parameters, models, 1);
        let (mut values, mut states) = (wide(&population.values), population.two_states());
        let job = population.job_on(&Capabilities::default());
        many(&job.dispatches[0]);
        population.take(&run(&[job])[0]);
        let gradient = wide(&population.gradient);
        assert!(population.update.reference(1, &gradient, &mut values, &mut states));
        check("parameters", &population.values, &values, 1e-6);
        check("states", &population.states, &states[..population.states.len()], 1e-6);
        let counters = Status { step: 1, updates: 1, position: 10, slot: 1, ..Status::default() };
        assert_eq!(population.status, counters.with_marks(population.update.models));
    }
}

#[test]
fn many_rows_of_a_loss() {
    for (models, batch) in [(1, MANY), (65_600, 3)] {
        let kernel = LossGradient {
            loss: Loss::MeanSquaredError,
            activation: Activation::Identity,
            models,
            own_targets: true,
            batch,
            outputs: 1,
            inputs: 2,
        };
        let case = LossCase::new(kernel, 1);
        let workgroups = Capabilities { software: false, ..common::gpu().capabilities().clone() };
        many(&case.job(&workgroups).dispatches[0]);
        check_losses(&[case]);
    }
}

#[test]
fn many_sums() {
    for (parameters, models, splits) in [(MANY, 1, 2), (1, 65_600, 1)] {
        let reduce = Reduce {
            parameters,
            models,
            splits,
            loss_groups: 2,
            tables: 0,
            padded: false,
            marks: true,
            adds: false,
        };
        let (gradient, losses) =
            (numbers_f32(splits * models * parameters, 1), numbers_f32(2 * models, 2));
        let mut status = Status { step: 5, slot: 1, ..Status::default() }.with_marks(models);
        let job = reduce_job_on(&Capabilities::default(), reduce, &gradient, &losses, &status);
        many(&job.dispatches[0]);
        let slots = &run(&[job])[0];
        assert!(same_bits(&slots[2], &reduce.reference(&gradient)));
        let sums: Vec<f32> = losses.chunks(2).map(|pair| pair[0] + pair[1]).collect();
        assert!(same_bits(&slots[3][models..2 * models], &sums));
        status[1] = 6;
        assert_eq!(slots[4], status);
    }
}

#[test]
fn many_sampled_rows() {
    let rows = MANY.div_ceil(5) + 100;
    let gather = Gather { sets: 1, rows, batch: rows - 100, inputs: 3, outputs: 2, seed: Some(3) };
    let dispatch = gather.dispatch(common::gpu().capabilities()).unwrap();
    many(&dispatch);
    let (x, t) = (numbers_f32(rows * 3, 1), numbers_f32(rows * 2, 2));
    let slots = vec![
        words(&[0, 0, 2, 500, NONE]),
        floats(&x),
        floats(&t),
        Content::Unset(gather.batch * 3),
        Content::Unset(gather.batch * 2),
    ];
    let slots = &run(&[Job::new("gather", dispatch, slots)])[0];
    assert!(same_bits(&slots[3], &gather.reference(2, 500, 3, &x).unwrap()));
    assert!(same_bits(&slots[4], &gather.reference(2, 500, 2, &t).unwrap()));
}

#[test]
fn many_norms() {
    let models = 65_600;
    let values = numbers_f32(3 * models, 1);
    let norm = Norm { length: 3, models, offset: 0, stride: 3 };
    let dispatch = norm.dispatch().unwrap();
    many(&dispatch);
    let slots = vec![floats(&values), Content::Unset(2 * models)];
    let found = norm.finish(&vec2(&run(&[Job::new("norm", dispatch, slots)])[0][1]));
    for (f, e) in found.iter().zip(norm.reference(&wide(&values))) {
        let error = (f - e).abs() / e;
        assert!(error <= 2e-6, "{f} for {e}");
    }
}

#[test]
fn many_units() {
    let units = MANY;
    let saturation = Saturation {
        activation: Activation::Relu,
        holds: Holds::Saved,
        models: 1,
        rows: 1,
        units,
        offset: 0,
        threshold: 0.0,
    };
    let dispatch = saturation.dispatch().unwrap();
    many(&dispatch);
    let values = numbers_f32(units, 1);
    let slots = vec![floats(&values), words(&vec![0; units])];
    let found = &run(&[Job::new("saturation", dispatch, slots)])[0][1];
    assert!(*found == saturation.reference(&values));
}
