//! Networks and trainings from JSON, in the words of tiny-cuda-nn and instant-ngp (feature `json`).

mod encoding;
mod object;
mod optimizer;
#[cfg(test)]
mod tests;
mod text;
mod words;

use crate::error::{Error, Result};
use crate::network::encoding::Edge;
use crate::network::{Init, Mlp};
use crate::training::{Loss, Optimizer, Training};
use object::{Object, ROOT};
use serde_json::{Map, Value};
use std::path::Path;

/// A network and how it is trained, read from a configuration in tiny-cuda-nn's words.
///
/// ```
/// use wgrad::{Config, Loss};
/// let config = Config::from_json(r#"{
///     "loss": { "otype": "RelativeL2" }, // comments may stand here
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
/// The configuration may contain these types. What is absent has the default of tiny-cuda-nn's code;
/// [`ConfigReader::instant_ngp`] takes instant-ngp's. A key that the named type does not have is an
/// error. The table of all keys, with what is different from there, is in `docs/configurations.md`.
///
/// | object or key | `otype` or value |
/// | --- | --- |
/// | `encoding` | `OneBlob`, `Identity`, `Frequency`, `TriangleWave`, `SphericalHarmonics` |
/// | `encoding` | `Grid`, `HashGrid`, `TiledGrid`, `DenseGrid` (linear or smoothstep) |
/// | `encoding` | `Composite`: concatenated, may be nested and overlap; `NRC` |
/// | `network` | `FullyFusedMLP`, `CutlassMLP`, `MLP`, `MegakernelMLP` |
/// | `activation` | `None`, `ReLU`, `LeakyReLU`, `SiLU`, `Exponential`, `Sigmoid`, `Sine`, `Squareplus`, `Softplus`, `Tanh` |
/// | `loss` | `RelativeL2`, `RelativeL2Luminance`, `L1`, `L2`, `Huber`, `MAPE`, `SMAPE` |
/// | `optimizer` | `Adam`, `SGD`, or `EMA` and `ExponentialDecay` around one |
///
/// Differences from tiny-cuda-nn: layers have biases, encodings have no padding, values are f32,
/// and the bias correction of a lazy Adam counts all steps.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The network.
    pub mlp: Mlp,
    /// Its training: full batches, one model, and weights sampled by Glorot's rule, as in
    /// tiny-cuda-nn.
    pub training: Training,
    /// Keys without an effect, which files with parents leave where a child changes a type:
    /// `encoding.n_levels` behind a `Frequency`. A file by itself has none: there they are errors.
    pub ignored: Vec<String>,
}

impl Config {
    /// Reads a configuration for a network with `inputs` inputs and `outputs` outputs, with the
    /// defaults of tiny-cuda-nn's code.
    ///
    /// # Errors
    /// [`Error::Argument`] names the key. The text is not JSON, a value is not supported or is out
    /// of range, a key is unknown or belongs to another type, or the text has a parent.
    pub fn from_json(text: &str, inputs: usize, outputs: usize) -> Result<Self> {
        ConfigReader::new().read(text, inputs, outputs)
    }

    /// [`Config::from_json`] of a file and its parents: the key `parent` at the root is the path of
    /// a file, from the folder of the one that has it. The child's values replace the parent's, key
    /// by key, as in instant-ngp.
    ///
    /// # Errors
    /// Those of [`Config::from_json`], with the path in front; [`Error::File`] with the path of a
    /// file that cannot be read or whose parents lead back to it.
    pub fn load(path: impl AsRef<Path>, inputs: usize, outputs: usize) -> Result<Self> {
        ConfigReader::new().load(path, inputs, outputs)
    }
}

/// Whose defaults a configuration has.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Words {
    TinyCudaNn,
    InstantNgp { finest_resolution: f64 },
}

/// How configurations are read: whose defaults are taken, and which keys are passed over.
///
/// ```
/// use wgrad::ConfigReader;
/// use wgrad::encoding::Edge;
/// let text = r#"{ "encoding": { "otype": "HashGrid", "base_resolution": 16 },
///                 "rgb_network": {} }"#;
/// // A picture of 1024 × 512 pixels, as instant-ngp learns it.
/// let reader = ConfigReader::instant_ngp(1024.0 / 2.0).ignore("rgb_network").edge(Edge::Wrap);
/// let mlp = reader.read(text, 2, 3)?.mlp;
/// # let wgrad::Encoding::Grid(grid) = mlp.encoding[0].encoding else { unreachable!() };
/// # assert!((grid.per_level_scale - 32_f64.powf(1.0 / 15.0)).abs() <= 1e-12);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigReader {
    words: Words,
    edge: Edge,
    biases: bool,
    ignored: Vec<String>,
}

impl Default for ConfigReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ConfigReader {
    /// A reader with the defaults of tiny-cuda-nn's code: `RelativeL2`, Adam, `OneBlob`, five hidden
    /// layers of 128 units.
    pub const fn new() -> Self {
        Self { words: Words::TinyCudaNn, edge: Edge::Clamp, biases: true, ignored: Vec::new() }
    }

    /// A reader with instant-ngp's defaults. Objects that are missing at the root are those that it
    /// begins with (`L2`, Adam, a hash grid, 64 units a layer). A grid without `per_level_scale` grows
    /// to `finest_resolution` on its last level, and one without `base_resolution` begins with the
    /// resolution whose corners fill a table. instant-ngp takes half of a picture's longer side, and
    /// 2048 for radiance fields and distances.
    pub fn instant_ngp(finest_resolution: f64) -> Self {
        let words = Words::InstantNgp { finest_resolution };
        Self { words, ..Self::new() }
    }

    /// Sets which corners the last cells of grids have where the file does not say it (`edge`,
    /// `Clamp` or `Wrap`, a key that only wgrad has). Both projects wrap.
    #[must_use]
    pub const fn edge(mut self, edge: Edge) -> Self {
        self.edge = edge;
        self
    }

    /// Reads networks without biases, as both projects' are.
    #[must_use]
    pub const fn without_biases(mut self) -> Self {
        self.biases = false;
        self
    }

    /// Passes over a key at the root, such as `dir_encoding` and `rgb_network` of instant-ngp's
    /// radiance fields.
    #[must_use]
    pub fn ignore(mut self, key: impl Into<String>) -> Self {
        self.ignored.push(key.into());
        self
    }

    /// Reads a text: see [`Config::from_json`].
    ///
    /// # Errors
    /// Those of [`Config::from_json`].
    pub fn read(&self, text: &str, inputs: usize, outputs: usize) -> Result<Config> {
        let map = text::parse(text)?;
        if let Some(parent) = map.get("parent") {
            let allowed = "no parent in a text, which lies in no folder: read the file by its path";
            return Err(Error::argument("parent", parent, allowed));
        }
        self.config(map, 1, [inputs, outputs])
    }

    /// Reads a file and its parents: see [`Config::load`].
    ///
    /// # Errors
    /// Those of [`Config::load`].
    pub fn load(&self, path: impl AsRef<Path>, inputs: usize, outputs: usize) -> Result<Config> {
        let (map, files) = text::load(path.as_ref())?;
        self.config(map, files, [inputs, outputs])
            .map_err(|error| text::in_file(path.as_ref(), error))
    }

    /// The configuration of an object that was merged of some files.
    fn config(
        &self,
        mut map: Map<String, Value>,
        files: usize,
        [inputs, outputs]: [usize; 2],
    ) -> Result<Config> {
        for key in &self.ignored {
            map.remove(key);
        }
        if let Words::InstantNgp { .. } = self.words {
            for (key, value) in text::parse(words::INSTANT_NGP)? {
                map.entry(key).or_insert(value);
            }
        }
        let mut keys = Keys { merged: files > 1, ignored: Vec::new() };
        let value = Value::Object(map);
        let empty = Value::Object(Map::new());
        let mut root = Object::new(ROOT, &value)?;
        let mut part = |key| root.take(key).unwrap_or(&empty);
        let [encoding, network] = [part("encoding"), part("network")];
        let [loss, optimizer] = [part("loss"), part("optimizer")];
        // A word at the root that nothing reads is named before anything else.
        keys.end(&root)?;
        let mut mlp = Mlp::new(inputs);
        mlp.encoding = self.encoding("encoding", encoding, [0, inputs], &mut keys)?;
        let mlp = self.network(mlp, network, outputs, &mut keys)?;
        let loss = self::loss(loss, outputs, &mut keys)?;
        let training = Training::new(loss, Optimizer::sgd(0.0)).init(Init::GlorotUniform).seed(0);
        let training = optimizer::optimizer("optimizer", optimizer, training, &mlp, &mut keys)?;
        training.check(&mlp)?;
        Ok(Config { mlp, training, ignored: keys.ignored })
    }

    /// `mlp` with the layers.
    fn network(&self, mlp: Mlp, value: &Value, outputs: usize, keys: &mut Keys) -> Result<Mlp> {
        let mut of = Object::new("network", value)?;
        let names = ["MLP", "FullyFusedMLP", "CutlassMLP", "MegakernelMLP"];
        let name = of.one_of("otype", "MLP", &names)?;
        let hidden = of.activation("activation", "ReLU")?;
        let last = of.activation("output_activation", "None")?;
        let (units, layers) = (of.count("n_neurons", 128)?, of.count("n_hidden_layers", 5)?);
        if name != "CutlassMLP" {
            of.neutral("feedback_alignment", &Value::Bool(false))?;
        }
        keys.end(&of)?;
        let layer = |mlp: Mlp, units, activation| {
            if self.biases {
                mlp.layer(units, activation)
            } else {
                mlp.layer_without_bias(units, activation)
            }
        };
        let mlp = (0..layers).fold(mlp, |mlp, _| layer(mlp, units, hidden));
        let mlp = layer(mlp, outputs, last);
        mlp.check()?;
        Ok(mlp)
    }
}

fn loss(value: &Value, outputs: usize, keys: &mut Keys) -> Result<Loss> {
    const NAMES: &[(&str, Loss)] = &[
        ("RelativeL2", Loss::RelativeL2),
        ("RelativeL2Luminance", Loss::RelativeL2Luminance),
        ("L1", Loss::MeanAbsoluteError),
        ("L2", Loss::MeanSquaredError),
        ("Huber", Loss::Huber),
        ("MAPE", Loss::Mape),
        ("SMAPE", Loss::Smape),
    ];
    let mut of = Object::new("loss", value)?;
    let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
    let name = of.one_of("otype", "RelativeL2", &names)?;
    keys.end(&of)?;
    let found = NAMES.iter().find(|(known, _)| *known == name);
    let loss = found.map_or(Loss::RelativeL2, |(_, loss)| *loss);
    if loss == Loss::RelativeL2Luminance && outputs < 3 {
        let found = format!("{name} of {outputs} outputs");
        return Err(of.refuse("otype", found, "3 outputs or more: a colour"));
    }
    Ok(loss)
}

/// What happens to keys that no part of the network or the training has asked for.
struct Keys {
    /// Whether the object was merged of several files.
    merged: bool,
    ignored: Vec<String>,
}

impl Keys {
    /// Checks the keys that were not asked for.
    ///
    /// # Errors
    /// [`Error::Argument`] names a key, and what it belongs to if anything.
    fn end(&mut self, of: &Object<'_>) -> Result<()> {
        for key in of.rest() {
            match words::owner(key) {
                // A child that changes a type leaves the keys of the parent's.
                Some(_) if self.merged => self.ignored.push(of.what(key)),
                Some(owner) => {
                    let allowed = format!("in {}: {}", of.path, of.asked());
                    return Err(of.refuse(key, format!("a key of {owner}"), allowed));
                }
                None => {
                    let what = format!("a key of {}", of.path);
                    return Err(Error::argument(what, key, of.asked()));
                }
            }
        }
        Ok(())
    }
}
