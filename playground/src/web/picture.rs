//! The picture page: a picture is learnt and drawn.

use super::gpu::{lose, shared};
use super::js::{ended, object, promise};
use super::picture_gpu::OnGpu;
use crate::error::Error;
use crate::image::{Image, byte, recipe, view};
use crate::turns::Turns;
use js_sys::{Promise, Uint8Array};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wgrad::{CpuTrainer, Gpu, Train, TrainBase};

/// Samples of a step on the CPU.
const BATCH: u32 = 2048;
/// Rows of a forward pass: what it keeps should not grow with the picture.
const SLICE: usize = 1 << 15;

/// What learns.
enum Learner {
    Gpu(Box<OnGpu>),
    Cpu(Box<CpuTrainer>),
}

struct State {
    image: Image,
    learner: Learner,
    step: u32,
}

struct Inner {
    state: Turns<State>,
    step: Cell<u32>,
    gpu: Option<Gpu>,
    device: String,
    parameters: usize,
}

/// A picture that is learnt. Its calls are worked off one after another.
#[wasm_bindgen]
pub struct Picture {
    inner: Rc<Inner>,
}

/// Begins to learn a picture of RGBA bytes.
#[wasm_bindgen]
pub async fn create_picture(
    rgba: Vec<u8>,
    width: u32,
    height: u32,
    device: String,
) -> Result<Picture, JsValue> {
    let image = Image::new(&rgba, [width, height])?;
    let (mlp, training) = recipe();
    let parameters = mlp.parameters();
    let (learner, gpu, device) = if device == "gpu" {
        let shared = shared().await?;
        let learner = OnGpu::new(&shared.gpu, &mlp, &training, &image)?;
        shared.gpu.check_async().await.map_err(Error::from)?;
        (Learner::Gpu(Box::new(learner)), Some(shared.gpu), format!("GPU: {}", shared.text))
    } else {
        let trainer = CpuTrainer::new(&mlp, &training, &image.samples(BATCH, 0)?);
        (Learner::Cpu(Box::new(trainer.map_err(Error::from)?)), None, "CPU: 1 thread".to_owned())
    };
    let state = Turns::new(State { image, learner, step: 0 });
    let inner = Inner { state, step: Cell::new(0), gpu, device, parameters };
    Ok(Picture { inner: Rc::new(inner) })
}

impl State {
    /// Takes steps, each on samples of its own. Returns the loss of the last.
    async fn train(&mut self, steps: u32) -> Result<f32, Error> {
        let loss = match &mut self.learner {
            Learner::Gpu(learner) => learner.train(steps).await?,
            Learner::Cpu(trainer) => {
                for step in self.step..self.step + steps {
                    trainer.set_data(&self.image.samples(BATCH, step)?)?;
                    trainer.train(1)?;
                }
                trainer.losses()?.last().first().copied()
            }
        };
        self.step += steps;
        Ok(loss.unwrap_or(f32::NAN))
    }

    /// The light at places, `[places, channels]`.
    async fn light(&mut self, places: &[f32]) -> Result<Vec<f32>, Error> {
        let mut light = Vec::new();
        for places in places.chunks(2 * SLICE) {
            light.extend(match &mut self.learner {
                Learner::Gpu(learner) => learner.predict(places).await?,
                Learner::Cpu(trainer) => trainer.predict(places)?,
            });
        }
        Ok(light)
    }
}

impl Picture {
    fn promise(
        &self,
        f: impl AsyncFnOnce(&mut State) -> Result<JsValue, Error> + 'static,
    ) -> Promise {
        let inner = self.inner.clone();
        let ticket = inner.state.ticket();
        promise(Box::pin(async move {
            let run = async |state: &mut State| {
                let result = f(state).await;
                inner.step.set(state.step);
                result
            };
            inner.state.turn(ticket, run).await.unwrap_or_else(|| Err(ended()))
        }))
    }
}

#[wasm_bindgen]
impl Picture {
    /// What it runs on, to be shown.
    #[wasm_bindgen(getter)]
    pub fn device(&self) -> String {
        self.inner.device.clone()
    }

    /// Steps taken.
    #[wasm_bindgen(getter)]
    pub fn step(&self) -> u32 {
        self.inner.step.get()
    }

    /// The number of parameters.
    #[wasm_bindgen(getter)]
    pub fn parameters(&self) -> usize {
        self.inner.parameters
    }

    /// Attaches a canvas; the CPU draws by `pixels`.
    pub fn attach(&self, canvas: web_sys::HtmlCanvasElement) -> Promise {
        self.promise(async move |state| {
            if let Learner::Gpu(learner) = &mut state.learner {
                learner.attach(canvas)?;
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Takes steps.
    pub fn train(&self, steps: u32) -> Promise {
        self.promise(async move |state| {
            let loss = state.train(steps).await?;
            Ok(object(&[("loss", loss.into())]))
        })
    }

    /// Draws into the attached canvas.
    pub fn draw(&self, x: f32, y: f32, zoom: f32) -> Promise {
        self.promise(async move |state| {
            if let Learner::Gpu(learner) = &mut state.learner {
                learner.draw([x, y], zoom).await?;
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// The RGBA bytes of a view.
    pub fn pixels(&self, x: f32, y: f32, zoom: f32, width: u32, height: u32) -> Promise {
        self.promise(async move |state| {
            if width.saturating_mul(height) > 1 << 24 || !(zoom > 0.0) || !(x + y).is_finite() {
                return Err(Error::new(
                    "a view has 2^24 pixels at most, a place, and a zoom above 0",
                ));
            }
            let light = state.light(&view([x, y], zoom, [width, height])).await?;
            let pixels =
                light.chunks(3).flat_map(|p| [byte(p[0]), byte(p[1]), byte(p[2]), u8::MAX]);
            Ok(Uint8Array::from(&pixels.collect::<Vec<_>>()[..]).into())
        })
    }

    /// The peak signal-to-noise ratio over all pixels, in dB.
    pub fn psnr(&self) -> Promise {
        self.promise(async |state| {
            let light = state.light(&state.image.places()).await?;
            Ok(state.image.psnr(&light).into())
        })
    }

    /// The network as a function of WGSL, whose parameters are in a buffer.
    pub fn wgsl(&self) -> Promise {
        self.promise(async |_| Ok(recipe().0.wgsl("network").text()?.into()))
    }

    /// Destroys the device.
    pub fn lose_device(&self) {
        if let Some(gpu) = &self.inner.gpu {
            lose(gpu);
        }
    }
}
