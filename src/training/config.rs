//! Networks and trainings from JSON, with the keys of tiny-cuda-nn's documentation (feature
//! `json`).

use crate::error::{Error, Result};
use crate::network::encoding::{
    Encoding, EncodingPart, Frequency, Grid, Identity, Interpolation, OneBlob, SphericalHarmonics,
    TriangleWave,
};
use crate::network::{Activation, Init, Mlp};
use crate::training::{Adam, Loss, Optimizer, Schedule, Sgd, Training};
use serde_json::{Map, Value};

/// A network and how it is trained, read from tiny-cuda-nn's JSON configuration.
///
/// ```
/// use wgrad::{Config, Loss};
/// let config = Config::from_json(r#"{
///     "loss": { "otype": "RelativeL2" },
///     "optimizer": { "otype": "Adam", "learning_rate": 1e-2, "beta2": 0.99, "epsilon": 1e-15 },
///     "encoding": { "otype": "HashGrid", "n_levels": 16, "log2_hashmap_size": 15,
///                   "per_level_scale": 1.5 },
///     "network": { "otype": "FullyFusedMLP", "n_neurons": 64, "n_hidden_layers": 2 }
/// }"#, 2, 3)?;
/// assert_eq!(config.mlp.to_string(), "2 (grid) 32-64-64-3, relu, relu, identity");
/// assert_eq!(config.training.loss, Loss::RelativeL2);
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// The configuration may contain these types. Absent keys have the documentation's defaults.
///
/// | object or key | `otype` or value |
/// | --- | --- |
/// | `encoding` | `Identity`, `Frequency`, `OneBlob`, `TriangleWave`, `SphericalHarmonics` |
/// | `encoding` | `Grid` and `HashGrid` (`type` `Hash`, linear or smoothstep) |
/// | `encoding` | `Composite`: concatenated, may be nested |
/// | `network` | `FullyFusedMLP`, `CutlassMLP` |
/// | `activation` | `None`, `ReLU`, `LeakyReLU`, `Sigmoid`, `Sine`, `Softplus`, `Tanh` |
/// | `loss` | `L1`, `L2`, `Huber`, `MAPE`, `SMAPE`, `RelativeL2` |
/// | `optimizer` | `Adam`, `SGD`, or `EMA` and `ExponentialDecay` around one |
///
/// Differences from tiny-cuda-nn: layers have biases, encodings have no padding, values are f32,
/// and the bias correction of a lazy Adam counts all steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The network.
    pub mlp: Mlp,
    /// Its training: full batches, one model, and weights sampled by Glorot's rule, as in
    /// tiny-cuda-nn.
    pub training: Training,
}

impl Config {
    /// Reads a configuration for a network with `inputs` inputs and `outputs` outputs.
    ///
    /// # Errors
    /// [`Error::Argument`] names the key. The text is not JSON, a value is not supported or is out
    /// of range, or a key is unknown.
    pub fn from_json(text: &str, inputs: usize, outputs: usize) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Error::argument("the configuration", error, "a JSON object"))?;
        let mut root = Object::new("the configuration", &value)?;
        let mut mlp = Mlp::new(inputs);
        if let Some(value) = root.take("encoding") {
            mlp.encoding = encoding("encoding", value, inputs)?;
        }
        let empty = Value::Object(Map::new());
        let mut of = Object::new("network", root.take("network").unwrap_or(&empty))?;
        of.one_of("otype", "FullyFusedMLP", &["FullyFusedMLP", "CutlassMLP"])?;
        let hidden = of.activation("activation", "ReLU")?;
        let last = of.activation("output_activation", "None")?;
        let (units, layers) = (of.count("n_neurons", 128)?, of.count("n_hidden_layers", 5)?);
        of.neutral("feedback_alignment", &Value::Bool(false))?;
        of.end()?;
        for _ in 0..layers {
            mlp = mlp.layer(units, hidden);
        }
        let mlp = mlp.layer(outputs, last);
        mlp.check()?;
        let mut of = Object::new("loss", root.take("loss").unwrap_or(&empty))?;
        let loss = match of.one_of(
            "otype",
            "L2",
            &["L1", "L2", "Huber", "MAPE", "SMAPE", "RelativeL2"],
        )? {
            "L1" => Loss::MeanAbsoluteError,
            "Huber" => Loss::Huber,
            "MAPE" => Loss::Mape,
            "SMAPE" => Loss::Smape,
            "RelativeL2" => Loss::RelativeL2,
            _ => Loss::MeanSquaredError,
        };
        of.end()?;
        let training = Training::new(loss, Optimizer::sgd(0.0)).init(Init::GlorotUniform).seed(0);
        let training = optimizer("optimizer", root.take("optimizer").unwrap_or(&empty), training)?;
        root.end()?;
        training.check(&mlp)?;
        Ok(Self { mlp, training })
    }
}

/// One object of the configuration. Its keys are taken one by one.
struct Object<'a> {
    path: String,
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Object<'a> {
    fn new(path: &str, value: &'a Value) -> Result<Self> {
        let map = value.as_object();
        let map = map.ok_or_else(|| Error::argument(path, value, "a JSON object"))?;
        Ok(Self { path: path.to_owned(), map, known: Vec::new() })
    }

    fn what(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.map.get(key)
    }

    /// A string that must be one of several.
    fn one_of(
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
            .ok_or_else(|| Error::argument(self.what(key), value, allowed.join(", ")))
    }

    fn number(&mut self, key: &'static str, default: f64) -> Result<f64> {
        let Some(value) = self.take(key) else { return Ok(default) };
        value.as_f64().ok_or_else(|| Error::argument(self.what(key), value, "a number"))
    }

    fn whole(&mut self, key: &'static str, default: u32) -> Result<u32> {
        let Some(value) = self.take(key) else { return Ok(default) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let allowed = format!("a whole number of 0 to {}", u32::MAX);
        number.ok_or_else(|| Error::argument(self.what(key), value, allowed))
    }

    fn count(&mut self, key: &'static str, default: u32) -> Result<usize> {
        const MOST: u32 = 65_536;
        let number = self.whole(key, default)?;
        if number > MOST {
            return Err(Error::argument(self.what(key), number, format!("at most {MOST}")));
        }
        Ok(number as usize)
    }

    fn activation(&mut self, key: &'static str, default: &'static str) -> Result<Activation> {
        const NAMES: &[&str] =
            &["None", "ReLU", "LeakyReLU", "Sigmoid", "Sine", "Softplus", "Tanh"];
        Ok(match self.one_of(key, default, NAMES)? {
            "ReLU" => Activation::Relu,
            "LeakyReLU" => Activation::LeakyRelu,
            "Sigmoid" => Activation::Sigmoid,
            "Sine" => Activation::Sine,
            "Softplus" => Activation::Softplus,
            "Tanh" => Activation::Tanh,
            _ => Activation::Identity,
        })
    }

    /// A key that is accepted only with the value at which it has no effect.
    fn neutral(&mut self, key: &'static str, nothing: &Value) -> Result<()> {
        let found = self.take(key).unwrap_or(nothing);
        if found == nothing || found.as_f64().is_some_and(|v| Some(v) == nothing.as_f64()) {
            return Ok(());
        }
        Err(Error::argument(self.what(key), found, format!("{nothing}: no other is supported")))
    }

    /// Checks that every key has been taken.
    fn end(&self) -> Result<()> {
        match self.map.keys().find(|key| !self.known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                Err(Error::argument(format!("a key of {}", self.path), key, self.known.join(", ")))
            }
        }
    }
}

/// The encodings of `inputs` inputs.
fn encoding(path: &str, value: &Value, inputs: usize) -> Result<Vec<EncodingPart>> {
    let mut of = Object::new(path, value)?;
    // In a nested encoding, this key gives the number of inputs.
    of.known.push("n_dims_to_encode");
    const NAMES: &[&str] = &[
        "Identity",
        "Frequency",
        "OneBlob",
        "TriangleWave",
        "SphericalHarmonics",
        "Grid",
        "HashGrid",
        "Composite",
    ];
    let name = of.one_of("otype", "OneBlob", NAMES)?;
    let one: Encoding = match name {
        "Identity" => {
            Identity { scale: of.number("scale", 1.0)?, offset: of.number("offset", 0.0)? }.into()
        }
        "Frequency" => Frequency { frequencies: of.whole("n_frequencies", 12)? }.into(),
        "TriangleWave" => TriangleWave { frequencies: of.whole("n_frequencies", 12)? }.into(),
        "SphericalHarmonics" => SphericalHarmonics { degree: of.whole("degree", 4)? }.into(),
        "Grid" | "HashGrid" => grid(&mut of)?.into(),
        "Composite" => {
            of.one_of("reduction", "Concatenation", &["Concatenation"])?;
            let parts = composite(&mut of, inputs)?;
            of.end()?;
            return Ok(parts);
        }
        _ => OneBlob { bins: of.whole("n_bins", 16)? }.into(),
    };
    of.end()?;
    one.check(inputs)?;
    Ok(vec![EncodingPart { inputs, encoding: one }])
}

fn grid(of: &mut Object<'_>) -> Result<Grid> {
    of.one_of("type", "Hash", &["Hash"])?;
    of.one_of("hash", "CoherentPrime", &["CoherentPrime"])?;
    of.neutral("stochastic_interpolation", &Value::Bool(false))?;
    of.neutral("fixed_point_pos", &Value::Bool(false))?;
    let way = of.one_of("interpolation", "Linear", &["Linear", "Smoothstep"])?;
    let linear = way == "Linear";
    Ok(Grid {
        levels: of.whole("n_levels", 16)?,
        features_per_level: of.whole("n_features_per_level", 2)?,
        log2_hashmap_size: of.whole("log2_hashmap_size", 19)?,
        base_resolution: of.whole("base_resolution", 16)?,
        per_level_scale: of.number("per_level_scale", 2.0)?,
        interpolation: if linear { Interpolation::Linear } else { Interpolation::Smoothstep },
        ..Grid::default()
    })
}

/// The nested encodings in order. The one that does not give its number of inputs takes the
/// remaining inputs.
fn composite(of: &mut Object<'_>, inputs: usize) -> Result<Vec<EncodingPart>> {
    let what = of.what("nested");
    let nested = of.take("nested").and_then(Value::as_array);
    let nested = nested.filter(|nested| !nested.is_empty());
    let nested = nested.ok_or_else(|| Error::argument(&*what, "missing", "a list of encodings"))?;
    let mut counts = Vec::new();
    for (i, value) in nested.iter().enumerate() {
        let mut of = Object::new(&format!("{what}[{i}]"), value)?;
        let given = value.get("n_dims_to_encode").is_some();
        let count = of.count("n_dims_to_encode", 0)?;
        counts.push(given.then_some(count));
    }
    let given: usize = counts.iter().flatten().sum();
    let open = counts.iter().filter(|count| count.is_none()).count();
    let left = inputs.checked_sub(given).filter(|left| match open {
        0 => *left == 0,
        1 => *left > 0,
        _ => false,
    });
    let left = left.ok_or_else(|| {
        let found = format!("{given} inputs in all, and {open} encodings of what is left");
        Error::argument(&*what, found, format!("the {inputs} inputs, at most one of what is left"))
    })?;
    let mut parts = Vec::new();
    for (i, (value, count)) in nested.iter().zip(counts).enumerate() {
        parts.extend(encoding(&format!("{what}[{i}]"), value, count.unwrap_or(left))?);
    }
    Ok(parts)
}

/// `training` with the optimizer, and with the average and the schedule around it.
fn optimizer(path: &str, value: &Value, training: Training) -> Result<Training> {
    let mut of = Object::new(path, value)?;
    let name = of.one_of("otype", "Adam", &["Adam", "SGD", "EMA", "ExponentialDecay"])?;
    let inner = |of: &mut Object<'_>, training| {
        let what = of.what("nested");
        let nested = of.take("nested");
        let nested =
            nested.ok_or_else(|| Error::argument(&*what, "missing", "an optimizer's object"))?;
        optimizer(&what, nested, training)
    };
    let training = match name {
        "EMA" => {
            let decay = of.number("decay", 0.99)?;
            let training = inner(&mut of, training)?;
            if training.ema.is_some() {
                return Err(Error::argument(of.what("otype"), "EMA round an EMA", "one of them"));
            }
            training.ema(decay)
        }
        "ExponentialDecay" => {
            let schedule = Schedule::Exponential {
                base: of.number("decay_base", 0.1)?,
                start: of.whole("decay_start", 10_000)?,
                interval: of.whole("decay_interval", 10_000)?,
                end: of.whole("decay_end", 10_000_000)?,
            };
            let training = inner(&mut of, training)?;
            if training.schedule != Schedule::Constant {
                let what = of.what("otype");
                return Err(Error::argument(what, "a decay round a decay", "one of them"));
            }
            training.schedule(schedule)
        }
        "SGD" => {
            of.neutral("l2_reg", &Value::from(0))?;
            let rate = of.number("learning_rate", 1e-3)?;
            Training { optimizer: Sgd { rate }.into(), ..training }
        }
        _ => {
            for key in ["relative_decay", "absolute_decay"] {
                of.neutral(key, &Value::from(0))?;
            }
            of.neutral("adabound", &Value::Bool(false))?;
            let adam = Adam {
                rate: of.number("learning_rate", 1e-3)?,
                beta1: of.number("beta1", 0.9)?,
                beta2: of.number("beta2", 0.999)?,
                epsilon: of.number("epsilon", 1e-8)?,
                l2: of.number("l2_reg", 1e-8)?,
                lazy: true,
            };
            Training { optimizer: adam.into(), ..training }
        }
    };
    of.end()?;
    Ok(training)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_documentations() {
        let config = Config::from_json("{}", 2, 3).unwrap();
        assert_eq!(
            config.mlp.to_string(),
            "2-128-128-128-128-128-3, relu, relu, relu, relu, relu, identity"
        );
        assert_eq!(config.training.loss, Loss::MeanSquaredError);
        let adam = Adam { l2: 1e-8, lazy: true, ..Adam::default() };
        assert_eq!(config.training.optimizer, adam.into());
        let of = |text: &str, inputs| Config::from_json(text, inputs, 1).unwrap().mlp.encoding;
        let grid = of(r#"{"encoding": {"otype": "Grid"}}"#, 3);
        assert_eq!(grid[0].encoding, Grid::default().into());
        let blob = of(r#"{"encoding": {"otype": "oneblob"}}"#, 3);
        assert_eq!(blob, [EncodingPart { inputs: 3, encoding: OneBlob { bins: 16 }.into() }]);
    }

    #[test]
    fn composites_share_the_inputs() {
        let text = r#"{"encoding": {"otype": "Composite", "nested": [
            {"n_dims_to_encode": 3, "otype": "TriangleWave", "n_frequencies": 6},
            {"otype": "Composite", "n_dims_to_encode": 4, "nested": [
                {"n_dims_to_encode": 1, "otype": "OneBlob", "n_bins": 4},
                {"n_dims_to_encode": 3, "otype": "SphericalHarmonics", "degree": 2}
            ]},
            {"otype": "Identity"}
        ]}}"#;
        let parts = Config::from_json(text, 9, 1).unwrap().mlp.encoding;
        let inputs: Vec<_> = parts.iter().map(|p| (p.inputs, p.encoding.name())).collect();
        #[rustfmt::skip]
        assert_eq!(inputs, [
            (3, "triangle_wave"), (1, "one_blob"), (3, "spherical_harmonics"), (2, "identity"),
        ]);
        let message = Config::from_json(text, 7, 1).unwrap_err().to_string();
        assert!(message.starts_with("encoding.nested is 7 inputs in all, and 1"), "{message}");
    }

    #[test]
    fn wrappers_of_optimizers_are_read() {
        let text = r#"{"optimizer": {"otype": "EMA", "decay": 0.95, "nested": {
            "otype": "ExponentialDecay", "decay_start": 20, "decay_interval": 5, "decay_base": 0.33,
            "nested": {"otype": "SGD", "learning_rate": 0.5}
        }}}"#;
        let training = Config::from_json(text, 2, 1).unwrap().training;
        assert_eq!(training.ema, Some(0.95));
        assert_eq!(training.optimizer, Optimizer::sgd(0.5));
        assert_eq!([19, 20, 25].map(|s| training.schedule.factor(s)), [1.0, 0.33, 0.33 * 0.33]);
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (text, words) in [
            ("", "the configuration is EOF"),
            ("[]", "the configuration is []; allowed: a JSON object"),
            (r#"{"encodings": {}}"#, "a key of the configuration is encodings; allowed: encoding"),
            (r#"{"encoding": {"otype": "Wavelet"}}"#, "encoding.otype is \"Wavelet\"; allowed: Id"),
            (r#"{"encoding": {"otype": "Grid", "type": "Tiled"}}"#, "encoding.type is \"Tiled\""),
            (r#"{"encoding": {"otype": "Grid", "n_level": 4}}"#, "a key of encoding is n_level"),
            (r#"{"encoding": {"otype": "Grid", "n_levels": -4}}"#, "encoding.n_levels is -4"),
            (r#"{"encoding": {"otype": "Grid", "n_levels": 400}}"#, "the levels of the encoding"),
            (
                r#"{"encoding": {"otype": "HashGrid", "interpolation": "Nearest"}}"#,
                "encoding.inter",
            ),
            (r#"{"encoding": {"otype": "Composite"}}"#, "encoding.nested is missing"),
            (
                r#"{"network": {"activation": "Squareplus"}}"#,
                "network.activation is \"Squareplus\"",
            ),
            (r#"{"network": {"otype": "CutlassResNet"}}"#, "network.otype is \"CutlassResNet\""),
            (r#"{"network": {"n_neurons": 1e9}}"#, "network.n_neurons is 1000000000"),
            (r#"{"loss": {"otype": "Variance"}}"#, "loss.otype is \"Variance\""),
            (r#"{"optimizer": {"otype": "Shampoo"}}"#, "optimizer.otype is \"Shampoo\""),
            (r#"{"optimizer": {"adabound": true}}"#, "optimizer.adabound is true; allowed: false"),
            (r#"{"optimizer": {"relative_decay": 0.1}}"#, "optimizer.relative_decay is 0.1"),
            (r#"{"optimizer": {"otype": "EMA"}}"#, "optimizer.nested is missing"),
            (
                r#"{"optimizer": {"otype": "EMA", "decay": 1, "nested": {}}}"#,
                "the decay of the par",
            ),
            (r#"{"optimizer": {"beta1": 1.5}}"#, "adam beta1 is 1.5"),
            (
                r#"{"optimizer": {"otype": "EMA", "nested": {"otype": "EMA", "nested": {}}}}"#,
                "optimizer.otype is EMA round an EMA",
            ),
            (
                r#"{"optimizer": {"otype": "ExponentialDecay", "nested": {"otype": "ExponentialDecay"}}}"#,
                "optimizer.nested.nested is missing",
            ),
        ] {
            let message = Config::from_json(text, 2, 1).unwrap_err().to_string();
            assert!(message.starts_with(words), "{message}");
        }
    }
}
