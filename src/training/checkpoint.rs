//! The state of a training as a file: what it needs to go on another day, bit for bit.

use crate::error::{Error, Result};
use crate::network::files::{self, StoredTensor as Tensor};
use crate::network::{Mlp, Parameters};
use crate::numeric::{Real, check_finite, to_u32, wide};
use crate::training::{Cursor, Losses, Optimizer, Training};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::path::Path;

/// A training between two steps: parameters, optimizer state, counters, moving average, losses, and
/// the description of network and training.
///
/// A trainer that resumes it takes the steps that the first one would have taken, bit for bit on the
/// same device. The file is a safetensors file, and [`Parameters::load`] and [`Parameters::open`] read
/// the parameters of it.
///
/// ```no_run
/// use wgrad::{Checkpoint, Gpu, Train, TrainBase, Trainer};
/// # fn main() -> wgrad::Result<()> {
/// # let (mut trainer, data, gpu): (Trainer, wgrad::Data, Gpu) = todo!();
/// trainer.checkpoint()?.save("today.safetensors")?;
/// // Tomorrow, in another process, on the same data:
/// let checkpoint = Checkpoint::load("today.safetensors")?;
/// let mut trainer = Trainer::new(&gpu, checkpoint.mlp(), &checkpoint.training()?, &data)?;
/// trainer.resume(&checkpoint)?;
/// trainer.train(1000)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint<T = f32> {
    pub(crate) parameters: Parameters<T>,
    /// The training's description.
    description: Value,
    pub(crate) progress: Progress,
    /// Of each of the optimizer's states, `[models, P]`.
    pub(crate) states: Vec<Vec<T>>,
    /// The moving average, `[models, P]`; empty where the training keeps none.
    pub(crate) ema: Vec<T>,
    /// The gradient that backward passes have added up since the last update; empty where there are
    /// no such passes.
    pub(crate) gradient: Vec<T>,
    pub(crate) losses: Losses<T>,
}

/// How far a training is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Progress {
    /// Steps taken.
    pub step: u64,
    /// Updates of the parameters.
    pub updates: u64,
    pub cursor: Cursor,
    /// The step at which each model diverged.
    pub diverged: Vec<Option<u64>>,
}

/// The parts of a description in which a training that goes on may differ.
const FREE: [&str; 5] = ["init", "seed", "history", "strategy", "optimizer"];

/// The tensors that are not the network's own begin with it.
const PREFIX: &str = files::PREFIX;

fn describe(training: &Training) -> Result<Value> {
    serde_json::to_value(training).map_err(files::of_part("training"))
}

/// The name of a description's optimizer.
fn kind(description: &Value) -> Option<&String> {
    description["optimizer"].as_object()?.keys().next()
}

impl<T: Real> Checkpoint<T> {
    /// A checkpoint of a trainer that has been read.
    pub(crate) fn new(
        training: &Training,
        parameters: Parameters<T>,
        progress: Progress,
        losses: Losses<T>,
    ) -> Result<Self> {
        Ok(Self {
            description: describe(training)?,
            parameters,
            progress,
            states: Vec::new(),
            ema: Vec::new(),
            gradient: Vec::new(),
            losses,
        })
    }

    /// The network.
    pub const fn mlp(&self) -> &Mlp {
        self.parameters.mlp()
    }

    /// The description of the training.
    ///
    /// # Errors
    /// Its loss is of an application's own: the application describes the training itself.
    pub fn training(&self) -> Result<Training> {
        serde_json::from_value(self.description.clone()).map_err(files::of_part("training"))
    }

    /// The parameters.
    pub const fn parameters(&self) -> &Parameters<T> {
        &self.parameters
    }

    /// The moving average of the parameters; `None` where the training keeps none.
    ///
    /// # Errors
    /// An element is not finite.
    pub fn ema_parameters(&self) -> Result<Option<Parameters<T>>> {
        if self.ema.is_empty() {
            return Ok(None);
        }
        let (mlp, models) = (self.mlp().clone(), self.parameters.models());
        Parameters::new(mlp, models, self.ema.clone()).map(Some)
    }

    /// The number of steps that were taken.
    pub const fn step(&self) -> u64 {
        self.progress.step
    }

    /// The losses of the steps.
    pub const fn losses(&self) -> &Losses<T> {
        &self.losses
    }

    /// Checks that a trainer of `mlp`, `training` and `rows` rows can go on with it. Returns the
    /// description to go on with, which has the checkpoint's optimizer.
    pub(crate) fn check(&self, mlp: &Mlp, training: &Training, rows: usize) -> Result<Training> {
        let differs = |what: &str, found: String, own: String| {
            let what = format!("the {what} of the checkpoint");
            Err(Error::argument(what, found, format!("the trainer's, {own}")))
        };
        if self.mlp() != mlp {
            return differs("network", self.mlp().to_string(), mlp.to_string());
        }
        let own = describe(training)?;
        let fields = own.as_object().into_iter().flatten();
        for (field, own) in fields.filter(|(field, _)| !FREE.contains(&field.as_str())) {
            let found = &self.description[field];
            if found != own {
                return differs(field, found.to_string(), own.to_string());
            }
        }
        if kind(&own) != kind(&self.description) {
            let name = |of| kind(of).cloned().unwrap_or_default();
            return differs("optimizer", name(&self.description), name(&own));
        }
        let position = self.progress.cursor.position;
        if wide(rows) <= position.into() && position > 0 {
            let found = format!("at row {position} of an epoch");
            let what = "the checkpoint's mini-batches";
            return Err(Error::argument(what, found, format!("below the data's {rows} rows")));
        }
        Ok(Training { optimizer: self.optimizer()?, ..training.clone() })
    }

    /// The bytes of the file: the tensors of [`Parameters::to_safetensors`], and others whose names
    /// begin with `training.`. Numbers have the trainer's own type.
    ///
    /// # Errors
    /// [`Error::File`] where the safetensors library refuses the tensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let (models, p) = (self.parameters.models(), self.mlp().parameters());
        let mut tensors = self.parameters.to_tensors();
        let mut add = |name: &str, dtype, shape: Vec<usize>, bytes: &[u8]| {
            tensors.push(Tensor {
                name: format!("{PREFIX}{name}"),
                dtype,
                shape,
                bytes: bytes.to_vec(),
            });
        };
        for (name, values) in self.arrays() {
            add(&name, files::dtype::<T>(), vec![models, p], bytemuck::cast_slice(values));
        }
        let Losses { first_step, values, .. } = &self.losses;
        let shape = vec![values.len() / models, models];
        add("losses", files::dtype::<T>(), shape, bytemuck::cast_slice(values));
        let Progress { step, updates, cursor, diverged } = &self.progress;
        let counters = [*step, *updates, cursor.epoch.into(), cursor.position.into(), *first_step];
        add("counters", Dtype::U64, vec![5], bytemuck::cast_slice(&counters));
        let marks: Vec<u64> = diverged.iter().map(|step| step.unwrap_or(u64::MAX)).collect();
        add("diverged", Dtype::U64, vec![models], bytemuck::cast_slice(&marks));
        let mut metadata = files::metadata(self.mlp())?;
        metadata.insert("training".into(), self.description.to_string());
        files::serialize(&tensors, metadata)
    }

    /// The arrays of the parameters' shape, with their names.
    fn arrays(&self) -> Vec<(String, &[T])> {
        let states = self.states.iter().enumerate();
        let states = states.map(|(i, state)| (format!("state.{i}"), &state[..]));
        let others = [("ema", &self.ema[..]), ("gradient", &self.gradient)];
        let others = others.map(|(name, values)| (name.to_owned(), values));
        states.chain(others.into_iter().filter(|(_, values)| !values.is_empty())).collect()
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`Error::File`]: not a whole file, no checkpoint, one of a newer format, of numbers of another
    /// type, or with a tensor of another shape; the network has an activation of an application's
    /// own that has not been defined. [`Error::NotFinite`].
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let file = files::parse(bytes)?;
        let metadata = files::read_metadata(bytes)?;
        let Some(description) = metadata.get("training") else {
            return Err(Error::file("file", "holds no training: it is no checkpoint"));
        };
        let description: Value =
            serde_json::from_str(description).map_err(files::of_part("training"))?;
        let models = description["models"].as_u64().and_then(|models| models.try_into().ok());
        let Some(models) = models else {
            return Err(Error::file("training", "does not say the number of models"));
        };
        let mlp = files::network_of(&metadata)?;
        let array =
            |name: &str, shape: &[usize]| numbers::<T>(&file, name, files::dtype::<T>(), shape);
        let parameters = Parameters::<T>::from_safetensors(bytes, &mlp, models)?;
        // Of the same type too, so that no bit is lost.
        let first = file.tensors().into_iter().find(|(name, _)| !name.starts_with(PREFIX));
        if let Some((name, tensor)) =
            first.filter(|(_, tensor)| tensor.dtype() != files::dtype::<T>())
        {
            let problem = format!("is of type {:?}, not {:?}", tensor.dtype(), files::dtype::<T>());
            return Err(Error::file(name, problem));
        }
        let shape = [models, mlp.parameters()];
        let has = |name: &str| file.tensor(&format!("{PREFIX}{name}")).is_ok();
        let finite = |name: &str| {
            let values = array(name, &shape)?;
            check_finite(&format!("the checkpoint's {name}"), &values)?;
            Ok(values)
        };
        let names = (0..).map(|i| format!("state.{i}")).take_while(|name| has(name));
        let states = names.map(|name| finite(&name)).collect::<Result<Vec<_>>>()?;
        let optional = |name: &str| if has(name) { finite(name) } else { Ok(Vec::new()) };
        let (ema, gradient) = (optional("ema")?, optional("gradient")?);
        let counters: Vec<u64> = numbers(&file, "counters", Dtype::U64, &[5])?;
        let &[step, updates, epoch, position, first_step] = &counters[..] else {
            return Err(Error::file("training.counters", "are not five"));
        };
        let cursor = Cursor {
            epoch: to_u32("the checkpoint's epoch", epoch)?,
            position: to_u32("the checkpoint's position in an epoch", position)?,
        };
        let marks: Vec<u64> = numbers(&file, "diverged", Dtype::U64, &[models])?;
        let diverged = marks.into_iter().map(|mark| (mark != u64::MAX).then_some(mark)).collect();
        let name = format!("{PREFIX}losses");
        let steps = file.tensor(&name).ok().and_then(|losses| losses.shape().first().copied());
        let values = array("losses", &[steps.unwrap_or(0), models])?;
        let losses = Losses { first_step, models, values };
        let progress = Progress { step, updates, cursor, diverged };
        let checkpoint = Self { parameters, description, progress, states, ema, gradient, losses };
        checkpoint.check_parts()?;
        Ok(checkpoint)
    }

    fn optimizer(&self) -> Result<Optimizer> {
        let described = self.description["optimizer"].clone();
        serde_json::from_value(described).map_err(files::of_part("training"))
    }

    /// Checks that the file has what its description says.
    fn check_parts(&self) -> Result<()> {
        let optimizer = self.optimizer()?;
        optimizer.check()?;
        if self.states.len() != optimizer.states() {
            let problem = format!("are {}, not {}", self.states.len(), optimizer.states());
            return Err(Error::file("training.state", problem));
        }
        if self.ema.is_empty() != self.description["ema"].is_null() {
            return Err(Error::file("training.ema", "is missing, or not of this training"));
        }
        Ok(())
    }

    /// Writes the file. Where it cannot be written, or the process ends meanwhile, a file of that
    /// name stays as it was.
    ///
    /// # Errors
    /// [`Error::File`] with the path where it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        files::write(path.as_ref(), &self.to_safetensors()?)
    }

    /// Reads a file as [`Checkpoint::from_safetensors`] does.
    ///
    /// # Errors
    /// Those of [`Checkpoint::from_safetensors`], and [`Error::File`] with the path where the file
    /// cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_safetensors(&files::read(path.as_ref())?)
    }
}

/// The elements of the tensor `training.NAME`.
fn numbers<E: bytemuck::Pod>(
    file: &SafeTensors<'_>,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
) -> Result<Vec<E>> {
    let name = format!("{PREFIX}{name}");
    let Ok(tensor) = file.tensor(&name) else {
        return Err(Error::file(name, "missing from the file"));
    };
    if (tensor.dtype(), tensor.shape()) != (dtype, shape) {
        let problem = format!(
            "is {:?} of the shape {:?}, not {dtype:?} of {shape:?}",
            tensor.dtype(),
            tensor.shape()
        );
        return Err(Error::file(name, problem));
    }
    Ok(bytemuck::pod_collect_to_vec(tensor.data()))
}
