//! An activation of the application's own.

use crate::error::{Error, Result};
use crate::network::Activation;
use crate::numeric::Real;
use crate::wgsl::{Interned, Piece, Snippet, check_snippet_name, interned, leaked, snippet_piece};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An activation of the application's own: its value and its derivative in WGSL.
///
/// Both are bodies of functions of the pre-activation `z: f32` that return an `f32`. They call built-in
/// functions alone, whose accuracy is the device's, and have no loops. A body that does not compile is refused where a network that
/// uses it is first put on a GPU: [`Error::Snippet`] shows the compiler's words. A NaN that it gives
/// is a divergence like any other.
///
/// ```
/// use wgrad::{CustomActivation, Mlp};
/// // Ziyin et al., "Neural Networks Fail to Learn Periodic Functions and How to Fix It", 2020.
/// let snake = CustomActivation::new(
///     "snake",
///     "return z + sin(z) * sin(z);",
///     "return 1.0 + sin(2.0 * z);",
/// )?
/// .with_reference(|z| z + z.sin().powi(2), |z| 1.0 + (2.0 * z).sin());
/// let mlp = Mlp::new(1).layer(16, snake).layer(1, snake);
/// assert_eq!(mlp.to_string(), "1-16-1, snake, snake");
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// A definition lives as long as the program, once for each name and text, and this is a handle of
/// it. Two handles are equal if name and text are. A network holds one definition of a name; different
/// networks may hold different ones.
#[derive(Clone, Copy)]
pub struct CustomActivation {
    definition: &'static Definition,
    reference: Option<[&'static Function; 2]>,
}

type Function = dyn Fn(f64) -> f64 + Send + Sync;

#[derive(Debug)]
struct Definition {
    name: &'static str,
    function: &'static str,
    bodies: [Snippet; 2],
    piece: Piece,
}

static DEFINITIONS: Interned<Definition> = Mutex::new(Vec::new());

/// All handles that were made, the last at the end. Each definition has one, with its last reference.
static HANDLES: Mutex<Vec<CustomActivation>> = Mutex::new(Vec::new());

/// A poisoned lock still guards whole handles: each is moved in one call.
fn handles() -> MutexGuard<'static, Vec<CustomActivation>> {
    HANDLES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CustomActivation {
    /// Defines the activation `name` by the WGSL of its value and of its derivative dy/dz.
    ///
    /// # Errors
    /// [`Error::Argument`]: a name that no function of WGSL can have, or an activation of the crate's
    /// own has. [`Error::Snippet`]: a body that ends before its last brace, loops, or
    /// calls what several invocations must call together.
    pub fn new(name: &str, value: &str, derivative: &str) -> Result<Self> {
        let known = Activation::ALL.iter().any(|own| own.name() == name);
        check_snippet_name("custom activation", name, known)?;
        let body = |part: &str, text: &str| {
            let what = format!("the activation {name}, {part}");
            let snippet = Snippet::new(&what, text)?;
            if snippet.loops() > 0 {
                let message = "a loop: an activation runs once for each unit of each row";
                return Err(Error::Snippet { what, message: message.into() });
            }
            Ok(snippet)
        };
        let bodies = [body("value", value)?, body("derivative", derivative)?];
        let same = |known: &Definition| known.name == name && known.bodies == bodies;
        let definition = interned(&DEFINITIONS, same, |number| {
            let [value, derivative] = &bodies;
            let function = leaked(format!("custom_{name}"));
            let part = |of: &str, body: &Snippet| {
                let signature = format!("{function}_{of}(z: f32) -> f32");
                (format!("the activation {name}, {of}"), body.function(&signature, ""))
            };
            let functions = vec![part("value", value), part("derivative", derivative)];
            let piece = snippet_piece(format!("the activation {name} {number}"), functions);
            Definition { name: leaked(name.into()), function, bodies: bodies.clone(), piece }
        });
        let handle = Self { definition, reference: None };
        let mut all = handles();
        let known = all.iter().position(|known| *known == handle);
        let handle = known.map_or(handle, |at| all.remove(at));
        all.push(handle);
        Ok(Self { reference: None, ..handle })
    }

    /// Adds what the CPU computes: the value and the derivative at z. They live as long as the program.
    /// [`CpuTrainer`](crate::CpuTrainer) and [`compare_gradients`](crate::compare_gradients) call them.
    #[must_use]
    pub fn with_reference(
        mut self,
        value: impl Fn(f64) -> f64 + Send + Sync + 'static,
        derivative: impl Fn(f64) -> f64 + Send + Sync + 'static,
    ) -> Self {
        self.reference = Some([Box::leak(Box::new(value)), Box::leak(Box::new(derivative))]);
        let mut all = handles();
        if let Some(known) = all.iter_mut().find(|known| **known == self) {
            *known = self;
        }
        self
    }

    /// The name in messages.
    pub const fn name(self) -> &'static str {
        self.definition.name
    }

    /// Whether it has what the CPU computes.
    pub const fn has_reference(self) -> bool {
        self.reference.is_some()
    }

    /// The one that was defined last under `name`.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let all = handles();
        all.iter().rfind(|known| known.name() == name).copied()
    }

    pub(super) const fn function(self) -> &'static str {
        self.definition.function
    }

    pub(super) const fn piece(self) -> &'static Piece {
        &self.definition.piece
    }

    pub(super) fn value<T: Real>(self, z: T) -> T {
        T::of(self.reference.map_or(f64::NAN, |[value, _]| value(z.to_f64())))
    }

    pub(super) fn derivative<T: Real>(self, z: T) -> T {
        T::of(self.reference.map_or(f64::NAN, |[_, derivative]| derivative(z.to_f64())))
    }

    pub(super) fn check_reference(self) -> Result<()> {
        if self.has_reference() {
            return Ok(());
        }
        let what = format!("the activation {} on the CPU", self.name());
        Err(Error::argument(what, "WGSL alone", "one with CustomActivation::with_reference"))
    }
}

impl From<CustomActivation> for Activation {
    fn from(custom: CustomActivation) -> Self {
        Self::Custom(custom)
    }
}

impl PartialEq for CustomActivation {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.definition, other.definition)
    }
}

impl Eq for CustomActivation {}

impl Hash for CustomActivation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.definition, state);
    }
}

impl fmt::Debug for CustomActivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomActivation({})", self.name())
    }
}
