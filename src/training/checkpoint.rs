//! The state of a training as a file: what it needs to go on another day, bit for bit.

use crate::error::{Error, Result};
use crate::network::files::{self, StoredTensor as Tensor};
use crate::network::{Mlp, Parameters};
use crate::numeric::{Real, check_finite, to_u32, wide};
use crate::training::{Cursor, Losses, Optimizer, Training};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::ops::Range;
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
    /// Its place in a population, where it is a part of one.
    place: Option<Place>,
}

/// The place of some models in a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// The index of the first model.
    first: usize,
    /// The number of models of the population.
    of: usize,
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
            place: None,
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

    /// The step at which each model diverged.
    pub fn diverged(&self) -> &[Option<u64>] {
        &self.progress.diverged
    }

    /// The models of a population that these are, and how many that has; `None` where these are all.
    pub fn part(&self) -> Option<(Range<usize>, usize)> {
        let models = self.parameters.models();
        self.place.map(|place| (place.first..place.first + models, place.of))
    }

    /// Says that these are the models from `first` on of a population of `of`.
    ///
    /// # Errors
    /// The population has fewer models.
    pub fn as_part(mut self, first: usize, of: usize) -> Result<Self> {
        let models = self.parameters.models();
        if first.checked_add(models).is_none_or(|end| end > of) {
            let what = "the first model of a part";
            let allowed = format!("one that {models} of {of} models follow");
            return Err(Error::argument(what, first, allowed));
        }
        self.place = (models < of).then_some(Place { first, of });
        Ok(self)
    }

    /// Some of the models, as a part of the population: what another process or device goes on with.
    /// The training that resumes it has as many models.
    ///
    /// # Errors
    /// Models that are not there, or none.
    pub fn of_models(&self, models: Range<usize>) -> Result<Self> {
        let all = self.parameters.models();
        if models.is_empty() || models.end > all {
            let allowed = format!("some of 0..{all}");
            return Err(Error::argument("the models of a part", format!("{models:?}"), allowed));
        }
        let p = self.mlp().parameters();
        let own = |values: &[T]| match values.is_empty() {
            true => Vec::new(),
            false => values[models.start * p..models.end * p].to_vec(),
        };
        let count = models.len();
        let parameters = Parameters::new(self.mlp().clone(), count, own(self.parameters.values()))?;
        let mut description = self.description.clone();
        description["models"] = count.into();
        let Losses { first_step, values, .. } = &self.losses;
        let values = values.chunks(all).flat_map(|step| &step[models.clone()]).copied().collect();
        let diverged = self.progress.diverged[models.clone()].to_vec();
        let first = self.place.map_or(0, |place| place.first) + models.start;
        Self {
            parameters,
            description,
            progress: Progress { diverged, ..self.progress.clone() },
            states: self.states.iter().map(|state| own(state)).collect(),
            ema: own(&self.ema),
            gradient: own(&self.gradient),
            losses: Losses { first_step: *first_step, models: count, values },
            place: None,
        }
        .as_part(first, self.place.map_or(all, |place| place.of))
    }

    /// The population of which these are the parts, in any order. A part that is there twice counts
    /// once: the first one.
    ///
    /// # Errors
    /// Models are missing, which the error names; parts overlap, are of other populations or
    /// trainings, or are not equally far.
    pub fn join(parts: impl IntoIterator<Item = Self>) -> Result<Self> {
        let wrong = |what: &str, found: String, allowed: &str| {
            Err(Error::argument(format!("the parts of a population{what}"), found, allowed))
        };
        let mut parts: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let whole = (0..part.parameters.models(), part.parameters.models());
                (part.part().unwrap_or(whole), part)
            })
            .collect();
        parts.sort_by_key(|((models, _), _)| (models.start, models.end));
        parts.dedup_by(|(later, _), (earlier, _)| later == earlier);
        let Some(((_, of), first)) = parts.first() else {
            return wrong("", "none".into(), "one or more");
        };
        let of = *of;
        let described = |part: &Self| {
            let mut description = part.description.clone();
            description["models"] = of.into();
            description
        };
        let far = |part: &Self| {
            let steps = part.losses.values.len() / part.parameters.models();
            let Progress { step, updates, cursor, .. } = part.progress;
            (step, updates, cursor, part.losses.first_step, steps)
        };
        let (mut missing, mut end) = (Vec::new(), 0);
        for ((models, other), part) in &parts {
            if *other != of {
                return wrong("", format!("of {of} and of {other} models"), "of one");
            }
            if part.mlp() != first.mlp() || described(part) != described(first) {
                return wrong("", "of different trainings".into(), "of one");
            }
            if far(part) != far(first) {
                let found = format!("at step {} and at {}", first.step(), part.step());
                return wrong("", found, "equally far");
            }
            if models.start < end {
                return wrong("", format!("with model {} twice", models.start), "once each");
            }
            missing.extend((models.start > end).then_some(end..models.start));
            end = models.end;
        }
        missing.extend((end < of).then_some(end..of));
        if !missing.is_empty() {
            let ranges: Vec<_> =
                missing.iter().map(|m| format!("{} to {}", m.start, m.end - 1)).collect();
            let found = format!("without the models {}", ranges.join(", "));
            return wrong("", found, &format!("all of 0 to {}", of - 1));
        }
        let all = |own: &dyn Fn(&Self) -> &[T]| -> Vec<T> {
            parts.iter().flat_map(|(_, part)| own(part)).copied().collect()
        };
        let steps = far(first).4;
        let losses = (0..steps).flat_map(|step| {
            parts.iter().flat_map(move |(_, part)| {
                let models = part.parameters.models();
                &part.losses.values[step * models..(step + 1) * models]
            })
        });
        let losses = Losses {
            first_step: first.losses.first_step,
            models: of,
            values: losses.copied().collect(),
        };
        let diverged =
            parts.iter().flat_map(|(_, part)| &part.progress.diverged).copied().collect();
        Ok(Self {
            parameters: Parameters::new(
                first.mlp().clone(),
                of,
                all(&|part| part.parameters.values()),
            )?,
            description: described(first),
            progress: Progress { diverged, ..first.progress.clone() },
            states: (0..first.states.len()).map(|i| all(&|part| &part.states[i])).collect(),
            ema: all(&|part| &part.ema),
            gradient: all(&|part| &part.gradient),
            losses,
            place: None,
        })
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
        if let Some(Place { first, of }) = self.place {
            metadata.insert("part".into(), format!("{first} of {of}"));
        }
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
        let place = None;
        let checkpoint =
            Self { parameters, description, progress, states, ema, gradient, losses, place };
        checkpoint.check_parts()?;
        let Some(part) = metadata.get("part") else { return Ok(checkpoint) };
        let numbers = part.split_once(" of ");
        let numbers = numbers.and_then(|(first, of)| Some((first.parse().ok()?, of.parse().ok()?)));
        match numbers.map(|(first, of)| checkpoint.as_part(first, of)) {
            Some(Ok(checkpoint)) => Ok(checkpoint),
            _ => Err(Error::file("part", format!("is {part:?}, not a first model and a number"))),
        }
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
