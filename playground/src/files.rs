//! A network as text and as files, out and in.

use crate::error::{Error, Result};
use crate::feature::Feature;
use wgrad::weights::Weights;
use wgrad::{MAX_WRITTEN_OUT, Mlp, Parameters};

/// One model in a format: `wgsl`, `safetensors` or `onnx`.
///
/// # Errors
/// Another format; a network that the format cannot hold.
pub fn write(of: &Parameters, features: &[Feature], format: &str) -> Result<Vec<u8>> {
    match format {
        "wgsl" => Ok(wgsl(of, features)?.into_bytes()),
        "safetensors" => Ok(of.to_safetensors()?),
        "onnx" => Ok(of.to_onnx()?),
        other => Err(Error::new(format!(
            "there is no format \"{other}\"; there are wgsl, safetensors and onnx"
        ))),
    }
}

/// The function `network` of the features, and `network_at` of a point. The parameters are constants of
/// the text, or a buffer of wide networks.
fn wgsl(of: &Parameters, features: &[Feature]) -> Result<String> {
    let widest = of.mlp().layers.iter().map(|layer| layer.units).max().unwrap_or(0);
    let text = if widest <= MAX_WRITTEN_OUT {
        of.wgsl("network").text()?
    } else {
        of.mlp().wgsl("network").text()?
    };
    let names = features.iter().map(|feature| feature.wgsl()).collect::<Vec<_>>().join(", ");
    let count = features.len();
    Ok(format!(
        "{text}\n// The network at a point of the page, -6 to 6 on either axis.\n\
         fn network_at(p: vec2<f32>) -> f32 {{\n    return network(array<f32, {count}>({names}))[0];\n}}\n"
    ))
}

/// Reads a file of parameters of the network `mlp`: one model, or `models` of them.
///
/// # Errors
/// What the file is instead.
pub fn read(bytes: &[u8], name: &str, mlp: &Mlp, models: usize) -> Result<Parameters> {
    let of_file = |error: wgrad::Error| Error::new(format!("{name}: {error}"));
    if bytes.is_empty() {
        return Err(Error::new(format!("{name} is empty")));
    }
    // A safetensors file begins with the length of its header, which is JSON.
    if bytes.get(8) == Some(&b'{') {
        let weights = Weights::from_bytes(bytes).map_err(of_file)?;
        let stacked =
            weights.tensor("layers.0.weight").is_some_and(|tensor| tensor.shape().len() == 3);
        let models = if stacked { models } else { 1 };
        let found = Parameters::from_safetensors(bytes, mlp, models);
        return found
            .map_err(|error| Error::new(format!("{name}: {error}; the network here is {mlp}")));
    }
    let is_onnx = name.to_lowercase().ends_with(".onnx") || bytes.starts_with(&[8]);
    if !is_onnx {
        return Err(Error::new(format!("{name} is neither a safetensors nor an ONNX file")));
    }
    let found = Parameters::from_onnx(bytes).map_err(of_file)?;
    if found.mlp() != mlp {
        return Err(Error::new(format!(
            "{name} holds the network {}; the network here is {mlp}",
            found.mlp()
        )));
    }
    Ok(found)
}
