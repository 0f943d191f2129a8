//! What a training is: all that an address holds.

use crate::error::{Error, Result};
use crate::feature::Feature;
use serde::{Deserialize, Serialize};
use wgrad::{
    Activation, Adam, AdamW, Batch, Loss, Mlp, Momentum, Nesterov, Optimizer, Sgd, Training,
};

/// What is learnt: two classes, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Targets of −1 and 1, behind a tanh.
    Classification,
    /// Any targets, behind an identity.
    Regression,
}

/// Where the points come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Source {
    Circles,
    Xor,
    Gaussians,
    Spiral,
    Moons,
    Plane,
    Hills,
    /// The reader's own points.
    Own,
}

impl Source {
    /// The sources of a classification, in the order of the page.
    pub const CLASSIFICATION: [Self; 6] =
        [Self::Circles, Self::Xor, Self::Gaussians, Self::Spiral, Self::Moons, Self::Own];
    /// The sources of a regression.
    pub const REGRESSION: [Self; 3] = [Self::Plane, Self::Hills, Self::Own];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Circles => "circles",
            Self::Xor => "xor",
            Self::Gaussians => "gaussians",
            Self::Spiral => "spiral",
            Self::Moons => "moons",
            Self::Plane => "plane",
            Self::Hills => "hills",
            Self::Own => "own",
        }
    }

    /// The source of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::CLASSIFICATION.into_iter().chain(Self::REGRESSION);
        all.find(|source| source.name() == name)
    }

    /// The task that a source is made for; own points can be for either.
    pub const fn task(self) -> Option<Task> {
        match self {
            Self::Own => None,
            Self::Plane | Self::Hills => Some(Task::Regression),
            _ => Some(Task::Classification),
        }
    }
}

/// A hidden layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// Its units.
    pub units: usize,
    /// The name of its activation.
    pub activation: String,
}

impl Hidden {
    /// A layer of a name's activation.
    pub fn new(units: usize, activation: &str) -> Self {
        Self { units, activation: activation.into() }
    }

    /// The activation of the name.
    ///
    /// # Errors
    /// A name that there is not.
    pub fn function(&self) -> Result<Activation> {
        let found = Activation::ALL.iter().find(|a| a.name() == self.activation);
        found.copied().ok_or_else(|| {
            Error::new(format!("there is no activation \"{}\"; {}", self.activation, {
                let names: Vec<_> = Activation::ALL.iter().map(|a| a.name()).collect();
                format!("there are {}", names.join(", "))
            }))
        })
    }
}

/// All of a training. What an address does not name has the default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Classes or numbers.
    pub task: Task,
    /// Where the points come from.
    pub data: Source,
    /// The reader's own points: x1, x2, target in turn.
    pub points: Vec<f64>,
    /// How many points are drawn.
    pub rows: usize,
    /// The noise in per cent.
    pub noise: f64,
    /// The share of the rows to train on.
    pub train: f64,
    /// The seed of the data.
    pub data_seed: u32,
    /// The inputs of the network.
    pub features: Vec<Feature>,
    /// The hidden layers.
    pub layers: Vec<Hidden>,
    /// The rows of a step; 0 is all of them.
    pub batch: usize,
    /// The optimizer's name.
    pub optimizer: String,
    /// The learning rate.
    pub rate: f64,
    /// The factor of the L1 penalty.
    pub l1: f64,
    /// The factor of the L2 penalty.
    pub l2: f64,
    /// The seed of the parameters.
    pub seed: u32,
    /// The models of the population.
    pub models: usize,
    /// Whether the page draws two colours only.
    pub discretize: bool,
    /// Whether the page draws the test points.
    pub show_test: bool,
}

impl Default for Description {
    fn default() -> Self {
        Self {
            task: Task::Classification,
            data: Source::Circles,
            points: Vec::new(),
            rows: 500,
            noise: 0.0,
            train: 0.5,
            data_seed: 0,
            features: vec![Feature::X1, Feature::X2],
            layers: vec![Hidden::new(4, "tanh"), Hidden::new(2, "tanh")],
            batch: 10,
            optimizer: "sgd".into(),
            rate: 0.03,
            l1: 0.0,
            l2: 0.0,
            seed: 0,
            models: 1,
            discretize: false,
            show_test: false,
        }
    }
}

/// The most points.
pub const MAX_ROWS: usize = 100_000;
/// The most hidden layers, and the most units of one.
pub const MAX_LAYERS: [usize; 2] = [32, 256];
/// The most models of a population, and the most parameters of all of them.
pub const MAX_MODELS: [usize; 2] = [100_000, 1 << 24];

/// Checks that a value is within bounds.
fn within<T: PartialOrd + std::fmt::Display>(
    what: &str,
    value: T,
    [low, high]: [T; 2],
) -> Result<()> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(Error::new(format!("{what} is {value}; allowed: {low} to {high}")))
}

impl Description {
    /// Checks that it can be trained.
    ///
    /// # Errors
    /// The first value that is out of its range.
    pub fn check(&self) -> Result<()> {
        if self.data.task().is_some_and(|task| task != self.task) {
            let (data, task) = (
                self.data.name(),
                if self.task == Task::Regression { "regression" } else { "classification" },
            );
            return Err(Error::new(format!("the data \"{data}\" are not for a {task}")));
        }
        if self.data == Source::Own {
            self.check_points()?;
        } else {
            within("the number of points", self.rows, [2, MAX_ROWS])?;
            if !self.points.is_empty() {
                let data = self.data.name();
                return Err(Error::new(format!(
                    "points belong to the data \"own\", not to \"{data}\""
                )));
            }
        }
        within("the noise", self.noise, [0.0, 50.0])?;
        within("the share of the rows to train on", self.train, [0.1, 0.9])?;
        if self.features.is_empty() {
            return Err(Error::new("a network needs one feature or more"));
        }
        if self.features.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Error::new(
                "each feature stands once, in the order x1, x2, x1^2, x2^2, x1*x2, sin(x1), sin(x2)",
            ));
        }
        within("the number of hidden layers", self.layers.len(), [0, MAX_LAYERS[0]])?;
        for (index, layer) in self.layers.iter().enumerate() {
            within(
                &format!("the units of hidden layer {}", index + 1),
                layer.units,
                [1, MAX_LAYERS[1]],
            )?;
            layer.function()?;
        }
        within("the number of models", self.models, [1, MAX_MODELS[0]])?;
        let all = self.models.saturating_mul(self.mlp()?.parameters());
        within("the number of parameters of all models", all, [1, MAX_MODELS[1]])?;
        within("the rows of a step", self.batch, [0, MAX_ROWS])?;
        within("the learning rate", self.rate, [0.0, 1e3])?;
        within("the L1 penalty", self.l1, [0.0, 1e3])?;
        within("the L2 penalty", self.l2, [0.0, 1e3])?;
        self.optimizer()?.check()?;
        Ok(())
    }

    fn check_points(&self) -> Result<()> {
        let numbers = self.points.len();
        if !numbers.is_multiple_of(3) {
            return Err(Error::new(format!(
                "a point is x1, x2 and a target, but there are {numbers} numbers"
            )));
        }
        within("the number of own points", numbers / 3, [0, MAX_ROWS])?;
        for (i, point) in self.points.chunks(3).enumerate() {
            within(&format!("x1 of point {}", i + 1), point[0], [-6.0, 6.0])?;
            within(&format!("x2 of point {}", i + 1), point[1], [-6.0, 6.0])?;
            let target = point[2];
            if self.task == Task::Classification && target != 1.0 && target != -1.0 {
                return Err(Error::new(format!(
                    "the class of point {} is {target}; allowed: -1 and 1",
                    i + 1
                )));
            }
            within(&format!("the target of point {}", i + 1), target, [-1e6, 1e6])?;
        }
        Ok(())
    }

    /// The network.
    ///
    /// # Errors
    /// An activation that there is not.
    pub fn mlp(&self) -> Result<Mlp> {
        let mut mlp = Mlp::new(self.features.len());
        for layer in &self.layers {
            mlp = mlp.layer(layer.units, layer.function()?);
        }
        Ok(mlp.layer(
            1,
            match self.task {
                Task::Classification => Activation::Tanh,
                Task::Regression => Activation::Identity,
            },
        ))
    }

    /// The optimizer with its rate and penalties; its other hyperparameters are the usual ones.
    ///
    /// # Errors
    /// A name that there is not.
    pub fn optimizer(&self) -> Result<Optimizer> {
        let Self { rate, l1, l2, .. } = *self;
        let found = Optimizer::all().into_iter().find(|rule| rule.name() == self.optimizer);
        Ok(match found {
            Some(Optimizer::Sgd(_)) => Sgd { rate, l1, l2 }.into(),
            Some(Optimizer::Momentum(rule)) => Momentum { rate, l1, l2, ..rule }.into(),
            Some(Optimizer::Nesterov(rule)) => Nesterov { rate, l1, l2, ..rule }.into(),
            Some(Optimizer::Adam(rule)) => Adam { rate, l1, l2, ..rule }.into(),
            Some(Optimizer::AdamW(rule)) => AdamW { rate, l1, l2, ..rule }.into(),
            _ => {
                let names: Vec<_> = Optimizer::all().iter().map(Optimizer::name).collect();
                let (name, names) = (&self.optimizer, names.join(", "));
                return Err(Error::new(format!(
                    "there is no optimizer \"{name}\"; there are {names}"
                )));
            }
        })
    }

    /// The training on `rows` rows.
    ///
    /// # Errors
    /// An optimizer that there is not.
    pub fn training(&self, rows: usize) -> Result<Training> {
        let batch = match self.batch_of(rows) {
            size if size == rows => Batch::Full,
            // The rows are in no order already.
            size => Batch::Sequential { size },
        };
        let training = Training::new(Loss::HalfSquaredError, self.optimizer()?);
        Ok(training.batch(batch).models(self.models).seed(self.seed.into()).history(HISTORY))
    }

    /// The rows of a step on `rows` rows: a batch larger than that is all of them.
    pub const fn batch_of(&self, rows: usize) -> usize {
        if self.batch == 0 || self.batch > rows { rows } else { self.batch }
    }
}

/// The steps whose losses a trainer keeps: the page measures its own.
const HISTORY: usize = 64;
