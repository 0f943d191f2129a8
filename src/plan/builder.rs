//! Collects the dispatches and buffers of a plan.

use super::{Buffer, Node, Stages};
use crate::error::{Error, Result};
use crate::kernels::{Capabilities, Dispatch, volume};
use crate::network::{LayerRange, Mlp};
use crate::numeric::{to_u32, wide};
use std::collections::{HashMap, HashSet};

/// Collects dispatches and the buffers that they need. Each stage of a plan is a method, in the
/// file of its stage.
pub(super) struct Builder<'a> {
    pub mlp: &'a Mlp,
    pub ranges: Vec<LayerRange>,
    /// The number of parameters of a model.
    pub parameters: usize,
    /// The number of a model's first parameters that belong to an encoding's tables.
    pub tables: usize,
    pub capabilities: &'a Capabilities,
    pub models: usize,
    pub sets: usize,
    /// Rows of a model.
    pub batch: usize,
    /// The index of the first row of the inputs that a forward pass reads.
    pub read_from: usize,
    /// The slice of the outputs that a forward pass writes; `None` for all of them.
    pub written: Option<Slice>,
    /// Whether a model whose loss or gradient is not finite is marked as diverged.
    pub marks: bool,
    /// Whether each model has its own targets.
    pub own_targets: bool,
    /// Whether a count on the GPU may leave fewer rows.
    pub counted: bool,
    /// The parts of each model's loss, of the gradient so far.
    pub loss_groups: usize,
    /// The buffer that receives the gradient.
    pub gradient: Gradient,
    /// The buffer that receives the gradient of the inputs.
    pub inputs_gradient: Buffer,
    buffers: Vec<(Buffer, u64)>,
    /// The index of each buffer.
    index: HashMap<Buffer, usize>,
    nodes: Vec<Node>,
}

/// What becomes of a gradient.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Gradient {
    /// It replaces what is in [`Buffer::Gradient`].
    Replaces,
    /// It is added to [`Buffer::AccumulatedGradient`].
    Adds,
}

impl Gradient {
    pub const fn buffer(self) -> Buffer {
        match self {
            Self::Replaces => Buffer::Gradient,
            Self::Adds => Buffer::AccumulatedGradient,
        }
    }
}

/// Some of the rows of a buffer.
#[derive(Clone, Copy)]
pub(super) struct Slice {
    /// The index of the first row.
    pub first: usize,
    /// The number of rows of the buffer.
    pub of: usize,
}

/// Converts a size to the shader's `u32`.
pub(super) fn n(value: usize) -> Result<u32> {
    to_u32("a size of the plan", wide(value))
}

impl<'a> Builder<'a> {
    pub fn new(
        mlp: &'a Mlp,
        capabilities: &'a Capabilities,
        models: usize,
        sets: usize,
        batch: usize,
    ) -> Self {
        Self {
            mlp,
            ranges: mlp.ranges(),
            parameters: mlp.parameters(),
            tables: mlp.encoding_parameters(),
            capabilities,
            models,
            sets,
            batch,
            read_from: 0,
            written: None,
            marks: true,
            own_targets: sets > 1,
            counted: false,
            loss_groups: 0,
            gradient: Gradient::Replaces,
            inputs_gradient: Buffer::InputGradient,
            buffers: Vec::new(),
            index: HashMap::new(),
            nodes: Vec::new(),
        }
    }

    /// Adds a buffer of f32 elements in `shape`.
    ///
    /// # Errors
    /// The device allows no such buffer. This is told at once, before any work for it.
    pub fn buffer(&mut self, buffer: Buffer, shape: &[usize]) -> Result<()> {
        let bytes = volume(shape).saturating_mul(4);
        self.bytes(buffer, bytes);
        self.check_size(buffer, bytes)
    }

    fn check_size(&self, buffer: Buffer, bytes: u64) -> Result<()> {
        let allowed = self.capabilities.max_binding();
        if bytes <= allowed {
            return Ok(());
        }
        Err(Error::TooLarge { what: format!("the buffer `{buffer}`"), bytes, allowed })
    }

    /// Adds a buffer of so many bytes. A buffer that several stages use has the largest size that
    /// one of them needs.
    pub fn bytes(&mut self, buffer: Buffer, bytes: u64) {
        // Shaders access vectors of four: sizes are multiples of 16 bytes.
        let bytes = bytes.max(16).checked_next_multiple_of(16).unwrap_or(u64::MAX);
        let index = *self.index.entry(buffer).or_insert(self.buffers.len());
        match self.buffers.get_mut(index) {
            Some((_, known)) => *known = bytes.max(*known),
            None => self.buffers.push((buffer, bytes)),
        }
    }

    pub fn push(&mut self, dispatch: Dispatch, buffers: &[Buffer]) {
        self.nodes.push(Node { dispatch, buffers: buffers.to_vec() });
    }

    /// The number of dispatches so far.
    pub const fn pushed(&self) -> usize {
        self.nodes.len()
    }

    /// Leaves out the buffers that no dispatch binds.
    pub fn without_unbound(mut self) -> Self {
        let bound: HashSet<_> = self.nodes.iter().flat_map(|node| &node.buffers).collect();
        self.buffers.retain(|(name, _)| bound.contains(name));
        self
    }

    /// The dispatches and the buffers.
    ///
    /// # Errors
    /// A buffer does not fit the device, or a dispatch is too large.
    pub fn finish(self) -> Result<Stages> {
        for (buffer, bytes) in &self.buffers {
            self.check_size(*buffer, *bytes)?;
        }
        for node in &self.nodes {
            node.dispatch.grid(&self.capabilities.limits)?;
        }
        Ok(Stages { nodes: self.nodes, buffers: self.buffers })
    }
}
