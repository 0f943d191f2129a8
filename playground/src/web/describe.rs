//! Descriptions, addresses and points, without a training.

use super::js::{floats, object, plain, read, strings};
use crate::description::{Description, Source};
use crate::error::Error;
use crate::feature::Feature;
use crate::points::{Point, Points};
use crate::{address, csv};
use wasm_bindgen::prelude::*;
use wgrad::{Activation, Optimizer};

/// Reads a description from a page.
pub fn description(value: &JsValue) -> Result<Description, Error> {
    let of: Description = read("the description", value)?;
    of.check()?;
    Ok(of)
}

/// Reads an address.
#[wasm_bindgen]
pub fn describe(address: &str) -> Result<JsValue, JsValue> {
    Ok(plain(&address::read(address)?)?)
}

/// Writes an address.
#[wasm_bindgen(js_name = "address")]
pub fn address_of(of: &JsValue) -> Result<String, JsValue> {
    Ok(address::write(&description(of)?))
}

/// The activations, the usual ones first.
fn activations() -> Vec<&'static str> {
    let mut all = vec!["tanh", "relu", "sigmoid", "identity"];
    let others = Activation::ALL.iter().map(|a| a.name()).filter(|name| !all.contains(name));
    let others: Vec<_> = others.collect();
    all.extend(others);
    all
}

/// All names that a description can hold.
#[wasm_bindgen]
pub fn names() -> JsValue {
    let sources = |all: &[Source]| strings(all.iter().map(|source| source.name()));
    object(&[
        ("activations", strings(activations())),
        ("optimizers", strings(Optimizer::all().iter().map(Optimizer::name))),
        ("features", strings(Feature::ALL.map(Feature::name))),
        ("classification", sources(&Source::CLASSIFICATION)),
        ("regression", sources(&Source::REGRESSION)),
    ])
}

/// Rows as an array `[rows, 3]`.
fn rows(points: &[Point]) -> JsValue {
    floats(points.as_flattened())
}

/// Both kinds of rows.
pub fn both(points: &Points) -> JsValue {
    object(&[("train", rows(&points.train)), ("test", rows(&points.test))])
}

/// The points of a description.
#[wasm_bindgen]
pub fn points(of: &JsValue) -> Result<JsValue, JsValue> {
    Ok(both(&Points::new(&description(of)?)?))
}

/// Reads a text of points.
#[wasm_bindgen]
pub fn read_points(text: &str) -> Result<JsValue, JsValue> {
    let table = csv::read(text)?;
    Ok(object(&[
        ("task", plain(&table.task)?),
        ("points", plain(&table.points)?),
        ("message", table.message.into()),
    ]))
}
