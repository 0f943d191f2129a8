//! The forward and the backward pass by themselves, and the update that follows them.

use super::layered::Purpose;
use super::sizes::Sizes;
use super::{Buffer, Node, Plan, StepGroup, own_gradient};
use crate::error::{Error, Result};
use crate::kernels::step::activate::Activate;
use crate::kernels::step::count_rows::CountRows;
use crate::kernels::{Capabilities, Dispatch, fused};
use crate::network::{Activation, Mlp};
use crate::plan::Stages;
use crate::plan::builder::{Builder, Gradient};
use crate::training::{Batch, DataShape, Loss, Strategy, Training};

/// What some passes compute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassShape {
    /// Rows of a model, at most.
    pub rows: usize,
    /// Whether each model has its own inputs.
    pub own_inputs: bool,
    /// Whether the gradient of the inputs is computed.
    pub input_gradient: bool,
    /// Whether a count on the GPU may leave fewer rows.
    pub counted: bool,
    /// What is computed of the slope.
    pub slope: Option<Slope>,
}

/// What passes compute of a slope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slope {
    /// Whether its seed is in a buffer. Otherwise it is 1.
    pub seeded: bool,
    /// The weight of the eikonal term, whose gradient the passes then write.
    pub eikonal: Option<f32>,
}

/// The dispatches of a forward and a backward pass.
#[derive(Debug, Clone)]
pub(crate) struct PassPlan {
    pub forward: Vec<Node>,
    pub slope: Vec<Node>,
    pub backward: Vec<Node>,
    /// The buffers of both and their sizes in bytes. [`Buffer::Targets`] is the outputs' gradient.
    pub buffers: Vec<(Buffer, u64)>,
    /// The buffer that receives the outputs.
    pub outputs: Buffer,
    pub strategy: Strategy,
}

impl Plan {
    /// The plan of a training without data of its own: a step is an update from the gradient that
    /// backward passes have added up.
    ///
    /// # Errors
    /// The errors of [`Plan::new`]; a loss other than [`Loss::OutputGradient`], mini-batches, the
    /// resident strategy.
    pub fn without_data(
        mlp: &Mlp,
        training: &Training,
        capabilities: &Capabilities,
    ) -> Result<Self> {
        for (what, found, allowed, fits) in [
            (
                "the loss of a training without data",
                training.loss.name(),
                Loss::OutputGradient.name(),
                training.loss == Loss::OutputGradient,
            ),
            (
                "the strategy of a training without data",
                training.strategy.name(),
                "auto, fused or layered",
                training.strategy != Strategy::Resident,
            ),
            (
                "the batch of a training without data",
                "mini-batches",
                "the full batch",
                training.batch == Batch::Full,
            ),
        ] {
            if !fits {
                return Err(Error::argument(what, found, allowed));
            }
        }
        let sizes = Sizes::new(mlp, training, DataShape::shared(1), capabilities)?;
        let strategy = sizes.single_step_strategy(sizes.fused());
        let mut plan =
            Self { sizes, strategy, groups: Vec::new(), buffers: Vec::new(), data: false };
        let Stages { nodes, buffers } = plan.accumulated_update()?;
        plan.buffers = buffers;
        plan.groups = vec![StepGroup { steps: 1, nodes }];
        Ok(plan)
    }

    /// The dispatches of an update from the gradient that backward passes have added up.
    pub(crate) fn accumulated_update(&self) -> Result<Stages> {
        let mut b = self.sizes.builder();
        b.state(&self.sizes)?;
        b.accumulated_update(&self.sizes)?;
        b.without_unbound().finish()
    }

    /// The dispatches of a step of the training's own data and loss, whose gradient is added to what
    /// backward passes have added up.
    pub(crate) fn step_with_passes(&self) -> Result<Stages> {
        self.stages(|b| {
            b.gradient = Gradient::Adds;
            own_gradient(b, &self.sizes, self.strategy)?;
            b.accumulated_update(&self.sizes)
        })
    }

    /// The dispatches of a forward and a backward pass over `rows` rows, with the inputs' gradient and
    /// a count of rows, and of an update: those of [`Trainer::passes`](crate::Trainer::passes), with a
    /// loss on the slope or without.
    ///
    /// # Errors
    /// Those of [`Trainer::passes`](crate::Trainer::passes).
    pub fn dispatches_of_passes(&self, rows: usize, slope: bool) -> Result<Vec<Dispatch>> {
        let slope = slope.then_some(Slope { seeded: true, eikonal: Some(1.0) });
        let shape =
            PassShape { rows, own_inputs: true, input_gradient: true, counted: true, slope };
        let PassPlan { forward, slope, backward, .. } = self.passes(shape)?;
        let nodes = [forward, slope, backward, self.accumulated_update()?.nodes].concat();
        let mut all: Vec<_> = nodes.into_iter().map(|node| node.dispatch).collect();
        let words = all.iter().map(|dispatch| dispatch.counted.len()).sum();
        all.push(CountRows { words, most: rows }.dispatch()?);
        Ok(all)
    }

    /// The dispatches of the passes over other rows than the training's own.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where a buffer would not fit; [`Error::Argument`] where the requested
    /// strategy is not possible.
    pub(crate) fn passes(&self, shape: PassShape) -> Result<PassPlan> {
        let PassShape { rows, own_inputs, input_gradient, counted, slope } = shape;
        let mut sizes = self.sizes.clone();
        let models = sizes.training.models;
        sizes.training.batch = Batch::Full;
        sizes.training.loss = Loss::OutputGradient;
        sizes.data = DataShape { sets: if own_inputs { models } else { 1 }, rows };
        sizes.batch = rows;
        let mut b = sizes.builder();
        b.marks = false;
        b.counted = counted;
        b.own_targets = models > 1;
        b.gradient = Gradient::Adds;
        b.state(&sizes)?;
        let part = fused::Part::Backward;
        let fused = match slope {
            None => fused::Shape { part, input_gradient, ..sizes.fused() },
            Some(_) => fused::Shape { part, slope: true, ..sizes.fused() },
        };
        if slope.is_some() && sizes.mlp.encoding.iter().any(|part| part.encoding.has_mips()) {
            let what = "a network of passes with a slope";
            return Err(Error::argument(what, "with mip levels", "no `Grid::mips`"));
        }
        let strategy = sizes.single_step_strategy(fused);
        let (outputs, [slope_from, backward_from]) = match (strategy, slope) {
            (Strategy::Fused, None) => b.fused_passes(&sizes, input_gradient)?,
            (Strategy::Fused, Some(slope)) => b.fused_slope_passes(fused, input_gradient, slope)?,
            _ => b.layered_passes(&sizes, input_gradient, slope)?,
        };
        let Stages { mut nodes, buffers } = b.without_unbound().finish()?;
        let backward = nodes.split_off(backward_from);
        let slope = nodes.split_off(slope_from);
        Ok(PassPlan { forward: nodes, slope, backward, buffers, outputs, strategy })
    }
}

/// The buffers of the passes' inputs and of the outputs' gradient.
const ROWS: [Buffer; 2] = [Buffer::Inputs, Buffer::Targets];

/// The buffer of the outputs, and where the slope and the backward pass begin among the dispatches.
type Parts = (Buffer, [usize; 2]);

impl Builder<'_> {
    fn layered_passes(
        &mut self,
        sizes: &Sizes,
        input_gradient: bool,
        slope: Option<Slope>,
    ) -> Result<Parts> {
        let [x, g] = ROWS;
        self.forward(x, Purpose::Training)?;
        let last = Buffer::Activation(self.mlp.layers.len() - 1);
        let mut outputs = last;
        let activation = self.mlp.last_activation();
        if activation != Activation::Identity {
            outputs = Buffer::Outputs;
            let (models, rows, width) = (self.models, self.batch, self.mlp.outputs());
            self.buffer(outputs, &[models, rows, width])?;
            let activate = Activate { activation, models, rows, outputs: width };
            self.push(activate.dispatch()?, &[last, outputs]);
        }
        let forward = self.pushed();
        if let Some(Slope { seeded, eikonal }) = slope {
            self.slope(x, seeded)?;
            eikonal.map_or(Ok(()), |weight| self.eikonal(weight))?;
            let backward = self.pushed();
            self.slope_backward(x, g, seeded, input_gradient)?;
            return Ok((outputs, [forward, backward]));
        }
        self.layered_backward(sizes.training.loss, x, g)?;
        if input_gradient {
            self.input_gradient(x)?;
        }
        Ok((outputs, [forward; 2]))
    }

    fn fused_passes(&mut self, sizes: &Sizes, input_gradient: bool) -> Result<Parts> {
        let [x, g] = ROWS;
        let of = |part| fused::Shape { part, input_gradient, ..sizes.fused() };
        self.fused_forward(of(fused::Part::Forward), x)?;
        let forward = self.pushed();
        self.fused_backward(of(fused::Part::Backward), x, g)?;
        if input_gradient {
            self.fused_input_gradient(of(fused::Part::Backward), x)?;
        }
        Ok((Buffer::Outputs, [forward; 2]))
    }

    fn fused_slope_passes(
        &mut self,
        shape: fused::Shape<'_>,
        input_gradient: bool,
        of: Slope,
    ) -> Result<Parts> {
        let [x, g] = ROWS;
        self.fused_forward(fused::Shape { part: fused::Part::Forward, ..shape }, x)?;
        let forward = self.pushed();
        self.fused_slope(shape, x, of)?;
        of.eikonal.map_or(Ok(()), |weight| self.eikonal(weight))?;
        let backward = self.pushed();
        self.fused_slope_backward(shape, [x, g], of, input_gradient)?;
        Ok((Buffer::Outputs, [forward, backward]))
    }
}
