//! Values of JavaScript.

use crate::error::Error;
use js_sys::{JSON, Object, Promise, Reflect};
use serde::{Serialize, de::DeserializeOwned};
use std::pin::Pin;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        let thrown = js_sys::Error::new(&error.message);
        thrown.set_name(error.name());
        thrown.into()
    }
}

/// An object of fields.
pub fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        set(&object, name, value);
    }
    object.into()
}

fn set(object: &Object, name: &str, value: &JsValue) {
    // A new object takes every field.
    let _ = Reflect::set(object, &name.into(), value);
}

/// A field of an object; undefined where there is none.
pub fn field(of: &JsValue, name: &str) -> JsValue {
    Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// A value as JSON says it.
pub fn plain(value: &impl Serialize) -> Result<JsValue, Error> {
    let text = serde_json::to_string(value).map_err(|error| Error::new(error.to_string()))?;
    JSON::parse(&text).map_err(|_| Error::new("what was written is no JSON"))
}

/// What JSON says of a value.
pub fn read<T: DeserializeOwned>(what: &str, value: &JsValue) -> Result<T, Error> {
    let wrong = |why: &str| Error::new(format!("{what} cannot be read: {why}"));
    let text = JSON::stringify(value).map_err(|_| wrong("it is no plain object"))?;
    // Of undefined there is no JSON.
    let text = text.as_string().ok_or_else(|| wrong("it is missing"))?;
    serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))
}

/// An array of strings.
pub fn strings<'a>(values: impl IntoIterator<Item = &'a str>) -> JsValue {
    values.into_iter().map(JsValue::from).collect::<js_sys::Array>().into()
}

/// An array of f32.
pub fn floats(values: &[f32]) -> JsValue {
    js_sys::Float32Array::from(values).into()
}

/// An array of f64.
pub fn doubles(values: &[f64]) -> JsValue {
    js_sys::Float64Array::from(values).into()
}

/// The promise of a future. All futures are of one type here, which keeps the module small.
pub fn promise(future: Pin<Box<dyn Future<Output = Result<JsValue, Error>>>>) -> Promise {
    future_to_promise(async move { Ok(future.await?) })
}

/// The error of a call behind one that did not end.
pub fn ended() -> Error {
    Error::new("an earlier call did not end")
}
