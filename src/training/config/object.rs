//! One object of a configuration, whose keys are taken one by one.

use super::words;
use crate::error::{Error, Result};
use crate::network::Activation;
use serde_json::{Map, Value};

/// The path of the whole.
pub(super) const ROOT: &str = "the configuration";

/// One object of the configuration, and the keys that were asked for.
pub(super) struct Object<'a> {
    pub path: String,
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Object<'a> {
    pub fn new(path: &str, value: &'a Value) -> Result<Self> {
        let map = value.as_object();
        let map = map.ok_or_else(|| Error::argument(path, value, "a JSON object"))?;
        Ok(Self { path: path.to_owned(), map, known: Vec::new() })
    }

    /// The name of a key in messages.
    pub fn what(&self, key: &str) -> String {
        if self.path == ROOT { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// An error of the value of a key.
    pub fn refuse(&self, key: &str, found: impl ToString, allowed: impl Into<String>) -> Error {
        Error::argument(self.what(key), found, allowed)
    }

    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// Whether the key's value is something else than a number of 0 or less.
    pub fn is_given(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| value.as_f64().is_none_or(|number| number > 0.0))
    }

    /// Marks keys as known that someone else reads.
    pub fn knows(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    pub fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.map.get(key)
    }

    /// A string that must be one of several, in any case.
    pub fn one_of(
        &mut self,
        key: &'static str,
        default: &'static str,
        allowed: &[&'static str],
    ) -> Result<&'static str> {
        let Some(value) = self.take(key) else { return Ok(default) };
        let found = value.as_str();
        allowed
            .iter()
            .find(|name| found.is_some_and(|found| found.eq_ignore_ascii_case(name)))
            .copied()
            .ok_or_else(|| self.refuse(key, value, allowed.join(", ")))
    }

    pub fn number(&mut self, key: &'static str, default: f64) -> Result<f64> {
        let Some(value) = self.take(key) else { return Ok(default) };
        value.as_f64().ok_or_else(|| self.refuse(key, value, "a number"))
    }

    pub fn flag(&mut self, key: &'static str, default: bool) -> Result<bool> {
        let Some(value) = self.take(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.refuse(key, value, "true or false"))
    }

    pub fn whole(&mut self, key: &'static str, default: u32) -> Result<u32> {
        let Some(value) = self.take(key) else { return Ok(default) };
        whole_of(value)
            .ok_or_else(|| self.refuse(key, value, format!("a whole number of 0 to {}", u32::MAX)))
    }

    pub fn count(&mut self, key: &'static str, default: u32) -> Result<usize> {
        const MOST: u32 = 65_536;
        let number = self.whole(key, default)?;
        if number > MOST {
            return Err(self.refuse(key, number, format!("at most {MOST}")));
        }
        Ok(number as usize)
    }

    pub fn activation(&mut self, key: &'static str, default: &'static str) -> Result<Activation> {
        let names: Vec<_> = words::ACTIVATIONS.iter().map(|(name, _)| *name).collect();
        let name = self.one_of(key, default, &names)?;
        let found = words::ACTIVATIONS.iter().find(|(known, _)| *known == name);
        Ok(found.map_or(Activation::Identity, |(_, activation)| *activation))
    }

    /// A key that is accepted only with the value at which it has no effect.
    pub fn neutral(&mut self, key: &'static str, nothing: &Value) -> Result<()> {
        let found = self.take(key).unwrap_or(nothing);
        if found == nothing || found.as_f64().is_some_and(|v| Some(v) == nothing.as_f64()) {
            return Ok(());
        }
        Err(self.refuse(key, found, format!("{nothing}: no other is supported")))
    }

    /// The keys that were not asked for.
    pub fn rest(&self) -> impl Iterator<Item = &'a str> {
        let known = self.known.clone();
        self.map.keys().map(String::as_str).filter(move |key| !known.contains(key))
    }

    /// The keys that were asked for, each once.
    pub fn asked(&self) -> String {
        let mut keys: Vec<&str> = Vec::new();
        for key in &self.known {
            if !keys.contains(key) {
                keys.push(key);
            }
        }
        keys.join(", ")
    }
}

/// A whole number, however it is written: 8, 8.0 or 8e0.
pub(super) fn whole_of(value: &Value) -> Option<u32> {
    if let Some(number) = value.as_u64() {
        return u32::try_from(number).ok();
    }
    let number = value.as_f64()?;
    let fits = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    fits.then(|| crate::numeric::whole(number))
}
