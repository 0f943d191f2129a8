//! Collects the dispatches and buffers of a plan.

use super::{Buffer, Node, Stages};
use crate::error::{Error, Result};
use crate::kernels::{Capabilities, Dispatch};
use crate::network::{LayerRange, Mlp};
use crate::numeric::{to_u32, wide};

/// Collects dispatches and the buffers that they need. Each stage of a plan is a method, in the
/// file of its stage.
pub(super) struct Builder<'a> {
    pub mlp: &'a Mlp,
    pub ranges: Vec<LayerRange>,
    pub capabilities: &'a Capabilities,
    pub models: usize,
    pub sets: usize,
    /// Rows of a model.
    pub batch: usize,
    /// The index of the first row of the inputs that a forward pass reads.
    pub read_from: usize,
    /// The slice of the outputs that a forward pass writes; `None` for all of them.
    pub written: Option<Slice>,
    buffers: Vec<(Buffer, u64)>,
    nodes: Vec<Node>,
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
            capabilities,
            models,
            sets,
            batch,
            read_from: 0,
            written: None,
            buffers: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// Adds a buffer of f32 elements in `shape`.
    pub fn buffer(&mut self, buffer: Buffer, shape: &[usize]) -> Result<()> {
        let elements = shape.iter().fold(1_u64, |all, side| all.saturating_mul(wide(*side)));
        let bytes = elements.saturating_mul(4);
        self.bytes(buffer, bytes);
        // Before any code counts the buffer's elements in u32.
        to_u32(&format!("the number of elements of the buffer `{buffer}`"), elements)?;
        Ok(())
    }

    /// Adds a buffer of so many bytes. A buffer that several stages use has the largest size that
    /// one of them needs.
    pub fn bytes(&mut self, buffer: Buffer, bytes: u64) {
        // Shaders access vectors of four: sizes are multiples of 16 bytes.
        let bytes = bytes.max(16).checked_next_multiple_of(16).unwrap_or(u64::MAX);
        match self.buffers.iter_mut().find(|(known, _)| *known == buffer) {
            Some((_, known)) => *known = bytes.max(*known),
            None => self.buffers.push((buffer, bytes)),
        }
    }

    pub fn push(&mut self, dispatch: Dispatch, buffers: &[Buffer]) {
        self.nodes.push(Node { dispatch, buffers: buffers.to_vec() });
    }

    /// Leaves out the buffers that no dispatch binds.
    pub fn without_unbound(mut self) -> Self {
        let nodes = &self.nodes;
        self.buffers.retain(|(name, _)| nodes.iter().any(|node| node.buffers.contains(name)));
        self
    }

    /// The dispatches and the buffers.
    ///
    /// # Errors
    /// A buffer does not fit the device.
    pub fn finish(self) -> Result<Stages> {
        let allowed = self.capabilities.max_binding();
        let too_large = |(_, bytes): &&(Buffer, u64)| *bytes > allowed;
        if let Some((buffer, bytes)) = self.buffers.iter().find(too_large) {
            let what = format!("the buffer `{buffer}`");
            return Err(Error::TooLarge { what, bytes: *bytes, allowed });
        }
        for node in &self.nodes {
            node.dispatch.grid(&self.capabilities.limits)?;
        }
        Ok(Stages { nodes: self.nodes, buffers: self.buffers })
    }
}
