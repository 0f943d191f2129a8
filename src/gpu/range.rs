//! Ranges of the application's buffers.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernels::infer::Loads;
use crate::numeric::wide;
use std::num::NonZero;
use std::ops::Range;

/// A buffer, or the part of one that is meant.
#[derive(Debug, Clone)]
pub(crate) struct BufferRange {
    pub buffer: wgpu::Buffer,
    offset: u64,
    size: Option<NonZero<u64>>,
}

impl From<wgpu::Buffer> for BufferRange {
    fn from(buffer: wgpu::Buffer) -> Self {
        Self { buffer, offset: 0, size: None }
    }
}

impl BufferRange {
    /// The f32 of `shape` at the beginning of a slice of the application's.
    ///
    /// # Errors
    /// [`Error::Argument`] where it cannot be bound or is too short, [`Error::TooLarge`].
    pub fn new(
        gpu: &Gpu,
        what: &str,
        slice: wgpu::BufferSlice<'_>,
        shape: [usize; 3],
    ) -> Result<Self> {
        let bytes = shape.iter().fold(4, |all: u64, side| all.saturating_mul(wide(*side)));
        let (buffer, offset) = (slice.buffer(), slice.offset());
        check_usage(what, buffer, wgpu::BufferUsages::STORAGE)?;
        let step = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
        if !offset.is_multiple_of(step.max(4)) {
            let what = format!("the offset of {what}");
            return Err(Error::argument(what, offset, format!("a multiple of {step}")));
        }
        if slice.size() < bytes {
            let what = format!("the bytes of {what}");
            return Err(Error::argument(what, slice.size(), format!("{bytes} or more")));
        }
        if bytes > gpu.max_binding() {
            let allowed = gpu.max_binding();
            return Err(Error::TooLarge { what: what.into(), bytes, allowed });
        }
        Ok(Self { buffer: buffer.clone(), offset, size: NonZero::new(bytes) })
    }

    /// The range up to the next multiple of 16 bytes where the buffer is long enough, the bytes `part` of
    /// it, and how a kernel may then load parameters from both: the part may be a uniform buffer.
    pub fn loads(mut self, gpu: &Gpu, part: Range<u64>) -> ([Self; 2], Loads) {
        let room = self.buffer.size().saturating_sub(self.offset);
        let size = self.size.map_or(room, NonZero::get);
        let whole = size.checked_next_multiple_of(16).filter(|whole| *whole <= room);
        let Some(whole) = whole else { return ([self.clone(), self], Loads::Words) };
        self.size = NonZero::new(whole);
        let limits = gpu.limits();
        let step = u64::from(limits.min_uniform_buffer_offset_alignment);
        // A part from the beginning on is everything.
        let bytes = if part.start > 0 { part.end.saturating_sub(part.start) } else { whole };
        let uniform = self.buffer.usage().contains(wgpu::BufferUsages::UNIFORM)
            && (self.offset + part.start).is_multiple_of(step.max(4))
            && part.end <= whole
            && bytes <= limits.max_uniform_buffer_binding_size;
        let part =
            Self { offset: self.offset + part.start, size: NonZero::new(bytes), ..self.clone() };
        ([self, part], if uniform { Loads::Uniform } else { Loads::Vectors })
    }

    pub fn binding(&self) -> wgpu::BufferBinding<'_> {
        wgpu::BufferBinding { buffer: &self.buffer, offset: self.offset, size: self.size }
    }
}

/// Checks that `buffer` was made for `usage`.
pub(crate) fn check_usage(
    what: &str,
    buffer: &wgpu::Buffer,
    usage: wgpu::BufferUsages,
) -> Result<()> {
    if !buffer.usage().contains(usage) {
        let what = format!("the usage of {what}");
        return Err(Error::argument(what, format!("{:?}", buffer.usage()), format!("{usage:?}")));
    }
    Ok(())
}
