//! One dispatch of one kernel, as data.

use crate::error::{Error, Result};
use crate::kernels::step::Status;
use crate::kernels::{Access, Kernel, MAX_ITERATIONS, MAX_OPERATIONS, Slot};
use crate::numeric::to_u32;
use crate::training::{Hyper, Mean};
use crate::wgsl;
use crate::wgsl::Piece;
use std::borrow::Cow;

/// What distinguishes one compiled variant of a kernel from another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variant {
    /// Pieces of WGSL that the kernel or the generated text calls.
    pub pieces: Vec<&'static Piece>,
    /// The WGSL functions and constants that are generated for this variant.
    pub generated: String,
    /// Values of the shader's overrides.
    pub overrides: Vec<(&'static str, f64)>,
    /// Types of slots, by name, where they differ from the kernel's.
    pub kinds: Vec<(&'static str, Cow<'static, str>)>,
    /// A slot that is bound as a uniform buffer, where the kernel's is read-only storage.
    pub uniform: Option<&'static str>,
    /// The number of invocations of a workgroup. `None` leaves the kernel's number.
    pub workgroup: Option<u32>,
    /// The formats of the storage textures that the kernel writes, in the order of its slots.
    pub textures: Vec<wgpu::TextureFormat>,
}

/// The format of a texture that stands for one that a kernel does not write.
pub(crate) const UNUSED_TEXTURE: wgpu::TextureFormat = wgpu::TextureFormat::R32Float;

/// One dispatch of one kernel: pure data.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub(crate) kernel: &'static Kernel,
    pub(crate) variant: Variant,
    pub(crate) parameters: Vec<u8>,
    pub(crate) groups: u64,
    pub(crate) work: Work,
    pub(crate) counted: Vec<Counted>,
    iterations: u64,
}

/// A word of a dispatch's parameters that depends on the number of rows, where a buffer on the GPU
/// holds that number. [`count_rows`](crate::kernels::step::count_rows) writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// A bound: `each` for every row from row `first` on, and at most what it is without a count.
    Rows {
        /// The offset of the word, in bytes.
        at: usize,
        first: usize,
        each: usize,
    },
    /// The number of blocks of `rows` rows.
    Blocks {
        /// The offset of the word, in bytes.
        at: usize,
        rows: usize,
    },
    /// The weight of a row in a mean: divided by the share of the rows that there are.
    Weight {
        /// The offset of the word, in bytes.
        at: usize,
    },
}

/// The cost of a dispatch by its formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Bytes read. Each operand counts once.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Floating-point operations. A multiply-add counts as two, a call of an activation or a loss
    /// as one.
    pub operations: u64,
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.read = self.read.saturating_add(other.read);
        self.written = self.written.saturating_add(other.written);
        self.operations = self.operations.saturating_add(other.operations);
    }
}

impl Dispatch {
    /// A dispatch of `groups` workgroups. `iterations` are those of all loops of its longest
    /// invocation, with the final test of each.
    pub(crate) fn new(
        kernel: &'static Kernel,
        parameters: &impl bytemuck::NoUninit,
        groups: u64,
        iterations: u64,
    ) -> Self {
        Self {
            kernel,
            variant: Variant::default(),
            parameters: bytemuck::bytes_of(parameters).to_vec(),
            groups,
            work: Work::default(),
            counted: Vec::new(),
            iterations,
        }
    }

    /// Sets an override that its kernel's description does not.
    pub(crate) fn overriding(mut self, name: &'static str) -> Self {
        self.variant.overrides.push((name, 1.0));
        self
    }

    /// Adds a word that depends on the number of rows.
    pub(crate) fn counting(mut self, word: Counted) -> Self {
        self.counted.push(word);
        self
    }

    /// Adds the word at `at`, the weight of a row in `mean`. A sum has no weight that depends on the
    /// number of rows.
    pub(crate) fn weighing(self, mean: Mean, at: usize) -> Self {
        if mean == Mean::Sum { self } else { self.counting(Counted::Weight { at }) }
    }

    /// A dispatch with one invocation for each of `elements`.
    pub(crate) fn over(
        kernel: &'static Kernel,
        parameters: &impl bytemuck::NoUninit,
        elements: u64,
        iterations: u64,
    ) -> Self {
        Self::new(kernel, parameters, elements.div_ceil(u64::from(kernel.workgroup)), iterations)
    }

    pub(crate) fn with(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }

    /// Sets the cost: elements of four bytes read, elements written, operations.
    pub(crate) const fn costing(mut self, read: u64, written: u64, operations: u64) -> Self {
        self.work =
            Work { read: read.saturating_mul(4), written: written.saturating_mul(4), operations };
        self
    }

    /// The kernel that runs.
    pub const fn kernel(&self) -> &'static Kernel {
        self.kernel
    }

    /// The number of invocations of a workgroup, along x.
    pub fn workgroup(&self) -> u32 {
        self.variant.workgroup.unwrap_or(self.kernel.workgroup)
    }

    /// How a slot is bound in this variant.
    pub fn access(&self, slot: &Slot) -> Access {
        if self.variant.uniform == Some(slot.name) { Access::Uniform } else { slot.access }
    }

    /// The format of the storage texture in a slot that has one. Textures beyond those of the variant
    /// are not written.
    pub(crate) fn texture_format(&self, slot: &Slot) -> wgpu::TextureFormat {
        let mut textures = self.kernel.slots.iter().filter(|s| s.access == Access::Texture);
        let index = textures.position(|s| s.name == slot.name);
        let format = index.and_then(|index| self.variant.textures.get(index));
        format.copied().unwrap_or(UNUSED_TEXTURE)
    }

    /// The number of workgroups.
    pub const fn workgroups(&self) -> u64 {
        self.groups
    }

    /// The cost by its formula.
    pub const fn work(&self) -> Work {
        self.work
    }

    /// The iterations of all loops of its longest invocation, at most, with the final test of each.
    /// A dispatch of more than 60,000 is refused: some drivers end an invocation's loops at 65,535.
    pub const fn iterations(&self) -> u64 {
        self.iterations
    }

    /// The bytes of the kernel's parameters, its first slot.
    pub fn parameters(&self) -> &[u8] {
        &self.parameters
    }

    /// The whole shader text: the kernel's file, its structs and bindings, and the functions that
    /// it calls.
    pub fn wgsl(&self) -> String {
        let pieces = [self.kernel.needs, &self.variant.pieces].concat();
        let generated = self.interface() + &self.variant.generated;
        wgsl::compose(self.kernel.source, &generated, &pieces)
    }

    /// WGSL of the structs that the kernel's slots name, and of its bindings.
    fn interface(&self) -> String {
        let mut text = wgsl::structure("Params", self.kernel.fields.iter().copied());
        let mut bindings = String::new();
        for (index, slot) in self.kernel.slots.iter().enumerate() {
            let space = match self.access(slot) {
                Access::Uniform => Some("uniform"),
                Access::Read => Some("storage, read"),
                Access::ReadWrite => Some("storage, read_write"),
                Access::Texture => None,
            };
            let kind = match slot.kind {
                "Hyper" => {
                    text += &wgsl::structure("Hyper", Hyper::FIELDS.iter().copied());
                    "Hyper".to_owned()
                }
                "Status" => {
                    text += &Status::wgsl("array<u32>");
                    "Status".to_owned()
                }
                "AtomicStatus" => {
                    text += &Status::wgsl("array<atomic<u32>>");
                    "Status".to_owned()
                }
                _ => self.kind(slot),
            };
            bindings += &wgsl::binding(index, space, slot.name, &kind);
        }
        text + &bindings
    }

    /// The WGSL type of a slot in this variant.
    fn kind(&self, slot: &Slot) -> String {
        if slot.access == Access::Texture {
            let format = format!("{:?}", self.texture_format(slot)).to_lowercase();
            return format!("texture_storage_2d_array<{format}, write>");
        }
        let own = self.variant.kinds.iter().find(|(name, _)| *name == slot.name);
        own.map_or_else(|| slot.kind.to_owned(), |(_, kind)| kind.to_string())
    }

    /// The values of the shader's overrides.
    pub fn overrides(&self) -> &[(&'static str, f64)] {
        &self.variant.overrides
    }

    /// The numbers of workgroups along x and y. Their product may exceed the workgroups of the
    /// dispatch; the surplus workgroups do nothing.
    ///
    /// # Errors
    /// The dispatch is too large: its workgroups for the device's limits, the iterations of an
    /// invocation, or its operations.
    pub(crate) fn grid(&self, limits: &wgpu::Limits) -> Result<[u32; 2]> {
        let side = u64::from(limits.max_compute_workgroups_per_dimension);
        let x = self.groups.clamp(1, side.max(1));
        let y = self.groups.div_ceil(x).max(1);
        for (what, found, allowed, fits) in [
            ("workgroups", self.groups, side.saturating_mul(side), y <= side),
            ("iterations of an invocation", self.iterations, MAX_ITERATIONS, true),
            ("operations", self.work.operations, MAX_OPERATIONS, true),
        ] {
            if found > allowed || !fits {
                let what = format!("the {what} of {}", self.kernel.name);
                return Err(Error::argument(what, found, format!("at most {allowed}")));
            }
        }
        Ok([to_u32("x", x)?, to_u32("y", y)?])
    }
}
