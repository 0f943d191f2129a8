//! Networks as files, out and in.

use super::describe::description;
use crate::error::Error;
use crate::files::{read, write};
use wasm_bindgen::prelude::*;
use wgrad::Parameters;

/// One model of a description in a format: `wgsl`, `safetensors` or `onnx`.
#[wasm_bindgen]
pub fn write_network(of: &JsValue, values: Vec<f32>, format: &str) -> Result<Vec<u8>, JsValue> {
    let of = description(of)?;
    let parameters = Parameters::new(of.mlp()?, 1, values).map_err(Error::from)?;
    Ok(write(&parameters, &of.features, format)?)
}

/// Reads a file as parameters of a description's network.
#[wasm_bindgen]
pub fn read_network(of: &JsValue, bytes: &[u8], name: &str) -> Result<Vec<f32>, JsValue> {
    let of = description(of)?;
    Ok(read(bytes, name, &of.mlp()?, of.models)?.values().to_vec())
}
