//! A training that runs, as a page holds it.

use super::describe::{both, description};
use super::js::{doubles, ended, field, floats, object, plain, promise, read, strings};
use crate::carry::Keep;
use crate::description::Task;
use crate::device::Gpu;
use crate::error::Error;
use crate::scores::Score;
use crate::session::{Origin, Session, Taken};
use crate::turns::Turns;
use js_sys::{Array, Promise};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::prelude::*;
use wgrad::Parameters;

/// What the calls of a page share.
struct Inner {
    session: Turns<Session>,
    /// What the session said when its last turn ended.
    taken: Cell<Taken>,
    gpu: Option<Gpu>,
    device: String,
    length: usize,
}

/// A training that runs. Its calls are worked off one after another.
#[wasm_bindgen]
pub struct Lab {
    inner: Rc<Inner>,
}

/// What another training goes on from, as [`Lab::origin`] gives it.
fn origin(from: &JsValue) -> Result<Origin, Error> {
    let number = |name: &str| field(from, name).as_f64().unwrap_or(0.0);
    let taken = Taken { steps: number("step") as u64, epochs: number("epochs") };
    let of = description(&field(from, "description"))?;
    let values = js_sys::Float32Array::new(&field(from, "parameters")).to_vec();
    let parameters = Parameters::new(of.mlp()?, of.models, values)?;
    Ok(Origin { of, parameters: Rc::new(parameters), taken })
}

/// The value, where there is one.
fn given(value: JsValue) -> Option<JsValue> {
    if value.is_undefined() || value.is_null() { None } else { Some(value) }
}

/// The GPU of the page, and its name.
#[cfg(feature = "whole")]
async fn shared() -> Result<(Gpu, String), Error> {
    let shared = super::gpu::shared().await?;
    Ok((shared.gpu, shared.text))
}

#[cfg(not(feature = "whole"))]
async fn shared() -> Result<(Gpu, String), Error> {
    Err(Error::new("this module trains on the CPU only"))
}

/// Makes a training; `from` is what [`Lab::origin`] gives.
#[wasm_bindgen]
pub async fn create(
    of: JsValue,
    device: String,
    from: JsValue,
    keep: JsValue,
) -> Result<Lab, JsValue> {
    let of = description(&of)?;
    let keep: Option<Keep> = given(keep).map(|keep| read("what is kept", &keep)).transpose()?;
    let origin = given(from).map(|from| origin(&from)).transpose()?;
    let (gpu, device) = match &*device {
        "gpu" => {
            let (gpu, text) = shared().await?;
            (Some(gpu), format!("GPU: {text}"))
        }
        "cpu" => (None, "CPU: 1 thread".into()),
        other => {
            return Err(Error::new(format!(
                "there is no device \"{other}\"; there are gpu and cpu"
            ))
            .into());
        }
    };
    let from = origin.as_ref().map(|origin| (origin, keep.as_ref()));
    let session = Session::new(of, gpu.as_ref(), from)?;
    #[cfg(feature = "whole")]
    if let Some(gpu) = &gpu {
        gpu.check_async().await.map_err(Error::from)?;
    }
    let (taken, length) = (Cell::new(session.taken()), session.length());
    Ok(Lab { inner: Rc::new(Inner { session: Turns::new(session), taken, gpu, device, length }) })
}

/// Seconds that a number of milliseconds is, at most a minute.
fn milliseconds(value: f64) -> Duration {
    Duration::from_secs_f64(if value > 0.0 { value.min(6e4) / 1e3 } else { 0.0 })
}

impl Lab {
    /// The promise of what `f` makes of the session when its turn comes.
    fn promise(
        &self,
        f: impl AsyncFnOnce(&mut Session) -> Result<JsValue, Error> + 'static,
    ) -> Promise {
        let inner = self.inner.clone();
        // The turn is taken now, not when the promise is looked at.
        let ticket = inner.session.ticket();
        promise(Box::pin(async move {
            let run = async |session: &mut Session| {
                let result = f(session).await;
                inner.taken.set(session.taken());
                result
            };
            inner.session.turn(ticket, run).await.unwrap_or_else(|| Err(ended()))
        }))
    }
}

#[wasm_bindgen]
impl Lab {
    /// What it runs on, to be shown.
    #[wasm_bindgen(getter)]
    pub fn device(&self) -> String {
        self.inner.device.clone()
    }

    /// `gpu` or `cpu`.
    #[wasm_bindgen(getter)]
    pub fn kind(&self) -> String {
        if self.inner.gpu.is_some() { "gpu" } else { "cpu" }.into()
    }

    /// Steps since the parameters were drawn.
    #[wasm_bindgen(getter)]
    pub fn step(&self) -> f64 {
        self.inner.taken.get().steps as f64
    }

    /// Passes over the training rows.
    #[wasm_bindgen(getter)]
    pub fn epoch(&self) -> f64 {
        // Tenths of a step are lost in the sum.
        (self.inner.taken.get().epochs + 1e-6).floor()
    }

    /// The length of a model's parameters.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> usize {
        self.inner.length
    }

    /// The points that it learns.
    pub fn points(&self) -> Promise {
        self.promise(async |session| Ok(both(session.points())))
    }

    /// Takes steps.
    pub fn train(&self, steps: u32) -> Promise {
        self.promise(async move |session| {
            session.train(steps).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Losses and accuracies of one model.
    pub fn losses(&self, model: usize) -> Promise {
        self.promise(async move |session| {
            let [train, test] = session.scores(model).await?;
            let mut fields = vec![("train", train.loss.into()), ("test", test.loss.into())];
            if session.description().task == Task::Classification {
                let accuracy = |score: Score| JsValue::from(score.accuracy);
                fields.push(("train_accuracy", accuracy(train)));
                fields.push(("test_accuracy", accuracy(test)));
            }
            Ok(object(&fields))
        })
    }

    /// The parameters of one model.
    pub fn parameters(&self, model: usize) -> Promise {
        self.promise(async move |session| Ok(floats(session.model(model).await?.values())))
    }

    /// Replaces the parameters of one model.
    pub fn set_parameters(&self, model: usize, values: Vec<f32>) -> Promise {
        self.promise(async move |session| {
            session.set_parameters(model, &values).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Draws the parameters anew.
    pub fn restart(&self) -> Promise {
        self.promise(async |session| {
            session.restart(None)?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Takes over what can be changed under way.
    pub fn change(&self, of: &JsValue) -> Promise {
        let of = description(of);
        self.promise(async move |session| Ok(session.change(of?)?.into()))
    }

    /// Maps of one model.
    pub fn maps(&self, model: usize, size: usize, output_size: usize) -> Promise {
        self.promise(async move |session| {
            let maps = session.maps(model, size, output_size).await?;
            let units: Array = maps.units.iter().map(|layer| floats(layer)).collect();
            Ok(object(&[
                ("features", floats(&maps.features)),
                ("units", units.into()),
                ("output", floats(&maps.output)),
            ]))
        })
    }

    /// The gradient's health.
    pub fn health(&self, model: usize) -> Promise {
        self.promise(async move |session| {
            let layers = session.health(model).await?;
            let layers = layers.into_iter().enumerate().map(|(index, layer)| {
                object(&[
                    ("layer", (index as u32).into()),
                    ("activation", layer.activation.into()),
                    ("gradient_norm", layer.gradient_norm.into()),
                    ("weight_norm", layer.weight_norm.into()),
                    ("ratio", layer.ratio.into()),
                    ("dead", (layer.dead as u32).into()),
                    ("saturated", layer.saturated.into()),
                    ("units", (layer.units as u32).into()),
                    ("verdict", layer.verdict.into()),
                ])
            });
            Ok(layers.collect::<Array>().into())
        })
    }

    /// The article's three gradients.
    pub fn gradients(&self, model: usize, layer: usize) -> Promise {
        self.promise(async move |session| {
            let found = session.gradients(model, layer).await?;
            let by_hand = found.by_hand.map_or(JsValue::NULL, |values| doubles(&values));
            Ok(object(&[
                ("names", strings(found.names.iter().map(|name| &**name))),
                ("backprop", floats(&found.backprop)),
                ("differences", doubles(&found.differences)),
                ("by_hand", by_hand),
                ("largest_error", found.largest_error.into()),
            ]))
        })
    }

    /// Output maps of some models.
    pub fn mosaic(&self, first: usize, count: usize, size: usize) -> Promise {
        self.promise(async move |session| {
            let maps = session.mosaic(first, count, size).await?;
            Ok(object(&[("maps", floats(&maps))]))
        })
    }

    /// The losses of all models.
    pub fn population(&self) -> Promise {
        self.promise(async |session| {
            let [train, test] = session.population().await?;
            Ok(object(&[("train", floats(&train)), ("test", floats(&test))]))
        })
    }

    /// What a step costs.
    pub fn speed(&self, milliseconds: f64) -> Promise {
        let time = self::milliseconds(milliseconds);
        self.promise(async move |session| {
            let (steps, time) = session.speed(time).await?;
            let microseconds = time.as_secs_f64() * 1e6 / steps as f64;
            Ok(object(&[("microseconds", microseconds.into()), ("steps", (steps as f64).into())]))
        })
    }

    /// Begins anew from parameters of another origin, of all models or of the first ones.
    pub fn replace(&self, values: Vec<f32>) -> Promise {
        self.promise(async move |session| {
            session.replace(&values).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// What another training goes on from: the description, the parameters of all models, the steps and
    /// the epochs.
    pub fn origin(&self) -> Promise {
        self.promise(async |session| {
            let Origin { of, parameters, taken } = session.origin().await?;
            Ok(object(&[
                ("description", plain(&of)?),
                ("parameters", floats(parameters.values())),
                ("step", (taken.steps as f64).into()),
                ("epochs", taken.epochs.into()),
            ]))
        })
    }

    /// Destroys the device.
    pub fn lose_device(&self) {
        #[cfg(feature = "whole")]
        if let Some(gpu) = &self.inner.gpu {
            super::gpu::lose(gpu);
        }
    }
}
