//! What the browser says of its GPU, before a device is made.

use super::js::{field, object};
use crate::error::{Error, Kind};
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

fn none(why: &str) -> Error {
    Error { kind: Kind::Device, message: format!("no GPU: {why}") }
}

/// What the browser says of its GPU, and whether it is a program on the CPU.
pub async fn adapter() -> Result<(String, bool), Error> {
    let gpu = field(&field(&js_sys::global(), "navigator"), "gpu");
    if gpu.is_undefined() || gpu.is_null() {
        return Err(none("this browser has no WebGPU, or the page is not served securely"));
    }
    let options = object(&[("powerPreference", "high-performance".into())]);
    let request: Function =
        field(&gpu, "requestAdapter").dyn_into().map_err(|_| none("WebGPU is incomplete here"))?;
    let promise =
        request.call1(&gpu, &options).map_err(|_| none("WebGPU refuses to look for one"))?;
    let adapter = JsFuture::from(Promise::resolve(&promise)).await;
    let adapter = adapter.map_err(|_| none("WebGPU refuses to look for one"))?;
    if adapter.is_null() || adapter.is_undefined() {
        return Err(none("WebGPU finds none"));
    }
    let info = field(&adapter, "info");
    let word = |name: &str| field(&info, name).as_string().filter(|word| !word.is_empty());
    let mut words: Vec<String> =
        [word("vendor"), word("architecture")].into_iter().flatten().collect();
    words.extend(word("description").filter(|text| !words.iter().any(|word| text == word)));
    let fallback = [&info, &adapter].map(|of| field(of, "isFallbackAdapter").is_truthy());
    let software = fallback.contains(&true)
        || words.iter().any(|word| ["swiftshader", "llvmpipe"].contains(&&*word.to_lowercase()));
    let text = if words.is_empty() { "of no name".to_owned() } else { words.join(", ") };
    Ok((text, software))
}

/// Whether there is a GPU, and which.
#[wasm_bindgen]
pub async fn gpu() -> JsValue {
    let (found, text) = match adapter().await {
        Ok((text, _)) => (true, format!("GPU: {text}")),
        Err(error) => (false, error.message),
    };
    object(&[("found", found.into()), ("text", text.into())])
}
