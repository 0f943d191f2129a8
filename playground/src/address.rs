//! A description as the part of an address behind `#`: `data=spiral&layers=8,8-relu&rate=0.01`.
//!
//! What has its default is left out. Values are of characters that no program rewrites; what comes
//! with `%` is read too.

use crate::description::{Description, Hidden, Source, Task};
use crate::error::{Error, Result};
use crate::feature::Feature;
use std::fmt::{Display, Write};
use std::str::FromStr;

/// The names that an address can hold.
const KEYS: [&str; 18] = [
    "task",
    "data",
    "points",
    "rows",
    "noise",
    "train",
    "data_seed",
    "features",
    "layers",
    "batch",
    "optimizer",
    "rate",
    "l1",
    "l2",
    "seed",
    "models",
    "discretize",
    "show_test",
];

/// The activation of a hidden layer that names none.
const USUAL: &str = "tanh";

/// The shortest address of a description, without `#`.
pub fn write(of: &Description) -> String {
    let usual = Description::default();
    let mut text = String::new();
    let mut add = |name: &str, value: &dyn Display, differs: bool| {
        if differs {
            let join = if text.is_empty() { "" } else { "&" };
            // A `String` takes everything.
            let _ = write!(text, "{join}{name}={value}");
        }
    };
    let task = if of.task == Task::Regression { "regression" } else { "classification" };
    let first = if of.task == Task::Regression { Source::Plane } else { usual.data };
    // The data say the task, but for own points.
    add("task", &task, of.data == Source::Own && of.task == Task::Regression);
    add(
        "data",
        &of.data.name(),
        of.data != first || of.task == Task::Regression && of.data != Source::Own,
    );
    add("points", &joined(&of.points, f64::to_string), !of.points.is_empty());
    add("rows", &of.rows, of.rows != usual.rows);
    add("noise", &of.noise, of.noise != usual.noise);
    add("train", &of.train, of.train != usual.train);
    add("data_seed", &of.data_seed, of.data_seed != usual.data_seed);
    let features = joined(&of.features, |feature| feature.word().into());
    add("features", &features, of.features != usual.features);
    let layers = joined(&of.layers, |Hidden { units, activation }| {
        if activation == USUAL { units.to_string() } else { format!("{units}-{activation}") }
    });
    add("layers", &layers, of.layers != usual.layers);
    add("batch", &of.batch, of.batch != usual.batch);
    add("optimizer", &of.optimizer, of.optimizer != usual.optimizer);
    add("rate", &of.rate, of.rate != usual.rate);
    add("l1", &of.l1, of.l1 != usual.l1);
    add("l2", &of.l2, of.l2 != usual.l2);
    add("seed", &of.seed, of.seed != usual.seed);
    add("models", &of.models, of.models != usual.models);
    add("discretize", &1, of.discretize);
    add("show_test", &1, of.show_test);
    text
}

fn joined<T>(values: &[T], text: impl Fn(&T) -> String) -> String {
    values.iter().map(text).collect::<Vec<_>>().join(",")
}

/// Reads an address, with or without `#`.
///
/// # Errors
/// A name that there is not or that stands twice, a value that cannot be read or is out of its range.
pub fn read(address: &str) -> Result<Description> {
    let text = address.strip_prefix('#').unwrap_or(address);
    let mut of = Description::default();
    let mut seen: Vec<&str> = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let Some(name) = KEYS.into_iter().find(|key| *key == name) else {
            let known = KEYS.join(", ");
            return Err(Error::new(format!("the address holds \"{name}\"; known: {known}")));
        };
        if seen.contains(&name) {
            return Err(Error::new(format!("the address holds {name} twice")));
        }
        seen.push(name);
        set(&mut of, name, &decoded(value)?)?;
    }
    match (seen.contains(&"data"), seen.contains(&"task"), of.data.task()) {
        // The data say the task, and a task alone its first data.
        (true, false, Some(task)) => of.task = task,
        (false, true, _) if of.task == Task::Regression => of.data = Source::Plane,
        _ => {}
    }
    of.check()?;
    Ok(of)
}

fn set(of: &mut Description, name: &str, value: &str) -> Result<()> {
    match name {
        "task" => {
            of.task = match value {
                "classification" => Task::Classification,
                "regression" => Task::Regression,
                _ => return Err(refused(name, value, "classification, regression")),
            }
        }
        "data" => {
            let names = "circles, xor, gaussians, spiral, moons, plane, hills, own";
            of.data = Source::from_name(value).ok_or_else(|| refused(name, value, names))?;
        }
        "points" => of.points = list(value, |number| parsed(name, number))?,
        "rows" => of.rows = parsed(name, value)?,
        "noise" => of.noise = parsed(name, value)?,
        "train" => of.train = parsed(name, value)?,
        "data_seed" => of.data_seed = parsed(name, value)?,
        "features" => {
            of.features = list(value, |word| {
                let words = Feature::ALL.map(Feature::word).join(", ");
                Feature::from_name(word).ok_or_else(|| refused(name, word, &words))
            })?;
            of.features.sort_unstable();
        }
        "layers" => {
            of.layers = list(value, |layer| {
                let (units, activation) = layer.split_once('-').unwrap_or((layer, USUAL));
                Ok(Hidden::new(parsed(name, units)?, activation))
            })?;
        }
        "batch" => of.batch = parsed(name, value)?,
        "optimizer" => of.optimizer = value.into(),
        "rate" => of.rate = parsed(name, value)?,
        "l1" => of.l1 = parsed(name, value)?,
        "l2" => of.l2 = parsed(name, value)?,
        "seed" => of.seed = parsed(name, value)?,
        "models" => of.models = parsed(name, value)?,
        "discretize" => of.discretize = flag(name, value)?,
        _ => of.show_test = flag(name, value)?,
    }
    Ok(())
}

fn refused(name: &str, value: &str, allowed: &str) -> Error {
    Error::new(format!("the address has {name}={value}; allowed: {allowed}"))
}

fn parsed<T: FromStr>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| refused(name, value, "a number"))
}

fn flag(name: &str, value: &str) -> Result<bool> {
    match value {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(refused(name, value, "0 and 1")),
    }
}

fn list<T>(value: &str, read: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    value.split(',').filter(|_| !value.is_empty()).map(read).collect()
}

/// A value whose characters some program has written as `%XX`.
fn decoded(value: &str) -> Result<String> {
    let wrong = || Error::new(format!("the address holds \"{value}\", whose % cannot be read"));
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = digit().zip(digit()).ok_or_else(wrong)?;
        bytes.push(u8::try_from(16 * high + low).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}
