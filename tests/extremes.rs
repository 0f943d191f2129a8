//! Every public function is total: at any size it returns a value or an error. It neither panics,
//! overflows nor hangs.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

/// Sizes at which arithmetic overflows, and the smallest.
const SIZES: [usize; 12] =
    [0, 1, 2, 3, 64, 1 << 16, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 62, usize::MAX - 1, usize::MAX];

/// A pseudo-random choice of sizes.
struct Sizes(u64);

impl Sizes {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn next(&mut self) -> usize {
        // Small sizes often, so that the large ones meet valid ones.
        if self.below(2) == 0 { SIZES[self.below(5)] } else { SIZES[self.below(SIZES.len())] }
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }
}

mod kernels {
    use super::{Sizes, common};
    use wgrad::encoding::{Encoding, Grid, GridKind, OneBlob};
    use wgrad::kernels::encoding::dequantize::Dequantize;
    use wgrad::kernels::encoding::encode_grid::EncodeGrid;
    use wgrad::kernels::encoding::encode_grid_curvature::EncodeGridCurvature;
    use wgrad::kernels::encoding::encode_grid_gradient::EncodeGridGradient;
    use wgrad::kernels::encoding::encode_grid_tangent::EncodeGridTangent;
    use wgrad::kernels::encoding::encode_pointwise::EncodePointwise;
    use wgrad::kernels::encoding::encode_pointwise_curvature::EncodePointwiseCurvature;
    use wgrad::kernels::encoding::encode_pointwise_gradient::EncodePointwiseGradient;
    use wgrad::kernels::encoding::encode_pointwise_tangent::EncodePointwiseTangent;
    use wgrad::kernels::encoding::grid_bound::GridBound;
    use wgrad::kernels::encoding::max_abs::MaxAbs;
    use wgrad::kernels::encoding::scatter::{Precision, Scatter};
    use wgrad::kernels::encoding::scatter_tangent::ScatterTangent;
    use wgrad::kernels::fused::slope::{self, FusedSlope};
    use wgrad::kernels::measure::norm::Norm;
    use wgrad::kernels::measure::perturb::Perturb;
    use wgrad::kernels::measure::saturation::{Holds, Saturation};
    use wgrad::kernels::measure::texture::{FORMATS, Texel, Texture};
    use wgrad::kernels::step::RateRange;
    use wgrad::kernels::step::Status;
    use wgrad::kernels::step::advance::Advance;
    use wgrad::kernels::step::clip::Clip;
    use wgrad::kernels::step::curvature::Curvature;
    use wgrad::kernels::step::eikonal::Eikonal;
    use wgrad::kernels::step::ema::Ema;
    use wgrad::kernels::step::gather::Gather;
    use wgrad::kernels::step::loss::LossGradient;
    use wgrad::kernels::step::reduce::Reduce;
    use wgrad::kernels::step::tangent::Tangent;
    use wgrad::kernels::step::update::Update;
    use wgrad::kernels::{Dispatch, Matmul, Tiling, fused, resident};
    use wgrad::{
        Activation, Batch, Capabilities, DataShape, Loss, Mlp, Optimizer, Part, Plan, Result,
        Strategy, Training,
    };

    const NUMBERS: [f64; 6] = [0.0, 0.5, 1.0, 1e300, f64::INFINITY, f64::NAN];

    fn devices() -> Vec<Capabilities> {
        let large = wgpu::Limits {
            max_storage_buffer_binding_size: u64::MAX,
            max_buffer_size: u64::MAX,
            ..wgpu::Limits::default()
        };
        let nothing = wgpu::Limits {
            max_compute_workgroups_per_dimension: 0,
            max_compute_invocations_per_workgroup: 0,
            max_compute_workgroup_storage_size: 0,
            max_storage_buffer_binding_size: 0,
            max_buffer_size: 0,
            ..wgpu::Limits::default()
        };
        let mut all = Vec::new();
        for software in [false, true] {
            for subgroup in [None, Some(0), Some(8), Some(u32::MAX)] {
                for limits in [wgpu::Limits::default(), large.clone(), nothing.clone()] {
                    let device =
                        Capabilities { software, subgroup, limits, ..Capabilities::default() };
                    all.push(device);
                }
            }
        }
        all
    }

    /// A dispatch as data is made of numbers that a shader can count.
    fn check(dispatch: Result<Dispatch>) {
        let Ok(dispatch) = dispatch else { return };
        assert!(
            dispatch.workgroups() <= 1 << 33,
            "{} {}",
            dispatch.kernel().name,
            dispatch.workgroups()
        );
        assert!(!dispatch.parameters().is_empty());
    }

    #[test]
    fn kernels_of_any_size_are_described_or_refused() {
        let devices = devices();
        for seed in 0..20_000 {
            let s = &mut Sizes(seed);
            let device = &devices[s.below(devices.len())];
            let norm =
                Norm { length: s.next(), models: s.next(), offset: s.next(), stride: s.next() };
            norm.finish(&[[1.0, 1.0]; 3]);
            check(norm.dispatch());
            check(Perturb { parameters: s.next(), models: s.next(), first: s.next() }.dispatch());
            let saturation = Saturation {
                activation: s.of(Activation::ALL),
                holds: s.of(&[Holds::Saved, Holds::PreActivation]),
                models: s.next(),
                rows: s.next(),
                units: s.next(),
                offset: s.next(),
                threshold: 0.1,
            };
            check(saturation.dispatch());
            let texture = Texture {
                texel: Texel { format: s.of(FORMATS), width: s.next() as u32 },
                models: s.next(),
                rows: s.next(),
                outputs: s.next(),
                column: s.next(),
                first: s.next(),
            };
            check(texture.dispatch());
            let advance = Advance {
                steps: s.below(70_000) as u32,
                rows: s.next(),
                batch: s.next(),
                history: s.next(),
            };
            check(advance.dispatch());
            let now = Status {
                step: u32::MAX,
                epoch: u32::MAX,
                position: s.next() as u32,
                step_high: u32::MAX,
                slot: u32::MAX,
                ..Status::default()
            };
            let _ = advance.reference(now);
            check(Ema { elements: s.next(), decay: s.of(&[0.0, 0.5, f64::NAN, 2.0]) }.dispatch());
            let seed = s.of(&[None, Some(0), Some(u32::MAX)]);
            let (inputs, outputs) = (s.next(), s.next());
            let gather =
                Gather { sets: s.next(), rows: s.next(), batch: s.next(), inputs, outputs, seed };
            check(gather.dispatch(device));
            if gather.batch < 100 {
                let _ = gather.reference(u32::MAX, s.next() as u32, s.next(), &[0.0; 6]);
            }
            let (loss, activation) = s.of(&common::losses());
            let loss = LossGradient {
                loss,
                activation,
                models: s.next(),
                own_targets: s.flag(),
                batch: s.next(),
                outputs: s.next(),
                inputs: s.next(),
            };
            loss.groups(device);
            check(loss.dispatch(device));
            let reduce = Reduce {
                parameters: s.next(),
                models: s.next(),
                splits: s.next(),
                loss_groups: s.next(),
                tables: s.next(),
                padded: s.flag(),
                marks: s.flag(),
                adds: false,
            };
            reduce.split_stride();
            check(reduce.dispatch(device));
            let factor = s.of(&NUMBERS);
            let ranges = [s.next(), s.next()].map(|end| RateRange { end, factor });
            let update = Update {
                optimizer: s.of(&Optimizer::all()),
                parameters: s.next(),
                models: s.next(),
                rows: s.next(),
                history: s.next(),
                batch: s.next(),
                tables: s.next(),
                scheduled: s.flag(),
                rates: &ranges,
                padded: s.flag(),
            };
            update.state_stride();
            check(update.dispatch(device));
            if update.parameters < 100 {
                let (mut values, mut states) = ([1.0; 6], [1.0; 12]);
                update.reference(1, &[1.0; 6], &mut values, &mut states);
            }
            let max_norm = s.of(&NUMBERS);
            let clip = Clip { parameters: s.next(), models: s.next(), max_norm, rates: &ranges };
            clip.reference(&mut [s.of(&NUMBERS), 1.0, -1e300]);
            if let Ok(both) = clip.dispatches() {
                both.into_iter().for_each(|dispatch| check(Ok(dispatch)));
            }
        }
    }

    #[test]
    fn kernels_of_encodings_of_any_size_are_described_or_refused() {
        let devices = devices();
        for seed in 0..5000 {
            let s = &mut Sizes(seed);
            let device = &devices[s.below(devices.len())];
            let search = MaxAbs {
                models: s.next(),
                rows: s.next(),
                width: s.next(),
                first: s.next(),
                columns: s.next(),
                groups: s.next(),
            };
            MaxAbs::groups_of(search.rows, search.columns);
            check(search.dispatch());
            check(MaxAbs::joining(s.next(), s.next()).dispatch());
            let precision = Precision::of(s.next(), s.next());
            let precision = precision.unwrap_or(Precision { bits: 24, low: 12 });
            let dequantize = Dequantize {
                models: s.next(),
                tables: s.next(),
                first: s.next(),
                parameters: s.next(),
                precision,
                marks: s.flag(),
                adds: false,
            };
            check(dequantize.dispatch(device));
            let mut all = Encoding::all();
            all.push(OneBlob { bins: s.next() as u32 }.into());
            let encoding = s.of(&all);
            let (inputs, models, rows) = (s.next(), s.next(), s.next());
            check(EncodePointwise::new(encoding, inputs, models, rows).and_then(|e| e.dispatch()));
            let back = EncodePointwiseGradient::new(encoding, inputs, models, rows);
            check(back.and_then(|e| e.dispatch()));
            let kind = s.of(&[GridKind::Hash, GridKind::Dense, GridKind::Tiled]);
            let grid = Grid { kind, base_resolution: s.next() as u32, ..Grid::default() };
            let grid = s.of(&[grid, Grid::default()]);
            let inputs = s.of(&[inputs, 1, 2, 3, 4]);
            check(EncodeGrid::new(grid, inputs, models, rows).and_then(|e| e.dispatch()));
            check(EncodeGridGradient::new(grid, inputs, models, rows).and_then(|e| e.dispatch()));
            check(EncodeGridTangent::new(grid, inputs, models, rows).and_then(|e| e.dispatch()));
            check(EncodeGridCurvature::new(grid, inputs, models, rows).and_then(|e| e.dispatch()));
            check(GridBound::new(grid, inputs, models, rows).and_then(|e| e.dispatch()));
            check(ScatterTangent::new(grid, inputs, models, rows).and_then(|e| e.dispatch()));
            let tangent = EncodePointwiseTangent::new(encoding, inputs, models, rows);
            check(tangent.and_then(|e| e.dispatch()));
            let curvature = EncodePointwiseCurvature::new(encoding, inputs, models, rows);
            check(curvature.and_then(|e| e.dispatch()));
            let (activation, of_input, ones) = (s.of(Activation::ALL), s.flag(), s.flag());
            let (saved_offset, shape) = (s.next(), [s.next(), s.next(), s.next()]);
            check(Tangent { activation, of_input, ones, saved_offset, shape }.dispatch());
            check(Eikonal { weight: 1.0, models, rows, inputs }.dispatch());
            check(Curvature { activation, of_input, ones, saved_offset, shape }.dispatch());
            let scatter = Scatter::new(grid, inputs, models, rows);
            let all = scatter.and_then(|e| e.dispatches(device)).unwrap_or_default();
            all.into_iter().for_each(|dispatch| check(Ok(dispatch)));
        }
    }

    #[test]
    fn products_of_any_size_are_cut_or_refused() {
        let devices = devices();
        for seed in 0..3000 {
            let s = &mut Sizes(seed);
            let mut device = devices[s.below(devices.len())].clone();
            let tiling = s.of(Tiling::ALL);
            device.product = s.of(&[None, Some(tiling)]);
            let mut product = Matmul::new(s.next(), s.next(), s.next()).models(s.next());
            if s.flag() {
                product = product.transposed_a();
            }
            if s.flag() {
                product = product.shared_b();
            }
            if s.flag() {
                product = product.epilogue(s.of(Activation::ALL));
            }
            if s.flag() {
                product = product.half_operands();
            }
            let _ = product.check(s.next(), s.next(), s.next());
            let _ = product.reference(&[1.0; 2], &[1.0; 3], &[1.0]);
            if let Ok(dispatches) = product.dispatches(&device) {
                dispatches.into_iter().for_each(|dispatch| check(Ok(dispatch)));
            }
        }
    }

    fn mlp(s: &mut Sizes) -> Mlp {
        let mut mlp = Mlp::new(s.next());
        for _ in 0..s.below(4) {
            mlp = mlp.layer(s.next(), s.of(Activation::ALL));
        }
        if s.below(4) == 0 {
            let encoding = s.of(&Encoding::all());
            mlp = mlp.encode(s.next(), encoding);
        }
        mlp
    }

    #[test]
    fn plans_of_any_size_are_made_or_refused() {
        let devices = devices();
        let mut made = 0;
        for seed in 0..20_000 {
            let s = &mut Sizes(seed);
            let device = &devices[s.below(devices.len())];
            let mlp = if s.flag() {
                Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity)
            } else {
                mlp(s)
            };
            let batch = match s.below(3) {
                0 => Batch::Full,
                1 => Batch::Sequential { size: s.next() },
                _ => Batch::Shuffled { size: s.next(), seed: u32::MAX },
            };
            let loss = s.of(Loss::ALL);
            let mut training = Training::new(loss, s.of(&Optimizer::all()))
                .models(s.next())
                .batch(batch)
                .history(s.next())
                .strategy(s.of(&[
                    Strategy::Auto,
                    Strategy::Resident,
                    Strategy::Fused,
                    Strategy::Layered,
                ]));
            if s.below(4) == 0 {
                training = training.clip_norm(s.of(&NUMBERS));
            }
            if s.below(4) == 0 {
                let part = s.of(&[Part::Layer(0), Part::Layer(usize::MAX), Part::Encoding(0)]);
                training = training.rate_of(part, s.of(&NUMBERS));
            }
            let data = DataShape { sets: s.next(), rows: s.next() };
            if let Ok(plan) = Plan::new(&mlp, &training, data, device) {
                let _ = (plan.to_string(), plan.memory(), plan.work(), plan.dispatches(u32::MAX));
                made += 1;
            }
            let shape = resident::Shape {
                mlp: &mlp,
                loss,
                optimizer: training.optimizer,
                models: training.models,
                sets: data.sets,
                rows: data.rows,
                batch,
                history: training.history,
                scheduled: false,
                rates: &[],
                clipped: s.flag(),
                averaged: s.flag(),
            };
            resident::pays(shape, device);
            let steps = resident::most_steps(shape, device);
            let _ = resident::dispatches(shape, &[steps.unwrap_or(u32::MAX), 0], device);
            let shape = fused::Shape {
                mlp: &mlp,
                loss,
                models: training.models,
                sets: data.sets,
                batch: data.rows,
                own_targets: s.of(&[false, true]),
                part: s.of(&[fused::Part::Step, fused::Part::Forward, fused::Part::Backward]),
                input_gradient: s.of(&[false, true]),
                slope: s.of(&[false, true]),
            };
            if let Ok(launch) = fused::LaunchConfig::new(shape, device) {
                let _ = fused::dispatches(shape, &launch);
                let parts = [slope::Part::Slope { ones: s.flag() }, slope::Part::Backward];
                let of = FusedSlope { shape, part: s.of(&parts), writes: s.flag() };
                let _ = of.dispatches(&launch);
            }
        }
        assert!(made >= 100, "{made}");
    }
}
