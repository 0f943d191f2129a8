//! The checks of single kernels.

use super::{Runner, SIZES, bytes, equal, floats, numbers, words};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::measure::domain::{self, CheckDomain};
use crate::kernels::measure::evaluate::{Classes, Evaluate};
use crate::kernels::measure::norm::Norm;
use crate::kernels::measure::perturb::Perturb;
use crate::kernels::measure::saturation::{Holds, Saturation};
use crate::kernels::step::clip::Clip;
use crate::kernels::step::curvature::Curvature;
use crate::kernels::step::eikonal::Eikonal;
use crate::kernels::step::gather::Gather;
use crate::kernels::step::loss::LossGradient;
use crate::kernels::step::reduce::Reduce;
use crate::kernels::step::tangent::Tangent;
use crate::kernels::step::update::Update;
use crate::kernels::step::{RateRange, Status};
use crate::kernels::{Capabilities, Dispatch, Matmul, Tiling};
use crate::network::{Activation, Saved};
use crate::numeric::{Real, wide};
use crate::training::{Argument, Domain, Loss, Optimizer};
use crate::verify::deviation;

impl Runner<'_> {
    /// The matrix product in every tiling, and every activation behind it.
    pub(super) async fn products(&mut self) {
        for form in Tiling::ALL.iter().filter(|form| form.runs_on(self.gpu.capabilities())) {
            self.check(format!("matmul, {form:?}: sizes and transposes"), 1e-6, async |gpu| {
                let gpu = &gpu.planned_for(&Capabilities {
                    product: Some(*form),
                    ..gpu.capabilities().clone()
                });
                let mut errors = Vec::new();
                for (i, rows) in SIZES.into_iter().enumerate() {
                    for (j, columns) in SIZES.into_iter().enumerate() {
                        let inner = SIZES[(i + 2 * j) % SIZES.len()];
                        let matmul = Matmul::new(rows, columns, inner).models(2);
                        let matmul = match (i + j) % 4 {
                            0 => matmul,
                            1 => matmul.transposed_a(),
                            2 => matmul.transposed_b(),
                            _ => matmul.transposed_a().transposed_b(),
                        };
                        errors.push(
                            product(gpu, matmul, [2 * rows * inner, 2 * inner * columns, 0])
                                .await?,
                        );
                    }
                }
                Ok(errors)
            })
            .await;
        }
        self.check("matmul: 40,000 terms, in two dispatches", 1e-5, async |gpu| {
            Ok(vec![product(gpu, Matmul::new(5, 3, 40_000), [200_000, 120_000, 0]).await?])
        })
        .await;
        self.check("matmul: operands in f16", 1e-6, async |gpu| {
            let (a, b) = (halves(68 * 36, 1), halves(36 * 64, 2));
            let matmul = Matmul::new(68, 64, 36).half_operands();
            let found = matmul.run_async(gpu, &single(&a), &single(&b), &[]).await?;
            Ok(vec![deviation(&found, &matmul.reference(&a, &b, &[])?)])
        })
        .await;
        for activation in Activation::ALL {
            // WGSL lets its exp() be off by 3 + 2 |z| units in the last place.
            let bound = if *activation == Activation::Exponential { 2.2e-5 } else { 2e-6 };
            self.check(
                format!("matmul with {}: z in ±10,000", activation.name()),
                bound,
                async |gpu| {
                    let z: Vec<f64> = (-4000..=4000)
                        .map(|i| f64::from(i) / 4000.0)
                        .flat_map(|s| [8.0 * s, s * 1e4])
                        .map(|z| f64::from(f32::of(z)))
                        .collect();
                    let layer = Matmul::new(z.len(), 1, 1).epilogue(*activation);
                    let single: Vec<f32> = z.iter().map(|z| f32::of(*z)).collect();
                    let found = layer.run_async(gpu, &single, &[1.0], &[0.0]).await?;
                    let errors = found.iter().zip(&z).map(|(y, z)| {
                        let expected = activation.value(*z);
                        (f64::from(*y) - expected).abs() / expected.abs().max(1.0)
                    });
                    Ok(vec![errors.fold(0.0, |a, b| if b <= a { a } else { b })])
                },
            )
            .await;
        }
    }

    /// The other kernels of a training step.
    pub(super) async fn step(&mut self) {
        for which in Loss::ALL {
            self.check(format!("loss: {}", which.name()), 2e-6, async |gpu| {
                losses(gpu, *which).await
            })
            .await;
        }
        for optimizer in Optimizer::all() {
            self.check(format!("update: {}", optimizer.name()), 1e-6, async |gpu| {
                updates(gpu, &optimizer, &[]).await
            })
            .await;
        }
        self.check("update: rates of parts, one frozen", 1e-6, async |gpu| {
            let rates = [(20, 0.5), (41, 0.0), (67, 2.0)];
            let rates = rates.map(|(end, factor)| RateRange { end, factor });
            updates(gpu, &Optimizer::adam(0.01), &rates).await
        })
        .await;
        self.check("tangent, curvature: every activation", 4e-6, async |gpu| {
            let mut errors = Vec::new();
            for activation in Activation::ALL {
                for of_input in [false, true] {
                    errors.extend(tangents(gpu, *activation, of_input).await?);
                }
            }
            Ok(errors)
        })
        .await;
        self.check("eikonal", 2e-6, eikonal).await;
        self.check("clip: magnitudes 1e-30 to 1e30", 2e-6, async |gpu| {
            let mut errors = Vec::new();
            for max_norm in [1e-30, 1.0, 1e30] {
                let scaled = numbers(2 * 5003, 1).into_iter().map(|v| v * max_norm);
                let mut values = floats(&bytes(&scaled.collect::<Vec<_>>()));
                let clip = Clip { parameters: 5003, models: 2, max_norm, rates: &[] };
                let mut slots = [bytes(&values), vec![0; 8 * 2 * clip.groups()]];
                for dispatch in clip.dispatches()? {
                    dispatch.run_async(gpu, &mut slots).await?;
                }
                values.chunks_mut(5003).for_each(|gradient| clip.reference(gradient));
                errors.push(deviation(&floats(&slots[0]), &values));
            }
            Ok(errors)
        })
        .await;
        self.check("reduce", 1e-6, async |gpu| {
            let (splits, elements) = (5, 3 * 67);
            let partial = numbers(splits * elements, 1);
            let reduce = Reduce {
                parameters: 67,
                models: 3,
                splits,
                loss_groups: 130,
                tables: 0,
                padded: false,
                marks: true,
                adds: false,
            };
            let groups = numbers(3 * 130, 2);
            let mut slots = [
                bytes(&partial),
                bytes(&groups),
                bytes(&vec![0.0; elements]),
                bytes(&[0.0; 12]),
                words(&Status { step: 6, slot: 2, ..Status::default() }.with_marks(3)),
            ];
            reduce.dispatch(gpu.capabilities())?.run_async(gpu, &mut slots).await?;
            let sums: Vec<f64> = groups.chunks(130).map(|g| g.iter().sum()).collect();
            Ok(vec![
                deviation(&floats(&slots[2]), &reduce.reference(&partial)),
                deviation(&floats(&slots[3])[6..9], &sums),
                equal(&slots[4][..8], &words(&[6, 7])[..]),
            ])
        })
        .await;
        self.check("gather", 0.0, async |gpu| {
            let gather =
                Gather { sets: 2, rows: 65, batch: 17, inputs: 3, outputs: 2, seed: Some(9) };
            let (x, t) = (numbers(2 * 65 * 3, 1), numbers(2 * 65 * 2, 2));
            let mut slots = [
                words(&Status { epoch: 4, position: 60, ..Status::default() }.with_marks(1)),
                bytes(&x),
                bytes(&t),
                bytes(&vec![0.0; 2 * 17 * 3]),
                bytes(&vec![0.0; 2 * 17 * 2]),
            ];
            gather.dispatch(gpu.capabilities())?.run_async(gpu, &mut slots).await?;
            Ok(vec![
                equal(&floats(&slots[3]), &gather.reference(4, 60, 3, &x)?),
                equal(&floats(&slots[4]), &gather.reference(4, 60, 2, &t)?),
            ])
        })
        .await;
    }

    /// What measures, and what makes copies.
    pub(super) async fn measures(&mut self) {
        self.check("perturb", 0.0, async |gpu| {
            let (base, replaced) = (numbers(65, 1), numbers(65, 2));
            let perturb = Perturb { parameters: 65, models: 17, first: 50 };
            let mut slots = [bytes(&base), bytes(&replaced), bytes(&vec![0.0; 17 * 65])];
            perturb.dispatch()?.run_async(gpu, &mut slots).await?;
            Ok(vec![equal(&floats(&slots[2]), &perturb.reference(&base, &replaced))])
        })
        .await;
        self.check("norm: magnitudes 1e-30 to 1e30", 2e-6, async |gpu| {
            let mut errors = Vec::new();
            for scale in [1e-30, 1.0, 1e30] {
                let values: Vec<f64> = numbers(2 * 5003, 1)
                    .into_iter()
                    .map(|v| f64::from(f32::of(v * scale)))
                    .collect();
                let norm = Norm { length: 5000, models: 2, offset: 3, stride: 5003 };
                let mut slots = [bytes(&values), vec![0; 8 * 2 * norm.groups()]];
                norm.dispatch()?.run_async(gpu, &mut slots).await?;
                let found = norm.finish(&bytemuck::pod_collect_to_vec::<u8, [f32; 2]>(&slots[1]));
                errors.push(deviation(&found, &norm.reference(&values)));
            }
            Ok(errors)
        })
        .await;
        self.check("saturation", 0.0, async |gpu| {
            let mut errors = Vec::new();
            for activation in [Activation::Sigmoid, Activation::Tanh, Activation::Relu] {
                let threshold = activation.saturation_threshold().unwrap_or(0.0);
                let z: Vec<f64> = numbers(600 * 5, 1).into_iter().map(|v| 10.0 * v).collect();
                let mut slots = [bytes(&z), words(&[0; 5])];
                let saturation = Saturation {
                    activation,
                    holds: Holds::PreActivation,
                    models: 1,
                    rows: 600,
                    units: 5,
                    offset: 0,
                    threshold,
                };
                saturation.dispatch()?.run_async(gpu, &mut slots).await?;
                let z: Vec<f64> = floats(&bytes(&z));
                let expected = saturation.reference(&z);
                errors.push(equal(&slots[1], &words(&expected)));
            }
            Ok(errors)
        })
        .await;
        self.check("evaluate: losses and right rows", 2e-6, async |gpu| {
            let mut errors = Vec::new();
            for (loss, outputs, classes) in [
                (Loss::SoftmaxCrossEntropy, 3, Classes::Largest),
                (Loss::HalfSquaredError, 1, Classes::Threshold { logit: 0.1, target: 0.5 }),
                (Loss::MeanAbsoluteError, 2, Classes::None),
            ] {
                errors.extend(evaluation(gpu, loss, outputs, classes).await?);
            }
            Ok(errors)
        })
        .await;
        self.check("domain", 0.0, async |gpu| {
            let mut values = vec![0.25; 3 * 100];
            (values[101], values[299], values[7]) = (f64::NAN, f64::INFINITY, 1.5);
            let domain = Domain::of_targets(Loss::SoftmaxCrossEntropy, 4);
            let check = CheckDomain { domain: &domain, rows: 75, columns: 4 };
            let mut slots = [bytes(&values), words(&domain::NONE)];
            check.dispatch()?.run_async(gpu, &mut slots).await?;
            Ok(vec![equal(&slots[1], &words(&check.reference(&values)))])
        })
        .await;
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| f32::of(*v)).collect()
}

/// Numbers in ±1 that f16 holds.
fn halves(count: usize, seed: u64) -> Vec<f64> {
    numbers(count, seed).into_iter().map(|v| half::f16::from_f64(v).to_f64()).collect()
}

async fn product(gpu: &Gpu, matmul: Matmul, lengths: [usize; 3]) -> Result<f64> {
    let [a, b, bias] = [0, 1, 2].map(|i| numbers(lengths[i], 1 + wide(i)));
    let found = matmul.run_async(gpu, &single(&a), &single(&b), &single(&bias)).await?;
    Ok(deviation(&found, &matmul.reference(&a, &b, &bias)?))
}

async fn losses(gpu: &Gpu, which: Loss) -> Result<Vec<f64>> {
    let mut errors = Vec::new();
    for (activation, scale) in Activation::ALL.iter().flat_map(|a| [(*a, 3.0), (*a, 1e4)]) {
        // Squares of logits of ±10,000 are no loss that one trains with.
        let logit = matches!(which.argument(), Argument::Logit(_));
        if which.check(activation).is_err() || (scale > 3.0 && !logit) {
            continue;
        }
        let gradient = LossGradient {
            loss: which,
            activation,
            models: 2,
            own_targets: true,
            batch: 65,
            outputs: 3,
            inputs: 2,
        };
        let elements = 2 * 65 * 3;
        let z: Vec<f64> =
            numbers(elements, 1).into_iter().map(|v| f64::from(f32::of(v * scale))).collect();
        let t: Vec<f64> =
            floats(&bytes(&numbers(elements, 2).iter().map(|v| 0.5 * v + 0.5).collect::<Vec<_>>()));
        let groups = gradient.groups(gpu.capabilities());
        let zeros = |n| bytes(&vec![0.0; n]);
        let mut slots = [bytes(&z), bytes(&t), zeros(elements), zeros(2 * groups), zeros(1)];
        gradient.dispatch(gpu.capabilities())?.run_async(gpu, &mut slots).await?;
        let (mut delta, mut sums) = (vec![0.0; elements], Vec::new());
        for m in 0..2 {
            let part = m * elements / 2..(m + 1) * elements / 2;
            sums.push(gradient.reference(&z[part.clone()], &t[part.clone()], &mut delta[part]));
        }
        let found: Vec<f64> = floats(&slots[3]).chunks(groups).map(|g| g.iter().sum()).collect();
        errors.push(deviation(&found, &sums));
        errors.push(deviation(&floats(&slots[2]), &delta));
    }
    Ok(errors)
}

async fn tangents(gpu: &Gpu, activation: Activation, of_input: bool) -> Result<Vec<f64>> {
    let shape = [2, 65, 3];
    let [z, v, dy, of_tangent] = [1, 2, 3, 4].map(|seed| numbers(390, seed));
    let z: Vec<f64> = z.into_iter().map(|v| f64::from(f32::of(4.0 * v))).collect();
    let saved = if of_input || activation.saves() == Saved::Input {
        z
    } else {
        floats(&bytes(&z.iter().map(|z| activation.value(*z)).collect::<Vec<_>>()))
    };
    let zeros = bytes(&[0.0; 390]);
    let tangent = Tangent { activation, of_input, ones: false, saved_offset: 0, shape };
    let mut slots = [bytes(&saved), bytes(&v), zeros.clone()];
    tangent.dispatch()?.run_async(gpu, &mut slots).await?;
    let mut errors = vec![deviation(&floats(&slots[2]), &tangent.reference(&saved, &v))];
    let curvature = Curvature { activation, of_input, ones: false, saved_offset: 0, shape };
    let [a, b, c, d] = [&saved, &v, &dy, &of_tangent].map(|values| bytes(values));
    let mut slots = [a, b, c, d, zeros.clone(), zeros];
    curvature.dispatch()?.run_async(gpu, &mut slots).await?;
    let expected = curvature.reference([&saved, &v], [&dy, &of_tangent]);
    for (found, expected) in slots[4..].iter().zip(expected) {
        errors.push(deviation(&floats(found), &expected));
    }
    Ok(errors)
}

async fn eikonal(gpu: &Gpu) -> Result<Vec<f64>> {
    let term = Eikonal { weight: 0.3, models: 2, rows: 65, inputs: 3 };
    let slopes = floats(&bytes(&numbers(390, 1)));
    let mut slots = [bytes(&slopes), bytes(&[0.0; 390])];
    term.dispatch()?.run_async(gpu, &mut slots).await?;
    Ok(vec![deviation(&floats(&slots[1]), &term.reference(&slopes))])
}

async fn evaluation(gpu: &Gpu, loss: Loss, outputs: usize, classes: Classes) -> Result<Vec<f64>> {
    let (batch, models) = (150, 2);
    let activation = Activation::Identity;
    let loss =
        LossGradient { loss, activation, models, own_targets: true, batch, outputs, inputs: 2 };
    let groups = loss.groups(gpu.capabilities());
    let evaluate = Evaluate { loss, classes, first: 0, all: 150, first_group: 2, line: groups + 5 };
    let elements = models * batch * outputs;
    let z: Vec<f64> = floats(&bytes(&numbers(elements, 1)));
    let t: Vec<f64> = numbers(elements, 2).into_iter().map(f64::abs).collect();
    let t: Vec<f64> = floats(&bytes(&t));
    let lines = 2 * models * evaluate.line;
    let mut slots = [bytes(&z), bytes(&t), bytes(&vec![0.0; lines]), bytes(&[0.0])];
    evaluate.dispatch(gpu.capabilities())?.run_async(gpu, &mut slots).await?;
    let sums = floats(&slots[2]);
    let sums: Vec<f64> = sums.chunks(evaluate.line).map(|line| line.iter().sum()).collect();
    let size = batch * outputs;
    let expected = z.chunks(size).zip(t.chunks(size)).map(|(z, t)| evaluate.reference(z, [&[], t]));
    let [losses, right] =
        expected.fold([Vec::new(), Vec::new()], |[mut a, mut b], [loss, right]| {
            a.push(loss);
            b.push(right);
            [a, b]
        });
    Ok(vec![deviation(&sums[..models], &losses), equal(&sums[models..], &right[..])])
}

async fn updates(gpu: &Gpu, optimizer: &Optimizer, rates: &[RateRange]) -> Result<Vec<f64>> {
    let elements = 2 * 67;
    let mut parameters = numbers(elements, 1);
    let states = vec![0.0; 2 * elements];
    let mut of_model = vec![vec![0.0; 2 * 67]; 2];
    let hyper = bytemuck::bytes_of(&optimizer.hyper()).to_vec();
    let update = Update {
        optimizer: *optimizer,
        parameters: 67,
        models: 2,
        rows: 100,
        batch: 100,
        tables: 0,
        history: 4,
        scheduled: false,
        rates,
        padded: false,
    };
    let dispatch: Dispatch = update.dispatch(gpu.capabilities())?;
    let mut slots = [hyper, Vec::new(), bytes(&parameters), bytes(&states), Vec::new()];
    let mut errors = Vec::new();
    for t in 1..=4 {
        let gradient = numbers(elements, 10 + u64::from(t));
        slots[1] = bytes(&gradient);
        slots[4] = words(&Status { step: t - 1, updates: t, ..Status::default() }.with_marks(2));
        dispatch.run_async(gpu, &mut slots).await?;
        let of_models = parameters.chunks_mut(67).zip(gradient.chunks(67)).zip(&mut of_model);
        for ((parameters, gradient), states) in of_models {
            update.reference(t.into(), gradient, parameters, states);
        }
        errors.push(deviation(&floats(&slots[2]), &parameters));
    }
    Ok(errors)
}
