//! One population on several devices at once.

use crate::cpu::CpuTrainer;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, lock};
use crate::run::Trainer;
use crate::training::{Checkpoint, Data, Train, Training};
use std::fmt;
use std::ops::Range;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// What trains a part of a population: [`train_across`].
// There are as many of them as devices.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Worker {
    /// A GPU.
    Gpu(Gpu),
    /// The CPU path.
    Cpu,
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpu(gpu) => write!(f, "{gpu}"),
            Self::Cpu => f.write_str("CPU path"),
        }
    }
}

/// What [`train_across`] has come to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Across {
    /// The population, all models in their order.
    pub checkpoint: Checkpoint,
    /// Which models the worker of which index has finished, in the order of the models.
    pub parts: Vec<(Range<usize>, usize)>,
    /// The workers whose device was lost under way.
    pub lost: Vec<usize>,
}

/// A part is trained in so many slices of its steps. After each its state is kept, for another worker.
const SLICES: u32 = 8;

/// Trains the population of `start` for `steps` steps on all `workers` at once, each in a thread of
/// its own. A worker takes some models at a time, as many as its speed so far suggests. Where its
/// device is lost, another worker goes on with its models from the state of the last slice of steps.
///
/// `training` is that of the whole population; `start` is a trainer's [`Train::checkpoint`], a part of
/// one, or a file. `progress` is told the share of the work that is done, from 0 to 1.
///
/// Models that have diverged are those of [`Checkpoint::diverged`].
///
/// A model's result is that of the device that has trained it, to the last bit where the strategy is
/// resident or the worker the CPU path. Under the other strategies its sums may be cut otherwise, as
/// those depend on the number of models.
///
/// ```no_run
/// use wgrad::{CpuTrainer, Gpu, Train, Worker, train_across};
/// # fn main() -> wgrad::Result<()> {
/// # let (mlp, training, data): (wgrad::Mlp, wgrad::Training, wgrad::Data) = todo!();
/// let start = CpuTrainer::<f32>::new(&mlp, &training, &data)?.checkpoint()?;
/// let workers = [Worker::Gpu(Gpu::new()?), Worker::Cpu];
/// let trained = train_across(&workers, &training, &start, &data, 1000, &|_| ())?;
/// println!("{:?}", trained.checkpoint.losses().last());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// No workers; those of [`Trainer::new`] and [`Train::train`]; [`Error::DeviceLost`] where every
/// worker's device was lost.
pub fn train_across(
    workers: &[Worker],
    training: &Training,
    start: &Checkpoint,
    data: &Data,
    steps: u32,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Across> {
    if workers.is_empty() {
        return Err(Error::argument("the number of workers", 0, "1 or more"));
    }
    let models = start.parameters().models();
    if training.models != models {
        let what = "the models of the training";
        return Err(Error::argument(what, training.models, format!("the start's {models}")));
    }
    let job = Job { workers, training, start, data, steps };
    let desk = Desk::new(workers.len(), models);
    std::thread::scope(|scope| {
        for worker in 0..workers.len() {
            let (job, desk) = (&job, &desk);
            scope.spawn(move || {
                while let Some((models, state)) = desk.take(worker) {
                    let trained = job.train(worker, &models, state, &|share| {
                        progress(desk.told(models.len(), share));
                    });
                    desk.give_back(worker, models, trained);
                }
            });
        }
    });
    let State { mut done, lost, error, .. } =
        desk.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = error {
        return Err(error);
    }
    done.sort_by_key(|part| part.models.start);
    if done.iter().map(|part| part.models.len()).sum::<usize>() < models {
        return Err(Error::DeviceLost);
    }
    let parts = done.iter().map(|part| (part.models.clone(), part.worker)).collect();
    let states: Result<Vec<_>> =
        done.into_iter().map(|part| part.state.as_part(part.models.start, models)).collect();
    let checkpoint = Checkpoint::join(states?)?;
    let checkpoint = match start.part() {
        Some((own, of)) => checkpoint.as_part(own.start, of)?,
        None => checkpoint,
    };
    Ok(Across { checkpoint, parts, lost })
}

/// What every worker does with its models.
struct Job<'a> {
    workers: &'a [Worker],
    training: &'a Training,
    start: &'a Checkpoint,
    data: &'a Data,
    steps: u32,
}

/// What has become of a part.
struct Trained {
    /// Its last state that was read: that of the end, or `None` before the first.
    state: Option<Checkpoint>,
    seconds: f64,
    outcome: Result<()>,
}

impl Job<'_> {
    fn train(
        &self,
        worker: usize,
        models: &Range<usize>,
        state: Option<Checkpoint>,
        told: &dyn Fn(f64),
    ) -> Trained {
        let mut trained = Trained { state, seconds: 0.0, outcome: Ok(()) };
        trained.outcome = self.run(worker, models, &mut trained, told);
        trained
    }

    fn run(
        &self,
        worker: usize,
        models: &Range<usize>,
        trained: &mut Trained,
        told: &dyn Fn(f64),
    ) -> Result<()> {
        let training = self.training.clone().models(models.len());
        let data = self.data.of_models(models);
        let mut trainer: Box<dyn Train<Scalar = f32>> = match &self.workers[worker] {
            Worker::Gpu(gpu) => Box::new(Trainer::new(gpu, self.start.mlp(), &training, &data)?),
            Worker::Cpu => Box::new(CpuTrainer::new(self.start.mlp(), &training, &data)?),
        };
        let kept = match &mut trained.state {
            Some(state) => state,
            none => none.insert(self.start.of_models(models.clone())?),
        };
        trainer.resume(kept)?;
        let clock = Instant::now();
        let end = self.start.step().saturating_add(self.steps.into());
        while kept.step() < end {
            let slice = (end - kept.step()).min(self.steps.div_ceil(SLICES).into());
            match trainer.train(u32::try_from(slice).unwrap_or(u32::MAX)) {
                // Other parts may have models that have not.
                Ok(()) | Err(Error::Diverged { .. }) => {}
                Err(error) => return Err(error),
            }
            *kept = trainer.checkpoint()?;
            told(slice as f64 / f64::from(self.steps.max(1)));
        }
        trained.seconds = clock.elapsed().as_secs_f64();
        Ok(())
    }
}

/// A part that is trained.
struct Done {
    models: Range<usize>,
    worker: usize,
    state: Checkpoint,
}

/// Where the workers get their models.
struct Desk {
    models: usize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The first model that nobody has taken.
    next: usize,
    /// Parts of lost devices, as far as they were.
    returned: Vec<(Range<usize>, Option<Checkpoint>)>,
    /// The number of workers that have a part.
    at_work: usize,
    /// The models a second of each worker's last part.
    rates: Vec<Option<f64>>,
    done: Vec<Done>,
    lost: Vec<usize>,
    error: Option<Error>,
    /// The work that is done, in models.
    finished: f64,
}

impl Desk {
    fn new(workers: usize, models: usize) -> Self {
        let state = State {
            next: 0,
            returned: Vec::new(),
            at_work: 0,
            rates: vec![None; workers],
            done: Vec::new(),
            lost: Vec::new(),
            error: None,
            finished: 0.0,
        };
        Self { models, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The next part for a worker. It waits while a part may yet come back from another one.
    fn take(&self, worker: usize) -> Option<(Range<usize>, Option<Checkpoint>)> {
        let mut state = lock(&self.state);
        loop {
            if state.error.is_some() || state.lost.contains(&worker) {
                return None;
            }
            if let Some(part) = state.returned.pop() {
                state.at_work += 1;
                return Some(part);
            }
            if state.next < self.models {
                let begin = state.next;
                state.next += state.size(worker, self.models);
                state.at_work += 1;
                return Some((begin..state.next, None));
            }
            if state.at_work == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts a share of a part's work, and returns that of all work which is done.
    fn told(&self, models: usize, share: f64) -> f64 {
        let mut state = lock(&self.state);
        state.finished += models as f64 * share;
        (state.finished / self.models as f64).min(1.0)
    }

    fn give_back(&self, worker: usize, models: Range<usize>, trained: Trained) {
        let mut state = lock(&self.state);
        state.at_work -= 1;
        match (trained.outcome, trained.state) {
            (Ok(()), Some(checkpoint)) => {
                state.rates[worker] = Some(models.len() as f64 / trained.seconds.max(1e-9));
                state.done.push(Done { models, worker, state: checkpoint });
            }
            (Err(Error::DeviceLost), checkpoint) => {
                state.lost.push(worker);
                state.returned.push((models, checkpoint));
            }
            (Err(error), _) => state.error = Some(error),
            (Ok(()), None) => {}
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    /// How many models a worker takes: half of its share of what is left, by the workers' speeds. A
    /// worker that has no speed yet takes few; one that is alone takes all.
    fn size(&self, worker: usize, models: usize) -> usize {
        let left = models - self.next;
        let workers = self.rates.len() - self.lost.len();
        if workers <= 1 {
            return left;
        }
        let few = (models / (64 * workers)).max(1).min(left);
        let Some(own) = self.rates[worker] else { return few };
        let here = |i: &usize| !self.lost.contains(i);
        let all: f64 = (0..self.rates.len()).filter(here).filter_map(|i| self.rates[i]).sum();
        let half = (left as f64 * own / all / 2.0).ceil();
        (half as usize).clamp(few, left)
    }
}
