//! The gradients of a layer's pre-activations z and of their tangent ż, from those of its activations
//! y = f(z) and of their tangent ẏ = f′(z) ż: dz = f′ dy + f″ ż dẏ and dż = f′ dẏ. Pearlmutter, "Fast
//! Exact Multiplication by the Hessian", 1994.

pub use super::tangent::Parameters;
use super::tangent::{elementwise, saved_of};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot, Variant};
use crate::network::Activation;
use crate::numeric::Real;

/// `shaders/step/curvature.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "curvature" in "step/curvature",
    Parameters,
    [],
    [
        Slot::read("saved"),
        Slot::read("tangents"),
        Slot::read("gradient"),
        Slot::read("tangent_gradient"),
        Slot::write("delta"),
        Slot::write("tangent_delta"),
    ]
);

/// Describes the two gradients of a layer's pre-activations.
#[derive(Debug, Clone, Copy)]
pub struct Curvature {
    /// The layer's activation.
    pub activation: Activation,
    /// Whether `saved` holds the pre-activations, whatever [`Activation::saves`] names.
    pub of_input: bool,
    /// Whether every element of `tangent_gradient` is 1, and it is not read.
    pub ones: bool,
    /// The index of the first saved element.
    pub saved_offset: usize,
    /// Models, rows and units.
    pub shape: [usize; 3],
}

impl Curvature {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`; a custom activation.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let Self { activation, of_input, ones, saved_offset, shape } = *self;
        activation.check_second_derivative()?;
        let (p, elements) = elementwise(shape, saved_offset)?;
        let generated =
            [activation.splice(), activation.splice_second(), activation.splice_saved(of_input)];
        let variant = Variant {
            pieces: vec![activation.wgsl()],
            generated: generated.concat(),
            overrides: vec![("ONES", f64::from(u8::from(ones)))],
            ..Variant::default()
        };
        let all = |n: u64| elements.saturating_mul(n);
        Ok(Dispatch::over(&KERNEL, &p, elements, 0).with(variant).costing(
            all(if ones { 3 } else { 4 }),
            all(2),
            all(7),
        ))
    }

    /// Both gradients on the CPU, where `saved` begins at the first element that takes part.
    pub fn reference<T: Real>(
        &self,
        [saved, tangents]: [&[T]; 2],
        [gradient, tangent_gradient]: [&[T]; 2],
    ) -> [Vec<T>; 2] {
        let f = self.activation;
        let each = gradient.iter().enumerate().map(|(i, gradient)| {
            let value = saved_of(f, self.of_input, saved[i]);
            let of_tangent = if self.ones { T::ONE } else { tangent_gradient[i] };
            let slope = f.derivative(value);
            let bend = f.second_derivative(value) * tangents[i];
            (slope * *gradient + bend * of_tangent, slope * of_tangent)
        });
        let (delta, tangent_delta) = each.unzip();
        [delta, tangent_delta]
    }
}
