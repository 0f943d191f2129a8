//! A training that runs, on the GPU or on the CPU: what a page holds.

use crate::carry::{Keep, carry};
use crate::description::Description;
use crate::device::{Device, Gpu};
use crate::error::{Error, Result};
use crate::gradients::{self, Comparison};
use crate::health::{LayerState, health};
use crate::maps::{Maps, maps, mosaic};
use crate::points::{Points, some_data};
use crate::scores::{Score, scores};
use std::rc::Rc;
use std::time::Duration;
use wgrad::{Data, Parameters, Strategy, Training};

/// What a new training goes on from.
pub struct Origin {
    /// Its description.
    pub of: Description,
    /// Its parameters.
    pub parameters: Rc<Parameters>,
    /// Its steps and epochs.
    pub taken: Taken,
}

/// Steps, and passes over the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Taken {
    /// Steps since the parameters were drawn.
    pub steps: u64,
    /// Passes over the training rows, with the share of the one that goes on.
    pub epochs: f64,
}

/// A training that runs.
pub struct Session {
    of: Description,
    points: Points,
    train: Data,
    test: Option<Data>,
    device: Device,
    taken: Taken,
    /// The parameters as they are, where they have been read.
    parameters: Option<Rc<Parameters>>,
    /// A training of one model on all rows: whose gradient is looked at.
    probe: Option<Device>,
}

impl Session {
    /// Draws the parameters, or carries them over.
    ///
    /// # Errors
    /// A description that cannot be trained; what the device refuses.
    pub fn new(
        of: Description,
        gpu: Option<&Gpu>,
        from: Option<(&Origin, Option<&Keep>)>,
    ) -> Result<Self> {
        let points = Points::new(&of)?;
        let train = some_data(&of, &points.train)?;
        let test = crate::points::data(&of, &points.test)?;
        let training = of.training(train.rows())?;
        let device = Device::new(gpu, &of, &training, &train)?;
        let taken = Taken::default();
        let mut session =
            Self { of, points, train, test, device, taken, parameters: None, probe: None };
        if let Some((origin, keep)) = from {
            let parameters = carry(&origin.of, &origin.parameters, &session.of, keep)?;
            session.device.restart(&parameters)?;
            session.parameters = Some(Rc::new(parameters));
            session.taken = origin.taken;
        }
        Ok(session)
    }

    /// What a training is.
    pub const fn description(&self) -> &Description {
        &self.of
    }

    /// The points.
    pub const fn points(&self) -> &Points {
        &self.points
    }

    /// The steps and epochs taken.
    pub const fn taken(&self) -> Taken {
        self.taken
    }

    /// The length of a model's parameters.
    pub fn length(&self) -> usize {
        self.device.length()
    }

    /// Takes steps.
    ///
    /// # Errors
    /// A lost device; every model has diverged.
    pub async fn train(&mut self, steps: u32) -> Result<()> {
        self.parameters = None;
        self.device.train(steps).await?;
        let batch = self.of.batch_of(self.train.rows());
        self.taken.steps += u64::from(steps);
        self.taken.epochs += f64::from(steps) * batch as f64 / self.train.rows() as f64;
        Ok(())
    }

    /// The parameters as they are.
    ///
    /// # Errors
    /// A lost device.
    pub async fn parameters(&mut self) -> Result<Rc<Parameters>> {
        if let Some(parameters) = &self.parameters {
            return Ok(parameters.clone());
        }
        let read = Rc::new(self.device.parameters().await?);
        self.parameters = Some(read.clone());
        Ok(read)
    }

    /// What another training goes on from.
    ///
    /// # Errors
    /// A lost device.
    pub async fn origin(&mut self) -> Result<Origin> {
        Ok(Origin { of: self.of.clone(), parameters: self.parameters().await?, taken: self.taken })
    }

    /// One model's parameters.
    ///
    /// # Errors
    /// A model that there is not; a lost device.
    pub async fn model(&mut self, model: usize) -> Result<Parameters> {
        Ok(self.parameters().await?.model(model)?)
    }

    /// The scores of one model on the training and the test rows.
    ///
    /// # Errors
    /// A model that there is not; a lost device.
    pub async fn scores(&mut self, model: usize) -> Result<[Score; 2]> {
        let of = self.model(model).await?;
        Ok([scores(&of, Some(&self.train))?[0], scores(&of, self.test.as_ref())?[0]])
    }

    /// The losses of all models on the training and the test rows.
    ///
    /// # Errors
    /// A lost device.
    pub async fn population(&mut self) -> Result<[Vec<f32>; 2]> {
        if self.of.models > 1
            && let Some(train) = self.device.losses(&self.train).await?
        {
            let test = match &self.test {
                Some(test) => self.device.losses(test).await?,
                None => None,
            };
            return Ok([train, test.unwrap_or_else(|| vec![f32::NAN; self.of.models])]);
        }
        let of = self.parameters().await?;
        let losses = |data| -> Result<Vec<f32>> {
            Ok(scores(&of, data)?.iter().map(|score| score.loss as f32).collect())
        };
        Ok([losses(Some(&self.train))?, losses(self.test.as_ref())?])
    }

    /// Replaces one model's parameters.
    ///
    /// # Errors
    /// A model that there is not, another length, values that are not finite; a lost device.
    pub async fn set_parameters(&mut self, model: usize, values: &[f32]) -> Result<()> {
        let of = self.parameters().await?;
        let (p, mlp) = (of.mlp().parameters(), of.mlp().clone());
        let one = Parameters::new(mlp.clone(), 1, values.to_vec())?;
        of.model(model)?;
        let mut all = of.values().to_vec();
        all[model * p..(model + 1) * p].copy_from_slice(one.values());
        let all = Parameters::new(mlp, of.models(), all)?;
        self.device.set_parameters(&all)?;
        self.parameters = Some(Rc::new(all));
        Ok(())
    }

    /// Begins anew from parameters; without any, from those that the seed gives.
    ///
    /// # Errors
    /// Parameters of another network; a lost device.
    pub fn restart(&mut self, from: Option<Parameters>) -> Result<()> {
        let from = match from {
            Some(parameters) => parameters,
            None => {
                let training = self.of.training(self.train.rows())?;
                training.init.sample(&self.of.mlp()?, training.models, training.seed)?
            }
        };
        self.device.restart(&from)?;
        (self.parameters, self.taken) = (Some(Rc::new(from)), Taken::default());
        Ok(())
    }

    /// Takes over what can be changed under way. Returns whether that was all.
    ///
    /// # Errors
    /// A description that cannot be trained; a lost device.
    pub fn change(&mut self, to: Description) -> Result<bool> {
        to.check()?;
        let of = &self.of;
        let network =
            |of: &Description| (of.task, of.models, of.optimizer.clone(), of.features.clone());
        if network(&to) != network(of) || to.layers != of.layers {
            return Ok(false);
        }
        let points = Points::new(&to)?;
        let rows = self.train.rows();
        if points.train.len() != rows || to.batch_of(rows) != of.batch_of(rows) {
            return Ok(false);
        }
        self.device.set_optimizer(to.optimizer()?)?;
        if points != self.points {
            let train = some_data(&to, &points.train)?;
            self.device.set_data(&train)?;
            self.test = crate::points::data(&to, &points.test)?;
            (self.train, self.points) = (train, points);
        }
        (self.of, self.probe) = (to, None);
        Ok(true)
    }

    /// The maps of one model.
    ///
    /// # Errors
    /// A model that there is not; a side of no points, or of too many; a lost device.
    pub async fn maps(&mut self, model: usize, size: usize, output_size: usize) -> Result<Maps> {
        maps(&self.model(model).await?, &self.of.features, size, output_size)
    }

    /// The output maps of `count` models from model `first` on.
    ///
    /// # Errors
    /// Models that there are not; a side of no points, or of too many; a lost device.
    pub async fn mosaic(&mut self, first: usize, count: usize, size: usize) -> Result<Vec<f32>> {
        mosaic(&*self.parameters().await?, &self.of.features, first, count, size)
    }

    /// How one model's gradient is looked at: alone, on all training rows.
    fn alone(&self) -> Result<Training> {
        let alone = Description { models: 1, batch: 0, ..self.of.clone() };
        Ok(alone.training(self.train.rows())?.strategy(Strategy::Layered))
    }

    /// The health of one model's gradient.
    ///
    /// # Errors
    /// A model that there is not; a lost device.
    pub async fn health(&mut self, model: usize) -> Result<Vec<LayerState>> {
        let of = self.model(model).await?;
        health(&of, &self.alone()?, &self.train)
    }

    /// The gradients of one layer of one model.
    ///
    /// # Errors
    /// A model or a layer that there is not, a layer of too many parameters; a lost device.
    pub async fn gradients(&mut self, model: usize, layer: usize) -> Result<Comparison> {
        let of = self.model(model).await?;
        let mut probe = match self.probe.take() {
            Some(probe) => probe,
            None => Device::new(self.device.gpu(), &self.of, &self.alone()?, &self.train)?,
        };
        probe.set_parameters(&of)?;
        let values = probe.gradient().await?;
        self.probe = Some(probe);
        gradients::compare(&of, &self.of.features, layer, &values, &self.train)
    }

    /// Trains another one of the kind for a while. Returns the steps and the time that they took.
    ///
    /// # Errors
    /// A lost device.
    pub async fn speed(&mut self, time: Duration) -> Result<(u64, Duration)> {
        let training = self.of.training(self.train.rows())?;
        Device::new(self.device.gpu(), &self.of, &training, &self.train)?.timed(time).await
    }

    /// Begins anew from parameters of another origin: those of all models, or of the first ones.
    ///
    /// # Errors
    /// Another length than that of one model or of several; values that are not finite; a lost device.
    pub async fn replace(&mut self, values: &[f32]) -> Result<()> {
        let of = self.parameters().await?;
        let (found, p) = (values.len(), of.mlp().parameters());
        let mut all = of.values().to_vec();
        match all.get_mut(..found) {
            Some(first) if found > 0 && found.is_multiple_of(p) => first.copy_from_slice(values),
            _ => {
                let message = format!(
                    "there are {found} parameters; a model has {p}, and there are {} models",
                    of.models()
                );
                return Err(Error::new(message));
            }
        }
        self.restart(Some(Parameters::new(of.mlp().clone(), of.models(), all)?))
    }
}
