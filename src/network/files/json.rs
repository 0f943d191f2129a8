//! Small networks as JSON (feature `json`).

use crate::error::{Error, Result};
use crate::network::{Activation, Mlp, Parameters};
use crate::numeric::Real;
use serde_json::{Map, Value, json};

impl<T: Real> Parameters<T> {
    /// The network and its parameters as JSON, for small networks and for people to read:
    ///
    /// ```json
    /// {"inputs": 2, "layers": [{"units": 1, "activation": "tanh", "weight": [[0.5, -1]], "bias": [0]}]}
    /// ```
    ///
    /// A weight is `units` rows of the layer's inputs. A layer without a bias has no `bias`.
    /// [`Parameters::from_json`] gives back the same bits.
    ///
    /// # Errors
    /// [`Error::Argument`] where there are several models (take one by [`Parameters::model`]) or
    /// encodings.
    pub fn to_json(&self) -> Result<String> {
        let mlp = self.mlp();
        if self.models() != 1 {
            return Err(Error::argument("the number of models", self.models(), "1 as JSON"));
        }
        if !mlp.encoding.is_empty() {
            let found = mlp.encoding.len();
            return Err(Error::argument("the number of encodings", found, "0 as JSON"));
        }
        let number = |value: &T| json!(digits(*value));
        let row = |values: &[T]| Value::Array(values.iter().map(number).collect());
        let layers = mlp.layers.iter().zip(mlp.ranges()).map(|(layer, range)| {
            let rows = self.values()[range.weight].chunks(range.shape[1]).map(row);
            let mut object = json!({
                "units": layer.units,
                "activation": layer.activation.name(),
                "weight": rows.collect::<Vec<_>>(),
            });
            if !range.bias.is_empty()
                && let Some(object) = object.as_object_mut()
            {
                object.insert("bias".into(), row(&self.values()[range.bias]));
            }
            object
        });
        Ok(json!({ "inputs": mlp.inputs, "layers": layers.collect::<Vec<_>>() }).to_string())
    }

    /// Reads the JSON that [`Parameters::to_json`] writes. The text says the network, too.
    ///
    /// # Errors
    /// [`Error::File`] names what is missing, unknown, of another size, or no finite number.
    pub fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Error::file_because("file", format!("not JSON: {error}"), error))?;
        let top = object(&value, "file", &["inputs", "layers"])?;
        let mut mlp = Mlp::new(count(top, "inputs", "file")?);
        let layers = top.get("layers").and_then(Value::as_array);
        let layers = layers.ok_or_else(|| Error::file("layers", "missing, or not an array"))?;
        let mut values: Vec<T> = Vec::new();
        for (index, layer) in layers.iter().enumerate() {
            let name = format!("layers.{index}");
            let inputs = mlp.outputs();
            let keys = ["units", "activation", "weight", "bias"];
            let layer = object(layer, &name, &keys)?;
            let units = count(layer, "units", &name)?;
            let activation = layer.get("activation").and_then(Value::as_str);
            let known = activation.and_then(Activation::from_name);
            let activation = known.ok_or_else(|| {
                let found = layer.get("activation").unwrap_or(&Value::Null);
                let names: Vec<_> = Activation::ALL.iter().map(|known| known.name()).collect();
                let problem = format!("is {found}; allowed: {}", names.join(", "));
                Error::file(format!("{name}.activation"), problem)
            })?;
            let weight = format!("{name}.weight");
            let rows = list(layer.get("weight"), &weight, units)?;
            for (row, value) in rows.iter().enumerate() {
                let name = format!("{weight}[{row}]");
                numbers(list(Some(value), &name, inputs)?, &name, &mut values)?;
            }
            mlp = match layer.get("bias") {
                Some(bias) => {
                    let name = format!("{name}.bias");
                    numbers(list(Some(bias), &name, units)?, &name, &mut values)?;
                    mlp.layer(units, activation)
                }
                None => mlp.layer_without_bias(units, activation),
            };
        }
        Self::new(mlp, 1, values)
    }
}

/// The number in as few digits as its own precision needs: an f32 as f64 has some that mean nothing.
fn digits<T: Real>(value: T) -> f64 {
    let exact = value.to_f64();
    if size_of::<T>() == 8 {
        return exact;
    }
    let short = crate::numeric::to_f32(exact).to_string().parse().unwrap_or(exact);
    if T::of(short) == value { short } else { exact }
}

fn object<'v>(value: &'v Value, name: &str, keys: &[&str]) -> Result<&'v Map<String, Value>> {
    let object = value.as_object().ok_or_else(|| Error::file(name, "is not a JSON object"))?;
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(object),
        Some(key) => {
            let problem = format!("holds the key {key}; allowed: {}", keys.join(", "));
            Err(Error::file(name, problem))
        }
    }
}

fn count(object: &Map<String, Value>, key: &str, name: &str) -> Result<usize> {
    let found = object.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let problem = || Error::file(name, format!("has no whole number as {key}"));
    found.filter(|count| *count > 0).ok_or_else(problem)
}

fn list<'v>(value: Option<&'v Value>, name: &str, length: usize) -> Result<&'v [Value]> {
    let list = value.and_then(Value::as_array);
    let list = list.ok_or_else(|| Error::file(name, "missing, or not an array"))?;
    match list.len() == length {
        true => Ok(list),
        false => Err(Error::file(name, format!("has {} elements, not {length}", list.len()))),
    }
}

fn numbers<T: Real>(list: &[Value], name: &str, to: &mut Vec<T>) -> Result<()> {
    for (index, value) in list.iter().enumerate() {
        let number = value.as_f64().map(T::of).filter(|number| number.is_finite());
        let problem = || {
            let problem =
                format!("holds {value} at element {index}; only finite numbers are allowed");
            Error::file(name, problem)
        };
        to.push(number.ok_or_else(problem)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Init;

    fn mlp() -> Mlp {
        Mlp::new(3).layer(4, Activation::Gelu).layer(2, Activation::Identity)
    }

    #[test]
    fn json_gives_back_the_same_bits() {
        let parameters = Init::Auto.sample(&mlp(), 1, 1).unwrap();
        let text = parameters.to_json().unwrap();
        assert_eq!(Parameters::from_json(&text), Ok(parameters.clone()));
        let wide: Parameters<f64> = parameters.cast().unwrap();
        let odd = wide.values().iter().map(|v| v * std::f64::consts::PI).collect();
        let wide = Parameters::new(mlp(), 1, odd).unwrap();
        assert_eq!(Parameters::from_json(&wide.to_json().unwrap()), Ok(wide));
        // An f32 is written in the digits that it has.
        let half = Parameters::new(Mlp::new(1).layer(1, Activation::Tanh), 1, vec![0.1_f32, -2.0]);
        let words = r#"{"inputs":1,"layers":[{"activation":"tanh","bias":[-2.0],"units":1,"weight":[[0.1]]}]}"#;
        assert_eq!(half.unwrap().to_json().unwrap(), words);
    }

    #[test]
    fn wrong_json_is_refused_by_its_key() {
        let good = r#"{"inputs":1,"layers":[{"units":1,"activation":"tanh","weight":[[0.1]],"bias":[2]}]}"#;
        assert!(Parameters::<f32>::from_json(good).is_ok());
        for (from, to, words) in [
            ("{\"inputs", "{{", "file: not JSON"),
            ("\"inputs\":1", "\"inputs\":0", "file: has no whole number as inputs"),
            ("\"inputs\":1", "\"inputs\":1,\"x\":1", "file: holds the key x"),
            ("tanh", "tan", "layers.0.activation: is \"tan\"; allowed: identity"),
            ("[[0.1]]", "[[0.1,1]]", "layers.0.weight[0]: has 2 elements, not 1"),
            ("[[0.1]]", "0.1", "layers.0.weight: missing, or not an array"),
            ("[[0.1]]", "[[1e39]]", "layers.0.weight[0]: holds 1e+39 at element 0"),
            ("[[0.1]]", "[[null]]", "layers.0.weight[0]: holds null at element 0"),
            ("\"units\":1", "\"units\":2", "layers.0.weight: has 1 elements, not 2"),
        ] {
            let text = good.replace(from, to);
            let error = Parameters::<f32>::from_json(&text).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
        let several = Init::Auto.sample(&mlp(), 2, 1).unwrap();
        assert!(several.to_json().is_err());
    }
}
