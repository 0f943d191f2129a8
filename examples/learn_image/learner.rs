//! The trainer on either device, and its samples.

use crate::common::{Outcome, Stop};
use crate::crop::Crop;
use crate::gpu::OnGpu;
use crate::source::Source;
use wgrad::{CpuTrainer, Data, Gpu, Mlp, Model, Parameters, Train, TrainBase as _, Training};

/// Steps of a submission, at most: a progress bar should move.
const CHUNK: u32 = 50;

fn mix_bits(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Where sample `i` of a step lies.
pub fn place(i: u32, step: u32, seed: u32) -> [f32; 2] {
    let a = mix_bits(i ^ mix_bits(step ^ seed));
    let b = mix_bits(a.wrapping_add(0x9e37_79b9));
    [a, b].map(|bits| (bits >> 8) as f32 / 16_777_216.0)
}

pub enum Learner<'a> {
    Gpu(Box<OnGpu>),
    Cpu(Box<OnCpu<'a>>),
}

pub struct OnCpu<'a> {
    trainer: CpuTrainer<f32>,
    /// Predicts with the average of the parameters, where the training keeps one.
    averaged: Option<CpuTrainer<f32>>,
    source: &'a Source,
    batch: u32,
    seed: u32,
    step: u32,
}

impl OnCpu<'_> {
    fn sample(source: &Source, batch: u32, step: u32, seed: u32) -> Outcome<Data> {
        let channels = source.channels;
        let places: Vec<_> = (0..batch).map(|i| place(i, step, seed)).collect();
        let light = places.iter().flat_map(|place| {
            let light = source.sample(*place);
            light.into_iter().take(channels)
        });
        let light = light.collect();
        Ok(Data::new(2, channels, places.into_iter().flatten().collect(), light)?)
    }
}

/// What predicts: the trainer, or the average of its parameters.
pub enum Eye<'a> {
    Trainer(&'a mut dyn Train<Scalar = f32>),
    Model(Box<Model>),
}

impl Eye<'_> {
    pub fn predict(&mut self, places: &[f32]) -> Outcome<Vec<f32>> {
        Ok(match self {
            Self::Trainer(trainer) => trainer.predict(places)?,
            Self::Model(model) => model.predict(places)?,
        })
    }
}

impl<'a> Learner<'a> {
    pub fn new(
        gpu: Option<&Gpu>,
        mlp: &Mlp,
        training: &Training,
        source: &'a Source,
        batch: u32,
    ) -> Outcome<Self> {
        if let Some(gpu) = gpu {
            let most = gpu.device().limits().max_texture_dimension_2d;
            let on_gpu = OnGpu::new(gpu, mlp, training, source, batch, most)?;
            return Ok(Self::Gpu(Box::new(on_gpu)));
        }
        let seed = training.seed as u32;
        let data = OnCpu::sample(source, batch, 0, seed)?;
        let trainer = CpuTrainer::new(mlp, training, &data)?;
        let averaged = match training.ema {
            Some(_) => Some(CpuTrainer::new(mlp, training, &data)?),
            None => None,
        };
        Ok(Self::Cpu(Box::new(OnCpu { trainer, averaged, source, batch, seed, step: 0 })))
    }

    pub fn trainer(&mut self) -> &mut dyn Train<Scalar = f32> {
        match self {
            Self::Gpu(on_gpu) => &mut on_gpu.trainer,
            Self::Cpu(on_cpu) => &mut on_cpu.trainer,
        }
    }

    /// Takes `steps` steps, each on samples of its own, and waits for them: the last one's loss.
    pub fn train(&mut self, steps: u32) -> Outcome<f32> {
        match self {
            Self::Gpu(on_gpu) => {
                let device = on_gpu.gpu.device();
                let mut encoder = device.create_command_encoder(&Default::default());
                for _ in 0..steps {
                    on_gpu.sample(&mut encoder);
                    on_gpu.trainer.record(&mut encoder, 1);
                }
                on_gpu.gpu.queue().submit([encoder.finish()]);
            }
            Self::Cpu(on_cpu) => {
                for _ in 0..steps {
                    let OnCpu { trainer, source, batch, seed, step, .. } = &mut **on_cpu;
                    trainer.set_data(&OnCpu::sample(source, *batch, *step, *seed)?)?;
                    trainer.train(1)?;
                    *step += 1;
                }
            }
        }
        if let Some(Some(step)) = self.trainer().diverged()?.first() {
            return Err(Stop::Failed(format!("the training diverged at step {step}")));
        }
        Ok(self.trainer().losses()?.last().first().copied().unwrap_or(f32::NAN))
    }

    /// Steps of a submission: a driver should not take one for a hang.
    pub fn chunk(&self) -> u32 {
        match self {
            Self::Gpu(on_gpu) => {
                let most = (1_u64 << 35) / on_gpu.trainer.plan().work().operations.max(1);
                u32::try_from(most).unwrap_or(CHUNK).clamp(1, CHUNK)
            }
            Self::Cpu(_) => 10,
        }
    }

    /// What was learnt: the average of the parameters where the training keeps one.
    pub fn parameters(&mut self) -> Outcome<Parameters> {
        let trainer = self.trainer();
        let averages = trainer.training().ema.is_some();
        Ok(if averages { trainer.ema_parameters()? } else { trainer.parameters()? })
    }

    /// What predicts with [`Learner::parameters`].
    pub fn eye(&mut self) -> Outcome<Eye<'_>> {
        match self {
            Self::Gpu(on_gpu) => Ok(match on_gpu.averaged()? {
                Some(model) => Eye::Model(Box::new(model)),
                None => Eye::Trainer(&mut on_gpu.trainer),
            }),
            Self::Cpu(on_cpu) => {
                let OnCpu { trainer, averaged, .. } = &mut **on_cpu;
                let Some(averaged) = averaged else { return Ok(Eye::Trainer(trainer)) };
                averaged.set_parameters(&trainer.ema_parameters()?)?;
                Ok(Eye::Trainer(averaged))
            }
        }
    }

    /// The crop, drawn by the device's own means.
    pub fn draw(&mut self, crop: &Crop) -> Outcome<Vec<f32>> {
        match self {
            Self::Gpu(on_gpu) => on_gpu.draw(crop),
            Self::Cpu(_) => self.eye()?.predict(&crop.places()),
        }
    }
}
