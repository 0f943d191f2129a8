//! One WGSL file and what Rust has to know of it.

use crate::wgsl::{Field, Piece};

/// How a kernel uses a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// A uniform buffer.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written.
    ReadWrite,
    /// A storage texture that is written, an array of layers.
    Texture,
}

/// One binding of a kernel, of group 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The variable's name in the shader.
    pub name: &'static str,
    /// How it is used.
    pub access: Access,
    /// The variable's WGSL type; a variant of the kernel may have another.
    pub(crate) kind: &'static str,
}

impl Slot {
    /// The kernel's parameters, its first slot.
    pub(crate) const PARAMETERS: Self =
        Self { name: "params", access: Access::Uniform, kind: "Params" };

    /// The optimizer's hyperparameters.
    pub(crate) const HYPER: Self =
        Self { name: "hyperparameters", access: Access::Uniform, kind: "Hyper" };

    /// The training's status, only read.
    pub(crate) const STATUS_READ: Self = Self::read("status").of("Status");

    /// The training's status, of which no other invocation writes the same element.
    pub(crate) const STATUS: Self = Self::write("status").of("Status");

    /// The training's status, whose marks of divergence several invocations may set.
    pub(crate) const STATUS_ATOMIC: Self = Self::write("status").of("AtomicStatus");

    pub(crate) const fn read(name: &'static str) -> Self {
        Self { name, access: Access::Read, kind: "array<f32>" }
    }

    pub(crate) const fn write(name: &'static str) -> Self {
        Self { name, access: Access::ReadWrite, kind: "array<f32>" }
    }

    pub(crate) const fn texture(name: &'static str) -> Self {
        Self { name, access: Access::Texture, kind: "" }
    }

    /// A slot of another type than an array of f32.
    pub(crate) const fn of(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }
}

/// One WGSL file and what Rust has to know of it.
#[derive(Debug)]
pub struct Kernel {
    /// The name of its entry point.
    pub name: &'static str,
    /// The path of its file in `shaders/`, without `.wgsl`.
    pub path: &'static str,
    /// The file's text. [`Dispatch::wgsl`](super::Dispatch::wgsl) adds its structs and bindings and
    /// the functions that it calls.
    pub source: &'static str,
    /// Invocations of a workgroup, along x. A variant may have another number:
    /// [`Dispatch::workgroup`](super::Dispatch::workgroup).
    pub workgroup: u32,
    /// The bindings in their order; the first is the kernel's parameters.
    pub slots: &'static [Slot],
    /// Name and type of the parameters' fields, each of four bytes.
    pub fields: &'static [Field],
    pub(crate) needs: &'static [&'static Piece],
}
