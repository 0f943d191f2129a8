//! Collects the dispatches and buffers of a plan.

use super::{Buffer, Node, Stages};
use crate::error::{Error, Result};
use crate::kernels::{Capabilities, Dispatch};
use crate::network::{LayerRange, Mlp};
use crate::numeric::{to_u32, wide};

/// Collects dispatches, and the buffers that they need. Each stage of a plan is a method, in the
/// file of its stage.
pub(super) struct Builder<'a> {
    pub mlp: &'a Mlp,
    pub ranges: Vec<LayerRange>,
    pub capabilities: &'a Capabilities,
    pub models: usize,
    pub sets: usize,
    /// Rows of a model.
    pub batch: usize,
    /// The first row of the inputs that a forward pass reads.
    pub read_from: usize,
    /// Where its outputs go, where they are some rows of more.
    pub written: Option<Slice>,
    buffers: Vec<(Buffer, u64)>,
    nodes: Vec<Node>,
}

/// Some rows of more.
#[derive(Clone, Copy)]
pub(super) struct Slice {
    /// The first of them.
    pub first: usize,
    /// All rows.
    pub of: usize,
}

/// A size as a shader counts it.
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

    /// A buffer of f32 in `shape`.
    pub fn buffer(&mut self, buffer: Buffer, shape: &[usize]) -> Result<()> {
        let elements = shape.iter().fold(1_u64, |all, side| all.saturating_mul(wide(*side)));
        let bytes = elements.saturating_mul(4);
        self.bytes(buffer, bytes);
        // Before anything counts its elements in u32.
        to_u32(&format!("the number of elements of the buffer `{buffer}`"), elements)?;
        Ok(())
    }

    /// A buffer of so many bytes. One that several stages use is as large as the largest needs.
    pub fn bytes(&mut self, buffer: Buffer, bytes: u64) {
        // Whole vectors of four: shaders read and write such.
        let bytes = bytes.max(16).checked_next_multiple_of(16).unwrap_or(u64::MAX);
        match self.buffers.iter_mut().find(|(known, _)| *known == buffer) {
            Some((_, known)) => *known = bytes.max(*known),
            None => self.buffers.push((buffer, bytes)),
        }
    }

    pub fn push(&mut self, dispatch: Dispatch, buffers: &[Buffer]) {
        self.nodes.push(Node { dispatch, buffers: buffers.to_vec() });
    }

    /// The dispatches and buffers, if all of them fit the device.
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
