//! How many rows there are: a number, or a count on the GPU.

use crate::error::{Error, Result};
use crate::gpu::{BufferRange, Count, Gpu};

/// The rows of a pass: so many, or as many as a count in a buffer says.
///
/// ```
/// use wgrad::Rows;
/// fn up_to_4096(count: &wgpu::Buffer) -> Rows<'_> {
///     Rows::counted(4096, count.slice(..))
/// }
/// assert_eq!(Rows::from(64).most(), 64);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    most: usize,
    count: Option<wgpu::BufferSlice<'a>>,
}

impl From<usize> for Rows<'_> {
    fn from(rows: usize) -> Self {
        Self { most: rows, count: None }
    }
}

impl<'a> Rows<'a> {
    /// The first `count` rows, and at most `most`. The count is a `u32` at a slice of a buffer made
    /// for `STORAGE`, as a shader of the application's may have written it. It is read when the
    /// commands run: once in a record, in one more dispatch, before any row is computed. Rows from
    /// the count on are neither read nor written. Their workgroups are launched and end at once.
    pub const fn counted(most: usize, count: wgpu::BufferSlice<'a>) -> Self {
        Self { most, count: Some(count) }
    }

    /// The largest number of rows.
    pub const fn most(&self) -> usize {
        self.most
    }

    /// Checks that there may be rows, and that the count can be bound.
    pub(super) fn check(self, gpu: &Gpu, what: &str) -> Result<Option<Count>> {
        if self.most == 0 {
            return Err(Error::argument(format!("the rows of {what}"), 0, "1 or more"));
        }
        let count = |slice| -> Result<Count> {
            let range = BufferRange::new(gpu, &format!("the count of {what}"), slice, [1; 3])?;
            Ok(Count { range, most: self.most })
        };
        self.count.map(count).transpose()
    }
}
