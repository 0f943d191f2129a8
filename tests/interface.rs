//! The shaders as naga reads them against what Rust says of them, and the files in `shaders/`
//! against the kernels, activations, losses and optimizers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use naga::{AddressSpace, Module, ScalarKind, StorageAccess, StructMember, TypeInner};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wgrad::encoding::Grid;
use wgrad::kernels::infer::{Form, Infer, LAYERS, Loads};
use wgrad::kernels::{self, Access, Dispatch, Tiling};
use wgrad::{Activation, Loss, Mlp, Optimizer, Quantity, Storage};

fn parse(dispatch: &Dispatch) -> Module {
    let text = dispatch.wgsl();
    naga::front::wgsl::parse_str(&text)
        .unwrap_or_else(|e| panic!("{}:\n{}", dispatch.kernel().name, e.emit_to_string(&text)))
}

/// One dispatch of each compiled form.
fn forms() -> Vec<Dispatch> {
    let mut seen = BTreeSet::new();
    let mut all = [common::every_dispatch(), common::every_pass()].concat();
    all.retain(|dispatch| seen.insert(common::form(dispatch)));
    all
}

fn of(kernel: &str) -> Dispatch {
    let mut all = common::every_dispatch().into_iter().chain(common::every_pass());
    all.find(|d| d.kernel().name == kernel).unwrap_or_else(|| panic!("no dispatch of {kernel}"))
}

fn scalar(module: &Module, member: &StructMember) -> String {
    match module.types[member.ty].inner {
        TypeInner::Scalar(scalar) => match (scalar.kind, scalar.width) {
            (ScalarKind::Uint, 4) => "u32".into(),
            (ScalarKind::Float, 4) => "f32".into(),
            other => format!("{other:?}"),
        },
        ref other => format!("{other:?}"),
    }
}

/// The members of the struct `name` and its size.
fn members<'a>(module: &'a Module, name: &str) -> (&'a [StructMember], u32) {
    let found = module.types.iter().find(|(_, t)| t.name.as_deref() == Some(name));
    match &found.unwrap_or_else(|| panic!("no struct {name}")).1.inner {
        TypeInner::Struct { members, span } => (members, *span),
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn every_kernel_has_a_dispatch_here() {
    let found: BTreeSet<_> = forms().iter().map(|d| d.kernel().name).collect();
    let all: BTreeSet<_> = kernels::ALL.iter().map(|k| k.name).collect();
    assert_eq!(found, all);
    assert_eq!(all.len(), kernels::ALL.len(), "two kernels of one name");
}

#[test]
fn entry_points_have_the_kernels_names_and_workgroups() {
    for dispatch in forms() {
        let (kernel, module) = (dispatch.kernel(), parse(&dispatch));
        assert_eq!(module.entry_points.len(), 1, "{}", kernel.name);
        let entry = &module.entry_points[0];
        assert_eq!(entry.name, kernel.name);
        assert_eq!(entry.stage, naga::ShaderStage::Compute);
        assert_eq!(entry.workgroup_size, [dispatch.workgroup(), 1, 1], "{}", kernel.name);
        assert!(entry.workgroup_size_overrides.is_none(), "{}", kernel.name);
    }
}

#[test]
fn bindings_are_the_kernels_slots() {
    for dispatch in forms() {
        let (kernel, module) = (dispatch.kernel(), parse(&dispatch));
        let mut found: Vec<_> = module
            .global_variables
            .iter()
            .filter_map(|(_, v)| v.binding.as_ref().map(|b| (b.group, b.binding, v)))
            .map(|(group, binding, variable)| {
                let access = match variable.space {
                    AddressSpace::Uniform => Access::Uniform,
                    AddressSpace::Handle => Access::Texture,
                    AddressSpace::Storage { access } if access == StorageAccess::LOAD => {
                        Access::Read
                    }
                    AddressSpace::Storage { access }
                        if access == StorageAccess::LOAD | StorageAccess::STORE =>
                    {
                        Access::ReadWrite
                    }
                    other => panic!("{}: a binding in {other:?}", kernel.name),
                };
                (group, binding, variable.name.clone().unwrap_or_default(), access)
            })
            .collect();
        found.sort_by_key(|(group, binding, ..)| (*group, *binding));
        let slots = kernel.slots.iter().zip(0..);
        let expected: Vec<_> =
            slots.map(|(s, i)| (0, i, s.name.to_owned(), dispatch.access(s))).collect();
        assert_eq!(found, expected, "{}", kernel.name);
        assert_eq!(kernel.slots[0].name, "params", "{}", kernel.name);
        assert_eq!(kernel.slots[0].access, Access::Uniform, "{}", kernel.name);
    }
}

/// One model of at most 64 KiB without tables, whose units are written out, where the buffer allows it.
#[test]
fn an_inference_reads_a_uniform_where_it_can_hold_the_parameters() {
    let small = Mlp::new(2).layer(64, Activation::Relu).layer(1, Activation::Identity);
    // 64 units a layer, and so many parameters: a uniform buffer holds 16,384 words.
    let large = |inputs| {
        let start = Mlp::new(inputs).layer(64, Activation::Relu);
        let middle = start.layer(64, Activation::Relu).layer(64, Activation::Relu);
        let end = middle.layer_without_bias(64, Activation::Relu);
        end.layer_without_bias(1, Activation::Identity)
    };
    let [most, more] = [large(60), large(61)];
    let table = Grid { levels: 1, log2_hashmap_size: 4, base_resolution: 3, ..Grid::default() };
    let table_of_more = Mlp::new(2).encode(2, table);
    let table_of_more = (0..5).fold(table_of_more, |mlp, _| mlp.layer(64, Activation::Relu));
    let table = Mlp::new(2).encode(2, table).layer(1, Activation::Identity);
    assert_eq!([most.parameters(), more.parameters()], [16_384, 16_448]);
    // Lanes read different elements of tables, which stay in storage.
    let [nothing, all, layers] = [None, Some("network_parameters"), Some(LAYERS)];
    for (mlp, models, loads, form, uniform) in [
        (&small, 1, Loads::Uniform, Form::WrittenOut, all),
        (&small, 1, Loads::Vectors, Form::WrittenOut, nothing),
        (&small, 1, Loads::Words, Form::WrittenOut, nothing),
        (&small, 2, Loads::Uniform, Form::WrittenOut, nothing),
        (&small, 1, Loads::Uniform, Form::Loops, nothing),
        (&most, 1, Loads::Uniform, Form::WrittenOut, all),
        (&more, 1, Loads::Uniform, Form::WrittenOut, nothing),
        (&table, 1, Loads::Uniform, Form::WrittenOut, layers),
        (&table, 2, Loads::Uniform, Form::WrittenOut, nothing),
        (&table_of_more, 1, Loads::Uniform, Form::WrittenOut, nothing),
    ] {
        let infer = Infer {
            mlp,
            form,
            storage: Storage::F32,
            loads,
            block: 1,
            quantities: &[Quantity::Outputs],
            models,
            rows: 5,
            textures: &[],
        };
        let dispatch = &infer.dispatches().unwrap()[0];
        let slots = dispatch.kernel().slots[1..].iter();
        let found = slots.filter(|slot| dispatch.access(slot) == Access::Uniform);
        let found: Vec<_> = found.map(|slot| slot.name).collect();
        assert_eq!(found, Vec::from_iter(uniform), "{mlp} {models} {loads:?} {form:?}");
        assert_eq!(
            infer.layers().is_some(),
            uniform == layers,
            "{mlp} {models} {loads:?} {form:?}"
        );
    }
}

#[test]
fn parameters_have_the_same_fields_on_both_sides() {
    for kernel in kernels::ALL {
        let module = parse(&of(kernel.name));
        let params =
            module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some("params"));
        let name = module.types[params.unwrap().1.ty].name.clone();
        assert_eq!(name.as_deref(), Some("Params"), "{}", kernel.name);
        let (members, size) = members(&module, "Params");
        let found: Vec<_> = members
            .iter()
            .map(|m| (m.name.clone().unwrap_or_default(), scalar(&module, m), m.offset))
            .collect();
        let fields = kernel.fields.iter().zip(0..);
        let expected: Vec<_> = fields
            .map(|((name, kind), i)| ((*name).to_owned(), (*kind).to_owned(), 4 * i))
            .collect();
        assert_eq!(found, expected, "{}", kernel.name);
        assert_eq!(size as usize, 4 * kernel.fields.len(), "{}", kernel.name);
    }
}

/// Each parameter struct's size, which `fields` alone does not prove.
#[test]
fn parameters_have_four_bytes_a_field() {
    macro_rules! sizes {
        ($($($part:ident)::+),*) => {
            [$((
                kernels::$($part)::+::KERNEL.name,
                size_of::<kernels::$($part)::+::Parameters>(),
            )),*]
        };
    }
    let sizes = sizes!(
        encoding::dequantize,
        encoding::encode_grid,
        encoding::encode_grid_curvature,
        encoding::encode_grid_gradient,
        encoding::encode_grid_tangent,
        encoding::encode_pointwise,
        encoding::encode_pointwise_curvature,
        encoding::encode_pointwise_gradient,
        encoding::encode_pointwise_tangent,
        encoding::grid_bound,
        encoding::max_abs,
        encoding::scatter,
        encoding::scatter_tangent,
        fused,
        fused::slope,
        matmul::registers,
        matmul::split,
        matmul::subgroup,
        matmul::tiled,
        measure::domain,
        measure::evaluate,
        measure::norm,
        measure::perturb,
        measure::saturation,
        measure::texture,
        resident,
        step::activate,
        step::advance,
        step::clip,
        step::count_rows,
        step::curvature,
        step::eikonal,
        step::ema,
        step::gather,
        step::loss,
        step::reduce,
        step::tangent,
        step::update
    );
    // The two kernels of an inference share theirs.
    let of_inference = size_of::<kernels::infer::Parameters>();
    let inference = ["infer_buffer", "infer_textures"].map(|name| (name, of_inference));
    let sizes = [&sizes[..15], &inference, &sizes[15..]].concat();
    assert_eq!(sizes.len(), kernels::ALL.len());
    for (kernel, (name, size)) in kernels::ALL.iter().zip(sizes) {
        assert_eq!((kernel.name, 4 * kernel.fields.len()), (name, size));
    }
}

/// The defaults of WebGPU, and what `Gpu::from_wgpu` demands of a device.
#[test]
fn kernels_stay_within_the_limits() {
    let defaults = wgpu::Limits::default();
    for dispatch in forms() {
        let (kernel, module) = (dispatch.kernel(), parse(&dispatch));
        let count = |f: fn(&AddressSpace) -> bool| {
            module.global_variables.iter().filter(|(_, v)| f(&v.space)).count()
        };
        let storage = count(|s| matches!(s, AddressSpace::Storage { .. }));
        let uniform = count(|s| *s == AddressSpace::Uniform);
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, v)| v.space == AddressSpace::WorkGroup)
            .map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()))
            .sum();
        assert!(storage <= 8 && shared <= 16_384, "{}", kernel.name);
        assert!(storage <= defaults.max_storage_buffers_per_shader_stage as usize);
        if ["resident", "fused", "fused_slope", "scatter"].contains(&kernel.name) {
            // Planned only where the device allows what they need.
            assert!(dispatch.workgroup() <= defaults.max_compute_invocations_per_workgroup);
            continue;
        }
        if ["curvature", "encode_grid_curvature", "scatter_tangent"].contains(&kernel.name) {
            // Of passes with a slope alone, which a device of fewer bindings refuses.
            assert!(storage == 6 && uniform <= 2, "{}", kernel.name);
            continue;
        }
        assert!(storage <= 5 && uniform <= 2, "{}: more than `from_wgpu` demands", kernel.name);
        let in_workgroup = [Tiling::Tiled, Tiling::Split];
        if let Some(form) = in_workgroup.iter().find(|form| form.kernel().name == kernel.name) {
            // Taken only where the device allows what it needs.
            for (invocations, bytes, runs) in [
                (kernel.workgroup, shared, true),
                (kernel.workgroup - 1, shared, false),
                (kernel.workgroup, shared - 1, false),
            ] {
                let limits = wgpu::Limits {
                    max_compute_invocations_per_workgroup: invocations,
                    max_compute_workgroup_storage_size: bytes,
                    ..defaults.clone()
                };
                assert_eq!(form.runs_on(&limits.into()), runs);
            }
            assert!(kernel.workgroup <= defaults.max_compute_invocations_per_workgroup);
            continue;
        }
        if kernel.name == "reduce" && shared > 512 {
            // Shared only where the device allows it; src/kernels/step/reduce.rs tests this.
            continue;
        }
        assert!(shared <= 512, "{}: more than `from_wgpu` demands", kernel.name);
        assert!(kernel.workgroup <= 64, "{}: more than `from_wgpu` demands", kernel.name);
    }
}

#[test]
fn the_status_is_the_same_everywhere() {
    for kernel in ["reduce", "update", "gather"] {
        let module = parse(&of(kernel));
        let (members, _) = members(&module, "Status");
        let names: Vec<_> =
            members.iter().map(|m| (m.name.as_deref().unwrap(), m.offset)).collect();
        let expected = [
            ("step", 0),
            ("updates", 4),
            ("epoch", 8),
            ("position", 12),
            ("step_high", 16),
            ("updates_high", 20),
            ("slot", 24),
            ("run", 28),
            ("diverged", 32),
        ];
        assert_eq!(names, expected, "{kernel}");
        for member in &members[..8] {
            assert_eq!(scalar(&module, member), "u32", "{kernel} {:?}", member.name);
        }
        let TypeInner::Array { base, size, stride } = module.types[members[8].ty].inner else {
            panic!("{kernel}: diverged is no array");
        };
        assert_eq!((size, stride), (naga::ArraySize::Dynamic, 4), "{kernel}");
        let word = match module.types[base].inner {
            TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => scalar,
            ref other => panic!("{kernel}: diverged of {other:?}"),
        };
        assert_eq!((word.kind, word.width), (ScalarKind::Uint, 4), "{kernel}");
    }
}

#[test]
fn an_optimizers_numbers_have_four_bytes_each() {
    let module = parse(&of("update"));
    let (members, size) = members(&module, "Hyper");
    assert_eq!((members.len(), size), (18, 72));
    let names = [
        "rate",
        "momentum",
        "beta1",
        "one_minus_beta1",
        "ln_beta1",
        "beta2",
        "one_minus_beta2",
        "ln_beta2",
        "epsilon",
        "weight_decay",
        "l1",
        "l2",
        "clip",
        "lazy",
        "ln_base",
        "decay_start",
        "decay_interval",
        "decay_end",
    ];
    for ((member, name), i) in members.iter().zip(names).zip(0..) {
        assert_eq!((member.name.as_deref(), member.offset), (Some(name), 4 * i));
        let counts = name == "lazy" || name.starts_with("decay");
        assert_eq!(scalar(&module, member), if counts { "u32" } else { "f32" }, "{name}");
    }
}

/// Name and text of every file of a folder; there is nothing else in it but folders.
fn files(folder: &str) -> Vec<(String, String)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        assert_eq!(path.extension().and_then(|e| e.to_str()), Some("wgsl"), "{}", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        found.push((name, std::fs::read_to_string(&path).unwrap()));
    }
    found.sort();
    found
}

#[test]
fn every_file_is_in_use_under_its_name() {
    let texts: Vec<_> = forms().iter().map(Dispatch::wgsl).collect();
    let activations: Vec<_> = Activation::ALL.iter().map(|a| a.name()).collect();
    let losses: Vec<_> = Loss::ALL.iter().map(|l| l.name()).collect();
    let optimizers = Optimizer::all();
    let optimizers: Vec<_> = optimizers.iter().map(Optimizer::name).collect();
    let encodings = wgrad::Encoding::all();
    let encodings: Vec<_> = encodings.iter().map(wgrad::Encoding::name).collect();
    // Each folder's files: the kernels that lie there, and what they call by name.
    let rooms = [
        ("shaders", Some(vec![])),
        ("shaders/activation", Some(activations)),
        ("shaders/encoding", Some(encodings)),
        ("shaders/fused", Some(vec![])),
        ("shaders/infer", Some(vec![])),
        ("shaders/loss", Some(losses)),
        ("shaders/matmul", Some(vec![])),
        ("shaders/measure", Some(vec![])),
        ("shaders/optimizer", Some(optimizers)),
        ("shaders/step", Some(vec![])),
        ("shaders/common", None),
    ];
    let known = rooms.each_ref().map(|(folder, _)| *folder);
    for (folder, called) in rooms {
        let files = files(folder);
        assert!(!files.is_empty(), "{folder}");
        let here: Vec<_> = kernels::ALL.iter().filter(|k| in_folder(k.path).0 == folder).collect();
        for kernel in &here {
            let file = files.iter().find(|(name, _)| name == in_folder(kernel.path).1);
            let (_, text) = file.unwrap_or_else(|| panic!("no file {}", kernel.path));
            assert_eq!(text, kernel.source, "{}", kernel.path);
        }
        if let Some(called) = called {
            let found: BTreeSet<_> = files.iter().map(|(name, _)| name.as_str()).collect();
            let kernels = here.iter().map(|k| in_folder(k.path).1);
            assert_eq!(found, kernels.chain(called).collect(), "{folder}");
        } else {
            assert!(here.is_empty(), "{folder}");
        }
        for (name, text) in files {
            // The texts are those compiled in: a file changed since shows here, too.
            assert!(texts.iter().any(|t| t.contains(&text)), "{folder}/{name}.wgsl is not in use");
        }
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let folders: BTreeSet<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let known = known.iter().filter_map(|folder| folder.strip_prefix("shaders/"));
    assert_eq!(folders, known.map(String::from).collect());
}

/// The folder and the name of the file at `path` in `shaders/`.
fn in_folder(path: &'static str) -> (String, &'static str) {
    match path.rsplit_once('/') {
        Some((folder, name)) => (format!("shaders/{folder}"), name),
        None => ("shaders".into(), path),
    }
}

/// A kernel is named as its file; where a folder holds one kernel in several ways, as both.
#[test]
fn every_kernel_lies_under_its_name() {
    for kernel in kernels::ALL {
        let (_, file) = in_folder(kernel.path);
        let both = kernel.path.replace('/', "_");
        let several =
            ["fused/", "matmul/", "infer/"].iter().any(|folder| kernel.path.starts_with(folder));
        let own = if several { both.as_str() } else { file };
        assert_eq!(kernel.name, own);
    }
}

/// The kernel's file stands first, so that the line number of an error is the file's.
#[test]
fn a_shader_begins_with_its_file() {
    for dispatch in forms() {
        assert!(
            dispatch.wgsl().starts_with(dispatch.kernel().source),
            "{}",
            dispatch.kernel().name
        );
    }
}

/// Every file of Rust in a folder and the folders in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let inside = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    paths.flat_map(inside).collect()
}

/// Whether the attributes above each public enum of a file hold `#[non_exhaustive]`, by its name.
fn public_enums(text: &str) -> Vec<(String, bool)> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let above = |at: usize| lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    let of = |(at, line): (usize, &&str)| {
        let name = line.strip_prefix("pub enum ")?;
        let name = name.split(|c: char| !c.is_alphanumeric()).next()?;
        Some((name.to_owned(), above(at).any(|line| *line == "#[non_exhaustive]")))
    };
    lines.iter().enumerate().filter_map(of).collect()
}

/// A user's `match` goes on to compile where an enum has grown.
#[test]
fn every_public_enum_may_grow() {
    let mut found = 0;
    for path in sources(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")) {
        for (name, grows) in public_enums(&std::fs::read_to_string(&path).unwrap()) {
            assert!(grows, "{} in {} is not non_exhaustive", name, path.display());
            found += 1;
        }
    }
    assert!(found >= 20, "{found}");
    let text =
        "#[derive(Debug)]\n#[non_exhaustive]\npub enum A {\n}\n#[derive(Debug)]\npub enum B {";
    assert_eq!(public_enums(text), [("A".to_owned(), true), ("B".to_owned(), false)]);
}
