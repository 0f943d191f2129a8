//! ONNX files: those of other writers are read, and `tests/onnx/run.sh` compares what the crate
//! writes with ONNX Runtime.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use safetensors::{Dtype, tensor::TensorView};
use std::path::{Path, PathBuf};
use wgrad::encoding::{Frequency, Identity, OneBlob, TriangleWave};
use wgrad::weights::Weights;
use wgrad::{
    Activation, CpuTrainer, Data, Loss, Mlp, Optimizer, Parameters, Train, TrainBase, Training,
};

/// The network's outputs, by the CPU in f64.
fn predict(parameters: &Parameters<f64>, x: &[f64]) -> Vec<f64> {
    let mlp = parameters.mlp();
    let data =
        Data::new_f64(mlp.inputs, mlp.outputs(), vec![0.5; mlp.inputs], vec![0.5; mlp.outputs()]);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1));
    let mut trainer = CpuTrainer::<f64>::new(mlp, &training, &data.unwrap()).unwrap();
    trainer.set_parameters(parameters).unwrap();
    trainer.predict(x).unwrap()
}

/// Values between −½ and ½ that are the same bits everywhere.
fn parameters(mlp: &Mlp) -> Parameters {
    let values = (0..mlp.parameters()).map(|i| (i * 37 % 101) as f32 / 101.0 - 0.5).collect();
    Parameters::new(mlp.clone(), 1, values).unwrap()
}

/// Every activation, widths that are no powers of two, every encoding that ONNX can say.
fn networks() -> Vec<(String, Mlp)> {
    let mut all = Vec::new();
    for activation in Activation::ALL {
        // A power of a power of a power multiplies each rounding.
        let exponential = *activation == Activation::Exponential;
        let other = if exponential { Activation::Tanh } else { *activation };
        let mlp = Mlp::new(3).layer(17, other).layer_without_bias(16, *activation);
        all.push((activation.name().into(), mlp.layer(2, other)));
    }
    let layers = |mlp: Mlp| mlp.layer(16, Activation::Relu).layer(3, Activation::Sigmoid);
    for (name, mlp) in [
        ("frequency", Mlp::new(2).encode(2, Frequency { frequencies: 12 })),
        ("triangle_wave", Mlp::new(2).encode(2, TriangleWave { frequencies: 12 })),
        ("one_blob", Mlp::new(2).encode(2, OneBlob { bins: 16 })),
        ("scaled", Mlp::new(2).encode(2, Identity { scale: 2.0, offset: -0.5 })),
        (
            "composite",
            Mlp::new(5)
                .encode(2, TriangleWave { frequencies: 3 })
                .encode(1, Identity::default())
                .encode(2, OneBlob { bins: 5 }),
        ),
    ] {
        all.push((name.into(), layers(mlp)));
    }
    all
}

/// `NAME.onnx`, and beside it `NAME.safetensors` with `x` and `y` in f64, and `NAME.pytorch`.
#[test]
#[ignore = "tests/onnx/run.sh reads what it writes"]
fn writes_files_for_a_runtime() {
    let folder = PathBuf::from(std::env::var("WGRAD_ONNX").expect("WGRAD_ONNX names a folder"));
    for (name, mlp) in networks() {
        let parameters = parameters(&mlp);
        parameters.save_onnx(folder.join(format!("{name}.onnx"))).unwrap();
        if mlp.encoding.is_empty() {
            parameters.save_pytorch(folder.join(format!("{name}.pytorch"))).unwrap();
        }
        // Inputs that f32 has; those of encodings in [0, 1].
        let (low, high) = if mlp.encoding.is_empty() { (-3.0, 3.0) } else { (0.0, 1.0) };
        let rows = 101;
        let x: Vec<f64> = (0..rows * mlp.inputs)
            .map(|i| f64::from((low + (high - low) * ((i * 37) % 257) as f64 / 256.0) as f32))
            .collect();
        let y = predict(&parameters.cast().unwrap(), &x);
        let bytes =
            |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        let (data_x, data_y) = (bytes(&x), bytes(&y));
        let view = |width, data| TensorView::new(Dtype::F64, vec![rows, width], data).unwrap();
        let views = [("x", view(mlp.inputs, &data_x)), ("y", view(mlp.outputs(), &data_y))];
        let file = safetensors::serialize(views, None).unwrap();
        std::fs::write(folder.join(format!("{name}.safetensors")), file).unwrap();
    }
}

/// Compares a file of another writer with the outputs that ONNX Runtime gave for it.
fn check(folder: &Path, name: &str) {
    let parameters = Parameters::<f64>::load_onnx(folder.join(format!("{name}.onnx"))).unwrap();
    let weights = Weights::load(folder.join(format!("{name}.safetensors"))).unwrap();
    let [x, expected] = ["x", "y"].map(|name| weights.values::<f64>(name).unwrap());
    let found = predict(&parameters, &x);
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(&expected) {
        let error = (found - expected).abs();
        assert!(error <= 1e-6 * expected.abs().max(1.0), "{name}: {found} for {expected}");
    }
}

#[test]
fn files_of_other_writers_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/onnx");
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "onnx") {
            names.push(path.file_stem().unwrap().to_str().unwrap().into());
        }
    }
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        check(&folder, &name);
    }
}

/// The same bytes as ONNX Runtime has computed with, by `tests/onnx/run.sh`.
#[test]
fn what_is_written_is_what_a_runtime_has_checked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/onnx/written");
    let mut compared = 0;
    for (name, mlp) in networks() {
        let Ok(checked) = std::fs::read(folder.join(format!("{name}.onnx"))) else { continue };
        let bytes = parameters(&mlp).to_onnx().unwrap();
        assert!(bytes == checked, "{name}: other bytes; run tests/onnx/run.sh");
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[test]
fn other_functions_than_the_crates_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/onnx/refused");
    for (name, words) in [
        ("torch_dynamo_gelu_erf", "is GELU by erf; the crate's gelu is the form by tanh"),
        ("torch_script_gelu_erf", "is GELU by erf; the crate's gelu is the form by tanh"),
        ("torch_dynamo_leaky_relu_0.2", "that is none of identity, sigmoid"),
        ("torch_script_leaky_relu_0.2", "that is none of identity, sigmoid"),
    ] {
        let path = folder.join(format!("{name}.onnx"));
        let error = Parameters::<f32>::load_onnx(&path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: node ", path.display())), "{error}");
        assert!(error.ends_with(words) || error.contains(words), "{error}");
    }
}

/// What `tests/onnx/run.sh` has made of the files above by tools of others.
#[test]
#[ignore = "tests/onnx/run.sh makes what it reads"]
fn reads_the_files_of_a_folder() {
    let folder = PathBuf::from(std::env::var("WGRAD_ONNX").expect("WGRAD_ONNX names a folder"));
    let mut count = 0;
    for (name, mlp) in networks() {
        if mlp.encoding.is_empty() {
            check(&folder, &name);
            count += 1;
        }
    }
    assert_eq!(count, Activation::ALL.len());
}
