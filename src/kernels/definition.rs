//! One WGSL file and its Rust definition.

use crate::wgsl::{Field, Piece};

/// How a kernel accesses a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// A uniform buffer.
    Uniform,
    /// A storage buffer that is only read by the kernel.
    Read,
    /// A storage buffer that the kernel reads and writes.
    ReadWrite,
    /// A storage texture with array layers that the kernel writes.
    Texture,
}

/// One binding of a kernel, in bind group 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The variable's name in the shader.
    pub name: &'static str,
    /// How it is used.
    pub access: Access,
    /// The WGSL type of the variable. A variant of the kernel may replace it.
    pub(crate) kind: &'static str,
}

impl Slot {
    /// The uniform buffer of the kernel's parameters: its first slot.
    pub(crate) const PARAMETERS: Self =
        Self { name: "params", access: Access::Uniform, kind: "Params" };

    /// The optimizer's hyperparameters.
    pub(crate) const HYPER: Self =
        Self { name: "hyperparameters", access: Access::Uniform, kind: "Hyper" };

    /// The training's status, read only.
    pub(crate) const STATUS_READ: Self = Self::read("status").with_type("Status");

    /// The training's status, written. No two invocations write one element.
    pub(crate) const STATUS: Self = Self::write("status").with_type("Status");

    /// The training's status, written. Several invocations may mark one model as diverged.
    pub(crate) const STATUS_ATOMIC: Self = Self::write("status").with_type("AtomicStatus");

    pub(crate) const fn read(name: &'static str) -> Self {
        Self { name, access: Access::Read, kind: "array<f32>" }
    }

    pub(crate) const fn write(name: &'static str) -> Self {
        Self { name, access: Access::ReadWrite, kind: "array<f32>" }
    }

    pub(crate) const fn texture(name: &'static str) -> Self {
        Self { name, access: Access::Texture, kind: "" }
    }

    /// Replaces the slot's type, which is an array of f32 by default.
    pub(crate) const fn with_type(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }
}

/// One WGSL file and its Rust definition.
#[derive(Debug)]
pub struct Kernel {
    /// The name of its entry point.
    pub name: &'static str,
    /// The path of its file in `shaders/`, without `.wgsl`.
    pub path: &'static str,
    /// The file's text. [`Dispatch::wgsl`](super::Dispatch::wgsl) adds the structs, the bindings
    /// and the functions that the text calls.
    pub source: &'static str,
    /// The number of invocations of a workgroup, along x. A variant may replace it:
    /// [`Dispatch::workgroup`](super::Dispatch::workgroup).
    pub workgroup: u32,
    /// The bindings in their order; the first is the kernel's parameters.
    pub slots: &'static [Slot],
    /// Name and type of each field of the parameters. A field has four bytes.
    pub fields: &'static [Field],
    pub(crate) needs: &'static [&'static Piece],
}
