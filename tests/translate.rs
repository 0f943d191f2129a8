//! Every shader in every form in use, validated under plain WebGPU and written through naga's
//! back ends: what wgpu does on Vulkan, Metal, Direct3D 12 and OpenGL.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use naga::ShaderStage;
use naga::back::{PipelineConstants, glsl, hlsl, msl, pipeline_constants, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::collections::BTreeMap;
use wgrad::kernels::Dispatch;
use wgrad::{Activation, DataShape, Loss, Mlp, Optimizer, Plan, Saved, Strategy, Training};

/// The bytes of each translation: SPIR-V, MSL, HLSL, GLSL.
fn translate(
    name: &str,
    text: &str,
    overrides: &[(&'static str, f64)],
) -> Result<[usize; 4], String> {
    let parsed = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    // What wgpu enables for a shader with subgroup operations; every other must do without.
    let subgroups = text.contains("subgroupShuffle");
    // Likewise integers of 64 bits, on devices on a CPU.
    let int64 = text.contains("u64");
    // Plain WebGPU unpacks halves.
    let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    capabilities.set(Capabilities::SUBGROUP, subgroups);
    capabilities.set(Capabilities::SHADER_INT64, int64);
    let validate = |module: &naga::Module| {
        Validator::new(ValidationFlags::all(), capabilities)
            .validate(module)
            .map_err(|e| format!("validation: {}", e.emit_to_string(text)))
    };
    let info = validate(&parsed)?;
    let constants: PipelineConstants =
        overrides.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let entry = Some((ShaderStage::Compute, name));
    let (module, info) = pipeline_constants::process_overrides(&parsed, &info, entry, &constants)
        .map_err(|e| format!("overrides: {e}"))?;
    validate(&module)?;

    let options =
        spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: name.into() };
    let version = if subgroups { (1, 3) } else { spv::Options::default().lang_version };
    let settings = spv::Options { lang_version: version, ..Default::default() };
    let spirv = spv::write_vec(&module, &info, &settings, Some(&options))
        .map_err(|e| format!("SPIR-V: {e}"))?;

    let version = if int64 {
        (2, 3)
    } else if subgroups {
        (2, 1)
    } else {
        (2, 0)
    };
    let options = msl::Options { lang_version: version, ..Default::default() };
    let pipeline = msl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, name.into())),
        ..Default::default()
    };
    let (metal, translation) =
        msl::write_string(&module, &info, &options, &pipeline).map_err(|e| format!("MSL: {e}"))?;
    for entry in translation.entry_point_names {
        entry.map_err(|e| format!("MSL: {e}"))?;
    }

    let mut direct = String::new();
    let mut options = hlsl::Options::default();
    if subgroups || int64 {
        options.shader_model = hlsl::ShaderModel::V6_0;
    }
    let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, name.into())) };
    let reflection = hlsl::Writer::new(&mut direct, &options, &pipeline)
        .write(&module, &info, None)
        .map_err(|e| format!("HLSL: {e}"))?;
    for entry in reflection.entry_point_names {
        entry.map_err(|e| format!("HLSL: {e}"))?;
    }

    let mut open = String::new();
    if int64 {
        // OpenGL ES has no integers of 64 bits, and wgpu offers none there.
        return Ok([4 * spirv.len(), metal.len(), direct.len(), spirv.len()]);
    }
    let options = glsl::Options { version: glsl::Version::new_gles(310), ..Default::default() };
    let pipeline = glsl::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: name.into(),
        multiview: None,
    };
    let policies = naga::proc::BoundsCheckPolicies::default();
    glsl::Writer::new(&mut open, &module, &info, &options, &pipeline, policies)
        .and_then(|mut writer| writer.write())
        .map_err(|e| format!("GLSL: {e}"))?;
    Ok([4 * spirv.len(), metal.len(), direct.len(), open.len()])
}

fn forms(all: Vec<Dispatch>) -> BTreeMap<String, Dispatch> {
    all.into_iter().map(|d| (common::form(&d), d)).collect()
}

/// Translates each form once. Returns the number of forms of each kernel.
fn translate_all(all: Vec<Dispatch>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::<_, usize>::new();
    let mut failures = Vec::new();
    for (form, dispatch) in forms(all) {
        let name = dispatch.kernel().name;
        match translate(name, &dispatch.wgsl(), dispatch.overrides()) {
            Ok(bytes) => {
                assert!(bytes.iter().all(|b| *b > 100), "{form}: {bytes:?}");
                *counts.entry(name).or_default() += 1;
            }
            Err(error) => failures.push(format!("{form}\n{error}")),
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n\n"));
    println!("translated {} shaders: {counts:?}", counts.values().sum::<usize>());
    counts
}

#[test]
fn every_pass_is_translated() {
    let counts = translate_all(common::every_pass());
    let activations = Activation::ALL.len();
    // Forward and backward of two networks for each last activation; with a slope, forward of those and
    // of others. From the seed back to the inputs, and the backward pass; without an encoding, the seed once more
    // without its end.
    let sloped = common::sloped();
    let bare = sloped.iter().filter(|mlp| mlp.encoding.is_empty()).count();
    assert_eq!(counts["fused"], 6 * activations + sloped.len());
    assert_eq!(counts["fused_slope"], 5 * activations + 2 * sloped.len() + bare);
    // Not where the outputs are the pre-activations.
    assert_eq!(counts["activate"], activations - 1);
    assert_eq!(counts["count_rows"], 1);
}

#[test]
fn every_shader_is_translated() {
    let counts = translate_all(common::every_dispatch());
    // Counted by hand from the lists, so that a form that is no longer reached is missed.
    let activations = Activation::ALL.len();
    let kept = Activation::ALL.iter().filter(|a| a.saves() == Saved::Input).count();
    // The bare sum; value and derivative of each; the value once more where z is kept: for hidden
    // layers of a training that is the only form, for predictions there is the other.
    let products = 1 + 2 * activations + kept;
    // The bare sum of operands in f16, in four directions.
    let halves = 4;
    // All of them on buffers of vec4, the bare sum then in four directions; and of a training whose
    // widths are mixed each derivative and two weight gradients with some operands so.
    assert_eq!(counts["matmul_registers"], 2 * products + 3 + activations + 2 + halves);
    // By subgroups and by workgroups with a column of ones apart, and on buffers of vec4 as well,
    // which subgroups hold as u64x2, too; the bare sum in four directions, of which a subgroup's
    // scalars have one.
    assert_eq!(counts["matmul_subgroup"], 3 * (1 + products) + 2 * (3 + halves));
    assert_eq!(counts["matmul_tiled"], 2 * (1 + products) + 6 + halves);
    // The sum of a workgroup, and of an invocation.
    assert_eq!(counts["loss"], 2 * common::losses().len());
    // Elements as scalars and as vec4, the latter as u64x2, too; one model and several; sums, and
    // checks alone, in two ways.
    // Once more with rates of parts.
    assert_eq!(counts["update"], 5 * Optimizer::all().len() + 1);
    // The norm and the scaling, with a frozen part and without.
    assert_eq!(counts["clip"], 4);
    // And sums that eight invocations of hardware share, as scalars and as vec4.
    assert_eq!(counts["reduce"], 8 + 2 + 2);
    assert_eq!(counts["gather"], 3);
    assert_eq!(counts["saturation"], 2 * activations);
    // A whole network each: every loss behind one activation, every activation before one loss,
    // with full batches and without; resident ones reduce in three ways, and one has rates of parts. A fused text does not
    // depend on the batch.
    let losses = common::losses();
    let squared = losses.iter().filter(|(loss, _)| *loss == Loss::MeanSquaredError).count();
    let networks = 2 * (losses.len() + (activations - 1) * squared);
    assert_eq!(counts["fused"], networks / 2);
    assert_eq!(counts["resident"], 3 * networks + 1);
    for single in ["advance", "norm", "perturb"] {
        assert_eq!(counts[single], 1, "{single}");
    }
    // Rows that are distributions, and others.
    assert_eq!(counts["domain"], 2);
    assert!(counts.values().sum::<usize>() >= 80, "{counts:?}");
}

/// A generated name such as `f32` would be a word of WGSL at some width only.
#[test]
fn every_width_of_a_resident_network_is_translated() {
    let mut widths = 0;
    for features in 2..=64 {
        let inputs = (features - 1).min(32);
        let outputs = features - inputs;
        let mlp = Mlp::new(inputs).layer(1, Activation::Tanh).layer(outputs, Activation::Identity);
        let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.1))
            .strategy(Strategy::Resident);
        for (subgroup, rows) in [(None, 100), (Some(8), 5000)] {
            let capabilities = wgrad::Capabilities { subgroup, ..wgrad::Capabilities::default() };
            let shape = DataShape::shared(rows);
            let plan = Plan::new(&mlp, &training, shape, &capabilities).unwrap();
            let dispatch = &plan.step()[0].dispatch;
            assert_eq!(dispatch.kernel().name, "resident");
            let name = format!("resident_{features}_{}", subgroup.unwrap_or(0));
            common::leave_shader(&name, &dispatch.wgsl());
            if let Err(error) = translate("resident", &dispatch.wgsl(), dispatch.overrides()) {
                panic!("{features} features: {error}");
            }
            widths += 1;
        }
    }
    assert_eq!(widths, 2 * 63);
}

/// The check above can fail: a shader without what it calls, one of another name, one with an
/// override left over and one of a wrong type do.
#[test]
fn a_broken_shader_is_refused() {
    let all = forms(common::every_dispatch());
    let of = |name: &str| all.values().find(|d| d.kernel().name == name).unwrap();
    let (loss, matmul) = (of("loss"), of("matmul_registers"));
    assert!(translate("loss", &loss.wgsl(), loss.overrides()).is_ok());
    assert!(translate("loss", loss.kernel().source, loss.overrides()).is_err());
    assert!(translate("lose", &loss.wgsl(), loss.overrides()).is_err());
    assert!(translate("matmul_registers", &matmul.wgsl(), &[("EPILOGUE", -1.0)]).is_err());
    let wrong = loss.wgsl().replace("var sum = 0.0;", "var sum = 0u;");
    assert!(translate("loss", &wrong, loss.overrides()).is_err());
}
