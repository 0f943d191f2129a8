//! A copy of a trainer's parameters.

/// A copy of a trainer's parameters, which changes only where [`Snapshot::record`] is recorded.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) source: wgpu::Buffer,
    pub(super) copy: wgpu::Buffer,
}

impl Snapshot {
    /// Records the copy of the parameters as they are then: no submit, no allocation.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.copy_buffer_to_buffer(&self.source, 0, &self.copy, 0, self.copy.size());
    }

    /// The copy, laid out as [`Trainer::parameter_buffer`](crate::Trainer::parameter_buffer).
    pub const fn parameter_buffer(&self) -> &wgpu::Buffer {
        &self.copy
    }
}
