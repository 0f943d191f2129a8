//! f′(z) v: the tangent of a layer's activations from the tangent v of its pre-activations, or the
//! gradient of the last pre-activations where v is one of the outputs.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot, Variant, volume};
use crate::network::Activation;
use crate::numeric::{Real, to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/step/tangent.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "tangent" in "step/tangent",
    Parameters,
    [],
    [Slot::read("saved"), Slot::read("v"), Slot::write("result")]
);

shader_struct! {
    /// `v` and `result` have so many elements; `saved` has more.
    pub Parameters {
        /// Elements of all models.
        elements: u32,
        /// The index of the first saved element.
        saved_offset: u32,
    }
}

/// Describes the tangent of a layer's activations.
#[derive(Debug, Clone, Copy)]
pub struct Tangent {
    /// The layer's activation.
    pub activation: Activation,
    /// Whether `saved` holds the pre-activations, whatever [`Activation::saves`] names.
    pub of_input: bool,
    /// Whether every element of `v` is 1, and `v` is not read.
    pub ones: bool,
    /// The index of the first saved element.
    pub saved_offset: usize,
    /// Models, rows and units.
    pub shape: [usize; 3],
}

impl Tangent {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let Self { activation, of_input, ones, saved_offset, shape } = *self;
        let (p, elements) = elementwise(shape, saved_offset)?;
        let variant = Variant {
            pieces: vec![activation.wgsl()],
            generated: activation.splice() + &activation.splice_saved(of_input),
            overrides: vec![("ONES", f64::from(u8::from(ones)))],
            ..Variant::default()
        };
        let read = if ones { elements } else { elements.saturating_mul(2) };
        Ok(Dispatch::over(&KERNEL, &p, elements, 0).with(variant).costing(read, elements, read))
    }

    /// f′ v on the CPU, where `saved` begins at the first element that takes part.
    pub fn reference<T: Real>(&self, saved: &[T], v: &[T]) -> Vec<T> {
        let of = |v: T| saved_of(self.activation, self.of_input, v);
        let slopes = saved.iter().map(|saved| self.activation.derivative(of(*saved)));
        slopes.enumerate().map(|(i, slope)| if self.ones { slope } else { slope * v[i] }).collect()
    }
}

/// The parameters of a kernel of single elements, and their number.
pub(super) fn elementwise(shape: [usize; 3], saved_offset: usize) -> Result<(Parameters, u64)> {
    let elements = volume(&shape);
    let n = |value: u64| to_u32("the number of elements of a layer's tangents", value);
    n(elements.saturating_add(wide(saved_offset)))?;
    Ok((Parameters { elements: n(elements)?, saved_offset: n(wide(saved_offset))? }, elements))
}

/// What the derivatives of an activation take, from what a buffer holds.
pub(super) fn saved_of<T: Real>(activation: Activation, of_input: bool, v: T) -> T {
    if of_input && activation.saves() == crate::network::Saved::Output {
        activation.value(v)
    } else {
        v
    }
}
